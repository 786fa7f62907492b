"""Ten million nudge decisions under duplicates, reordering and crashes, and an auditor who counts violations.

    python -m benchmarks.guards [--decisions 10000000] [--seed 1] [--at-once] [--processes 2] [--log FILE]

A made-up term of learners in several courses and all time zones: risk changes, wishes, unsubscriptions,
messages of other systems, instructors' answers. Risk changes come in event time, as the day barrier gives
them; what is heard comes late, out of order and twice. Every so often the partition crashes: what it had
not yet made safe is gone, its records are read back from JSON, and both logs are read again from there, in
another interleaving. As in the worker, a message leaves once the decision behind it is safe. With
``--at-once`` it leaves before that: after a crash the same change may then be decided otherwise, because
feedback was heard in another order, and the first answer is out already.

The auditor knows nothing of the code under test. From what left, and from what had been heard by then, it
looks for messages beyond a cap in any window, in the night of the learner's own zone, on a channel that was
closed, during a pause, to the suppressed, to the held-out, or after their reason's time, and for a digest
beside one that is planned. The property test runs a small number of the same decisions each time
(tests/nudges/test_guards_hold.py).
"""
