"""A worker whose processor fails on the n-th batch: ``python -m tests.streams.failing_worker N``."""

import itertools
import sys

from engine.batch.records import RecordBatch
from engine.outputs import Outputs
from engine.processor import PartitionProcessor
from streams.settings import load
from streams.worker import run


def fail_at(number: int) -> None:
    """Let the n-th batch of the process raise, after it was applied: the worst moment."""
    count = itertools.count(1)
    apply = PartitionProcessor.apply

    def failing(self: PartitionProcessor, batch: RecordBatch) -> Outputs:
        outputs = apply(self, batch)
        if next(count) >= number:
            raise ArithmeticError(f"a test's error at {batch.partition}:{batch.first_offset}")
        return outputs

    PartitionProcessor.apply = failing  # type: ignore[method-assign]


if __name__ == "__main__":
    fail_at(int(sys.argv[1]))
    sys.exit(run(load()))
