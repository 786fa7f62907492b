"""How often Python looks for cyclic garbage, set for batches of thousands of short-lived messages."""

import gc

YOUNG, MIDDLE, OLD = 100_000, 20, 100


def collect_seldom() -> None:
    """Collect after 100,000 new containers instead of 700. For a process whose work is batches.

    The messages of a batch are some thousand dictionaries without cycles, dead with the batch. At
    Python's defaults each batch is walked through several times while it lives: a third of the time to
    apply events (``benchmarks/throughput.py``).
    """
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
