"""The console's pure parts: keys, sessions, limits, cursors, headers of conditional requests."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console import access
from console.access import AccessError, KeyRing, entry, hash_key, make_key, read_keys
from console.conditional import matches
from console.errors import ProblemError
from console.limits import Buckets, Limit
from console.models import FeedbackEvent, Risk, RiskReason
from console.pages.reasons import help_of, most_help, muted_before
from console.pages.rendering import ago, json_script, level_change, likely, percent, shade
from console.pages.routes import own_path
from console.pages.urgency import sections
from console.queries import cursors
from console.sessions import SESSION_S, Sessions
from console.steps import DEFAULT_STEP, ENCOURAGE, STEPS, step_for, step_of
from schemas.risk import RISK_LEVELS, RiskLevel


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_key_is_found_by_itself_alone(tmp_path: Path) -> None:
    key, made = make_key('Ada "the first" \\ \n Byron', "instructor", ["BBB", "CCC/2014B"])
    file = tmp_path / "keys.toml"
    file.write_text(entry(made) + entry(make_key("Board", "viewer", [])[1]))
    keys = read_keys(file)
    assert keys[0] == made
    ring = KeyRing(keys)
    assert ring.find(key) == made
    assert ring.find(key + "x") is None
    assert ring.find(made.sha256) is None
    assert key not in file.read_text()


def test_scopes() -> None:
    _, instructor = make_key("a", "instructor", ["BBB", "CCC/2014B"])
    assert [instructor.sees(run) for run in ("BBB/2014B", "BBB", "BBBB/2014B", "CCC/2014B", "CCC/2014J")] == [
        True,
        True,
        False,
        True,
        False,
    ]
    assert make_key("a", "admin", [])[1].sees("anything")
    assert not make_key("a", "viewer", [])[1].sees("anything")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected \\[\\[key\\]\\]"),
        ("x = 1", "expected \\[\\[key\\]\\]"),
        ("[[key]]\nname = 'a'\nrole = 'owner'\nsha256 = '" + "0" * 64 + "'", "entry 1: role"),
        ("[[key]]\nname = 'a'\nrole = 'admin'\nsha256 = 'secret'", "entry 1: sha256"),
        ("[[key]\n", "keys .*keys.toml"),
    ],
)
def test_a_file_of_keys_that_is_none(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(text)
    with pytest.raises(AccessError, match=expected):
        read_keys(file)
    with pytest.raises(AccessError, match="nowhere"):
        read_keys(tmp_path / "nowhere")


def test_sessions_end() -> None:
    clock = Clock()
    key = make_key("a", "viewer", [])[1]
    ring = KeyRing([key])
    sessions, others = Sessions(ring, 32 * "s", clock), Sessions(ring, 32 * "s", clock)
    first, second = sessions.begin(key), sessions.begin(key)
    assert first != second
    assert sessions.find(first) == sessions.find(second) == others.find(first) == key
    sessions.end(first)
    assert sessions.find(first) is None
    assert Sessions(KeyRing([]), 32 * "s", clock).find(second) is None  # the key is in the file no more
    assert Sessions(ring, 32 * "t", clock).find(second) is None
    assert Sessions(ring, clock=clock).find(second) is None  # a process with a secret of its own
    clock.now = SESSION_S + 1
    assert sessions.find(second) is None
    with pytest.raises(ValueError, match="has 5 characters; expected at least 32"):
        Sessions(ring, "short")


@given(st.text(max_size=200), st.integers(0, 200), st.characters())
def test_nobody_makes_a_session_up(text: str, place: int, sign: str) -> None:
    key = make_key("a", "viewer", [])[1]
    sessions = Sessions(KeyRing([key]), 32 * "s")
    assert sessions.find(text) is None
    cookie = sessions.begin(key)
    changed = cookie[:place] + sign + cookie[place + 1 :]
    assert (sessions.find(changed) is None) == (changed != cookie)
    sessions.end(text)


def test_the_file_of_keys_is_read_when_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "CHECK_EVERY_S", 0.0)
    (first, kept), (second, added) = make_key("one", "viewer", []), make_key("two", "admin", [])
    file = tmp_path / "keys.toml"
    file.write_text(entry(kept))
    ring = KeyRing.of_file(file)
    sessions = Sessions(ring, 32 * "s")
    cookie = sessions.begin(kept)
    assert (ring.find(first), ring.find(second), sessions.find(cookie)) == (kept, None, kept)
    file.write_text(entry(kept) + "nonsense")
    assert ring.find(first) == kept  # a file that is wrong takes nobody's key
    file.write_text(entry(added))
    assert (ring.find(first), ring.find(second), sessions.find(cookie)) == (None, added, None)
    file.write_text(entry(kept.model_copy(update={"role": "admin"})))
    changed_key = sessions.find(cookie)
    assert changed_key is not None
    assert changed_key.role == "admin"
    file.unlink()
    assert sessions.find(cookie) is not None


@given(st.text(max_size=30) | st.text("/\\\t\n\r :@.?#%aehpt", max_size=12).map(lambda text: "/" + text))
def test_a_form_leads_to_our_own_pages_alone(path: str) -> None:
    """By what browsers make of an address: they drop tabs and ends of lines, and turn ``\\`` round."""
    resolved = re.sub(r"[\t\n\r]", "", own_path(path).strip()).replace("\\", "/")
    assert urlsplit(urljoin("http://console.example/login", resolved)).netloc == "console.example"
    assert own_path("/learners/ab?run=BBB%2F2014B&x=1#top") == "/learners/ab?run=BBB%2F2014B&x=1#top"


def test_a_bucket_empties_and_fills() -> None:
    clock = Clock()
    buckets = Buckets(Limit(rate=2, burst=3), clock)
    assert [buckets.acquire("a") for _ in range(4)] == [0, 0, 0, 1]
    assert buckets.acquire("b") == 0
    clock.now = 0.5
    assert [buckets.acquire("a") for _ in range(2)] == [0, 1]
    clock.now = 1000
    assert [buckets.acquire("a") for _ in range(4)] == [0, 0, 0, 1]


def test_a_cursor_comes_back_for_its_order_alone() -> None:
    key = [1, -0.123456789012345, "l", "c/r é"]
    text = cursors.encode("changed", key)
    assert cursors.decode(text, "changed", (int, float, str, str)) == tuple(key)
    for order, kinds in (("urgency", (int, float, str, str)), ("changed", (float, float, str, str))):
        with pytest.raises(ProblemError, match="cursor"):
            cursors.decode(text, order, kinds)


def test_conditions_of_a_request() -> None:
    assert matches('"a", W/"b"', '"b"')
    assert matches("*", '"b"')
    assert not matches('"a"', '"b"')
    assert not matches("", '"b"')


def test_values_in_words() -> None:
    today = date(2026, 5, 11)
    assert [ago(date(2026, 5, day), today) for day in (11, 10, 6)] == ["today", "yesterday", "5 days ago"]
    assert percent(0.876) == "88\N{NO-BREAK SPACE}%"
    assert percent(None) == "–"
    assert [likely(probability)[:-2] for probability in (0.0, 0.004, 0.876, 0.996, 1.0)] == [
        "1",
        "1",
        "88",
        "99",
        "99",
    ]
    assert [shade(number, 100) for number in (0, 1, 100)] == [0, 2, 9]
    assert muted_before("<b> (before: <i>)") == '&lt;b&gt; <span class="meta">(before: &lt;i&gt;)</span>'
    assert muted_before("<b>") == "&lt;b&gt;"
    assert "</script" not in json_script({"x": "</script><b>&"})


DIFFER = "differ by 0.5 from week to week (before: 2.0)"


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("no clicks in the last 7 days", "no clicks in the last 7 days"),
        ("last deadline missed (before: last deadline met)", "last deadline missed (before: met)"),
        (
            "longest silence: 28 days (before: longest silence: 11 days)",
            "longest silence: 28 days (before: 11 days)",
        ),
        (
            "work for 33 % of the grade not handed in (before: work for 0 % of the grade not handed in)",
            "work for 33 % of the grade not handed in (before: 0 %)",
        ),
        ("work not handed in (before: all handed in)", "work not handed in (before: all handed in)"),
        ("differ by 0.5 from week to week (before: differ by 2.0 from week to week)", DIFFER),
        ("no kinds of work (before: 5 kinds of work)", "no kinds of work (before: 5 kinds)"),
        ("active on 0 of 14 days (before: active on 2 of 14 days)", "active on 0 of 14 days (before: 2)"),
        ("3 times less (before: as much as ever)", "3 times less (before: as much as ever)"),
        ("the same (before: the same)", "the same (before: the same)"),
        ("no activity for 18 days (before: no activity yet)",) * 2,
        ("<b> (before: <i>)", "&lt;b&gt; (before: &lt;i&gt;)"),
    ],
)
def test_a_reason_says_what_was_before_in_few_words(reason: str, shown: str) -> None:
    assert re.sub("</?span[^>]*>", "", muted_before(reason)) == shown


TYPICAL = "as for a typical learner of the course"


@pytest.mark.parametrize(
    ("text", "relief", "shown"),
    [
        ("no activity for 36 days (before: for 6 days)", "active again: 32 %", "being active again"),
        ("no activity yet", "a first activity: 33 %", "a first activity"),
        (
            "no clicks in the last 14 days (before: 3 clicks in the last 14 days)",
            f"{TYPICAL} (36 clicks in the last 14 days): 61 %",
            "36 clicks, as is typical of the course,",
        ),
        (
            "longest silence of the last 28 days: 17 days, longer than for 89 % of the course's learners",
            f"{TYPICAL} (longest silence of the last 28 days: 6 days): 53 %",
            "6 days, as is typical of the course,",
        ),
        (
            "100 % of deadlines missed (before: no deadline missed)",
            f"{TYPICAL} (2 % of deadlines missed): 55 %",
            "2 % of deadlines missed, as is typical of the course,",  # two bare shares would be one too many
        ),
        (
            "work for 100 % of the grade due so far not handed in",
            f"{TYPICAL} (all work due so far handed in): 69 %",
            "all work due so far handed in, as is typical of the course,",
        ),
    ],
)
def test_what_would_help_is_said_in_few_words(text: str, relief: str, shown: str) -> None:
    hint = help_of(RiskReason(text=text, contribution=1.0, relief=relief), listed("high", 0))
    assert hint is not None
    assert (hint.how, f"{hint.probability:.0%}") == (shown, relief.split()[-2] + "%")


def test_what_would_help_most_is_below_what_is_estimated_now() -> None:
    reasons = [
        RiskReason(text="no clicks", contribution=2.0, relief=None),
        RiskReason(text="no activity", contribution=1.0, relief="active again: 80 %"),
        RiskReason(text="all missed", contribution=0.5, relief=f"{TYPICAL} (none missed): 65 %"),
    ]
    shown = {
        now: most_help(listed("high", 0).model_copy(update={"reasons": reasons, "probability": now}))
        for now in (0.9, 0.655, 0.65)
    }
    assert [hint and hint.probability for hint in shown.values()] == [0.65, 0.65, None]
    assert most_help(listed("high", 0)) is None


def test_every_step_can_be_reached() -> None:
    reached = {step_for(beginnings[-1] + "_7") for beginnings, _ in STEPS}
    assert reached == {words for _, words in STEPS}
    assert step_for("") == DEFAULT_STEP
    assert hash_key("a") != hash_key("b")


def listed(level: str, days: int | None, *, was: str = "medium", answered: bool = False) -> Risk:
    day = date(2026, 5, 15)
    word = (
        FeedbackEvent(kind="helped", at=datetime(2026, 5, 15, tzinfo=UTC), course_run="a/1")
        if answered
        else None
    )
    changed = None if days is None else day - timedelta(days=days)
    return Risk.model_validate(
        {
            "learner": "c2651a12136719b3",
            "course_run": "a/1",
            "day": day,
            "probability": 0.9,
            "level": level,
            "model_state": "serving",
            "changed_on": changed,
            "previous_level": was if changed else None,
            "answered": word,
        }
    )


def test_today_is_cut_where_what_is_new_ends() -> None:
    page = [
        listed("high", 0),
        listed("high", 1),
        listed("high", 2),
        listed("high", 6),
        listed("high", 7),
        listed("high", None),
        listed("medium", 3, was="low"),
        listed("medium", 3, was="high"),
        listed("high", 0, answered=True),
    ]
    lengths = [(part.title, len(part.risks)) for part in sections(page, "urgency", date(2026, 5, 15))]
    assert lengths == [
        ("New at high risk since yesterday", 2),
        ("New at high risk this week", 2),
        ("At high risk for longer", 2),
        ("Rose to medium risk", 1),
        ("Fell to medium risk", 1),
        ("Already answered", 1),
    ]
    assert [len(part.risks) for part in sections(page, "probability", date(2026, 5, 15))] == [len(page)]


LEVEL = st.sampled_from(RISK_LEVELS)
SHARE = st.floats(0, 1)


@given(LEVEL, LEVEL, SHARE, SHARE, st.sampled_from(["silence", "missed_last", "score_mean", "other", ""]))
def test_what_a_card_says_of_a_change_agrees_with_the_levels_and_the_numbers(
    level: RiskLevel, previous: RiskLevel, probability: float, before: float, feature: str
) -> None:
    risk = Risk(
        learner=16 * "a",
        course_run="a/1",
        day=date(2026, 3, 1),
        probability=probability,
        level=level,
        model_state="serving",
        changed_on=date(2026, 3, 1),
        previous_level=previous,
        previous_probability=before,
    )
    words, step = level_change(risk), step_of(risk, [feature] if feature else [])
    ranks = RISK_LEVELS.index(level), RISK_LEVELS.index(previous)
    assert words.startswith("Rose") == (ranks[0] > ranks[1])
    assert words.startswith("Fell") == (ranks[0] < ranks[1])
    if step == ENCOURAGE:
        assert words.startswith("Fell")
        assert probability <= before
    assert (step == "") == (level == "low")
    (part,) = sections([risk], "urgency", date(2026, 3, 2))
    assert not (part.title.startswith(("Rose", "New at high")) and words.startswith("Fell"))
    assert not (part.title.startswith("Fell") and words.startswith("Rose"))


@given(SHARE, st.sampled_from(["missed_last", ""]))
def test_who_has_not_changed_is_not_said_to_have(probability: float, feature: str) -> None:
    risk = Risk(
        learner=16 * "a",
        course_run="a/1",
        day=date(2026, 3, 1),
        probability=probability,
        level="medium",
        model_state="serving",
    )
    assert level_change(risk) == "No change since the course began"
    assert step_of(risk, [feature]) == step_for(feature)
