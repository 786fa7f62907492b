"""Where Kafka is, as the process that runs the notifier tells it."""

import logging
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """The broker, the prefix of the topics' names, the workers' consumer group; after how long a silent
    member of the notifiers' own has lost its partitions; and the logger that takes what the Kafka library
    says of its connections, which would print it itself."""

    broker: str
    prefix: str
    group: str
    words: logging.Logger
    session_timeout_s: float = 30.0
