"""The pages of ``docs/formats``: one a format, from its adapter, its vocabulary, its writer and its cases.

``cli.document`` writes them.
"""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from schemas.activity import ACTIVITY_KINDS
from sources.formats.registry import DIALECTS, FORMATS, Dialect
from sources.formats.vocabulary import FACTS, IGNORED, vocabulary_of

CASES = Path(__file__).parent.parent / "examples" / "formats"

WRITTEN = (
    "<!-- Written by `python -m cli.document` from sources/formats and examples/formats. Edit those. -->"
)

INDEX = f"""\
# Formats

{WRITTEN}

What platforms send, read as it is. `homeroom formats` lists these; `homeroom check-events --format NAME
FILE` says of a sample what becomes of it, by name, before anything is sent.

**From topics.** `homeroom ingest` reads the topics of a list of sources, translates their records and
publishes the messages to `homeroom.events` by learner, whatever the records were keyed by, and calendars to
`homeroom.course-facts`. The list is a YAML file that `HOMEROOM_SOURCES` names:

```yaml
topics:
  - {{name: moodle.logstore, format: moodle, platform: moodle}}
  - {{name: lrs.statements, format: xapi}}
aliases: names.csv          # other names of learners, runs and objects: what,from,to
vocabulary:                 # what names mean here, before what is listed on these pages
  moodle:
    '\\mod_ourgame\\event\\*': quiz
```

Run as many processes as the topics have partitions. A record that cannot be translated, or the part of it
that is wrong, is a dead letter with field, value and expectation, and everything else goes on. Events whose
name nobody knows count as activity of the kind *other* and are shown by name: by `homeroom doctor`, on the
board *Pipeline*, in `source_events`.

**From files.** `homeroom replay --format NAME PATH…` replays files and folders, `.gz` and `.zst` too, in
the order of event time and in bounded memory; `--also FORMAT=PATH` adds further ones, such as a roster or
native calendars. `homeroom publish` sends files to a running installation.

**Written.** `homeroom simulate --format NAME --out FILE` writes a simulated term as a platform would have
logged it, `--rest` what the format has no words for, and `--aliases` the table that leads from its numbers
to the names. The same term in every dialect gives the same estimates, bit for bit, where the dialect can
say it (`tests/sources/formats/test_round_trip.py`); `python -m benchmarks.round_trip` prints how much each
can say.

"""

HOW = """\
## How to use it

```yaml
# sources.yaml, which HOMEROOM_SOURCES names
topics:
  - {{name: {topic}, format: {name}}}
```

    homeroom check-events --format {name} FILE
    homeroom replay --format {name} PATH
"""


def format_pages() -> dict[str, Callable[[], str]]:
    """What writes each page, by its path in ``docs``."""
    pages = {f"formats/{name}.md": partial(format_page, name, dialect) for name, dialect in DIALECTS.items()}
    return {"formats/README.md": index_page} | pages


def index_page() -> str:
    """The list of formats."""
    rows = []
    for name, each in sorted(FORMATS.items()):
        dialect = DIALECTS.get(name)
        link = f"[`{name}`]({name}.md)" if dialect is not None else f"`{name}`"
        rows.append((link, "topics, files" if dialect is not None else "files", each.description))
    return f"{INDEX}{table(('format', 'of', 'what it is'), rows)}"


def format_page(name: str, dialect: Dialect) -> str:
    """The page of a format."""
    adapter = dialect.adapter
    about = inspect.getdoc(adapter) or ""
    parts = [
        f"# `{name}`: {adapter.description}\n\n{WRITTEN}\n\n{about}\n",
        HOW.format(name=name, topic=f"my-{name}-topic"),
        _cases(name),
        _vocabulary(adapter.vocabulary_name or name),
        _limits(dialect),
    ]
    return "\n".join(part for part in parts if part)


def _cases(name: str) -> str:
    """The cases that are to be shown."""
    file = CASES / f"{name}.yaml"
    cases = yaml.safe_load(file.read_text(encoding="utf-8"))["cases"] if file.exists() else []
    shown = "\n".join(_case(case) for case in cases if case.get("show"))
    accepted = sum(bool(case.get("messages")) for case in cases)
    refused = sum(bool(case.get("refused")) for case in cases)
    counts = (
        f"Of the {len(cases)} cases in [examples/formats/{name}.yaml](../../examples/formats/{name}.yaml), "
        f"{accepted} give messages and {refused} are refused, each with the reason that it states."
    )
    return f"## Examples\n\n{counts}\n\n{shown}" if cases else ""


def _case(case: Mapping[str, Any]) -> str:
    record = _pretty(case["record"])
    headers = "".join(f"{name}: {value}\n" for name, value in case.get("headers", {}).items())
    text = f"**{case['title'][0].upper()}{case['title'][1:]}**\n\n```\n{headers}{record}\n```\n\n"
    for message in case.get("messages", ()):
        text += f"becomes\n\n```json\n{json.dumps(message, indent=2, ensure_ascii=False)}\n```\n\n"
    for refused in case.get("refused", ()):
        field = f" of `{refused['field']}`" if refused["field"] else ""
        text += f"is refused: *{refused['reason']}*{field}.\n\n"
    return text


def _pretty(record: str) -> str:
    try:
        return json.dumps(json.loads(record), indent=2, ensure_ascii=False)
    except json.JSONDecodeError:
        return record


def _vocabulary(name: str) -> str:
    """The names of the vocabulary's file by what they mean."""
    meanings = vocabulary_of(name).meanings
    by_meaning: dict[str, list[str]] = {}
    for event, meaning in meanings.items():
        by_meaning.setdefault(meaning, []).append(event)
    order = (*ACTIVITY_KINDS, *FACTS, IGNORED)
    rows = [
        (f"`{meaning}`", " ".join(f"`{event}`" for event in by_meaning[meaning]))
        for meaning in order
        if meaning in by_meaning
    ]
    if not rows:
        return ""
    file = f"../../sources/formats/vocabularies/{name}.yaml"
    about = f"From [the vocabulary]({file}), in which an exact name comes before one that ends in `*`."
    return f"## What its names mean\n\n{about}\n\n{table(('means', 'names'), rows)}"


def _limits(dialect: Dialect) -> str:
    """What the format cannot say, by its writer."""
    if dialect.writer is None:
        return ""
    rows = [(f"`{what}`", why) for what, why in dialect.writer().limits.items()]
    return f"## What it cannot say\n\n{table(('message or field', 'why'), rows)}" if rows else ""


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = (head, ("---",) * len(head), *rows)
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n" for cells in lines)
