"""The notifier's Kafka settings, given by the process that runs it."""

import logging
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """The broker, the prefix of the topics' names, the workers' consumer group, the logger for the Kafka
    library's messages, and the session timeout of the notifiers' own group."""

    broker: str
    prefix: str
    group: str
    logger: logging.Logger
    session_timeout_s: float = 30.0
