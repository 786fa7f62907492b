"""A nudge's way from the topic to the provider, one step after the other.

The nudges of a digest wait for one another; what is done with a nudge from step 3 on is then done with those
of the digest that are still wanted, as one message (:mod:`notifier.parcels`). Each ends for itself.

1. Read: a record that is no nudge becomes a dead letter.
2. Expired, or known by its receipt as sent or dropped: nothing more to do.
3. Wait until ``send_at``, ask whether it was taken back since, and wait for the channel's turn.
4. Compose: what can never be sent (no provider, no address, one that is none) becomes a dead letter.
5. Claim: only who holds the nudge makes an attempt.
6. Hand over to the provider; write the receipt; say ``delivered``.
7. Refused: wait, longer each time, and go on at 3, until the attempts or the time are used up. Refused for
   good: a dead letter at once.
8. No answer, though the provider has it perhaps: never again, and a dead letter for a person to look at.

Whatever a record makes any of these steps raise becomes its dead letter, too: only Kafka ends a notifier.
Nothing here is lost in a crash: the record's offset is committed only after the last step. Whether anything
is done twice then is the claims' affair. An attempt that has begun is brought to its end even where the
partition goes to another notifier or the process is asked to stop.
"""

import asyncio
import logging
import traceback
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Self

from notifier.addresses import AddressBookError
from notifier.answers import Answer
from notifier.composing import Composer, GivenUp, Unsendable
from notifier.errors import NotifierError
from notifier.intake import Record
from notifier.metrics import Metrics
from notifier.outbox import Outbox
from notifier.outgoing import Outgoing, in_a_line
from notifier.pacing import Backoff, RateLimit
from notifier.parcels import Digests, Parcel
from notifier.providers import AT_ONCE
from notifier.reading import NoNudgeError, read
from notifier.receipts import Receipts
from notifier.troubles import Troubles
from notifier.withdrawals import Withdrawals
from schemas.learner import Channel
from schemas.nudge import Nudge, NudgeCancelled

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
        "late",  # read when its digest had gone; alone it would be a message that no cap has counted
        "cancellation",  # no nudge, but one that takes another back
        "invalid",
    ]
)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to try. ``in_doubt_s`` is how old another's claim must be to be taken for abandoned: longer
    than any attempt takes, and than a partition takes to change hands. ``gather_s`` is how long a digest
    waits for those of its nudges that are still to be read."""

    backoff: Backoff = field(default_factory=Backoff)
    in_doubt_s: float = 300.0
    gather_s: float = 10.0

    @classmethod
    def with_silence(cls, longest_s: float) -> Self:
        """For providers that may be silent for so long: once for the connection, and once for the answer."""
        return cls(in_doubt_s=max(180.0, 2 * longest_s + 60.0))


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
        troubles: Troubles | None = None,
    ) -> None:
        self._composer = composer
        self._receipts = receipts
        self._withdrawals = withdrawals
        self._outbox = outbox
        self._limits = limits
        self._metrics = metrics
        self._patience = patience
        self._troubles = troubles or Troubles()
        self._slots = {channel: asyncio.Semaphore(AT_ONCE) for channel in limits}
        self._digests = Digests[Outcome]()
        self._attempts: set[asyncio.Task[Answer | None]] = set()

    async def deliver(self, record: Record) -> Outcome:
        """Bring a record to its end. Raises where receipts can no longer be written or read."""
        nudge = self._read(record)
        if isinstance(nudge, NudgeCancelled):
            return "cancellation"
        if nudge is None:
            outcome: Outcome = "invalid"
        else:
            outcome = await self._brought(nudge, record)
            log.info("nudge %s by %s: %s", in_a_line(nudge.nudge_id), nudge.channel, outcome)
        self._metrics.outcomes.labels(nudge.channel if nudge else "", outcome).inc()
        if outcome != "expired":
            await self._outbox.flush()
        return outcome

    def _read(self, record: Record) -> Nudge | NudgeCancelled | None:
        """What a record says; None, and a dead letter, where it is no nudge."""
        try:
            return read(record.value)
        except NoNudgeError as error:
            self._outbox.dead_letter(record.partition, record.offset, record.value, "invalid", str(error))
            self._troubles.tell("nudges", "a record is no nudge, and a dead letter now")
            return None

    async def _brought(self, nudge: Nudge, record: Record) -> Outcome:
        """The nudge at its end, whatever it makes raise on its way there."""
        bring = self._in_digest if nudge.digest else self._alone
        try:
            return self._ended(nudge) or await bring(nudge, record)
        except NotifierError:
            raise
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            # Not the error's own words: they may hold an address.
            words = f"{type(error).__name__} at {where.filename}:{where.lineno}"
            self._troubles.tell(nudge.channel, f"failed: {words}")
            return await self._give_up(Parcel.of(nudge, record), "failed", words)

    async def finish_attempts(self) -> None:
        """Wait for the attempts that have begun."""
        if self._attempts:
            await asyncio.wait(self._attempts)

    async def _alone(self, nudge: Nudge, record: Record) -> Outcome:
        parcel, turn = Parcel.of(nudge, record), 0
        while True:
            turn += 1
            await self._until(nudge.send_at, nudge)
            ended = self._ended(nudge) or await self._withdrawn(nudge)
            if ended:
                return ended
            tried = await self._try(parcel, turn)
            if isinstance(tried, str):
                return tried
            await self._until(datetime.now(UTC) + timedelta(seconds=tried), nudge)

    async def _in_digest(self, nudge: Nudge, record: Record) -> Outcome:
        """The first of a digest's nudges acts for all; where it falls out, the next one goes on."""
        with self._digests.joined(nudge, record) as digest:
            await self._until(nudge.send_at, nudge)
            await self._until(datetime.now(UTC) + timedelta(seconds=self._patience.gather_s), nudge)
            async with digest.turn:
                turn = 0
                while record not in digest.ended:
                    turn += 1
                    ended = self._ended(nudge) or await self._withdrawn(nudge)
                    if ended:
                        return ended
                    if self._receipts.standing(digest.name).final:
                        self._outbox.undelivered(nudge, "late")
                        await self._receipts.settle(nudge, "dropped", "late")
                        return "late"
                    parcel = digest.parcel(self._wanted)
                    tried = await self._try(parcel, turn) if parcel.nudges else 0.0
                    if isinstance(tried, str):
                        digest.ended |= dict.fromkeys(parcel.records, tried)
                    else:
                        await self._until(datetime.now(UTC) + timedelta(seconds=tried), nudge)
            return digest.ended[record]

    def _wanted(self, nudge: Nudge) -> bool:
        now = datetime.now(UTC)
        open_still = not self._receipts.standing(nudge.nudge_id).final and now < nudge.expires_at
        return open_still and self._withdrawals.against(nudge, now) is None

    async def _try(self, parcel: Parcel, turn: int) -> Outcome | float:
        """One attempt; what came of it, or the seconds to wait until the next."""
        if self._receipts.standing(parcel.nudge_id).holder is not None:
            return await self._of_another(parcel)
        message = await self._compose(parcel, turn)
        if not isinstance(message, Outgoing):
            return message
        await self._limits[parcel.channel].turn()
        async with self._slots[parcel.channel]:
            if not all(map(self._wanted, parcel.nudges)):
                return 0.0  # in the meantime; the next round says which
            attempt = self._receipts.standing(parcel.nudge_id).attempts + 1
            answer = await self._attempt(message, parcel, attempt)
        if answer is None:
            return 0.0
        if answer.kind == "refused":
            return await self._refused(parcel, attempt, answer.why)
        return "sent" if answer.kind == "taken" else answer.kind

    async def _compose(self, parcel: Parcel, turn: int) -> Outgoing | Outcome | float:
        try:
            message = await self._composer.compose(parcel.nudges, parcel.nudge_id)
        except AddressBookError as error:
            self._troubles.tell(parcel.channel, str(error))
            self._metrics.attempts.labels(parcel.channel, "no_answer").inc()
            return self._patience.backoff.wait(turn)
        if isinstance(message, Unsendable):
            self._troubles.tell(parcel.channel, f"{message.reason}: {message.detail}")
            return await self._give_up(parcel, message.reason, message.detail)
        return message

    async def _refused(self, parcel: Parcel, attempt: int, why: str) -> Outcome | float:
        if attempt < self._patience.backoff.attempts:
            return self._patience.backoff.wait(attempt)
        words = f"the provider refused it {attempt} times, at last by {why}"
        return await self._give_up(parcel, "undeliverable", words)

    async def _attempt(self, message: Outgoing, parcel: Parcel, attempt: int) -> Answer | None:
        """What the provider answered; None where another notifier has the claim. Not to be cut short."""
        task = asyncio.create_task(self._claim_and_send(message, parcel, attempt))
        self._attempts.add(task)
        task.add_done_callback(self._attempts.discard)
        return await asyncio.shield(task)

    async def _claim_and_send(self, message: Outgoing, parcel: Parcel, attempt: int) -> Answer | None:
        claim = await self._receipts.claim(parcel, attempt)
        if claim is None:
            return None
        with self._metrics.sending(parcel.channel):
            answer = await self._composer.providers.send(message)
        self._metrics.attempts.labels(parcel.channel, answer.kind).inc()
        if answer.why:
            self._troubles.tell(parcel.channel, f"{answer.kind} by the provider: {answer.why}")
        match answer.kind:
            case "refused":
                await self._receipts.write(parcel, "failed", claim, attempt, answer.why)
            case "rejected":
                words = f"the provider refused it for good: {answer.why}"
                await self._give_up(parcel, "rejected", words)
            case "unanswered":
                words = f"attempt {attempt} was handed over, and no answer came: it may have been sent"
                await self._give_up(parcel, "unanswered", words)
            case "taken":
                if parcel.digest:  # the nudges first: once the digest has gone, who is not in it is late
                    await asyncio.gather(*(self._receipts.settle(one, "sent") for one in parcel.nudges))
                await self._receipts.write(parcel, "sent", claim, attempt)
                for nudge in parcel.nudges:
                    self._metrics.late(nudge)
                    self._outbox.delivered(nudge)
        return answer

    async def _of_another(self, parcel: Parcel) -> Outcome | float:
        """Another's claim: wait for its end, or, where it has none, leave it alone."""
        since = self._receipts.standing(parcel.nudge_id).since or datetime.now(UTC)
        age = (datetime.now(UTC) - since).total_seconds()
        if age < self._patience.in_doubt_s:
            return min(1.0, self._patience.in_doubt_s - age)
        words = f"an attempt that began at {since.isoformat()} was never resolved"
        self._troubles.tell(parcel.channel, "an attempt was never resolved: in doubt")
        return await self._give_up(parcel, "in_doubt", words)

    async def _give_up(self, parcel: Parcel, reason: GivenUp, detail: str) -> Outcome:
        for nudge, record in zip(parcel.nudges, parcel.records, strict=True):
            self._outbox.dead_letter(record.partition, record.offset, record.value, reason, detail)
            self._outbox.undelivered(nudge, reason)
        await self._outbox.flush()
        if parcel.digest:
            await asyncio.gather(*(self._receipts.settle(one, "dropped", reason) for one in parcel.nudges))
        await self._receipts.settle(parcel, "dropped", reason)
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
        await self._receipts.settle(nudge, "dropped", reason)
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
