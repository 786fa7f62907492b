"""Reads Open edX's tracking log."""

from typing import Any, ClassVar

from sources.formats.adapter import Adapter, AdapterOptions
from sources.formats.edx.events import TrackingEvent, event_of, first_part
from sources.formats.edx.messages import FILL, fill_activity, fill_fact, first_attempt, grade_of
from sources.formats.fields import content_id, parse_object
from sources.formats.records import RawRecord
from sources.formats.translation import Fate, Message, Translation
from sources.formats.vocabulary import IGNORED

_MAX_CACHED = 10_000


class EdxTrackingAdapter(Adapter):
    """Events of Open edX's tracking log (``tracking.log``), one a line.

    A line may have the logger's prefix before its JSON, or be a record of Vector or another shipper that
    holds it as a text in `message`.

    - *meaning*: by `event_type@event_source`, `event_type`, `name`; of an event that is named by a request's
      path, by the path with `RUN` for its course (`/courses/RUN/courseware/…`).
    - `event_id`: a digest of the event's JSON, since it has none. Shipped twice it counts once.
    - `learner`: `event.user_id`, else `context.user_id`, a number or a text. Who enrols somebody else is in
      the context, the learner in the event. Names (`username`) are not read; where another system knows
      learners by name, list both in the alias table.
    - `course_run`: `context.course_id`, else the event's, else that of the path or `page` (`/courses/…/`), as
      it is written: `course-v1:Org+C+R` or `Org/C/R`. Without one an event is *outside*.
    - `object`: the block's key or address that the event names; of a request the rest of its path.
    - `occurred_at`: `time`, which is in UTC where it has no offset: so the log's documentation says.
    - `session`, `source` (`event_source`: browser, server, mobile).

    **A problem's attempt** is in the log three times: as the browser's `problem_check`, as the request, and
    as the server's `problem_check` with the grade. The last alone counts, as a quiz with its score; the
    others are *repeated*. So are other requests whose act has an event of its own.

    **Work with a deadline** is the graded subsection: the calendar calls it `block-v1:…+type@sequential+…`.
    `edx.grades.subsection.grade_calculated` with points that count is its grade, and its first attempt is
    the hand-in: Open edX knows no other. A timed exam is handed in by `edx.special_exam.….submitted`, an open
    response assessment under its own block. Where single problems have deadlines, let your vocabulary say
    `problem_check: submission` and `edx.grades.problem.submitted: graded`.

    **Not read**: course grades, which are of the whole so far; what staff, cohorts and tasks do
    (`event_source: task`), except that they enrol, withdraw and grade; players and pages that only load. A
    certificate is a pass. Where an event says `is_staff`, the role is *staff*.

    **To publish**: ship the log's lines unchanged to a topic.
    """

    name: ClassVar[str] = "edx-tracking"
    description: ClassVar[str] = "Open edX's tracking log: JSON lines, with or without the logger's prefix"

    def __init__(self, options: AdapterOptions | None = None) -> None:
        """See :class:`Adapter`."""
        super().__init__(options)
        self._meanings: dict[tuple[str, str, str], tuple[str | None, Fate]] = {}

    def read(self, record: RawRecord, into: Translation) -> None:
        """Translate a line, or the line in a shipper's record."""
        text = json_in(record.value)
        document = parse_object(text)
        line = document.get("message")
        if isinstance(line, str) and "event_type" not in document:
            text = json_in(line.encode(errors="replace"))
            document = parse_object(text, "message")
        self.read_event(document, content_id(text or b""), into)

    def read_event(self, document: dict[str, Any], event_id: str, into: Translation) -> None:
        """Translate an event.

        Raises:
            InvalidFieldError: a part of it is wrong.
        """
        event = event_of(document)
        meaning, fate = self._meaning(event)
        counted = event.kind if event.path is None else first_part(event.path)
        is_fact = meaning in FILL
        if meaning == IGNORED or (event.source == "task" and not is_fact):
            into.count(counted, fate if meaning == IGNORED else "ignored")
            return
        if meaning == "graded" and grade_of(event.fields) is None:
            into.count(counted, "ignored")  # of a subsection without points that count
            return
        learner = event.learner()
        if event.course_run is None or learner is None:
            into.count(counted, "outside" if event.course_run is None else "anonymous")
            return
        message: Message = {
            "type": "activity",
            "event_id": event_id,
            "learner": learner,
            "course_run": event.course_run,
            "occurred_at": event.occurred_at(),
        }
        if event.source:
            message["source"] = event.source[:128]
        if meaning is not None and is_fact:
            self._read_fact(event, message, meaning, into)
        else:
            fill_activity(event, message, meaning or "other")
            into.messages.append(message)
        into.count(counted, fate)

    def _read_fact(self, event: TrackingEvent, message: Message, meaning: str, into: Translation) -> None:
        fill_fact(event, message, meaning)
        hand_in = first_attempt(event.fields, message, "event") if meaning == "graded" else None
        if hand_in is not None:
            into.messages.append(hand_in)
        into.messages.append(message)

    def _meaning(self, event: TrackingEvent) -> tuple[str | None, Fate]:
        """What an event means, and its fate if it is of a learner in a course."""
        key = (event.kind if event.path is None else event.path, event.name, event.source)
        found = self._meanings.get(key)
        if found is None:
            found = self._look_up(event)
            if len(self._meanings) >= _MAX_CACHED:
                self._meanings.clear()
            self._meanings[key] = found
        return found

    def _look_up(self, event: TrackingEvent) -> tuple[str | None, Fate]:
        find = self.vocabulary.meaning
        if event.path is not None:
            meaning = own = find(event.path)
        else:
            own = self.vocabulary.meanings.get(f"{event.kind}@{event.source}")
            meaning = self.vocabulary.find(event.kind, event.name) if own is None else own
        if meaning == IGNORED:
            return meaning, "ignored" if own is None else "repeated"
        return meaning, "unknown" if meaning is None else "translated"


def json_in(line: bytes | None) -> bytes | None:
    """A line from its first brace on: without a logger's or syslog's prefix."""
    if line is None or line[:1] == b"{":
        return line
    start = line.find(b"{")
    return line if start < 0 else line[start:]
