"""Who is behind a pseudonym: what the console shows an instructor, who has to write to somebody.

Pseudonyms cannot be turned back; but who has the key can make one of every id they come by. Ids come
from two places: the keys of the risk changes' topic (everybody an instructor may be asked to write to),
and a roster, a CSV file with the columns ``learner`` and ``name``. Without a roster the id is the name.
"""

import csv
import logging
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from console.ports import Person
from engine.pseudonyms import Identity
from schemas.errors import HomeroomError
from streams.topic_reader import standalone_consumer

log = logging.getLogger(__name__)

POLL_S = 0.5
LOOK_UP_S = 2.0
BATCH = 1000


class RosterError(HomeroomError, ValueError):
    """The roster is not as it should be. The message is one readable line."""


def read_roster(path: Path) -> dict[str, str]:
    """Learner id → name. Raises ``RosterError``."""
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
    """Learners by their pseudonyms. Grows; thread-safe, as one assignment at a time is."""

    def __init__(self, identity: Identity, names: Mapping[str, str] | None = None) -> None:
        self._identity = identity
        self._names = dict(names or {})
        self._learners: dict[str, str] = {}
        self.learn(self._names)

    def learn(self, learners: Iterable[str]) -> None:
        """Come by some ids."""
        for learner in learners:
            self._learners[self._identity.learner(learner)] = learner

    def person(self, pseudonym: str) -> Person | None:
        """See :meth:`console.ports.Directory.person`."""
        learner = self._learners.get(pseudonym)
        return None if learner is None else Person(learner, self._names.get(learner) or learner)


class KeyFollower:
    """Tells a directory the keys of a topic, from its beginning, in a thread of its own."""

    def __init__(self, directory: LearnerDirectory, address: str, topic: str) -> None:
        self._directory = directory
        self._address = address
        self._topic = topic
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="directory", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Read no more."""
        self._stop.set()
        self._thread.join(5.0)

    def _follow(self) -> None:
        consumer = standalone_consumer(self._address, "homeroom-directory")
        try:
            consumer.assign(self._partitions(consumer))
            while not self._stop.is_set():
                records = consumer.consume(BATCH, POLL_S)
                keys = {record.key() for record in records if record.error() is None}
                self._directory.learn(key.decode(errors="replace") for key in keys if key)
        except KafkaException:
            log.exception("learners' ids can no longer be read from %s", self._topic)
        finally:
            consumer.close()

    def _partitions(self, consumer: Consumer) -> list[TopicPartition]:
        """Those of the topic, asked for until there are some: the broker may be away, the topic not made."""
        told = False
        while not self._stop.is_set():
            try:
                found = consumer.list_topics(self._topic, timeout=LOOK_UP_S).topics[self._topic]
                if found.partitions:
                    return [TopicPartition(self._topic, one, OFFSET_BEGINNING) for one in found.partitions]
                why = "it is not there"
            except KafkaException as error:
                why = error.args[0].str()
            if not told:
                log.warning("learners' ids cannot be read from %s yet: %s", self._topic, why)
            told = True
            self._stop.wait(POLL_S)
        return []
