"""A simulated term under a strict policy: learners' risk changes, and messages about them as they arrive."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any
from zoneinfo import available_timezones

from nudges.choosing import Situation
from nudges.ledger import nudge_id_of
from nudges.policy import REACH_OUT, Campaign, Cap, Policy
from nudges.timing import WEEK_H, Habit
from schemas.learner import Channel
from schemas.risk import Reason, RiskChange, RiskLevel
from schemas.zones import MACHINE_ZONES

DAY, HOUR = 86_400, 3600
LATENESS = 6 * HOUR

START = int(datetime(2026, 2, 1, tzinfo=UTC).timestamp())
"""Both changes of daylight saving time lie in the term, in both hemispheres."""
DAYS = 300
ZONES = sorted(available_timezones() - MACHINE_ZONES)

CHANNELS: tuple[Channel, ...] = ("email", "push", "sms")

LEVELS: tuple[RiskLevel, ...] = ("low", "medium", "high")

CAMPAIGN = REACH_OUT.model_dump()

POLICY = Policy(
    name="strict",
    campaigns=(
        Campaign.model_validate(
            CAMPAIGN
            | {"name": "asked", "reasons": ["score"], "approval": "instructor", "channels": ["push", "email"]}
        ),
        Campaign.model_validate(
            CAMPAIGN
            | {
                "transitions": [("low", "medium"), ("low", "high"), ("medium", "high")],
                "channels": CHANNELS,
            }
        ),
    ),
    caps=(
        Cap(most=2, days=7),
        Cap(most=4, days=28),
        Cap(most=1, days=5, channel="sms"),
        Cap(most=2, days=20, campaign="asked"),
    ),
)
"""Looser than the default, so that messages come close enough together for the caps to matter."""

REASONS = [
    [Reason(feature=feature, text="why", contribution=1.0)]
    for feature in ("score_mean", "silence", "missed_last", "clicks_7")
]

CHANGE_TEMPLATE = RiskChange(
    risk_change_id="one",
    learner="somebody",
    course_run="course-0/1",
    occurred_at=datetime.fromtimestamp(START, UTC),
    day=START // DAY,
    previous_level="low",
    level="high",
    reasons=REASONS[0],
    probability=0.9,
    previous_probability=0.5,
    exit_probability=0.1,
    parts={},
    model_state="serving",
    model_version="m",
)
"""The fields that all changes share."""

Message = dict[str, Any]

Arrival = tuple[int, Message]
"""Time of arrival, and content."""


@dataclass
class LearnerLogs:
    """One learner's logs: risk changes in event time, and messages in order of arrival."""

    name: str
    changes: list[tuple[int, RiskChange, Situation]]
    messages: list[Arrival]


def make_learner_logs(name: str, rng: Random) -> LearnerLogs:
    """The logs of a learner in one to four courses, for the length of the term."""
    habit = Habit([rng.randrange(9) * rng.randrange(2) for _ in range(WEEK_H)] if rng.random() < 0.7 else [])
    changes = [
        change
        for number in range(rng.randint(1, 4))
        for change in _changes(name, f"course-{number}/1", habit, rng)
    ]
    changes.sort(key=lambda change: change[0])
    return LearnerLogs(name, changes, _messages(name, changes, rng))


def _changes(
    name: str, course_run: str, habit: Habit, rng: Random
) -> Iterator[tuple[int, RiskChange, Situation]]:
    day, level = START // DAY + rng.randrange(20), 0
    last = START // DAY + DAYS
    while day < last:
        target = rng.choice([other for other in range(3) if other != level])
        timestamp = day * DAY
        update = {
            "risk_change_id": f"{name}|{course_run}|{day}",
            "learner": name,
            "course_run": course_run,
            "occurred_at": datetime.fromtimestamp(timestamp, UTC),
            "day": day,
            "previous_level": LEVELS[level],
            "level": LEVELS[target],
            "reasons": rng.choice(REASONS),
        }
        change = CHANGE_TEMPLATE.model_copy(update=update)
        yield timestamp + LATENESS, change, Situation(rng.random() < 0.98, None, habit)
        level = target
        day += 1 + int(rng.expovariate(1 / 4))


def _messages(name: str, changes: list[tuple[int, RiskChange, Situation]], rng: Random) -> list[Arrival]:
    """Preferences, feedback and answers, which arrive later than their event time, some of them twice."""
    contents = [(START - DAY, {"type": "preferences", "timezone": rng.choice(ZONES)})]
    for _ in range(rng.randrange(16)):
        timestamp = START + rng.randrange(DAYS * DAY)
        contents.append((timestamp, _preferences(timestamp, rng) if rng.random() < 0.6 else _feedback(rng)))
    for timestamp, change, _ in changes:
        if change.level != "low" and change.reasons[0].feature == "score_mean" and rng.random() < 0.7:
            contents.append((timestamp + rng.randrange(60 * HOUR), _answer(change, rng)))
    arrivals: list[Arrival] = []
    for number, (timestamp, content) in enumerate(contents):
        event = {
            "learner": name,
            "event_id": f"{number:04}",
            "occurred_at": datetime.fromtimestamp(timestamp, UTC),
        }
        late = 0.0 if number == 0 else rng.expovariate(1 / (8 * HOUR))
        copies = 1 + (rng.random() < 0.3)
        arrivals += [(timestamp + int(late * (1 + copy)), content | event) for copy in range(copies)]
    return sorted(arrivals, key=lambda arrival: arrival[0])


def _answer(change: RiskChange, rng: Random) -> Message:
    """An instructor's answer, whether anything was proposed or not."""
    nudge_id = nudge_id_of(POLICY, change.risk_change_id)
    kind = rng.choice(["approved", "approved", "declined"])
    return {"type": "feedback", "kind": kind, "nudge_id": nudge_id}


def _preferences(timestamp: int, rng: Random) -> Message:
    choices: list[Message] = [
        {"opted_out": rng.sample(CHANNELS, rng.randrange(3))},
        {"paused_until": datetime.fromtimestamp(timestamp + rng.randrange(20 * DAY), UTC)},
        {"paused_until": None},
        {"suppressed": rng.random() < 0.3},
        {"digest": rng.random() < 0.4},
        {"timezone": rng.choice(ZONES)},
    ]
    said_by = rng.choice(["learner", "learner", "instructor", "admin"])
    author = {"said_by": said_by, "reason": rng.choice(["", "asked by telephone"])}
    return {"type": "preferences"} | rng.choice(choices) | author


def _feedback(rng: Random) -> Message:
    kind = rng.choice(["sent", "sent", "unsubscribed", "opened"])
    return {"type": "feedback", "kind": kind, "channel": rng.choice([*CHANNELS, None])}


def event_time(message: Message) -> int:
    return int(message["occurred_at"].timestamp())
