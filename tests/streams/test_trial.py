"""A policy tried on the store's past decides what the pipeline decided, and a learner's history tells it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from evaluation.backtest import Backtest
from nudges.policy import REACH_OUT, Cap, Policy
from sinks.address import StoreAddress
from sinks.store import ClickHouseWriter, StoreReader
from sources.simulator import stream
from streams import cli, history, trial
from streams.outputs import Outputs
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
    """What a small term under the policy comes to."""
    found = Outputs()
    Backtest(replace(REPLAY, policy=POLICY), IDENTITY, say=found.extend).run(stream(tiny()))
    return found


@pytest.fixture(scope="module")
def store(said: Outputs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreAddress]:
    with (
        real_server_or_embedded(tmp_path_factory.mktemp("store")) as server,
        fresh_database(server) as address,
        ClickHouseWriter(address) as writer,
    ):
        for table in ("risk_changes", "nudge_ledger", "learner_facts", "nudge_outcomes"):
            writer.write(table, said.rows[table])
        yield address


def test_the_recorded_past_under_the_same_policy_gives_the_same_decisions(
    said: Outputs, store: StoreAddress
) -> None:
    expected = Counter((one.decision, one.reason) for one in said.decisions)
    assert {("send", "sent"), ("hold", "level_not_nudged"), ("hold", "cap_reached")} <= set(expected)
    with StoreReader(store) as reader:
        found = trial.on_store(POLICY, reader, REPLAY.timing.lateness)
    assert found.decided == expected
    assert sum(found.sent.values()) == len(said.nudges)
    assert len(found.changed) == len({one.learner for one in said.decisions})


def test_a_stricter_policy_sends_less_and_says_why(said: Outputs, store: StoreAddress) -> None:
    strict = POLICY.model_copy(update={"campaigns": (REACH_OUT,)})
    with StoreReader(store) as reader:
        found = trial.on_store(strict, reader, REPLAY.timing.lateness)
    assert found.decided["hold", "level_not_nudged"] > 0
    assert sum(found.sent.values()) < len(said.nudges)


def test_a_simulated_term_is_the_pipelines_own() -> None:
    found = trial.on_simulation(POLICY, REPLAY, tiny())
    assert found.decided["send", "sent"] > 0
    assert found.decided["hold", "level_not_nudged"] > 0


def test_a_nudges_life_is_told_from_the_risk_change_on(
    said: Outputs, store: StoreAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    nudge = said.nudges[0]
    with StoreReader(store) as reader:
        moments = history.of_learner(reader, IDENTITY.learner(nudge.learner))
        assert history.of_learner(reader, "nobody") == []
    words = [one.words for one in moments]
    assert words[0] == "enrolled"
    change = next(place for place, one in enumerate(words) if one.startswith("risk low → "))
    decision = next(place for place, one in enumerate(words) if one.startswith("nudge reach-out/plain"))
    assert change < decision
    assert words[decision + 1] == "to be sent by email"
    assert moments[decision].about == nudge.nudge_id
    known = [one for one in moments if one.words.startswith("outcome active_7: ")]
    assert nudge.nudge_id in {one.about for one in known}
    monkeypatch.setenv("HOMEROOM_STORE", store.url())
    told = CliRunner().invoke(cli.app, ["why", IDENTITY.learner(nudge.learner)]).output
    assert f"({nudge.nudge_id[:8]})" in told
