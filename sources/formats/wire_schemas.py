"""Schemas of a registry, as the decoder of records asks for them."""

from dataclasses import dataclass
from typing import Protocol

from schemas.errors import HomeroomError


class SchemasAwayError(HomeroomError, RuntimeError):
    """The registry does not answer. Nothing is wrong with the record: whoever reads it tries again."""


@dataclass(frozen=True)
class WireSchema:
    """A schema of the registry. kind: ``AVRO``, ``JSON`` or ``PROTOBUF``. references: texts of the schemas
    that it names, each after those that it names itself."""

    kind: str
    text: str
    references: tuple[str, ...] = ()


class Schemas(Protocol):
    """Where schemas come from."""

    def schema(self, schema_id: int) -> WireSchema | None:
        """The schema of an id; None where the registry has none.

        Raises:
            SchemasAwayError: it does not answer.
        """


class _NoSchemas:
    def schema(self, schema_id: int) -> WireSchema | None:
        raise SchemasAwayError(f"schema {schema_id} is asked for before the registry is")


NO_SCHEMAS: Schemas = _NoSchemas()
"""For an adapter that is made to check its options and reads nothing."""
