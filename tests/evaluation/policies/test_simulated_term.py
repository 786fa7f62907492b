"""A policy lived in a simulated term: counts, what it is seen to do, and what is true."""

from dataclasses import replace
from pathlib import Path

from typer.testing import CliRunner

from cli import main as cli
from evaluation.policies import simulated_term as trial_term
from evaluation.policies.recorded_past import Strength
from nudges.levels import LevelSettings
from nudges.policy import REACH_OUT, Policy
from sources.simulator import Run, SimulationPlan
from tests.streams.pipeline import REPLAY, START

EARLY = LevelSettings(medium_enter=0.4, medium_leave=0.3, high_enter=0.5, high_leave=0.41)
RULES = replace(REPLAY, levels=EARLY)
PLAN = SimulationPlan((Run("a", "now", START, 8, 400),), seed=5)
EAGER = Policy(
    campaigns=(REACH_OUT.model_copy(update={"transitions": (("low", "high"), ("medium", "high"))}),),
    nudge_while_warming_up=True,
    holdout_share=0.5,
)


def term(strength: Strength, policy: Policy = EAGER, approving: float = 1.0) -> trial_term.TermResult:
    return trial_term.simulate_term(policy, RULES, PLAN, strength, approving)


def test_the_truth_stands_beside_what_is_seen() -> None:
    result = term("strong")
    line = next(line_ for line_ in result.lines if (line_.variant, line_.outcome) == ("all", "active_7"))
    assert result.truth["reach-out", "active_7"] > 0.03
    assert min(line.effect.nudged.known, line.effect.holdout.known) > 20
    assert result.truth["reach-out", "active_7"] in line.effect.interval
    assert line.effect.difference > 0
    assert sum(result.trial.sent.values()) > 20
    assert result.trial.decided["hold", "holdout"] > 20


def test_where_nobody_responds_the_truth_is_nothing() -> None:
    result = term("none")
    assert set(result.truth.values()) == {0.0}


def test_an_instructor_who_never_says_yes_changes_nothing() -> None:
    asking = EAGER.model_copy(
        update={"campaigns": (EAGER.campaigns[0].model_copy(update={"approval": "instructor"}),)}
    )
    never, always = term("strong", asking, 0.0), term("strong", asking, 1.0)
    assert set(never.truth.values()) == {0.0}
    assert not never.trial.sent
    assert never.trial.decided["hold", "declined"] > 20
    assert always.truth["reach-out", "active_7"] > 0.03
    drawn = [next(line_.effect for line_ in result.lines) for result in (never, always)]
    assert drawn[0].nudged.known > 20, "assigned is assigned, whatever the instructor says"


def test_the_command_shows_it(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(Path("nudges/default-policy.yaml").read_text())
    arguments = ["policy", "simulate", str(file), "--learners", "60", "--responding", "strong"]
    printed = CliRunner().invoke(cli.app, arguments, env={"COLUMNS": "250"})
    assert printed.exit_code == 0, printed.output
    assert "true effect" in printed.output
    wrong = CliRunner().invoke(cli.app, [*arguments, "--responding", "mild"])
    assert wrong.exit_code == 2
    assert "mild" in wrong.output
