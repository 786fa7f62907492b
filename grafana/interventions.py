"""The *Interventions* board: what was sent, what was held back and why, and whether it did anything.

For whoever answers for the nudges. Most learners who fall silent come back by themselves, so a share of
returners says nothing without the same share of the holdout,
which was drawn at random from the same decisions.
"""
# ruff: noqa: S608 - the queries are put together from constants of ours

from math import log

from grafana_foundation_sdk.models import dashboard as model

from grafana.frame import RUNS, Variable, board, courses, events, query
from grafana.learner import to_learner
from grafana.panels import DAILY, TIME_PX, WIDTH, Panel, as_unit, bars, hidden, lines, number, rows, sized

UID = "homeroom-interventions"

CAMPAIGNS = "campaign IN (${campaign:singlequote})"
DECIDED = f"FROM nudge_ledger FINAL WHERE $__timeFilter(decided_at) AND {RUNS} AND {CAMPAIGNS}"
DRAWN = "(decision = 'send' OR reason IN ('holdout', 'awaiting_approval'))"
"""Condition: decisions that differ by the random draw alone, as the holdout is the last check before sending.
A proposal and its approval are two decisions on one risk change, so count risk changes."""

LEVEL = 0.95
TIGHTEST = 5_000
LEAST = 100
"""As in ``nudges.experiments.effects``: confidence level, number of outcomes at which the interval is
tightest, and least number of outcomes in an arm. A test holds the two to the same figures."""

RHO2 = (-2 * log(1 - LEVEL) + log(-2 * log(1 - LEVEL) + 1)) / TIGHTEST

FOLLOWED = f"FROM nudge_outcomes FINAL WHERE first AND $__dateFilter(decided) AND {RUNS} AND {CAMPAIGNS}"
"""Outcomes of the first randomized decision of each enrolment: only these are comparable."""


def _share(count: str, happened: str) -> str:
    """The variance of one outcome of an arm, never 0."""
    return f"(({happened} + 0.5) / ({count} + 1)) * (1 - ({happened} + 0.5) / ({count} + 1))"


EFFECTS = f"""WITH
nudged AS
(
    SELECT campaign, arrayJoin(['', variant]) AS variant_or_all, outcome, count() AS n, countIf(happened) AS x
    {FOLLOWED} AND arm = 'nudged'
    GROUP BY campaign, variant_or_all, outcome
),
held AS
(
    SELECT campaign, outcome, count() AS m, countIf(happened) AS y
    {FOLLOWED} AND arm = 'holdout'
    GROUP BY campaign, outcome
)
SELECT campaign, if(variant_or_all = '', 'all', variant_or_all) AS variant, outcome, n AS nudged,
x / n AS did,
m AS held_out, y / m AS did_anyway, did - did_anyway AS difference,
sqrt((n + m) * ({_share("n", "x")} / n + {_share("m", "y")} / m)) AS spread,
(n + m) * {RHO2} + 1 AS mixed,
spread * sqrt(2 * mixed / ((n + m) * (n + m) * {RHO2}) * log(sqrt(mixed) / {1 - LEVEL:.2f})) AS half,
if(n < {LEAST} OR m < {LEAST}, -1, greatest(difference - half, -1)) AS at_least,
if(n < {LEAST} OR m < {LEAST}, 1, least(difference + half, 1)) AS at_most,
multiIf(at_least > 0, 'more', at_most < 0, 'less', 'not yet known') AS verdict
FROM nudged LEFT JOIN held USING (campaign, outcome)
ORDER BY campaign, variant_or_all, outcome"""
"""Outcome rates of nudged and held-out enrolments, and their difference with an interval that is valid at
every look: an asymptotic confidence sequence, as ``nudges.experiments.effects`` explains and cites."""


def _overview() -> list[Panel]:
    return [
        number(
            "Sent",
            "Decisions to send within the time range. Postponed to the morning is sent, too.",
            "short",
            f"SELECT countIf(decision = 'send') AS sent {DECIDED}",
        ),
        number(
            "Held back",
            "Decisions not to send, whatever the reason. Most are changes that no campaign answers, such as "
            "recoveries.",
            "short",
            f"SELECT countIf(decision = 'hold') AS held {DECIDED}",
        ),
        number(
            "Holdout",
            "Learners who would have got a nudge and were drawn to get none. Without them nobody could say "
            "whether nudges help.",
            "short",
            f"SELECT countIf(reason = 'holdout') AS holdout {DECIDED}",
        ),
        number(
            "Holdout share",
            "Of those decisions that came down to the draw. Should be what the policy says, a tenth by "
            "default; far from it, something is wrong with the draw.",
            "percentunit",
            f"""SELECT uniqExactIf(risk_change_id, reason = 'holdout')
            / nullIf(uniqExactIf(risk_change_id, {DRAWN}), 0) AS share
            {DECIDED}""",
        ),
        number(
            "Held by the cap",
            "Decisions that would have sent, but the learner had had a message within the cap's days. Many:"
            " courses compete for the same learners.",
            "short",
            f"SELECT countIf(reason = 'cap_reached') AS capped {DECIDED}",
        ),
        number(
            "Opted out",
            "Decisions that met a learner who does not want messages. Rising: the messages are too many, or"
            " not liked.",
            "short",
            f"SELECT countIf(reason = 'opted_out') AS opted_out {DECIDED}",
        ),
    ]


def _decisions() -> list[Panel]:
    return [
        bars(
            "Sent",
            "By campaign and week.",
            f"""SELECT toDateTime(toStartOfWeek(decided_at, 1), 'UTC') AS time, campaign, count() AS Value
            {DECIDED} AND decision = 'send'
            GROUP BY time, campaign
            ORDER BY time, campaign""",
            interval="7d",
        ),
        bars(
            "Held back by reason",
            "Changes that a campaign answers, and still no message went out. docs/nudges.md explains each "
            "reason.",
            f"""SELECT toStartOfDay(decided_at) AS time, reason, count() AS Value
            {DECIDED} AND decision = 'hold' AND reason NOT LIKE '%_not_nudged'
            GROUP BY time, reason
            ORDER BY time, reason""",
            interval=DAILY,
        ),
        rows(
            "Policies",
            "What each version of the policy decided within the time range. A change of any rule is another"
            " version.",
            f"""SELECT policy_version, toString(toDate(min(decided_at))) AS first,
            toString(toDate(max(decided_at))) AS last,
            countIf(decision = 'send') AS sent, countIf(reason = 'holdout') AS holdout,
            countIf(decision = 'hold' AND reason != 'holdout') AS held_back
            {DECIDED}
            GROUP BY policy_version
            ORDER BY last DESC, policy_version""",
        ),
    ]


def _response() -> list[Panel]:
    effect = rows(
        "What nudges did",
        "Of those nudged, and of those held out by the draw, the share who were active again, left or "
        "completed, and the difference with its 95 % interval, which holds however often one looks. With "
        "fewer than a hundred outcomes in an arm nothing is said. To see two points on a base of 44 % takes"
        " about 9,700 learners an arm.",
        EFFECTS,
        height=10,
    )
    shares = ("did", "did_anyway", "difference", "at_least", "at_most")
    again = lines(
        "Active again within a week",
        "By the week of the decision. Read the two lines together: most who fall silent come back by "
        "themselves.",
        "percentunit",
        f"""SELECT toDateTime(toStartOfWeek(decided, 1), 'UTC') AS time,
        countIf(happened AND arm = 'nudged') / nullIf(countIf(arm = 'nudged'), 0) AS nudged,
        countIf(happened AND arm = 'holdout') / nullIf(countIf(arm = 'holdout'), 0) AS `held out`
        {FOLLOWED} AND outcome = 'active_7'
        GROUP BY time
        ORDER BY time""",
        width=WIDTH,
        interval="7d",
    )
    newest = rows(
        "Newest nudges",
        "What was decided last, and for whom.",
        f"""SELECT decided_at, learner, course_run, campaign, reason, send_at
        FROM nudge_ledger
        WHERE $__timeFilter(decided_at) AND {RUNS} AND {CAMPAIGNS} AND decision = 'send'
        ORDER BY decided_at DESC, learner, decision_id
        LIMIT 1 BY decision_id
        LIMIT 50""",
    )
    effect = as_unit(hidden(effect, "spread", "mixed", "half"), "percentunit", *shares)
    return [effect, again.axis_soft_max(1), to_learner(sized(newest, TIME_PX, "decided_at", "send_at"))]


def make() -> model.Dashboard:
    """The whole board."""
    variables: list[Variable] = [
        *courses(),
        query(
            "campaign",
            "Campaign",
            "SELECT DISTINCT campaign FROM nudge_ledger WHERE $__timeFilter(decided_at) ORDER BY campaign",
        ),
    ]
    return board(
        "Interventions",
        UID,
        "What was sent, what was held back and why, and whether learners came back more often than without.",
        {"Overview": _overview, "Decisions": _decisions, "Response": _response},
        variables,
        events(),
    )
