"""Assembles the notifier and runs it until a signal or a failure ends it."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from notifier.addresses import AddressBook, EmptyBook, open_address_book
from notifier.composing import Composer
from notifier.delivery import Delivery, RetryTiming, RunningDeliveries
from notifier.errors import NotifierError
from notifier.kafka_settings import KafkaSettings
from notifier.link_server import serve_links
from notifier.links import MIN_KEY_LENGTH, Links
from notifier.metrics import Metrics
from notifier.nudge_consumer import NudgeConsumer, Record
from notifier.outbox import Outbox, Publisher
from notifier.pacing import RateLimit
from notifier.providers import Providers
from notifier.receipts import Receipts
from notifier.rendering import Templates
from notifier.settings import NotifierSettings
from notifier.topic_reader import TopicReader
from notifier.troubles import TroubleLog
from notifier.web import create_link_app
from notifier.withdrawals import Withdrawals
from schemas.topics import FEEDBACK, NUDGES, RECEIPTS

LOOKBACK = timedelta(days=40)
"""How far back wishes and cancellations are read: a nudge may live for 30 days, and wait some before."""

FORGET_EVERY_S = 300.0


def composer_of(settings: NotifierSettings) -> Composer:
    """The composer of messages.

    Raises:
        NotifierError: settings are wrong or contradict each other.
    """
    providers = Providers(settings.providers)
    if not settings.addresses and any(map(providers.needs_address, providers.channels)):
        raise NotifierError("HOMEROOM_NOTIFIER_ADDRESSES is empty, and a provider's URL has {address} in it")
    return Composer(
        providers=providers,
        addresses=_address_book(settings),
        templates=Templates(Path(settings.templates) if settings.templates else None),
        links=_links(settings),
        go_to=settings.go_to,
        go_to_item=settings.go_to_item,
        track_opens=settings.track_opens,
    )


def _address_book(settings: NotifierSettings) -> AddressBook:
    if not settings.addresses:
        return EmptyBook()
    try:
        return open_address_book(settings.addresses, settings.addresses_token.get_secret_value())
    except ValueError as error:
        raise NotifierError(f"HOMEROOM_NOTIFIER_ADDRESSES: {error}") from None


def _links(settings: NotifierSettings) -> Links | None:
    key = settings.link_key.get_secret_value()
    if not settings.public_url:
        return None
    if len(key) < MIN_KEY_LENGTH:
        raise NotifierError(
            f"HOMEROOM_NOTIFIER_LINK_KEY has {len(key)} characters; expected at least {MIN_KEY_LENGTH}"
        )
    return Links(settings.public_url, key)


async def serve(
    settings: NotifierSettings,
    kafka: KafkaSettings,
    publisher: Publisher,
    metrics: Metrics,
    timing: RetryTiming | None = None,
) -> None:
    """Deliver nudges until SIGTERM or SIGINT. ``timing``: derived from the providers' timeouts if not given.

    Raises:
        NotifierError: it cannot start or continue.
    """
    composer = composer_of(settings)
    if not composer.providers.channels:
        raise NotifierError("no provider is set: HOMEROOM_NOTIFIER_EMAIL_URL, _SMS_URL, …")
    if composer.links is None and "email" in composer.providers.channels:
        raise NotifierError("HOMEROOM_NOTIFIER_PUBLIC_URL is empty: no mail without a link to unsubscribe")
    outbox = Outbox(publisher, kafka.prefix)
    receipts = Receipts(publisher, kafka.prefix + RECEIPTS.name)
    withdrawals = Withdrawals()
    lookback_start = datetime.now(UTC) - LOOKBACK
    readers = tuple(
        TopicReader(kafka, topic.name, deliver, since)
        for topic, deliver, since in (
            (RECEIPTS, receipts.apply_record, None),
            (NUDGES, withdrawals.apply_nudge_record, lookback_start),
            (FEEDBACK, withdrawals.apply_feedback_record, lookback_start),
        )
    )
    limits = {channel: RateLimit(rate) for channel, rate in settings.rates.items()}
    timing = timing or RetryTiming.for_timeout(composer.providers.longest_timeout_s)
    troubles = TroubleLog()
    delivery = Delivery(composer, receipts, withdrawals, outbox, limits, metrics, timing, troubles)
    with _first_failure():
        async with _endpoint(settings, composer.links, outbox, metrics), asyncio.TaskGroup() as tasks:
            reading = [tasks.create_task(reader.run()) for reader in readers]
            for reader in readers:
                await reader.caught_up()
            running = RunningDeliveries(delivery, tasks.create_task)
            metrics.in_flight.set_function(lambda: len(running))

            def deliver(record: Record) -> None:
                running.start(record, consumer.done)

            consumer = NudgeConsumer(kafka, deliver, running.release)
            consuming = tasks.create_task(consumer.run())
            cleanup = tasks.create_task(_forget_expired(receipts, withdrawals))
            reporting = tasks.create_task(troubles.run())
            await _wait_for_signal()
            await running.stop()
            for task in (consuming, cleanup, reporting, *reading):
                task.cancel()
    await composer.addresses.close()
    await outbox.flush()


@contextlib.asynccontextmanager
async def _endpoint(
    settings: NotifierSettings, links: Links | None, outbox: Outbox, metrics: Metrics
) -> AsyncIterator[None]:
    """Serve the links' endpoint until the end of the block; nothing where there are no links."""
    if links is None:
        yield
        return
    async with contextlib.AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(
                serve_links(create_link_app(links, outbox, metrics), settings.host, settings.port)
            )
        except (OSError, UnicodeError) as error:
            raise NotifierError(
                f"HOMEROOM_NOTIFIER_HOST and _PORT are {settings.host!r} and {settings.port}: "
                f"{getattr(error, 'strerror', None) or error}; expected an address of this machine, and "
                "a port that nobody listens on"
            ) from None
        yield


async def _forget_expired(receipts: Receipts, withdrawals: Withdrawals) -> None:
    while True:
        await asyncio.sleep(FORGET_EVERY_S)
        receipts.forget()
        withdrawals.forget(datetime.now(UTC) - LOOKBACK)


async def _wait_for_signal() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


@contextlib.contextmanager
def _first_failure() -> Iterator[None]:
    """Raise a task group's first failure instead of the group."""
    try:
        yield
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
