"""Puts the notifier's parts together and runs them until a signal, or a failure, ends them."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from notifier.addresses import AddressBook, EmptyBook, book_of
from notifier.composing import Composer
from notifier.delivery import Delivery, Patience, UnderWay
from notifier.errors import NotifierError
from notifier.following import Follower
from notifier.intake import Intake, Record
from notifier.links import LEAST_KEY, Links
from notifier.listening import listening
from notifier.metrics import Metrics
from notifier.outbox import Outbox, Publisher
from notifier.pacing import RateLimit
from notifier.places import Place
from notifier.providers import Providers
from notifier.receipts import Receipts
from notifier.rendering import Templates
from notifier.settings import NotifierSettings
from notifier.troubles import Troubles
from notifier.web import app_of
from notifier.withdrawals import Withdrawals
from schemas.topics import FEEDBACK, NUDGES, RECEIPTS

SAID_SINCE = timedelta(days=40)
"""How far back wishes and cancellations are read: a nudge may live for 30 days, and wait some before."""

TIDY_S = 300.0


def composer_of(settings: NotifierSettings) -> Composer:
    """What makes messages of nudges. Raises ``NotifierError`` for settings that do not go together."""
    providers = Providers(settings.providers)
    if not settings.addresses and any(map(providers.needs_address, providers.channels)):
        raise NotifierError("HOMEROOM_NOTIFIER_ADDRESSES is empty, and a provider's URL has {address} in it")
    return Composer(
        providers=providers,
        addresses=_book(settings),
        templates=Templates(Path(settings.templates) if settings.templates else None),
        links=_links(settings),
        go_to=settings.go_to,
        go_to_item=settings.go_to_item,
        track_opens=settings.track_opens,
    )


def _book(settings: NotifierSettings) -> AddressBook:
    if not settings.addresses:
        return EmptyBook()
    try:
        return book_of(settings.addresses, settings.addresses_token.get_secret_value())
    except ValueError as error:
        raise NotifierError(f"HOMEROOM_NOTIFIER_ADDRESSES: {error}") from None


def _links(settings: NotifierSettings) -> Links | None:
    key = settings.link_key.get_secret_value()
    if not settings.public_url:
        return None
    if len(key) < LEAST_KEY:
        raise NotifierError(
            f"HOMEROOM_NOTIFIER_LINK_KEY has {len(key)} characters; expected at least {LEAST_KEY}"
        )
    return Links(settings.public_url, key)


async def serve(
    settings: NotifierSettings,
    place: Place,
    publisher: Publisher,
    metrics: Metrics,
    patience: Patience | None = None,
) -> None:
    """Deliver nudges until SIGTERM or SIGINT; patiently enough for the providers where ``patience`` is not
    given. Raises ``NotifierError`` where it cannot go on."""
    composer = composer_of(settings)
    if not composer.providers.channels:
        raise NotifierError("no provider is set: HOMEROOM_NOTIFIER_EMAIL_URL, _SMS_URL, …")
    if composer.links is None and "email" in composer.providers.channels:
        raise NotifierError("HOMEROOM_NOTIFIER_PUBLIC_URL is empty: no mail without a link to unsubscribe")
    outbox = Outbox(publisher, place.prefix)
    receipts = Receipts(publisher, place.prefix + RECEIPTS.name)
    withdrawals = Withdrawals()
    since = datetime.now(UTC) - SAID_SINCE
    followers = tuple(
        Follower(place, topic.name, take, start)
        for topic, take, start in (
            (RECEIPTS, receipts.take, None),
            (NUDGES, withdrawals.take_nudge, since),
            (FEEDBACK, withdrawals.take_feedback, since),
        )
    )
    limits = {channel: RateLimit(rate) for channel, rate in settings.rates.items()}
    patience = patience or Patience.with_silence(composer.providers.longest_s)
    troubles = Troubles()
    delivery = Delivery(composer, receipts, withdrawals, outbox, limits, metrics, patience, troubles)
    with _failures_in_a_line():
        async with _endpoint(settings, composer.links, outbox, metrics), asyncio.TaskGroup() as tasks:
            following = [tasks.create_task(follower.run()) for follower in followers]
            for follower in followers:
                await follower.caught_up()
            under_way = UnderWay(delivery, tasks.create_task)
            metrics.under_way.set_function(lambda: len(under_way))

            def take(record: Record) -> None:
                under_way.start(record, intake.done)

            intake = Intake(place, take, under_way.release)
            consuming = tasks.create_task(intake.run())
            tidying = tasks.create_task(_tidy(receipts, withdrawals))
            telling = tasks.create_task(troubles.run())
            await _told_to_stop()
            await under_way.stop()
            for task in (consuming, tidying, telling, *following):
                task.cancel()
    await composer.addresses.close()
    await outbox.flush()


@contextlib.asynccontextmanager
async def _endpoint(
    settings: NotifierSettings, links: Links | None, outbox: Outbox, metrics: Metrics
) -> AsyncIterator[None]:
    """The links' endpoint, listening; nothing where there are no links."""
    if links is None:
        yield
        return
    async with contextlib.AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(
                listening(app_of(links, outbox, metrics), settings.host, settings.port)
            )
        except (OSError, UnicodeError) as error:
            raise NotifierError(
                f"HOMEROOM_NOTIFIER_HOST and _PORT are {settings.host!r} and {settings.port}: "
                f"{getattr(error, 'strerror', None) or error}; expected an address of this machine, and "
                "a port that nobody listens on"
            ) from None
        yield


async def _tidy(receipts: Receipts, withdrawals: Withdrawals) -> None:
    while True:
        await asyncio.sleep(TIDY_S)
        receipts.forget()
        withdrawals.forget(datetime.now(UTC) - SAID_SINCE)


async def _told_to_stop() -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    await told.wait()


@contextlib.contextmanager
def _failures_in_a_line() -> Iterator[None]:
    """A task group's first failure, instead of the group."""
    try:
        yield
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
