"""Ten million nudge decisions under duplicates, reordering and crashes, and an auditor who counts violations.

    python -m benchmarks.guards [--decisions 10000000] [--seed 1] [--at-once] [--processes 2] [--log FILE]

A made-up term of learners in several courses and all time zones: risk changes, wishes, unsubscriptions,
messages of other systems, instructors' answers. Risk changes come in event time, as the day barrier gives
them; what is heard comes late, out of order and twice. Every so often the partition crashes: what it had
not yet made safe is gone, its records are read back from JSON, and both logs are read again from there, in
another interleaving. As in the worker, a message leaves once the decision behind it is safe. With
``--at-once`` it leaves before that: after a crash the same change may then be decided otherwise, because
feedback was heard in another order, and the first answer is out already.

The auditor knows nothing of the code under test. From what left, and from what had been heard by then, it
looks for messages beyond a cap in any window, in the night of the learner's own zone, on a channel that was
closed, during a pause, to the suppressed, to the held-out, or after their reason's time, and for a digest
beside one that is planned. The property test runs a small number of the same decisions each time
(tests/nudges/test_guards_hold.py).
"""

import argparse
import os
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from datetime import time as clock
from functools import partial
from hashlib import blake2b
from itertools import count
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any, Self
from zoneinfo import ZoneInfo, available_timezones

import orjson

from nudges import decisions
from nudges.assignment import held_out
from nudges.choosing import Situation
from nudges.decisions import Decided, decide, hear, nudge_id_of
from nudges.learners import Learner
from nudges.policy import REACH_OUT, Campaign, Cap, Policy
from nudges.quiet_hours import MACHINE_ZONES
from nudges.timing import WEEK_H, Habit
from schemas.learner import Channel
from schemas.nudge import Nudge, NudgeCancelled
from schemas.risk import Reason, RiskChange, RiskLevel

DAY, HOUR = 86_400, 3600
LATENESS = 6 * HOUR
START = int(datetime(2026, 2, 1, tzinfo=UTC).timestamp())
"""Both changes of the clocks lie in the term, those of the southern half of the world too."""
DAYS = 300
ZONES = sorted(available_timezones() - MACHINE_ZONES)
BLOCK = 200
"""Learners that are audited together: some 40,000 decisions, a few seconds."""
PROGRESS_S = 15.0
"""Seconds between two lines on the way."""
SHOWN = 20
"""Learners with a violation that are named at the end."""

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
Heard = tuple[int, Message]
"""When a message arrives, and what it says."""


@dataclass
class Life:
    """One learner's logs: risk changes in event time, and messages in the order in which they arrive."""

    name: str
    changes: list[tuple[int, RiskChange, Situation]]
    heard: list[Heard]


@dataclass
class Audit:
    """What was counted. ``violations`` by guard; there should be none."""

    decisions: int = 0
    sent: int = 0
    cancelled: int = 0
    together: int = 0
    """Nudges that came with an earlier one, in one digest."""
    crashes: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    violated: list[str] = field(default_factory=list)
    """Learners with a violation, so that each can be looked at again."""

    @classmethod
    def of(cls, data: dict[str, Any]) -> Self:
        """What ``vars`` gave, by way of JSON."""
        reasons, violations = Counter(data.pop("reasons")), Counter(data.pop("violations"))
        return cls(**data, reasons=reasons, violations=violations)

    def add(self, other: Self) -> None:
        """Count what another audit counted."""
        for name in ("decisions", "sent", "cancelled", "together", "crashes"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.reasons.update(other.reasons)
        self.violations.update(other.violations)
        self.violated += other.violated


# -- lives ----------------------------------------------------------------------------------------------


def live(name: str, draw: Random) -> Life:
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


def _messages(name: str, changes: list[tuple[int, RiskChange, Situation]], draw: Random) -> list[Heard]:
    """Wishes, feedback and answers: said at one time, arriving at another, some of them twice."""
    said = [(START - DAY, {"type": "preferences", "timezone": draw.choice(ZONES)})]
    for _ in range(draw.randrange(16)):
        at = START + draw.randrange(DAYS * DAY)
        said.append((at, _wish(at, draw) if draw.random() < 0.6 else _feedback(draw)))
    for at, change, _ in changes:
        if change.level != "low" and change.reasons[0].feature == "score_mean" and draw.random() < 0.7:
            said.append((at + draw.randrange(60 * HOUR), _answer(change, draw)))
    found: list[Heard] = []
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


# -- a partition, with its crashes ----------------------------------------------------------------------


@dataclass(frozen=True)
class Left:
    """A message that left, and how many messages had been heard when it was decided."""

    heard: int
    message: Nudge | NudgeCancelled


@dataclass
class Partition:
    """One learner's part of a partition, from the first record to the last, through its crashes."""

    life: Life
    draw: Random
    audit: Audit
    learner: Learner = field(default_factory=Learner)
    changes: int = 0
    heard: int = 0
    at_once: bool = False
    left: list[Left] = field(default_factory=list)
    read_at: dict[int, int] = field(default_factory=dict)
    """The newest event time known when each message was heard, in the life that lasted."""

    def run(self) -> None:
        """Read both logs to their ends."""
        safe, unsaid = self._checkpoint(), list[Left]()
        while not self._done:
            said = self._step()
            if self.at_once:
                self.left += [one for one in said if one.message not in [left.message for left in self.left]]
            else:
                unsaid += said
            fate = self.draw.random()
            if fate < 0.2 or self._done:
                safe = self._checkpoint()
                self.left += unsaid
                unsaid = []
            elif fate < 0.25:
                self.audit.crashes += 1
                record, self.changes, self.heard = orjson.loads(safe)
                self.learner, unsaid = Learner.of(record), []

    @property
    def _done(self) -> bool:
        return (self.changes, self.heard) == (len(self.life.changes), len(self.life.heard))

    def _checkpoint(self) -> bytes:
        return orjson.dumps([self.learner.record(), self.changes, self.heard])

    def _step(self) -> list[Left]:
        """Take the next record of one log or the other; the logs' readers drift by some hours."""
        changes, heard = self.life.changes, self.life.heard
        drift = self.draw.randrange(-3 * HOUR, 3 * HOUR)
        listens = self.heard < len(heard) and (
            self.changes == len(changes) or heard[self.heard][0] + drift <= changes[self.changes][0]
        )
        done = self._listen() if listens else self._decide()
        self.learner = done.learner
        self.audit.decisions += len(done.decisions)
        self.audit.reasons.update(f"{one.decision} {one.reason}" for one in done.decisions)
        return [Left(self.heard, message) for message in done.messages]

    def _listen(self) -> Decided:
        now = self.life.changes[self.changes - 1][0] if self.changes else START
        message = self.life.heard[self.heard][1]
        before = self.read_at.get(self.heard - 1, START)  # time does not run backwards
        self.read_at[self.heard] = max(now, _at(message), before)
        self.heard += 1
        return hear(message, self.learner, POLICY, now)

    def _decide(self) -> Decided:
        at, change, situation = self.life.changes[self.changes]
        self.changes += 1
        return decide(change, self.learner, POLICY, at, situation)


# -- the auditor ----------------------------------------------------------------------------------------


def judge(partition: Partition) -> None:
    """Look for violations in what left."""
    audit, life = partition.audit, partition.life
    ended = {change.risk_change_id for _, change, situation in life.changes if not situation.in_force}
    cancellations = [one.message for one in partition.left if isinstance(one.message, NudgeCancelled)]
    taken_back = {message.nudge_id: message for message in cancellations}
    delivered: list[Nudge] = []
    for one in partition.left:
        nudge = one.message
        if not isinstance(nudge, Nudge):
            audit.cancelled += 1
            continue
        audit.sent += 1
        known = [message for _, message in life.heard[: one.heard]]
        audit.violations.update(_at_decision(nudge, known))
        audit.violations["run over"] += nudge.risk_change_id in ended
        if nudge.nudge_id in taken_back:
            cancelled = taken_back[nudge.nudge_id]
            audit.violations["cancelled late"] += cancelled.cancelled_at >= nudge.send_at
            continue
        audit.violations.update(_over_caps(nudge, delivered, known))
        audit.violations.update(_not_taken_back(nudge, one.heard, partition))
        if nudge.digest:
            audit.together += _message(nudge) in map(_message, delivered)
            audit.violations.update(_beside_another_digest(nudge, delivered))
        delivered.append(nudge)
    audit.violations["sent twice"] += len(delivered) - len({nudge.nudge_id for nudge in delivered})
    audit.violated += [life.name] if audit.violations.total() else []


def _at_decision(nudge: Nudge, known: list[Message]) -> Iterator[str]:
    if nudge.channel in _closed(known):
        yield "opted out"
    if _suppressed(known):
        yield "suppressed"
    paused = _paused_until(known)
    if paused is not None and nudge.decided_at < paused:
        yield "paused"
    local = nudge.send_at.astimezone(ZoneInfo(_newest("timezone", known) or "UTC")).time()
    if local >= clock(21) or local < clock(8):
        yield "night"
    if held_out(POLICY.holdout_key, nudge.learner, nudge.course_run, POLICY.holdout_share):
        yield "holdout"
    if not nudge.decided_at <= nudge.send_at < nudge.expires_at:
        yield "not in time"
    longest = 192 if nudge.digest else 72
    if (nudge.expires_at - nudge.decided_at).total_seconds() > longest * HOUR:
        yield "longer than its reason"


def _not_taken_back(nudge: Nudge, heard: int, partition: Partition) -> Iterator[str]:
    """What was heard between the decision and the sending, and should have cancelled it."""
    due = int(nudge.send_at.timestamp())
    for place in range(heard, len(partition.life.heard)):
        if partition.read_at[place] >= due:
            continue
        known = [message for _, message in partition.life.heard[: place + 1]]
        paused = _paused_until(known)
        if nudge.channel in _closed(known):
            yield "sent after an opt-out"
        if _suppressed(known):
            yield "sent after a suppression"
        if paused is not None and nudge.send_at < paused:
            yield "sent in a pause"


def _over_caps(nudge: Nudge, before: list[Nudge], known: list[Message]) -> Iterator[str]:
    """Messages are counted, so all of a digest once; of each it is known which campaigns are in it."""
    others = {message["event_id"]: message for message in known if message.get("kind") == "sent"}
    sent: dict[Any, tuple[int, Any, set[str]]]
    sent = {name: (_at(message), message["channel"], set()) for name, message in others.items()}
    for one in before:
        at = int(one.send_at.timestamp())
        sent.setdefault(_message(one), (at, one.channel, set()))[2].add(one.campaign)
    sent.pop(_message(nudge), None)
    mine = int(nudge.send_at.timestamp())
    for cap in POLICY.caps:
        if cap.channel not in (None, nudge.channel) or cap.campaign not in (None, nudge.campaign):
            continue
        times = [
            at
            for at, channel, campaigns in sent.values()
            if cap.channel in (None, channel) and (cap.campaign is None or cap.campaign in campaigns)
        ]
        starts = [at for at in (*times, mine) if mine - cap.days * DAY < at <= mine]
        if any(1 + sum(start <= at < start + cap.days * DAY for at in times) > cap.most for start in starts):
            yield f"cap: {cap.most} in {cap.days} days {cap.channel or cap.campaign or ''}".strip()


def _message(nudge: Nudge) -> Any:
    """What the nudge comes with: a digest of one moment and channel, or a message of its own."""
    return (nudge.send_at, nudge.channel) if nudge.digest else nudge.nudge_id


def _beside_another_digest(nudge: Nudge, before: list[Nudge]) -> Iterator[str]:
    """What is decided while a digest is planned goes with that one."""
    for one in before:
        if one.digest and one.decided_at <= nudge.decided_at < one.send_at != nudge.send_at:
            yield "a digest beside another"


def _closed(known: list[Message]) -> set[str]:
    said = [one for one in known if "opted_out" in one]
    left = [one for one in known if one.get("kind") == "unsubscribed"]
    closed: set[str] = set()
    for channel in CHANNELS:
        opened = _opened(one for one in said if channel not in one["opted_out"])
        noes = [one for one in said if channel in one["opted_out"]]
        noes += [one for one in left if one["channel"] in (channel, None)]
        if any(_at(one) >= opened for one in noes):
            closed.add(channel)
    return closed


def _suppressed(known: list[Message]) -> bool:
    said = [one for one in known if "suppressed" in one]
    opened = _opened(one for one in said if not one["suppressed"])
    return any(one["suppressed"] and _at(one) >= opened for one in said)


def _paused_until(known: list[Message]) -> datetime | None:
    said = [one for one in known if "paused_until" in one]
    opened = _opened(said)  # a pause that the learner names anew may be shorter than the one before
    pauses = [one["paused_until"] for one in said if one["paused_until"] and _at(one) >= opened]
    return max(pauses, default=None)


def _opened(said: Iterable[Message]) -> int:
    """When those who may take a *no* back did so last."""
    may = [
        one for one in said if one["said_by"] == "learner" or (one["said_by"] == "admin" and one["reason"])
    ]
    return max(map(_at, may), default=-(2**62))


def _newest(wish: str, known: list[Message]) -> Any:
    said = [(_at(one), one["event_id"], one[wish]) for one in known if wish in one]
    return max(said, key=lambda one: one[:2])[2] if said else None


def _at(message: Message) -> int:
    return int(message["occurred_at"].timestamp())


# -- the whole ------------------------------------------------------------------------------------------


def run(decisions: int, seed: int, *, at_once: bool = False) -> Audit:
    """Learner after learner, until so many decisions were made."""
    audit, number = Audit(), 0
    while audit.decisions < decisions:
        audit.add(audited(number, seed, at_once=at_once))
        number += 1
    return audit


def audited(number: int, seed: int, *, at_once: bool = False) -> Audit:
    """One learner's life under the guards, and what the auditor says of it."""
    draw = Random(f"{seed}/{number}")
    partition = Partition(live(f"learner-{number}", draw), draw, Audit(), at_once=at_once)
    partition.run()
    judge(partition)
    return partition.audit


def block(number: int, seed: int, *, at_once: bool = False) -> Audit:
    """``BLOCK`` learners: what one process takes at a time, and what a log keeps."""
    audit = Audit()
    for learner in range(number * BLOCK, (number + 1) * BLOCK):
        audit.add(audited(learner, seed, at_once=at_once))
    return audit


@dataclass
class Log:
    """Blocks that were audited, in a file of JSON lines, so that a long run can be taken up again.

    Only lines of the same question count: the seed, the way of running, and every byte of the code.
    """

    path: Path | None
    question: str
    known: dict[int, Audit] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path | None, seed: int, *, at_once: bool) -> Self:
        code = blake2b(digest_size=6)
        for file in sorted([Path(__file__), *Path(decisions.__file__).parent.glob("*.py")]):
            code.update(file.read_bytes())
        log = cls(path, f"seed {seed}, {'at once' if at_once else 'when safe'}, code {code.hexdigest()}")
        if path is not None and path.exists():
            for line in map(orjson.loads, path.read_bytes().splitlines()):
                if line["question"] == log.question:
                    log.known[line["block"]] = Audit.of(line["audit"])
        return log

    def keep(self, number: int, audit: Audit) -> None:
        self.known[number] = audit
        if self.path is not None:
            line = {"question": self.question, "block": number, "audit": vars(audit)}
            with self.path.open("ab") as file:
                file.write(orjson.dumps(line) + b"\n")


def blocks(work: Callable[[int], Audit], processes: int, log: Log) -> Generator[Audit, None, None]:
    """Block after block without end, those of the log at once; in order, so that any sum can be repeated."""
    pool = ProcessPoolExecutor(processes, initializer=_end_with_the_parent)
    ahead: dict[int, Future[Audit]] = {}
    try:
        for number in count():
            for soon in range(number, number + 2 * processes):
                if soon not in log.known and soon not in ahead:
                    ahead[soon] = pool.submit(work, soon)
            if number in ahead:
                log.keep(number, ahead.pop(number).result())
            yield log.known[number]
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_the_parent() -> None:
    """A worker of a run that was killed would wait for work for ever."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def main() -> None:
    parser = argparse.ArgumentParser(description="Count violations of the guards in many decisions.")
    parser.add_argument("--decisions", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-once", action="store_true", help="messages leave before a checkpoint")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--log", type=Path, help="a file to keep finished parts in, and to go on from")
    chosen = parser.parse_args()
    log = Log.open(chosen.log, chosen.seed, at_once=chosen.at_once)
    if log.known:
        print(f"going on after {len(log.known):,} blocks of the log")
    work = partial(block, seed=chosen.seed, at_once=chosen.at_once)
    audit, began, told = Audit(), time.monotonic(), 0.0
    with closing(blocks(work, chosen.processes, log)) as found:
        while audit.decisions < chosen.decisions:
            audit.add(next(found))
            if time.monotonic() - told > PROGRESS_S:
                told = time.monotonic()
                print(f"{told - began:7,.0f} s: {_so_far(audit)}", flush=True)
    print(f"\n{_so_far(audit)}; {log.question}")
    print(f"{audit.sent:,} nudges left, {audit.cancelled:,} of them were cancelled in time")
    print(f"{audit.together:,} came with an earlier one in one digest")
    for reason, times in audit.reasons.most_common():
        print(f"  {reason:30} {times:>12,}")
    print(f"violations: {audit.violations.total():,}", *(+audit.violations).items())
    for learner in audit.violated[:SHOWN]:
        print(f"  {learner}")


def _so_far(audit: Audit) -> str:
    violations = audit.violations.total()
    return f"{audit.decisions:,} decisions, {audit.crashes:,} crashes, {violations:,} violations"


if __name__ == "__main__":
    main()
