"""How often learners of OULAD who came back did what the recommender would have suggested to them.

    python -m benchmarks.next_items DIR [RUN …]

Test then train, day by day: each return of a day is judged with the table of the day before, and only then
learned from. A hit is the very item that was the learner's first new one. Beside it what follows most often
anywhere in the run, and one of the run's items by chance; all three leave out what the learner has done.
OULAD has days without hours, so a day's order is that of its items' names, in the learner's and in the
suggestion's favour alike.
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
WAYS = ("recommender", "most frequent", "by chance")
Step = tuple[int, str, str, str]
"""Day, course run, learner, item."""


@dataclass
class Judge:
    """Hits of the first, and of the first three, by way of suggesting."""

    returns: int = 0
    first: Counter[str] = field(default_factory=Counter)
    three: Counter[str] = field(default_factory=Counter)

    def see(self, way: str, suggested: Iterable[str], done: str) -> None:
        found = list(islice(dict.fromkeys(suggested), 3))
        self.first[way] += found[:1] == [done]
        self.three[way] += done in found


def steps_of(folder: Path, presentation: str) -> Iterator[Step]:
    """Learners' steps in a course run, day by day."""
    oulad = OuladFolder(folder)
    chosen = [one for one in oulad.presentations if one.course_run == presentation]
    if not chosen:
        there = ", ".join(one.course_run for one in oulad.presentations)
        raise SystemExit(f"{presentation}: no such run in {folder}; there are {there}")
    for message in oulad.stream(chosen):
        if b'"object"' in message.value:
            content = orjson.loads(message.value)
            if content["type"] == "activity":
                day = int(message.occurred_at // DAY_S)
                yield day, content["course_run"], content["learner"], content["object"]


def judged(steps: Iterable[Step], seed: int = 1) -> Judge:
    """The whole of a stream, each day judged before it is learned from."""
    judge, table, draw = Judge(), Table(), random.Random(seed)
    trails: dict[tuple[str, str], Trail] = {}
    items: dict[str, set[str]] = {}
    for day, found in groupby(steps, key=lambda step: step[0]):
        today = set()
        for place, (_, run, learner, item) in enumerate(found):
            trails.setdefault((run, learner), Trail()).add_step(day, place, item)
            today.add((run, learner, item))
        recommender, made = Recommender(table), Transitions()
        most = {run: item_shares(successors) for run, successors in table.items()}
        everything = {run: sorted(names) for run, names in items.items()}
        for run, learner in sorted({(run, learner) for run, learner, _ in today}):
            trail = trails[run, learner]
            before = Trail(trail.last, trail.done)
            transition = trail.close(day)
            if transition is None:
                continue
            made[run, *transition] += 1
            if run in table:
                fresh = [item for item in most[run] if not before.has_done(item)]
                chance = [item for item in everything[run] if not before.has_done(item)]
                judge.returns += 1
                judge.see("recommender", recommender.ranked_items(run, before), transition[1])
                judge.see("most frequent", fresh, transition[1])
                judge.see("by chance", draw.sample(chance, min(3, len(chance))), transition[1])
        table = learn(table, made)
        for run, _, item in today:
            items.setdefault(run, set()).add(item)
    return judge


def main(arguments: list[str]) -> None:
    folder, *named = arguments
    print("| run | returns | " + " | ".join(f"{way}: first | three" for way in WAYS) + " |")
    print("|---" * (2 + 2 * len(WAYS)) + "|")
    whole = Judge()
    for run in named or PRESENTATIONS:
        judge = judged(steps_of(Path(folder), run))
        _row(run, judge)
        whole.returns += judge.returns
        whole.first.update(judge.first)
        whole.three.update(judge.three)
    _row("all", whole)


def _row(name: str, judge: Judge) -> None:
    shares = (f"{counted[way] / judge.returns:.1%}" for way in WAYS for counted in (judge.first, judge.three))
    print(f"| {name} | {judge.returns:,} | " + " | ".join(shares) + " |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
