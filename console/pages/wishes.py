"""What a learner does not want, as pages say it."""

from console.unwanted import Unwanted, Wished

NAMES = {"sms": "SMS", "push": "push notification", "in_app": "notice in the course"}
"""Channels whose names are no words."""

ALL = {"email", "sms", "push", "in_app", "instructor"}


def listed(channels: list[str]) -> str:
    """``email, SMS and push notification``."""
    names = [NAMES.get(one, one) for one in channels]
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def unwanted_words(no: Unwanted) -> str:
    """``Wants no messages by email and SMS, since 3 May``."""
    parts = []
    if no.suppressed:
        parts.append(f"Must not be written to at all{_since(no, 'suppressed')}")
    if set(no.opted_out) >= ALL:
        parts.append(f"Wants no messages on any channel{_since(no, *no.opted_out)}")
    elif no.opted_out:
        parts.append(f"Wants no messages by {listed(no.opted_out)}{_since(no, *no.opted_out)}")
    if no.paused_until is not None:
        parts.append(f"Wants quiet until {no.paused_until.day} {no.paused_until:%b %Y}")
    return "; ".join([*parts[:1], *(part[0].lower() + part[1:] for part in parts[1:])])


def _since(no: Unwanted, *doors: str) -> str:
    newest = max((no.since[door] for door in doors if door in no.since), default=None)
    return "" if newest is None else f", since {newest.day} {newest:%b}"


def wish_title(wished: Wished) -> str:
    """What changed, in a few words."""
    channels = [door for door in wished.closes if door != "suppressed"]
    parts = [f"Wants no messages by {listed(channels)}"] if channels else []
    parts += ["On the suppression list"] if "suppressed" in wished.closes else []
    if wished.paused_until is not None:
        parts.append(f"Quiet until {wished.paused_until.day} {wished.paused_until:%b}")
    if wished.opens:
        parts.append(f"Takes {_doors(wished.opens)} again")
    if wished.withheld:
        parts.append(f"Not reopened: {_doors(wished.withheld)}")
    return "; ".join(parts)


def wish_detail(wished: Wished) -> str:
    """Who said so and why; and why nothing came of it, where nothing did."""
    by = " ".join(filter(None, (wished.said_by, wished.source)))
    why = f"{by}: {wished.reason}" if by and wished.reason else by
    only = "only the learner, or an admin with a reason, takes a no back"
    return "; ".join(filter(None, (why, only if wished.withheld else "")))


def _doors(doors: list[str]) -> str:
    names = {"paused": "messages before the pause is over", "suppressed": "messages at all"}
    return listed([names.get(door, door) for door in doors])
