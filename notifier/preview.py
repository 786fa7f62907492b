"""The dry run: prints what the notifier would send.

Reads the whole nudge topic, in no consumer group: nothing is claimed, committed, answered or sent, so it has
no effect on a notifier that sends afterwards. Addresses are masked. The nudges of a digest have a line each,
with its name; they would be sent as one message.
"""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime

from notifier.addresses import AddressBookError
from notifier.bundles import digest_name
from notifier.composing import Composer, Unsendable
from notifier.decoding import InvalidNudgeError, decode_nudge
from notifier.kafka_settings import KafkaSettings
from notifier.topic_reader import TopicReader
from schemas.nudge import NudgeCancelled
from schemas.topics import NUDGES

WriteLine = Callable[[str], None]


async def preview(composer: Composer, kafka: KafkaSettings, write_line: WriteLine, *, once: bool) -> None:
    """Write one line of JSON for each nudge in the topic and, unless ``once``, for each later one."""
    values: asyncio.Queue[bytes] = asyncio.Queue()
    reader = TopicReader(kafka, NUDGES.name, values.put_nowait)
    reading = asyncio.create_task(reader.run())
    writing = asyncio.create_task(_write_all(composer, values, write_line))
    caught_up = asyncio.create_task(reader.caught_up())
    try:
        awaited = {reading, writing, caught_up} if once else {reading, writing}
        done, _ = await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        await values.join()
    finally:
        for task in (reading, writing, caught_up):
            task.cancel()
        await asyncio.gather(reading, writing, caught_up, return_exceptions=True)
        await composer.addresses.close()


async def _write_all(composer: Composer, values: "asyncio.Queue[bytes]", write_line: WriteLine) -> None:
    while True:
        value = await values.get()
        write_line(json.dumps(await preview_line(composer, value), ensure_ascii=False))
        values.task_done()


async def preview_line(composer: Composer, value: bytes) -> dict[str, str]:
    """What would be done with a record of the nudge topic."""
    try:
        nudge = decode_nudge(value)
    except InvalidNudgeError as error:
        return {"would": "make a dead letter", "because": str(error)}
    if isinstance(nudge, NudgeCancelled):
        return {"nudge_id": nudge.nudge_id, "would": "not send", "because": f"cancelled: {nudge.reason}"}
    line = {"nudge_id": nudge.nudge_id, "channel": nudge.channel, "send_at": nudge.send_at.isoformat()}
    if nudge.digest:
        line["with"] = f"digest {digest_name(nudge)}"
    if datetime.now(UTC) >= nudge.expires_at:
        return line | {"would": "not send", "because": f"expired at {nudge.expires_at.isoformat()}"}
    try:
        message = await composer.compose([nudge])
    except AddressBookError as error:
        return line | {"would": "try again", "because": str(error)}
    if isinstance(message, Unsendable):
        return line | {"would": "make a dead letter", "because": message.detail}
    return line | {
        "would": "send",
        "to": masked(message.address),
        "title": message.rendered.title,
        "text": message.rendered.text,
    }


def masked(address: str) -> str:
    """An address with its middle left out: enough to see whether it is the right one."""
    local, separator, domain = address.rpartition("@")
    if separator:
        return f"{local[:1]}…@{domain}"
    return f"{address[:3]}…" if address else ""
