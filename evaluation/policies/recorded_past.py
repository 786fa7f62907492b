"""Replays a policy on the risk changes and facts in the store.

Nothing is sent. The recorded learners do not react to the nudges that the policy would have sent, so a trial
counts decisions; :mod:`evaluation.policies.off_policy` estimates effects where the recorded draws allow it,
:mod:`evaluation.policies.simulated_term` simulates a term instead. The store has pseudonyms only, so its
learners are assigned to arms and variants anew, in the same shares.
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
"""How strongly the learners of a simulated term respond to nudges."""

TIME_FIELDS = ("paused_until",)
"""Fields of preferences that are timestamps."""


@dataclass
class Trial:
    """The counts of a policy's decisions, and of the nudges it would have sent."""

    decided: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Decisions by decision and reason."""
    sent: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Nudges by campaign, variant and channel; without the cancelled ones."""
    runs: Counter[str] = field(default_factory=Counter)
    learners: Counter[str] = field(default_factory=Counter)
    changed: set[str] = field(default_factory=set)
    """Learners with a risk change."""
    by_risk_change: dict[str, NudgeDecision] = field(default_factory=dict)
    """Risk change → the first decision on it; for a proposal, that it was proposed."""
    _sent: dict[str, NudgeDecision] = field(default_factory=dict)

    def add(self, decisions: Iterable[NudgeDecision]) -> None:
        """Add decisions to the counts."""
        for decision in decisions:
            self.decided[decision.decision, decision.reason] += 1
            self.changed.add(decision.learner)
            if decision.decision != "cancel":
                self.by_risk_change.setdefault(decision.risk_change_id, decision)
            if decision.decision == "send":
                self._sent[decision.nudge_id or ""] = decision
                self._count(decision, 1)
            elif decision.decision == "cancel" and (sent := self._sent.pop(decision.nudge_id or "", None)):
                self._count(sent, -1)

    def _count(self, decision: NudgeDecision, by: int) -> None:
        self.sent[decision.campaign, decision.variant, decision.channel or ""] += by
        self.runs[decision.course_run] += by
        self.learners[decision.learner] += by


def replay_store(policy: Policy, reader: StoreReader, lateness: int) -> Trial:
    """Decide on all risk changes and facts of the store, in the order in which they became known."""
    trial, learners = Trial(), dict[str, Learner]()
    past: Iterator[tuple[int, RiskChange | Mapping[str, Any]]]
    past = merge(_facts(reader), _risk_changes(reader, lateness), key=lambda timed: timed[0])
    for known_at, message in past:
        pseudonym = message.learner if isinstance(message, RiskChange) else message["learner"]
        learner = learners.get(pseudonym, Learner())
        result = (
            decide(message, learner, policy, known_at)
            if isinstance(message, RiskChange)
            else apply_message(message, learner, policy, known_at)
        )
        learners[pseudonym] = result.learner
        trial.add(result.decisions)
    return trial


def show(console: Console, policy: Policy, trial: Trial) -> None:
    """Print the trial's tables."""
    sent = sum(trial.sent.values())
    reached = [count for count in trial.learners.values() if count > 0]
    console.print(f"policy {policy.version}: {sum(trial.decided.values()):,} decisions", highlight=False)
    with_change = len(trial.changed)
    console.print(
        f"{sent:,} nudges to {len(reached):,} learners, {len(reached) / max(with_change, 1):.0%} of the "
        f"{with_change:,} with a risk change; {max(reached, default=0)} to one at most",
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


def _risk_changes(reader: StoreReader, lateness: int) -> Iterator[tuple[int, RiskChange]]:
    columns = (
        "risk_change_id, learner, course_run, occurred_at, previous_level, level, probability, "
        "previous_probability, exit_probability, model_state, model_version, data_quality, reasons, "
        "contributions, features"
    )
    sql = f"SELECT {columns} FROM risk_changes FINAL ORDER BY occurred_at, risk_change_id"  # noqa: S608
    names = columns.split(", ")
    for row in reader.query(sql).rows:
        values = dict(zip(names, row, strict=True))
        occurred_at = _epoch(values["occurred_at"])
        parts = zip(*(values.pop(name) for name in ("reasons", "contributions", "features")), strict=True)
        reasons = [Reason(text=text, contribution=weight, feature=name) for text, weight, name in parts]
        values["occurred_at"] = datetime.fromtimestamp(occurred_at, UTC)
        values["exit_probability"] = values["exit_probability"] or 0.0  # rows from before it was estimated
        # Of a change's parts the store has the main ones alone, as reasons.
        values |= {"day": occurred_at // DAY_S, "reasons": reasons, "parts": {}}
        yield occurred_at + lateness, RiskChange.model_validate(values)


def _facts(reader: StoreReader) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Preferences and feedback as messages; answers to proposals are left out, since the policy never ran."""
    sql = (
        "SELECT learner, at, fact, nudge_id, detail, fact_id FROM learner_facts FINAL "
        "WHERE fact IN ('preferences', 'sent', 'delivered', 'unsubscribed') AND "
        "(fact = 'preferences' OR nudge_id = '' OR fact = 'unsubscribed') ORDER BY at, fact_id"
    )
    for learner, occurred_at, fact, nudge_id, detail, fact_id in reader.query(sql).rows:
        timestamp = _epoch(occurred_at)
        message = {
            "learner": learner,
            "occurred_at": datetime.fromtimestamp(timestamp, UTC),
            "event_id": fact_id,
        }
        if fact == "preferences":
            yield timestamp, message | {"type": "preferences"} | _preferences(detail)
        else:
            content = {"kind": fact, "nudge_id": nudge_id or None, "channel": detail or None}
            yield timestamp, message | {"type": "feedback"} | content


def _preferences(detail: str) -> dict[str, Any]:
    preferences: dict[str, Any] = orjson.loads(detail)
    for name in TIME_FIELDS:
        if preferences.get(name) is not None:
            preferences[name] = datetime.fromtimestamp(preferences[name], UTC)
    return preferences


def _epoch(moment: datetime) -> int:
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
