"""Records in the wire format of a schema registry are decoded, refused, or wait for the registry.

The registry is a stand-in that answers as Confluent's REST API does; with ``HOMEROOM_TEST_REGISTRY`` (the
address of a real one, such as Apicurio's ``/apis/ccompat/v7``) the same tests ask that.
"""

import io
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import fastavro
import orjson
import pytest
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from fastavro.schema import parse_schema

from local.brokers import free_port
from sources.formats.adapter import Adapter, AdapterOptions
from sources.formats.confluent_wire import frame
from sources.formats.records import RawRecord
from sources.formats.registry import FormatError, adapter_named
from sources.formats.translation import Translation
from sources.formats.wire_schemas import SchemasAwayError
from streams.schema_registry import JsonWireWriter, SchemaRegistry

EVENT_SCHEMA = Path(__file__).parents[2] / "schemas" / "json" / "homeroom.events.json"
USER = {"type": "record", "name": "User", "namespace": "edx", "fields": [{"name": "id", "type": "long"}]}
COURSE = {
    "type": "record",
    "name": "Course",
    "namespace": "edx",
    "fields": [{"name": "course_key", "type": "string"}, {"name": "end", "type": ["null", "string"]}],
}
ENROLLMENT = {
    "type": "record",
    "name": "Enrollment",
    "namespace": "edx",
    "fields": [
        {"name": "user", "type": "edx.User"},
        {"name": "course", "type": "edx.Course"},
        {"name": "mode", "type": "string"},
        {"name": "is_active", "type": "boolean"},
    ],
}
EVENT = {
    "type": "record",
    "name": "Event",
    "namespace": "edx",
    "fields": [{"name": "enrollment", "type": "edx.Enrollment"}],
}
DATUM = {
    "enrollment": {
        "user": {"id": 7},
        "course": {"course_key": "course-v1:DemoX+Algebra+2026", "end": None},
        "mode": "audit",
        "is_active": True,
    }
}
HEADERS = {
    "ce_type": b"org.openedx.learning.course.enrollment.created.v1",
    "ce_id": b"e1",
    "ce_time": b"2026-01-20T10:05:00Z",
}


class StandIn(BaseHTTPRequestHandler):
    """The calls of the registry's REST API that a client makes to register, and to find by id and version."""

    schemas: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        subject = self.path.split("/")[2]
        entry = {name: body[name] for name in ("schema", "schemaType", "references") if body.get(name)}
        self.schemas.append({"subject": subject, "version": 1, **entry})
        self._answer(200, {"id": len(self.schemas), "version": 1, "subject": subject})

    def do_GET(self) -> None:
        parts = self.path.partition("?")[0].strip("/").split("/")
        if parts[0] == "schemas":
            found = self.schemas[int(parts[2]) - 1 : int(parts[2])]
        else:
            found = [each for each in self.schemas if each["subject"] == parts[1]]
        if found:
            self._answer(200, found[0])
        else:
            self._answer(404, {"error_code": 40403, "message": "Schema not found"})

    def _answer(self, status: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def stand_in(port: int) -> Iterator[str]:
    """A stand-in with no schemas, and its address. port: 0 for a free one."""
    StandIn.schemas.clear()
    server = ThreadingHTTPServer(("127.0.0.1", port), StandIn)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    named = os.environ.get("HOMEROOM_TEST_REGISTRY")
    if named:
        yield named
        return
    with stand_in(0) as made:
        yield made


def registered(address: str) -> int:
    """The id of an event's schema, which refers to others, and these to others."""
    client, run = SchemaRegistryClient({"url": address, "timeout": 30}), uuid4().hex
    client.register_schema(f"user-{run}", Schema(json.dumps(USER), "AVRO"))
    client.register_schema(f"course-{run}", Schema(json.dumps(COURSE), "AVRO"))
    inner = [
        SchemaReference("edx.User", f"user-{run}", 1),
        SchemaReference("edx.Course", f"course-{run}", 1),
    ]
    client.register_schema(f"enrollment-{run}", Schema(json.dumps(ENROLLMENT), "AVRO", inner))
    outer = [SchemaReference("edx.Enrollment", f"enrollment-{run}", 1)]
    return int(client.register_schema(f"event-{run}", Schema(json.dumps(EVENT), "AVRO", outer)))


def datum() -> bytes:
    named: dict[str, Any] = {}
    for schema in (USER, COURSE, ENROLLMENT):
        parse_schema(schema, named)
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, parse_schema(EVENT, named), DATUM)
    return stream.getvalue()


def adapter(address: str, name: str = "edx-event-bus") -> Adapter:
    return adapter_named(f"registry+{name}", AdapterOptions(schemas=SchemaRegistry(address)))


def translated(reader: Adapter, value: bytes | None) -> Translation:
    translation = Translation()
    reader.translate(RawRecord(value, None, HEADERS), translation)
    return translation


def test_avro_is_decoded_by_the_schema_of_its_id_and_those_that_it_refers_to(address: str) -> None:
    translation = translated(adapter(address), frame(registered(address), datum()))
    assert translation.refused == []
    assert translation.messages == [
        {
            "type": "enrolled",
            "event_id": "e1",
            "learner": "7",
            "course_run": "course-v1:DemoX+Algebra+2026",
            "occurred_at": "2026-01-20T10:05:00Z",
            "track": "audit",
        }
    ]


def test_our_own_messages_are_written_with_their_json_schema_and_read_back(address: str) -> None:
    registry = SchemaRegistry(address)
    writer = JsonWireWriter(registry, f"events-{uuid4().hex}", EVENT_SCHEMA.read_text(encoding="utf-8"))
    message = {"type": "withdrawn", "learner": "ann"}
    found = translated(adapter(address, "native"), writer.write(orjson.dumps(message)))
    assert found.messages == [message]


@pytest.mark.parametrize(
    ("value", "field", "reason"),
    [
        (None, "value", "malformed"),
        (b"\0\0\0", "value", "malformed"),
        (b'{"a": 1}', "value", "malformed"),
        (frame(2**31 - 1, b""), "schema id", "invalid"),
    ],
)
def test_what_is_not_in_the_wire_format_is_refused(
    address: str, value: bytes | None, field: str, reason: str
) -> None:
    (refused,) = translated(adapter(address), value).refused
    assert (refused.field, refused.reason) == (field, reason)


def test_a_datum_of_another_schema_is_refused(address: str) -> None:
    reader, schema_id = adapter(address), registered(address)
    for wrong in (datum()[:-1], datum() + b"\0", b"", b"\xff" * 40):
        translation = translated(reader, frame(schema_id, wrong))
        assert translation.messages == []
        assert [(each.field, each.reason) for each in translation.refused] == [("value", "malformed")]


def test_protobuf_is_refused_by_its_name(address: str) -> None:
    client = SchemaRegistryClient({"url": address, "timeout": 30})
    text = 'syntax = "proto3"; message A { int64 id = 1; }'
    schema_id = client.register_schema(f"proto-{uuid4().hex}", Schema(text, "PROTOBUF"))
    (refused,) = translated(adapter(address), frame(schema_id, b"\0\x08\x07")).refused
    assert "PROTOBUF" in refused.detail


def test_a_registry_that_is_away_refuses_nothing() -> None:
    away = adapter(f"http://127.0.0.1:{free_port()}")
    translation = Translation()
    with pytest.raises(SchemasAwayError, match="does not answer"):
        away.translate(RawRecord(frame(1, datum()), None, HEADERS), translation)
    assert (translation.messages, translation.refused, translation.names) == ([], [], {})


def test_a_registry_must_be_named() -> None:
    with pytest.raises(FormatError, match="no schema_registry is named"):
        adapter_named("registry+edx-event-bus")
