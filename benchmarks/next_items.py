"""How often returning learners of OULAD did what the recommender would have suggested.

    python -m benchmarks.next_items DIR [RUN …]

Test then train, day by day: each return of a day is evaluated with the table of the day before, and only
then learned from. A hit is the item that was the learner's first new one. The baselines are the most frequent
items of the run and random ones; all three leave out what the learner has done. OULAD has days without hours,
so a day's order is that of its items' names, which affects learners and suggestions alike.
"""

import random
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path

import orjson

from online_models.recommender import Recommender, Table, Trail, Transitions, item_shares, learn
from schemas.fields import DAY_S
from sources.oulad import OuladFolder

PRESENTATIONS = ("AAA/2013J", "BBB/2013J", "CCC/2014B", "DDD/2013J", "EEE/2013J", "FFF/2013J", "GGG/2013J")
"""One run of each module."""
METHODS = ("recommender", "most frequent", "by chance")
Step = tuple[int, str, str, str]
"""Day, course run, learner, item."""


@dataclass
class Hits:
    """Hits of the first suggestion, and among the first three, by way of suggesting."""

    returns: int = 0
    first: Counter[str] = field(default_factory=Counter)
    three: Counter[str] = field(default_factory=Counter)

    def record(self, way: str, suggested: Iterable[str], actual: str) -> None:
        top = list(islice(dict.fromkeys(suggested), 3))
        self.first[way] += top[:1] == [actual]
        self.three[way] += actual in top


def steps_of(folder: Path, course_run: str) -> Iterator[Step]:
    """Learners' steps in a course run, day by day."""
    oulad = OuladFolder(folder)
    presentations = [run for run in oulad.presentations if run.course_run == course_run]
    if not presentations:
        available = ", ".join(run.course_run for run in oulad.presentations)
        raise SystemExit(f"{course_run}: no such run in {folder}; there are {available}")
    for message in oulad.stream(presentations):
        if b'"object"' in message.value:
            content = orjson.loads(message.value)
            if content["type"] == "activity":
                day = int(message.occurred_at // DAY_S)
                yield day, content["course_run"], content["learner"], content["object"]


def evaluate(steps: Iterable[Step], seed: int = 1) -> Hits:
    """The hits over a whole stream; each day is evaluated before it is learned from."""
    hits, table, draw = Hits(), Table(), random.Random(seed)
    trails: dict[tuple[str, str], Trail] = {}
    items: dict[str, set[str]] = {}
    for day, day_steps in groupby(steps, key=lambda step: step[0]):
        today = set()
        for position, (_, run, learner, item) in enumerate(day_steps):
            trails.setdefault((run, learner), Trail()).add_step(day, position, item)
            today.add((run, learner, item))
        recommender, transitions = Recommender(table), Transitions()
        most = {run: item_shares(successors) for run, successors in table.items()}
        everything = {run: sorted(names) for run, names in items.items()}
        for run, learner in sorted({(run, learner) for run, learner, _ in today}):
            trail = trails[run, learner]
            before = Trail(trail.last, trail.done)
            transition = trail.close(day)
            if transition is None:
                continue
            transitions[run, *transition] += 1
            if run in table:
                fresh = [item for item in most[run] if not before.has_done(item)]
                chance = [item for item in everything[run] if not before.has_done(item)]
                hits.returns += 1
                hits.record("recommender", recommender.ranked_items(run, before), transition[1])
                hits.record("most frequent", fresh, transition[1])
                hits.record("by chance", draw.sample(chance, min(3, len(chance))), transition[1])
        table = learn(table, transitions)
        for run, _, item in today:
            items.setdefault(run, set()).add(item)
    return hits


def main(arguments: list[str]) -> None:
    folder, *runs = arguments
    print("| run | returns | " + " | ".join(f"{way}: first | three" for way in METHODS) + " |")
    print("|---" * (2 + 2 * len(METHODS)) + "|")
    total = Hits()
    for run in runs or PRESENTATIONS:
        hits = evaluate(steps_of(Path(folder), run))
        _row(run, hits)
        total.returns += hits.returns
        total.first.update(hits.first)
        total.three.update(hits.three)
    _row("all", total)


def _row(name: str, hits: Hits) -> None:
    shares = (f"{counter[way] / hits.returns:.1%}" for way in METHODS for counter in (hits.first, hits.three))
    print(f"| {name} | {hits.returns:,} | " + " | ".join(shares) + " |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
