"""Example responses for the OpenAPI document. A test validates each against its model."""

from typing import Any

from console.queries import cursors

Json = dict[str, Any]

RUN, LEARNER, NUDGE = "BBB/2014B", "c2651a12136719b3", "9f1c2ab0d4e75a6038d1f5b27c04ae91"

RISK_CURSOR = cursors.encode("urgency", [0, 0, -1396742400, -0.91, LEARNER, RUN])
LEDGER_CURSOR = cursors.encode("ledger", [1396764000, "5b0c7f3e2a9d48f16c5e0b7a1d3f9284"])

ME: Json = {"name": "Ada Byron", "role": "instructor", "courses": ["BBB"]}

WORD: Json = {
    "kind": "in_contact",
    "at": "2014-04-07T09:12:00Z",
    "course_run": RUN,
    "nudge_id": None,
    "arrived": True,
}

SILENCE: Json = {
    "text": "no activity for 9 days (before: active on the last day)",
    "contribution": 1.12,
    "relief": "active again: 73 %",
}
DEADLINE: Json = {
    "text": "2 deadlines missed in a row (before: the last deadline met)",
    "contribution": 0.64,
    "relief": "as for a typical learner of the course (the last deadline met): 81 %",
}

UNWANTED: Json = {
    "opted_out": ["sms"],
    "paused_until": None,
    "suppressed": False,
    "since": {"sms": "2014-03-03T18:20:00Z"},
}

RISK: Json = {
    "learner": LEARNER,
    "name": "Hana Yilmaz",
    "course_run": RUN,
    "day": "2014-04-07",
    "probability": 0.91,
    "level": "high",
    "model_state": "serving",
    "changed_on": "2014-04-06",
    "previous_level": "medium",
    "previous_probability": 0.66,
    "reasons": [SILENCE, DEADLINE],
    "step": "Write a short personal message: you noticed the silence, and one small thing to come back with.",
    "answered": WORD,
    "unwanted": UNWANTED,
}

RISK_PAGE: Json = {
    "as_of": "2014-04-07",
    "total": 112,
    "items": [RISK],
    "next": RISK_CURSOR,
}

LEARNER_NOW: Json = {"learner": LEARNER, "name": "Hana Yilmaz", "risks": [RISK]}

DECISION: Json = {
    "decision_id": "5b0c7f3e2a9d48f16c5e0b7a1d3f9284",
    "nudge_id": NUDGE,
    "learner": LEARNER,
    "name": "Hana Yilmaz",
    "course_run": RUN,
    "decided_at": "2014-04-06T06:00:00Z",
    "send_at": "2014-04-06T17:00:00Z",
    "decision": "send",
    "reason": "study_time",
    "campaign": "reach-out",
    "channel": "email",
    "text": None,
    "words": [WORD | {"kind": "opened", "nudge_id": NUDGE}],
    "unwanted": UNWANTED,
}

PROPOSAL: Json = DECISION | {
    "send_at": None,
    "decision": "hold",
    "reason": "awaiting_approval",
    "campaign": "missed-deadline",
    "text": "A deadline in BBB/2014B has gone by without your work. Hand in what you have.",
    "words": [],
}

DECISION_PAGE: Json = {"items": [DECISION], "next": LEDGER_CURSOR}

STORY: Json = {
    "risk": RISK,
    "history": [
        {"day": "2014-03-31", "probability": 0.66, "level": "medium", "model_state": "serving"},
        {"day": "2014-04-06", "probability": 0.89, "level": "high", "model_state": "serving"},
    ],
    "activity": [{"day": "2014-03-27", "clicks": 41}, {"day": "2014-03-28", "clicks": 0}],
    "changes": [
        {
            "day": "2014-04-06",
            "previous_level": "medium",
            "level": "high",
            "previous_probability": 0.66,
            "probability": 0.89,
            "reasons": [SILENCE, DEADLINE],
        }
    ],
    "decisions": [DECISION],
    "words": [WORD],
    "wishes": [
        {
            "at": "2014-03-03T18:20:00Z",
            "said_by": "learner",
            "source": "campus",
            "reason": None,
            "closes": ["sms"],
            "paused_until": None,
            "opens": [],
            "withheld": [],
        }
    ],
}

COURSE: Json = {
    "course_run": RUN,
    "first_day": "2014-02-01",
    "last_day": "2014-04-06",
    "week": 10,
    "over": False,
    "enrolled": 1613,
    "active_7": 902,
    "low": 1120,
    "medium": 205,
    "high": 288,
}

COURSE_STORY: Json = {
    "course": COURSE,
    "engagement": [
        {
            "day": "2014-04-06",
            "enrolled": 1613,
            "active": 388,
            "active_7": 902,
            "clicks": 9120,
            "new": 0,
            "withdrawn": 4,
        }
    ],
    "weeks": [{"week": 10, "starts_on": "2014-04-05", "fifths": [842, 278, 160, 121, 212]}],
}

WHAT_IF: Json = {
    "probability": 0.71,
    "base_probability": 0.34,
    "reasons": [SILENCE | {"relief": None}],
    "model_version": "lost/16124",
    "model_state": "serving",
    "day": "2014-04-06",
}

INTERVENTIONS: Json = {
    "decisions": [
        {"decision": "send", "reason": "study_time", "count": 519},
        {"decision": "hold", "reason": "holdout", "count": 58},
    ],
    "messages": [
        {"campaign": "reach-out", "proposed": 0, "decided": 519, "taken_back": 31, "delivered": 480}
    ],
    "uplift": [
        {
            "campaign": "reach-out",
            "variant": "all",
            "outcome": "active_7",
            "nudged": 4102,
            "nudged_share": 0.46,
            "held_out": 455,
            "held_out_share": 0.41,
            "difference": 0.05,
            "low": -0.021,
            "high": 0.121,
            "judgement": "not yet known",
        }
    ],
}

PREFERENCES: Json = {
    "learner": LEARNER,
    "timezone": "Europe/Berlin",
    "opted_out": ["sms"],
    "paused_until": "2014-06-01T00:00:00Z",
    "suppressed": False,
    "since": {"sms": "2014-03-03T18:20:00Z", "paused": "2014-03-03T18:20:00Z"},
}

ACCEPTED: Json = {"event_id": "0d5f6c1f3f0b4d1c8a0b9d6f1f5f7c11"}

HEALTH: Json = {"status": "ok", "as_of": "2014-04-06"}

PROBLEM: Json = {
    "type": "urn:homeroom:problem:not-found",
    "title": "Not Found",
    "status": 404,
    "detail": "no enrolment of this learner is within your courses",
    "errors": [],
}

EVENTS = ": still here\n\nevent: changed\ndata: 2014-04-06/3543/3543/812\n\n"
