"""The Jinja environment and its filters: dates, shares, counts, texts for levels and decisions."""

from datetime import date, datetime
from math import sqrt
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from console.models import Decision, EngagementDay, HistoryPoint, Messages, Risk, Uplift
from console.pages.reasons import help_of, most_help, muted_before
from console.pages.wishes import listed, unwanted_words
from console.steps import is_fall

TEMPLATES = Path(__file__).parent.parent / "templates"

KINDS = {
    "helped": "Helped",
    "not_at_risk": "Not at risk",
    "in_contact": "Already in contact",
    "approved": "Approved",
    "declined": "Declined",
    "sent": "Another message was sent",
    "delivered": "Message delivered",
    "undelivered": "Message could not be delivered",
    "opened": "Message opened",
    "clicked": "Link in the message followed",
    "dismissed": "Message dismissed",
    "unsubscribed": "Unsubscribed",
    "enrolled": "Registered",
    "returned": "Came back after silence",
    "withdrawn": "Withdrew",
    "completed": "Completed",
    "pause": "Paused",
}
"""Kind of feedback or event → its label."""

REASONS = {
    "sent": "at once",
    "quiet_hours": "after the learner's quiet hours",
    "study_time": "when the learner usually studies",
    "digest": "with the next digest",
    "level_not_nudged": "nothing is planned for such a change",
    "reason_not_nudged": "nothing is planned for such a reason",
    "phase_not_nudged": "nothing is planned for this part of the course",
    "cap_reached": "the learner was written to lately",
    "campaign_cap_reached": "the campaign wrote to the learner lately",
    "channel_cap_reached": "written to lately on every channel",
    "opted_out": "the learner does not want this channel",
    "paused": "the learner asked for quiet",
    "suppressed": "the learner must not be written to",
    "holdout": "in the comparison group that gets no nudge",
    "run_over": "the enrolment or the course is over",
    "warming_up": "the model has not learned from a finished course yet",
    "expired": "too late to be of use",
    "awaiting_approval": "waits for an instructor's yes",
    "declined": "declined by an instructor",
    "data_quality": "the platform's events were not complete",
    "recovered": "the risk has fallen",
    "merged": "the account was merged into another one",
}
"""A decision's reason → its text."""


def percent(share: float | None) -> str:
    """``.873`` → ``87 %``; None is a dash."""
    return "–" if share is None else f"{round(share * 100)}\N{NO-BREAK SPACE}%"


def likely(probability: float | None) -> str:
    """A probability as a percentage, but never ``0 %`` or ``100 %``: an estimate is not certain."""
    return percent(probability if probability is None else min(max(probability, 0.01), 0.99))


def count(number: int) -> str:
    """A number with narrow spaces between thousands."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def day(when: date | datetime | None) -> str:
    """``11 May``, without a year: lists are about weeks."""
    return "–" if when is None else f"{when.day} {when:%b}"


def full_day(when: date | datetime | None) -> str:
    """``Monday, 11 May 2026``."""
    return "–" if when is None else f"{when:%A}, {when.day} {when:%B %Y}"


def moment(when: datetime | None) -> str:
    """``11 May, 08:00``, in UTC."""
    return "–" if when is None else f"{when.day} {when:%b, %H:%M}"


def ago(when: date, today: date) -> str:
    """``today``, ``yesterday``, ``5 days ago``."""
    days = (today - when).days
    if days <= 0:
        return "today"
    return "yesterday" if days == 1 else f"{days} days ago"


def feedback_label(kind: str) -> str:
    """The label of a kind of feedback."""
    return KINDS.get(kind, kind.replace("_", " "))


def reason_text(reason: str) -> str:
    """The text of a decision's reason."""
    return REASONS.get(reason, reason.replace("_", " "))


def level_change(risk: Risk) -> str:
    """``Rose from medium to high``: by the levels; the likelihood may have moved the other way."""
    if risk.previous_level is None or risk.previous_level == risk.level:
        return "No change since the course began" if risk.changed_on is None else f"At {risk.level}"
    word = "Fell" if is_fall(risk.level, risk.previous_level) else "Rose"
    return f"{word} from {risk.previous_level} to {risk.level}"


def shade(number: int, most: int) -> int:
    """0 to 9: how dark a cell of a heatmap is. Only an empty one is 0; by the root, so that few show."""
    return 0 if not number else 1 + round(8 * sqrt(number / most))


FULL_WIDTH = 2.0
"""The width of an interval from −100 to +100 points."""

OUTCOMES = {
    "active_7": "active again within 7 days",
    "active_14": "active again within 14 days",
    "exit": "left",
    "completion": "completed",
}
"""Outcome → its label."""


def compares(uplift: Uplift) -> bool:
    """Whether the interval excludes anything; with few learners it covers the whole range."""
    return uplift.difference is not None and uplift.high - uplift.low < FULL_WIDTH


def points(uplift: Uplift) -> str:
    """``+3.1 points (−1.0 to +7.2)``."""
    if uplift.difference is None:
        return "nobody to compare with yet"
    if not compares(uplift):
        return "too few learners to compare yet"
    low, middle, high = (
        f"{100 * value:+.1f}".replace("-", "−") for value in (uplift.low, uplift.difference, uplift.high)
    )
    return f"{middle} points ({low} to {high})"


def messages_summary(messages: Messages | None) -> str:
    """``29 proposed, 110 to be sent, 12 of them taken back; 98 delivered``."""
    if messages is None:
        return "No message so far."
    parts = [f"{count(messages.proposed)} proposed to instructors"] if messages.proposed else []
    parts.append(f"{count(messages.decided)} decided to send")
    parts += [f"{count(messages.taken_back)} of them taken back"] if messages.taken_back else []
    parts += [f"{count(messages.delivered)} delivered"] if messages.delivered else []
    return ", ".join(parts) + "."


def by_channel(decision: Decision) -> str:
    """``The message, by email``."""
    return f"The message, by {listed([decision.channel])}" if decision.channel else "The message"


def may_go(decision: Decision) -> bool:
    """Whether the learner's restrictions allow the message; the worker checks again after approval."""
    restrictions = decision.unwanted
    return restrictions is None or not (
        restrictions.suppressed or restrictions.paused_until or decision.channel in restrictions.opted_out
    )


def message_goes(decision: Decision) -> str:
    """``9 May, 17:00``; the reason where there is no sending time."""
    return reason_text(decision.reason) if decision.send_at is None else moment(decision.send_at)


def engagement_row(engagement: EngagementDay) -> tuple[str, ...]:
    """A day as cells of the table beside the chart."""
    numbers = (
        engagement.enrolled,
        engagement.active,
        engagement.active_7,
        engagement.clicks,
        engagement.new,
        engagement.withdrawn,
    )
    return (day(engagement.day), *(count(number) for number in numbers))


def history_row(point: HistoryPoint) -> tuple[str, ...]:
    """An estimate as cells of the table beside the chart."""
    return day(point.day), likely(point.probability), point.level


def json_script(value: Any) -> Markup:
    """JSON for a script element of type application/json; ``<`` is escaped."""
    text = orjson.dumps(value, default=lambda model: model.model_dump(mode="json")).decode()
    return Markup(text.replace("<", "\\u003c").replace("&", "\\u0026"))  # noqa: S704 - escaped just here


def environment() -> Environment:
    """The environment, with autoescape; an undefined name is an error."""
    jinja = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters.update(
        percent=percent,
        likely=likely,
        count=count,
        day=day,
        full_day=full_day,
        moment=moment,
        ago=ago,
        feedback_label=feedback_label,
        reason_text=reason_text,
        json_script=json_script,
        engagement_row=engagement_row,
        history_row=history_row,
        muted_before=muted_before,
        help_of=help_of,
        most_help=most_help,
        points=points,
        level_change=level_change,
        messages_summary=messages_summary,
        may_go=may_go,
        unwanted_words=unwanted_words,
        message_goes=message_goes,
        by_channel=by_channel,
        compares=compares,
        outcome=lambda name: OUTCOMES.get(name, name),
        query=lambda text: quote(text, safe=""),
    )
    jinja.globals["shade"] = shade
    jinja.tests["compares"] = compares
    return jinja
