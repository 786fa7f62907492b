"""Counts by name: what is written again replaces what was, and the number of names is bounded."""

from datetime import date

from sources.formats.translation import MAX_NAMES, OTHERS
from streams.ingest.counts import NameCounts

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)


def test_rows_hold_the_whole_count_so_far() -> None:
    counts = NameCounts("host:1")
    counts.add("edx", {("play_video", "translated"): 2, ("noise", "unknown"): 1}, MONDAY)
    counts.add("edx", {("play_video", "translated"): 3}, MONDAY)
    rows = counts.changed_rows()
    assert rows is not None
    assert list(zip(rows["name"], rows["fate"], rows["events"], strict=True)) == [
        ("noise", "unknown", 1),
        ("play_video", "translated", 5),
    ]
    counts.written()
    assert counts.changed_rows() is None
    counts.add("edx", {("play_video", "translated"): 1}, TUESDAY)
    rows = counts.changed_rows()
    assert rows is not None
    assert (rows["day"], rows["events"]) == ([TUESDAY], [1])


def test_names_beyond_the_bound_are_counted_together() -> None:
    counts = NameCounts("host:1")
    counts.add("edx", {(f"n{number}", "unknown"): 1 for number in range(MAX_NAMES + 50)}, MONDAY)
    rows = counts.changed_rows()
    assert rows is not None
    assert len(rows["name"]) == MAX_NAMES + 1
    assert rows["events"][rows["name"].index(OTHERS)] == 50
