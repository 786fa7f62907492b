"""Grafana's alert rules over the store's content: the model, the data, the decisions.

Prometheus has the rules for workers, lag and the store itself (``prometheus/alerts.yml``). The format is
that of provisioning: fixed uids, and no macros, as Grafana would expand ``$__`` as an environment variable;
queries use ``today()`` instead. A rule's query returns rows with one number; a row above (or below) the
threshold fires, labelled with its text columns. All are for live operation: in a replay no day is yesterday.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from grafana.clickhouse import PLUGIN, PLUGIN_VERSION, Shape
from grafana.interventions import DRAWN

SOURCE_UID = "homeroom-clickhouse"
"""As in ``provisioning/datasources``."""

GROUP = "homeroom"
FOLDER = "homeroom"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert rule with its runbook (a page of docs/runbooks) and its panel of a board."""

    uid: str
    title: str
    sql: str
    test: Literal["gt", "lt"]
    threshold: float
    hold: str
    severity: Literal["critical", "warning"]
    summary: str
    runbook: str
    board: str
    panel: str


ALERTS = (
    Alert(
        "homeroom-estimates-missing",
        "HomeroomEstimatesMissing",
        """SELECT dateDiff('day', max(day), today()) AS days
        FROM risk_daily
        HAVING count() > 0""",
        "gt",
        2,
        "30m",
        "critical",
        "No estimate has been made for more than two days.",
        "estimates-missing.md",
        "risk",
        "Learners estimated",
    ),
    Alert(
        "homeroom-stale-estimates",
        "HomeroomStaleEstimates",
        """SELECT sumIf(low + medium + high, model_state = 'stale') / sum(low + medium + high) AS share
        FROM risk_daily FINAL
        WHERE day >= today() - 1
        HAVING sum(low + medium + high) > 0""",
        "gt",
        0.0,
        "30m",
        "warning",
        "Some estimates of the last day were made with an older day's model.",
        "stale-estimates.md",
        "model",
        "What stood behind the estimates",
    ),
    Alert(
        "homeroom-high-risk-jump",
        "HomeroomHighRiskJump",
        """SELECT course_run, sumIf(high, day >= today() - 1) / sumIf(low + medium + high, day >= today() - 1)
        - sumIf(high, day = today() - 8) / sumIf(low + medium + high, day = today() - 8) AS rise
        FROM risk_daily FINAL
        WHERE day >= today() - 8
        GROUP BY course_run
        HAVING sumIf(low + medium + high, day = today() - 8) >= 50
        AND sumIf(low + medium + high, day >= today() - 1) > 0""",
        "gt",
        0.15,
        "1h",
        "warning",
        "In {{ $labels.course_run }} the share at high risk rose by more than 15 points in a week.",
        "high-risk-jump.md",
        "risk",
        "Levels",
    ),
    Alert(
        "homeroom-activity-drop",
        "HomeroomActivityDrop",
        """SELECT course_run, sumIf(active, day = today() - 1) / sumIf(active, day = today() - 8) AS ratio
        FROM engagement_daily FINAL
        WHERE day IN (today() - 1, today() - 8)
        GROUP BY course_run
        HAVING sumIf(active, day = today() - 8) >= 50 AND countIf(day = today() - 1) > 0""",
        "lt",
        0.3,
        "1h",
        "warning",
        "In {{ $labels.course_run }} less than a third of last week's learners were active yesterday.",
        "activity-drop.md",
        "engagement",
        "Active learners",
    ),
    Alert(
        "homeroom-model-worse",
        "HomeroomModelWorse",
        """SELECT argMax(value, day) - argMin(value, day) AS change
        FROM model_metrics FINAL
        WHERE metric = 'auc' AND day >= today() - 28
        HAVING count() > 1""",
        "lt",
        -0.02,
        "1h",
        "warning",
        "The model's progressive AUC has fallen by more than .02 in four weeks.",
        "model-worse.md",
        "model",
        "AUC",
    ),
    Alert(
        "homeroom-calibration-off",
        "HomeroomCalibrationOff",
        """SELECT argMaxIf(value, day, metric = 'ece') AS ece
        FROM model_metrics FINAL
        WHERE metric IN ('ece', 'served') AND day >= today() - 7
        HAVING argMaxIf(value, day, metric = 'served') >= 1000""",
        "gt",
        0.1,
        "1h",
        "warning",
        "Estimates and outcomes differ by more than .1 on average.",
        "calibration-off.md",
        "model",
        "Calibration",
    ),
    Alert(
        "homeroom-model-drift",
        "HomeroomModelDrift",
        """SELECT splitByChar('/', metric)[2] AS what, replaceRegexpOne(metric, '^event/[^/]*/', '') AS of,
        count() AS told
        FROM model_metrics FINAL
        WHERE startsWith(metric, 'event/') AND day >= today() - 7
        AND what IN ('inputs_shifted', 'loss_rose', 'challenger_promoted')
        GROUP BY what, of""",
        "gt",
        0,
        "10m",
        "warning",
        "{{ $labels.what }}: {{ $labels.of }}, within the last week.",
        "model-drift.md",
        "model",
        "Alarms about the model",
    ),
    Alert(
        "homeroom-records-lost",
        "HomeroomRecordsLost",
        """SELECT topic, cause, count() AS breaks
        FROM log_breaks FINAL
        WHERE at >= now() - INTERVAL 1 DAY
        GROUP BY topic, cause""",
        "gt",
        0,
        "0s",
        "critical",
        "The log of {{ $labels.topic }} broke within the last day: {{ $labels.cause }}.",
        "records-lost.md",
        "pipeline",
        "Breaks of topics' logs",
    ),
    Alert(
        "homeroom-nudges-silent",
        "HomeroomNudgesSilent",
        """SELECT countIf(decision = 'send') AS sent
        FROM nudge_ledger FINAL
        WHERE decided_at >= today() - 7
        HAVING countIf(reason NOT LIKE '%_not_nudged' AND reason != 'warming_up') >= 50""",
        "lt",
        1,
        "1h",
        "warning",
        "For a week no nudge was sent although campaigns answered at least fifty risk changes.",
        "nudges-silent.md",
        "interventions",
        "Held back by reason",
    ),
    Alert(
        "homeroom-holdout-off",
        "HomeroomHoldoutOff",
        f"""SELECT abs(uniqExactIf(risk_change_id, reason = 'holdout') / uniqExact(risk_change_id) - 0.1)
            AS distance
        FROM nudge_ledger FINAL
        WHERE decided_at >= today() - 28 AND {DRAWN}
        HAVING uniqExact(risk_change_id) >= 1000""",  # noqa: S608 - a constant
        "gt",
        0.04,
        "1h",
        "warning",
        "The share held out is more than four points from the tenth of the default policy.",
        "holdout-off.md",
        "interventions",
        "Holdout share",
    ),
)


def _model(sql: str) -> dict[str, object]:
    return {
        "datasource": {"type": PLUGIN, "uid": SOURCE_UID},
        "editorType": "sql",
        "format": int(Shape.TABLE),
        "pluginVersion": PLUGIN_VERSION,
        "rawSql": "\n".join(line.strip() for line in sql.splitlines()),
        "refId": "A",
    }


def _condition(alert: Alert) -> dict[str, object]:
    return {
        "datasource": {"type": "__expr__", "uid": "__expr__"},
        "expression": "A",
        "type": "threshold",
        "conditions": [{"evaluator": {"type": alert.test, "params": [alert.threshold]}}],
        "refId": "C",
    }


def rule(alert: Alert, board: Dashboard) -> dict[str, Any]:
    """One rule in the format of provisioning; ``board`` is the one with the alert's panel."""
    day = {"from": 86_400, "to": 0}
    return {
        "uid": alert.uid,
        "title": alert.title,
        "condition": "C",
        "data": [
            {"refId": "A", "relativeTimeRange": day, "datasourceUid": SOURCE_UID, "model": _model(alert.sql)},
            {
                "refId": "C",
                "relativeTimeRange": day,
                "datasourceUid": "__expr__",
                "model": _condition(alert),
            },
        ],
        "noDataState": "OK",
        "execErrState": "Error",
        "for": alert.hold,
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": alert.summary.replace("$", "$$"),  # or provisioning looks for a variable
            "runbook": f"docs/runbooks/{alert.runbook}",
            "__dashboardUid__": board.uid,  # with the panel's id, or provisioning refuses it
            "__panelId__": str(_panel_id(alert, board)),
        },
        "isPaused": False,
    }


def _panel_id(alert: Alert, board: Dashboard) -> int:
    for panel in board.panels or ():
        if isinstance(panel, Panel) and panel.title == alert.panel and panel.id_val is not None:
            return panel.id_val
    raise LookupError(f"{alert.title}: the board {alert.board} has no panel {alert.panel!r}")


def make(boards: Mapping[str, Dashboard]) -> dict[str, Any]:
    """The file of all rules. boards: name → board.

    Raises:
        LookupError: an alert names a panel that its board does not have.
    """
    group = {
        "orgId": 1,
        "name": GROUP,
        "folder": FOLDER,
        "interval": "10m",
        "rules": [rule(alert, boards[alert.board]) for alert in ALERTS],
    }
    return {"apiVersion": 1, "groups": [group]}
