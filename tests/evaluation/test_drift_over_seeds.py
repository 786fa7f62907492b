"""The benchmark of drift: worlds that are one until they part, and a log to go on from."""

from dataclasses import replace
from pathlib import Path

from benchmarks.drift import APART, SHIFTS, START, Heard, Log, Pass, passes, plan
from sources.simulator import stream

WELL = replace(plan(2, 40, 1), shifts_on=START + APART)


def test_what_is_heard_is_that_of_whole_passes_and_is_kept(tmp_path: Path) -> None:
    together = passes(WELL)
    assert together["outcomes"] == Pass.begin().go_on(stream(replace(WELL, shift="outcomes")))
    assert together[None] == Pass.begin().go_on(stream(WELL))
    assert len({repr(sorted(together[shift].figures.items())) for shift in SHIFTS}) == 3, "they part"

    path = tmp_path / "log"
    assert Log.open(path, "asked").of(1, lambda: together) == together
    assert Log.open(path, "asked").of(1, dict) == together, "read, and not worked out again"
    assert Log.open(path, "another").of(2, dict.fromkeys(SHIFTS, Heard()).copy) == dict.fromkeys(
        SHIFTS, Heard()
    )
