"""The services that run until they are stopped: ``homeroom worker``, ``notifier`` and ``relay``."""

from typing import Annotated

import typer

from cli.console import console_keys


def worker(
    with_console: Annotated[
        bool, typer.Option("--with-console", help="Serve the console from this worker, too.")
    ] = False,
) -> None:
    """Work on the events topic until stopped. Run as many as there are partitions."""
    from streams import policy_files as policies
    from streams import topics
    from streams.settings import MIN_KEY_CHARS, SettingsError, load
    from streams.worker import run

    settings = load()
    length = len(settings.pseudonym_key.get_secret_value())
    if settings.clock == "live" and length < MIN_KEY_CHARS:
        raise SettingsError(
            f"HOMEROOM_PSEUDONYM_KEY has {length} characters: learners' pseudonyms need a secret; "
            f"expected at least {MIN_KEY_CHARS} characters"
        )
    if settings.policy is not None:
        policies.read_policies(settings.policy)
    topics.require(settings.broker, settings.partitions, settings.prefix)
    console_app = None
    if with_console:
        from cli.wiring.console import cohosted_console

        console_app = cohosted_console(settings, console_keys(settings))
    run(settings, console_app)


def notifier(
    send: Annotated[bool, typer.Option("--send", help="Send. Without it, print what would be sent.")] = (
        False
    ),
    once: Annotated[
        bool, typer.Option("--once", help="Print what is in the topic, and end; not with --send.")
    ] = False,
) -> None:
    """Deliver nudges to learners. A dry run unless --send is given: it prints each message instead."""
    from cli.wiring import notifier as notifying
    from streams.settings import load

    if send and once:
        raise typer.BadParameter("--once is for the dry run; leave out one of --once and --send")
    if send:
        notifying.run(load(), notifying.load_notifier())
    else:
        notifying.show(load(), notifying.load_notifier(), once=once)


def relay() -> None:
    """Post risk changes and nudges to an HTTP endpoint, until stopped; for platforms without Kafka.

    HOMEROOM_RELAY_URL names it, HOMEROOM_RELAY_FORM what it is sent: CloudEvents, xAPI statements or Caliper
    events. What it refuses for good goes to the dead letters; what it does not answer is sent again.
    """
    from cli.wiring.relay import load_relay, run
    from streams.settings import load

    run(load(), load_relay())
