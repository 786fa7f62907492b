"""Names of several platforms: ``ann`` of the platform ``edx`` is the learner ``edx:ann``.

Two platforms may use one name for two learners, course runs or events. A message's ``platform`` is put before
its names once it is decoded; from there on the worker knows the long names only, and so do the sinks. Objects
need no namespace: they belong to a course run.
"""

from collections.abc import Iterable
from typing import Any

from engine.batch.activities import Activity
from schemas.fields import shorten

_NAMES = ("event_id", "learner", "course_run", "course", "into")


def namespaced(platform: str, name: str) -> str:
    """A platform's name of something, as all platforms of an installation know it apart."""
    return shorten(f"{platform}:{name}")


def apply_namespaces(messages: Iterable[Activity | dict[str, Any] | None]) -> None:
    """Put the platform before the names of the messages that have one, in place."""
    for message in messages:
        if isinstance(message, Activity):
            if message.platform is not None:
                _rename_activity(message, message.platform)
        elif message is not None and message.get("platform") is not None:
            _rename(message, message["platform"])


def _rename_activity(activity: Activity, platform: str) -> None:
    activity.event_id = namespaced(platform, activity.event_id)
    activity.learner = namespaced(platform, activity.learner)
    activity.course_run = namespaced(platform, activity.course_run)
    activity.platform = None


def _rename(message: dict[str, Any], platform: str) -> None:
    for field in _NAMES:
        if field in message:
            message[field] = namespaced(platform, message[field])
    for deadline in message.get("deadlines", ()):
        if deadline.get("learner") is not None:
            deadline["learner"] = namespaced(platform, deadline["learner"])
    del message["platform"]
