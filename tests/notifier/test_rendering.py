"""Templates: values are never evaluated, one's own come first, and a wrong one is told at the start."""

from pathlib import Path

import pytest

from notifier.addresses import Contact
from notifier.errors import NotifierError
from notifier.providers import Providers
from notifier.rendering import Templates
from schemas.learner import Channel
from tests.notifier.nudging import nudge

HOSTILE = "{{ cycler.__init__.__globals__ }} <script>alert(1)</script> {% for x in y %}"


def test_what_comes_from_a_topic_or_a_book_is_only_a_value() -> None:
    words = Templates().render([nudge("n", text=HOSTILE)], Contact({}, HOSTILE), [{}])
    assert "<script>" not in words.html
    assert "{{ cycler.__init__.__globals__ }}" in words.html
    assert HOSTILE in words.text


@pytest.mark.parametrize("channel", ["email", "sms", "push", "in_app", "instructor"])
def test_every_channel_has_words(channel: Channel) -> None:
    words = Templates().render(
        [nudge("n", channel=channel)], Contact({}), [{"clicked": "https://a.example/x"}]
    )
    assert "read one page" in words.text
    assert bool(words.html) == (channel == "email")
    assert ("no activity for 9 days" in words.text) == (channel == "instructor"), "reasons are for staff"
    assert ("https://a.example/x" in words.text) == (channel != "instructor")


@pytest.mark.parametrize("channel", ["email", "sms", "push", "in_app", "instructor"])
def test_a_digest_has_the_words_and_links_of_each_of_its_nudges(channel: Channel) -> None:
    both = [nudge("n", channel=channel, text="<b>One</b> page."), nudge("m", channel=channel, text="Two.")]
    links = [{"clicked": f"https://a.example/{name}"} for name in "nm"]
    words = Templates().render(both, Contact({}, "Ann"), links)  # type: ignore[arg-type]
    assert words.text.index("<b>One</b> page.") < words.text.index("Two.")
    assert words.title.count("BBB/2014B") == (channel != "sms"), "a course run is named once"
    assert bool(words.html) == (channel == "email")
    assert "<b>" not in words.html
    for link in ("https://a.example/n", "https://a.example/m"):
        assert (link in words.text) == (channel != "instructor")
        assert (link in words.html) == (channel == "email")


def test_a_digest_of_one_has_the_words_of_that_one() -> None:
    words = Templates().render([nudge("n")], Contact({}), [{}])
    assert words.title == "A small step in BBB/2014B"


def test_a_template_of_a_digest_that_cannot_work_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "digest-short.txt").write_text("{{ text }}", encoding="utf-8")
    with pytest.raises(NotifierError, match=r"the template digest-short\.txt: "):
        Templates(tmp_path)


def test_ones_own_templates_come_first_and_a_campaign_s_before_them(tmp_path: Path) -> None:
    (tmp_path / "short.txt").write_text("mine: {{ text }}", encoding="utf-8")
    (tmp_path / "reach-out").mkdir()
    (tmp_path / "reach-out" / "email-subject.txt").write_text("Back to\n {{ course_run }}?", encoding="utf-8")
    templates = Templates(tmp_path)
    sms = templates.render([nudge("n", channel="sms")], Contact({}), [{}])
    assert sms.text.startswith("mine: Open")
    assert templates.render([nudge("n")], Contact({}), [{}]).title == "Back to BBB/2014B?"
    (tmp_path / "reach-out" / "only").mkdir()
    (tmp_path / "reach-out" / "only" / "email-subject.txt").write_text("{{ variant }}", encoding="utf-8")
    assert Templates(tmp_path).render([nudge("n")], Contact({}), [{}]).title == "only"


@pytest.mark.parametrize("text", ["{{ nme }}", "{% if %}", "{{ text.__class__.__mro__ }}", "{{ links.go }}"])
def test_a_template_that_cannot_work_is_told_at_the_start(tmp_path: Path, text: str) -> None:
    (tmp_path / "short.txt").write_text(text, encoding="utf-8")
    with pytest.raises(NotifierError, match=r"the template short\.txt: "):
        Templates(tmp_path)


def test_a_provider_that_apprise_does_not_know_is_told_without_its_secrets() -> None:
    with pytest.raises(NotifierError) as caught:
        Providers({"sms": "nonsense://secret@host/{address}"})
    assert "secret" not in str(caught.value)
