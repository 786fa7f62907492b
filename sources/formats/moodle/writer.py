"""Writes messages of the contract as rows of Moodle's standard log."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

import orjson

from sources.formats.adapter import Writer

KINDS: Mapping[str, tuple[str, str, str]] = {
    "home": ("core", "viewed", "course"),
    "content": ("mod_book", "viewed", "chapter"),
    "page": ("mod_folder", "viewed", "course_module"),
    "resource": ("mod_resource", "viewed", "course_module"),
    "video": ("mod_videotime", "viewed", "course_module"),
    "forum": ("mod_forum", "viewed", "discussion"),
    "wiki": ("mod_wiki", "viewed", "page"),
    "quiz": ("mod_quiz", "viewed", "attempt"),
    "submission": ("mod_assign", "submitted", "assessable"),
    "other": ("mod_bigbluebuttonbn", "joined", "bigbluebutton_meeting"),
}
"""Component, action and target, by kind of activity."""

_FIRST_USER, _FIRST_COURSE, _FIRST_MODULE = 1_000, 10, 100
_COURSE_LEVEL, _MODULE_LEVEL = 50, 70
_PARTICIPATING, _TEACHING = 2, 1

Row = dict[str, Any]


class MoodleWriter(Writer):
    """Writes the rows that Moodle would have stored, with numbers for names: ``aliases`` leads back."""

    limits: ClassVar[Mapping[str, str]] = {
        "tick": "a log has no clock",
        "calendar": "dates are in other tables: publish a roster",
        "progress": "completion is a state of each module, and no share of the course",
        "extension": "the event that one is granted has no date",
        "pause": "Moodle has none",
        "merged": "no event says that two accounts are one person",
        "renamed": "no event says it of a course",
        "completed": "a course is completed or not: no fail, no distinction",
        "activity.duration_s": "rows are moments",
        "activity.session": "the log has none",
        "activity.count": "a row is one event",
        "activity.progress": "completion is a state of each module, and no share of the course",
        "activity.role": "roles are assigned to courses, not to events",
        "enrolled.timezone": "it is in the user's profile",
        "enrolled.section": "groups are in other tables",
        "enrolled.track": "the enrolment method is in other tables",
        "enrolled.language": "it is in the user's profile",
        "graded.attempt": "a grade is of the work",
        "graded.submission": "a grade is of the work",
    }

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}
        self._taken: Counter[str] = Counter()
        self._rows = 0
        self.aliases: dict[str, dict[str, str]] = {"learner": {}, "course_run": {}, "object": {}}

    def write(self, message: Mapping[str, Any]) -> list[bytes]:
        """See :class:`Writer`."""
        match message["type"]:
            case "activity":
                rows = self._activity(message)
            case "enrolled":
                rows = self._enrolment(message)
            case "withdrawn":
                rows = [self._about(message, "core", "deleted", "user_enrolment")]
            case "graded":
                rows = [self._grade(message, message["object"], message["graded_at"])]
            case "completed" if message["result"] == "pass":
                rows = [self._about(message, "core", "completed", "course")]
            case _:
                rows = []
        return [orjson.dumps(row) for row in rows]

    def _activity(self, message: Mapping[str, Any]) -> list[Row]:
        component, action, target = KINDS[message["kind"]]
        row = self._row(message, component, action, target, message["occurred_at"])
        row["userid"], row["edulevel"] = self._user(message["learner"]), _PARTICIPATING
        if message.get("actor") == "system":
            row["origin"] = "cli"
        if message.get("object") is not None:
            row |= {
                "contextlevel": _MODULE_LEVEL,
                "contextinstanceid": self._module(component, message["object"]),
            }
        if message["kind"] != "submission" or message.get("score") is None or message.get("object") is None:
            return [row]
        return [row, self._grade(message, message["object"], message["occurred_at"])]

    def _enrolment(self, message: Mapping[str, Any]) -> list[Row]:
        row = self._about(message, "core", "created", "user_enrolment")
        if message.get("role") in (None, "learner"):
            return [row]
        role = self._about(message, "core", "assigned", "role")
        return [row, role | {"objecttable": "role", "objectid": 3}]

    def _grade(self, message: Mapping[str, Any], work: str, moment: str) -> Row:
        row = self._about(message, "core", "graded", "user", moment)
        component = KINDS["submission"][0]
        return row | {
            "objecttable": "grade_grades",
            "other": orjson.dumps({"finalgrade": message["score"]}).decode(),
            "grademax": 1,
            "itemmodule": component.removeprefix("mod_"),
            "cmid": self._module(component, work),
        }

    def _about(
        self, message: Mapping[str, Any], component: str, action: str, target: str, moment: str = ""
    ) -> Row:
        """A row of what somebody else did to a learner."""
        row = self._row(message, component, action, target, moment or message["occurred_at"])
        return row | {"userid": 2, "relateduserid": self._user(message["learner"]), "edulevel": _TEACHING}

    def _row(self, message: Mapping[str, Any], component: str, action: str, target: str, moment: str) -> Row:
        self._rows += 1
        course = self._number("course_run", message["course_run"], _FIRST_COURSE)
        self.aliases["course_run"][str(course)] = message["course_run"]
        return {
            "id": self._rows,
            "eventname": f"\\{component}\\event\\{target}_{action}",
            "component": component,
            "action": action,
            "target": target,
            "objecttable": None,
            "objectid": None,
            "contextlevel": _COURSE_LEVEL,
            "contextinstanceid": course,
            "userid": None,
            "courseid": course,
            "relateduserid": None,
            "anonymous": 0,
            "other": "null",
            "timecreated": int(datetime.fromisoformat(moment).timestamp()),
            "origin": "web",
            "realuserid": None,
        }

    def _user(self, learner: str) -> int:
        user = self._number("learner", learner, _FIRST_USER)
        self.aliases["learner"][str(user)] = learner
        return user

    def _module(self, component: str, name: str) -> int:
        module = self._number(f"object/{component}", name, _FIRST_MODULE)
        self.aliases["object"][f"{component}/{module}"] = name
        return module

    def _number(self, what: str, name: str, first: int) -> int:
        """The number of a name; modules have one range, whatever their component."""
        key = (what, name)
        if key not in self._numbers:
            kind = what.partition("/")[0]
            self._numbers[key] = first + self._taken[kind]
            self._taken[kind] += 1
        return self._numbers[key]


class MoodleCsvWriter(MoodleWriter):
    """The same rows, for files of CSV."""

    columns = (
        *("id", "eventname", "component", "action", "target", "objecttable", "objectid", "edulevel"),
        *("contextlevel", "contextinstanceid", "userid", "courseid", "relateduserid", "anonymous", "other"),
        *("timecreated", "origin", "realuserid", "grademax", "itemmodule", "cmid"),
    )

    def write(self, message: Mapping[str, Any]) -> list[bytes]:
        """The rows as JSON objects of texts, as the reader of CSV files makes them of lines."""
        return [orjson.dumps(_texts(orjson.loads(row))) for row in super().write(message)]


def _texts(row: Row) -> dict[str, str]:
    return {name: "" if value is None else str(value) for name, value in row.items()}
