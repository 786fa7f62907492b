"""Reads rows of Moodle's standard log."""

from typing import Any, ClassVar

from schemas.activity import ACTIVITY_KINDS
from sources.formats.adapter import Adapter, Framing
from sources.formats.fields import content_id, moment_of_epoch, name_of, number, parse_object, share
from sources.formats.records import RawRecord
from sources.formats.translation import InvalidFieldError, Message, Translation
from sources.formats.vocabulary import IGNORED

GUEST = "1"
"""The id of the guest account, which Moodle makes at its installation."""

SITE = ("", "0", "1")
"""Ids of what is no course: none, and the front page."""

NOBODY = ("", "0", "-1", "-10", "-20")
"""User ids that stand for no person: none, and Moodle's own senders of messages."""

MODULE_LEVEL = "70"
"""The context level of an activity module; its ``contextinstanceid`` is the course module's id."""

STAFF_ROLES = ("1", "2", "3", "4")
"""Manager, course creator, teacher and non-editing teacher, by the ids of a new installation."""
STUDENT_ROLE = "5"

_ROLE_EVENTS = ("\\core\\event\\role_assigned",)
_ABOUT_ANOTHER = frozenset({"enrolled", "withdrawn", "completed", "graded"})
_NULLS = (None, "", "NULL", "null", "\\N")


class MoodleAdapter(Adapter):
    r"""Rows of the table `mdl_logstore_standard_log`, as JSON objects; `moodle-csv` reads the same as CSV.

    - *meaning*: by `eventname`, such as `\mod_quiz\event\attempt_submitted`.
    - `event_id`: the row's `id`; a digest of the row where an export leaves it out.
    - `learner`: `userid` for what somebody did; `relateduserid` for what was done to somebody: enrolments,
      grades, completions. `course_run`: `courseid`; the front page (1) and none (0) are *outside*.
    - `object`: `component/contextinstanceid`, the id of the course module: `mod_assign/42` in hand-in,
      grade and calendar. An alias table gives learners, courses and modules other names.
    - `occurred_at`: `timecreated`. `source`: `origin`, web or ws (the app).

    **Not acts of a learner**: guests, nobody (0 and below), rows marked *anonymous*, and what somebody did
    while logged in as another user (`realuserid`). What `cli`, cron or a restore did is the *system's*, which
    ends no silence. Role assignments make managers and teachers *staff* (roles 1 to 4, as Moodle numbers them
    at its installation). Module completions are states and no acts; a report of them is not read.

    **Grades**: `\core\event\user_graded` has the grade and not the greatest possible one. Let the export
    add it, with the module that it is of:

        SELECT l.*, gi.grademax, gi.itemmodule, cm.id AS cmid FROM mdl_logstore_standard_log l
        LEFT JOIN mdl_grade_grades gg ON l.objecttable = 'grade_grades' AND gg.id = l.objectid
        LEFT JOIN mdl_grade_items gi ON gi.id = gg.itemid
        LEFT JOIN mdl_modules m ON m.name = gi.itemmodule
        LEFT JOIN mdl_course_modules cm ON cm.module = m.id AND cm.instance = gi.iteminstance

    Without these columns grades are ignored, and counted as such. Hand-ins are `assessable_submitted` of
    assignments and workshops, and `attempt_submitted` of quizzes. Deadlines, extensions' dates, and whoever
    is enrolled without an event are not in the log: publish a roster beside it.

    The CSV of Moodle's *report* (Time, User full name, …) has no ids and is refused: two learners may share
    a name. Export the table.
    """

    name: ClassVar[str] = "moodle"
    description: ClassVar[str] = "Moodle's standard log: rows of the table as JSON"

    def read(self, record: RawRecord, into: Translation) -> None:
        """Translate a row."""
        row = parse_object(record.value)
        event = row.get("eventname")
        if not isinstance(event, str) or not event:
            raise InvalidFieldError("eventname", event, _expected(row))
        event = event if event.startswith("\\") else f"\\{event}"
        course, meaning = _text(row, "courseid"), self.vocabulary.meaning(event)
        if meaning == IGNORED:
            into.count(event, "ignored")
        elif course in SITE:
            into.count(event, "outside")
        elif meaning in _ABOUT_ANOTHER:
            self._read_fact(row, event, str(meaning), record, into)
        else:
            self._read_activity(row, event, meaning, record, into)

    def _read_activity(
        self, row: dict[str, Any], event: str, meaning: str | None, record: RawRecord, into: Translation
    ) -> None:
        user = _text(row, "userid")
        if user in NOBODY or user == GUEST or _text(row, "anonymous") == "1":
            into.count(event, "anonymous")
            return
        if _text(row, "realuserid") not in ("", "0"):
            into.count(event, "ignored")
            return
        message = _message(row, "activity", user, record)
        message["kind"] = meaning if meaning in ACTIVITY_KINDS else "other"
        if (work := _object(row)) is not None:
            message["object"] = work
        if _text(row, "origin") in ("cli", "restore", "cron"):
            message["actor"] = "system"
        into.messages.append(message)
        into.count(event, "unknown" if meaning is None else "translated")

    def _read_fact(
        self, row: dict[str, Any], event: str, meaning: str, record: RawRecord, into: Translation
    ) -> None:
        learner = _text(row, "relateduserid") or _text(row, "userid")
        if learner in NOBODY or learner == GUEST:
            raise InvalidFieldError("relateduserid", row.get("relateduserid"), "the id of a user")
        message = _message(row, meaning, learner, record)
        if meaning == "graded" and not _add_grade(row, message):
            into.count(event, "ignored")
            return
        if meaning == "completed":
            message["result"] = "pass"
        if event in _ROLE_EVENTS:
            role = _text(row, "objectid")
            if role not in (*STAFF_ROLES, STUDENT_ROLE):
                into.count(event, "ignored")
                return
            if role in STAFF_ROLES:
                message["role"] = "staff"
        into.messages.append(message)
        into.count(event, "translated")


class MoodleCsvAdapter(MoodleAdapter):
    r"""The rows of `moodle` as CSV with a header, as a database or a report builder exports the table.

    Columns may come in any order, and further ones are not read. `NULL`, `\N` and empty cells are none.
    """

    name: ClassVar[str] = "moodle-csv"
    description: ClassVar[str] = "Moodle's standard log: the table as CSV with a header"
    framing: ClassVar[Framing] = "csv"
    vocabulary_name: ClassVar[str] = "moodle"


def _message(row: dict[str, Any], kind: str, learner: str, record: RawRecord) -> Message:
    own = _text(row, "id")
    message: Message = {
        "type": kind,
        "event_id": f"log/{own}" if own else content_id(record.value or b""),
        "learner": name_of(learner, "userid"),
        "course_run": name_of(_text(row, "courseid"), "courseid"),
    }
    message["graded_at" if kind == "graded" else "occurred_at"] = moment_of_epoch(
        row.get("timecreated"), "timecreated"
    )
    if origin := _text(row, "origin"):
        message["source"] = name_of(origin, "origin")
    return message


def _object(row: dict[str, Any]) -> str | None:
    """The course module that an event is about, or else what its table has; None for the course itself."""
    component, instance = _text(row, "component"), _text(row, "contextinstanceid")
    if _text(row, "contextlevel") == MODULE_LEVEL and component and instance:
        # A part of a module (the files of an assignment) is a component of its own, in the module's context.
        part = (
            component.partition("submission_")[0] if component.startswith("assignsubmission_") else component
        )
        return name_of(f"{'mod_assign' if part == 'assign' else part}/{instance}", "contextinstanceid")
    table, number_ = _text(row, "objecttable"), _text(row, "objectid")
    if table in ("", "course") or not number_:
        return None
    return name_of(f"{table}/{number_}", "objectid")


def _add_grade(row: dict[str, Any], message: Message) -> bool:
    """Add score and work to a grade; False where the export does not say of what, or out of how much."""
    module, instance, most = (_text(row, name) for name in ("itemmodule", "cmid", "grademax"))
    if not module or not instance or not most:
        return False
    found = row.get("other")
    other = parse_object(found, "other") if isinstance(found, str) else found
    grade = number(other.get("finalgrade") if isinstance(other, dict) else None, "other.finalgrade")
    score = share(grade, number(most, "grademax"))
    if score is None:
        return False
    message["object"] = name_of(f"mod_{module}/{instance}", "cmid")
    message["score"] = score
    return True


def _text(row: dict[str, Any], column: str) -> str:
    """A cell as text; empty where there is none, as databases and exports write it."""
    found = row.get(column)
    if type(found) is str:
        return "" if found in _NULLS else found.strip()
    if type(found) is int:
        return str(found)
    if found in _NULLS or found is False:
        return ""
    if type(found) is float and found.is_integer() and abs(found) < 2**53:
        return str(int(found))
    raise InvalidFieldError(column, found, "a text or a whole number")


def _expected(row: dict[str, Any]) -> str:
    """What is expected of a row without an event's name."""
    if "Event name" in row or "Time" in row:
        return "a row of mdl_logstore_standard_log; a report has no ids: export the table"
    return "the name of an event, such as \\core\\event\\course_viewed"
