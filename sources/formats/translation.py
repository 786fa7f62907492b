"""What an adapter makes of a platform's records: messages of the contract, refusals, and counted names."""

from collections.abc import Mapping
from typing import Any, Literal

import orjson

from schemas.dead_letter import DeadLetterReason
from schemas.inbound import COURSE_FACT_TYPES
from schemas.topics import COURSE_FACTS, EVENTS
from sources.formats.records import Refused

Message = dict[str, Any]
"""A message of the events topic or a calendar, as plain JSON values; the worker validates it."""

Fate = Literal[
    "translated",  # became a message
    "unknown",  # a name that the vocabulary does not have; became an activity of the kind *other*
    "ignored",  # the vocabulary says that it is no act of a learner: an impression, a grader, a machine
    "repeated",  # tells of an act that another event of the format tells of, too
    "outside",  # belongs to no course
    "anonymous",  # belongs to nobody who is signed in
    "voided",  # taken back by whoever sent it
]
"""What became of an event that was read."""

Names = dict[tuple[str, Fate], int]
"""How many events there were by name and fate."""

MAX_NAMES = 1_000
"""Names that are counted one by one; those of later ones are counted as ``others``."""
MAX_NAME_CHARS = 128
OTHERS = "others"

_SHOWN_CHARS = 80


class InvalidFieldError(ValueError):
    """A field of a record is not as its format says. It refuses the smallest whole part of the record."""

    def __init__(
        self, field: str, found: object, expected: str, reason: DeadLetterReason = "invalid"
    ) -> None:
        super().__init__(f"{field}: found {quoted(found)}; expected {expected}")
        self.field = field
        self.reason = reason
        self.detail = (
            f"is missing; expected {expected}"
            if found is None
            else f"found {quoted(found)}; expected {expected}"
        )


class Translation:
    """What records of a format say. Adapters append to it; one may serve a whole batch.

    ``messages``: of the contract. ``refused``: what cannot be translated. ``names``: how many events there
    were by name and fate; whoever reads a batch shows them, so that nothing is dropped silently.
    """

    __slots__ = ("messages", "names", "refused")

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.refused: list[Refused] = []
        self.names: Names = {}

    def count(self, name: str, fate: Fate) -> None:
        """Count an event by its name."""
        key = (name, fate)
        names = self.names
        if key in names:
            names[key] += 1
            return
        if len(names) >= MAX_NAMES or len(name) > MAX_NAME_CHARS:
            key = (name[:MAX_NAME_CHARS], fate) if len(names) < MAX_NAMES else (OTHERS, fate)
        names[key] = names.get(key, 0) + 1

    def refuse(self, error: InvalidFieldError, path: str = "") -> None:
        """Note a part that cannot be translated. path: of that part in the record, before the field's."""
        field = ".".join(part for part in (path, error.field) if part)
        self.refused.append(Refused(error.reason, field, error.detail))


def quoted(found: object) -> str:
    """A value as a message shows it: its start, if it is long."""
    text = repr(found) if not isinstance(found, bytes) else repr(found.decode(errors="replace"))
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…"


def encoded(message: Message) -> bytes | Refused:
    """A translated message as JSON; its refusal where it holds what JSON numbers of 64 bits cannot say."""
    try:
        return orjson.dumps(message)
    except (TypeError, orjson.JSONEncodeError) as error:
        return Refused(
            "invalid", "", f"found a value that is no JSON of ours ({error}); expected 64-bit numbers"
        )


def topic_of(message: Mapping[str, Any]) -> str:
    """The topic that a translated message goes to."""
    return COURSE_FACTS.name if message.get("type") in COURSE_FACT_TYPES else EVENTS.name


def key_of(message: Mapping[str, Any]) -> str | None:
    """The key of a translated message: the learner, or the run of a calendar, after the platform."""
    name = message.get("learner") or message.get("course_run")
    platform = message.get("platform")
    return name if platform is None or name is None else f"{platform}:{name}"
