"""A whole simulated stream: whatever happens on the way, the same comes out of it."""

import random
from dataclasses import replace
from datetime import date, datetime
from functools import cache

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.processor import PartitionProcessor
from evaluation.backtest import Backtest
from features.packed_arrays import unpack
from nudges.levels import LevelSettings
from nudges.policy import Policy
from online_models.design import Seen
from online_models.intercepts import MILLION
from online_models.memory import HALF_LIFE_DAYS
from online_models.scoring import log_odds_of, scorer_of
from schemas.learning import DayPackage
from schemas.nudge import Nudge
from schemas.risk import RiskChange
from sources.simulator import Run, SimulationPlan, stream
from sources.stream import Published
from tests.streams.pipeline import IDENTITY, REPLAY, START, Moment, Said, logs_of, play, term

EPOCH = date(1970, 1, 1).toordinal()

LEAVERS = SimulationPlan((Run("a", "past", START, 5, 150), Run("a", "now", START + 28, 7, 160)), seed=5)

few = settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@cache
def messages() -> list[Published]:
    return term()


@cache
def reference() -> Said:
    """One partition, large batches, no mishap."""
    return play(logs_of(messages()))


def test_the_stream_is_one_worth_testing_with() -> None:
    outputs = reference()
    assert outputs.contradictions == []
    assert outputs.letters == {}
    assert len(outputs.of("risk_changes")) > 10
    served = {dict(row[1:])["model_state"] for row in outputs.of("risk_history")}
    assert served == {"warming_up", "serving"}, "both kinds of estimates are in it"


@few
@given(seed=st.integers(0, 2**32))
def test_any_batches_give_the_same(seed: int) -> None:
    rng = random.Random(seed)
    outputs = play(logs_of(messages()), size=lambda: rng.choice((1, 7, 100, 3000)))
    assert outputs == reference()


@pytest.mark.parametrize("partitions", [2, 4])
def test_any_number_of_partitions_gives_the_same_estimates(partitions: int) -> None:
    outputs = play(logs_of(messages(), partitions))
    assert outputs.messages == reference().messages
    assert outputs.estimates() == reference().estimates()


def test_the_backtest_gives_the_same() -> None:
    for partitions, batch in ((1, 4000), (3, 50)):
        outputs = Said()
        Backtest(REPLAY, IDENTITY, partitions, say=outputs.hear, batch=batch).run(messages())
        assert outputs.messages == reference().messages
        assert outputs.estimates() == reference().estimates()


@st.composite
def mishaps(draw: st.DrawFn, partitions: int) -> tuple[frozenset[Moment], frozenset[Moment]]:
    """Moments to checkpoint at, and later ones to crash at."""
    moments = st.tuples(st.integers(0, partitions - 1), st.integers(0, 150))
    return (
        frozenset(draw(st.sets(moments, min_size=1, max_size=12))),
        frozenset(draw(st.sets(moments, min_size=1, max_size=6))),
    )


@few
@given(
    which=st.sampled_from((1, 2)).flatmap(lambda n: st.tuples(st.just(n), mishaps(n))),
    seed=st.integers(0, 2**32),
)
def test_a_crash_at_any_moment_changes_nothing(
    which: tuple[int, tuple[frozenset[Moment], frozenset[Moment]]], seed: int
) -> None:
    partitions, (checkpoints, crashes) = which
    rng = random.Random(seed)
    outputs = play(
        logs_of(messages(), partitions),
        size=lambda: rng.choice((20, 300)),
        checkpoints=checkpoints,
        crashes=crashes,
    )
    assert outputs.contradictions == []
    assert outputs.messages == reference().messages
    assert outputs.estimates() == reference().estimates()


@pytest.mark.parametrize("every", [1, 9])
def test_a_crash_after_every_checkpoint_changes_nothing(every: int) -> None:
    """The densest restarts there can be, all through the stream."""
    moments = frozenset((0, step) for step in range(0, 3000, every))
    outputs = play(logs_of(messages()), size=lambda: 100, checkpoints=moments, crashes=moments)
    assert outputs == reference()


@few
@given(seed=st.integers(0, 2**32))
def test_repeats_change_nothing(seed: int) -> None:
    rng = random.Random(seed)
    repeated = [copy for message in messages() for copy in [message] * rng.choice((1, 1, 1, 2, 3))]
    assert play(logs_of(repeated)) == reference()


@few
@given(seed=st.integers(0, 2**32))
def test_disorder_within_the_lateness_changes_no_estimate(seed: int) -> None:
    rng = random.Random(seed)
    lateness = REPLAY.timing.lateness
    late = sorted(messages(), key=lambda message: message.occurred_at + rng.randrange(lateness))
    outputs = play(logs_of(late))
    assert outputs.letters == {}
    assert outputs.messages == reference().messages
    assert outputs.estimates() == reference().estimates()
    assert _hours(outputs) == _hours(reference()), "hourly counts add up to the same"


def suggestions(messages: list[Published], partitions: int) -> dict[str, str | None]:
    """Nudge → what it suggests, of a pass in which every rise is answered."""
    outputs = Said()
    rules = replace(
        REPLAY,
        levels=LevelSettings(0.3, 0.2, 0.4, 0.3, confirm_days=1),
        policy=Policy(caps=(), holdout_share=0.0, nudge_while_warming_up=True),
    )
    Backtest(rules, IDENTITY, partitions, say=outputs.hear).run(messages)
    return {
        message.nudge_id: message.suggestion
        for message in outputs.messages.values()
        if isinstance(message, Nudge)
    }


def test_neither_partitions_nor_disorder_change_a_suggestion() -> None:
    by_nudge = suggestions(messages(), 1)
    assert sum(item is not None for item in by_nudge.values()) > 50
    rng = random.Random(5)
    late = sorted(messages(), key=lambda message: message.occurred_at + rng.randrange(REPLAY.timing.lateness))
    assert suggestions(late, 3) == by_nudge


def _hours(outputs: Said) -> dict[tuple[object, ...], int]:
    sums: dict[tuple[object, ...], int] = {}
    for row in outputs.of("activity_hourly"):
        cell = dict(row[1:])
        key = (cell["course_run"], cell["kind"], cell["hour"])
        sums[key] = sums.get(key, 0) + cell["events"]
    return sums


def test_what_is_served_is_steadied_by_the_days_before_and_the_parts_say_so() -> None:
    """Own estimates asked for outside the pipeline and remembered by hand; the prior is served as it is."""
    memory: dict[tuple[str, str], float] = {}
    served: list[tuple[float, float]] = []
    decay = 0.5 ** (1 / HALF_LIFE_DAYS)

    def watch(_day: int, processors: list[PartitionProcessor], package: DayPackage) -> None:
        for scored in processors[0].scored:
            run = scored.cohort.run
            scorer = scorer_of(package.model).at(package.intercepts.get(run.name, 0.0))
            own = scorer.estimate(Seen.of_run(scored.cohort.codes, scored.ranks, run.name, run.start)).lost
            if scorer.state == "warming_up":
                np.testing.assert_array_equal(scored.probability, own)
                continue
            keys = [processors[0].state.keys[slot] for slot in scored.cohort.slots.tolist()]
            for key, odds, served_probability in zip(keys, log_odds_of(own), scored.probability, strict=True):
                assert key is not None
                memory[key] = decay * memory.get(key, odds) + (1 - decay) * odds
                served.append((served_probability, (memory[key] + odds) / 2))

    outputs = Said()
    Backtest(REPLAY, IDENTITY, say=outputs.hear, watch=watch).run(messages())
    served_probability, expected = np.array(served).T
    assert len(served_probability) > 100
    np.testing.assert_allclose(log_odds_of(served_probability), expected, rtol=0, atol=2e-3)
    changes = [message for message in outputs.messages.values() if isinstance(message, RiskChange)]
    for change in changes:
        odds = log_odds_of(np.array([change.previous_probability, change.probability]))
        assert sum(change.parts.values()) == pytest.approx(odds[1] - odds[0], abs=1e-5)
    serving = [message.parts["memory"] for message in changes if message.model_state == "serving"]
    assert any(serving), "the memory has a part in some change"
    assert all(message.parts["memory"] == 0 for message in changes if message.model_state == "warming_up")


@cache
def leavers() -> list[Published]:
    """A term of which more is served than of the tiny one, and withdrawals come all the time."""
    return list(stream(LEAVERS))


@cache
def withdrawals() -> list[tuple[str, int]]:
    """Course run and day of each, from the messages themselves."""
    outputs = [orjson.loads(message.value) for message in leavers()]
    return [
        (message["course_run"], datetime.fromisoformat(message["occurred_at"]).toordinal() - EPOCH)
        for message in outputs
        if message["type"] == "withdrawn"
    ]


def test_withdrawals_shift_the_runs_that_are_on_and_a_change_says_so() -> None:
    """Exits foretold and withdrawals are counted by hand beside the pipeline."""
    foretold: dict[str, float] = {}
    began: dict[str, int] = {}
    packages: list[DayPackage] = []

    def watch(day: int, processors: list[PartitionProcessor], package: DayPackage) -> None:
        packages.append(package)
        for name, sums in package.leaving.items():
            exits, withdrawn, waiting = unpack(sums)
            exit_days = [
                exit_day
                for run, exit_day in withdrawals()
                if run == name and began.get(name, day) <= exit_day < day
            ]
            assert (exits + waiting) / MILLION == pytest.approx(foretold.get(name, 0.0), abs=1e-3)
            assert withdrawn == len(exit_days)
        model = scorer_of(package.model)
        for scored in processors[0].scored if model.state == "serving" else []:
            of, codes = scored.cohort.run, scored.cohort.codes
            own = model.estimate(Seen.of_run(codes, scored.ranks, of.name, of.start)).exits
            foretold[of.name] = foretold.get(of.name, 0.0) + float(own.sum())
            began.setdefault(of.name, day)

    outputs = Said()
    Backtest(REPLAY, IDENTITY, say=outputs.hear, watch=watch).run(leavers())
    assert any(unpack(sums)[1] for package in packages for sums in package.leaving.values())
    assert len({shift for package in packages for shift in package.intercepts.values()}) >= 10
    changes = [message for message in outputs.messages.values() if isinstance(message, RiskChange)]
    assert any(message.parts["run"] for message in changes if message.model_state == "serving")
    assert all(message.parts["run"] == 0 for message in changes if message.model_state == "warming_up")


def test_who_left_a_run_that_ended_is_counted_once() -> None:
    """Outcomes stay certain for the two months in which late results are waited for."""
    packages: list[DayPackage] = []

    def watch(_day: int, _processors: list[PartitionProcessor], package: DayPackage) -> None:
        packages.append(package)

    Backtest(REPLAY, IDENTITY, watch=watch).run(leavers())
    starts = {run.course_run: run.starts_on for run in LEAVERS.runs}
    withdrawn = sum(exit_day > starts[run] for run, exit_day in withdrawals())
    assert withdrawn > 20
    left, by_withdrawal = unpack(packages[-1].left["a"])
    assert by_withdrawal == withdrawn
    assert withdrawn <= left <= sum(run.learners for run in LEAVERS.runs)
