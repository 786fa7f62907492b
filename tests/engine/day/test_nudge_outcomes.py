"""Decisions are followed until it is known what became of them, in the processor and in event time."""

from dataclasses import replace
from typing import Any

import pytest

from engine.outputs import Outputs
from engine.processor import PartitionProcessor
from engine.rules import Rules
from engine.state.partition_state import PartitionState
from evaluation.backtest import Backtest
from features.packed_arrays import unpack
from nudges.experiments.bandit import INPUTS
from nudges.experiments.outcomes import STAGES
from nudges.experiments.report import OutcomeCount, effect_lines
from nudges.levels import LevelSettings
from nudges.policy import REACH_OUT, Policy, Variant
from online_models.labels import FORGOTTEN_AFTER, SILENCE_HORIZON
from schemas.nudge import Nudge
from sources.simulator import RespondingTerm, ResponsePlan, Run, SimulationPlan, stream
from tests.engine.test_processor import EAGER, Bench, calendar, click, fact, sorted_by_time, ticks
from tests.streams.pipeline import IDENTITY, START, Record, batch_of, logs_of, play, tiny

DAYS = 60
LEVELS = LevelSettings(medium_enter=0.4, medium_leave=0.3, high_enter=0.5, high_leave=0.41)
"""Reached in the middle of the run by the recency prior of a learner who has stopped."""
OPEN_LEVELS = LevelSettings(medium_enter=0.1, medium_leave=0.05, high_enter=0.2, high_leave=0.15)
"""The same for a run without an end."""
NUDGED = replace(EAGER, levels=LEVELS)
HELD = replace(NUDGED, policy=EAGER.policy.model_copy(update={"holdout_share": 1.0}))


def silent_from(day: int, *more: Record, until: int = DAYS + 3) -> list[Record]:
    """A learner who stops, and what happens besides."""
    clicks = [click(active_day + 0.5) for active_day in range(day)]
    return sorted_by_time([calendar(days=DAYS), fact("enrolled", -1), *clicks, *more, *ticks(until)])


def outcomes(bench: Bench) -> dict[str, dict[str, Any]]:
    return {row["outcome"]: row for row in bench.rows("nudge_outcomes")}


def decided_on(bench: Bench) -> int:
    """The day of the run on which chance decided."""
    (day,) = {row["decided"].toordinal() - 719_163 - START for row in bench.rows("nudge_outcomes")}
    return int(day)


@pytest.mark.parametrize(("rules", "arm"), [(NUDGED, "nudged"), (HELD, "holdout")], ids=["nudged", "held"])
def test_a_silent_learner_s_whole_life(rules: Any, arm: str) -> None:
    bench = Bench(rules).feed(silent_from(10, fact("completed", DAYS + 1.1, result="fail")))
    by_outcome = outcomes(bench)
    assert list(by_outcome) == ["active_7", "active_14", "exit", "completion"]
    assert {name: row["happened"] for name, row in by_outcome.items()} == {
        "active_7": False,
        "active_14": False,
        "exit": True,  # failed after long silence
        "completion": False,
    }
    decided = decided_on(bench)
    days_after = {
        name: row["known"].toordinal() - 719_163 - START - decided for name, row in by_outcome.items()
    }
    assert (days_after["active_7"], days_after["active_14"]) == (6, 13)
    assert days_after["exit"] == days_after["completion"] == DAYS + 1 - decided
    assert {(row["arm"], row["first"], row["learner"]) for row in by_outcome.values()} == {
        (arm, True, IDENTITY.learner("l"))
    }
    ledger = {row["decision_id"] for row in bench.rows("nudge_ledger")}
    assert {row["decision_id"] for row in by_outcome.values()} <= ledger
    assert bench.processor.state.exposures == {}, "let go when all is known"


def test_who_comes_back_in_the_second_week_did_not_in_the_first() -> None:
    decided = decided_on(Bench(NUDGED).feed(silent_from(10)))
    for back, expected in ((0, (True, True)), (6, (True, True)), (7, (False, True)), (14, (False, False))):
        bench = Bench(NUDGED).feed(silent_from(10, click(decided + back + 0.7), until=decided + 16))
        by_outcome = outcomes(bench)
        assert (by_outcome["active_7"]["happened"], by_outcome["active_14"]["happened"]) == expected, back


def test_an_end_without_a_result_is_waited_for_and_a_withdrawal_too() -> None:
    left = Bench(NUDGED).feed(silent_from(10, fact("withdrawn", DAYS - 5), until=DAYS - 1))
    assert set(outcomes(left)) == {"active_7", "active_14"}
    left.feed(ticks(DAYS + 2, DAYS))
    assert outcomes(left)["exit"]["happened"]
    silent = Bench(NUDGED).feed(silent_from(10, until=DAYS + SILENCE_HORIZON))
    assert "exit" not in outcomes(silent)
    silent.feed(ticks(DAYS + SILENCE_HORIZON + 2, DAYS + SILENCE_HORIZON + 1))
    assert outcomes(silent)["exit"]["happened"]
    back = Bench(NUDGED).feed(silent_from(10, click(DAYS - 3), until=DAYS + SILENCE_HORIZON + 2))
    assert "exit" not in outcomes(back), "nobody can say"
    assert back.processor.state.exposures == {}


def test_what_is_followed_survives_a_restart() -> None:
    records = silent_from(10, fact("completed", DAYS + 1.1, result="pass"))
    whole, moved = Bench(NUDGED).feed(records), Bench(NUDGED)
    stored: dict[bytes, bytes] = {}
    for index, record in enumerate(records):
        moved.feed([record])
        if index % 7 == 0:
            for key, value in moved.processor.checkpoint(1):
                stored.pop(key, None)
                if value is not None:
                    stored[key] = value
            state = PartitionState.restore(IDENTITY, stored.items())
            moved.processor = PartitionProcessor(0, NUDGED, state)
    assert moved.rows("nudge_outcomes") == whole.rows("nudge_outcomes") != []


def test_a_nudged_learner_teaches_only_what_nobody_changed() -> None:
    end = fact("completed", DAYS + 1.1, result="pass")
    left_alone = Bench(replace(NUDGED, policy=Policy())).feed(silent_from(10, end))
    nudged, held = Bench(NUDGED).feed(silent_from(10, end)), Bench(HELD).feed(silent_from(10, end))
    decided = START + decided_on(nudged)
    plain, after, as_held = (
        {example.day: example.weight for example in bench.examples} for bench in (left_alone, nudged, held)
    )
    assert min(plain) <= decided < max(plain)
    assert after == {day: weight for day, weight in plain.items() if day > decided}
    assert as_held == plain, "a holdout of everybody speaks for nobody else"
    recorded = Bench(replace(NUDGED, nudges_delivered=False)).feed(silent_from(10, end))
    assert {example.day: example.weight for example in recorded.examples} == plain, "no nudge reached anybody"


def test_outcomes_teach_which_variant_does_better() -> None:
    records = silent_from(10)
    bench = Bench(NUDGED).feed(records[:-1])
    bench.processor.apply(batch_of(records[-1:], bench.offset))
    choices = bench.close().choices
    (name,) = choices
    sums = unpack(choices[name])
    assert name == "reach-out/plain"
    assert sums.shape == (len(INPUTS), len(INPUTS) + 1)
    assert (sums[0, 0], sums[0, -1]) == (1, 0), "one outcome, and the learner did not come back"


def test_who_is_back_by_now_teaches_before_the_week_is_over() -> None:
    """Stage by stage, one decision: back on its third day; on the seventh it is an outcome."""
    decided = decided_on(Bench(NUDGED).feed(silent_from(10)))
    records = silent_from(10, click(decided + 2.7), until=decided + 9)
    bench = Bench(NUDGED)
    bench.feed(records)
    early = {
        report.day - START - decided: unpack(report.early["reach-out/plain"])
        for report in bench.packages
        if report.early
    }
    assert list(early) == [0, 1, 2, 3, 4, 5]
    for days, sums in early.items():
        assert sums.shape == (STAGES - 1, len(INPUTS), len(INPUTS) + 1)
        assert sums[days, 0, 0] == sums[:, 0, 0].sum() == 1
        assert sums[days, 0, -1] == (days >= 2)


def learning() -> Rules:
    """Many nudges, half of them held back, and two variants chosen by what became of those before."""
    texts = REACH_OUT.variants[0].suggestions
    variants = tuple(Variant(name=name, suggestions=texts) for name in ("short", "long"))
    campaign = REACH_OUT.model_copy(update={"variants": variants, "choosing": "outcomes"})
    policy = EAGER.policy.model_copy(update={"campaigns": (campaign,), "holdout_share": 0.5})
    return replace(EAGER, levels=LEVELS, policy=policy)


def test_partitions_and_crashes_change_neither_outcomes_nor_choices() -> None:
    messages, rules = list(stream(tiny(20))), learning()
    reference = play(logs_of(messages), rules=rules)
    rows = [dict(row[1:]) for row in reference.of("nudge_outcomes")]
    assert len(rows) > 50
    nudged = {row["propensity"] for row in rows if row["arm"] == "nudged"}
    assert nudged > {0.25}, "the first are drawn alike, later ones are not"
    apart = play(logs_of(messages, 3), rules=rules)
    moments = [(partition, step) for partition in range(2) for step in range(5, 150, 9)]
    crashed = play(
        logs_of(messages, 2),
        rules=rules,
        checkpoints=frozenset(moments[::2]),
        crashes=frozenset(moments[1::3]),
    )
    for other in (apart, crashed):
        assert other.messages == reference.messages
        assert other.estimates() == reference.estimates()
        assert other.contradictions == []


def test_learners_who_answer_show_in_the_outcomes() -> None:
    """The whole way round: a simulated term, decisions, nudges that reach it, outcomes, and the effect."""
    plan = SimulationPlan((Run("a", "now", START, 8, 700),), seed=5)
    likes = ResponsePlan(positive=1.0, negative=0.0, size=4.0, fit=((1.0, 1.0), (1.0, 1.0)))
    term, rows = RespondingTerm(plan, likes), list[OutcomeCount]()

    def collect(outputs: Outputs) -> None:
        for nudge in outputs.nudges:
            assert isinstance(nudge, Nudge)
            term.nudge(nudge.learner, nudge.course_run, ("short", "long").index(nudge.variant))
        columns = outputs.rows.get("nudge_outcomes", {})
        names = ("campaign", "variant", "arm", "outcome", "happened", "first")
        for campaign, variant, arm, outcome, happened, first in zip(
            *(columns.get(name, []) for name in names), strict=True
        ):
            if first:
                rows.append(OutcomeCount(campaign, variant, arm, outcome, 1, int(happened)))

    Backtest(learning(), IDENTITY, on_outputs=collect, batch=200).run(term.stream())
    (effect,) = (
        line.effect for line in effect_lines(rows) if (line.variant, line.outcome) == ("all", "active_7")
    )
    assert min(effect.nudged.known, effect.holdout.known) > 50
    assert effect.difference > 0.1


def test_in_a_run_without_an_end_only_what_is_needed_is_kept() -> None:
    """A learner who falls silent again and again, and is nudged each time; then they are let go."""
    active = [day for day in range(400) if day % 40 < 12]
    records = [calendar(ends_at=None), fact("enrolled", 0), *(click(day + 0.5) for day in active)]
    rules = replace(NUDGED, policy=EAGER.policy.model_copy(update={"caps": ()}), levels=OPEN_LEVELS)
    bench = Bench(rules).feed(sorted_by_time([*records, *ticks(400)]))
    decided = [decision for decision in bench.outputs.decisions if decision.decision == "send"]
    assert len(decided) > 5
    (kept,) = bench.processor.state.exposures.values()
    assert 1 < len(kept) <= 4
    assert [bool(exposure[7]) for exposure in kept] == [True] + [False] * (len(kept) - 1)
    bench.feed(ticks(400 + FORGOTTEN_AFTER, since=401))
    assert (bench.processor.state.slots, bench.processor.state.exposures) == ({}, {})
