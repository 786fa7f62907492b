"""The API's description: every operation with examples of all that it takes and answers, each a true one."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from console import examples, models
from console.api.nudges import Verdict
from console.app import create_app
from console.parts import Parts
from console.problems import Problem
from console.queries import cursors
from console.queries.risks import ORDERS
from console.readers import Readers
from sinks.address import StoreAddress

Schema = dict[str, Any]


@pytest.fixture(scope="module")
def described() -> Schema:
    app: FastAPI = create_app(Parts(Readers(StoreAddress())), [])
    return app.openapi()


def operations(described: Schema) -> list[Schema]:
    return [operation for path in described["paths"].values() for operation in path.values()]


def told(operation: Schema) -> Iterator[tuple[str, Schema]]:
    """All that an operation takes and answers, each with its schema and what stands beside it."""
    for parameter in operation.get("parameters", []):
        yield f"parameter {parameter['name']}", parameter["schema"]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        yield "request", content
    for status, answer in operation["responses"].items():
        assert answer["content"], f"{operation['operationId']}: answer {status} has no content"
        for content in answer["content"].values():
            yield f"answer {status}", content


def has_example(schema: Schema, schemas: Schema) -> bool:
    """Whether it has one, or what it consists of has."""
    if "example" in schema or schema.get("examples"):
        return True
    if "$ref" in schema:
        return has_example(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    return any(has_example(schema[part], schemas) for part in ("schema", "items") if part in schema)


def test_every_operation_has_examples(described: Schema) -> None:
    all_operations = operations(described)
    assert len(all_operations) >= 17
    assert all(operation["summary"] for operation in all_operations)
    schemas = described["components"]["schemas"]
    lacking = [
        f"{operation['operationId']}: {what}"
        for operation in all_operations
        for what, schema in told(operation)
        if not has_example(schema, schemas)
    ]
    assert lacking == []
    assert described["components"]["securitySchemes"]["HTTPBearer"]


def test_what_has_none_is_found() -> None:
    schemas = {"Bare": {"type": "object"}}
    for schema in ({"type": "string"}, {"$ref": "#/Bare"}, {"schema": {"items": {"$ref": "#/Bare"}}}):
        assert not has_example(schema, schemas)


MODELS = [
    value
    for value in (*vars(models).values(), Problem, Verdict)
    if isinstance(value, type)
    and issubclass(value, BaseModel)
    and value.model_config.get("json_schema_extra")
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_an_example_is_one_of_its_model(model: type[BaseModel]) -> None:
    """What a client's author would write a mock from: no field too many, none too few."""
    extra = model.model_config["json_schema_extra"]
    assert isinstance(extra, dict)
    shown = extra["examples"]
    assert isinstance(shown, list)
    assert shown
    is_request = model in (models.InstructorFeedback, models.PreferencesUpdate, models.Question, Verdict)
    for example in shown:
        value = model.model_validate(example)
        assert value.model_dump(mode="json", exclude_unset=is_request) == example


def test_the_cursors_shown_are_cursors() -> None:
    assert cursors.decode(examples.RISK_CURSOR, "urgency", ORDERS["urgency"].kinds)
    assert cursors.decode(examples.LEDGER_CURSOR, "ledger", (int, str))
