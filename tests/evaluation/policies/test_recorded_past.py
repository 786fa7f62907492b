"""A policy tried on the store's past decides what the pipeline decided, and a learner's history tells it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cli import learner_history as history
from cli import main as cli
from engine.outputs import Outputs
from evaluation.backtest import Backtest
from evaluation.policies import off_policy as trial_past
from evaluation.policies import recorded_past as trial
from evaluation.policies.off_policy import RecordedDraws
from nudges.choosing import by_weight
from nudges.decisions import decide
from nudges.experiments.retrospect import action
from nudges.learners import Learner
from nudges.policy import REACH_OUT, Cap, Policy, Variant
from sinks.address import StoreAddress
from sinks.store import ClickHouseWriter, StoreReader
from sources.simulator import stream
from tests.nudges.changes import NOON, risk_change
from tests.stores import fresh_database, real_server_or_embedded
from tests.streams.pipeline import IDENTITY, REPLAY, tiny

ANY_RISE = (("low", "medium"), ("low", "high"), ("medium", "high"))
POLICY = Policy(
    campaigns=(REACH_OUT.model_copy(update={"transitions": ANY_RISE}),),
    holdout_share=0.0,
    nudge_while_warming_up=True,
    study_time=None,
    quiet_hours=None,
    caps=(Cap(most=1, days=28),),
)


@pytest.fixture(scope="module")
def outputs() -> Outputs:
    """What a small term under the policy comes to, of learners enough for some to meet the cap."""
    outputs_ = Outputs()
    Backtest(replace(REPLAY, policy=POLICY), IDENTITY, on_outputs=outputs_.extend).run(stream(tiny(30)))
    return outputs_


@pytest.fixture(scope="module")
def store(outputs: Outputs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreAddress]:
    with (
        real_server_or_embedded(tmp_path_factory.mktemp("store")) as server,
        fresh_database(server) as address,
        ClickHouseWriter(address) as writer,
    ):
        for table in ("risk_changes", "risk_history", "nudge_ledger", "learner_facts", "nudge_outcomes"):
            writer.write(table, outputs.rows[table])
        yield address


def test_the_recorded_past_under_the_same_policy_gives_the_same_decisions(
    outputs: Outputs, store: StoreAddress
) -> None:
    expected = Counter((decision.decision, decision.reason) for decision in outputs.decisions)
    assert {("send", "sent"), ("hold", "level_not_nudged"), ("hold", "cap_reached")} <= set(expected)
    with StoreReader(store) as reader:
        result = trial.replay_store(POLICY, reader, REPLAY.timing.lateness)
    assert result.decided == expected
    assert sum(result.sent.values()) == len(outputs.nudges)
    assert len(result.changed) == len({decision.learner for decision in outputs.decisions})


def test_a_stricter_policy_sends_less_and_says_why(outputs: Outputs, store: StoreAddress) -> None:
    strict = POLICY.model_copy(update={"campaigns": (REACH_OUT,)})
    with StoreReader(store) as reader:
        result = trial.replay_store(strict, reader, REPLAY.timing.lateness)
    assert result.decided["hold", "level_not_nudged"] > 0
    assert sum(result.sent.values()) < len(outputs.nudges)


def test_a_nudges_life_is_told_from_the_risk_change_on(
    outputs: Outputs, store: StoreAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    nudge = outputs.nudges[0]
    with StoreReader(store) as reader:
        moments = history.history_of(reader, IDENTITY.learner(nudge.learner))
        assert history.history_of(reader, "nobody") == []
        relieved = next(
            change for change in outputs.risk_changes if any(reason.relief for reason in change.reasons)
        )
        theirs = history.history_of(reader, IDENTITY.learner(relieved.learner))
    assert any("; would help: as for a typical learner of the course (" in moment.text for moment in theirs)
    words = [moment.text for moment in moments]
    assert words[0] == "enrolled"
    first_activity = [
        index for index, text in enumerate(words) if text.startswith("active for the first time")
    ]
    change = next(index for index, text in enumerate(words) if text.startswith("risk low → "))
    decision = next(index for index, text in enumerate(words) if text.startswith("nudge reach-out/plain"))
    assert first_activity[0] < change < decision
    assert any("for the last time" in text for text in words)
    assert words[decision + 1] == "to be sent by email"
    assert moments[decision].nudge_id == nudge.nudge_id
    outcomes = [moment for moment in moments if moment.text.startswith("outcome active_7: ")]
    assert nudge.nudge_id in {moment.nudge_id for moment in outcomes}
    monkeypatch.setenv("HOMEROOM_STORE", store.url())
    printed = CliRunner().invoke(cli.app, ["why", IDENTITY.learner(nudge.learner)]).output
    assert f"({nudge.nudge_id[:8]})" in printed


DRAWN = POLICY.model_copy(
    update={
        "holdout_share": 0.5,
        "campaigns": (
            POLICY.campaigns[0].model_copy(
                update={
                    "variants": tuple(
                        Variant(name=name, suggestions=REACH_OUT.variants[0].suggestions)
                        for name in ("good", "bad")
                    )
                }
            ),
        ),
    }
)


def recorded(count: int) -> RecordedDraws:
    """Draws of ``DRAWN``, where *good* brings back 80 %, *bad* 20 % and nothing 40 %."""
    learners = [f"learner-{number}" for number in range(count)]
    decisions = [
        decide(
            risk_change(learner=learner), Learner(), DRAWN, NOON, choose=by_weight("of the past")
        ).decisions[0]
        for learner in learners
    ]
    chance = {"good": 0.8, "bad": 0.2, "": 0.4}
    rng = np.random.default_rng(1)
    happened = rng.random(count) < [chance[decision.variant] for decision in decisions]
    return RecordedDraws(
        [decision.risk_change_id for decision in decisions],
        [decision.campaign for decision in decisions],
        [action(decision.campaign, decision.variant) for decision in decisions],
        np.array([decision.propensity for decision in decisions]),
        np.arange(count),
        np.arange(count) + 7,
        happened.astype(float),
    )


def decided(policy: Policy, draws: RecordedDraws) -> trial.Trial:
    """The policy in question on the same changes, with draws of its own."""
    result = trial.Trial()
    for name in draws.changes:
        learner = name.split(":")[0]
        result.add(decide(risk_change(learner=learner), Learner(), policy, NOON).decisions)
    return result


def weighing(good: float, bad: float, **more: object) -> Policy:
    (campaign,) = DRAWN.campaigns
    variants = tuple(
        variant.model_copy(update={"weight": weight})
        for variant, weight in zip(campaign.variants, (good, bad), strict=True)
    )
    campaigns = (campaign.model_copy(update={"variants": variants}),)
    return DRAWN.model_copy(update={"campaigns": campaigns, "holdout_share": 0.0} | more)


@pytest.mark.parametrize(("good", "bad", "truth"), [(3, 1, 0.65), (1, 1, 0.5), (1, 9, 0.26)])
def test_what_a_policy_would_have_earned_is_estimated_from_the_draws(
    good: float, bad: float, truth: float
) -> None:
    draws = recorded(4_000)
    policy = weighing(good, bad)
    estimated = trial_past.estimate_outcome(policy, decided(policy, draws), draws, "active_7")
    assert (estimated.draws, estimated.tried) == (4_000, 4_000)
    assert estimated.policy is not None
    assert estimated.nobody is not None
    assert estimated.gained is not None
    for estimate in estimated.policy:
        assert truth in estimate.interval
        assert estimate.interval.high - estimate.interval.low < 0.1
    assert all(0.4 in estimate.interval for estimate in estimated.nobody)
    assert truth - 0.4 in estimated.gained.interval


def test_what_was_never_tried_is_not_yet_known() -> None:
    draws = recorded(1_000)
    (campaign,) = DRAWN.campaigns
    new = campaign.model_copy(update={"name": "another"})
    policy = DRAWN.model_copy(update={"campaigns": (new,), "holdout_share": 0.0})
    estimated = trial_past.estimate_outcome(policy, decided(policy, draws), draws, "active_7")
    assert (estimated.draws, estimated.tried, estimated.policy, estimated.gained) == (1_000, 0, None, None)
    few = recorded(60)
    assert trial_past.estimate_outcome(DRAWN, decided(DRAWN, few), few, "active_7").policy is None


def test_a_policy_that_nudges_nobody_gains_nothing() -> None:
    draws = recorded(1_000)
    strict = DRAWN.model_copy(update={"campaigns": (REACH_OUT.model_copy(update={"reasons": ("score",)}),)})
    estimated = trial_past.estimate_outcome(strict, decided(strict, draws), draws, "active_7")
    assert estimated.gained is not None
    assert (estimated.gained.value, estimated.gained.interval.low, estimated.gained.interval.high) == (
        0,
        0,
        0,
    )


def test_the_command_says_what_would_have_been(
    store: StoreAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMEROOM_STORE", store.url())
    file = tmp_path / "policy.yaml"
    file.write_text(Path("nudges/default-policy.yaml").read_text())
    result = CliRunner().invoke(cli.app, ["policy", "simulate", str(file)], env={"COLUMNS": "250"})
    assert result.exit_code == 0, result.output
    assert "As it would have been at the recorded draws" in result.output
    assert "not yet known" in result.output
