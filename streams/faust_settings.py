"""A worker's Faust app, and the settings with which record batches were measured, by their Faust names."""

from typing import Any

from streams.faust_internals import TablelessApp
from streams.settings import Settings


def faust_app(settings: Settings) -> TablelessApp:
    """The Faust app of a worker, without topics and agents yet."""
    return TablelessApp(
        settings.prefix + settings.group,
        **faust_settings(
            settings.broker,
            batch_records=settings.batch_records,
            session_timeout_s=settings.session_timeout_s,
        ),
        web_enabled=False,
    )


def faust_settings(
    address: str,
    *,
    batch_records: int = 4_000,
    fetch_bytes: int = 1 << 20,
    commit_interval_s: float = 1.0,
    session_timeout_s: float = 30.0,
) -> dict[str, Any]:
    """The settings of a Faust app that proved good for record batches, by their Faust names.

    Args:
        address: the broker, ``host:port``, or several with commas between.
        batch_records: the most records in a batch.
        fetch_bytes: the most bytes fetched of a partition at a time; a larger record still passes.
        commit_interval_s: how often acked offsets are committed.
        session_timeout_s: after how long a silent worker has lost its partitions. A group join waits
            for half of it on the embedded broker.
    """
    return {
        "broker": [f"kafka://{host}" for host in address.split(",")],
        "processing_guarantee": "at_least_once",
        "broker_commit_interval": commit_interval_s,
        "broker_max_poll_records": batch_records,
        "broker_session_timeout": session_timeout_s,
        "broker_rebalance_timeout": session_timeout_s,
        "broker_heartbeat_interval": min(3.0, session_timeout_s / 5),
        "consumer_auto_offset_reset": "earliest",
        "consumer_max_fetch_size": fetch_bytes,
        "producer_acks": -1,
        "producer_linger": 0.02,  # 0 makes a produce request of every write
        "producer_max_request_size": 2 << 20,
        "topic_disable_leader": True,
        # With 0 and no tables Faust leaves the assignment to a round robin over all topics' partitions,
        # and partition 3 of two topics can end up on two workers.
        "table_standby_replicas": 1,
        # Else a rebalance waits, without end and before it tells anybody, until every batch is acked.
        "stream_wait_empty": False,
        "worker_redirect_stdouts": False,
    }
