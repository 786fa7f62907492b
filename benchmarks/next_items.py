"""Hit rate of the recommender on OULAD: how often returning learners did the recommended item.

    python -m benchmarks.next_items DIR [RUN …]

Test then train, day by day: each return of a day is compared with the table of the day before, and only then
learned from. A hit is the learner's first new item. Baselines are the most frequent next items of the run,
and random items of the run; all three omit items that the learner has done. OULAD has days without hours, so
the steps of a day are ordered by the names of their items.
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
    """Hits of the first, and of the first three recommendations, by method."""

    returns: int = 0
    first: Counter[str] = field(default_factory=Counter)
    three: Counter[str] = field(default_factory=Counter)

    def add(self, method: str, suggested: Iterable[str], done: str) -> None:
        top = list(islice(dict.fromkeys(suggested), 3))
        self.first[method] += top[:1] == [done]
        self.three[method] += done in top


def steps_of(folder: Path, course_run: str) -> Iterator[Step]:
    """Learners' steps in a course run, day by day."""
    oulad = OuladFolder(folder)
    presentations = [run for run in oulad.presentations if run.course_run == course_run]
    if not presentations:
        names = ", ".join(presentation.course_run for presentation in oulad.presentations)
        raise SystemExit(f"{course_run}: no such run in {folder}; there are {names}")
    for message in oulad.stream(presentations):
        if b'"object"' in message.value:
            content = orjson.loads(message.value)
            if content["type"] == "activity":
                day = int(message.occurred_at // DAY_S)
                yield day, content["course_run"], content["learner"], content["object"]


def evaluate(steps: Iterable[Step], seed: int = 1) -> Hits:
    """The hits on a whole stream, each day evaluated before it is learned from."""
    hits, table, rng = Hits(), Table(), random.Random(seed)
    trails: dict[tuple[str, str], Trail] = {}
    items: dict[str, set[str]] = {}
    for day, steps_of_day in groupby(steps, key=lambda step: step[0]):
        today = set()
        for position, (_, run, learner, item) in enumerate(steps_of_day):
            trails.setdefault((run, learner), Trail()).add_step(day, position, item)
            today.add((run, learner, item))
        recommender, transitions = Recommender(table), Transitions()
        shares = {run: item_shares(successors) for run, successors in table.items()}
        all_items = {run: sorted(names) for run, names in items.items()}
        for run, learner in sorted({(run, learner) for run, learner, _ in today}):
            trail = trails[run, learner]
            before = Trail(trail.last, trail.done)
            transition = trail.close(day)
            if transition is None:
                continue
            transitions[run, *transition] += 1
            if run in table:
                not_done = [item for item in shares[run] if not before.has_done(item)]
                candidates = [item for item in all_items[run] if not before.has_done(item)]
                hits.returns += 1
                hits.add("recommender", recommender.ranked_items(run, before), transition[1])
                hits.add("most frequent", not_done, transition[1])
                hits.add("by chance", rng.sample(candidates, min(3, len(candidates))), transition[1])
        table = learn(table, transitions)
        for run, _, item in today:
            items.setdefault(run, set()).add(item)
    return hits


def main(arguments: list[str]) -> None:
    folder, *named = arguments
    print("| run | returns | " + " | ".join(f"{method}: first | three" for method in METHODS) + " |")
    print("|---" * (2 + 2 * len(METHODS)) + "|")
    total = Hits()
    for run in named or PRESENTATIONS:
        hits = evaluate(steps_of(Path(folder), run))
        _row(run, hits)
        total.returns += hits.returns
        total.first.update(hits.first)
        total.three.update(hits.three)
    _row("all", total)


def _row(name: str, hits: Hits) -> None:
    shares = (
        f"{counted[method] / hits.returns:.1%}" for method in METHODS for counted in (hits.first, hits.three)
    )
    print(f"| {name} | {hits.returns:,} | " + " | ".join(shares) + " |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
