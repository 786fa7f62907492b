"""From a day's features and package to estimates, levels, risk changes, decisions and snapshots."""

from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.day.aggregates import as_date, risk_row
from engine.day.nudge_outcomes import Following
from engine.outputs import Outputs
from engine.rules import Rules
from engine.scoring.learner_facts import Fact, enrolment_fact, said_fact
from engine.state.partition_state import PartitionState
from features.bins import Codes
from features.catalogue import FEATURES, INDEX
from features.coursework import Run
from features.doubt import Doubt
from features.packed_arrays import unpack
from features.ring import RING, Ints, habits
from features.yardsticks import Counts
from nudges.cancelling import call_off
from nudges.choosing import Situation
from nudges.decisions import decide
from nudges.experiments.bandit import context_of
from nudges.experiments.learned import by_outcomes, stages
from nudges.learners import Learner, heard
from nudges.ledger import Decided
from nudges.levels import Levels, agreed, moving, name, step
from nudges.messages import apply_message as hear
from nudges.policy import Phase, Policy, main_reason, phase_of
from nudges.timing import Habit
from online_models.cohorts import MIDDLE, ranks_of
from online_models.design import Estimate, Seen
from online_models.explanations import Why, confirmed, explain, typical_of
from online_models.labels import OPEN, WITHDRAWN, is_due, reservoir_slots
from online_models.memory import Memory, steadied
from online_models.recommender import Recommender
from online_models.scoring import DECIMALS, Scorer, log_odds_of, logistic, scorer_of
from schemas.fields import DAY_S
from schemas.learning import DayPackage
from schemas.risk import ModelState, RiskChange

WRITE_MOVED = 0.05
WRITE_EVERY = 7
"""The store's history gets an estimate that moved by this much or changed its level, and one every so many
days."""

Estimates = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cohort:
    """Enrolments of one run that are in force, and their features: uint8 [features, enrolments].

    engagement: what the store is told of the closed day, column by column. hours: uint8 [enrolments, ring,
    3], their active hours as of the close. deadlines: what they did with each, [counted, deadlines]. doubt:
    where days of the windows were not seen, what else they may be.
    """

    run: Run
    slots: Ints
    codes: Codes
    engagement: dict[str, int]
    hours: NDArray[np.uint8]
    deadlines: Counts
    doubt: Doubt | None = None


@dataclass(frozen=True, slots=True)
class Scored:
    """A cohort with its ranks and estimates for a day."""

    cohort: Cohort
    ranks: Codes
    probability: Estimates
    """P(lost)"""
    exit_probability: Estimates
    """P(exit within the next three weeks)"""
    remembered: Estimates
    """What earlier days make of the log-odds of being lost: those served, less the day's own."""
    memory: Memory
    """What earlier days left to steady these with."""
    shift: float
    """What the run's intercept added to the log-odds of the day's own."""


@dataclass(frozen=True, slots=True)
class Today:
    """The day to estimate, the package to do it with, and what that makes the estimates.

    suspect: runs of which a source was quiet or mad on the day that closed.
    """

    day: int
    package: DayPackage
    scorer: Scorer
    model_state: ModelState
    suspect: frozenset[str]
    learned: dict[str, Ints]
    """What outcomes have taught about variants, by campaign and variant, and by stage."""
    recommender: Recommender

    @classmethod
    def of(cls, day: int, package: DayPackage, *, stale: bool) -> "Today":
        scorer = scorer_of(package.model)
        served: ModelState = "stale" if stale and scorer.state == "serving" else scorer.state
        suspect = frozenset(run for verdict in package.quality.verdicts for run in verdict.course_runs)
        early, choices = (
            {name: unpack(sums) for name, sums in found.items()} for found in (package.early, package.choices)
        )
        learned = stages(early, choices)
        return cls(day, package, scorer, served, suspect, learned, Recommender(package.next_items))

    def shift(self, run: Run) -> float:
        """How far a run's log-odds are off as a whole; the prior is no model that could be."""
        return 0.0 if self.scorer.state == "warming_up" else self.package.intercepts.get(run.name, 0.0)

    def scorer_of(self, run: Run) -> Scorer:
        """What to score a run with."""
        return self.scorer.at(self.shift(run))

    def serve(self, memory: Memory, own: Estimate) -> tuple[Memory, Estimate]:
        """What is remembered after the day's own estimates, and what is served; while no model does, they."""
        return (memory, own) if self.scorer.state == "warming_up" else steadied(memory, own)


class Scoring:
    """Scores the enrolments of one partition."""

    def __init__(self, partition: int, rules: "Rules", state: PartitionState, following: Following) -> None:
        self._following = following
        self._partition = partition
        self._rules = rules
        self._state = state
        self._of_the_close = Outputs()
        self._policy = rules.policy if state.policy is None else Policy.model_validate(state.policy)

    def hear(self, message: dict[str, Any], outputs: Outputs) -> None:
        """Take what learners, notifiers and instructors say, and say what follows from it."""
        who = message["learner"]
        before, now = self._learner(who), self._state.clock.newest

        def situation_of(run: str, item: str | None) -> Situation:
            slot = self._state.slots.get((who, run))
            trail = self._state.trails.of(slot) if slot is not None else None
            done = item is not None and trail is not None and trail.has_done(item)
            return replace(self._situation(who, run), next_item=None if done else item)

        timing = self._rules.timing  # live, the intake has refused what is too far ahead
        ahead_s = timing.tolerance if timing.clock == "replay" else None
        done = hear(message, before, self._policy, now, situation_of, ahead_s)
        self._follow(who, before, done, outputs)
        self._write_fact(said_fact(message), outputs)

    def take(self, fact: dict[str, Any]) -> None:
        """Take an enrolment, a withdrawal or a result of the day that is being closed.

        Who has ended gets nothing more of that course; what follows is said when the day is scored.
        """
        who, outputs = fact["learner"], self._of_the_close
        before = self._learner(who)
        done = Decided(heard(before, fact))
        if fact["type"] != "enrolled":
            known = self._rules.timing.lateness + (fact["time"] // DAY_S + 1) * DAY_S
            done = call_off(who, fact["course_run"], before, self._policy, known, "run_over")
        self._follow(who, before, done, outputs)
        self._write_fact(enrolment_fact(fact), outputs)

    def _learner(self, who: str) -> Learner:
        return Learner.of(self._state.learners.get(who, {}))

    def score(self, cohorts: list[Cohort], day: Today, outputs: Outputs) -> list[Scored]:
        """Estimate every enrolment in force as of the start of the day, and say what follows."""
        self._take_policy(day.package)
        outputs.extend(self._of_the_close)
        self._of_the_close = Outputs()
        found = []
        for cohort in cohorts:
            ranks = _ranks(cohort.run, cohort.codes, day.package)
            told = len(outputs.risk_changes)
            scored = self._estimate(cohort, ranks, day)
            self._move_levels(scored, day, outputs)
            self._write_levels(scored, day, outputs.risk_changes[told:], outputs)
            self._snapshot(scored, day)
            self._write_engagement(cohort, day.day, outputs)
            self._write_returns(cohort, day.day, outputs)
            self._write_history(scored, day, outputs)
            self._state.touch(cohort.slots)
            found.append(scored)
        return found

    def _estimate(self, cohort: Cohort, ranks: Codes, day: Today) -> Scored:
        """A cohort's estimates, steadied by those of the days before."""
        run, shift = cohort.run, day.shift(cohort.run)
        own = day.scorer_of(run).estimate(_seen(run, cohort.codes, ranks))
        memory = self._state.rows["memory"]
        before = memory[cohort.slots]
        after, served = day.serve(before, own)
        if run.name not in day.suspect:
            memory[cohort.slots] = after
            if day.scorer.state == "serving":
                self._state.leaving.foretell(run.name, logistic(log_odds_of(own.exits) - shift))
        remembered = log_odds_of(served.lost) - log_odds_of(own.lost)
        return Scored(cohort, ranks, served.lost, served.exits, remembered, before, shift)

    def _take_policy(self, package: DayPackage) -> None:
        """The package's policy decides from this day on, until another one does."""
        if package.policy != self._state.policy:
            self._state.set_policy(package.policy)
            chosen = package.policy
            self._policy = self._rules.policy if chosen is None else Policy.model_validate(chosen)

    # -- levels and changes -------------------------------------------------------------------------

    def _move_levels(self, scored: Scored, day: Today, outputs: Outputs) -> None:
        rows, slots = self._state.rows, scored.cohort.slots
        self._tell(scored, np.flatnonzero(rows["probability"][slots] == 0))
        rows["probability"][slots] = scored.probability
        before = rows["level"][slots]
        levels = Levels(rows["level"], rows["candidate"], rows["streak"])
        believed, rising = self._believed(scored, day), scored.cohort.run.name not in day.suspect
        changed = np.flatnonzero(step(levels, believed, self._rules.levels, slots, rising=rising))
        if len(changed):
            by_learner = sorted(changed.tolist(), key=lambda at: self._key(int(slots[at])))
            whys, usual = self._why(scored, by_learner, day), _habits(scored.cohort, by_learner, day)
            for at, why, habit in zip(by_learner, whys, usual, strict=True):
                change = self._change(scored, at, int(before[at]), day, why)
                outputs.risk_changes.append(change)
                self._write_change(int(slots[at]), change, outputs)
                self._decide(change, int(slots[at]), habit, day, outputs)
            self._tell(scored, changed)
            rows["written_day"][slots[changed]] = day.day - WRITE_EVERY  # due: the store has the old level

    def _believed(self, scored: Scored, day: Today) -> Estimates:
        """The estimates that levels go by: of who would move, what holds whatever happened unseen."""
        cohort, settings = scored.cohort, self._rules.levels
        level = self._state.rows["level"][cohort.slots]
        places = np.flatnonzero(moving(level, scored.probability, settings))
        if cohort.doubt is None or not len(places):
            return scored.probability
        cases = [scored.probability[places]]
        for codes in cohort.doubt.cases(places):
            seen = _seen(cohort.run, codes, _ranks(cohort.run, codes, day.package))
            own = day.scorer_of(cohort.run).estimate(seen)
            cases.append(day.serve(scored.memory[places], own)[1].lost)
        believed = scored.probability.copy()
        believed[places] = agreed(level[places], np.min(cases, axis=0), np.max(cases, axis=0), settings)
        return believed

    def _key(self, slot: int) -> tuple[str, str]:
        key = self._state.keys[slot]
        assert key is not None, "only enrolments in use are scored"  # noqa: S101
        return key

    def _why(self, scored: Scored, places: list[int], day: Today) -> list[Why]:
        """Why each of the estimates differs from the last one told, both seen by the scorer of the day."""
        told, run = self._state.rows[scored.cohort.slots[places]], scored.cohort.run
        profile = day.package.cohorts.get(run.name)
        return explain(
            day.scorer_of(run),
            _seen(run, told["told_codes"].T, told["told_ranks"].T),
            _seen(run, scored.cohort.codes[:, places], scored.ranks[:, places]),
            [_told(one) for one in told["told"].tolist()],
            scored.probability[places].tolist(),
            None if profile is None else typical_of(unpack(profile)),
            (scored.remembered[places] - told["told_memory"]).tolist(),
            (scored.shift - told["told_shift"]).tolist(),
        )

    def _change(self, scored: Scored, at: int, before: int, day: Today, why: Why) -> RiskChange:
        slot = int(scored.cohort.slots[at])
        key = self._key(slot)
        level = int(self._state.rows["level"][slot])
        now, was = float(scored.probability[at]), _told(float(self._state.rows["told"][slot]))
        return RiskChange(
            risk_change_id=_change_id(key, day.day, level),
            learner=key[0],
            course_run=key[1],
            occurred_at=datetime.fromtimestamp(day.day * DAY_S, UTC),
            day=day.day,
            previous_level=name(before),
            level=name(level),
            probability=now,
            previous_probability=was,
            exit_probability=float(scored.exit_probability[at]),
            model_state=day.model_state,
            model_version=day.package.model.model_version,
            data_quality="suspect" if key[1] in day.suspect else "ok",
            reasons=[*confirmed(name(before), name(level), was, now), *why.reasons],
            parts=why.parts,
        )

    def _tell(self, scored: Scored, places: Ints) -> None:
        """Remember what the last word on an enrolment rested on; the next change is compared with it."""
        rows, slots = self._state.rows, scored.cohort.slots[places]
        rows["told"][slots] = scored.probability[places]
        rows["told_memory"][slots] = scored.remembered[places]
        rows["told_shift"][slots] = scored.shift
        rows["told_codes"][slots] = scored.cohort.codes[:, places].T
        rows["told_ranks"][slots] = scored.ranks[:, places].T

    def _decide(self, change: RiskChange, slot: int, habit: Habit, day: Today, outputs: Outputs) -> None:
        # Known only once the day has closed: a time to send at must not lie before that.
        at = int(change.occurred_at.timestamp()) + self._rules.timing.lateness
        before = self._learner(change.learner)
        situation = replace(
            self._situation(change.learner, change.course_run, habit),
            next_item=day.recommender.next_item(change.course_run, self._state.trails.of(slot)),
        )
        context = context_of(_group(change), change.previous_level)
        choose = by_outcomes(self._policy.holdout_key, change.risk_change_id, context, day.learned)
        done = decide(change, before, self._policy, at, situation, choose)
        for decision in done.decisions:
            self._following.note(decision, context)
        self._follow(change.learner, before, done, outputs)

    def _situation(self, learner: str, course_run: str, habit: Habit | None = None) -> Situation:
        """What is true of an enrolment today. One that is not known is not in force.

        Without a habit as of the close, that of the moment is taken.
        """
        slot = self._state.slots.get((learner, course_run))
        if slot is None:
            return Situation(in_force=False)
        run, today = self._state.runs[self._state.run_of[slot]], self._state.clock.today or 0
        in_force = self._state.rows["outcome"][slot] == OPEN and (not run.known or today <= run.end)
        if habit is None:
            habit = Habit(habits(self._state.rows["hours"][[slot]], today)[0].tolist())
        return Situation(in_force, _phase(run, today), habit)

    def _follow(self, who: str, before: Learner, done: Decided, outputs: Outputs) -> None:
        """Keep the learner's record, and say the decisions and messages."""
        if done.learner != before:
            self._state.set_learner(who, done.learner.record())
        outputs.decisions += done.decisions
        outputs.nudges += done.messages
        for message in done.messages:
            self._state.post(f"{message.type}:{message.nudge_id}", who, message.model_dump_json())
        for decision in done.decisions:
            row = decision.model_dump(exclude={"type", "version"}) | {"channel": decision.channel or ""}
            row |= {"learner": self._state.pseudonym(who), "partition": self._partition}
            outputs.add_row("nudge_ledger", **row)

    # -- snapshots and rows for the store -----------------------------------------------------------

    def _snapshot(self, scored: Scored, day: Today) -> None:
        """Offer this day's features to the reservoirs of those whose weekly turn it is."""
        rows, run = self._state.rows, scored.cohort.run
        if not run.ends or run.name in day.suspect:
            return  # nobody will ever say who stayed; or what was seen is not what happened
        hashes = rows["hash"][scored.cohort.slots]
        turn = np.flatnonzero(is_due(hashes, day.day, run.start, run.end))
        slots = scored.cohort.slots[turn]
        cells = reservoir_slots(rows["taken"][slots], hashes[turn])
        rows["taken"][slots] = np.minimum(rows["taken"][slots].astype(np.int64) + 1, 255)
        kept = np.flatnonzero(cells >= 0)
        slots, cells, turn = slots[kept], cells[kept], turn[kept]
        rows["snap_day"][slots, cells] = day.day
        rows["snap_probability"][slots, cells] = scored.probability[turn]
        rows["snap_served"][slots, cells] = day.model_state != "warming_up"
        rows["snap_codes"][slots, cells] = scored.cohort.codes[:, turn].T
        rows["snap_ranks"][slots, cells] = scored.ranks[:, turn].T

    def _write_history(self, scored: Scored, day: Today, outputs: Outputs) -> None:
        """Estimates that moved, or whose level did, since they were last written, or were not for a week."""
        rows, slots = self._state.rows, scored.cohort.slots
        moved = np.abs(rows["written"][slots] - scored.probability) >= WRITE_MOVED
        places = np.flatnonzero(moved | (rows["written_day"][slots] + WRITE_EVERY <= day.day))
        slots, count = slots[places], len(places)
        rows["written"][slots] = scored.probability[places]
        rows["written_day"][slots] = day.day
        outputs.add_rows(
            "risk_history",
            {
                "learner": [self._state.pseudonyms[slot][0] for slot in slots.tolist()],
                "course_run": [scored.cohort.run.name] * count,
                "day": [as_date(day.day)] * count,
                "probability": scored.probability[places].tolist(),
                "exit_probability": scored.exit_probability[places].tolist(),
                "level": [name(level) for level in rows["level"][slots].tolist()],
                "model_state": [day.model_state] * count,
                "model_version": [day.package.model.model_version] * count,
                "partition": [self._partition] * count,
                "version": [day.day] * count,
                "clicks": _last_week(rows["clicks"], slots, day.day),
            },
        )

    def _write_levels(self, scored: Scored, day: Today, changes: list[RiskChange], outputs: Outputs) -> None:
        levels = self._state.rows["level"][scored.cohort.slots]
        outputs.add_row(
            "risk_daily",
            day=as_date(day.day),
            course_run=scored.cohort.run.name,
            partition=self._partition,
            model_state=day.model_state,
            **risk_row(levels, scored.probability, changes),
            version=day.day,
        )

    def _write_engagement(self, cohort: Cohort, day: int, outputs: Outputs) -> None:
        place = {"course_run": cohort.run.name, "day": as_date(day - 1), "partition": self._partition}
        outputs.add_row("engagement_daily", **place, **cohort.engagement, version=day)

    def _write_returns(self, cohort: Cohort, day: int, outputs: Outputs) -> None:
        """Who was active on the closed day, after a week or more without."""
        active = np.flatnonzero(cohort.hours[:, (day - 1) % RING].any(axis=1))
        week = cohort.hours[active[:, None], [past % RING for past in range(day - 8, day - 1)]]
        slots = cohort.slots[active[~week.any(axis=(1, 2))]]
        for slot in slots[self._state.rows["seen"][slots] < day - 8].tolist():
            learner, course_run = self._key(slot)
            name = f"{self._state.pseudonyms[slot][1]}/{day}"
            fact = Fact(learner, course_run, (day - 1) * DAY_S, "returned", name)
            self._write_fact(fact, outputs)

    def _write_fact(self, fact: Fact, outputs: Outputs) -> None:
        pseudonym = self._state.pseudonym
        row = {one.name: getattr(fact, one.name) for one in fields(fact)}  # asdict copies its values deeply
        row |= {"learner": pseudonym(fact.learner), "fact_id": pseudonym(fact.fact_id)}
        outputs.add_row("learner_facts", **row, partition=self._partition)

    def _write_change(self, slot: int, change: RiskChange, outputs: Outputs) -> None:
        learner, _ = self._state.pseudonyms[slot]
        row = change.model_dump(exclude={"type", "learner", "reasons", "parts"})
        outputs.add_row(
            "risk_changes",
            **row | {"day": as_date(change.day), "version": change.day},
            learner=learner,
            reasons=[reason.text for reason in change.reasons],
            contributions=[reason.contribution for reason in change.reasons],
            features=[reason.feature for reason in change.reasons],
            reliefs=[reason.relief or "" for reason in change.reasons],
            partition=self._partition,
        )


def engagement(state: PartitionState, run: int, slots: Ints, codes: Codes, day: int) -> dict[str, int]:
    """A day's engagement of a run: who is enrolled, active, new and gone; as of its close.

    run: the run's index. slots: its enrolments in force, and codes their features after the day.
    """
    rows, everybody, place = state.rows, state.of_run(run), day % RING
    left = (rows["outcome"][everybody] == WITHDRAWN) & (rows["outcome_day"][everybody] == day)
    active = {window: int((codes[INDEX[f"clicks_{window}"]] > 0).sum()) for window in (1, 7, 28)}
    return {
        "enrolled": len(slots),
        "active": active[1],
        "active_7": active[7],
        "active_28": active[28],
        "clicks": int(rows["clicks"][slots, place].sum(dtype=np.int64)),
        "minutes": int(rows["seconds"][slots, place].sum(dtype=np.int64)) // 60,
        "new": int((rows["enrolled"][everybody] == day).sum()),
        "withdrawn": int(left.sum()),
    }


def _ranks(run: Run, codes: Codes, package: DayPackage) -> Codes:
    """Ranks by the package's profile of the run; in the middle where it has none."""
    profile = package.cohorts.get(run.name)
    return np.full_like(codes, MIDDLE) if profile is None else ranks_of(codes, unpack(profile))


def _group(change: RiskChange) -> str | None:
    """What the main reason is about; None where it is nothing about the learner."""
    main = main_reason(change)
    return FEATURES[INDEX[main.feature]].group if main is not None and main.feature in INDEX else None


def _last_week(clicks: Codes, slots: Ints, day: int) -> list[list[int]]:
    """Clicks on each of the seven days before ``day``, the newest first; from the ring, [n, days, kinds]."""
    places = [(day - back) % RING for back in range(1, WRITE_EVERY + 1)]
    days: list[list[int]] = clicks[slots[:, None], places].sum(axis=2, dtype=np.int64).tolist()
    return days


def _seen(run: Run, codes: Codes, ranks: Codes) -> Seen:
    return Seen.of_run(codes, ranks, run.name, run.start if run.known else None)


def _told(probability: float) -> float:
    """An estimate as it was told: rows keep it in four bytes, which hold its six decimals."""
    return round(probability, DECIMALS)


def _change_id(key: tuple[str, str], day: int, level: int) -> str:
    content = f"{len(key[0])}:{key[0]}{key[1]}\0{day}\0{level}".encode()
    return blake2b(content, digest_size=16).hexdigest()


def _habits(cohort: Cohort, places: list[int], day: Today) -> list[Habit]:
    """When some of a cohort's enrolments are usually active, and when the cohort is."""
    profile = day.package.hours.get(cohort.run.name)
    everybody = [] if profile is None else unpack(profile).tolist()
    return [Habit(own, everybody) for own in habits(cohort.hours[places], day.day).tolist()]


def _phase(run: Run, day: int) -> Phase | None:
    """The phase of a run on a day, None where no calendar says when it ends."""
    if not run.ends:
        return None
    return phase_of(min(max((day - run.start) / run.length, 0.0), 1.0))
