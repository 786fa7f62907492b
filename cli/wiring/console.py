"""Connects the console with what it may not import: broker, model and the learners' identities."""

import logging
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from cli.wiring.experiment_effects import HoldoutEffects
from cli.wiring.learner_directory import KeyFollower, LearnerDirectory, read_roster
from cli.wiring.nudge_wording import PolicyWording
from cli.wiring.what_if import PackageWhatIf
from console.access import ApiKey, KeyRing
from console.app import create_app
from console.guard import Site
from console.parts import Parts
from console.ports import OutboxDownError
from console.protocol import MAX_HEAD, BoundedProtocol
from console.readers import Readers
from console.sessions import MIN_SECRET_LENGTH
from schemas.inbound import Feedback, feedback_adapter
from schemas.topics import DAY_PACKAGES, FEEDBACK, RISK_CHANGES
from streams.cohosting import CohostedApp
from streams.day_packages import PackageReader
from streams.publisher import Publisher, PublishError
from streams.settings import Settings, SettingsError

log = logging.getLogger(__name__)

PUBLISH_S = 10.0
"""Seconds until a publish, and with it the user's action, fails."""

FIRST_PACKAGE_S = 2.0
"""Seconds that the start waits for a day package; without one all but the what-if works."""

SERVER: Mapping[str, Any] = {
    "log_level": "warning",
    "access_log": False,
    "server_header": False,
    "http": BoundedProtocol,
    "ws": "none",
    "h11_max_incomplete_event_size": MAX_HEAD,
    "timeout_keep_alive": 5,
    "timeout_graceful_shutdown": 5,
}
"""Options of uvicorn for the console, on its own and inside a worker."""


class FeedbackOutbox:
    """Implements :class:`console.ports.Outbox`: publishes to the feedback topic, keyed by the learner."""

    def __init__(self, address: str, topic: str, patience_s: float = PUBLISH_S) -> None:
        self._address = address
        self._patience_s = patience_s
        self._topic = topic
        self._lock = threading.Lock()
        self._publisher = Publisher(address)

    def publish(self, message: Feedback) -> None:
        """Publish and return once the broker has acknowledged; a publisher that failed is replaced.

        Raises:
            OutboxDownError: the broker did not acknowledge in time.
        """
        with self._lock:
            value = feedback_adapter.dump_json(message)
            try:
                self._publisher.send(self._topic, value, message["learner"])
                self._publisher.flush_now(self._patience_s)
            except PublishError as error:
                self._publisher = Publisher(self._address)
                raise OutboxDownError(str(error)) from error


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Host and port on which the console listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def check(self) -> None:
        """Check, before anything else is started, that the address can be listened on.

        Raises:
            SettingsError: it is taken, or not an address of this machine.
        """
        try:
            with socket.create_server((self.host, self.port)):
                pass
        except (OSError, UnicodeError, OverflowError) as error:
            raise SettingsError(
                f"HOMEROOM_CONSOLE_HOST and _PORT are {self.host} and {self.port}: "
                f"{getattr(error, 'strerror', None) or error}; expected an address of this machine, "
                "and a port that nobody listens on"
            ) from None


def site_of(settings: Settings) -> Site:
    """How browsers reach the console: public URL and secret.

    Raises:
        SettingsError: the secret is too short.
    """
    secret = settings.console_secret.get_secret_value()
    if secret and len(secret) < MIN_SECRET_LENGTH:
        raise SettingsError(
            f"HOMEROOM_CONSOLE_SECRET has {len(secret)} characters; "
            f"expected at least {MIN_SECRET_LENGTH}, or none"
        )
    return Site(settings.console_public_url, secret)


def server_options(settings: Settings) -> dict[str, Any]:
    """Options of uvicorn for the console under these settings."""
    return {**SERVER, "forwarded_allow_ips": settings.console_proxies}


@contextmanager
def console_app(
    settings: Settings, keys: Iterable[ApiKey] | KeyRing, names: Mapping[str, str] | None = None
) -> Iterator[FastAPI]:
    """The console's app with its readers and threads, which are stopped afterwards.

    names: learner id → display name; the roster of the settings if None. A broker or store that is
    unavailable is no error: the requests that need it fail, and recover by themselves.

    Raises:
        SettingsError: the settings name no store.
        RosterError: the roster is invalid.
        PolicyFileError: the policy is invalid.
    """
    address = settings.reader_address
    if address is None:
        raise SettingsError("HOMEROOM_STORE is empty: the console has nothing to show")
    if names is None:
        names = read_roster(Path(settings.console_roster)) if settings.console_roster else {}
    site = site_of(settings)
    wording = PolicyWording(settings.rules.policy, settings.policy)
    directory = LearnerDirectory(settings.identity, names)
    follower = KeyFollower(directory, settings.broker, settings.prefix + RISK_CHANGES.name)
    packages = PackageReader(Publisher(settings.broker), settings.broker, settings.prefix + DAY_PACKAGES.name)
    readers = Readers(address)
    follower.start()
    packages.start(FIRST_PACKAGE_S)
    try:
        parts = Parts(
            readers,
            directory,
            FeedbackOutbox(settings.broker, settings.prefix + FEEDBACK.name),
            PackageWhatIf(packages.newest),
            HoldoutEffects(),
            wording,
            replay=settings.clock == "replay",
        )
        yield create_app(parts, keys, site=site)
    finally:
        packages.stop()
        follower.stop()
        readers.close()


def cohosted_console(settings: Settings, keys: Iterable[ApiKey] | KeyRing) -> CohostedApp:
    """The console as an app that a worker serves.

    Raises:
        SettingsError: its port is taken, or one of its settings is wrong.
    """
    site_of(settings)
    address = ListenAddress(settings.console_host, settings.console_port)
    address.check()
    return CohostedApp(
        lambda: console_app(settings, keys), address.host, address.port, server_options(settings)
    )


def serve(
    settings: Settings,
    keys: Iterable[ApiKey] | KeyRing,
    address: ListenAddress,
    names: Mapping[str, str] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        SettingsError: the port is taken, or ``console_app`` finds a setting wrong.
    """
    address.check()
    with console_app(settings, keys, names) as app:
        try:
            _ConsoleServer(uvicorn.Config(app, address.host, address.port, **server_options(settings))).run()
        except KeyboardInterrupt:
            log.info("the console has stopped")


class _ConsoleServer(uvicorn.Server):
    """Closes live updates of open pages before it waits for connections to end."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        app: Any = self.config.app
        await app.state.live.end_streams()
        await super().shutdown(sockets)
