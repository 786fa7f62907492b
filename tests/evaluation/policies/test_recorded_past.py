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
def said() -> Outputs:
    """What a small term under the policy comes to, of learners enough for some to meet the cap."""
    found = Outputs()
    Backtest(replace(REPLAY, policy=POLICY), IDENTITY, on_outputs=found.extend).run(stream(tiny(30)))
    return found


@pytest.fixture(scope="module")
def store(said: Outputs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreAddress]:
    with (
        real_server_or_embedded(tmp_path_factory.mktemp("store")) as server,
        fresh_database(server) as address,
        ClickHouseWriter(address) as writer,
    ):
        for table in ("risk_changes", "risk_history", "nudge_ledger", "learner_facts", "nudge_outcomes"):
            writer.write(table, said.rows[table])
        yield address


def test_the_recorded_past_under_the_same_policy_gives_the_same_decisions(
    said: Outputs, store: StoreAddress
) -> None:
    expected = Counter((one.decision, one.reason) for one in said.decisions)
    assert {("send", "sent"), ("hold", "level_not_nudged"), ("hold", "cap_reached")} <= set(expected)
    with StoreReader(store) as reader:
        found = trial.replay_store(POLICY, reader, REPLAY.timing.lateness)
    assert found.decided == expected
    assert sum(found.sent.values()) == len(said.nudges)
    assert len(found.changed) == len({one.learner for one in said.decisions})


def test_a_stricter_policy_sends_less_and_says_why(said: Outputs, store: StoreAddress) -> None:
    strict = POLICY.model_copy(update={"campaigns": (REACH_OUT,)})
    with StoreReader(store) as reader:
        found = trial.replay_store(strict, reader, REPLAY.timing.lateness)
    assert found.decided["hold", "level_not_nudged"] > 0
    assert sum(found.sent.values()) < len(said.nudges)


def test_a_nudges_life_is_told_from_the_risk_change_on(
    said: Outputs, store: StoreAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    nudge = said.nudges[0]
    with StoreReader(store) as reader:
        moments = history.of_learner(reader, IDENTITY.learner(nudge.learner))
        assert history.of_learner(reader, "nobody") == []
        relieved = next(one for one in said.risk_changes if any(why.relief for why in one.reasons))
        theirs = history.of_learner(reader, IDENTITY.learner(relieved.learner))
    assert any("; would help: as for a typical learner of the course (" in one.words for one in theirs)
    words = [one.words for one in moments]
    assert words[0] == "enrolled"
    seen = [place for place, one in enumerate(words) if one.startswith("active for the first time")]
    change = next(place for place, one in enumerate(words) if one.startswith("risk low → "))
    decision = next(place for place, one in enumerate(words) if one.startswith("nudge reach-out/plain"))
    assert seen[0] < change < decision
    assert any("for the last time" in one for one in words)
    assert words[decision + 1] == "to be sent by email"
    assert moments[decision].about == nudge.nudge_id
    known = [one for one in moments if one.words.startswith("outcome active_7: ")]
    assert nudge.nudge_id in {one.about for one in known}
    monkeypatch.setenv("HOMEROOM_STORE", store.url())
    told = CliRunner().invoke(cli.app, ["why", IDENTITY.learner(nudge.learner)]).output
    assert f"({nudge.nudge_id[:8]})" in told


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
        decide(risk_change(learner=who), Learner(), DRAWN, NOON, choose=by_weight("of the past")).decisions[0]
        for who in learners
    ]
    chance = {"good": 0.8, "bad": 0.2, "": 0.4}
    rng = np.random.default_rng(1)
    happened = rng.random(count) < [chance[one.variant] for one in decisions]
    return RecordedDraws(
        [one.risk_change_id for one in decisions],
        [one.campaign for one in decisions],
        [action(one.campaign, one.variant) for one in decisions],
        np.array([one.propensity for one in decisions]),
        np.arange(count),
        np.arange(count) + 7,
        happened.astype(float),
    )


def decided(policy: Policy, draws: RecordedDraws) -> trial.Trial:
    """The policy in question on the same changes, with draws of its own."""
    found = trial.Trial()
    for name in draws.changes:
        who = name.split(":")[0]
        found.add(decide(risk_change(learner=who), Learner(), policy, NOON).decisions)
    return found


def weighing(good: float, bad: float, **more: object) -> Policy:
    (campaign,) = DRAWN.campaigns
    variants = tuple(
        one.model_copy(update={"weight": weight})
        for one, weight in zip(campaign.variants, (good, bad), strict=True)
    )
    campaigns = (campaign.model_copy(update={"variants": variants}),)
    return DRAWN.model_copy(update={"campaigns": campaigns, "holdout_share": 0.0} | more)


@pytest.mark.parametrize(("good", "bad", "truth"), [(3, 1, 0.65), (1, 1, 0.5), (1, 9, 0.26)])
def test_what_a_policy_would_have_earned_is_estimated_from_the_draws(
    good: float, bad: float, truth: float
) -> None:
    draws = recorded(4_000)
    policy = weighing(good, bad)
    found = trial_past.estimate_outcome(policy, decided(policy, draws), draws, "active_7")
    assert (found.draws, found.tried) == (4_000, 4_000)
    assert found.policy is not None
    assert found.nobody is not None
    assert found.gained is not None
    for estimate in found.policy:
        assert truth in estimate.interval
        assert estimate.interval.high - estimate.interval.low < 0.1
    assert all(0.4 in estimate.interval for estimate in found.nobody)
    assert truth - 0.4 in found.gained.interval


def test_what_was_never_tried_is_not_yet_known() -> None:
    draws = recorded(1_000)
    (campaign,) = DRAWN.campaigns
    new = campaign.model_copy(update={"name": "another"})
    policy = DRAWN.model_copy(update={"campaigns": (new,), "holdout_share": 0.0})
    found = trial_past.estimate_outcome(policy, decided(policy, draws), draws, "active_7")
    assert (found.draws, found.tried, found.policy, found.gained) == (1_000, 0, None, None)
    few = recorded(60)
    assert trial_past.estimate_outcome(DRAWN, decided(DRAWN, few), few, "active_7").policy is None


def test_a_policy_that_nudges_nobody_gains_nothing() -> None:
    draws = recorded(1_000)
    strict = DRAWN.model_copy(update={"campaigns": (REACH_OUT.model_copy(update={"reasons": ("score",)}),)})
    found = trial_past.estimate_outcome(strict, decided(strict, draws), draws, "active_7")
    assert found.gained is not None
    assert (found.gained.value, found.gained.interval.low, found.gained.interval.high) == (0, 0, 0)


def test_the_command_says_what_would_have_been(
    store: StoreAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMEROOM_STORE", store.url())
    file = tmp_path / "policy.yaml"
    file.write_text(Path("nudges/default-policy.yaml").read_text())
    told = CliRunner().invoke(cli.app, ["policy", "simulate", str(file)], env={"COLUMNS": "250"})
    assert told.exit_code == 0, told.output
    assert "As it would have been at the recorded draws" in told.output
    assert "not yet known" in told.output
