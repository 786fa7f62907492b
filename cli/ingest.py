"""Platforms' own formats: ``homeroom ingest`` reads them from topics, ``homeroom publish`` from files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sources.recorded import ReadingNotes
    from sources.source_list import SourceList
    from streams.settings import Settings

FORMAT_HELP = "Of the files: native (JSON lines of the contract) or another; `homeroom formats` lists them."


def ingest() -> None:
    """Read platforms' topics and publish what they say to the events topic, until stopped.

    HOMEROOM_SOURCES names the list of topics and their formats. Run as many processes as the topics have
    partitions. What cannot be translated goes to the dead letters with its reason; what the vocabulary does
    not know is counted by name, for `homeroom doctor` and the board Pipeline.
    """
    from cli.wiring.ingest import run
    from streams import topics
    from streams.ingest.service import require_sources
    from streams.settings import load

    settings = load()
    sources = source_list(settings)
    require_sources(sources)
    topics.require(settings.broker, settings.partitions, settings.prefix)
    run(settings, sources)


def publish(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Files, .gz and .zst too, or folders.")
    ],
    event_format: Annotated[str, typer.Option("--format", help=FORMAT_HELP)] = "native",
    platform: Annotated[
        str | None, typer.Option(help="Put before the names of learners and runs, as on the topics.")
    ] = None,
) -> None:
    """Publish files of a format to the events topic and the course facts: rosters, calendars, an export.

    The messages are published in the order of event time; what cannot be translated is reported, and the rest
    is published. Publishing a file again changes nothing within 28 days: event ids come from the content.
    """
    from cli.wiring.ingest import publish_files
    from output.screen import console
    from streams.settings import load

    settings = load()
    sent, notes = publish_files(
        settings, source_list(settings), [(event_format, path) for path in paths], platform
    )
    show_notes(notes)
    console.print(f"published {sent:,} messages")


def formats() -> None:
    """List the formats that topics and files may have."""
    from rich.table import Table

    from output.screen import console
    from sources.formats.registry import DIALECTS, FORMATS

    table = Table("format", "of", "written by simulate", "what it is")
    for name, each in sorted(FORMATS.items()):
        dialect = DIALECTS.get(name)
        holders = "topics, files" if dialect is not None else "files"
        written = "yes" if dialect is not None and dialect.writer is not None else ""
        table.add_row(name, holders, written, each.description)
    console.print(table)


def source_list(settings: "Settings") -> "SourceList":
    """The installation's list of sources; an empty one where it has none.

    Raises:
        SourceListError, AliasError: the file is wrong.
    """
    from sources.source_list import SourceList, read_source_list

    return SourceList() if settings.sources is None else read_source_list(settings.sources)


def show_notes(notes: "ReadingNotes") -> None:
    """Print what was read and what was refused."""
    from output.screen import console

    console.print(f"read {notes.records:,} records, {notes.messages:,} messages of the contract")
    for (reason, name), records in sorted(notes.refused.items(), key=lambda each: -each[1]):
        console.print(f"refused {records:,}: {reason} {name}".rstrip())
    for place, detail in notes.examples:
        console.print(f"  {place}: {detail}", markup=False)
