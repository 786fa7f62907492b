"""The benchmark of drift: worlds that are one until they part, and a log to go on from."""

from dataclasses import replace
from pathlib import Path

from benchmarks.drift import APART, SHIFTS, START, Log, Pass, PassRecord, passes, plan
from sources.simulator import stream

WELL = replace(plan(2, 40, 1), shifts_on=START + APART)


def test_what_is_heard_is_that_of_whole_passes_and_is_kept(tmp_path: Path) -> None:
    together = passes(WELL)
    assert together["outcomes"] == Pass.begin().continued(stream(replace(WELL, shift="outcomes")))
    assert together[None] == Pass.begin().continued(stream(WELL))
    assert len({repr(sorted(together[shift].figures.items())) for shift in SHIFTS}) == 3, "they part"

    path = tmp_path / "log"
    assert Log.open(path, "asked").get_or_run(1, lambda: together) == together
    assert Log.open(path, "asked").get_or_run(1, dict) == together, "read, and not worked out again"
    assert Log.open(path, "another").get_or_run(2, dict.fromkeys(SHIFTS, PassRecord()).copy) == dict.fromkeys(
        SHIFTS, PassRecord()
    )
