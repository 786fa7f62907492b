"""The command line. Each command is a few lines; what it does lives in the module that it calls.

Commands import by themselves what takes long: River, Faust, Apprise and the web's libraries. Who asks for
help, or has misspelt a setting, is answered within a second.
"""

import json
import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, cast, get_args

import typer
from rich.table import Column

from cli import doctor as doctors
from cli import experiment
from cli import learner_history as history
from cli import policy as policy_commands
from cli.options import (
    MOST_SPEED,
    MOST_WEEKS,
    Courses,
    Folder,
    Force,
    Learners,
    Seed,
    StoreFolder,
    Weeks,
    term,
)
from cli.release import release
from cli.result_formats import form_of
from cli.stores import store_at, store_reader
from cli.wiring.learner_directory import LearnerDirectory, read_roster
from console.access import KeyRing, Role, entry, make_key
from console.readers import Readers
from console.report import weekly
from evaluation.saving import save
from local import summary
from local.demo import stream_through, unfinished
from local.rig import Rig, interruptible
from output import files
from output.folders import fresh, taken
from output.screen import console, styled
from output.screen import table as table_of
from schemas.errors import HomeroomError
from schemas.extras import named
from sinks.migrate import migrate as run_migrations
from sinks.store import StoreReader, wait_until_up
from sources import native, simulator
from sources.stream import Published, paced
from streams import policy_files as policies
from streams import topics
from streams.settings import (
    DEMO_KEY,
    LEAST_KEY,
    Settings,
    SettingsError,
    load,
    shown,
)
from streams.source_publisher import publish

app = typer.Typer(
    help="homeroom tells two to three weeks ahead who is about to drop out of an online course, why, and "
    "what to do about it. Start with `homeroom demo`. Settings come from HOMEROOM_* in the environment or "
    "from a file; `homeroom settings` lists them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
topics_app = typer.Typer(
    help="Create the topics, or show how they differ from what is wanted.", no_args_is_help=True
)
app.add_typer(topics_app, name="topics")
app.add_typer(experiment.app, name="experiment")
app.add_typer(policy_commands.app, name="policy")

SUGGESTED = "SELECT course_run, level, count() FROM risk_now GROUP BY ALL ORDER BY ALL"


def _say_version(wanted: bool) -> None:
    if wanted:
        print(f"homeroom {release()}")
        raise typer.Exit


@app.callback()
def _of_all_commands(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Say which release this is."),
    ] = False,
) -> None:
    """Takes what is no command's own."""


@app.command()
def worker(
    with_console: Annotated[
        bool, typer.Option("--with-console", help="Serve the console from this worker, too.")
    ] = False,
) -> None:
    """Work on the events topic until stopped. Run as many as there are partitions."""
    from streams.worker import run  # noqa: PLC0415

    settings = load()
    length = len(settings.pseudonym_key.get_secret_value())
    if settings.clock == "live" and length < LEAST_KEY:
        raise SettingsError(
            f"HOMEROOM_PSEUDONYM_KEY has {length} characters: learners' pseudonyms need a secret; "
            f"expected at least {LEAST_KEY} characters"
        )
    if settings.policy is not None:
        policies.read_all(settings.policy)
    topics.require(settings.broker, settings.partitions, settings.prefix)
    console_app = None
    if with_console:
        from cli.wiring.console import cohosted  # noqa: PLC0415 - the web's libraries take a while to import

        console_app = cohosted(settings, _console_keys(settings))
    run(settings, console_app)


@app.command()
def notifier(
    send: Annotated[bool, typer.Option("--send", help="Really send. Without it, only say what would be.")] = (
        False
    ),
    once: Annotated[
        bool, typer.Option("--once", help="Say what is there, and end; not with --send.")
    ] = False,
) -> None:
    """Deliver nudges to learners. A dry run unless --send is given: it prints each message instead."""
    from cli.wiring import notifier as notifying  # noqa: PLC0415

    if send and once:
        raise typer.BadParameter("--once is for the dry run; leave out one of --once and --send")
    if send:
        notifying.run(load(), notifying.load_notifier())
    else:
        notifying.show(load(), notifying.load_notifier(), once=once)


@app.command()
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
    force: Force = False,
) -> None:
    """Publish a simulated term to the events topic (or write it to a file)."""
    stream = simulator.stream(term(learners, courses=courses, weeks=weeks, seed=seed))
    if speed is not None:
        if not 0 < speed <= MOST_SPEED:
            raise typer.BadParameter(f"--speed is {speed}; expected more than 0, and at most {MOST_SPEED:g}")
        stream = paced(stream, speed)
    if out is not None:
        _write_lines(stream, out, force)
        return
    sent = publish(stream, load(), lambda sent: console.print(f"{sent.messages:,} messages", end="\r"))
    console.print(f"published {sent.messages:,} messages as {sent.records:,} records")


def _write_lines(stream: Iterable[Published], out: Path, force: bool) -> None:
    if str(out) == "-":
        for message in stream:
            sys.stdout.buffer.write(message.value + b"\n")
        return
    with files.written(out, force=force) as file:
        for message in stream:
            file.write(message.value + b"\n")


@app.command()
def replay(
    oulad: Annotated[Path | None, typer.Option(help="Folder of the OULAD tables, CSV or parquet.")] = None,
    events: Annotated[
        Path | None, typer.Option(help="File of native JSON lines, in order of event time.")
    ] = None,
    presentations: Annotated[list[str] | None, typer.Option(help="Only these, such as BBB/2013J.")] = None,
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
    """Replay recorded learners through broker, worker and store, as fast as they go, and sum up."""
    if (oulad is None) == (events is None):
        raise typer.BadParameter("give one of --oulad and --events")
    files.check(summary_json, force=force)
    if oulad is not None:
        from sources.oulad import OuladFolder  # noqa: PLC0415 - needs an extra

        found = OuladFolder(oulad)
        known = [one.course_run for one in found.presentations]
        if unknown := sorted({*(presentations or ())} - {*known}):
            raise typer.BadParameter(
                f"--presentations {unknown[0]!r} is not in the folder; expected some of {', '.join(known)}"
            )
        chosen = [one for one in found.presentations if not presentations or one.course_run in presentations]
        stream, total = found.stream(chosen), found.total(chosen)
    elif events is not None:
        stream, total = native.read(events, ticks=True), 0
    recorded = {"nudges_delivered": False} if oulad is not None else {}  # of one's own learners, who knows
    settings = _replaying(broker=broker, store=store, **recorded)
    rig_of_both = Rig(folder, settings, broker=broker is None, store=store is None)
    with taken(folder, "replay"), interruptible(rig_of_both) as rig:
        progress = stream_through(rig, stream, total, console, workers)
        rig.stop_workers()
        address = rig.settings.store_address
        if address is not None:
            with StoreReader(address) as reader:
                summary.show(console, reader, progress, folder)
        counts = {
            "published": progress.sent.records,
            "applied": progress.applied,
            "duplicates": progress.duplicates,
            "dead_letters": progress.dead_letters,
            "seconds": round(progress.elapsed_s, 1),
            "events_per_second": round(progress.done / progress.elapsed_s),
        }
        lost = counts["published"] - progress.done
        console.print(
            f"in {counts['published']:,} = applied and accounted for {progress.done:,}, lost {lost:,}"
        )
        if summary_json is not None:
            files.write(summary_json, json.dumps(counts, indent=2) + "\n", force=force)


@app.command()
def demo(
    learners: Learners = 3000,
    seed: Seed = 1,
    folder: Folder = Path("data/demo"),
    serve: Annotated[
        bool,
        typer.Option(help="Stop the term in its 14th week and serve the instructors' page, until Ctrl-C."),
    ] = False,
) -> None:
    """A simulated term through the real worker, with an embedded broker and store: two minutes, no set-up."""
    plan = term(learners, seed=seed, elapsed=0.68 if serve else 1.0)
    settings = _replaying(nudges_delivered=False)
    if serve:
        from cli.demo_page import DEMO_POLICY, check_place, serve_demo  # noqa: PLC0415 - the web's libraries

        if settings.policy is None:
            settings = settings.model_copy(update={"policy": DEMO_POLICY})
        check_place(settings)
    with fresh(folder, "demo"), interruptible(Rig(folder, settings)) as rig:
        console.print(
            styled(
                "bold", "homeroom", f": {learners:,} simulated learners, a term of 20 weeks, one worker. "
            ),
            "The past runs teach the model, the present ones are watched.",
        )
        progress = stream_through(rig, unfinished(plan), simulator.total(plan), console)
        if not serve:
            rig.stop_workers()
        with StoreReader(rig.store_address) as reader:
            summary.show(console, reader, progress, folder)
            judged = summary.judge(reader, plan, settings.identity, weeks=(4, 8, 12, 16))
            summary.show_judged(console, judged)
        if serve:
            serve_demo(rig.settings, plan, console)
            return
    console.print(
        styled(
            "bold",
            "\nNext:",
            " ask the data something, or replay real learners (the README says where from):",
        )
    )
    console.print(
        f"  .venv/bin/homeroom query --folder {folder} '{SUGGESTED}'", soft_wrap=True, highlight=False
    )
    console.print("  .venv/bin/homeroom replay --oulad DIR", highlight=False)


@app.command("console")
def serve_console() -> None:
    """Serve the API and the instructors' page, over the store and the broker of the settings."""
    from cli.wiring.console import Place, serve  # noqa: PLC0415

    now = load()
    keys = _console_keys(now)
    place = Place(now.console_host, now.console_port)
    console.print(f"the console is at {place.url}", highlight=False)
    serve(now, keys, place)


def _console_keys(settings: Settings) -> KeyRing:
    if not settings.console_keys:
        raise SettingsError(
            "HOMEROOM_CONSOLE_KEYS is empty; expected a file of keys. `homeroom console-key NAME` makes one"
        )
    return KeyRing.of_file(Path(settings.console_keys))


@app.command()
def report(
    course: Annotated[str, typer.Option(help="The course run, such as BBB/2014B.")],
    week: Annotated[int, typer.Option(min=1, max=MOST_WEEKS, help="Week of the run, from 1.")],
    out: Annotated[
        Path | None, typer.Option(help="The HTML file to write; named after run and week if not given.")
    ] = None,
    force: Force = False,
    folder: StoreFolder = None,
) -> None:
    """Write a course run's week as one HTML page, for an instructor's Monday mail."""
    file = out or Path(f"{course.replace('/', '-')}-week-{week}.html")
    files.check(file, force=force)
    now = load() if folder is None else _replaying()
    names = read_roster(Path(now.console_roster)) if now.console_roster else {}
    with store_at(folder) as address, closing(Readers(address)) as readers:
        page = weekly(readers, course, week, LearnerDirectory(now.identity, names))
    files.write(file, page, force=force)
    console.print(f"week {week} of {course} is in {file}", highlight=False, soft_wrap=True)


@app.command("console-key")
def console_key(
    name: Annotated[str, typer.Argument(help="Whose key.")],
    role: Annotated[str, typer.Option(help="viewer reads, instructor also acts, admin sees all courses.")] = (
        "instructor"
    ),
    course: Annotated[
        list[str] | None, typer.Option(help="A course with all of its runs, or one run; several times.")
    ] = None,
) -> None:
    """Make a key of the console: shown once, and the entry of it for the file of keys."""
    if role not in get_args(Role):
        raise typer.BadParameter(f"--role is {role!r}; expected one of {', '.join(get_args(Role))}")
    key, made = make_key(name, cast(Role, role), course or [])
    print(f"# The key, to be handed over and not kept: {key}", file=sys.stderr)
    print(entry(made), end="")


@app.command()
def query(
    sql: Annotated[
        str, typer.Argument(help="One SELECT; `SHOW TABLES` lists what there is. `FORMAT CSV` is honoured.")
    ],
    folder: StoreFolder = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines instead of a table.")] = False,
) -> None:
    """Ask the store. Nothing can be changed this way: the store itself refuses."""
    form = form_of(sql, as_json=as_json)
    with store_reader(folder) as reader:
        answer = reader.query(sql)
    if form is not None:
        for line in form(answer):
            print(line)
        return
    table = table_of(*answer.columns)
    for row in answer.rows:
        table.add_row(*(str(value) for value in row))
    console.whole(table)


@app.command()
def why(
    learner: Annotated[str, typer.Argument(help="The learner's id, or the pseudonym that boards show.")],
    folder: StoreFolder = None,
) -> None:
    """A learner's whole history: risk changes, decisions with their reasons, nudges, what became of them."""
    identity = (load() if folder is None else _replaying()).identity
    with store_reader(folder) as reader:
        for pseudonym in dict.fromkeys((identity.learner(learner), learner)):
            moments = history.of_learner(reader, pseudonym)
            if moments:
                history.show(console, pseudonym, moments)
                return
    raise SettingsError(f"{learner!r}: the store knows no such learner (under this HOMEROOM_PSEUDONYM_KEY)")


@app.command()
def doctor() -> None:
    """Check broker, topics, store and versions; one line each. Ends with 1 where something is wrong."""
    wrong = False
    for finding in doctors.examine(load()):
        wrong |= finding.wrong
        mark = ("red", "wrong") if finding.wrong else ("green", "ok   ")
        console.print(styled(*mark, f" {finding.what}: {finding.words}"), highlight=False, soft_wrap=True)
    raise typer.Exit(int(wrong))


@app.command()
def migrate(
    target: Annotated[
        int | None, typer.Option(help="Migrate to this number; 0 takes everything back.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Take migrations back, with the data in their tables.")
    ] = False,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for a store that does not serve yet.")
    ] = 60.0,
) -> None:
    """Create or update the store's tables."""
    address = load().store_address
    if address is None:
        raise SettingsError("HOMEROOM_STORE is empty: there is no store to migrate")
    wait_until_up(address, wait)
    done = run_migrations(address, target, backwards=force)
    console.print("\n".join(str(step) for step in done) if done else "up to date")


@app.command()
def settings() -> None:
    """List every setting, what it is now, and what it does. Secrets are not shown."""
    from cli.wiring.notifier import load_notifier  # noqa: PLC0415 - imports the notifier's libraries

    lines = [
        (f"{part.model_config['env_prefix']}{name.upper()}", shown(part, name), field.description)
        for part in (load(), load_notifier())
        for name, field in type(part).model_fields.items()
    ]
    names = Column("setting", no_wrap=True, min_width=max(len(line[0]) for line in lines))  # to be copied
    table = table_of(names, "now", "what it does")
    for line in lines:
        table.add_row(*line)
    console.whole(table)


@app.command()
def evaluate(
    oulad: Annotated[Path, typer.Option(help="Folder of the OULAD tables, with any set of presentations.")],
    test: Annotated[
        list[str], typer.Option(help="Codes of the presentations to write estimates of, such as 2014B.")
    ],
    out: Annotated[Path, typer.Option(help="The table: .parquet or .csv.")],
    report: Annotated[
        Path | None, typer.Option(help="Write what the estimates are worth here, as one HTML file.")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option("--json", help="Write the report's figures here, as JSON.")
    ] = None,
    force: Force = False,
    baselines: Annotated[
        bool, typer.Option(help="Compare with other methods on the same features; a few minutes more.")
    ] = False,
) -> None:
    """One pass over OULAD in time order, test then train; writes a table of estimates and alerts."""
    from evaluation import command  # noqa: PLC0415

    wanted = command.Wanted(report, figures, baselines, force)
    command.evaluate(oulad, test, out, load(clock="replay").rules, console, wanted)


@app.command()
def fairness(
    oulad: Annotated[Path, typer.Option(help="Folder of the OULAD tables, with studentInfo as published.")],
    estimates: Annotated[Path, typer.Option(help="A table that `homeroom evaluate` wrote.")],
    report: Annotated[Path | None, typer.Option(help="Write the audit here, as one HTML file.")] = None,
    figures: Annotated[Path | None, typer.Option("--json", help="Write the audit here, as JSON.")] = None,
    force: Force = False,
) -> None:
    """Audit estimates by gender, age, disability, region and deprivation, none of which any estimate uses."""
    from evaluation import fairness as audits  # noqa: PLC0415
    from evaluation import fairness_report  # noqa: PLC0415

    files.check(report, figures, force=force)
    found = audits.audit(oulad, estimates)
    audits.show(found, console)
    save(found, fairness_report.page(found) if report else None, report, figures, force=force)


@app.command()
def new_course(
    oulad: Annotated[Path, typer.Option(help="Folder of the OULAD tables, with any set of presentations.")],
    report: Annotated[Path | None, typer.Option(help="Write the comparison here, as one HTML file.")] = None,
    figures: Annotated[Path | None, typer.Option("--json", help="Write the figures here, as JSON.")] = None,
    force: Force = False,
) -> None:
    """Leave one module out, each in turn: what the model is worth in a course that it has never seen."""
    from evaluation import new_course as new_courses  # noqa: PLC0415
    from evaluation import new_course_report  # noqa: PLC0415

    files.check(report, figures, force=force)
    found = new_courses.compare(oulad, load(clock="replay").rules, console)
    new_courses.show(found, console)
    save(found, new_course_report.page(found) if report else None, report, figures, force=force)


@app.command()
def causality(
    oulad: Annotated[Path, typer.Option(help="Folder of the OULAD tables, with any set of presentations.")],
    test: Annotated[str, typer.Option(help="The presentation code whose days are meant, such as 2014B.")],
    day: Annotated[list[int], typer.Option(help="Cut the data off at the start of this day of the run.")],
    figures: Annotated[
        Path | None, typer.Option("--json", help="Write what was found here, as JSON.")
    ] = None,
    force: Force = False,
) -> None:
    """Cut the data off at a day: whatever was said up to it must not change by a bit."""
    from evaluation.causality import check  # noqa: PLC0415

    files.check(figures, force=force)
    found = check(oulad, test, day, load(clock="replay").rules, console)
    save(found, None, None, figures, force=force)


@topics_app.command("create")
def topics_create() -> None:
    """Create the topics that are not there. Those that are stay untouched."""
    now = load()
    made = topics.create(now.broker, now.partitions, now.replication, now.prefix)
    console.print("\n".join(f"created {name}" for name in made) if made else "all there")


@topics_app.command("show")
def topics_show() -> None:
    """Show every topic, and how it differs from what is wanted. Ends with 1 where that matters."""
    now = load()
    table = table_of("topic", "partitions", "replicas", "remarks")
    states = topics.describe(now.broker, now.partitions, now.replication, now.prefix)
    for state in states:
        words = "; ".join([*state.faults, *state.remarks]) or "as wanted"
        table.add_row(state.name, str(state.partitions), str(state.replication), words)
    console.whole(table)
    raise typer.Exit(int(any(state.faults for state in states)))


def _replaying(**overrides: Any) -> Settings:
    """Settings for a run over the past. Without a secret of one's own the demo's key makes the pseudonyms."""
    now = load(clock="replay", **overrides)
    if now.pseudonym_key.get_secret_value():
        return now
    return load(clock="replay", pseudonym_key=DEMO_KEY, **overrides)


def main(run: Callable[[], Any] = app) -> None:
    """The console script: expected errors in one readable line, an interruption without a traceback."""
    started = datetime.now(UTC)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal's own letters may lack some of the data's
            stream.reconfigure(errors="backslashreplace")
    try:
        with named():
            run()
    except HomeroomError as error:
        print(f"homeroom: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:  # such as a full disk, or a file that may not be read
        place = f"{error.filename}: " if error.filename else ""
        print(f"homeroom: {place}{error.strerror or error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        took = (datetime.now(UTC) - started).total_seconds()
        print(f"homeroom: interrupted after {took:.0f} s", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
