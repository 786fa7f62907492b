"""Reads Canvas's Live Events."""

from typing import Any, ClassVar

from sources.formats.adapter import Adapter
from sources.formats.canvas.events import ACTED_AS, ASSET_ACCESSED, Event, event_of
from sources.formats.canvas.messages import FILL, fill_activity, fill_submission, is_told_again
from sources.formats.fields import as_object, parse_json
from sources.formats.records import RawRecord
from sources.formats.translation import Message, Translation
from sources.formats.vocabulary import IGNORED


class CanvasAdapter(Adapter):
    """Live Events in Canvas's native format: `{"metadata": …, "body": …}`, one or an array.

    - *meaning*: by `event_name`; of an asset with type and subtype (`asset_accessed/course/grades`), and `#`
      with the level (`#participate`), or `#video` for files of one; of an enrolment with its state.
    - `learner`: of an act `metadata.user_id`; of what is done to somebody the body's `user_id`, `student_id`
      or `user.id`. An act of nobody is *anonymous*; of a job *ignored*, as that of an administrator who acts
      as somebody else (`real_user_id`).
    - **ids** are local ones. Events have global ids (`21070000000000565`) or local ones (`565`) for the same
      thing: those of the root account's shard lose it. Ids of other shards stay whole.
    - `course_run`: the body's `course_id` or `course.id`, else `metadata.context_id` of a Course. An event
      without one is *outside*: a login, a group's page, work that a tool hands in without a context.
    - `object`: type and id (`assignment/355`, `wiki_page/12`); of a list its subtype (`grades`). Name
      assignments so in the calendar, too.
    - `occurred_at`: `metadata.event_time`; of work `body.submitted_at`.
    - `role`: `metadata.context_role`, or the enrolment's `type`. A test student is *test*.
    - `event_id`: a digest of what is said, since one request may make several events. A hand-in is named by
      submission and moment, whichever event tells of it.

    **Work**: `submission_created`, and `submission_updated` within an hour of `submitted_at`; later updates
    tell of grades and comments and are *repeated*. What somebody else hands in (a member of the group, a
    teacher, a job) has the `actor` *system*: it ends no silence. `quiz_submitted` names no assignment, and is
    a quiz. **Grades** (`grade_change`): `score` of `points_possible`. A grade that is taken back, not
    complete, or of nothing possible is *ignored*.

    **Enrolments**: *active*, *invited* and *creation_pending* are registrations; *deleted*, *inactive* and
    *rejected* end them; *completed* is the end of the course, and no result. Who is removed from one of two
    sections is withdrawn until the next event of the other. **Modules**: `course_progress`; in
    `course_completed` all requirements are met. To make it a pass, give the source the vocabulary
    `course_completed: completed`.

    **Not here**: an event of one assignment is no calendar, and an override does not say for whom it is. Send
    calendars, extensions and final results from the API.

    **To publish**: let the data stream's queue (SQS, or an HTTPS endpoint) be forwarded to a topic, any key.
    """

    name: ClassVar[str] = "canvas"
    description: ClassVar[str] = "Canvas Live Events in the native format: {metadata, body}"

    def read(self, record: RawRecord, into: Translation) -> None:
        """Translate an event, or each of many."""
        document = parse_json(record.value)
        if isinstance(document, list):
            self.attempt_each(into, "", self._read_event, document)
        else:
            self._read_event(as_object(document, "value"), into)

    def _read_event(self, found: Any, into: Translation) -> None:
        self.take(event_of(as_object(found, "")), into)

    def take(self, event: Event, into: Translation) -> None:
        """Append what an event says to a translation.

        Raises:
            InvalidFieldError: a field of it is wrong.
        """
        name = event.counted_name()
        meaning = self._meaning(name, event.detail() if event.name == ASSET_ACCESSED else "")
        if meaning == IGNORED:
            into.count(name, "ignored")
            return
        course_run = event.course_run()
        if course_run is None:
            into.count(name, "outside")
        elif meaning == "submission" or (meaning is not None and meaning in FILL):
            message = _message(event, course_run)
            message["type"] = "activity" if meaning == "submission" else meaning
            if (fill_submission if meaning == "submission" else FILL[meaning])(event, message):
                into.messages.append(message)
                into.count(name, "translated")
            else:
                into.count(name, "repeated" if is_told_again(event) else "ignored")
        else:
            self._read_act(event, name, course_run, meaning, into)

    def _read_act(
        self, event: Event, name: str, course_run: str, meaning: str | None, into: Translation
    ) -> None:
        user = event.user()
        if user is None:
            into.count(name, "ignored" if event.is_by_a_job() else "anonymous")
            return
        acted_as = event.optional_id(event.metadata.get(ACTED_AS), f"metadata.{ACTED_AS}")
        if acted_as not in (None, user):
            into.count(name, "ignored")
            return
        message = _message(event, course_run)
        message["learner"] = user
        fill_activity(event, message, meaning or "other")
        into.messages.append(message)
        into.count(name, "unknown" if meaning is None else "translated")

    def _meaning(self, name: str, detail: str) -> str | None:
        return self.vocabulary.find(name + detail, name) if detail else self.vocabulary.meaning(name)


def _message(event: Event, course_run: str) -> Message:
    """What every message has; its learner comes last, since facts have theirs in the body."""
    message: Message = {
        "type": "activity",
        "event_id": event.event_id(),
        "course_run": course_run,
        "occurred_at": event.occurred_at(),
    }
    hostname = event.metadata.get("hostname")
    if isinstance(hostname, str) and hostname.strip():
        message["source"] = hostname[:128]
    return message
