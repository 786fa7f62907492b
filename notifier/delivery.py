"""Delivers a nudge from the topic to the provider, step by step.

The nudges of a digest wait for one another; from step 3 on those of the digest that are still wanted are
handled as one message (:mod:`notifier.bundles`). Each has its own outcome.

1. Decode: a record that is not a valid nudge becomes a dead letter.
2. Expired, or sent or dropped by its receipt: nothing more to do.
3. Wait until ``send_at``, check whether it was cancelled since, and wait for the channel's rate limit.
4. Compose: what can never be sent (no provider, no address, an invalid one) becomes a dead letter.
5. Claim: only the holder of the nudge makes an attempt.
6. Hand over to the provider; write the receipt; send the feedback ``delivered``.
7. Refused: wait, longer each time, and continue at 3, until the attempts or the time are used up. Refused for
   good: a dead letter at once.
8. No answer, though the provider may have it: never again, and a dead letter for a person to look at.

An error that a record causes in any of these steps makes it a dead letter, too: only Kafka ends a notifier.
Nothing is lost in a crash: the record's offset is committed only after the last step. The claims prevent that
it is then sent twice. An attempt that has begun is finished even where the partition goes to another notifier
or the process is asked to stop.
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
from notifier.bundles import Bundle, Digests
from notifier.composing import Composer, UndeliveredReason, Unsendable
from notifier.decoding import InvalidNudgeError, decode_nudge
from notifier.errors import NotifierError
from notifier.metrics import Metrics
from notifier.nudge_consumer import Record
from notifier.outbox import Outbox
from notifier.outgoing import OutgoingMessage, in_a_line
from notifier.pacing import Backoff, RateLimit
from notifier.providers import MAX_CONCURRENT_SENDS
from notifier.receipts import Receipts
from notifier.troubles import TroubleLog
from notifier.withdrawals import Withdrawals
from schemas.learner import Channel
from schemas.nudge import Nudge, NudgeCancelled

log = logging.getLogger(__name__)

MAX_SLEEP_S = 30.0
"""The longest sleep: a wait for the morning must notice that the clock was set."""

Outcome = (
    UndeliveredReason
    | Literal[
        "sent",
        "known",  # sent or dropped before, by its receipt
        "expired",
        "withdrawn",  # cancelled by the policy, or unwelcome to the learner, since the decision
        "late",  # read after its digest was sent; alone it would be a message that no cap has counted
        "cancellation",  # the record cancels another nudge
        "invalid",
    ]
)


@dataclass(frozen=True, slots=True)
class RetryTiming:
    """How long to try. ``in_doubt_s`` is the age at which another notifier's claim counts as abandoned:
    longer than any attempt takes, and than a rebalance takes. ``gather_s`` is how long a digest waits for
    those of its nudges that are still to be read."""

    backoff: Backoff = field(default_factory=Backoff)
    in_doubt_s: float = 300.0
    gather_s: float = 10.0

    @classmethod
    def for_timeout(cls, longest_timeout_s: float) -> Self:
        """For providers with such a timeout: once for the connection, and once for the answer."""
        return cls(in_doubt_s=max(180.0, 2 * longest_timeout_s + 60.0))


class Delivery:
    """Delivers records. The caller keeps ``receipts`` and ``withdrawals`` up to date."""

    def __init__(
        self,
        composer: Composer,
        receipts: Receipts,
        withdrawals: Withdrawals,
        outbox: Outbox,
        limits: Mapping[Channel, RateLimit],
        metrics: Metrics,
        timing: RetryTiming = RetryTiming(),
        troubles: TroubleLog | None = None,
    ) -> None:
        self._composer = composer
        self._receipts = receipts
        self._withdrawals = withdrawals
        self._outbox = outbox
        self._limits = limits
        self._metrics = metrics
        self._timing = timing
        self._troubles = troubles or TroubleLog()
        self._slots = {channel: asyncio.Semaphore(MAX_CONCURRENT_SENDS) for channel in limits}
        self._digests = Digests[Outcome]()
        self._attempts: set[asyncio.Task[Answer | None]] = set()

    async def deliver(self, record: Record) -> Outcome:
        """Deliver a record; returns its outcome.

        Raises:
            NotifierError: receipts can no longer be written or read.
        """
        nudge = self._read(record)
        if isinstance(nudge, NudgeCancelled):
            return "cancellation"
        if nudge is None:
            outcome: Outcome = "invalid"
        else:
            outcome = await self._deliver_nudge(nudge, record)
            log.info("nudge %s by %s: %s", in_a_line(nudge.nudge_id), nudge.channel, outcome)
        self._metrics.outcomes.labels(nudge.channel if nudge else "", outcome).inc()
        if outcome != "expired":
            await self._outbox.flush()
        return outcome

    def _read(self, record: Record) -> Nudge | NudgeCancelled | None:
        """The message of a record; None, and a dead letter, where it is invalid."""
        try:
            return decode_nudge(record.value)
        except InvalidNudgeError as error:
            self._outbox.send_dead_letter(
                record.partition, record.offset, record.value, "invalid", str(error)
            )
            self._troubles.report("nudges", "a record is no nudge, and a dead letter now")
            return None

    async def _deliver_nudge(self, nudge: Nudge, record: Record) -> Outcome:
        """Deliver a nudge; an error on the way makes it a dead letter."""
        deliver = self._deliver_in_digest if nudge.digest else self._deliver_alone
        try:
            return self._final_outcome(nudge) or await deliver(nudge, record)
        except NotifierError:
            raise
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            # Not the error's own words: they may hold an address.
            description = f"{type(error).__name__} at {frame.filename}:{frame.lineno}"
            self._troubles.report(nudge.channel, f"failed: {description}")
            return await self._give_up(Bundle.single(nudge, record), "failed", description)

    async def finish_attempts(self) -> None:
        """Wait for the attempts that have begun."""
        if self._attempts:
            await asyncio.wait(self._attempts)

    async def _deliver_alone(self, nudge: Nudge, record: Record) -> Outcome:
        bundle, tries = Bundle.single(nudge, record), 0
        while True:
            tries += 1
            await self._sleep_until(nudge.send_at, nudge)
            outcome = self._final_outcome(nudge) or await self._drop_if_withdrawn(nudge)
            if outcome:
                return outcome
            result = await self._try_once(bundle, tries)
            if isinstance(result, str):
                return result
            await self._sleep_until(datetime.now(UTC) + timedelta(seconds=result), nudge)

    async def _deliver_in_digest(self, nudge: Nudge, record: Record) -> Outcome:
        """Deliver as part of a digest: its first nudge acts for all, or the next where that one drops out."""
        with self._digests.joined(nudge, record) as digest:
            await self._sleep_until(nudge.send_at, nudge)
            await self._sleep_until(datetime.now(UTC) + timedelta(seconds=self._timing.gather_s), nudge)
            async with digest.turn:
                tries = 0
                while record not in digest.ended:
                    tries += 1
                    outcome = self._final_outcome(nudge) or await self._drop_if_withdrawn(nudge)
                    if outcome:
                        return outcome
                    if self._receipts.state_of(digest.name).final:
                        self._outbox.send_undelivered(nudge, "late")
                        await self._receipts.settle(nudge, "dropped", "late")
                        return "late"
                    bundle = digest.bundle(self._is_wanted)
                    result = await self._try_once(bundle, tries) if bundle.nudges else 0.0
                    if isinstance(result, str):
                        digest.ended |= dict.fromkeys(bundle.records, result)
                    else:
                        await self._sleep_until(datetime.now(UTC) + timedelta(seconds=result), nudge)
            return digest.ended[record]

    def _is_wanted(self, nudge: Nudge) -> bool:
        now = datetime.now(UTC)
        is_open = not self._receipts.state_of(nudge.nudge_id).final and now < nudge.expires_at
        return is_open and self._withdrawals.reason_against(nudge, now) is None

    async def _try_once(self, bundle: Bundle, tries: int) -> Outcome | float:
        """Make one attempt; returns the outcome, or the seconds to wait until the next."""
        if self._receipts.state_of(bundle.nudge_id).holder is not None:
            return await self._wait_for_other_claim(bundle)
        message = await self._compose(bundle, tries)
        if not isinstance(message, OutgoingMessage):
            return message
        await self._limits[bundle.channel].wait()
        async with self._slots[bundle.channel]:
            if not all(map(self._is_wanted, bundle.nudges)):
                return 0.0  # no longer wanted; the next round finds out which
            attempt = self._receipts.state_of(bundle.nudge_id).attempts + 1
            answer = await self._run_attempt(message, bundle, attempt)
        if answer is None:
            return 0.0
        if answer.kind == "refused":
            return await self._refused(bundle, attempt, answer.reason)
        return "sent" if answer.kind == "taken" else answer.kind

    async def _compose(self, bundle: Bundle, tries: int) -> OutgoingMessage | Outcome | float:
        try:
            message = await self._composer.compose(bundle.nudges, bundle.nudge_id)
        except AddressBookError as error:
            self._troubles.report(bundle.channel, str(error))
            self._metrics.attempts.labels(bundle.channel, "no_answer").inc()
            return self._timing.backoff.wait_s(tries)
        if isinstance(message, Unsendable):
            self._troubles.report(bundle.channel, f"{message.reason}: {message.detail}")
            return await self._give_up(bundle, message.reason, message.detail)
        return message

    async def _refused(self, bundle: Bundle, attempt: int, reason: str) -> Outcome | float:
        if attempt < self._timing.backoff.attempts:
            return self._timing.backoff.wait_s(attempt)
        detail = f"the provider refused it {attempt} times, at last by {reason}"
        return await self._give_up(bundle, "undeliverable", detail)

    async def _run_attempt(self, message: OutgoingMessage, bundle: Bundle, attempt: int) -> Answer | None:
        """The provider's answer; None where another notifier has the claim. Shielded from cancellation."""
        task = asyncio.create_task(self._claim_and_send(message, bundle, attempt))
        self._attempts.add(task)
        task.add_done_callback(self._attempts.discard)
        return await asyncio.shield(task)

    async def _claim_and_send(self, message: OutgoingMessage, bundle: Bundle, attempt: int) -> Answer | None:
        claim = await self._receipts.claim(bundle, attempt)
        if claim is None:
            return None
        with self._metrics.sending(bundle.channel):
            answer = await self._composer.providers.send(message)
        self._metrics.attempts.labels(bundle.channel, answer.kind).inc()
        if answer.reason:
            self._troubles.report(bundle.channel, f"{answer.kind} by the provider: {answer.reason}")
        match answer.kind:
            case "refused":
                await self._receipts.write(bundle, "failed", claim, attempt, answer.reason)
            case "rejected":
                detail = f"the provider refused it for good: {answer.reason}"
                await self._give_up(bundle, "rejected", detail)
            case "unanswered":
                detail = f"attempt {attempt} was handed over, and no answer came: it may have been sent"
                await self._give_up(bundle, "unanswered", detail)
            case "taken":
                if (
                    bundle.digest
                ):  # the nudges first: once the digest is sent, a nudge without receipt is late
                    await asyncio.gather(*(self._receipts.settle(nudge, "sent") for nudge in bundle.nudges))
                await self._receipts.write(bundle, "sent", claim, attempt)
                for nudge in bundle.nudges:
                    self._metrics.observe_lateness(nudge)
                    self._outbox.send_delivered(nudge)
        return answer

    async def _wait_for_other_claim(self, bundle: Bundle) -> Outcome | float:
        """Another notifier has the claim: seconds to wait for it, or, where it was abandoned, the outcome."""
        since = self._receipts.state_of(bundle.nudge_id).claimed_at or datetime.now(UTC)
        age = (datetime.now(UTC) - since).total_seconds()
        if age < self._timing.in_doubt_s:
            return min(1.0, self._timing.in_doubt_s - age)
        detail = f"an attempt that began at {since.isoformat()} was never resolved"
        self._troubles.report(bundle.channel, "an attempt was never resolved: in doubt")
        return await self._give_up(bundle, "in_doubt", detail)

    async def _give_up(self, bundle: Bundle, reason: UndeliveredReason, detail: str) -> Outcome:
        for nudge, record in zip(bundle.nudges, bundle.records, strict=True):
            self._outbox.send_dead_letter(record.partition, record.offset, record.value, reason, detail)
            self._outbox.send_undelivered(nudge, reason)
        await self._outbox.flush()
        if bundle.digest:
            await asyncio.gather(
                *(self._receipts.settle(nudge, "dropped", reason) for nudge in bundle.nudges)
            )
        await self._receipts.settle(bundle, "dropped", reason)
        return reason

    def _final_outcome(self, nudge: Nudge) -> Outcome | None:
        state = self._receipts.state_of(nudge.nudge_id)
        if state.final:
            if state.state == "sent":
                self._outbox.send_delivered(nudge)  # again: a crash may have come before it was sent
            return "known"
        return "expired" if datetime.now(UTC) >= nudge.expires_at else None

    async def _drop_if_withdrawn(self, nudge: Nudge) -> Outcome | None:
        reason = self._withdrawals.reason_against(nudge, datetime.now(UTC))
        if reason is None:
            return None
        await self._receipts.settle(nudge, "dropped", reason)
        return "withdrawn"

    async def _sleep_until(self, moment: datetime, nudge: Nudge) -> None:
        """Sleep until a moment, or until the nudge has expired."""
        end = min(moment, nudge.expires_at)
        while (left_s := (end - datetime.now(UTC)).total_seconds()) > 0:  # noqa: ASYNC110 - a time, no event
            await asyncio.sleep(min(left_s, MAX_SLEEP_S))


Spawn = Callable[[Coroutine[Any, Any, Outcome]], asyncio.Task[Outcome]]


class RunningDeliveries:
    """The deliveries that have begun and not ended, by partition. ``spawn`` makes a task of each."""

    def __init__(self, delivery: Delivery, spawn: Spawn) -> None:
        self._delivery = delivery
        self._spawn = spawn
        self._tasks: dict[int, set[asyncio.Task[Outcome]]] = {}
        self._stopped = False

    def __len__(self) -> int:
        return sum(map(len, self._tasks.values()))

    def start(self, record: Record, done: Callable[[Record], None]) -> None:
        """Start the delivery of a record; ``done`` is called when it is finished."""
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
        """Cancel the partitions' deliveries; returns when no attempt is under way."""
        for partition in partitions:
            for task in self._tasks.pop(partition, set()):
                task.cancel()
        await self._delivery.finish_attempts()

    async def stop(self) -> None:
        """Cancel all deliveries, and start no more."""
        self._stopped = True
        await self.release(list(self._tasks))
