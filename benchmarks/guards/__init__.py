"""Ten million nudge decisions under duplicates, reordering and crashes, with an audit for violations.

    python -m benchmarks.guards [--decisions 10000000] [--seed 1] [--at-once] [--processes 2] [--log FILE]

A simulated term of learners in several courses and all time zones: risk changes, preferences,
unsubscriptions, messages of other systems, instructors' answers. Risk changes arrive in event time, as the
day barrier guarantees; other messages arrive late, out of order and twice. From time to time the partition
crashes: what is not in a checkpoint is lost, its state is read back from JSON, and both logs are read again
from there, interleaved differently. As in the worker, a nudge is sent once the decision behind it is in a
checkpoint. With ``--at-once`` it is sent before: after a crash the same change may then be decided
differently, because feedback was read in another order, and the first nudge is out already.

The auditor is independent of the code under test. From the messages that were sent, and from those that had
been read by then, it looks for messages beyond a cap in any window, at night in the learner's own zone, on a
closed channel, during a pause, to suppressed or held-out learners, or after they expired, and for a digest
beside one that is planned. The property test runs a small number of the same decisions each time
(tests/nudges/test_guards_hold.py).
"""
