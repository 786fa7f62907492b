"""Every table's columns as a writer inserts them, with their ClickHouse types. The only list.

The migrations create the tables declared here, and a test compares the two. A column that the database
fills itself (``ingested_at``) is not part of a row. Learners are pseudonyms everywhere.
"""

from sinks.tables.activity import (
    ACTIVITY_DAILY,
    ACTIVITY_HOURLY,
    ENGAGEMENT_DAILY,
    OTHER_ROLES_DAILY,
    OUTCOMES,
    PROGRESS_DAILY,
    RETENTION_WEEKLY,
    SESSIONS_DAILY,
)
from sinks.tables.declaration import Table
from sinks.tables.model import DATA_QUALITY, MODEL_CALIBRATION, MODEL_METRICS
from sinks.tables.nudges import FORMER_NAMES, LEARNER_FACTS, NUDGE_LEDGER, NUDGE_OUTCOMES
from sinks.tables.operations import (
    DEAD_LETTERS,
    FIRST_WRITTEN,
    LOG_BREAKS,
    PIPELINE_HEALTH,
    SOURCE_EVENTS,
    UNKNOWN_FIELDS,
    WORKER_STARTS,
)
from sinks.tables.risk import RISK_CHANGES, RISK_DAILY, RISK_HISTORY, STANDING

FILLED_BY_VIEWS = (STANDING.name, FIRST_WRITTEN.name, FORMER_NAMES.name)
"""Tables that materialized views fill; the pipeline inserts nothing into them."""

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        ACTIVITY_HOURLY,
        ENGAGEMENT_DAILY,
        ACTIVITY_DAILY,
        SESSIONS_DAILY,
        PROGRESS_DAILY,
        RETENTION_WEEKLY,
        OTHER_ROLES_DAILY,
        OUTCOMES,
        RISK_HISTORY,
        STANDING,
        FIRST_WRITTEN,
        RISK_CHANGES,
        RISK_DAILY,
        NUDGE_LEDGER,
        LEARNER_FACTS,
        FORMER_NAMES,
        NUDGE_OUTCOMES,
        MODEL_METRICS,
        DATA_QUALITY,
        MODEL_CALIBRATION,
        WORKER_STARTS,
        DEAD_LETTERS,
        UNKNOWN_FIELDS,
        SOURCE_EVENTS,
        LOG_BREAKS,
        PIPELINE_HEALTH,
    )
}
