"""The processor's contract, call by call, and what it makes of single enrolments."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time
from itertools import pairwise
from typing import Any

import numpy as np
import orjson
import pytest

from engine.batch.admission import Timing
from engine.outputs import Outputs
from engine.processor import PartitionProcessor
from engine.rules import Rules
from engine.scoring.store_rows import WRITE_EVERY, WRITE_MOVED
from engine.state.partition_state import PartitionState
from features.catalogue import INDEX
from features.coursework import NO_DAY, cell_day
from features.packed_arrays import unpack
from nudges.policy import REACH_OUT, Cap, Policy, StudyTime
from nudges.quiet_hours import QuietHours
from online_models.labels import EXIT_DAYS, SILENCE_HORIZON
from online_models.trainer import Trainer
from online_models.warming import recency_prior
from schemas.activity import ACTIVITY_KINDS
from schemas.learning import DayPackage, TrainingExample
from schemas.nudge import Nudge, NudgeCancelled
from schemas.topics import FEEDBACK
from tests.streams.pipeline import IDENTITY, REPLAY, START, Record, activity, batch_of, record

DAY_S = 86_400
EAGER = Rules(
    timing=REPLAY.timing,
    levels=REPLAY.levels,
    policy=Policy(
        holdout_share=0.0,
        quiet_hours=None,
        study_time=None,
        nudge_while_warming_up=True,
        caps=(Cap(most=1, days=30),),
    ),
)


def instant(day: float) -> str:
    """A day of the run, from its start."""
    return datetime.fromtimestamp(round((START + day) * DAY_S), UTC).isoformat()


def calendar(run: str = "c/r", *, days: int = 60, at: float = -2, **more: Any) -> Record:
    message = {
        "type": "calendar",
        "event_id": f"{run}/calendar/{at}",
        "course": "c",
        "course_run": run,
        "occurred_at": instant(at),
        "starts_at": instant(0),
        "ends_at": instant(days),
        "deadlines": [],
    }
    return record(message | more)


def fact(kind: str, day: float, *, learner: str = "l", run: str = "c/r", **more: Any) -> Record:
    name = f"{run}/{kind}/{learner}/{day}"
    message = {"type": kind, "event_id": name, "learner": learner, "course_run": run}
    return record(message | {"occurred_at": instant(day)} | more)


def click(day: float, **more: Any) -> Record:
    return record(activity(f"click/{day}/{sorted(more.items())}", instant(day), **more))


def tick(day: float) -> Record:
    return record({"type": "tick", "occurred_at": instant(day)})


def ticks(until: int, since: int = 0) -> list[Record]:
    return [tick(day) for day in range(since, until + 1)]


@dataclass
class Bench:
    """A processor with its trainer, fed record by record; everything said is kept."""

    rules: Rules = REPLAY
    outputs: Outputs = field(default_factory=Outputs)
    examples: list[TrainingExample] = field(default_factory=list)
    risk: dict[int, float] = field(default_factory=dict)
    offset: int = 0
    policy: dict[str, Any] | None = None
    """That the next packages carry."""
    packages: list[DayPackage] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.processor = PartitionProcessor(0, self.rules, PartitionState(IDENTITY))
        self.trainer = Trainer(1)

    def feed(self, records: Iterable[Record]) -> "Bench":
        batch = list(records)
        self.outputs.extend(self.processor.apply(batch_of(batch, self.offset)))
        self.offset += len(batch)
        while (day := self.processor.due) is not None:
            self.outputs.extend(self.processor.advance(self.close()))
            for scored in self.processor.scored:
                self.risk[day + 1 - START] = float(scored.probability[0])
        return self

    def close(self) -> DayPackage:
        packages: list[DayPackage] = []
        for report in self.processor.close():
            self.examples += report.examples
            packages += self.trainer.receive(report)
        self.packages.append(packages[0].model_copy(update={"policy": self.policy}))
        return self.packages[-1]

    def send_feedback(self, *messages: dict[str, Any]) -> None:
        common = {"learner": "l", "occurred_at": instant(0)}
        records = [
            record(common | {"event_id": f"f{index}"} | message) for index, message in enumerate(messages)
        ]
        first = self.processor.applied(FEEDBACK.name) + 1
        self.outputs.extend(self.processor.apply_feedback(batch_of(records, first, topic=FEEDBACK.name)))

    def rows(self, table: str) -> list[dict[str, Any]]:
        columns = self.outputs.rows.get(table, {})
        return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


# -- the contract ------------------------------------------------------------------------------------


def test_steps_out_of_turn_are_refused() -> None:
    bench = Bench()
    with pytest.raises(RuntimeError, match="no day is due"):
        bench.processor.close()
    bench.processor.apply(batch_of([calendar(), fact("enrolled", -1), tick(0), tick(1)]))
    package = bench.close()
    assert bench.processor.closing
    with pytest.raises(RuntimeError, match="advance first"):
        list(bench.processor.checkpoint(1))
    bench.processor.advance(package)
    with pytest.raises(RuntimeError, match="close the day before advancing"):
        bench.processor.advance(package)
    assert list(bench.processor.checkpoint(1))


def test_a_closed_day_keeps_its_report_and_is_not_closed_again() -> None:
    bench = Bench().feed([calendar(), fact("enrolled", -1), click(1)])
    bench.processor.apply(batch_of([tick(4)], bench.offset))
    day = bench.processor.due
    report = bench.processor.close()
    assert (bench.processor.closing, bench.processor.report) == (day, report)
    with pytest.raises(RuntimeError, match="no day is due"):
        bench.processor.close()


def test_while_a_day_is_due_nothing_is_applied() -> None:
    bench = Bench()
    processor = bench.processor
    processor.apply(batch_of([calendar(), click(0.1), tick(3), click(3.1)]))
    assert (processor.due, processor.applied("homeroom.events"), processor.pending) == (START - 3, 0, 3)
    processor.apply(batch_of([click(3.2)], 4))
    assert (processor.applied("homeroom.events"), processor.pending) == (0, 4)
    while processor.due is not None:
        processor.advance(bench.close())
    assert (processor.applied("homeroom.events"), processor.pending) == (4, 0)
    assert processor.watermark == round((START + 3.2) * DAY_S) - REPLAY.timing.lateness


def test_records_taken_in_before_are_not_taken_in_again() -> None:
    bench = Bench().feed([calendar(), click(0.1), click(0.2)])
    state = bench.processor.state
    bench.processor.apply(batch_of([calendar(), click(0.1), click(0.2)]))
    assert (state.clock.events, state.clock.duplicates) == (3, 0)
    bench.feed([click(0.1)])
    assert (state.clock.events, state.clock.duplicates) == (3, 1)


def test_live_the_wall_clock_closes_days_when_nothing_comes() -> None:
    processor = Bench().processor
    processor.advance_clock(START * DAY_S)
    assert (processor.due, processor.state.clock.today) == (None, START - 1)
    processor.advance_clock((START + 1) * DAY_S)
    assert processor.due == START - 1


# -- scoring -----------------------------------------------------------------------------------------


def test_before_a_model_there_is_the_recency_prior_and_it_says_so() -> None:
    bench = Bench().feed([calendar(), fact("enrolled", -1), click(1), *ticks(40)])
    assert bench.risk[5] == pytest.approx(recency_prior(3, 5 / 60), abs=0.02)
    assert {row["model_state"] for row in bench.rows("risk_history")} == {"warming_up"}
    assert all(bench.risk[day] >= bench.risk[day - 1] - 0.02 for day in range(10, 40)), "silence is re-scored"
    assert sorted(bench.risk) == list(range(1, 40)), "every day of the run, the silent ones too"


def test_a_level_moves_after_its_days_in_a_row_and_once() -> None:
    bench = Bench().feed([calendar(), fact("enrolled", -1), click(1), *ticks(59)])
    levels = REPLAY.levels
    (*_, high) = [change for change in bench.outputs.risk_changes if change.level == "high"]
    first = min(day for day, risk in bench.risk.items() if risk >= levels.high_enter)
    assert high.day - START == first + levels.confirm_days - 1
    assert [change.level for change in bench.outputs.risk_changes] in (["medium", "high"], ["high"])
    assert high.previous_level != "high"
    assert high.reasons[0].feature == "silence"


def test_a_change_tells_all_parts_of_it_and_how_soon_the_learner_may_leave() -> None:
    bench = Bench().feed([calendar(), fact("enrolled", -1), click(1), *ticks(59)])
    assert bench.outputs.risk_changes
    for change in bench.outputs.risk_changes:
        odds = [math.log(p / (1 - p)) for p in (change.previous_probability, change.probability)]
        assert sum(change.parts.values()) == pytest.approx(odds[1] - odds[0], abs=1e-5)
        assert 0 < change.exit_probability < 0.1
    assert all(row["exit_probability"] > 0 for row in bench.rows("risk_history"))


def test_a_level_that_rises_while_the_estimate_falls_is_said_to_be_confirmed() -> None:
    """Who never comes begins beyond the bound, and the level waits for more such days."""
    bench = Bench().feed([calendar(days=260), fact("enrolled", -1), *ticks(30)])
    change = bench.outputs.risk_changes[0]
    assert (change.previous_level, change.level) == ("low", "medium")
    assert change.probability < change.previous_probability
    assert change.reasons[0].feature == "confirmed"
    assert sum(change.parts.values()) == pytest.approx(
        math.log(change.probability / (1 - change.probability))
        - math.log(change.previous_probability / (1 - change.previous_probability)),
        abs=1e-5,
    )


def test_history_is_written_when_it_moved_and_every_week() -> None:
    bench = Bench().feed([calendar(), fact("enrolled", -1), *(click(day + 0.5) for day in range(60))])
    bench.feed(ticks(62, 60))
    written = bench.rows("risk_history")
    for row, later in pairwise(written):
        gap = (later["day"] - row["day"]).days
        moved = abs(later["probability"] - row["probability"]) >= WRITE_MOVED
        assert gap == WRITE_EVERY or moved or later["level"] != row["level"]
        assert gap <= WRITE_EVERY
    assert len(written) < 20, "not every day"


def test_a_late_event_inside_the_ring_counts_and_one_beyond_is_a_letter() -> None:
    bench = Bench().feed([calendar(), fact("enrolled", -1), *ticks(40)])
    before = bench.risk[39]
    bench.feed([click(30), click(2, object="old"), tick(41)])
    assert bench.risk[40] < before
    (letter,) = bench.outputs.dead_letters
    assert (letter.reason, letter.field) == ("too_late", "occurred_at")
    scored = bench.processor.scored[0].cohort
    assert scored.codes[INDEX["clicks_14"], 0] > 0


def test_who_left_is_no_longer_scored() -> None:
    bench = Bench().feed(
        [calendar(), fact("enrolled", -1), *ticks(9), fact("withdrawn", 9.2), *ticks(15, 10)]
    )
    assert max(bench.risk) == 9


# -- calendars ---------------------------------------------------------------------------------------


def due(*names: str) -> list[dict[str, Any]]:
    return [
        {"assessment": name, "due_at": instant(10 * index + 10), "weight": 0.5}
        for index, name in enumerate(names)
    ]


def test_a_newer_calendar_keeps_hand_ins_and_an_older_one_changes_nothing() -> None:
    bench = Bench().feed([calendar(deadlines=due("a", "b")), fact("enrolled", -1)])
    bench.feed([click(8, kind="submission", object="b", score=0.5), *ticks(10, 8)])
    bench.feed([calendar(at=10.5, deadlines=due("b", "a")), calendar(at=-3, deadlines=[]), *ticks(14, 11)])
    state = bench.processor.state
    assert state.runs[0].assessments == ("b", "a")
    cells = state.gradebook.cells(0, np.array([0]), 2)[0]
    assert cells["day"].tolist() == [cell_day(START + 8), NO_DAY]
    assert cells["last"].tolist() == [100, 255]


# -- nudges ------------------------------------------------------------------------------------------


def two_courses() -> list[Record]:
    """A learner who falls silent in two runs."""
    records = [calendar("c/r"), calendar("c/s", at=-1.9)]
    records += [fact("enrolled", -1, run="c/r"), fact("enrolled", -1, run="c/s")]
    return [*records, click(1, course_run="c/r"), click(5, course_run="c/s"), *ticks(1), *ticks(58, 2)]


def reasons(bench: Bench) -> list[str]:
    return [decision.reason for decision in bench.outputs.decisions if decision.reason != "level_not_nudged"]


def test_the_cap_holds_across_the_courses_of_a_learner() -> None:
    bench = Bench(EAGER).feed(sorted_by_time(two_courses()))
    assert reasons(bench) == ["sent", "cap_reached"]
    assert len(bench.outputs.nudges) == 1
    assert bench.rows("nudge_ledger")[0]["learner"] == IDENTITY.learner("l")


def sorted_by_time(records: list[Record]) -> list[Record]:
    return sorted(records, key=lambda record: datetime.fromisoformat(orjson.loads(record[1])["occurred_at"]))


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([{"type": "preferences", "opted_out": ["email"]}], "opted_out"),
        ([{"type": "preferences", "opted_out": ["sms"]}], "sent"),
        ([{"type": "preferences", "paused_until": instant(300)}], "paused"),
        ([{"type": "preferences", "paused_until": instant(3)}], "sent"),
        ([{"type": "feedback", "kind": "unsubscribed"}], "opted_out"),
        ([{"type": "feedback", "kind": "unsubscribed", "channel": "sms"}], "sent"),
        ([{"type": "feedback", "kind": "opened"}], "sent"),
        ([{"type": "feedback", "kind": "sent", "occurred_at": instant(40)}], "cap_reached"),
        (
            [
                {"type": "preferences", "opted_out": ["email"]},
                {"type": "preferences", "opted_out": [], "occurred_at": instant(-5)},
            ],
            "opted_out",  # the older one came later
        ),
        (
            [
                {"type": "preferences", "opted_out": ["email"]},
                {"type": "preferences", "opted_out": [], "occurred_at": instant(5)},
            ],
            "opted_out",  # nobody says that the learner wants it
        ),
        (
            [
                {"type": "preferences", "opted_out": ["email"]},
                {
                    "type": "preferences",
                    "opted_out": [],
                    "occurred_at": instant(5),
                    "said_by": "admin",
                    "reason": "asked by telephone",
                },
            ],
            "sent",
        ),
    ],
)
def test_learners_are_heard(messages: list[dict[str, Any]], expected: str) -> None:
    bench = Bench(EAGER)
    bench.send_feedback(*messages)
    bench.feed([calendar(), fact("enrolled", -1), click(1), *ticks(58)])
    assert reasons(bench) == [expected]


def test_a_wish_takes_back_what_is_not_sent_yet() -> None:
    """The night begins as the day is decided on, so the nudge waits for the next one."""
    night = Policy(
        holdout_share=0.0,
        study_time=None,
        nudge_while_warming_up=True,
        quiet_hours=QuietHours(start=time(6), end=time(5)),
    )
    bench = Bench(replace(EAGER, policy=night))
    bench.feed([calendar(), fact("enrolled", -1), click(1)])
    day = 2
    while not bench.outputs.nudges:
        bench.feed([tick(day)])
        day += 1
    (nudge,) = bench.outputs.nudges
    bench.send_feedback({"type": "preferences", "opted_out": ["email"], "occurred_at": instant(day - 1)})
    _, cancelled = bench.outputs.nudges
    assert isinstance(cancelled, NudgeCancelled)
    assert (cancelled.nudge_id, cancelled.reason) == (nudge.nudge_id, "opted_out")
    assert bench.rows("nudge_ledger")[-1]["decision"] == "cancel"


def test_a_nudge_is_kept_in_the_state_until_it_has_been_sent() -> None:
    bench = Bench(EAGER).feed([calendar(), fact("enrolled", -1), click(1), *ticks(58)])
    (nudge,) = bench.outputs.nudges
    state = bench.processor.state
    rows: dict[bytes, bytes | None] = dict(bench.processor.checkpoint(1))
    stored = [(key, value) for key, value in rows.items() if value is not None]
    restored = PartitionState.restore(IDENTITY, stored)
    assert restored.outbox == {f"nudge:{nudge.nudge_id}": ["l", nudge.model_dump_json()]} == state.outbox
    state.remove_from_outbox(list(state.outbox))
    rows |= dict(bench.processor.checkpoint(1))
    stored = [(key, value) for key, value in rows.items() if value is not None]
    assert PartitionState.restore(IDENTITY, stored).outbox == {}


def test_the_policy_of_the_package_decides_from_its_day_on_and_is_kept() -> None:
    other = Policy(name="other", holdout_share=1.0, nudge_while_warming_up=True)
    bench = Bench(EAGER)
    bench.feed([calendar(), fact("enrolled", -1), click(1)])
    bench.policy = other.model_dump(mode="json")
    bench.feed([tick(2), tick(3)])
    rows = {key: value for key, value in bench.processor.checkpoint(1) if value is not None}
    bench.policy = None
    bench.processor = PartitionProcessor(0, EAGER, PartitionState.restore(IDENTITY, rows.items()))
    assert bench.processor.state.policy == other.model_dump(mode="json")
    bench.policy = other.model_dump(mode="json")
    bench.feed(ticks(58, 4))
    assert reasons(bench) == ["holdout"]
    assert {decision.policy_version for decision in bench.outputs.decisions} == {other.version}


def test_a_nudge_waits_for_the_learners_hour() -> None:
    """Always at seven in the evening; the day is decided on at six in the morning."""
    campaign = REACH_OUT.model_copy(update={"transitions": (("low", "medium"), ("low", "high"))})
    policy = EAGER.policy.model_copy(
        update={"study_time": StudyTime(within_hours=24), "campaigns": (campaign,)}
    )
    evenings = [click(day + 19 / 24) for day in range(10, 25)]
    bench = Bench(replace(EAGER, policy=policy)).feed([calendar(), fact("enrolled", 9), *evenings])
    bench.feed(ticks(50, 26))
    (nudge,) = bench.outputs.nudges
    assert isinstance(nudge, Nudge)
    assert (nudge.send_at.hour, reasons(bench)) == (19, ["study_time"])


def test_the_cohorts_hours_travel_in_the_package() -> None:
    bench = Bench().feed([calendar(), fact("enrolled", -1), click(1.5), click(1.5, object="again")])
    bench.feed(ticks(4, 2))
    hours = unpack(bench.packages[-1].hours["c/r"])
    assert np.flatnonzero(hours).tolist() == [((START + 1 + 3) % 7) * 24 + 12]
    assert hours.sum() == 1


def test_what_learners_did_together_on_the_day_is_in_its_report() -> None:
    """Of the day that closed alone, whatever of the next one was there before it did."""
    records = [calendar(), *(fact("enrolled", -1, learner=name) for name in "ab")]
    bench = Bench().feed([*sorted_by_time(records), *ticks(5), tick(5.3)])
    bench.processor.apply(
        batch_of(
            [
                click(5.4, learner="a", kind="home"),
                click(5.4, learner="a", kind="content"),
                click(5.5, learner="b", kind="content"),
                click(6.1, learner="b", kind="home"),
                tick(7),
            ],
            bench.offset,
        )
    )
    assert bench.processor.due == START + 5
    (report,) = bench.processor.close()
    others, both = unpack(report.together["c/r"])
    home, content = (ACTIVITY_KINDS.index(kind) for kind in ("home", "content"))
    assert (others[home], both[home]) == (2, 1)
    assert (others[content], both[content]) == (1, 1)


def test_who_left_gets_nothing_more_and_it_is_written_down() -> None:
    late = Policy(
        holdout_share=0.0,
        study_time=None,
        nudge_while_warming_up=True,
        quiet_hours=QuietHours(start=time(6), end=time(5)),
    )
    bench = Bench(replace(EAGER, policy=late))
    bench.feed([calendar(), fact("enrolled", -1), click(1)])
    day = 2
    while not bench.outputs.nudges:
        bench.feed([tick(day)])
        day += 1
    planned = bench.processor.state.learners["l"]["sendings"][0][0]
    bench.processor.state.learners["l"]["sendings"][0][0] = planned + 5 * DAY_S  # as a digest would be
    bench.feed([fact("withdrawn", day - 0.9), *ticks(day + 2, day)])
    assert [decision.reason for decision in bench.outputs.decisions if decision.decision == "cancel"] == [
        "run_over"
    ]
    assert [row["fact"] for row in bench.rows("learner_facts")] == ["enrolled", "withdrawn"]


@pytest.mark.parametrize(
    ("preferences", "reason"),
    [
        ({"suppressed": True, "occurred_at": instant(-1)}, "suppressed"),  # read before any event
        ({"suppressed": True, "occurred_at": instant(2_000)}, "sent"),
        ({"suppressed": False, "occurred_at": instant(2_000)}, "suppressed"),
    ],
)
def test_in_a_replay_a_wish_counts_from_its_own_time_on(preferences: dict[str, Any], reason: str) -> None:
    bench = Bench(EAGER)
    if not preferences["suppressed"]:
        bench.send_feedback({"type": "preferences", "suppressed": True, "event_id": "first"})
    bench.send_feedback({"type": "preferences"} | preferences)
    clicks = [click(day + 0.5) for day in range(10)]
    bench.feed(sorted_by_time([calendar(), fact("enrolled", -1), *clicks, *ticks(60)]))
    answered = [row.reason for row in bench.outputs.decisions if row.reason != "level_not_nudged"]
    assert answered[0] == reason


def test_what_happened_to_learners_is_written_down_under_pseudonyms() -> None:
    bench = Bench().feed(
        [calendar(), fact("enrolled", -1), click(1), *ticks(14, 2), click(14.5), click(15.5)]
    )
    bench.feed(ticks(18, 16))
    bench.send_feedback(
        {"type": "preferences", "opted_out": ["sms"], "paused_until": instant(30)},
        {"type": "feedback", "kind": "opened", "nudge_id": "n", "channel": "email"},
        {
            "type": "feedback",
            "kind": "undelivered",
            "nudge_id": "m",
            "channel": "sms",
            "reason": "no_address",
        },
    )
    rows = bench.rows("learner_facts")
    assert [row["fact"] for row in rows] == ["enrolled", "returned", "preferences", "opened", "undelivered"]
    assert {row["learner"] for row in rows} == {IDENTITY.learner("l")}
    assert rows[1]["at"] == (START + 14) * DAY_S
    assert orjson.loads(rows[2]["detail"])["opted_out"] == ["sms"]
    assert (rows[3]["nudge_id"], rows[3]["detail"]) == ("n", "email")
    assert (rows[4]["nudge_id"], rows[4]["detail"]) == ("m", "sms: no_address")
    assert len({row["fact_id"] for row in rows}) == 5
    assert not any(row["fact_id"] == "l" or "/" in row["fact_id"] for row in rows)


@pytest.mark.parametrize(
    ("done", "expected"), [([], "quiz-2"), (["quiz-2"], "video-3"), (["quiz-2", "video-3"], None)]
)
def test_a_nudge_suggests_what_those_who_came_back_did_and_nothing_done(
    done: list[str], expected: str | None
) -> None:
    """Learner l stops at page-1 for good, as three others had who came back, two of them to the quiz."""
    others = [
        step
        for number, item in enumerate(("quiz-2", "quiz-2", "video-3"))
        for step in (
            click(1, learner=f"other-{number}", object="page-1"),
            click(3, learner=f"other-{number}", object=item),
            *(click(day + 0.5, learner=f"other-{number}") for day in range(4, 58)),
        )
    ]
    own = [fact("enrolled", -1), *(click(0.1, object=item) for item in done), click(1, object="page-1")]
    bench = Bench(EAGER).feed(sorted_by_time([calendar(), *own, *others, *ticks(58)]))
    suggested = [
        nudge.suggestion
        for nudge in bench.outputs.nudges
        if isinstance(nudge, Nudge) and nudge.learner == "l"
    ]
    assert suggested == [expected]


def test_bad_feedback_is_a_dead_letter_once() -> None:
    bench = Bench()
    batch = batch_of([(b"l", b"?")], topic=FEEDBACK.name)
    assert [letter.reason for letter in bench.processor.apply_feedback(batch).dead_letters] == ["malformed"]
    assert not bench.processor.apply_feedback(batch)


@pytest.mark.parametrize("clock", ["live", "replay"])
def test_feedback_of_the_future_does_not_count_where_a_clock_can_tell(clock: Any) -> None:
    """It would stand for a message sent until its time has come, and block every nudge before it."""
    bench = Bench(Rules(timing=Timing(clock=clock)))
    sent = {"type": "feedback", "kind": "sent", "event_id": "f", "learner": "l", "occurred_at": instant(900)}
    batch = batch_of([record(sent)], topic=FEEDBACK.name, at=START * DAY_S)
    outputs = bench.processor.apply_feedback(batch)
    assert [(letter.reason, letter.field) for letter in outputs.dead_letters] == (
        [("future", "occurred_at")] if clock == "live" else []
    )
    assert bool(bench.processor.state.learners) == (clock == "replay")
    assert not bench.processor.apply_feedback(batch)


# -- maturing ----------------------------------------------------------------------------------------


def whole_run(*ends: Record, last_click: float = 5, days: int = 30) -> Bench:
    records = [calendar(days=days), fact("enrolled", -1), click(1), click(last_click), *ends]
    return Bench().feed(sorted_by_time([*records, *ticks(days + SILENCE_HORIZON + 5)]))


@pytest.mark.parametrize(
    ("end", "lost", "matured"),
    [
        (fact("completed", 30.5, result="pass"), False, 30),
        (fact("completed", 33.5, result="fail"), True, 33),
        (fact("withdrawn", 20.5), True, 30),
    ],
)
def test_examples_wait_for_the_end_of_the_run_and_are_given_once(
    end: Record, lost: bool, matured: int
) -> None:
    bench = whole_run(end)
    assert bench.examples
    assert {example.label for example in bench.examples} == {lost}
    assert {example.matured - START for example in bench.examples} == {matured}
    days = [example.day for example in bench.examples]
    assert len(set(days)) == len(days)
    assert all((example.day - days[0]) % 7 == 0 and example.weight == 1 for example in bench.examples)
    assert not any(example.served for example in bench.examples)


@pytest.mark.parametrize(
    ("end", "last_click", "left"),
    [
        (fact("withdrawn", 20.5), 5, 20),
        (fact("completed", 70.5, result="fail"), 5, 6),  # silent from day 6 on
        (fact("completed", 70.5, result="fail"), 60, None),
        (fact("completed", 70.5, result="pass"), 5, None),
    ],
)
def test_an_example_knows_whether_the_learner_left_within_three_weeks(
    end: Record, last_click: float, left: int | None
) -> None:
    bench = whole_run(end, last_click=last_click, days=70)
    for example in bench.examples:
        assert example.exits == (left is not None and 0 <= START + left - example.day < EXIT_DAYS)
    assert any(example.exits for example in bench.examples) == (left is not None)


def test_more_snapshots_than_are_kept_weigh_as_many_as_there_were() -> None:
    bench = whole_run(fact("completed", 70.5, result="pass"), days=70)
    assert len(bench.examples) == 6
    assert sum(example.weight for example in bench.examples) == pytest.approx(10)


@pytest.mark.parametrize(("last_click", "labels"), [(1.5, {True}), (15, set())])
def test_where_no_result_comes_silence_decides(last_click: float, labels: set[bool]) -> None:
    bench = whole_run(last_click=last_click)
    assert {example.label for example in bench.examples} == labels
    assert {example.matured - START for example in bench.examples} <= {30 + SILENCE_HORIZON}


def test_a_run_is_let_go_after_the_horizon() -> None:
    bench = whole_run(fact("completed", 30.5, result="pass"))
    assert bench.processor.state.slots == {}
    assert len(bench.processor.state.used_slots()) == 0


def test_a_report_tells_its_examples_in_an_order_of_their_own() -> None:
    """Whatever places the enrolments have: parts said before a crash must fit those said after it."""
    learners = ["a", "b", "c", "d", "e"]
    records = [calendar(days=30)]
    for learner in learners:
        records += [fact("enrolled", -1, learner=learner), fact("withdrawn", 20, learner=learner)]
    bench = Bench().feed(sorted_by_time([*records, *ticks(35)]))
    reported = [(example.enrolment, example.day) for example in bench.examples]
    assert {name for name, _ in reported} == {IDENTITY.enrolment(learner, "c/r") for learner in learners}
    assert reported == sorted(reported)
