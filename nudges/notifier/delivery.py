"""A nudge's way from the topic to the provider, one step after the other.

1. Read: a record that is no nudge becomes a dead letter.
2. Expired, or known by its receipt as sent or dropped: nothing more to do.
3. Wait until ``send_at``, ask whether it was taken back since, and wait for the channel's turn.
4. Compose: what can never be sent (no provider, no address) becomes a dead letter.
5. Claim: only who holds the nudge makes an attempt.
6. Hand over to the provider; write the receipt; say ``delivered``.
7. Refused: wait, longer each time, and go on at 3, until the attempts or the time are used up.

Nothing here is lost in a crash: the record's offset is committed only after the last step. Whether anything
is done twice then is the claims' affair. An attempt that has begun is brought to its end even where the
partition goes to another notifier or the process is asked to stop.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import ValidationError

from nudges.notifier.addresses import AddressBookError
from nudges.notifier.composing import Composer, GivenUp, Unsendable
from nudges.notifier.intake import Record
from nudges.notifier.metrics import Metrics
from nudges.notifier.outbox import Outbox
from nudges.notifier.pacing import Backoff, RateLimit
from nudges.notifier.providers import AT_ONCE, Outgoing
from nudges.notifier.receipts import Receipts
from nudges.notifier.withdrawals import Withdrawals
from schemas.learner import Channel
from schemas.nudge import Nudge, NudgeCancelled, nudge_adapter

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 30.0
"""The longest nap: a wait for the morning must notice that the clock was set."""

Outcome = (
    GivenUp
    | Literal[
        "sent",
        "known",  # sent or dropped before, by its receipt
        "expired",
        "withdrawn",  # cancelled by the policy, or unwelcome to the learner, since the decision
        "cancellation",  # no nudge, but one that takes another back
        "invalid",
    ]
)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to try. ``in_doubt_s`` is how old another's claim must be to be taken for abandoned: longer
    than any attempt takes, and than a partition takes to change hands."""

    backoff: Backoff = field(default_factory=Backoff)
    in_doubt_s: float = 180.0


class Delivery:
    """Delivers records. ``receipts`` and ``withdrawals`` are kept up to date by others."""

    def __init__(
        self,
        composer: Composer,
        receipts: Receipts,
        withdrawals: Withdrawals,
        outbox: Outbox,
        limits: Mapping[Channel, RateLimit],
        metrics: Metrics,
        patience: Patience = Patience(),
    ) -> None:
        self._composer = composer
        self._receipts = receipts
        self._withdrawals = withdrawals
        self._outbox = outbox
        self._limits = limits
        self._metrics = metrics
        self._patience = patience
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._attempts: set[asyncio.Task[bool | None]] = set()

    async def deliver(self, record: Record) -> Outcome:
        """Bring a record to its end. Raises where receipts can no longer be written or read."""
        try:
            nudge = nudge_adapter.validate_json(record.value)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            self._outbox.dead_letter(
                record.partition, record.offset, record.value, "invalid", f"{place}: {first['msg']}"
            )
            outcome: Outcome = "invalid"
        else:
            if isinstance(nudge, NudgeCancelled):
                return "cancellation"
            outcome = self._ended(nudge) or await self._deliver(nudge, record)
            self._metrics.outcomes.labels(nudge.channel, outcome).inc()
            log.info("nudge %s by %s: %s", nudge.nudge_id, nudge.channel, outcome)
        if outcome != "expired":
            await self._outbox.flush()
        return outcome

    async def finish_attempts(self) -> None:
        """Wait for the attempts that have begun."""
        if self._attempts:
            await asyncio.wait(self._attempts)

    async def _deliver(self, nudge: Nudge, record: Record) -> Outcome:
        turn = 0
        while True:
            turn += 1
            await self._until(nudge.send_at, nudge)
            ended = self._ended(nudge) or await self._withdrawn(nudge)
            if ended:
                return ended
            tried = await self._try(nudge, record, turn)
            if isinstance(tried, str):
                return tried
            await self._until(datetime.now(UTC) + timedelta(seconds=tried), nudge)

    async def _try(self, nudge: Nudge, record: Record, turn: int) -> Outcome | float:
        """One attempt; what came of it, or the seconds to wait until the next."""
        if self._receipts.standing(nudge.nudge_id).holder is not None:
            return await self._of_another(nudge, record)
        message = await self._compose(nudge, record, turn)
        if not isinstance(message, Outgoing):
            return message
        await self._limits[nudge.channel].turn()
        async with self._slots:
            if self._ended(nudge) or self._withdrawals.against(nudge, datetime.now(UTC)):
                return 0.0  # in the meantime; the next round says which
            attempt = self._receipts.standing(nudge.nudge_id).attempts + 1
            taken = await self._attempt(message, attempt)
        if taken is None:
            return 0.0
        return "sent" if taken else await self._refused(nudge, record, attempt)

    async def _compose(self, nudge: Nudge, record: Record, turn: int) -> Outgoing | Outcome | float:
        try:
            message = await self._composer.compose(nudge)
        except AddressBookError as error:
            log.warning("%s", error)
            self._metrics.attempts.labels(nudge.channel, "no_answer").inc()
            return self._patience.backoff.wait(turn)
        if isinstance(message, Unsendable):
            return await self._give_up(nudge, record, message.reason, message.detail)
        return message

    async def _refused(self, nudge: Nudge, record: Record, attempt: int) -> Outcome | float:
        if attempt < self._patience.backoff.attempts:
            return self._patience.backoff.wait(attempt)
        words = f"the provider refused it {attempt} times"
        return await self._give_up(nudge, record, "undeliverable", words)

    async def _attempt(self, message: Outgoing, attempt: int) -> bool | None:
        """Whether the provider took it; None where another notifier holds the nudge. Not to be cut short."""
        task = asyncio.create_task(self._claim_and_send(message, attempt))
        self._attempts.add(task)
        task.add_done_callback(self._attempts.discard)
        return await asyncio.shield(task)

    async def _claim_and_send(self, message: Outgoing, attempt: int) -> bool | None:
        nudge = message.nudge
        claim = await self._receipts.claim(nudge, attempt)
        if claim is None:
            return None
        with self._metrics.sending(nudge.channel):
            taken = await self._composer.providers.send(message)
        await self._receipts.write(nudge, "sent" if taken else "failed", claim, attempt)
        self._metrics.attempts.labels(nudge.channel, "taken" if taken else "refused").inc()
        if taken:
            self._metrics.late(nudge)
            self._outbox.delivered(nudge)
        return taken

    async def _of_another(self, nudge: Nudge, record: Record) -> Outcome | float:
        """Another's claim: wait for its end, or, where it has none, leave the nudge alone."""
        since = self._receipts.standing(nudge.nudge_id).since or datetime.now(UTC)
        age = (datetime.now(UTC) - since).total_seconds()
        if age < self._patience.in_doubt_s:
            return min(1.0, self._patience.in_doubt_s - age)
        return await self._give_up(
            nudge, record, "in_doubt", f"an attempt that began at {since.isoformat()} was never resolved"
        )

    async def _give_up(self, nudge: Nudge, record: Record, reason: GivenUp, detail: str) -> Outcome:
        self._outbox.dead_letter(record.partition, record.offset, record.value, reason, detail)
        await self._outbox.flush()
        await self._receipts.drop(nudge, reason)
        return reason

    def _ended(self, nudge: Nudge) -> Outcome | None:
        standing = self._receipts.standing(nudge.nudge_id)
        if standing.final:
            if standing.state == "sent":
                self._outbox.delivered(nudge)  # once more: a crash may have come before it was said
            return "known"
        return "expired" if datetime.now(UTC) >= nudge.expires_at else None

    async def _withdrawn(self, nudge: Nudge) -> Outcome | None:
        reason = self._withdrawals.against(nudge, datetime.now(UTC))
        if reason is None:
            return None
        await self._receipts.drop(nudge, reason)
        return "withdrawn"

    async def _until(self, moment: datetime, nudge: Nudge) -> None:
        """Sleep until a moment, or until the nudge has expired."""
        end = min(moment, nudge.expires_at)
        while (left := (end - datetime.now(UTC)).total_seconds()) > 0:  # noqa: ASYNC110 - a time, no event
            await asyncio.sleep(min(left, LOOK_AGAIN_S))


Spawn = Callable[[Coroutine[Any, Any, Outcome]], asyncio.Task[Outcome]]


class UnderWay:
    """The deliveries that have begun and not ended, by partition. ``spawn`` makes a task of each."""

    def __init__(self, delivery: Delivery, spawn: Spawn) -> None:
        self._delivery = delivery
        self._spawn = spawn
        self._tasks: dict[int, set[asyncio.Task[Outcome]]] = {}
        self._stopped = False

    def __len__(self) -> int:
        return sum(map(len, self._tasks.values()))

    def start(self, record: Record, done: Callable[[Record], None]) -> None:
        """Begin to deliver a record; ``done`` is told when it needs nothing more."""
        if self._stopped:
            return
        task = self._spawn(self._delivery.deliver(record))
        tasks = self._tasks.setdefault(record.partition, set())
        tasks.add(task)

        def ended(task: asyncio.Task[Outcome]) -> None:
            tasks.discard(task)
            if not task.cancelled() and task.exception() is None:
                done(record)

        task.add_done_callback(ended)

    async def release(self, partitions: Collection[int]) -> None:
        """Let go of the partitions' deliveries; return when no attempt is under way."""
        for partition in partitions:
            for task in self._tasks.pop(partition, set()):
                task.cancel()
        await self._delivery.finish_attempts()

    async def stop(self) -> None:
        """Let go of everything, and begin nothing any more."""
        self._stopped = True
        await self.release(list(self._tasks))
