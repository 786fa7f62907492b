"""The best and the worst case of days that were not seen, and that what happened lies between them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.bins import Codes
from features.case_bounds import case_bounds
from features.catalogue import INDEX
from features.compute import TrackingGaps, features
from tests.features.history import Click, HandIn, History
from tests.features.test_compute import RUN, START, gaps, histories, many, rows_of, work_of

DAY = START + 30
MORE_IS_BETTER = ("clicks_7", "active_days_7", "active_days_14", "active_days_28", "ewma_7", "points")
LESS_IS_BETTER = ("silence", "gap_28", "missed", "missed_last", "since_submission")
EVERYBODY = np.array([0])


def cases(history: History, unseen: list[int]) -> tuple[Codes, Codes]:
    bounds = case_bounds(
        rows_of([history], DAY), EVERYBODY, RUN, DAY, gaps(*unseen), work=work_of([history], DAY)
    )
    assert bounds is not None
    return bounds.best_and_worst(EVERYBODY)


def of(codes: Codes, name: str) -> int:
    return int(codes[INDEX[name], 0])


def test_where_all_was_seen_there_is_no_doubt() -> None:
    rows = rows_of([History()], DAY)
    for unseen in ([], [DAY - 29], [DAY]):
        assert case_bounds(rows, EVERYBODY, RUN, DAY, gaps(*unseen)) is None


@many
@given(history=histories, lasted=st.integers(1, 6), ended=st.integers(1, 10))
def test_what_was_seen_lies_between_the_cases(history: History, lasted: int, ended: int) -> None:
    """Silence, whatever the reason, is never less than in the best case nor more than in the worst."""
    unseen = list(range(DAY - ended - lasted, DAY - ended))
    best, worst = cases(history, unseen)
    raw = features(rows_of([history], DAY), EVERYBODY, RUN, DAY, work=work_of([history], DAY))
    assert (worst == raw).all(), "in the worst case they did nothing"
    for name in MORE_IS_BETTER:
        assert of(best, name) >= of(raw, name)
    for name in LESS_IS_BETTER:
        assert of(best, name) <= of(raw, name)


def test_in_the_best_case_they_were_there_as_on_their_ordinary_days() -> None:
    history = History([Click(DAY - 9, "quiz", 6, 120), Click(DAY - 8, "quiz", 3, 60)])
    best, worst = cases(history, [DAY - 3, DAY - 2])
    days = features(rows_of([History([*history.clicks, *ordinary()])], DAY), EVERYBODY, RUN, DAY)
    for name in ("silence", "active_days_28", "clicks_7", "quiz_7", "ewma_7", "gap_28", "minutes_7"):
        assert of(best, name) == of(days, name), name
    assert of(worst, "active_days_7") == 0


def ordinary() -> list[Click]:
    """Two days of their mean: four and a half clicks, rounded up, and a minute and a half."""
    return [Click(day, "quiz", 5, 90) for day in (DAY - 3, DAY - 2)]


def test_in_the_best_case_what_was_due_was_handed_in() -> None:
    history = History(hand_ins=[HandIn(START + 9, "a", 180)])
    best, worst = cases(history, [START + 24])
    assert of(best, "missed") == 0
    assert of(worst, "missed") == 32, "one of two"
    assert of(best, "points") == 57, "as good as the other work, .9"
    late, _ = cases(history, [START + 27])
    assert of(late, "missed") == 0, "b was due on day 25: handed in late"
    assert of(late, "late") > 0


def test_in_the_best_case_no_work_is_handed_in_where_another_kind_alone_went_unseen() -> None:
    history = History(hand_ins=[HandIn(START + 9, "a", 180)])
    forum_alone = TrackingGaps(np.array([START + 24]), np.empty(0, np.int64))
    work = work_of([history], DAY)
    bounds = case_bounds(rows_of([history], DAY), EVERYBODY, RUN, DAY, forum_alone, work=work)
    assert bounds is not None
    best, _ = bounds.best_and_worst(EVERYBODY)
    assert of(best, "missed") == 32, "one of two"
    assert of(best, "silence") < of(features(rows_of([history], DAY), EVERYBODY, RUN, DAY), "silence")


def test_nobody_else_sees_the_case() -> None:
    rows = rows_of([History([Click(DAY - 9, "quiz", 6, 120)])], DAY)
    before = rows.tobytes()
    bounds = case_bounds(rows, EVERYBODY, RUN, DAY, gaps(DAY - 3))
    assert bounds is not None
    first = bounds.best_and_worst(EVERYBODY)
    rows["clicks"][:] = 9
    again = bounds.best_and_worst(EVERYBODY)
    assert [codes.tobytes() for codes in first] == [codes.tobytes() for codes in again]
    rows["clicks"][:] = np.frombuffer(before, rows.dtype)["clicks"]
    assert rows.tobytes() == before
