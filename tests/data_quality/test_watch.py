"""The watch over sources: what it tells, what it does not, and that it goes on where it was left."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from data_quality.companions import count_companions
from data_quality.counts import HOURS, KINDS, Counts, merge_counts, merge_together
from data_quality.detection import ACCEPTED_AFTER
from data_quality.watch import QualityWatch
from features.packed_arrays import pack
from schemas.activity import ACTIVITY_KINDS
from schemas.quality import DataQualityEvent, DayQuality, Fault, SourceCounts

PROFILE = np.array([1, 1, 0, 0, 0, 1, 2, 4, 6, 6, 5, 5, 5, 5, 5, 5, 6, 8, 9, 9, 7, 5, 3, 2], float)
SHARES = np.array([0.2, 0.35, 0.1, 0.02, 0.0, 0.2, 0.01, 0.1, 0.01, 0.01])
WEEKDAYS = np.array([1.3, 1.1, 1.0, 1.0, 1.0, 0.7, 0.9])
RUNS = {"a/1": 300.0, "b/1": 200.0, "c/1": 60.0, "d/1": 4.0}
LENGTH = 120
BREAK = 70

Break = Callable[[int, str, str, Counts], Counts]


def well(_day: int, _source: str, _run: str, counts: Counts) -> Counts:
    return counts


def term(broken: Break = well, seed: int = 1) -> Iterator[tuple[int, dict[tuple[str, str], Counts]]]:
    """Days of four runs seen by two sources."""
    rng = np.random.default_rng(seed)
    for day in range(LENGTH):
        platform = WEEKDAYS[day % 7] * rng.gamma(60, 1 / 60) * (0.45 if 88 <= day < 98 else 1.0)
        counts = {}
        for run, size in RUNS.items():
            for source, share in (("web", 0.7), ("app", 0.3)):
                rate = size * share * platform * (1.2 - day / LENGTH) * rng.gamma(40, 1 / 40)
                hours = rng.poisson(rate * np.outer(SHARES, PROFILE / PROFILE.sum()))
                records = int(hours.sum())
                faults = Counts.none().faults | {
                    "duplicates": int(rng.binomial(records, 0.005)),
                    "without_duration": int(rng.binomial(records, 0.4)),
                }
                counts[source, run] = broken(day, source, run, Counts(hours, faults))
        yield (
            day,
            {
                key: source_counts
                for key, source_counts in counts.items()
                if source_counts.hours.any() or any(source_counts.faults.values())
            },
        )


@dataclass
class Watched:
    events: list[DataQualityEvent] = field(default_factory=list)
    days: dict[int, DayQuality] = field(default_factory=dict)

    def alarms(self) -> list[tuple[int, str, str, str, str | None, str | None]]:
        return [
            (event.day, event.alarm, event.verdict.problem, event.verdict.source, event.verdict.course_run,
             event.verdict.kind)
            for event in self.events
        ]  # fmt: skip


def watch(broken: Break = well, seed: int = 1) -> Watched:
    watched, watching = Watched(), QualityWatch()
    for day, counts in term(broken, seed):
        watched.days[day] = watching.close(day, counts, dict.fromkeys(RUNS, day / LENGTH))
        watched.events += watched.days[day].events
    return watched


def cut(since: int, days: int, source: str = "", run: str = "", kind: str = "", hour: int = 0) -> Break:
    """Nothing comes from ``since``, at an hour, for some days."""

    def broken(day: int, of_source: str, of_run: str, counts: Counts) -> Counts:
        if not since <= day < since + days or (source and of_source != source) or (run and of_run != run):
            return counts
        hours = counts.hours.copy()
        kinds = [ACTIVITY_KINDS.index(kind)] if kind else list(range(KINDS))
        hours[kinds, hour if day == since else 0 :] = 0
        share_left = hours.sum() / max(counts.hours.sum(), 1)
        faults = {fault: round(count * share_left) for fault, count in counts.faults.items()}
        return Counts(hours, faults)

    return broken


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_told_of_a_term_that_is_well(seed: int) -> None:
    """Weekends, a break in which everybody does half, a course that fades, a course of a few learners."""
    assert watch(seed=seed).alarms() == []


def handed_in_at_one(day: int, _source: str, _run: str, counts: Counts) -> Counts:
    """A source without hours, as daily exports are: clicks at noon, and work at one on the days before it is
    due, none in between."""
    hours, submission = np.zeros_like(counts.hours), ACTIVITY_KINDS.index("submission")
    hours[:, 12] = counts.hours.sum(axis=1)
    hours[submission] = 0
    hours[submission, 13] = hours.sum() // 5 if day % 21 >= 17 else 0
    return Counts(hours, counts.faults)


def test_that_nothing_is_handed_in_when_nothing_is_due_is_no_silence() -> None:
    assert watch(handed_in_at_one).alarms() == []


@pytest.mark.parametrize(
    ("broken", "scope"),
    [
        (cut(BREAK, 5, "app"), ("app", None, None)),
        (cut(BREAK, 5, "web", "b/1"), ("web", "b/1", None)),
        (cut(BREAK, 5, "web", kind="content"), ("web", None, "content")),
        (cut(BREAK, 5, "app", hour=14), ("app", None, None)),
    ],
)
def test_what_goes_quiet_is_told_once_on_its_day_and_when_it_is_back(
    broken: Break, scope: tuple[str, str | None, str | None]
) -> None:
    watched = watch(broken)
    assert watched.alarms() == [(BREAK, "opened", "quiet", *scope), (BREAK + 5, "closed", "quiet", *scope)]
    assert [day for day, quality in watched.days.items() if quality.verdicts] == list(range(BREAK, BREAK + 5))
    verdict = watched.days[BREAK + 2].verdicts[0]
    assert verdict.since == BREAK
    assert verdict.course_runs == ([scope[1]] if scope[1] else sorted(RUNS))


def test_a_course_of_a_few_learners_is_told_when_its_silence_has_added_up() -> None:
    alarms = watch(cut(BREAK, 30, run="c/1")).alarms()
    assert alarms[0][1:5] == ("opened", "quiet", "web", "c/1")
    assert BREAK <= alarms[0][0] <= BREAK + 2


def test_all_sources_at_once_are_no_holiday() -> None:
    """The smaller source a day later at most: for a day the other's silence may stand for a holiday."""
    alarms = watch(cut(BREAK, 30)).alarms()
    opened, closed = alarms[:2], alarms[2:]
    assert {(alarm, source) for _, alarm, _, source, *_ in opened} == {("opened", "web"), ("opened", "app")}
    assert BREAK == opened[0][0] <= opened[1][0] <= BREAK + 1
    assert [alarm[:2] for alarm in closed] == [(BREAK + 30, "closed")] * 2


def test_what_stays_changed_is_taken_for_the_new_rhythm_but_not_the_silence_of_a_run() -> None:
    gone = watch(cut(BREAK, LENGTH, "app", "a/1")).alarms()
    assert [(day, alarm) for day, alarm, *_ in gone] == [
        (BREAK, "opened"),
        (BREAK + ACCEPTED_AFTER, "accepted"),
    ]
    silent = watch(cut(BREAK, LENGTH, run="a/1")).alarms()
    assert {alarm for _, alarm, *_ in silent} == {"opened"}


def test_what_is_accepted_of_a_whole_source_is_not_told_of_its_parts() -> None:
    alarms = watch(cut(BREAK, LENGTH, "web")).alarms()
    assert [(day, alarm, *scope) for day, alarm, _, *scope in alarms] == [
        (BREAK, "opened", "web", None, None),
        (BREAK + ACCEPTED_AFTER, "accepted", "web", None, None),
    ]


def lose(share: float, source: str, days: int = 8) -> Break:
    """A share of the events of a source is lost, hour by hour."""
    rng = np.random.default_rng(3)

    def broken(day: int, of_source: str, _run: str, counts: Counts) -> Counts:
        if of_source != source or not BREAK <= day < BREAK + days:
            return counts
        faults = {fault: int(rng.binomial(count, 1 - share)) for fault, count in counts.faults.items()}
        return Counts(rng.binomial(counts.hours, 1 - share), faults)

    return broken


@pytest.mark.parametrize(("source", "share", "within"), [("web", 0.5, 4), ("web", 0.8, 3), ("app", 0.8, 3)])
def test_a_source_that_loses_a_part_of_its_events_is_told_within_days(
    source: str, share: float, within: int
) -> None:
    opened, closed = watch(lose(share, source)).alarms()
    assert opened[1:] == ("opened", "quiet", source, None, None)
    assert BREAK < opened[0] + 1 <= BREAK + within
    assert closed[1:] == ("closed", "quiet", source, None, None)
    assert BREAK + 8 <= closed[0] <= BREAK + 9


def test_the_days_of_a_loss_are_those_since_it_began() -> None:
    days = watch(lose(0.5, "web")).days
    since = {
        verdict.since
        for quality in days.values()
        for verdict in quality.verdicts
        if verdict.problem == "quiet"
    }
    assert len(since) == 1
    assert BREAK - 2 <= since.pop() <= BREAK


def test_what_others_bring_more_is_nobodys_loss() -> None:
    """While they do; that they stop may look like one."""

    def flood(day: int, source: str, _run: str, counts: Counts) -> Counts:
        more = 2 if source == "web" and BREAK <= day < BREAK + 10 else 1
        return Counts(counts.hours * more, counts.faults)

    assert [alarm for alarm in watch(flood).alarms() if alarm[0] < BREAK + 10] == []


@pytest.mark.parametrize(("hours", "is_alarming"), [(2, False), (3, True)])
def test_two_empty_hours_are_nobodys_outage(hours: int, is_alarming: bool) -> None:
    """Sessions bring many events at once, so that an hour or two are empty by chance."""

    def pause(day: int, source: str, _run: str, counts: Counts) -> Counts:
        if source == "web" and day == BREAK:
            counts.hours[:, 18 : 18 + hours] = 0
        return counts

    assert bool(watch(pause).alarms()) == is_alarming


@dataclass(frozen=True)
class Watching:
    day: int
    counts: dict[tuple[str, str], Counts]
    together: dict[str, NDArray[np.int64]]


@dataclass
class Alone:
    """A source that stands alone (or several): learners come by the home page and do some of the rest."""

    sources: tuple[str, ...] = ("web",)
    seed: int = 1

    def days(self, lost: float = 0.0, kinds: tuple[str, ...] = (), source: str = "") -> Iterator[Watching]:
        """A share of the events of these kinds (none: all) is lost for ten days from ``BREAK`` on."""
        rng = np.random.default_rng(self.seed)
        hit = [ACTIVITY_KINDS.index(kind) for kind in kinds] or list(range(KINDS))
        for day in range(LENGTH):
            busy = rng.gamma(9, 1 / 9) * (0.4 if 40 <= day < 50 else 1.0)
            counts: dict[tuple[str, str], Counts] = {}
            together = {}
            for run, learners in (("a/1", 300), ("b/1", 150)):
                clicks = np.zeros((learners, KINDS), np.uint8)
                here = rng.random(learners) < min(0.5 * busy, 1.0)
                shares = {"home": 0.96, "content": 0.5, "forum": 0.4, "quiz": min(0.3 * busy, 1.0)}
                for kind, share in shares.items():
                    clicks[:, ACTIVITY_KINDS.index(kind)] = here & (rng.random(learners) < share)
                of = np.arange(learners) % len(self.sources)
                for index, name in enumerate(self.sources):
                    own = of == index
                    if BREAK <= day < BREAK + 10 and source in ("", name):
                        where = np.ix_(own, hit)
                        clicks[where] = rng.binomial(clicks[where], 1 - lost)
                    hours = np.zeros((KINDS, HOURS), np.int64)
                    hours[:, 12] = clicks[own].sum(axis=0)
                    counts[name, run] = Counts(hours, dict(Counts.none().faults))
                together[run] = count_companions(clicks).astype(np.int64)
            yield Watching(day, counts, together)

    def alarms(self, **lost: Any) -> list[tuple[int, str, str, str, str | None, str | None]]:
        watched, watching = Watched(), QualityWatch()
        for day in self.days(**lost):
            phases = dict.fromkeys(("a/1", "b/1"), day.day / LENGTH)
            watched.events += watching.close(day.day, day.counts, phases, day.together).events
        return watched.alarms()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("sources", [("web",), ("web", "app")])
def test_that_everybody_does_less_is_no_loss_of_a_source_alone(seed: int, sources: tuple[str, ...]) -> None:
    """Ten days on which a few come and do little; and days that differ by a third by themselves."""
    assert Alone(sources, seed).alarms() == []


@pytest.mark.parametrize("lost", [0.5, 0.8])
def test_half_of_the_only_source_is_told_within_days_and_when_it_is_back(lost: float) -> None:
    opened, closed = Alone().alarms(lost=lost)
    assert opened[1:] == ("opened", "quiet", "web", None, None)
    assert BREAK < opened[0] + 1 <= BREAK + 5
    assert closed[1:] == ("closed", "quiet", "web", None, None)
    assert BREAK + 10 <= closed[0] <= BREAK + 11


def test_what_all_sources_lose_alike_is_told_of_each() -> None:
    alarms = Alone(("web", "app")).alarms(lost=0.5)
    assert [alarm[1:4] for alarm in alarms] == [
        ("opened", "quiet", "app"),
        ("opened", "quiet", "web"),
        ("closed", "quiet", "app"),
        ("closed", "quiet", "web"),
    ]


@pytest.mark.parametrize("lost", [0.5, 0.8, 1.0])
def test_what_one_of_several_loses_is_told_of_no_other(lost: float) -> None:
    alarms = Alone(("web", "app")).alarms(lost=lost, source="app")
    assert {source for _, _, _, source, *_ in alarms} == {"app"}


def test_the_loss_of_one_kind_is_not_that_of_the_others() -> None:
    alarms = Alone().alarms(lost=1.0, kinds=("content",))
    assert {alarm[3:] for alarm in alarms} == {("web", None, "content")}


def _faulty(fault: Fault, share: float) -> Break:
    def broken(day: int, source: str, _run: str, counts: Counts) -> Counts:
        if source != "web" or not BREAK <= day < BREAK + 5:
            return counts
        return Counts(counts.hours, counts.faults | {fault: round(int(counts.hours.sum()) * share)})

    return broken


@pytest.mark.parametrize(
    ("fault", "share"),
    [
        ("duplicates", 0.5),
        ("ahead", 0.2),
        ("unknown_kind", 0.3),
        ("without_object", 1.0),
        ("without_duration", 1.0),
    ],
)
def test_faulty_records_are_told(fault: Fault, share: float) -> None:
    alarms = watch(_faulty(fault, share)).alarms()
    assert alarms == [
        (BREAK, "opened", fault, "web", None, None),
        (BREAK + 5, "closed", fault, "web", None, None),
    ]


def test_repeats_affect_nobody_since_they_are_dropped() -> None:
    verdicts = watch(_faulty("duplicates", 0.5)).days[BREAK].verdicts
    assert [verdict.course_runs for verdict in verdicts] == [[]]


def test_work_without_its_object_is_not_known_to_be_handed_in() -> None:
    verdicts = watch(_faulty("without_object", 1.0)).days[BREAK].verdicts
    assert [verdict.course_runs for verdict in verdicts] == [sorted(RUNS)]


def test_runs_that_are_over_are_not_expected() -> None:
    watching, events = QualityWatch(), []
    for day, counts in term():
        on = dict.fromkeys(RUNS if day < BREAK else ["b/1"], day / LENGTH)
        lingering = {
            key: source_counts for key, source_counts in counts.items() if key[1] in on or day < BREAK + 3
        }
        events += watching.close(day, lingering, on).events
    assert events == []


def test_it_goes_on_from_its_state_bit_for_bit() -> None:
    broken, whole = cut(BREAK, 5, "app"), watch(cut(BREAK, 5, "app"))
    watching = QualityWatch()
    for day, counts in term(broken):
        quality = watching.close(day, counts, dict.fromkeys(RUNS, day / LENGTH))
        assert quality == whole.days[day]
        if day in (3, 50, BREAK, BREAK + 2, BREAK + 5):
            stored = DayQuality.model_validate_json(quality.model_dump_json())
            watching = QualityWatch.from_state(stored.rhythm)


def test_evidence_of_a_loss_goes_on_from_its_state_bit_for_bit() -> None:
    whole, watching = QualityWatch(), QualityWatch()
    for day in Alone().days(lost=0.3):
        phases = dict.fromkeys(("a/1", "b/1"), day.day / LENGTH)
        expected = whole.close(day.day, day.counts, phases, day.together)
        quality = watching.close(day.day, day.counts, phases, day.together)
        assert quality == expected
        if day.day in (20, BREAK, BREAK + 1, BREAK + 5):
            watching = QualityWatch.from_state(
                DayQuality.model_validate_json(quality.model_dump_json()).rhythm
            )


def test_what_was_done_together_is_added_up_in_any_order() -> None:
    first = {"a/1": pack(np.ones((2, KINDS), np.int32))}
    second = {"b/1": pack(np.ones((2, KINDS), np.int32)), "a/1": pack(np.full((2, KINDS), 3, np.int32))}
    merged = merge_together([second, first])
    assert [*merged] == [*merge_together([first, second])] == ["a/1", "b/1"]
    assert (merged["a/1"] == 4).all()
    with pytest.raises(ValueError, match="together of 'a/1': expected counts of shape"):
        merge_together([{"a/1": pack(np.ones((1, KINDS), np.int32))}])


def test_counts_are_added_up_in_any_order() -> None:
    hours = np.arange(KINDS * HOURS, dtype=np.int32).reshape(KINDS, HOURS)
    first = SourceCounts(source="web", course_run="a/1", hours=pack(hours), faults={"duplicates": 2})
    second = SourceCounts(source="app", course_run="a/1", hours=pack(hours))
    merged = merge_counts([first, second, first])
    assert list(merged) == list(merge_counts([second, first, first])) == [("app", "a/1"), ("web", "a/1")]
    assert (merged["web", "a/1"].hours == 2 * hours).all()
    assert merged["web", "a/1"].faults["duplicates"] == 4
    with pytest.raises(ValueError, match="source counts of 'web': expected counts of shape"):
        merge_counts([first.model_copy(update={"hours": pack(hours[:2])})])
