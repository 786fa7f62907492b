"""Reads xAPI statements."""

from typing import Any, ClassVar

from schemas.fields import shorten
from sources.formats.adapter import Adapter, AdapterOptions
from sources.formats.fields import as_object, child, optional_name, parse_json
from sources.formats.records import RawRecord
from sources.formats.translation import InvalidFieldError, Message, Translation
from sources.formats.vocabulary import IGNORED
from sources.formats.xapi.actors import Person, is_group, person_of
from sources.formats.xapi.messages import FILL, fill_activity
from sources.formats.xapi.statements import Statement, short_name, statement_of
from sources.formats.xapi.terms import VOIDED

MAX_VOIDED = 100_000
"""Ids of voided statements that are remembered; the oldest are forgotten first."""

_GRADED = ("graded", "extension")


class XapiAdapter(Adapter):
    """Statements of xAPI 1.0.3 and 2.0: one, an array, or a record store's answer (``{"statements": …}``).

    - *meaning*: by verb and type of the object; the vocabulary is asked for `verb@type`, `verb`, `@type`
      and `verb@`.
    - `event_id`: `id`; a digest of the statement where it has none yet.
    - `learner`: the actor's `account.name`, `openid` or `mbox_sha1sum`. A mail address (`mbox`, or as an
      account's name) becomes that same SHA-1, in lower case; no message has it.
    - `platform`: the host of the account's `homePage`, unless the source has a platform of its own.
    - `course_run`: the activity with a course's type in `context.contextActivities.parent`, else in
      `grouping`, else the object. A statement without one is *outside*.
    - `object`: the object's `id`; of an attempt its parent's. A key of Open edX at the end of an address
      (`course-v1:…`, `block-v1:…`) stands for the whole.
    - `occurred_at`: `timestamp`, else `stored`; a time without a zone is refused.
    - `score`: `score.scaled`, else `raw` from `min` to `max`. Below nought is 0: no point was earned.
    - `session`: of the video profile, cmi5 or Open edX. A registration is none: it outlasts them.
    - `source`: `context.platform`.

    A **group** is its members: each of them did it. A group that does not name them is refused. Where a fact
    is about an agent (*Ann scored Bob*, with the work as parent), that agent is the learner. An actor who is
    the statement's own `instructor` is staff, and must say whom they graded. `authority`, attachments and
    what a sub-statement plans are not read.

    **Video profile**: each play, pause and seek is an activity. Its `progress` is the video's and not the
    course's, and is left out. **cmi5**: put the course into the context template (`grouping`), since only
    *satisfied* names it by itself: on the course it is a pass. *Waived* excuses the work, *abandoned* is the
    system's word. Of cmi5 and videos only *terminated* says how long a session took; others would count it
    twice. *Completed*, *passed* and *failed* each hand in the assessment that they are about.

    A **voided** statement is left out where its voiding is known before it: always in a file, in a topic if
    it came first. Both are counted as voided, so that a difference shows what could not be taken back.

    **To publish**: let the record store forward each statement to a topic as it is stored.
    """

    name: ClassVar[str] = "xapi"
    description: ClassVar[str] = (
        "xAPI statements, 1.0.3 and 2.0: single, in arrays, or a record store's answers"
    )
    foresees: ClassVar[bool] = True

    def __init__(self, options: AdapterOptions | None = None) -> None:
        """See :class:`Adapter`."""
        super().__init__(options)
        self._voided: dict[str, None] = {}

    def read(self, record: RawRecord, into: Translation) -> None:
        """Translate a statement, or each of many."""
        document = parse_json(record.value)
        if isinstance(document, list):
            self.attempt_each(into, "", self._read_statement, document)
        elif isinstance(document, dict) and "statements" in document:
            found = document["statements"]
            if not isinstance(found, list):
                raise InvalidFieldError("statements", found, "an array of statements", "malformed")
            self.attempt_each(into, "statements", self._read_statement, found)
        else:
            self._read_statement(as_object(document, "value"), into)

    def foresee(self, record: RawRecord) -> None:
        """Learn which statements a file takes back."""
        if record.value is None or b"voided" not in record.value:
            return
        try:
            document = parse_json(record.value)
        except InvalidFieldError:
            return
        found = document.get("statements") if isinstance(document, dict) else document
        for statement in found if isinstance(found, list) else [document]:
            if child(statement, "verb", "id") == VOIDED:
                self._void(statement)

    def _void(self, found: Any) -> None:
        target = child(found, "object", "id")
        if isinstance(target, str):
            self._voided[target.lower()] = None
            if len(self._voided) > MAX_VOIDED:
                del self._voided[next(iter(self._voided))]

    def _read_statement(self, found: Any, into: Translation) -> None:
        statement = statement_of(as_object(found, ""))
        verb, own_id = statement.verb, statement.found.get("id")
        if verb == VOIDED:
            self._void(found)
        if verb == VOIDED or (self._voided and isinstance(own_id, str) and own_id.lower() in self._voided):
            into.count(verb, "voided")
            return
        meaning = self._meaning(verb, statement.kind)
        course_run = None if statement.course is None else short_name(statement.course)
        if meaning == IGNORED or course_run is None:
            into.count(verb, "ignored" if meaning == IGNORED else "outside")
            return
        people = _people(statement, meaning)
        for person in people:
            message = _message(statement, person, course_run, meaning)
            if len(people) > 1:
                message["event_id"] = shorten(f"{message['event_id']}#{person.learner}")
            into.messages.append(message)
        into.count(verb, "unknown" if meaning is None else "translated")

    def _meaning(self, verb: str, kind: str) -> str | None:
        return self.vocabulary.find_for(
            (verb, kind), lambda: (f"{verb}@{kind}", verb, f"@{kind}", f"{verb}@")
        )


def _people(statement: Statement, meaning: str | None) -> list[Person]:
    """Whom a statement is about.

    Raises:
        InvalidFieldError: nobody is named, or a grade is nobody's.
    """
    field = "object" if statement.is_about_a_person and meaning in FILL else "actor"
    found: Any = statement.found.get(field)
    if is_group(found):
        members = found.get("member")
        if not isinstance(members, list) or not members:
            raise InvalidFieldError(f"{field}.member", None, "the members of the group")
        return [person_of(member, f"{field}.member.{index}") for index, member in enumerate(members)]
    person = person_of(found, field)
    if meaning in _GRADED and field == "actor" and _is_instructor(statement, person):
        raise InvalidFieldError("actor", "the instructor", "the learner, or an object that is the learner")
    return [person]


def _is_instructor(statement: Statement, person: Person) -> bool:
    instructor = statement.context.get("instructor")
    if instructor is None:
        return False
    try:
        return person_of(instructor, "context.instructor") == person
    except InvalidFieldError:  # a group, or nobody: not this person
        return False


def _message(statement: Statement, person: Person, course_run: str, meaning: str | None) -> Message:
    """What a statement says of a person."""
    message: Message = {
        "type": "activity",
        "event_id": statement.event_id(),
        "learner": person.learner,
        "course_run": course_run,
        "occurred_at": statement.occurred_at(),
    }
    if person.platform is not None:
        message["platform"] = person.platform
    context = statement.context
    if "platform" in context and (source := optional_name(context["platform"])) is not None:
        message["source"] = source
    if meaning is not None and meaning in FILL:
        message["type"] = meaning
        FILL[meaning](statement, message)
        return message
    if "instructor" in context and _is_instructor(statement, person):
        message["role"] = "staff"
    fill_activity(statement, message, meaning or "other")
    return message
