"""Labels, the online classifier, its scores and reasons, the trainer. Pure: data in, data out.

A day's way through it: ``labels`` says which snapshots have become certain, ``trainer`` collects the
partitions' reports, ``classifier`` learns with River, ``scoring`` turns the learned numbers into
estimates and ``explanations`` turns a change of estimate into words.
"""
