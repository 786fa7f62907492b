"""A learner's restrictions and wishes in the pages' words."""

from console.restrictions import PreferenceChange, Restrictions

NAMES = {"sms": "SMS", "push": "push notification", "in_app": "notice in the course"}
"""Channel → its name in texts, where it differs."""

ALL = {"email", "sms", "push", "in_app", "instructor"}


def listed(channels: list[str]) -> str:
    """``email, SMS and push notification``."""
    names = [NAMES.get(channel, channel) for channel in channels]
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def unwanted_words(restrictions: Restrictions) -> str:
    """``Wants no messages by email and SMS, since 3 May``."""
    parts = []
    if restrictions.suppressed:
        parts.append(f"Must not be written to at all{_since(restrictions, 'suppressed')}")
    if set(restrictions.opted_out) >= ALL:
        parts.append(f"Wants no messages on any channel{_since(restrictions, *restrictions.opted_out)}")
    elif restrictions.opted_out:
        since = _since(restrictions, *restrictions.opted_out)
        parts.append(f"Wants no messages by {listed(restrictions.opted_out)}{since}")
    if restrictions.paused_until is not None:
        parts.append(f"Wants quiet until {restrictions.paused_until.day} {restrictions.paused_until:%b %Y}")
    return "; ".join([*parts[:1], *(part[0].lower() + part[1:] for part in parts[1:])])


def _since(restrictions: Restrictions, *kinds: str) -> str:
    newest = max((restrictions.since[kind] for kind in kinds if kind in restrictions.since), default=None)
    return "" if newest is None else f", since {newest.day} {newest:%b}"


def wish_title(change: PreferenceChange) -> str:
    """What the change did, in a few words."""
    channels = [kind for kind in change.closes if kind != "suppressed"]
    parts = [f"Wants no messages by {listed(channels)}"] if channels else []
    parts += ["On the suppression list"] if "suppressed" in change.closes else []
    if change.paused_until is not None:
        parts.append(f"Quiet until {change.paused_until.day} {change.paused_until:%b}")
    if change.opens:
        parts.append(f"Takes {_kinds_text(change.opens)} again")
    if change.withheld:
        parts.append(f"Not reopened: {_kinds_text(change.withheld)}")
    return "; ".join(parts)


def wish_detail(change: PreferenceChange) -> str:
    """Who made the change and why; and why it had no effect, where it had none."""
    author = " ".join(filter(None, (change.said_by, change.source)))
    statement = f"{author}: {change.reason}" if author and change.reason else author
    rule = "only the learner, or an admin with a reason, takes a no back"
    return "; ".join(filter(None, (statement, rule if change.withheld else "")))


def _kinds_text(kinds: list[str]) -> str:
    names = {"paused": "messages before the pause is over", "suppressed": "messages at all"}
    return listed([names.get(kind, kind) for kind in kinds])
