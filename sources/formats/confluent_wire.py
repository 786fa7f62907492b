"""Records in the wire format of Confluent's schema registry, decoded to JSON before a format reads them.

A record is a zero byte, the schema's id in four bytes, and the datum: in Avro's binary encoding, or JSON
whose schema is a JSON Schema. Protobuf is refused. ``registry+NAME`` reads records of the format NAME so.
Source: Confluent, *Formats, Serializers, and Deserializers*, wire format; Avro 1.12, binary encoding.
"""

import base64
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from io import BytesIO
from typing import Any
from uuid import UUID

import fastavro
import orjson
from fastavro.schema import parse_schema

from sources.formats.adapter import Adapter
from sources.formats.records import RawRecord
from sources.formats.translation import InvalidFieldError, Translation
from sources.formats.wire_schemas import Schemas, WireSchema

_HEADER_BYTES = 5
MAX_SCHEMAS = 10_000
"""Schemas that are kept; a topic has a handful."""


class WireDecoder:
    """Decodes records, and keeps what it needs of each schema."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self._decoders: dict[int, Callable[[bytes], bytes]] = {}

    def decode(self, value: bytes | None) -> bytes:
        """The JSON of a record.

        Raises:
            InvalidFieldError: it is not in the wire format, or not as its schema says.
            SchemasAwayError: the registry does not answer.
        """
        if value is None or len(value) < _HEADER_BYTES or value[0] != 0:
            raise InvalidFieldError("value", value, "a zero byte and a schema's id", "malformed")
        schema_id = int.from_bytes(value[1:_HEADER_BYTES], "big")
        decoder = self._decoders.get(schema_id)
        if decoder is None:
            decoder = _decoder_of(self._schemas.schema(schema_id), schema_id)
            if len(self._decoders) >= MAX_SCHEMAS:
                self._decoders.clear()
            self._decoders[schema_id] = decoder
        return decoder(value[_HEADER_BYTES:])


class WireAdapter(Adapter):
    """Another format's adapter, behind a decoder. Its names are the inner one's."""

    def __init__(self, inner: Adapter, schemas: Schemas) -> None:
        self._inner = inner
        self._decoder = WireDecoder(schemas)
        self.options, self.vocabulary = inner.options, inner.vocabulary

    def translate(self, record: RawRecord, into: Translation) -> None:
        """See :class:`Adapter`.

        Raises:
            SchemasAwayError: the registry does not answer; nothing was appended.
        """
        try:
            value = self._decoder.decode(record.value)
        except InvalidFieldError as error:
            into.refuse(error)
            return
        self._inner.translate(record._replace(value=value), into)

    def read(self, record: RawRecord, into: Translation) -> None:
        """See :class:`Adapter`."""
        self._inner.read(record._replace(value=self._decoder.decode(record.value)), into)


def _decoder_of(schema: WireSchema | None, schema_id: int) -> Callable[[bytes], bytes]:
    """What decodes the data of a schema.

    Raises:
        InvalidFieldError: the registry has none, or it is of another kind.
    """
    if schema is None:
        raise InvalidFieldError("schema id", schema_id, "the id of a schema that the registry has")
    if schema.kind == "JSON":
        return _as_it_is
    if schema.kind != "AVRO":
        raise InvalidFieldError(
            "schema id", f"{schema_id} ({schema.kind})", "a schema of Avro or JSON Schema"
        )
    try:
        return _AvroDecoder(schema)
    except Exception as error:  # fastavro raises whatever comes for a schema that is none
        expected = f"the id of an Avro schema ({type(error).__name__})"
        raise InvalidFieldError("schema id", schema_id, expected) from None


def _as_it_is(datum: bytes) -> bytes:
    return datum


class _AvroDecoder:
    def __init__(self, schema: WireSchema) -> None:
        named: dict[str, Any] = {}
        for text in schema.references:
            parse_schema(orjson.loads(text), named)
        self._schema = parse_schema(_loads(schema.text), named)

    def __call__(self, datum: bytes) -> bytes:
        stream = BytesIO(datum)
        try:
            found = fastavro.schemaless_reader(stream, self._schema, None)
            rest = len(datum) - stream.tell()
            if rest == 0:
                return orjson.dumps(found, default=_plain)
        except Exception as error:  # fastavro raises whatever comes for a datum of another schema
            expected = f"a datum of its Avro schema ({type(error).__name__})"
            raise InvalidFieldError("value", datum, expected, "malformed") from None
        raise InvalidFieldError("value", f"{rest} more bytes", "a datum of its Avro schema", "malformed")


def _loads(text: str) -> Any:
    """A schema's JSON; a primitive type may be its bare name."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _plain(found: Any) -> Any:
    """A value of Avro's logical types as JSON: bytes in base64, numbers and moments as texts."""
    if isinstance(found, bytes):
        return base64.b64encode(found).decode()
    if isinstance(found, datetime | date | time):
        return found.isoformat()
    if isinstance(found, Decimal | UUID):
        return str(found)
    raise TypeError(type(found).__name__)


def frame(schema_id: int, datum: bytes) -> bytes:
    """A datum in the wire format."""
    return b"\0" + schema_id.to_bytes(4, "big") + datum
