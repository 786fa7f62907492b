"""Reasons: every feature has words, near-duplicates share one reason, and the parts are the change."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.bins import bins_of
from features.catalogue import BINS, FEATURES, INDEX, NAMES
from online_models.classifier import RiskClassifier
from online_models.cohorts import rank_table
from online_models.explanations import (
    GROUPS,
    NOT_NEW,
    _as_typical,
    confirmed,
    explain,
    main_reasons,
    middle_of,
    typical_of,
)
from online_models.feature_wording import WORDS, View, describe, sentence
from online_models.scoring import MixedScorer, log_odds_of
from schemas.risk import MEMORY, MODEL, RUN
from tests.online_models.examples import F, enrolments, seeded, seen_of


def view(**values: float) -> View:
    """An ordinary enrolment, with the given values."""
    ordinary = {"clicks_all": 300, "due": 4, "ahead": 0, "missed": 0.25, "score_mean": 0.7} | values
    codes = np.zeros(F, np.uint8)
    for name, number in ordinary.items():
        codes[INDEX[name]] = bins_of(FEATURES[INDEX[name]], np.array([number]))[0]
    return View(codes, np.full(F, 127, np.uint8))


def moved(**contributions: float) -> NDArray[np.float64]:
    parts = np.zeros(F)
    for name, part in contributions.items():
        parts[INDEX[name]] = part
    return parts


def test_every_feature_has_words() -> None:
    assert set(WORDS) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_value_of_every_feature_reads_as_a_clause(name: str) -> None:
    for bin_ in range(BINS):
        base = view()
        base.codes[INDEX[name]] = bin_
        words = describe(INDEX[name], base)
        assert re.fullmatch(r"[a-z0-9].{6,90}[^.\s]", words), words
        assert not re.search(r"\b1 (days|clicks|minutes|deadlines|tasks|kinds)\b|nan|-\d|_|  ", words), words


@pytest.mark.parametrize(
    ("name", "number", "words"),
    [
        ("silence", 9, "no activity for 9 days"),
        ("silence", 1, "no activity for 1 day"),
        ("silence", 0, "active on the last day"),
        ("clicks_7", 12, "12 clicks in the last 7 days"),
        ("clicks_1", 0, "no clicks in the last day"),
        ("active_days_7", 7, "active on 7 of the last 7 days"),
        ("active_days_28", 11, "active on 11 of the last 28 days"),
        ("forum_28", 3, "3 clicks (forum) in the last 28 days"),
        ("missed", 0.5, "50 % of deadlines missed"),
        ("missed", 1, "100 % of deadlines missed"),
        ("missed_last", 2, "2 deadlines missed in a row"),
        ("missed_last", 1, "the last deadline missed"),
        ("missed_last", 0, "the last deadline met"),
        ("kinds_28", 0, "no activity of any kind in the last 28 days"),
        ("kinds_28", 1, "1 kind of activity in the last 28 days"),
        ("silence_own", 3.5, "silent 3.5 times as long as usual for this learner"),
        ("ewma_2", 0, "active on 0 % of the days of the last few days"),
        ("trend_7", -2, "4 times less activity in the last week than in the three weeks before"),
        ("trend_7", 0, "about as active in the last week as in the three weeks before"),
        ("lead", 31, "registered about 28 days before the start"),
        ("lead", -5, "registered about 8 days after the start"),
        ("early", -3, "work handed in 3 days after the deadline on average"),
        ("next_due", 1, "next deadline in 1 day"),
        ("phase", -0.1, "the course has not begun"),
    ],
)
def test_words_say_the_number(name: str, number: float, words: str) -> None:
    assert (
        describe(INDEX[name], view(**{"clicks_28": 9, "clicks_14": 9, "clicks_7": 9, name: number})) == words
    )


def test_nothing_done_is_said_as_such() -> None:
    assert describe(INDEX["silence"], view(silence=30, clicks_all=0)) == "no activity yet"
    nothing = view(missed=1.0, score_mean=0.5, since_submission=60)
    assert describe(INDEX["score_mean"], nothing) == "nothing handed in yet"
    assert describe(INDEX["since_submission"], nothing) == "nothing handed in yet"


def test_near_duplicates_share_one_reason() -> None:
    before = view(clicks_3=30, clicks_7=85, clicks_14=150, silence=0)
    after = view(clicks_3=0, clicks_7=12, clicks_14=90, silence=4)
    parts = moved(
        clicks_3=0.2,
        clicks_7=0.5,
        clicks_14=0.1,
        silence=0.6,
        missed=0.05,
        score_mean=-0.3,
    )
    reasons = main_reasons(before, after, parts)
    assert [(reason.feature, reason.contribution) for reason in reasons] == [
        ("clicks_7", 0.8),
        ("silence", 0.6),
        ("missed", 0.05),
    ]
    assert reasons[0].text == "12 clicks in the last 7 days (before: 84 clicks in the last 7 days)"
    assert reasons[1].text == "no activity for 4 days (before: active on the last day)"


def test_a_fall_is_told_by_what_lowered_it() -> None:
    reasons = main_reasons(view(silence=12), view(silence=0), moved(silence=-0.9, missed=0.3))
    assert [reason.feature for reason in reasons] == ["silence"]


def test_an_unchanged_value_is_told_by_its_place_in_the_course() -> None:
    before = view(clicks_7=12)
    after = View(before.codes, np.full(F, 26, np.uint8))
    (reason,) = main_reasons(before, after, moved(clicks_7=0.4))
    assert (
        reason.text
        == "12 clicks in the last 7 days, more than for 10 % of the course's learners (before: 50 %)"
    )


def test_no_change_has_no_reasons() -> None:
    assert main_reasons(view(), view(), np.zeros(F)) == []


@settings(deadline=None, max_examples=50)
@given(enrolments, st.integers(1, 5))
def test_reasons_of_a_real_model_go_the_way_of_the_change(
    found: tuple[NDArray[np.uint8], NDArray[np.uint8]], limit: int
) -> None:
    codes, ranks = found
    before, after = (View(codes[:, n], ranks[:, n]) for n in (0, -1))
    parts = SCORER.changes(seen_of(codes[:, :1], ranks[:, :1]), seen_of(codes[:, -1:], ranks[:, -1:]))[:, 0]
    change = parts.sum()
    reasons = main_reasons(before, after, parts, limit)
    assert len(reasons) <= limit
    assert all(reason.contribution * change >= 0 for reason in reasons)
    groups = [FEATURES[INDEX[reason.feature]].group for reason in reasons]
    assert len(groups) == len(set(groups))
    sizes = [abs(reason.contribution) for reason in reasons]
    assert sizes == sorted(sizes, reverse=True)


def _log_odds(probability: float) -> float:
    held = min(max(probability, 1e-6), 1 - 1e-6)
    return float(np.log(held / (1 - held)))


@settings(deadline=None, max_examples=50)
@given(enrolments, st.floats(0, 1).map(lambda number: round(number, 6)))
def test_the_parts_of_a_change_add_up_to_it(
    found: tuple[NDArray[np.uint8], NDArray[np.uint8]], was: float
) -> None:
    """Between two models too: what the features do not explain is the model's own part."""
    codes, ranks = found
    before, after = seen_of(codes, ranks), seen_of(codes[:, ::-1], ranks[:, ::-1])
    then, now = SCORER.estimate(before).lost, SCORER.estimate(after).lost
    same = explain(SCORER, before, after, then.tolist(), now.tolist(), None)
    other = explain(SCORER, before, after, [was] * len(now), now.tolist(), None)
    for at, why in enumerate(same):
        assert set(why.parts) == {*GROUPS, "memory", "run", "model"}
        assert sum(why.parts.values()) == pytest.approx(_log_odds(now[at]) - _log_odds(then[at]), abs=1e-5)
        assert abs(why.parts["model"]) < 0.02, "only what rounding to six decimals leaves"
        assert sum(other[at].parts.values()) == pytest.approx(_log_odds(now[at]) - _log_odds(was), abs=1e-5)
        for reason in why.reasons:
            assert reason.contribution == why.parts[FEATURES[INDEX[reason.feature]].group]


def test_a_rise_says_what_would_bring_it_down_and_the_model_agrees() -> None:
    """A cohort that is hardly ever silent, and one of it that has been for a month."""
    crowd = np.zeros((F, 400), np.uint8)
    crowd[INDEX["missed"]] = 10
    crowd[INDEX["clicks_all"]] = 30
    crowd[INDEX["silence"]] = np.random.default_rng(1).integers(0, 6, 400)
    counts = np.stack([np.bincount(row, minlength=BINS) for row in crowd]).astype(np.int32)
    assert middle_of(rank_table(counts)).codes[INDEX["silence"]] in {2, 3}
    typical = typical_of(rank_table(counts))
    assert typical.codes[INDEX["silence"]] == 0
    codes, ranks = crowd[:, :1].copy(), np.full((F, 1), 127, np.uint8)
    before, silent = seen_of(codes.copy(), ranks), codes.copy()
    silent[INDEX["silence"]] = 60
    after = seen_of(silent, ranks)
    was, now = SCORER.estimate(before).lost.tolist(), SCORER.estimate(after).lost.tolist()
    (rise,) = explain(SCORER, before, after, was, now, typical)
    assert now > was
    assert rise.reasons[0].feature == "silence"
    assert rise.reasons[0].relief is not None
    assert rise.reasons[0].relief.startswith("active again: ")
    told = float(rise.reasons[0].relief.rpartition(": ")[2].removesuffix(" %")) / 100
    assert told < now[0] - 0.01
    assert told == pytest.approx(was[0], abs=0.1)
    never = silent.copy()
    never[INDEX["clicks_all"]] = 0
    likely = SCORER.estimate(seen_of(never, ranks)).lost.tolist()
    (unseen,) = explain(SCORER, before, seen_of(never, ranks), was, likely, typical)
    assert any((reason.relief or "").startswith("a first activity: ") for reason in unseen.reasons)
    (fall,) = explain(SCORER, after, before, now, was, typical)
    assert fall.reasons[0].relief is None
    between = (was[0] + told) / 2  # an estimate that follows the scorer's, and is not there yet
    (steadied,) = explain(SCORER, before, after, [between - 0.05], [between], typical)
    assert steadied.reasons[0].feature == "silence"
    assert steadied.reasons[0].relief is None, "no help brings down to more than is told"


def test_what_would_help_reads_as_other_than_what_there_is() -> None:
    """Half an active day more is none in words: another feature of the group tells, or nothing does."""
    told, other = INDEX["active_days_3"], INDEX["active_days_7"]
    assert FEATURES[told].group == FEATURES[other].group
    places = GROUPS[FEATURES[told].group]
    seen, typical = view(), view()
    typical.codes[told] = seen.codes[told] + 1
    assert describe(told, seen) == describe(told, typical), "the bin is finer than the words"
    assert _as_typical(told, seen, typical) == ""
    typical.ranks[places[0]] += 9  # differs most, and reads the same
    typical.codes[other] = bins_of(FEATURES[other], np.array([4.0]))[0]
    typical.ranks[other] += 5
    assert _as_typical(told, seen, typical) == (
        "as for a typical learner of the course (active on 4 of the last 7 days)"
    )


def _scorer() -> MixedScorer:
    classifier = RiskClassifier()
    classifier.learn(seeded(300))
    return MixedScorer.from_snapshot(classifier.snapshot("test"))


SCORER = _scorer()


def test_a_rise_is_never_told_by_what_lowered_it() -> None:
    """Where everything new about the learner speaks the other way, what is left is the model."""
    assert main_reasons(view(silence=12), view(silence=0), moved(silence=-0.9), towards=0.2) == []
    codes, ranks = (
        np.stack([getattr(view(**one), kind) for one in ({"silence": 12}, {})], 1)
        for kind in ("codes", "ranks")
    )
    before, after = seen_of(codes[:, :1], ranks[:, :1]), seen_of(codes[:, 1:], ranks[:, 1:])
    changes = SCORER.changes(before, after)[:, 0]
    for was, now in ((0.5, 0.7), (0.5, 0.3)):
        (why,) = explain(SCORER, before, after, [was], [now], None)
        assert why.reasons
        assert all(reason.contribution * (now - was) > 0 for reason in why.reasons)
    assert changes.any()


def test_what_is_not_new_about_the_learner_is_told_where_it_made_most() -> None:
    """The model learned, or earlier days still count: after the learner's own reasons, by its own part."""
    then, now = (view(silence=silence) for silence in (0, 4))
    codes, ranks = (np.stack([getattr(one, kind) for one in (then, now)], 1) for kind in ("codes", "ranks"))
    before, after = seen_of(codes[:, :1], ranks[:, :1]), seen_of(codes[:, 1:], ranks[:, 1:])
    moved = float(SCORER.changes(before, after)[:, 0].sum())
    was = 0.4
    for remembered, shifted, learned, told in (
        (0.0, 0.0, 0.0, []),
        (2.0, 0.0, 0.0, [MEMORY]),
        (0.0, 2.0, 0.0, [RUN]),
        (0.0, 0.0, 3.0, [MODEL]),
    ):
        sum_ = log_odds_of(np.array(was)) + moved + remembered + shifted + learned
        probability = float(1 / (1 + np.exp(-sum_)))
        (why,) = explain(SCORER, before, after, [was], [probability], None, [remembered], [shifted])
        not_new = [reason for reason in why.reasons if reason.feature in NOT_NEW]
        assert [reason.feature for reason in not_new] == told
        assert why.reasons[-len(not_new) or None :] == not_new or not told
        assert [reason.contribution for reason in not_new] == [why.parts[part] for part in told]


@pytest.mark.parametrize(
    ("before", "level", "was", "now", "text"),
    [
        ("low", "medium", 0.53, 0.51, "the estimate was as high before, and is confirmed by the days since"),
        ("medium", "low", 0.35, 0.36, "the estimate was as low before, and is confirmed by the days since"),
        ("low", "medium", 0.49, 0.51, None),
        ("high", "low", 0.8, 0.3, None),
    ],
)
def test_a_level_that_follows_the_estimate_late_says_so(
    before: str, level: str, was: float, now: float, text: str | None
) -> None:
    found = confirmed(before, level, was, now)
    assert [one.text for one in found] == ([text] if text else [])
    assert all(one.contribution == 0 for one in found), "the parts add up without it"


def test_where_nothing_new_speaks_for_it_earlier_days_do() -> None:
    codes, ranks = (
        np.stack([getattr(view(**one), kind) for one in ({"silence": 12}, {})], 1)
        for kind in ("codes", "ranks")
    )
    before, after = seen_of(codes[:, :1], ranks[:, :1]), seen_of(codes[:, 1:], ranks[:, 1:])
    fell = float(SCORER.changes(before, after)[:, 0].sum())
    assert fell < 0
    now = float(1 / (1 + np.exp(-(fell + 4.0))))
    (why,) = explain(SCORER, before, after, [0.5], [now], None, [4.0])
    assert now > 0.5
    assert why.reasons[0].contribution > 0
    assert MEMORY in {reason.feature for reason in why.reasons}


def test_who_did_more_and_fell_behind_is_told_by_the_place_in_the_course_too() -> None:
    before, after = view(clicks_7=12), view(clicks_7=20)
    behind = View(after.codes, np.full(F, 51, np.uint8))
    assert sentence(INDEX["clicks_7"], before, behind) == (
        "18 clicks in the last 7 days, more than for 20 % of the course's learners "
        "(before: 12 clicks in the last 7 days, 50 %)"
    )


def test_a_silence_that_grew_is_said_to_have_though_the_course_fell_silent_too() -> None:
    before, after = view(silence=30), view(silence=60)
    silent = View(after.codes, np.full(F, 100, np.uint8))
    told = sentence(INDEX["silence"], before, silent)
    assert told == (
        "no activity for 55 days, longer than for 39 % of the course's learners "
        "(before: no activity for 27 days, 50 %)"
    )


def test_four_times_less_is_said_of_who_did_something() -> None:
    less = view(trend_7=-2.0, clicks_7=3, clicks_28=40)
    told = "4 times less activity in the last week than in the three weeks before"
    assert describe(INDEX["trend_7"], less) == told


@pytest.mark.parametrize(
    ("name", "clicks", "words"),
    [
        ("trend_7", {"clicks_28": 0, "clicks_7": 0}, "no activity in the last 28 days"),
        (
            "trend_7",
            {"clicks_28": 40, "clicks_7": 0},
            "no activity in the last week, but in the three weeks before",
        ),
        (
            "trend_7",
            {"clicks_28": 40, "clicks_7": 9},
            "about as active in the last week as in the three weeks before",
        ),
        ("trend_own", {"clicks_14": 0}, "no activity in the last two weeks"),
        (
            "trend_own",
            {"clicks_14": 9},
            "about as active in the last two weeks as in this learner's whole past",
        ),
    ],
)
def test_who_did_nothing_is_not_told_to_be_as_active_as_before(
    name: str, clicks: dict[str, float], words: str
) -> None:
    assert describe(INDEX[name], view(**{name: 0.0}, **clicks)) == words


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("silence_own", "active on the last day"),
        ("missed", "no deadline missed"),
        ("missed_weight", "all work due so far handed in"),
    ],
)
def test_nothing_is_said_as_it_would_be_by_a_person(name: str, words: str) -> None:
    assert describe(INDEX[name], view(**{name: 0.0, "ahead": 1})) == words
