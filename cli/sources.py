"""Events of the past: ``homeroom simulate`` publishes made-up ones, ``homeroom replay`` recorded ones."""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.ingest import FORMAT_HELP
from cli.options import MOST_SPEED, Courses, Folder, Force, Learners, MarksAfter, Seed, Weeks, simulated_term

if TYPE_CHECKING:
    from local.rig import Progress
    from sources.stream import SourceMessage
    from streams.settings import Settings


def simulate(
    learners: Learners = 3000,
    courses: Courses = 2,
    weeks: Weeks = 20,
    seed: Seed = 1,
    speed: Annotated[
        float | None, typer.Option(help="Event seconds a second; as fast as it goes if not given.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write JSON lines here instead of publishing; - for stdout.")
    ] = None,
    event_format: Annotated[
        str, typer.Option("--format", help="Of --out; what it cannot say goes to --rest. `homeroom formats`.")
    ] = "native",
    rest: Annotated[
        Path | None, typer.Option(help="Native JSON lines of what --format cannot say, such as calendars.")
    ] = None,
    aliases: Annotated[
        Path | None, typer.Option(help="The alias table, CSV, of a format that has numbers for names.")
    ] = None,
    force: Force = False,
) -> None:
    """Publish a simulated term to the events topic, or write it to a file, in any dialect."""
    from output.screen import console
    from sources import simulator
    from sources.stream import paced
    from streams.settings import load
    from streams.source_publisher import publish

    stream = simulator.stream(simulated_term(learners, courses=courses, weeks=weeks, seed=seed))
    if speed is not None:
        if not 0 < speed <= MOST_SPEED:
            raise typer.BadParameter(f"--speed is {speed}; expected more than 0, and at most {MOST_SPEED:g}")
        stream = paced(stream, speed)
    if (event_format != "native" or rest is not None or aliases is not None) and (
        out is None or str(out) == "-"
    ):
        raise typer.BadParameter("--format, --rest and --aliases go with --out FILE")
    if out is not None and event_format != "native":
        _write_dialect(stream, event_format, (out, rest, aliases), force)
        return
    if out is not None:
        _write_lines(stream, out, force)
        return
    sent = publish(stream, load(), lambda sent: console.print(f"{sent.messages:,} messages", end="\r"))
    console.print(f"published {sent.messages:,} messages as {sent.records:,} records")


def _write_lines(stream: "Iterable[SourceMessage]", out: Path, force: bool) -> None:
    from output import files

    if str(out) == "-":
        for message in stream:
            sys.stdout.buffer.write(message.value + b"\n")
        return
    with files.open_output(out, force=force) as file:
        for message in stream:
            file.write(message.value + b"\n")


def _write_dialect(
    stream: "Iterable[SourceMessage]",
    event_format: str,
    paths: tuple[Path, Path | None, Path | None],
    force: bool,
) -> None:
    """Write a dialect's records, native lines of what it cannot say, and the alias table; says how much."""
    from contextlib import ExitStack

    from output import files
    from output.screen import console
    from sources.dialects import write_aliases, write_term
    from sources.formats.registry import writer_named

    out, rest, aliases = paths
    writer = writer_named(event_format)
    for path in (rest, aliases):
        files.check_writable(path, force=force)
    with ExitStack() as opened:
        file = opened.enter_context(files.open_output(out, force=force))
        others = None if rest is None else opened.enter_context(files.open_output(rest, force=force))
        written = write_term(stream, writer, file, others)
    if aliases is not None:
        with files.open_output(aliases, force=force) as table:
            write_aliases(writer, table)
    console.print(f"{written.records:,} records of {event_format} hold {written.messages:,} messages")
    for name, count in sorted(written.unsaid.items()):
        where = "left out" if rest is None else f"in {rest}"
        console.print(f"{event_format} cannot say {name}: {count:,} messages, {where}")


def replay(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATH...]", help="Files of --format, .gz and .zst too, or folders of them."),
    ] = None,
    event_format: Annotated[str, typer.Option("--format", help=FORMAT_HELP)] = "native",
    also: Annotated[
        list[str] | None,
        typer.Option(metavar="FORMAT=PATH", help="Further files of another format: a roster, calendars."),
    ] = None,
    platform: Annotated[str | None, typer.Option(help="Put before the names of learners and runs.")] = None,
    oulad: Annotated[Path | None, typer.Option(help="Folder of the OULAD tables, CSV or parquet.")] = None,
    events: Annotated[
        Path | None, typer.Option(help="File of native JSON lines, in order of event time: read as it goes.")
    ] = None,
    presentations: Annotated[list[str] | None, typer.Option(help="Only these, such as BBB/2013J.")] = None,
    marks_after: MarksAfter = 0,
    folder: Folder = Path("data/replay"),
    workers: Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")] = 1,
    broker: Annotated[
        str | None, typer.Option(help="A broker that runs already; else the embedded one.")
    ] = None,
    store: Annotated[
        str | None, typer.Option(help="A store that runs already; else the embedded one.")
    ] = None,
    summary_json: Annotated[Path | None, typer.Option(help="Write the counts here as JSON.")] = None,
    force: Force = False,
) -> None:
    """Replay recorded learners through broker, worker and store, as fast as they go, and sum up.

    Files of any format are read whole first, and replayed in the order of event time, in bounded memory.
    """
    from cli.replay_settings import replay_settings
    from output import files
    from sources import native

    recorded = _recorded_files(paths or [], event_format, also or [])
    if sum((bool(recorded), oulad is not None, events is not None)) != 1:
        raise typer.BadParameter("give one of PATH, --oulad and --events")
    if marks_after and oulad is None:
        raise typer.BadParameter("--marks-after belongs to --oulad: other events say when work was graded")
    files.check_writable(summary_json, force=force)
    # OULAD's learners got none of these nudges; whether one's own learners did is not known.
    overrides = {"nudges_delivered": False} if oulad is not None else {}
    settings = replay_settings(broker=broker, store=store, **overrides)
    if oulad is not None:
        stream, total = _oulad_stream(oulad, presentations or (), marks_after)
    elif events is not None:
        stream, total = native.read(events, ticks=True), 0
    else:
        stream, total = _recorded_stream(settings, recorded, platform)
    progress = _replay_through(settings, folder, stream, total, workers, (broker is None, store is None))
    if summary_json is not None:
        files.write_output(summary_json, json.dumps(_counts(progress), indent=2) + "\n", force=force)


def _replay_through(
    settings: "Settings",
    folder: Path,
    stream: "Iterable[SourceMessage]",
    total: int,
    workers: int,
    embedded: tuple[bool, bool],
) -> "Progress":
    """Replay a stream and print the summary. embedded: whether broker and store are started for it."""
    from local import summary
    from local.demo import stream_through
    from local.rig import Rig, interruptible
    from output.folders import claim_folder
    from output.screen import console
    from sinks.store import StoreReader

    rig_of_folder = Rig(folder, settings, broker=embedded[0], store=embedded[1])
    with claim_folder(folder, "replay"), interruptible(rig_of_folder) as rig:
        progress = stream_through(rig, stream, total, console, workers)
        rig.stop_workers()
        address = rig.settings.store_address
        if address is not None:
            with StoreReader(address) as reader:
                summary.show(console, reader, progress, folder)
    published = progress.sent.records
    lost = published - progress.processed
    console.print(f"in {published:,} = applied and accounted for {progress.processed:,}, lost {lost:,}")
    return progress


def _recorded_files(paths: Sequence[Path], event_format: str, also: Sequence[str]) -> list[tuple[str, Path]]:
    """Formats and paths. Raises typer.BadParameter where ``--also`` has another form."""
    files = [(event_format, path) for path in paths]
    for each in also:
        name, equals, path = each.partition("=")
        if not equals or not name or not path:
            raise typer.BadParameter(
                f"--also is {each!r}; expected FORMAT=PATH, such as plain-roster=learners.csv"
            )
        files.append((name, Path(path)))
    return files


def _recorded_stream(
    settings: "Settings", recorded: Sequence[tuple[str, Path]], platform: str | None
) -> "tuple[Iterable[SourceMessage], int]":
    """The events of files in time order, and their number; read and reported before the first is sent."""
    from cli.ingest import show_notes, source_list
    from cli.wiring.recorded import read_with_progress

    stream, notes = read_with_progress(source_list(settings), recorded, platform)
    show_notes(notes)
    return stream, notes.messages


def _oulad_stream(
    path: Path, course_runs: Sequence[str], marks_after: int
) -> "tuple[Iterable[SourceMessage], int]":
    """The events of these presentations (all if none is named), and about how many there are.

    Raises:
        typer.BadParameter: one of them is not in the folder.
    """
    from sources.oulad import OuladFolder

    folder = OuladFolder(path, marks_after)
    available = [presentation.course_run for presentation in folder.presentations]
    if unknown := sorted({*course_runs} - {*available}):
        raise typer.BadParameter(
            f"--presentations {unknown[0]!r} is not in the folder; expected some of {', '.join(available)}"
        )
    selected = [
        presentation
        for presentation in folder.presentations
        if not course_runs or presentation.course_run in course_runs
    ]
    return folder.stream(selected), folder.total(selected)


def _counts(progress: "Progress") -> dict[str, float]:
    return {
        "published": progress.sent.records,
        "applied": progress.applied,
        "duplicates": progress.duplicates,
        "dead_letters": progress.dead_letters,
        "seconds": round(progress.elapsed_s, 1),
        "events_per_second": round(progress.processed / progress.elapsed_s),
    }
