"""The world that answers: the simulator's own days where nothing is sent, the hidden truth where it is."""

from dataclasses import replace

import numpy as np
import pytest

from sources.simulation import engagement
from sources.simulation.cohort import NEVER, WITHDRAWN, Bools, draw
from sources.simulation.plan import Run, RunGenerators
from sources.simulation.responses import NO_RESPONSE, ResponsePlan
from sources.simulation.sessions import KINDS
from sources.simulation.world import World
from sources.simulator import RespondingTerm, SimulationPlan, stream

RUN = Run("maths", "spring", 20_000, 8, 1_500)
ALL_LIKE_IT = ResponsePlan(positive=1.0, negative=0.0, size=2.0, rescue=0.0)
ALL_ARE_PUT_OFF = replace(ALL_LIKE_IT, positive=0.0, negative=1.0)


def days(plan: ResponsePlan, nudge_on: tuple[int, ...] = (), variant: int = 2) -> tuple[World, Bools]:
    """A world lived to its end with everybody nudged on some days, and who was active when."""
    world, days_active = World(RUN, 3, plan), []
    while not world.finished:
        if world.today in nudge_on:
            world.nudge(np.flatnonzero(world.enrolled()), np.full(int(world.enrolled().sum()), variant))
        days_active.append(world.simulate_day().active)
    return world, np.array(days_active)


def test_a_world_left_alone_is_the_simulators_run() -> None:
    draws = RunGenerators(3, RUN)
    alone = [today.active for today in engagement.days(RUN, draw(RUN, draws, len(KINDS)), draws)]
    assert (days(ALL_LIKE_IT)[1] == np.array(alone)).all()
    assert (days(NO_RESPONSE, (10, 20))[1] == np.array(alone)).all()


def test_an_effect_begins_when_it_is_sent_points_where_the_truth_does_and_fades() -> None:
    _, before = days(ALL_LIKE_IT)
    index = 20 - engagement.STUDY_FROM
    for plan, sign in ((ALL_LIKE_IT, 1), (ALL_ARE_PUT_OFF, -1)):
        _, after = days(plan, (20,))
        assert (after[:index] == before[:index]).all()
        more = sign * (after[index:].mean(axis=1) - before[index:].mean(axis=1))
        assert more[0] > 0.08
        assert more[0] > 2 * more[6:12].mean()


def test_each_further_nudge_does_less() -> None:
    index = 40 - engagement.STUDY_FROM
    _, none = days(ALL_LIKE_IT)
    gains = []
    for earlier in ((), (19,), (1, 10, 19)):
        _, without = days(ALL_LIKE_IT, earlier)
        _, nudged = days(ALL_LIKE_IT, (*earlier, 40))
        gains.append(nudged[index].mean() - without[index].mean())
    assert gains[0] > gains[1] > gains[2] > 0
    assert none.any()


def test_the_variant_that_fits_the_situation_does_more() -> None:
    world, before = days(ALL_LIKE_IT)
    index = 30 - engagement.STUDY_FROM
    responding = World(RUN, 3, ALL_LIKE_IT)
    while responding.today < 30:
        responding.simulate_day()
    missed = responding.situation() == 1
    assert 0.1 < missed.mean() < 0.9
    gains = [days(ALL_LIKE_IT, (30,), variant)[1][index].astype(float) - before[index] for variant in (0, 1)]
    assert gains[0][~missed].mean() > gains[1][~missed].mean()
    assert gains[1][missed].mean() > gains[0][missed].mean()
    assert world.finished


def test_fates_change_in_the_direction_of_the_response_and_only_for_those_nudged() -> None:
    without, _ = days(ALL_LIKE_IT)
    stays, _ = days(replace(ALL_LIKE_IT, rescue=0.5), (10,))
    leaves, _ = days(replace(ALL_ARE_PUT_OFF, rescue=0.5), (10,))
    gone = [int((world.cohort.withdrawn < NEVER).sum()) for world in (stays, without, leaves)]
    assert gone[0] < gone[1] < gone[2]
    changed = leaves.cohort.outcome != without.cohort.outcome
    assert set(leaves.cohort.outcome[changed].tolist()) == {WITHDRAWN}
    assert (leaves.nudges[changed] == 1).all()
    assert (leaves.cohort.withdrawn[changed] == 13).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"positive": 0.9, "negative": 0.2}, "expected shares of a whole"),
        ({"decay": 1.5}, "decay is 1.5; expected 0 to 1"),
        ({"half_life": 0.0}, "half_life"),
        ({"fit": ((1.0,), (1.0, 2.0))}, "fit is"),
    ],
)
def test_what_cannot_be_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(ResponsePlan(), **changes)  # type: ignore[arg-type]


SUMMER = replace(RUN, name="summer", starts_on=20_010, learners=40)
PLAN = SimulationPlan((replace(RUN, learners=60), SUMMER), 3)


def test_a_term_left_alone_is_the_plans_byte_for_byte() -> None:
    assert list(RespondingTerm(PLAN, ALL_LIKE_IT).stream()) == list(stream(PLAN))


def test_a_term_answers_from_the_day_after_and_only_where_it_was_nudged() -> None:
    term, alone, nudged = RespondingTerm(PLAN, ALL_LIKE_IT), list(stream(PLAN)), []
    sent_at, next_day = (RUN.starts_on + 10) * 86_400 + 6 * 3600, (RUN.starts_on + 11) * 86_400
    spring = term.worlds["maths/spring"]
    for message in term.stream():
        if message.occurred_at >= sent_at and not spring.nudges.any():
            for index in range(60):
                term.nudge(f"sim-maths-spring-{index:06}", "maths/spring", 2)
        nudged.append(message)
    before, after = (
        [message for message in messages if message.occurred_at < next_day] for messages in (alone, nudged)
    )
    assert before == after
    summer = [
        [message.value for message in messages if b"maths/summer" in message.value]
        for messages in (alone, nudged)
    ]
    assert summer[0] == summer[1]
    days = [
        len({(message.key, message.occurred_at // 86_400) for message in messages})
        for messages in (alone, nudged)
    ]
    assert days[1] > days[0] + 20, "active on more days"
    with pytest.raises(KeyError):
        term.nudge("nobody", "maths/spring", 0)
