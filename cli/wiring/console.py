"""Puts the console together with what it may not import: the broker, the model, and who is who."""

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
"""How long a click may take until it is said that it did not work."""

FIRST_PACKAGE_S = 2.0
"""How long the start waits for a model to ask. Without a broker there is none yet, and all else to show."""

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
"""How uvicorn serves the console, alone and inside a worker."""


class FeedbackOutbox:
    """See :class:`console.ports.Outbox`: publishes to the feedback topic, keyed by the learner."""

    def __init__(self, address: str, topic: str, patience_s: float = PUBLISH_S) -> None:
        self._address = address
        self._patience_s = patience_s
        self._topic = topic
        self._lock = threading.Lock()
        self._publisher = Publisher(address)

    def publish(self, message: Feedback) -> None:
        """Return once the broker has it. A publisher that failed once is not asked again."""
        with self._lock:
            value = feedback_adapter.dump_json(message)
            try:
                self._publisher.send(self._topic, value, message["learner"])
                self._publisher.flush_now(self._patience_s)
            except PublishError as error:
                self._publisher = Publisher(self._address)
                raise OutboxDownError(str(error)) from error


@dataclass(frozen=True, slots=True)
class Place:
    """Where the console listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def check(self) -> None:
        """Raises ``SettingsError`` where nothing can listen there: said before anything else is started."""
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
    """How browsers come to the console. Raises ``SettingsError`` for a secret that is too short."""
    secret = settings.console_secret.get_secret_value()
    if secret and len(secret) < MIN_SECRET_LENGTH:
        raise SettingsError(
            f"HOMEROOM_CONSOLE_SECRET has {len(secret)} characters; "
            f"expected at least {MIN_SECRET_LENGTH}, or none"
        )
    return Site(settings.console_public_url, secret)


def server_options(settings: Settings) -> dict[str, Any]:
    """How uvicorn serves the console under these settings."""
    return {**SERVER, "forwarded_allow_ips": settings.console_proxies}


@contextmanager
def assembled(
    settings: Settings, keys: Iterable[ApiKey] | KeyRing, names: Mapping[str, str] | None = None
) -> Iterator[FastAPI]:
    """The app with everything that it needs, which is let go of afterwards.

    names: learner id → what to call them; the roster of the settings if not given. Raises ``SettingsError``
    where there is no store, ``RosterError`` for a roster that is none, ``PolicyFileError`` for a
    wrong policy. A broker or a store that is away is none: what needs it says so, and comes back by itself.
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


def cohosted(settings: Settings, keys: Iterable[ApiKey] | KeyRing) -> CohostedApp:
    """The console for a worker to serve.

    Raises ``SettingsError`` where its port is taken, or a setting of it is wrong.
    """
    site_of(settings)
    place = Place(settings.console_host, settings.console_port)
    place.check()
    return CohostedApp(lambda: assembled(settings, keys), place.host, place.port, server_options(settings))


def serve(
    settings: Settings,
    keys: Iterable[ApiKey] | KeyRing,
    place: Place,
    names: Mapping[str, str] | None = None,
) -> None:
    """Serve until Ctrl-C, or until asked to terminate. Raises ``SettingsError`` where the port is taken."""
    place.check()
    with assembled(settings, keys, names) as app:
        try:
            _Server(uvicorn.Config(app, place.host, place.port, **server_options(settings))).run()
        except KeyboardInterrupt:
            log.info("the console has stopped")


class _Server(uvicorn.Server):
    """Lets open pages go before it waits for them to end."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        app: Any = self.config.app
        await app.state.live.end_streams()
        await super().shutdown(sockets)
