"""Labels, the online classifier, its estimates and explanations, the trainer. Pure: data in, data out.

In the order of a day: ``labels`` decides which snapshots get their final label, ``trainer`` collects the
partitions' reports, ``classifier`` learns with River, ``scoring`` computes estimates from a model snapshot,
and ``explanations`` puts the change of an estimate into words.
"""
