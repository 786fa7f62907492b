"""What people and notifiers say on the feedback topic, as rows of the store's learner_facts."""

from typing import Any

import orjson

from streams.outputs import Outputs

WISHES = ("timezone", "opted_out", "paused_until", "digest", "suppressed")


def write_word(message: dict[str, Any], pseudonym: str, partition: int, outputs: Outputs) -> None:
    """A valid message of the feedback topic as a row; its event id identifies it, said twice or not.

    The detail is the channel where one was named, and of preferences what they change, as JSON.
    """
    wishes = {name: message[name] for name in WISHES if name in message}
    about_nudge = message["type"] == "feedback"
    outputs.add_row(
        "learner_facts",
        learner=pseudonym,
        course_run=message.get("course_run") or "",
        at=message["occurred_at"],
        fact=message["kind"] if about_nudge else "preferences",
        nudge_id=message.get("nudge_id") or "",
        detail=(message.get("channel") or "") if about_nudge else orjson.dumps(wishes).decode(),
        fact_id=message["event_id"],
        partition=partition,
    )
