"""The weekly report over a real run: what it says is what the API says, and it needs nothing else."""

import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import main as cli
from console.access import KeyRing, read_keys
from console.pages.reasons import muted_before
from console.readers import Readers
from console.report import ReportError, weekly
from sinks.store import StoreReader
from tests.console.conftest import COURSE, Served

WEEK = 4


class Needs(HTMLParser):
    """What a page would ask for, or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "link", "img", "iframe", "object"):
            self.found.append(tag)
        self.found += [
            f"{tag} {name}" for name, _ in attrs if name in ("src", "href") or name.startswith("on")
        ]


@pytest.fixture(scope="module")
def page(console: Served) -> str:
    readers = Readers(console.store)
    html = weekly(readers, COURSE, WEEK, console.app.state.service.parts.directory)
    readers.close()
    return html


def words(page: str) -> str:
    """The page without its tags and its styles."""
    text = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", text)))


def test_it_needs_nothing_else(page: str) -> None:
    needs = Needs()
    needs.feed(page)
    assert needs.found == []
    assert len(page) < 200_000


def test_it_tells_the_week(page: str, console: Served) -> None:
    with console.client() as client:
        story = client.get("/courses/story", params={"course_run": COURSE}).json()
    days = story["engagement"][7 * (WEEK - 1) : 7 * WEEK]
    text = words(page)
    assert f"{COURSE}, week {WEEK}" in text
    assert f"learners {days[-1]['enrolled']} " in text
    assert f"{sum(day['withdrawn'] for day in days)} left this week" in text
    for count in story["weeks"][WEEK - 1]["fifths"]:
        assert f">{count}</td>" in page
    with StoreReader(console.store) as reader:
        rose = reader.query(
            "SELECT learner, argMax(reasons, day), argMax(reliefs, day) FROM risk_changes "
            "WHERE course_run = %(run)s AND day > toDate(%(first)s) AND day <= toDate(%(last)s) + 1 "
            "GROUP BY learner HAVING argMax(level, day) = 'high'",
            {"run": COURSE, "first": days[0]["day"], "last": days[-1]["day"]},
        ).rows
    assert rose, "nobody came to high risk in the week: it shows nothing"
    assert f"newly at high risk {len(rose)} " in text
    for learner, reasons, _ in rose:
        assert console.app.state.service.people.person(learner).name in text
        assert muted_before(reasons[0]).striptags() in text
    helped = [min(map(share, filter(None, reliefs))) for _, _, reliefs in rose if any(reliefs)]
    assert helped, "nothing would help anybody: it shows nothing"
    percentages = re.findall(r"would bring it down to (\d+)", text)
    assert sorted(map(int, percentages)) == sorted(helped)  # of each learner what would help most, once


def share(relief: str) -> int:
    """The likelihood that a relief would bring down to, in percent."""
    return int(relief.split()[-2])


def test_a_long_list_is_cut_and_still_counted(console: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    readers = Readers(console.store)
    whole = words(weekly(readers, COURSE, WEEK))
    monkeypatch.setattr("console.report.MAX_LISTED", 1)
    cut = words(weekly(readers, COURSE, WEEK))
    readers.close()
    counted = re.search(r"newly at high risk (\d+) ", whole)
    assert counted is not None
    rose = int(counted.group(1))
    assert rose > 1
    assert f"newly at high risk {rose} " in cut
    assert f"And {rose - 1} more, all in today's list." in cut
    assert "more, all in" not in whole


def test_a_week_that_there_is_not(console: Served) -> None:
    readers = Readers(console.store)
    with pytest.raises(ReportError, match="'c/none' is not in the store; there are: course-a/"):
        weekly(readers, "c/none", 1)
    with pytest.raises(ReportError, match=r"week 40 of .* has no closed day; expected 1 to"):
        weekly(readers, COURSE, 40)
    readers.close()


def test_the_command_writes_it(
    console: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    monkeypatch.setenv("HOMEROOM_STORE", str(console.store))
    monkeypatch.setenv("HOMEROOM_STORE_PASSWORD", console.store.password)
    out = tmp_path / "week.html"
    arguments = ["report", "--course", COURSE, "--week", str(WEEK), "--out", str(out)]
    done = CliRunner().invoke(cli.app, arguments)
    assert done.exit_code == 0, done.output
    assert f"{COURSE}, week {WEEK}" in words(out.read_text(encoding="utf-8"))
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli.app, arguments[:-2])
    assert done.exit_code == 0, done.output
    file = f"{COURSE.replace('/', '-')}-week-{WEEK}.html"
    assert file in done.output
    assert Path(file).read_text(encoding="utf-8") == out.read_text(encoding="utf-8")


def test_a_key_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = CliRunner().invoke(cli.app, ["console-key", "Ada", "--role", "viewer", "--course", "BBB"])
    key = re.search(r"hr_\S+", done.stderr)
    assert key is not None
    file = tmp_path / "keys.toml"
    file.write_text(done.stdout)
    (entry,) = read_keys(file)
    assert (entry.name, entry.role, entry.courses) == ("Ada", "viewer", ("BBB",))
    assert KeyRing([entry]).find(key.group()) == entry
    assert CliRunner().invoke(cli.app, ["console-key", "Ada", "--role", "owner"]).exit_code == 2
    monkeypatch.delenv("HOMEROOM_CONSOLE_KEYS", raising=False)
    refused = CliRunner().invoke(cli.app, ["console"])
    assert "HOMEROOM_CONSOLE_KEYS is empty" in str(refused.exception)
