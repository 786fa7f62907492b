"""The next step: learned from those who continued, the same in any order and partition, never a done one."""

import random
from collections import Counter

import orjson
from hypothesis import given
from hypothesis import strategies as st

from online_models.recommender import (
    MAX_OPEN_ITEMS,
    MAX_PAIRS,
    MAX_SUCCESSORS,
    START,
    Recommender,
    Table,
    Trail,
    Transitions,
    item_shares,
    learn,
    merge_transitions,
    transitions_by_run,
)

ITEMS = [f"i{number}" for number in range(MAX_OPEN_ITEMS + 8)]
STEPS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 50), st.sampled_from(ITEMS)), max_size=120)


def trail_of(*days: str) -> tuple[Trail, list[tuple[str, str] | None]]:
    """A trail whose days are strings of items, a letter each; a space is an hour without any."""
    trail, transitions = Trail(), []
    for day, items in enumerate(days):
        for hour, item in enumerate(items):
            if item != " ":
                trail.add_step(day, hour, item)
        transitions.append(trail.close(day))
    return trail, transitions


def test_a_return_leads_from_the_last_item_to_the_first_new_one() -> None:
    _, transitions = trail_of("ab", "", "bacd", "d", "  ae")
    assert transitions == [(START, "a"), None, ("b", "c"), None, ("d", "e")]


def test_where_somebody_stopped_for_good_leads_nowhere() -> None:
    trail, transitions = trail_of("ab", "cz")
    assert trail.last == "z"
    assert all(start != "z" for start, _ in filter(None, transitions))


@given(STEPS, st.randoms(use_true_random=False))
def test_the_order_of_arrival_within_open_days_does_not_matter(
    steps: list[tuple[int, int, str]], draw: random.Random
) -> None:
    shuffled = draw.sample(steps, len(steps))
    trails = []
    for order in (steps, shuffled, [*steps, *shuffled]):
        trail = Trail()
        for day, time, item in order:
            trail.add_step(day, time, item)
        trails.append((trail, [trail.close(day) for day in range(3)]))
    assert trails[0] == trails[1] == trails[2]


def test_a_day_of_more_items_than_are_kept_does_not_depend_on_the_order_either() -> None:
    steps = [(0, number // 2, item) for number, item in enumerate(ITEMS)]
    trails = []
    for seed in range(5):
        trail = Trail()
        for day, time, item in random.Random(seed).sample(steps, len(steps)):
            trail.add_step(day, time, item)
        assert len(trail.days[0].first) == MAX_OPEN_ITEMS
        assert trail.close(0) == (START, "i0")
        assert all(trail.has_done(item) for item in ITEMS)
        trails.append(trail)
    assert all(trail == trails[0] for trail in trails)


@given(STEPS)
def test_a_record_gives_the_same_trail(steps: list[tuple[int, int, str]]) -> None:
    trail = Trail()
    for day, time, item in steps:
        trail.add_step(day, time, item)
    trail.close(0)
    assert Trail.from_record(orjson.loads(orjson.dumps(trail.to_record()))) == trail


@given(st.sets(st.text(min_size=1, max_size=12), max_size=60), st.data())
def test_nothing_that_was_done_is_suggested(items: set[str], data: st.DataObject) -> None:
    done = data.draw(st.sets(st.sampled_from(sorted(items)))) if items else set()
    trail = Trail()
    for time, item in enumerate(sorted(done)):
        trail.add_step(0, time, item)
    trail.close(0)
    table = learn({}, Counter({("run", START, item): 1 for item in items} | {("run", "x", "y"): 1}))
    suggested = Recommender(table).next_item("run", trail)
    assert suggested not in done


def test_the_filter_is_wrong_as_seldom_as_it_says() -> None:
    for done, at_most in ((100, 0.02), (300, 0.30)):
        trail = Trail()
        for number in range(done):
            trail.add_late_step(7, f"item-{number}")
        assert trail.last == START
        assert not trail.has_done("item-0"), "only from the close on"
        assert trail.close(7) is None
        assert trail.last == START
        assert all(trail.has_done(f"item-{number}") for number in range(done))
        wrong = sum(trail.has_done(f"other-{number}") for number in range(5000)) / 5000
        assert at_most / 10 < wrong < at_most


def test_the_own_way_comes_first_and_then_everybodys() -> None:
    followed = Counter(
        {("r", "a", "b"): 300, ("r", "a", "c"): 200, ("r", "x", "z"): 500, ("s", "a", "no"): 999}
    )
    table = learn({}, followed)
    assert item_shares(table["r"]) == {"z": 0.5, "b": 0.3, "c": 0.2}
    recommender = Recommender(table)
    trail, _ = trail_of("a")
    assert recommender.next_item("r", trail) == "b"
    trail, _ = trail_of("ba")
    assert recommender.next_item("r", trail) == "c"
    trail, _ = trail_of("bca")
    assert recommender.next_item("r", trail) == "z"
    trail, _ = trail_of("bcza")
    assert recommender.next_item("r", trail) is None
    assert recommender.next_item("r", Trail()) == "z"
    assert recommender.next_item("another", Trail()) is None


def test_where_few_have_stopped_the_run_says_more() -> None:
    trail, _ = trail_of("a")
    for stopped, expected in ((1, "z"), (300, "b")):
        followed = Counter({("r", "a", "b"): stopped, ("r", "a", "z"): stopped // 2, ("r", "x", "z"): 100})
        assert Recommender(learn({}, followed)).next_item("r", trail) == expected
    once = list(Recommender(learn({}, followed)).ranked_items("r", Trail(last="a")))
    assert once == ["b", "z"], "each item once"


def test_weights_halve_in_a_week_and_go_in_the_end() -> None:
    table = learn({}, Counter({("r", "a", "b"): 8}))
    for _ in range(7):
        table = learn(table, Counter())
    assert abs(table["r"]["a"]["b"] - 4.0) < 0.01
    assert learn({"r": {"a": {"b": 8.0}}}, Counter(), days=7) == {"r": {"a": {"b": 4.0}}}
    for _ in range(300):
        table = learn(table, Counter())
    assert table == {}


@given(
    st.lists(st.tuples(st.sampled_from("rs"), st.sampled_from("abc"), st.sampled_from("xyz")), max_size=80)
)
def test_the_partitions_do_not_matter(steps: list[tuple[str, str, str]]) -> None:
    whole: Transitions = Counter(steps)
    parts: list[Transitions] = [Counter(steps[offset::3]) for offset in range(3)]
    reports = [transitions_by_run(part) for part in reversed(parts)]
    table: Table = {"s": {"a": {"x": 1.5}}}
    assert learn(table, whole) == learn(table, merge_transitions(reports))


def test_the_table_is_bounded() -> None:
    many: Transitions = Counter(
        {
            (f"r{number % 3}", f"from-{number % 700}", f"to-{number}"): 1 + number % 17
            for number in range(40_000)
        }
    )
    table = learn({}, many)
    assert sum(len(after) for run in table.values() for after in run.values()) <= MAX_PAIRS
    assert max(len(after) for run in table.values() for after in run.values()) <= MAX_SUCCESSORS
    assert len(orjson.dumps(table)) < 200_000
