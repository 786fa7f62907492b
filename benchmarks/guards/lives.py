"""A made-up term under a strict policy: learners' risk changes, and messages about them as they arrive."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any
from zoneinfo import available_timezones

from nudges.choosing import Situation
from nudges.ledger import nudge_id_of
from nudges.policy import REACH_OUT, Campaign, Cap, Policy
from nudges.quiet_hours import MACHINE_ZONES
from nudges.timing import WEEK_H, Habit
from schemas.learner import Channel
from schemas.risk import Reason, RiskChange, RiskLevel

DAY, HOUR = 86_400, 3600
LATENESS = 6 * HOUR

START = int(datetime(2026, 2, 1, tzinfo=UTC).timestamp())
"""Both changes of the clocks lie in the term, those of the southern half of the world too."""
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

A_CHANGE = RiskChange(
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
"""What all changes have in common."""

Message = dict[str, Any]

Arrival = tuple[int, Message]
"""When a message arrives, and what it says."""


@dataclass
class Life:
    """One learner's logs: risk changes in event time, and messages in the order in which they arrive."""

    name: str
    changes: list[tuple[int, RiskChange, Situation]]
    messages: list[Arrival]


def make_life(name: str, draw: Random) -> Life:
    """A learner in one to four courses, for the length of the term."""
    habit = Habit(
        [draw.randrange(9) * draw.randrange(2) for _ in range(WEEK_H)] if draw.random() < 0.7 else []
    )
    changes = [
        change
        for number in range(draw.randint(1, 4))
        for change in _changes(name, f"course-{number}/1", habit, draw)
    ]
    changes.sort(key=lambda one: one[0])
    return Life(name, changes, _messages(name, changes, draw))


def _changes(
    name: str, course_run: str, habit: Habit, draw: Random
) -> Iterator[tuple[int, RiskChange, Situation]]:
    day, level = START // DAY + draw.randrange(20), 0
    last = START // DAY + DAYS
    while day < last:
        target = draw.choice([other for other in range(3) if other != level])
        at = day * DAY
        update = {
            "risk_change_id": f"{name}|{course_run}|{day}",
            "learner": name,
            "course_run": course_run,
            "occurred_at": datetime.fromtimestamp(at, UTC),
            "day": day,
            "previous_level": LEVELS[level],
            "level": LEVELS[target],
            "reasons": draw.choice(REASONS),
        }
        change = A_CHANGE.model_copy(update=update)
        yield at + LATENESS, change, Situation(draw.random() < 0.98, None, habit)
        level = target
        day += 1 + int(draw.expovariate(1 / 4))


def _messages(name: str, changes: list[tuple[int, RiskChange, Situation]], draw: Random) -> list[Arrival]:
    """Wishes, feedback and answers: said at one time, arriving at another, some of them twice."""
    said = [(START - DAY, {"type": "preferences", "timezone": draw.choice(ZONES)})]
    for _ in range(draw.randrange(16)):
        at = START + draw.randrange(DAYS * DAY)
        said.append((at, _wish(at, draw) if draw.random() < 0.6 else _feedback(draw)))
    for at, change, _ in changes:
        if change.level != "low" and change.reasons[0].feature == "score_mean" and draw.random() < 0.7:
            said.append((at + draw.randrange(60 * HOUR), _answer(change, draw)))
    found: list[Arrival] = []
    for number, (at, content) in enumerate(said):
        event = {"learner": name, "event_id": f"{number:04}", "occurred_at": datetime.fromtimestamp(at, UTC)}
        late = 0.0 if number == 0 else draw.expovariate(1 / (8 * HOUR))
        copies = 1 + (draw.random() < 0.3)
        found += [(at + int(late * (1 + copy)), content | event) for copy in range(copies)]
    return sorted(found, key=lambda one: one[0])


def _answer(change: RiskChange, draw: Random) -> Message:
    """An instructor's, whether anything was proposed or not."""
    nudge_id = nudge_id_of(POLICY, change.risk_change_id)
    kind = draw.choice(["approved", "approved", "declined"])
    return {"type": "feedback", "kind": kind, "nudge_id": nudge_id}


def _wish(at: int, draw: Random) -> Message:
    wishes: list[Message] = [
        {"opted_out": draw.sample(CHANNELS, draw.randrange(3))},
        {"paused_until": datetime.fromtimestamp(at + draw.randrange(20 * DAY), UTC)},
        {"paused_until": None},
        {"suppressed": draw.random() < 0.3},
        {"digest": draw.random() < 0.4},
        {"timezone": draw.choice(ZONES)},
    ]
    said_by = draw.choice(["learner", "learner", "instructor", "admin"])
    who = {"said_by": said_by, "reason": draw.choice(["", "asked by telephone"])}
    return {"type": "preferences"} | draw.choice(wishes) | who


def _feedback(draw: Random) -> Message:
    kind = draw.choice(["sent", "sent", "unsubscribed", "opened"])
    return {"type": "feedback", "kind": kind, "channel": draw.choice([*CHANNELS, None])}


def event_time(message: Message) -> int:
    return int(message["occurred_at"].timestamp())
