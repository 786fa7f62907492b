"""A schema registry that speaks Confluent's REST API: its schemas by id, and our own registered there."""

from typing import Any

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from sources.formats.confluent_wire import frame
from sources.formats.wire_schemas import SchemasAwayError, WireSchema

_NOT_FOUND = 404
_TIMEOUT_S = 30.0


class SchemaRegistry:
    """Asks one registry. Whoever decodes keeps what it learns; this asks each time."""

    def __init__(self, address: str) -> None:
        """address: ``http://host:port``, with the path before ``/schemas`` if there is one."""
        self._client = SchemaRegistryClient({"url": address, "max.retries": 1, "timeout": _TIMEOUT_S})

    def schema(self, schema_id: int) -> WireSchema | None:
        """See :class:`sources.formats.wire_schemas.Schemas`."""
        try:
            found = self._client.get_schema(schema_id)
            return WireSchema(found.schema_type or "AVRO", found.schema_str or "", self._texts(found, {}))
        except SchemaRegistryError as error:
            if error.http_status_code == _NOT_FOUND:
                return None
            raise SchemasAwayError(f"the schema registry says {error.http_status_code}") from None
        except Exception as error:  # of its HTTP client, which is not part of its interface
            raise SchemasAwayError(f"the schema registry does not answer: {error}") from None

    def register(self, subject: str, schema_text: str) -> int:
        """Register a JSON Schema, or find it, and return its id.

        Raises:
            SchemasAwayError: the registry does not answer, or refuses it.
        """
        try:
            return int(self._client.register_schema(subject, Schema(schema_text, "JSON")))
        except Exception as error:
            raise SchemasAwayError(f"the schema registry does not take {subject}: {error}") from None

    def _texts(self, schema: Any, known: dict[tuple[str, int], str]) -> tuple[str, ...]:
        """The texts of all that a schema refers to, each after those that it refers to itself."""
        for reference in schema.references or ():
            place = (reference.subject, reference.version)
            if place not in known:
                found = self._client.get_version(*place).schema
                self._texts(found, known)
                known[place] = found.schema_str or ""
        return tuple(known.values())


class JsonWireWriter:
    """Puts our own messages, which are JSON, into the wire format, with their JSON Schema registered."""

    def __init__(self, registry: SchemaRegistry, topic: str, schema_text: str) -> None:
        """The subject is the topic's value, as Confluent's own serializers name it.

        Raises:
            SchemasAwayError: the registry does not answer, or refuses the schema.
        """
        self._schema_id = registry.register(f"{topic}-value", schema_text)

    def write(self, message: bytes) -> bytes:
        """A message in the wire format. message: its JSON."""
        return frame(self._schema_id, message)
