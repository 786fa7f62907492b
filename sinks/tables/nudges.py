"""Tables of nudges: the ledger of decisions, facts about learners that bear on them, and their outcomes."""

from sinks.tables.declaration import DAY, NAME, PARTITION, TIME, Table

NUDGE_LEDGER = Table(
    "nudge_ledger",
    "every decision on a risk change, the no included",
    {
        "decision_id": "String",
        "risk_change_id": "String",
        "nudge_id": "Nullable(String)",  # of the nudge sent, cancelled, or proposed to an instructor
        "learner": "String",
        "course_run": NAME,
        "decided_at": TIME,
        "send_at": "Nullable(DateTime('UTC'))",
        "decision": NAME,
        "reason": NAME,
        "campaign": NAME,
        "variant": NAME,  # of the nudge; empty where none was chosen
        "channel": NAME,
        "policy_version": NAME,
        "propensity": "Float32",
        "partition": PARTITION,
    },
    ("decided_at", "decision_id"),
)

LEARNER_FACTS = Table(
    "learner_facts",
    "what happened to learners besides clicks: enrolments, returns after silence, results, and what they "
    "and others said of nudges",
    {
        "learner": "String",
        "course_run": NAME,  # empty for what concerns the learner in all courses
        "at": TIME,
        "fact": NAME,  # enrolled, returned, withdrawn, completed, pause, merged, renamed, preferences, …
        "nudge_id": "String",  # that it is about; empty where there is none
        "detail": "String",  # the result, a pause's dates, the preferences as JSON, the channel, the new name
        "fact_id": "String",
        "partition": PARTITION,
    },
    ("learner", "at", "fact_id"),
)

FORMER_NAMES = Table(
    "former_names",
    "under which learner and run the history of an enrolment goes on, after a merge of accounts or a new "
    "name of the run; kept by the store from learner_facts, nobody writes it. Read it with FINAL",
    {
        "learner": "String",
        "course_run": NAME,
        "former_learner": "String",
        "former_run": NAME,
    },
    ("learner", "course_run", "former_learner", "former_run"),
)

NUDGE_OUTCOMES = Table(
    "nudge_outcomes",
    "what became of those whom chance nudged or held back: a row a decision and outcome, once it is known",
    {
        "decision_id": "String",  # of the ledger
        "outcome": NAME,  # active_7, active_14, exit or completion
        "learner": "String",
        "course_run": NAME,
        "campaign": NAME,
        "variant": NAME,  # empty for the holdout
        "arm": NAME,  # nudged or holdout
        "first": "Bool",  # whether it was the enrolment's first such decision: only these compare
        "propensity": "Float32",  # of what was decided, over all draws
        "decided": DAY,
        "known": DAY,  # the day at whose close it was known
        "happened": "Bool",
        "partition": PARTITION,
    },
    ("campaign", "outcome", "decision_id"),
)
