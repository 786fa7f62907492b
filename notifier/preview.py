"""What the notifier would send, said instead of sent: the dry run.

Reads the whole nudge topic, in no consumer group: nothing is claimed, committed, answered or sent, and a
notifier that sends afterwards finds everything as it was. Addresses are shown with their middle cut out. The
nudges of a digest have a line each, and name it; they would go as one message.
"""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime

from notifier.addresses import AddressBookError
from notifier.composing import Composer, Unsendable
from notifier.following import Follower
from notifier.parcels import digest_of
from notifier.places import Place
from notifier.reading import NoNudgeError, read
from schemas.nudge import NudgeCancelled
from schemas.topics import NUDGES

Say = Callable[[str], None]


async def preview(composer: Composer, place: Place, say: Say, *, once: bool) -> None:
    """Say one line of JSON for each nudge: those that are there and, unless ``once``, those to come."""
    values: asyncio.Queue[bytes] = asyncio.Queue()
    follower = Follower(place, NUDGES.name, values.put_nowait)
    following = asyncio.create_task(follower.run())
    saying = asyncio.create_task(_say_all(composer, values, say))
    caught_up = asyncio.create_task(follower.caught_up())
    try:
        until = {following, saying, caught_up} if once else {following, saying}
        done, _ = await asyncio.wait(until, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        await values.join()
    finally:
        for task in (following, saying, caught_up):
            task.cancel()
        await asyncio.gather(following, saying, caught_up, return_exceptions=True)
        await composer.addresses.close()


async def _say_all(composer: Composer, values: "asyncio.Queue[bytes]", say: Say) -> None:
    while True:
        value = await values.get()
        say(json.dumps(await line_of(composer, value), ensure_ascii=False))
        values.task_done()


async def line_of(composer: Composer, value: bytes) -> dict[str, str]:
    """What would become of a record of the nudge topic."""
    try:
        nudge = read(value)
    except NoNudgeError as error:
        return {"would": "make a dead letter", "because": str(error)}
    if isinstance(nudge, NudgeCancelled):
        return {"nudge_id": nudge.nudge_id, "would": "not send", "because": f"cancelled: {nudge.reason}"}
    found = {"nudge_id": nudge.nudge_id, "channel": nudge.channel, "send_at": nudge.send_at.isoformat()}
    if nudge.digest:
        found["with"] = f"digest {digest_of(nudge)}"
    if datetime.now(UTC) >= nudge.expires_at:
        return found | {"would": "not send", "because": f"expired at {nudge.expires_at.isoformat()}"}
    try:
        message = await composer.compose([nudge])
    except AddressBookError as error:
        return found | {"would": "try again", "because": str(error)}
    if isinstance(message, Unsendable):
        return found | {"would": "make a dead letter", "because": message.detail}
    return found | {
        "would": "send",
        "to": masked(message.address),
        "title": message.words.title,
        "text": message.words.text,
    }


def masked(address: str) -> str:
    """An address with its middle cut out: enough to see whether it is the right one."""
    local, at, domain = address.rpartition("@")
    if at:
        return f"{local[:1]}…@{domain}"
    return f"{address[:3]}…" if address else ""
