"""A file for each finding: it is made where the fault is, and not where all is well."""

import ast
import inspect
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from evaluation.event_check import missing as missing_rules
from evaluation.event_check import people as people_rules
from evaluation.event_check import times as times_rules
from evaluation.event_check.counts import (
    CalendarFacts,
    ClockOffsets,
    EventCounts,
    Lateness,
    LearnerCounts,
    RefusalGroup,
    RepeatCounts,
    RunCounts,
)
from evaluation.event_check.finding import percent, some
from evaluation.event_check.findings import findings
from evaluation.event_check.missing import missing
from evaluation.event_check.people import (
    active_in_many_runs,
    busy_without_hand_in,
    never_sleeps,
    six_hours,
)
from evaluation.event_check.times import offset_hours, times, whole_hours
from tests.evaluation.event_check.samples import (
    NOW,
    RUN,
    Message,
    calendar,
    checked,
    click,
    fact,
    in_order,
    instant,
    whole_run,
    write,
)

Change = Callable[[list[Message]], list[Message]]
CLASS = [f"learner-{number}" for number in range(24)]


def named(path: Path) -> dict[str, str]:
    """The findings about a file, and whom each concerns."""
    return {finding.name: finding.about for finding in findings(checked(path))}


def without(kind: str) -> Change:
    return lambda messages: [message for message in messages if message["type"] != kind]


def with_calendar(message: Message) -> Change:
    return lambda messages: [message, *without("calendar")(messages)]


def each_activity(change: Callable[[int, Message], Message]) -> Change:
    return lambda messages: [
        change(number, message) if message["type"] == "activity" else message
        for number, message in enumerate(messages)
    ]


def strip(*names: str) -> Change:
    return each_activity(lambda _, message: {name: message[name] for name in message if name not in names})


def later(message: Message, hours: float) -> Message:
    moment = datetime.fromisoformat(message["occurred_at"]) + timedelta(hours=hours)
    return message | {"occurred_at": moment.isoformat()}


def plus(*messages: Message) -> Change:
    return lambda others: in_order([*others, *messages])


def as_records(offset_s: Callable[[int], float]) -> Change:
    """Whole records; the time of each is so many seconds after its event's."""
    return lambda messages: [
        {
            "key": message.get("learner"),
            "timestamp": int(
                1000 * (datetime.fromisoformat(message["occurred_at"]).timestamp() + offset_s(number))
            ),
            "value": message,
        }
        for number, message in enumerate(messages)
    ]


TUTOR = [
    click(day + 0.5, "tutor", course_run=f"course-{number}/2026")
    for number in range(12)
    for day in range(number, 60, 12)
]
EDITOR = [
    click(1 + number // 50 + (number % 50 / 5 + 8) / 24, "editor", object=f"o-{number}")
    for number in range(2_000)
]
MONITOR = [click(number / 24, "monitor") for number in range(24 * 20)]

CASES: dict[str, tuple[Change, str]] = {
    "no_activity": (without("activity"), "the sample"),
    "silent_runs": (
        lambda all_: [
            one | {"course_run": "Maths 2026"} if one["type"] == "enrolled" else one for one in all_
        ],
        "Maths 2026",
    ),
    "no_calendar": (without("calendar"), RUN),
    "no_end": (with_calendar(calendar("essay", ends=None)), RUN),
    "no_deadlines": (with_calendar(calendar()), RUN),
    "no_submissions": (lambda all_: [one for one in all_ if one.get("kind") != "submission"], RUN),
    "submissions_without_object": (strip("object"), RUN),
    "other_names_of_work": (with_calendar(calendar("Essay (final)")), RUN),
    "no_grades": (strip("score"), RUN),
    "no_enrolments": (without("enrolled"), RUN),
    "no_results": (without("completed"), RUN),
    "no_withdrawals": (without("withdrawn"), "the sample"),
    "kinds_other": (
        each_activity(lambda n, one: one | {"kind": "other"} if one["kind"] == "content" else one),
        "the sample",
    ),
    "active_not_enrolled": (
        plus(*(click(day + 0.5, "zoe") for day in range(9)), click(9.4, "yan")),
        "yan, zoe",
    ),
    "staff_by_runs": (plus(*TUTOR), "tutor"),
    "staff_by_volume": (plus(*EDITOR), "editor"),
    "bots": (plus(*MONITOR), "monitor"),
    "not_in_order": (
        lambda all_: sorted(all_, key=lambda one: (str(one.get("learner", "")), one["occurred_at"])),
        "the sample",
    ),
    "late": (lambda all_: [one for n, one in enumerate(all_) for one in _postponed(all_, n)], "the sample"),
    "whole_hours": (as_records(lambda n: n % 3 - 2 * 3600), "the sample"),
    "ahead": (as_records(lambda n: -1500 if n % 10 == 0 else 900 * (n % 3)), "the sample"),
    "fast_clock": (
        each_activity(lambda n, one: later(one, 0.4) | {"source": "app"} if n % 25 == 7 else one),
        "app",
    ),
    "nights": (each_activity(lambda _, one: later(one, 11)), "the sample"),
    "leap": (lambda all_: [*all_[:300], click(190), *all_[300:]], "sample.jsonl:301"),
    "dates_only": (
        each_activity(lambda _, one: one | {"occurred_at": one["occurred_at"][:10] + "T00:00:00Z"}),
        "the sample",
    ),
    "ids_reused": (
        each_activity(lambda n, one: one | {"event_id": f"click-{n % 40}"}),
        "the sample",
    ),
    "repeated": (lambda all_: [one for one in all_ for _ in range(2)], "the sample"),
    "copies": (
        lambda all_: [one | {"event_id": f"{one['event_id']}/{turn}"} for one in all_ for turn in range(2)],
        "the sample",
    ),
}


def _postponed(messages: list[Message], number: int) -> list[Message]:
    """Every twentieth message comes 60 places later, days after it."""
    due = [messages[number - 60]] if number % 20 == 0 and number >= 60 else []
    return [*([] if number % 20 == 0 else [messages[number]]), *due]


def test_of_a_whole_run_there_is_nothing_to_say(tmp_path: Path) -> None:
    for learners in (["ann", "bob", "cy", "eve"], CLASS):
        counts = checked(write(tmp_path / "whole.jsonl", whole_run(learners)))
        assert (counts.refused, counts.repeats) == (0, 0)
        assert findings(counts) == []


@pytest.mark.parametrize("name", CASES)
def test_a_file_with_one_fault_has_its_finding(name: str, tmp_path: Path) -> None:
    change, about = CASES[name]
    path = write(tmp_path / "sample.jsonl", change(whole_run(CLASS)))
    assert named(path).get(name, "").removeprefix(f"{tmp_path}/") == about


@pytest.mark.parametrize("name", ["no_end", "no_deadlines", "no_grades", "staff_by_volume", "bots", "nights"])
def test_a_fault_is_not_taken_for_another(name: str, tmp_path: Path) -> None:
    change, _ = CASES[name]
    found = named(write(tmp_path / "sample.jsonl", change(whole_run(CLASS)))).keys()
    also = {"no_end": set(), "bots": {"active_not_enrolled"}, "staff_by_volume": {"active_not_enrolled"}}
    assert found - also.get(name, set()) == {name}


def test_every_finding_has_a_case() -> None:
    names = {
        argument.value
        for module in (missing_rules, people_rules, times_rules)
        for call in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(call, ast.Call) and ast.unparse(call.func) in ("Finding", "_RunRule")
        for argument in call.args[:2]
        if isinstance(argument, ast.Constant) and argument.value not in ("missing", "look")
    }
    assert names == CASES.keys()


def test_who_says_a_role_is_no_finding_and_no_learner(tmp_path: Path) -> None:
    messages = [*whole_run(CLASS), *(one | {"role": "staff"} for one in TUTOR)]
    counts = checked(write(tmp_path / "roles.jsonl", in_order(messages)))
    assert counts.roles == {"staff": len(TUTOR)}
    assert "tutor" not in counts.learners
    assert findings(counts) == []
    registered = [
        fact("enrolled", -7, "tutor", role="staff", course_run=f"course-{number}/2026", event_id=f"e{number}")
        for number in range(12)
    ]
    counts = checked(write(tmp_path / "enrolled.jsonl", in_order([*whole_run(CLASS), *registered, *TUTOR])))
    assert "tutor" not in counts.learners


def test_a_run_that_is_not_over_needs_no_result() -> None:
    ends = CalendarFacts(0, 0, 1_000, frozenset({"essay"}))
    run = RunCounts(activities=9, submissions=1, scored=1, objects={"essay"}, calendar=ends)
    run.facts.update(enrolled=1)
    for last, names in ((999, []), (1_000, ["no_results"])):
        counts = EventCounts(last=last, runs={"c/r": run})
        counts.types.update(enrolled=1, withdrawn=1)
        assert [finding.name for finding in missing(counts)] == names


def test_a_run_that_has_not_begun_may_be_silent() -> None:
    run = RunCounts(calendar=CalendarFacts(0, 500, 1_000, frozenset({"essay"})))
    run.facts.update(enrolled=1)
    for last, is_found in ((499, False), (500, True)):
        counts = EventCounts(last=last, runs={"c/r": run, "other": RunCounts(activities=1)})
        assert ("silent_runs" in {finding.name for finding in missing(counts)}) is is_found


def test_runs_that_lack_the_same_are_one_finding() -> None:
    runs = {f"c/{number}": RunCounts(activities=1) for number in range(5)}
    first = missing(EventCounts(runs=runs))[0]
    assert (first.name, first.about) == ("no_calendar", "c/0, c/1, c/2 and 2 more")


def test_of_few_activities_times_say_nothing() -> None:
    repeats = RepeatCounts(events=99, repeated=99)
    assert times(EventCounts(lateness=Lateness(99, 99, 99), repeat_counts=repeats)) == []


def test_of_the_hours_of_machines_alone_nothing_is_said(tmp_path: Path) -> None:
    messages = [click(number / 24, f"job-{number}", actor="system") for number in range(200)]
    counts = checked(write(tmp_path / "jobs.jsonl", messages))
    assert counts.roles == {"system": 200}
    assert [finding.name for finding in findings(counts)] == ["no_activity"]


def test_local_hours_are_those_of_the_zone_that_most_registrations_name() -> None:
    """Activity from 14 to 4 o'clock UTC is a day in New York, and none in Berlin. Mars is in UTC."""
    hours = [0 if 4 <= hour < 14 else 40 for hour in range(24)]
    for zone, names in (("America/New_York", []), ("Europe/Berlin", ["nights"]), ("Mars/Base", [])):
        counts = EventCounts(lateness=Lateness(560), hours=hours, last=NOW)
        counts.timezones.update({zone: 9, "Asia/Tokyo": 2})
        assert [finding.name for finding in times(counts)] == names


@pytest.mark.parametrize(
    ("middle", "upper", "hours"),
    [(-1, 0, 0), (119, 120, 2), (-301, -300, -5), (-700, -300, 0), (100, 110, 0), (1500, 1500, 0)],
)
def test_an_offset_is_a_zone_s_if_steady_and_of_whole_hours(middle: int, upper: int, hours: int) -> None:
    assert whole_hours(middle, upper) == hours


def test_a_machine_is_active_at_all_hours() -> None:
    assert never_sleeps([10] * 24)
    assert not never_sleeps([8] * 24), "too few to tell"
    assert not never_sleeps([0] * 7 + [20] * 17)
    assert six_hours([0] * 3 + [5] * 18 + [0] * 3)[21] == 0, "around midnight"


def test_a_tutor_is_unusual_only_where_learners_have_few_runs() -> None:
    def learner(runs: int) -> LearnerCounts:
        return LearnerCounts(active={f"r{number}" for number in range(runs)}, hours=[1] * 24)

    few = {f"l{number}": learner(1) for number in range(30)}
    assert active_in_many_runs(few | {"tutor": learner(5)}) == ["tutor"]
    assert active_in_many_runs({f"l{number}": learner(4) for number in range(30)} | {"t": learner(9)}) == []


def test_who_is_busy_and_hands_in_is_a_learner() -> None:
    def learner(activities: int, submissions: int) -> LearnerCounts:
        return LearnerCounts(hours=[activities, *[0] * 23], submissions=submissions, active={"r"})

    others = {f"l{number}": learner(80 + number, 3) for number in range(30)}
    assert busy_without_hand_in(others | {"a": learner(9_000, 0), "b": learner(9_000, 1)}) == ["a"]
    nobody = {name: learner(one.activities, 0) for name, one in others.items()}
    assert busy_without_hand_in(nobody | {"a": learner(9_000, 0)}) == [], "where nobody hands in"


def test_words() -> None:
    assert some(["b", "a"]) == "a, b"
    assert some("edcba") == "a, b, c and 2 more"
    assert [percent(part, 10_000) for part in (0, 1, 50, 5_000, 10_000)] == [
        *("0 %", "less than 0.1 %", "0.5 %", "50 %", "100 %")
    ]
    assert offset_hours("Europe/Berlin", 1_770_000_000) == 1
    assert offset_hours("../etc/passwd", 1_770_000_000) == 0


def test_what_is_refused_is_grouped_with_places(tmp_path: Path) -> None:
    bad_due = {"assessment": "a", "due_at": "soon", "weight": 0.5}
    lines = [
        json.dumps(calendar() | {"deadlines": [bad_due, bad_due]}).encode(),
        *(json.dumps(click(day, kind="dance")).encode() for day in range(5)),
        b"\xff\xfe",
        json.dumps(click(5, mood="good", score=9)).encode(),
    ]
    counts = checked(write(tmp_path / "bad.jsonl", lines))
    assert counts.refusals.keys() == {("unknown_kind", "kind"), ("malformed", "value")}
    dances = counts.refusals["unknown_kind", "kind"]
    assert (dances.records, [place for place, _ in dances.examples]) == (
        5,
        [f"{tmp_path / 'bad.jsonl'}:{line}" for line in (2, 3, 4)],
    )
    assert counts.refused_fields["field", "deadlines.*.due_at"].records == 2
    assert isinstance(counts.refused_fields["field", "score"], RefusalGroup)
    assert counts.unknown == {"activity.mood": 1}
    assert (counts.records, counts.applied, counts.refused, counts.repeats) == (8, 2, 6, 0)
    assert counts.refused_share == 6 / 8


def test_offsets_are_those_of_records_with_a_timestamp(tmp_path: Path) -> None:
    counts = checked(write(tmp_path / "o.jsonl", as_records(lambda _: 600.0)(whole_run())))
    assert counts.offsets == ClockOffsets(316, 0, dict.fromkeys((0.1, 0.5, 0.9, 0.95, 0.99), -10))
    assert instant(0).endswith("+00:00")
