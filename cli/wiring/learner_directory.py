"""Learners by pseudonym, so that the console can show instructors whom to contact.

Pseudonyms cannot be inverted, but whoever has the key can compute that of every known id. Ids come from the
keys of the risk changes' topic, and from a roster, a CSV file with the columns ``learner`` and ``name``.
Without a roster the id is the name.
"""

import csv
import logging
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from console.ports import Person
from engine.pseudonyms import Identity
from schemas.errors import HomeroomError
from streams.topic_reader import follow, standalone_consumer

log = logging.getLogger(__name__)

POLL_S = 0.5
LOOK_UP_S = 2.0
BATCH = 1000


class RosterError(HomeroomError, ValueError):
    """The roster cannot be read or lacks a column; the message is one line."""


def read_roster(path: Path) -> dict[str, str]:
    """Read a roster: learner id → name.

    Raises:
        RosterError: the file cannot be read, or a column is missing.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            columns = rows.fieldnames or ()
            if not {"learner", "name"} <= set(columns):
                raise RosterError(f"roster {path}: expected the columns learner and name, got {columns}")
            return {row["learner"]: row["name"] for row in rows}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RosterError(f"roster {path}: {error}") from None


class LearnerDirectory:
    """Learners by their pseudonyms. Only grows; thread-safe, as single assignments are."""

    def __init__(self, identity: Identity, names: Mapping[str, str] | None = None) -> None:
        self._identity = identity
        self._names = dict(names or {})
        self._learners: dict[str, str] = {}
        self.add(self._names)

    def add(self, learners: Iterable[str]) -> None:
        """Add learners' ids, in any order and repeatedly."""
        for learner in learners:
            self._learners[self._identity.learner(learner)] = learner

    def person(self, pseudonym: str) -> Person | None:
        """See :meth:`console.ports.Directory.person`."""
        learner = self._learners.get(pseudonym)
        return None if learner is None else Person(learner, self._names.get(learner) or learner)


class KeyFollower:
    """Adds the keys of a topic, from its beginning, to a directory; in its own thread."""

    def __init__(self, directory: LearnerDirectory, address: str, topic: str) -> None:
        self._directory = directory
        self._address = address
        self._topic = topic
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="directory", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and wait for it."""
        self._stop.set()
        self._thread.join(5.0)

    def _follow(self) -> None:
        consumer = standalone_consumer(self._address, "homeroom-directory")
        try:
            consumer.assign(self._partitions(consumer))
            for records in follow(consumer, self._stop.is_set, self._log_error, most=BATCH):
                keys = {record.key() for record in records}
                self._directory.add(key.decode(errors="replace") for key in keys if key)
        except KafkaException:
            log.exception("learners' ids can no longer be read from %s", self._topic)
        finally:
            consumer.close()

    def _log_error(self, error: KafkaError) -> None:
        log.warning("%s: %s", self._topic, error.str())

    def _partitions(self, consumer: Consumer) -> list[TopicPartition]:
        """The topic's partitions; polls until there are some, as broker or topic may not be there yet."""
        warned = False
        while not self._stop.is_set():
            try:
                topic = consumer.list_topics(self._topic, timeout=LOOK_UP_S).topics[self._topic]
                if topic.partitions:
                    return [
                        TopicPartition(self._topic, partition, OFFSET_BEGINNING)
                        for partition in topic.partitions
                    ]
                problem = "it is not there"
            except KafkaException as error:
                problem = error.args[0].str()
            if not warned:
                log.warning("learners' ids cannot be read from %s yet: %s", self._topic, problem)
            warned = True
            self._stop.wait(POLL_S)
        return []
