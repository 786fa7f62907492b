"""Creates the topics of ``schemas.topics``, and reports how those on a broker differ from what is wanted.

Partition counts are the one thing that must be right: a partition's events, feedback and state rows are
handled by one worker, so these topics have to have the same count, for good (Kafka can add partitions, but
that would send a learner's events elsewhere than the learner's state). All other differences are remarks.

Configurations that a broker refuses are left out there, and ``describe`` reports them: the embedded broker
stores few of a topic's settings.
"""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
    TopicMetadata,
)

from engine.pieces import RECORD_BYTES
from schemas.errors import HomeroomError
from schemas.topics import (
    COURSE_FACTS,
    DAY_PACKAGES,
    DAY_REPORTS,
    EVENTS,
    FEEDBACK,
    RECEIPTS,
    STATE,
    TOPICS,
    TopicSpec,
)
from streams.day_packages import KEPT_DAYS

TIMEOUT_S = 10.0

MAX_BYTES_CONFIG = "max.message.bytes"
MAX_EVENT_BYTES = 2 * 1024 * 1024
"""An oversized event must arrive to become a dead letter."""

MAX_RECORD_BYTES = 1_048_588
"""Of all other topics: Kafka's own default, set in case a broker's is lower."""

STATE_COMPACTION_LAG_MS = 3_600_000
"""A worker that restores its state reads rows that are newer than this uncompacted."""

COURSE_FACTS_COMPACTION_LAG_MS = KEPT_DAYS * 86_400_000
"""A partition that applies an old day package applies the calendars that were known then."""

COMPACTED_TOPICS = (STATE, DAY_PACKAGES, COURSE_FACTS)
"""Topics of which the newest record of every key is needed, however old it is."""

RETAINED_TOPICS = (EVENTS, FEEDBACK, DAY_REPORTS)
"""Topics of which every record is needed until it is read: compaction would leave one of each key."""

RECEIPTS_RETENTION_MS = 60 * 86_400_000
"""A nudge may be delivered until it expires, at most 30 days after its sending time; then its receipts are
not needed any more."""


class TopicsError(HomeroomError, RuntimeError):
    """The broker does not answer, refused to create a topic, or has topics that do not fit."""


@dataclass(frozen=True, slots=True)
class WantedTopic:
    """A topic as it should be on the broker. ``partitions`` is None where any count is right."""

    name: str
    partitions: int | None
    config: Mapping[str, str]
    forbidden: str = ""
    """The cleanup policy that would delete what is needed."""


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as it is. ``faults`` keep the pipeline from working, ``remarks`` do not; a line each.

    ``limit``: the most bytes of a record or a batch of them, None where the broker does not report it.
    """

    name: str
    partitions: int
    replication: int
    faults: Sequence[str] = field(default=())
    remarks: Sequence[str] = field(default=())
    limit: int | None = None

    @property
    def exists(self) -> bool:
        return self.partitions > 0


def wanted(partitions: int | None, prefix: str = "") -> tuple[WantedTopic, ...]:
    """Every topic of the contract; ``partitions`` is the count of the input and the co-partitioned topics."""
    return tuple(
        WantedTopic(
            prefix + spec.name, 1 if spec.partitions == "one" else partitions, _config(spec), _forbidden(spec)
        )
        for spec in TOPICS
    )


def create(address: str, partitions: int, replication: int = 1, prefix: str = "") -> tuple[str, ...]:
    """Create the missing topics, and return their names. Existing ones stay untouched.

    Raises:
        TopicsError: the broker does not answer or refused a topic; the message contains its error.
    """
    admin = _admin(address)
    existing = _topics(admin, address)
    missing = [topic for topic in wanted(partitions, prefix) if topic.name not in existing]
    for topic in missing:
        _create(admin, topic, replication)
    _wait_until_listed(admin, address, {topic.name for topic in missing})
    return tuple(topic.name for topic in missing)


def describe(
    address: str, partitions: int | None = None, replication: int | None = None, prefix: str = ""
) -> tuple[TopicState, ...]:
    """The state of every topic of the contract, and how it differs from what is wanted.

    Args:
        address: the broker, ``host:port``.
        partitions: the input's partition count; None: the count that the events topic has.
        replication: the topics' replication factor; None: any.
        prefix: before every name, for several pipelines on one broker.

    Raises:
        TopicsError: the broker does not answer.
    """
    admin = _admin(address)
    existing = _topics(admin, address)
    if partitions is None and prefix + EVENTS.name in existing:
        partitions = len(existing[prefix + EVENTS.name].partitions)
    topics = wanted(partitions, prefix)
    configs = _configs(admin, [topic.name for topic in topics if topic.name in existing])
    return tuple(
        _state(topic, existing.get(topic.name), configs.get(topic.name), replication) for topic in topics
    )


def require(address: str, partitions: int, prefix: str = "") -> None:
    """Check that all topics are as a worker needs them.

    Raises:
        TopicsError: the broker does not answer, or a topic has a fault, which the message names.
    """
    faults = [fault for state in describe(address, partitions, None, prefix) for fault in state.faults]
    if faults:
        others = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        raise TopicsError(f"{faults[0]}{others}; see `homeroom topics show`, `homeroom topics create`")


def _config(spec: TopicSpec) -> dict[str, str]:
    config: dict[str, str] = {"cleanup.policy": spec.cleanup}
    if spec.direction == "in":
        config["message.timestamp.type"] = "LogAppendTime"  # else producers say how late it is
    config[MAX_BYTES_CONFIG] = str(MAX_EVENT_BYTES if spec in (EVENTS, COURSE_FACTS) else MAX_RECORD_BYTES)
    if spec is STATE:
        config["min.compaction.lag.ms"] = str(STATE_COMPACTION_LAG_MS)
    if spec is COURSE_FACTS:
        config["min.compaction.lag.ms"] = str(COURSE_FACTS_COMPACTION_LAG_MS)
    if spec is RECEIPTS:
        config["retention.ms"] = str(RECEIPTS_RETENTION_MS)
    return config


def _forbidden(spec: TopicSpec) -> str:
    if spec in COMPACTED_TOPICS:
        return "delete"
    return "compact" if spec in RETAINED_TOPICS else ""


def _state(
    topic: WantedTopic,
    metadata: TopicMetadata | None,
    config: Mapping[str, str] | None,
    replication: int | None,
) -> TopicState:
    if metadata is None:
        return TopicState(topic.name, 0, 0, faults=(f"{topic.name} does not exist",))
    partitions = len(metadata.partitions)
    replicas = min((len(partition.replicas) for partition in metadata.partitions.values()), default=0)
    faults, remarks = [], []
    limit = int(config[MAX_BYTES_CONFIG]) if config and config.get(MAX_BYTES_CONFIG) else None
    if topic.partitions not in (None, partitions):
        faults.append(f"{topic.name} has {partitions} partitions, wanted {topic.partitions}")
    if replication is not None and replicas != replication:
        remarks.append(f"{topic.name} has {replicas} replicas, wanted {replication}")
    policy = (config or {}).get("cleanup.policy", "")
    is_forbidden = bool(topic.forbidden) and topic.forbidden in policy.split(",")
    if is_forbidden:
        wanted_policy = topic.config["cleanup.policy"]
        faults.append(
            f"{topic.name} has cleanup.policy={policy}, wanted {wanted_policy}: it deletes what is needed"
        )
    if config is None:
        remarks.append(f"{topic.name}: the broker does not tell its configuration")
    else:
        faults += [] if limit is None else _size_faults(topic.name, limit)
        remarks += [
            f"{topic.name} has {name}={config.get(name, 'unset')}, wanted {value}"
            for name, value in topic.config.items()
            if not (
                _is_sufficient(name, config.get(name), value) or (is_forbidden and name == "cleanup.policy")
            )
        ]
    return TopicState(topic.name, partitions, replicas, tuple(faults), tuple(remarks), limit)


def _is_sufficient(name: str, actual: str | None, wanted: str) -> bool:
    """Whether a topic's configuration is as wanted; its record limit may be larger."""
    if name == MAX_BYTES_CONFIG and actual is not None:
        return int(actual) >= int(wanted)
    return actual == wanted


def _size_faults(topic: str, limit: int) -> list[str]:
    """The fault of a topic that refuses the largest records; a restart would not help."""
    if limit >= RECORD_BYTES:
        return []
    return [
        f"{topic} takes records of {limit:,} bytes at most; expected {RECORD_BYTES:,} or more: raise the "
        f"topic's {MAX_BYTES_CONFIG}, or the broker's message.max.bytes where the topic has none of its own"
    ]


def _create(admin: AdminClient, topic: WantedTopic, replication: int) -> None:
    error = _try_create(admin, topic, replication, topic.config)
    if error is not None and error.code() in (KafkaError.INVALID_CONFIG, KafkaError.INVALID_REQUEST):
        error = _try_create(admin, topic, replication, {})
    if error is not None and error.code() != KafkaError.TOPIC_ALREADY_EXISTS:
        raise TopicsError(f"the broker refused to create {topic.name}: {error.str()}")


def _wait_until_listed(admin: AdminClient, address: str, names: set[str]) -> None:
    """Wait until the broker lists the created topics, which takes some time."""
    deadline = time.monotonic() + TIMEOUT_S
    while not names <= _topics(admin, address).keys():
        if time.monotonic() > deadline:
            raise TopicsError(f"the broker on {address} created {len(names)} topics and does not list them")
        time.sleep(0.05)


def _try_create(
    admin: AdminClient, topic: WantedTopic, replication: int, config: Mapping[str, str]
) -> KafkaError | None:
    new = NewTopic(topic.name, topic.partitions or 1, replication, config=dict(config))
    future: Future[None] = admin.create_topics([new], request_timeout=TIMEOUT_S)[topic.name]
    return _error(future)


def _configs(admin: AdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Configurations by topic name; a topic whose configuration the broker does not report is left out."""
    if not names:
        return {}
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    requests: Mapping[ConfigResource, Future[Mapping[str, Any]]] = admin.describe_configs(
        resources, request_timeout=TIMEOUT_S
    )
    return {
        resource.name: {name: entry.value for name, entry in request.result().items()}
        for resource, request in requests.items()
        if _error(request) is None and request.result()
    }


def _error(future: "Future[Any]") -> KafkaError | None:
    try:
        future.result(timeout=TIMEOUT_S)
    except KafkaException as raised:
        error: KafkaError = raised.args[0]
        return error
    return None


def _admin(address: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": address, "log_level": 0})


def _topics(admin: AdminClient, address: str) -> dict[str, TopicMetadata]:
    try:
        return dict(admin.list_topics(timeout=TIMEOUT_S).topics)
    except KafkaException as error:
        raise TopicsError(f"no Kafka broker answers on {address}: {error.args[0].str()}") from error
