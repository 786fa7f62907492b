"""The page that tells platforms what to send: its examples are what a worker takes, and no message lacks."""

import json
import re
from pathlib import Path

import pytest

from engine.batch.unknown_fields import unknown_names
from evaluation.event_check.findings import findings
from schemas.activity import ACTIVITY_KINDS
from schemas.inbound import EVENT_CLASSES, FEEDBACK_CLASSES, event_adapter, feedback_adapter
from tests.evaluation.event_check.samples import checked, write

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "publishing.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_keeps_to_the_contract(number: int) -> None:
    text = EXAMPLES[number]
    is_feedback = json.loads(text)["type"] in FEEDBACK_CLASSES
    (feedback_adapter if is_feedback else event_adapter).validate_json(text)
    assert unknown_names(text.encode()) == ()


def test_every_message_has_an_example() -> None:
    types = {json.loads(text)["type"] for text in EXAMPLES}
    assert types == EVENT_CLASSES.keys() | FEEDBACK_CLASSES.keys()


def test_the_examples_together_are_a_sample_without_a_fault(tmp_path: Path) -> None:
    messages = [json.loads(text) for text in EXAMPLES if json.loads(text)["type"] != "tick"]
    messages.sort(key=lambda message: str(message.get("graded_at") or message["occurred_at"]))
    counts = checked(write(tmp_path / "page.jsonl", messages))
    assert (counts.refused, counts.repeats, counts.refused_fields, counts.unknown) == (0, 0, {}, {})
    assert counts.applied == len(messages)
    assert counts.feedback == 2
    assert findings(counts) == [], "nothing is missing from one learner's run"


def test_the_page_names_every_kind() -> None:
    table = PAGE.partition("| kind | what goes there |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", table)) == {*ACTIVITY_KINDS}


def test_links_within_the_page_and_to_files_lead_somewhere() -> None:
    headings = {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        if target.startswith("#"):
            assert target[1:] in headings
        else:
            assert (ROOT / "docs" / target.partition("#")[0]).exists(), target


@pytest.mark.parametrize("page", ["README.md", "docs/contract.md"])
def test_readers_are_led_to_it(page: str) -> None:
    assert re.search(r"\]\((docs/)?publishing\.md\)", (ROOT / page).read_text("utf-8"))
