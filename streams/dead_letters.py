"""Sends dead letters to their topic."""

from schemas.dead_letter import DeadLetter
from schemas.topics import DEAD_LETTERS
from streams.publisher import Publisher


def send_dead_letter(publisher: Publisher, prefix: str, letter: DeadLetter) -> None:
    """Send a dead letter, keyed by its record's partition; durable after the publisher's next flush.

    prefix: of the installation's topics.
    """
    key = f"{letter.topic}:{letter.partition}"
    publisher.send(prefix + DEAD_LETTERS.name, letter.model_dump_json().encode(), key, 0)
