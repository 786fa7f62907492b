"""CloudEvents: an envelope around the records of any format (``cloudevents+xapi``), read and written."""

from base64 import b64decode
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
import orjson

from sources.formats.adapter import Adapter, Writer
from sources.formats.fields import content_id, header
from sources.formats.records import RawRecord
from sources.formats.translation import InvalidFieldError, Translation

STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
VERSION = "1.0"
SOURCE, TYPE = "urn:homeroom", "example.homeroom.record"
"""Of what our writer sends."""

Event = dict[str, msgspec.Raw]
"""An envelope in JSON: its attributes, and the data as they are written."""

_decode_event = msgspec.json.Decoder(Event).decode
_decode_batch = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
_ERRORS = (msgspec.DecodeError, ValueError, RecursionError)


class CloudEventsAdapter(Adapter):
    """CloudEvents 1.0 with the records of another format as their data: `cloudevents+xapi`,
    `cloudevents+segment`. The data are translated as if they lay in the topic themselves.

    - **binary mode**: the header `ce_specversion` marks it; the record's value is the data.
    - **structured mode** (`application/cloudevents+json`): the value is the envelope; the data are its `data`
      (any JSON; of a text its content) or `data_base64`.
    - **batches** (`application/cloudevents-batch+json`): an array of envelopes, each by itself.

    Without a `content-type` header, as in files, an object with a `specversion` is an envelope and an array a
    batch.

    `learner`, `course_run`, time and `event_id` come from the data alone. An envelope's `id` and `time` are
    of the sending, and a gateway may give others when it sends the same again; `source`, `subject` and
    extensions are not read. So an event is the same one in an envelope and without.

    **To publish**: nothing to do but to name the format of the data after the plus sign. Keep the learner as
    Kafka's key, since the order of a learner's events counts.
    """

    name: ClassVar[str] = "cloudevents"
    description: ClassVar[str] = (
        "CloudEvents, binary, structured or batched, around records of another format"
    )

    def __init__(self, inner: Adapter) -> None:
        """inner: translates the data; it has the options of the source."""
        super().__init__()
        self._inner = inner

    def read(self, record: RawRecord, into: Translation) -> None:
        """Translate the data of an event, or of each of a batch."""
        content_type = (header(record.headers, "content-type") or "").partition(";")[0].strip().lower()
        if "ce_specversion" in record.headers and not content_type.startswith("application/cloudevents"):
            _check_version(header(record.headers, "ce_specversion"), "ce_specversion")
            self._inner.translate(record, into)
        elif content_type == BATCH or (not content_type and (record.value or b"").lstrip()[:1] == b"["):
            self.attempt_each(into, "", self._read_structured, _events(record))
        else:
            self._read_structured(record, into)

    def foresee(self, record: RawRecord) -> None:
        """Let the inner adapter learn from the data of structured events, as they lie in files."""
        if not self._inner.foresees:
            return
        try:
            events = _events(record) if (record.value or b"").lstrip()[:1] == b"[" else [record]
            for event in events:
                self._inner.foresee(_data(event))
        except InvalidFieldError:
            return  # it will be refused when it is read

    def _read_structured(self, record: RawRecord, into: Translation) -> None:
        first = len(into.refused)
        self._inner.translate(_data(record), into)
        for index in range(first, len(into.refused)):
            refused = into.refused[index]
            field = f"data.{refused.field}" if refused.field else "data"
            into.refused[index] = refused._replace(field=field)

    @property
    def foresees(self) -> bool:  # type: ignore[override]
        """Whether the inner adapter does."""
        return self._inner.foresees


def _check_version(found: object, field: str) -> None:
    if not isinstance(found, str) or not found.startswith("1."):
        raise InvalidFieldError(field, found, "a version of CloudEvents, 1.x")


def _events(record: RawRecord) -> list[RawRecord]:
    """The events of a batch, each with the batch's headers and time.

    Raises:
        InvalidFieldError: it is no JSON array.
    """
    try:
        items = _decode_batch(record.value or b"")
    except _ERRORS as error:
        raise InvalidFieldError(
            "value", record.value, f"an array of CloudEvents ({error})", "malformed"
        ) from None
    return [record._replace(value=bytes(item)) for item in items]


def _data(record: RawRecord) -> RawRecord:
    """The record that lies in a structured event.

    Raises:
        InvalidFieldError: it is no event, or has no data.
    """
    try:
        event = _decode_event(record.value or b"")
    except _ERRORS as error:
        raise InvalidFieldError(
            "value", record.value, f"a CloudEvent in JSON ({error})", "malformed"
        ) from None
    _check_version(_text(event, "specversion"), "specversion")
    data = event.get("data")
    if data is not None and bytes(data) != b"null":
        content = bytes(data)
        return record._replace(value=_text(event, "data").encode() if content[:1] == b'"' else content)
    encoded = _text(event, "data_base64")
    try:
        return record._replace(value=b64decode(encoded, validate=True))
    except ValueError:
        raise InvalidFieldError("data_base64", encoded, "Base64", "malformed") from None


def _text(event: Event, name: str) -> str:
    """An attribute that must be a text.

    Raises:
        InvalidFieldError: it is none, or not there.
    """
    found = event.get(name)
    if found is None:
        raise InvalidFieldError(
            "data" if name == "data_base64" else name, None, "an attribute of a CloudEvent"
        )
    try:
        return _decode_text(found)
    except _ERRORS:
        raise InvalidFieldError(name, bytes(found), "a text") from None


class CloudEventsWriter(Writer):
    """Writes another format's records as CloudEvents in structured mode; it can say what that format can."""

    def __init__(self, inner: Writer) -> None:
        """inner: writes the data."""
        self._inner = inner
        self.aliases = inner.aliases
        self.limits = inner.limits  # type: ignore[misc] # of the class, for all other writers

    def write(self, message: Mapping[str, Any]) -> list[bytes]:
        """See :class:`Writer`."""
        return [_envelope(record) for record in self._inner.write(message)]


def _envelope(record: bytes) -> bytes:
    envelope: dict[str, Any] = {
        "specversion": VERSION,
        "id": content_id(record),
        "source": SOURCE,
        "type": TYPE,
    }
    try:
        orjson.loads(record)
    except orjson.JSONDecodeError:  # a format of text, such as tab-separated values
        envelope |= {"datacontenttype": "text/plain", "data": record.decode()}
    else:
        envelope |= {"datacontenttype": "application/json", "data": orjson.Fragment(record)}
    return orjson.dumps(envelope)
