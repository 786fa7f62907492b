"""The *Model* board: how good the estimates were that were served, now that outcomes are known.

For whoever answers for the model. Every figure is progressive: an example is evaluated with the estimate that
was served on its day, long before anything could be learned from it.
"""
# ruff: noqa: S608 - the queries are put together from constants of ours

from grafana_foundation_sdk.models import dashboard as model

from grafana.frame import AT_DAY, DAYS, Variable, board, courses, events, newest
from grafana.panels import DAILY, WIDTH, Panel, above, bars, below, coloured, curve, lines, number, rows

UID = "homeroom-model"

PENDING = f"FROM progress_daily FINAL WHERE {DAYS}"


def _newest_value(metric: str) -> str:
    return f"""SELECT argMax(value, day) AS newest
            FROM model_metrics
            WHERE metric = '{metric}' AND $__dateFilter(day)
            HAVING count() > 0"""


def _over_time(*metrics: str) -> str:
    columns = ", ".join(f"maxIf(value, metric = '{name}') AS {name}" for name in metrics)
    listed = ", ".join(f"'{name}'" for name in metrics)
    return f"""SELECT {AT_DAY}, {columns}
            FROM model_metrics FINAL
            WHERE metric IN ({listed}) AND $__dateFilter(day)
            GROUP BY day
            ORDER BY time"""


def _by_run(prefix: str) -> str:
    """A metric of each course run over time, by the prefix of its name."""
    return f"""SELECT {AT_DAY}, replaceOne(metric, '{prefix}', '') AS run, max(value) AS Value
            FROM model_metrics FINAL
            WHERE startsWith(metric, '{prefix}') AND $__dateFilter(day)
            GROUP BY day, run
            ORDER BY time, run"""


def _overview() -> list[Panel]:
    return [
        number(
            "AUC",
            "How often a learner who was lost had been given the higher estimate than one who was not: .5 is "
            "guessing, 1 perfect. A batch model trained on all earlier data reaches .84 to .88 on the Open "
            "University's.",
            "none",
            _newest_value("auc"),
            below(0.7, 0.8),
        ).decimals(3),
        number(
            "Calibration error",
            "By how much, on average, the share that was lost differs from the estimate (ECE, 15 bins). At "
            ".05, of 100 learners with an estimate of 60 %, 55 or 65 are lost.",
            "none",
            _newest_value("ece"),
            above(0.05, 0.1),
        ).decimals(3),
        number(
            "Log loss",
            "Punishes confident mistakes most. Lower is better; always saying the mean share gives about "
            ".68.",
            "none",
            _newest_value("log_loss"),
        ).decimals(3),
        number(
            "Learned from",
            "Examples whose outcome is certain. A run teaches when it has ended, so this grows in steps.",
            "short",
            _newest_value("examples"),
        ),
        number(
            "Labelled",
            "Of these, the ones whose estimate was a model's and not the warming-up prior's: what all "
            "figures here rest on. Below a thousand they say little.",
            "short",
            _newest_value("served"),
            [(None, "yellow"), (1000, "green")],
        ),
        number(
            "Not labelled yet",
            "Snapshots of learners whose course run is still on; they become examples when it has ended.",
            "short",
            f"SELECT sum(pending) AS pending {PENDING} AND day = {newest('progress_daily')}",
        ),
    ]


def _quality() -> list[Panel]:
    return [*_accuracy(), *_calibration(), *_corrections()]


def _accuracy() -> list[Panel]:
    return [
        lines(
            "AUC",
            "Over all examples labelled so far, so it moves slowly. A fall after a run has ended: that run "
            "was different.",
            "none",
            _over_time("auc"),
            interval=DAILY,
        )
        .axis_soft_min(0.5)
        .axis_soft_max(1),
        lines(
            "Log loss and Brier score",
            "Both fall as the estimates get better. A rise without a fall of AUC: the order is right and the "
            "level is not; see the calibration.",
            "none",
            _over_time("log_loss", "brier"),
            interval=DAILY,
        ),
    ]


def _calibration() -> list[Panel]:
    return [
        coloured(
            curve(
                "Calibration",
                "What came against what was estimated, in bins, as of the newest day of the time range. "
                "Above the diagonal more were lost than estimated. Bins with few examples jump.",
                "percentunit",
                "estimated",
                """SELECT estimated, lost, estimated AS diagonal
            FROM model_calibration FINAL
            WHERE day = (SELECT max(day) FROM model_calibration WHERE $__dateFilter(day))
            ORDER BY estimated""",
            ),
            "lost",
            "diagonal",
        ),
        coloured(
            lines(
                "Lost and estimated",
                "The share that was lost beside the mean estimate. Apart for long: the courses changed, or "
                "the model rests on others.",
                "percentunit",
                _over_time("lost", "estimated"),
                interval=DAILY,
            ),
            "lost",
            "estimated",
        ),
        lines(
            "Calibration error",
            "The mean distance of the curve on the left from its diagonal, over time.",
            "none",
            _over_time("ece"),
            interval=DAILY,
        ),
        rows(
            "Calibration in figures",
            "The bins of the curve, with the weight of their examples: one weighs as many weekly estimates "
            "as it stands for.",
            """SELECT concat(toString(round(bin / 15, 2)), ' to ', toString(round((bin + 1) / 15, 2)))
            AS told, round(estimated, 3) AS mean_estimate, round(lost, 3) AS share_lost,
            round(weight) AS examples
            FROM model_calibration FINAL
            WHERE day = (SELECT max(day) FROM model_calibration WHERE $__dateFilter(day))
            ORDER BY bin""",
            12,
        ),
    ]


def _corrections() -> list[Panel]:
    """Panels of the corrections that are applied to the model's estimates before they are served."""
    return [
        lines(
            "Course runs above or below what was predicted",
            "What is added to the log-odds of all estimates of a run, because more or fewer withdraw from it "
            "than exit risk predicted: at .4 an estimate of 50 % becomes 60 %. Beyond .5 either way: look at "
            "how the platform tells of withdrawals, or at what is new in that course.",
            "none",
            _by_run("intercept/"),
            interval=DAILY,
        ),
        lines(
            "How far the model is believed",
            "The calibration slope: log-odds are multiplied by it. Below 1 the model was too sure of itself "
            "on outcomes that it had not learned from yet. Far below, or falling: it no longer fits.",
            "none",
            _over_time("slope"),
            interval=DAILY,
        ),
    ]


def _learning() -> list[Panel]:
    states = ("serving", "stale", "warming_up")
    by_state = ", ".join(
        f"sumIf(low + medium + high, model_state = '{state}') AS {state}" for state in states
    )
    return [
        coloured(
            bars(
                "What stood behind the estimates",
                "Estimates by the model's state. Stale: a partition did not get the day's package in time "
                "and went on with an older one.",
                f"SELECT {AT_DAY}, {by_state} FROM risk_daily FINAL WHERE {DAYS} GROUP BY time ORDER BY time",
                interval=DAILY,
            ),
            *states,
        ),
        bars(
            "Waiting for an outcome",
            "Snapshots that cannot be learned from yet, by course run. They go when a run has ended and its"
            " results are known, at the latest sixty days after.",
            f"SELECT {AT_DAY}, course_run, sum(pending) AS Value {PENDING} GROUP BY time, course_run "
            "HAVING Value > 0 ORDER BY time, course_run",
            interval=DAILY,
        ),
        lines(
            "Examples",
            "All that the model has learned from, those that were lost, and those that could be labelled.",
            "short",
            _over_time("examples", "positives", "served"),
            interval=DAILY,
        ),
    ]


def _drift() -> list[Panel]:
    return [
        lines(
            "Inputs unlike what was learned",
            "Population stability index of each course run against what the model learned of the same "
            "course at the same time of a run. From .10 on it is told; a course that nothing was learned of"
            " has none.",
            "none",
            _by_run("input_shift/"),
            interval=DAILY,
        ),
        lines(
            "Features unlike what was learned",
            "The eight features that differ most on the newest day: the index of each, the mean over the "
            "course runs compared. One far above the others: look at how the platform records it.",
            "none",
            f"""SELECT {AT_DAY}, replaceOne(metric, 'feature_shift/', '') AS feature, max(value) AS Value
            FROM model_metrics FINAL
            WHERE $__dateFilter(day) AND metric IN
            (
                SELECT metric
                FROM model_metrics
                WHERE startsWith(metric, 'feature_shift/') AND $__dateFilter(day)
                GROUP BY metric
                ORDER BY argMax(value, day) DESC, metric
                LIMIT 8
            )
            GROUP BY day, feature
            ORDER BY time, feature""",
            interval=DAILY,
        ),
        lines(
            "Evidence for the challenger",
            "A second model that forgets sooner bets on being better. At 2 (a hundred to one) it takes the "
            "champion's place and the bets begin anew; below 0 it loses them.",
            "none",
            _over_time("challenger_evidence"),
            interval=DAILY,
        )
        .axis_soft_min(-2)
        .axis_soft_max(2),
        rows(
            "Alarms about the model",
            "Inputs or losses that changed, and challengers promoted, the newest first. What to do: "
            "docs/runbooks/model-drift.md.",
            """SELECT toString(day) AS on, splitByChar('/', metric)[2] AS what,
            replaceRegexpOne(metric, '^event/[^/]*/', '') AS of, round(value, 3) AS figure
            FROM model_metrics FINAL
            WHERE startsWith(metric, 'event/') AND $__dateFilter(day)
            ORDER BY day DESC, what, of
            LIMIT 100""",
            WIDTH // 2,
        ),
    ]


def make() -> model.Dashboard:
    """The whole board."""
    variables: list[Variable] = [*courses()]
    return board(
        "Model",
        UID,
        "How good the estimates were that were served, and what the model has learned from.",
        {"Overview": _overview, "Quality": _quality, "Learning": _learning, "Drift": _drift},
        variables,
        events(),
    )
