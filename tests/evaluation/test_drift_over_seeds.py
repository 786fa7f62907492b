"""The benchmark of drift: worlds that are one until they part, and a log to go on from."""

from dataclasses import replace
from pathlib import Path

from benchmarks.drift import (
    DAYS_BETWEEN_RUNS,
    SHIFTS,
    START,
    Log,
    PassRecord,
    RunningPass,
    passes_of_seed,
    plan,
)
from sources.simulator import stream

WELL = replace(plan(2, 40, 1), shifts_on=START + DAYS_BETWEEN_RUNS)


def test_what_is_heard_is_that_of_whole_passes_and_is_kept(tmp_path: Path) -> None:
    together = passes_of_seed(WELL)
    assert together["outcomes"] == RunningPass.start().continue_with(stream(replace(WELL, shift="outcomes")))
    assert together[None] == RunningPass.start().continue_with(stream(WELL))
    assert len({repr(sorted(together[shift].figures.items())) for shift in SHIFTS}) == 3, "they part"

    path = tmp_path / "log"
    assert Log.open(path, "asked").of(1, lambda: together) == together
    assert Log.open(path, "asked").of(1, dict) == together, "read, and not worked out again"
    assert Log.open(path, "another").of(2, dict.fromkeys(SHIFTS, PassRecord()).copy) == dict.fromkeys(
        SHIFTS, PassRecord()
    )
