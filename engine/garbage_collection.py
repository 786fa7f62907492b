"""Thresholds of Python's cyclic garbage collector for batches of thousands of short-lived messages."""

import gc

YOUNG, MIDDLE, OLD = 100_000, 20, 100


def collect_seldom() -> None:
    """Collect after 100,000 new containers instead of 700. For processes that apply batches.

    The messages of a batch are some thousand dictionaries without cycles, released with the batch. With
    Python's defaults each batch is traversed several times, which takes a third of the time to apply
    events (``benchmarks/throughput.py``).
    """
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
