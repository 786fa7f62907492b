"""Accounts that are merged, and course runs that get another name: their enrolments are carried over.

``packing`` takes an enrolment apart and puts it together again, ``combining`` makes one of two. ``carrying``
sends the enrolments of merged accounts to the partition of the account that stays: with the day report to the
trainer, and with its package to that partition, so that the result does not depend on where accounts lie.
``renaming`` does the same for course runs, within each partition.
"""
