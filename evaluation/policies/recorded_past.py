"""A policy tried on the past: the risk changes and facts in the store.

Nothing is sent. The past is taken as it was: learners in it do not react to the nudges that the policy
would have sent, so a trial counts decisions; :mod:`evaluation.policies.off_policy` estimates effects where
the past allows it, :mod:`evaluation.policies.simulated_term` simulates a term instead. The store knows
pseudonyms alone, so its learners are drawn into arms and variants anew, in the same shares.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from heapq import merge
from typing import Any, Literal

import orjson
from rich.console import Console
from rich.table import Table

from nudges.decisions import decide
from nudges.learners import Learner
from nudges.messages import apply_message
from nudges.policy import Policy
from schemas.fields import DAY_S
from schemas.nudge import NudgeDecision
from schemas.risk import Reason, RiskChange
from sinks.store import StoreReader

Strength = Literal["none", "weak", "strong"]
"""How learners of a simulated term respond to nudges."""

MOMENTS = ("paused_until",)
"""Wishes that are times."""


@dataclass
class Trial:
    """What a policy came to: decisions by reason, and whom its nudges would have reached."""

    decided: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By decision and reason."""
    sent: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """By campaign, variant and channel; without those that were cancelled."""
    runs: Counter[str] = field(default_factory=Counter)
    learners: Counter[str] = field(default_factory=Counter)
    changed: set[str] = field(default_factory=set)
    """Everybody with a risk change."""
    of_change: dict[str, NudgeDecision] = field(default_factory=dict)
    """What was decided on each risk change; for a proposal that it was proposed."""
    _sent: dict[str, NudgeDecision] = field(default_factory=dict)

    def note(self, decisions: Iterable[NudgeDecision]) -> None:
        """Count decisions."""
        for one in decisions:
            self.decided[one.decision, one.reason] += 1
            self.changed.add(one.learner)
            if one.decision != "cancel":
                self.of_change.setdefault(one.risk_change_id, one)
            if one.decision == "send":
                self._sent[one.nudge_id or ""] = one
                self._count(one, 1)
            elif one.decision == "cancel" and (sent := self._sent.pop(one.nudge_id or "", None)):
                self._count(sent, -1)

    def _count(self, one: NudgeDecision, by: int) -> None:
        self.sent[one.campaign, one.variant, one.channel or ""] += by
        self.runs[one.course_run] += by
        self.learners[one.learner] += by


def on_store(policy: Policy, reader: StoreReader, lateness: int) -> Trial:
    """Decide anew on all that the store recorded, in the order in which it became known."""
    trial, learners = Trial(), dict[str, Learner]()
    past: Iterator[tuple[int, RiskChange | Mapping[str, Any]]]
    past = merge(_heard(reader), _changes(reader, lateness), key=lambda one: one[0])
    for at, item in past:
        who = item.learner if isinstance(item, RiskChange) else item["learner"]
        learner = learners.get(who, Learner())
        done = (
            decide(item, learner, policy, at)
            if isinstance(item, RiskChange)
            else apply_message(item, learner, policy, at)
        )
        learners[who] = done.learner
        trial.note(done.decisions)
    return trial


def show(console: Console, policy: Policy, trial: Trial) -> None:
    """The trial as a person reads it."""
    sent = sum(trial.sent.values())
    reached = [count for count in trial.learners.values() if count > 0]
    console.print(f"policy {policy.version}: {sum(trial.decided.values()):,} decisions", highlight=False)
    known = len(trial.changed)
    console.print(
        f"{sent:,} nudges to {len(reached):,} learners, {len(reached) / max(known, 1):.0%} of the {known:,} "
        f"with a risk change; {max(reached, default=0)} to one at most",
        highlight=False,
    )
    decisions = Table("decision", "reason", "decisions", title="Sent, held back and cancelled")
    for (decision, reason), count in trial.decided.most_common():
        decisions.add_row(decision, reason.replace("_", " "), f"{count:,}")
    console.print(decisions)
    nudges = Table("campaign", "variant", "channel", "nudges", title="Nudges, without the cancelled")
    for (campaign, variant, channel), count in trial.sent.most_common():
        nudges.add_row(campaign, variant, channel, f"{count:,}")
    console.print(nudges)
    runs = Table("course run", "nudges")
    for run, count in sorted(trial.runs.items()):
        runs.add_row(run, f"{count:,}")
    console.print(runs)


def _changes(reader: StoreReader, lateness: int) -> Iterator[tuple[int, RiskChange]]:
    columns = (
        "risk_change_id, learner, course_run, occurred_at, previous_level, level, probability, "
        "previous_probability, exit_probability, model_state, model_version, data_quality, reasons, "
        "contributions, features"
    )
    sql = f"SELECT {columns} FROM risk_changes FINAL ORDER BY occurred_at, risk_change_id"  # noqa: S608
    names = columns.split(", ")
    for row in reader.query(sql).rows:
        found = dict(zip(names, row, strict=True))
        at = _epoch(found["occurred_at"])
        parts = zip(*(found.pop(name) for name in ("reasons", "contributions", "features")), strict=True)
        reasons = [Reason(text=text, contribution=weight, feature=name) for text, weight, name in parts]
        found["occurred_at"] = datetime.fromtimestamp(at, UTC)
        found["exit_probability"] = found["exit_probability"] or 0.0  # rows from before it was estimated
        # Of a change's parts the store has the main ones alone, as reasons.
        found |= {"day": at // DAY_S, "reasons": reasons, "parts": {}}
        yield at + lateness, RiskChange.model_validate(found)


def _heard(reader: StoreReader) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Preferences and feedback as messages. Nobody answers the proposals of a policy that never ran."""
    sql = (
        "SELECT learner, at, fact, nudge_id, detail, fact_id FROM learner_facts FINAL "
        "WHERE fact IN ('preferences', 'sent', 'delivered', 'unsubscribed') AND "
        "(fact = 'preferences' OR nudge_id = '' OR fact = 'unsubscribed') ORDER BY at, fact_id"
    )
    for learner, at, fact, nudge_id, detail, fact_id in reader.query(sql).rows:
        moment = _epoch(at)
        message = {
            "learner": learner,
            "occurred_at": datetime.fromtimestamp(moment, UTC),
            "event_id": fact_id,
        }
        if fact == "preferences":
            yield moment, message | {"type": "preferences"} | _wishes(detail)
        else:
            more = {"kind": fact, "nudge_id": nudge_id or None, "channel": detail or None}
            yield moment, message | {"type": "feedback"} | more


def _wishes(detail: str) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(detail)
    for name in MOMENTS:
        if found.get(name) is not None:
            found[name] = datetime.fromtimestamp(found[name], UTC)
    return found


def _epoch(moment: datetime) -> int:
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
