"""Reads Caliper events, alone and in envelopes."""

from typing import Any, ClassVar

from schemas.fields import shorten
from sources.formats.adapter import Adapter
from sources.formats.caliper.entities import optional_name_of, required_name_of, type_of
from sources.formats.caliper.events import GROUP, Event, event_of, people_of
from sources.formats.caliper.messages import FILL, fill_activity
from sources.formats.fields import as_object, parse_json
from sources.formats.records import RawRecord
from sources.formats.translation import InvalidFieldError, Message, Translation
from sources.formats.vocabulary import IGNORED

_SEEN = frozenset({"NavigationEvent", "ViewEvent"})
"""Types of events that say no more than what was looked at."""

_OF_AN_ATTEMPT = frozenset({"graded", "submission"})
_TO_SOMEBODY = frozenset({"enrolled", "withdrawn"})


class CaliperAdapter(Adapter):
    """Events of Caliper 1.1 and 1.2: an envelope (`sensor`, `sendTime`, `data`), one event, or an array.

    A wrong event in an envelope is refused alone. **Entity describes**, which an envelope may hold beside
    events, are no acts: they are counted by their type and left. Anything that an event points at may be an
    object or its IRI alone. Types and actions may be IRIs too (version 1.0, and vendors' own types): their
    last part counts.

    - *meaning*: by type, action and type of the object (of an attempt: of the work). The vocabulary is asked
      for `Type/Action@Object`, `Type/Action`, of what is viewed or navigated to `@Object`, and `Type/`.
    - `event_id`: `id`; a digest of the event where it has none.
    - `learner`: the actor's `id`. A mail address (`mailto:`) becomes a digest. A **group** is its `members`.
      An anonymous actor (an IRI that only names a type) is counted as *anonymous*.
    - `course_run`: the `group`, or the first organization around it, that is a CourseSection or a
      CourseOffering, by its `id` (else `courseNumber`); else the membership's organization. An event without
      one is *outside*. Sections of one offering are runs of their own; an alias table joins them.
    - `object`: the object's `id`; of an attempt the work's (`assignable`).
    - `occurred_at`: `eventTime`. An envelope's `sendTime` says when it was sent, and is not read.
    - `role`: `membership.roles`; who is a Learner among others is a learner, *Member* says nothing.
    - `session`, `source`: the `id` of `session` and of `edApp`.
    - `duration_s`: of an Attempt or a Session. A video's `duration` is its length.

    What a **machine** (SoftwareApplication) does is ignored, but for facts that it tells of a learner. Work
    that somebody else hands in has the `assignee` as learner and `actor` *system*: it ends no silence.

    A **grade** (`GradeEvent`) is the `assignee`'s, whoever gave it: `scoreGiven` of `maxScore`, which the
    work may say where the score does not. Grades of single questions are ignored.

    Caliper has no event for a registration, a withdrawal or a result: a plain `Event` whose object is a
    Membership, or a course, is read as such. Dates, pauses and calendars are events of our own types.

    **To publish**: point the sensor at an endpoint that puts each envelope into a topic, with any key.
    """

    name: ClassVar[str] = "caliper"
    description: ClassVar[str] = "Caliper 1.1 and 1.2 (1EdTech): envelopes, single events, arrays of them"

    def read(self, record: RawRecord, into: Translation) -> None:
        """Translate an event, or each of many."""
        document = parse_json(record.value)
        if isinstance(document, list):
            self.attempt_each(into, "", self._read_item, document)
        elif isinstance(document, dict) and "data" in document and "action" not in document:
            found = document["data"]
            if not isinstance(found, list):
                raise InvalidFieldError("data", found, "an array of events and entities", "malformed")
            self.attempt_each(into, "data", self._read_item, found)
        else:
            self._read_item(as_object(document, "value"), into)

    def _read_item(self, found: Any, into: Translation) -> None:
        kind = type_of(as_object(found, ""))
        if not kind:
            raise InvalidFieldError("type", found.get("type"), "the type of an event or entity")
        if kind.endswith("Event"):
            self._read_event(event_of(found), into)
        else:
            into.count(kind, "ignored")

    def _read_event(self, event: Event, into: Translation) -> None:
        meaning = self._meaning(event.name, event.kind)
        if meaning == IGNORED:
            into.count(event.name, "ignored")
            return
        course_run = event.course_run()
        if course_run is None:
            into.count(event.name, "outside")
            return
        people = [""] if meaning == "calendar" else _people(event, meaning)
        if not people:
            into.count(event.name, "ignored" if event.is_by_a_machine() else "anonymous")
            return
        for person in people:
            message = _message(event, person, course_run, meaning)
            if len(people) > 1:
                message["event_id"] = shorten(f"{message['event_id']}#{person}")
            into.messages.append(message)
        into.count(event.name, "unknown" if meaning is None else "translated")

    def _meaning(self, name: str, kind: str) -> str | None:
        def names() -> tuple[str, ...]:
            what = name.partition("/")[0]
            seen = (f"@{kind}",) if what in _SEEN else ()
            return f"{name}@{kind}", name, *seen, f"{what}/"

        return self.vocabulary.find_for((name, kind), names)


def _people(event: Event, meaning: str | None) -> list[str]:
    """Whom an event is about; nobody where a machine or somebody anonymous did it.

    Raises:
        InvalidFieldError: nobody is named, or a grade is nobody's.
    """
    if meaning in _OF_AN_ATTEMPT:
        assignee = event.attempt().get("assignee")
        if meaning == "graded" or assignee is not None:
            return people_of(assignee, "object.assignee", "the learner whose attempt it is")
    if meaning in _TO_SOMEBODY and event.kind == "Membership":
        return [required_name_of(event.thing.get("member"), "object.member", "the IRI of a person")]
    if event.is_by_a_machine():
        if meaning not in FILL:
            return []
        member = event.membership().get("member")
        return [required_name_of(member, "membership.member", "the learner that the fact is about")]
    return people_of(event.found.get("actor"), "actor", "the IRI of a person")


def _message(event: Event, person: str, course_run: str, meaning: str | None) -> Message:
    """What an event says of a person."""
    message: Message = {
        "type": "activity",
        "event_id": event.event_id(),
        "learner": person,
        "course_run": course_run,
        "occurred_at": event.occurred_at(),
    }
    if (source := optional_name_of(event.found.get("edApp"))) is not None:
        message["source"] = source
    if meaning is not None and meaning in FILL:
        message["type"] = meaning
        FILL[meaning](event, message)
        return message
    fill_activity(event, message, meaning or "other")
    if meaning == "submission" and _is_by_another(event, person):
        message["actor"] = "system"
        message.pop("role", None)  # it is the other's
    return message


def _is_by_another(event: Event, person: str) -> bool:
    """Whether somebody else handed in a person's work; a group's members are not told apart."""
    actor = event.found.get("actor")
    return type_of(actor) != GROUP and optional_name_of(actor) != person
