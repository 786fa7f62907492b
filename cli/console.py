"""The instructors' page: ``homeroom console``, its keys, and a week's report."""

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from cli.options import MOST_WEEKS, Force, StoreFolder

if TYPE_CHECKING:
    from console.access import KeyRing
    from streams.settings import Settings


def serve_console() -> None:
    """Serve the API and the instructors' page, over the store and the broker of the settings."""
    from cli.wiring.console import ListenAddress, serve
    from output.screen import console
    from streams.settings import load

    settings = load()
    keys = console_keys(settings)
    address = ListenAddress(settings.console_host, settings.console_port)
    console.print(f"the console is at {address.url}", highlight=False)
    serve(settings, keys, address)


def console_keys(settings: "Settings") -> "KeyRing":
    """The keys of the file that the settings name.

    Raises:
        SettingsError: the settings name no file.
    """
    from console.access import KeyRing
    from streams.settings import SettingsError

    if not settings.console_keys:
        raise SettingsError(
            "HOMEROOM_CONSOLE_KEYS is empty; expected a file of keys. `homeroom console-key NAME` makes one"
        )
    return KeyRing.of_file(Path(settings.console_keys))


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
    from cli.replay_settings import replay_settings
    from cli.stores import store_at
    from cli.wiring.learner_directory import LearnerDirectory, read_roster
    from console.readers import Readers
    from console.report import weekly
    from output import files
    from output.screen import console
    from streams.settings import load

    file = out or Path(f"{course.replace('/', '-')}-week-{week}.html")
    files.check_writable(file, force=force)
    settings = load() if folder is None else replay_settings()
    names = read_roster(Path(settings.console_roster)) if settings.console_roster else {}
    with store_at(folder) as address, closing(Readers(address)) as readers:
        page = weekly(readers, course, week, LearnerDirectory(settings.identity, names))
    files.write_output(file, page, force=force)
    console.print(f"week {week} of {course} is in {file}", highlight=False, soft_wrap=True)


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
    from console.access import Role, entry, make_key

    if role not in get_args(Role):
        raise typer.BadParameter(f"--role is {role!r}; expected one of {', '.join(get_args(Role))}")
    secret, api_key = make_key(name, cast(Role, role), course or [])
    print(f"# The key, to be handed over and not kept: {secret}", file=sys.stderr)
    print(entry(api_key), end="")
