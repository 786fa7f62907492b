"""Messages drawn from a JSON Schema itself, and messages spoiled in one place.

Knows the part of draft 2020-12 that pydantic writes for our models, and raises ``NotImplementedError`` on
anything else, so that a new construct cannot go untested in silence.
"""

import base64
import copy
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

Schema = dict[str, Any]
Json = Any

TEXT = st.characters(codec="utf-8", exclude_categories=["Cs"])
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
LONGEST_OFFSET = timedelta(hours=14)
BASE64 = st.binary(max_size=30).map(lambda data: base64.b64encode(data).decode())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-100, 100) | st.text(TEXT, max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(TEXT, max_size=5), inner, max_size=2),
    max_leaves=4,
)


def valid(schema: Schema, root: Schema) -> st.SearchStrategy[Json]:
    """Values that satisfy the schema; ``root`` holds the ``$defs``."""
    match schema:
        case {"$ref": name, "oneOf": ones}:
            made = _one_of_the_names(root["$defs"][name.split("/")[-1]], ones, root)
        case {"$ref": name}:
            made = st.deferred(lambda: valid(root["$defs"][name.split("/")[-1]], root))
        case {"const": value}:
            made = st.just(value)
        case {"enum": values}:
            made = st.sampled_from(values)
        case {"oneOf": ones} | {"anyOf": ones}:
            made = st.one_of([valid(one, root) for one in ones])
        case {"type": "object"}:
            made = _object(schema, root)
        case {"type": "array"}:
            made = st.lists(valid(schema["items"], root), max_size=min(3, schema.get("maxItems", 3)))
        case {"type": kind} if kind in SIMPLE:
            made = SIMPLE[kind](schema)
        case _ if not schema.keys() - {"title", "description", "default"}:
            made = JSON
        case _:
            raise NotImplementedError(f"this reader of schemas does not know {schema}")
    return made


def _one_of_the_names(schema: Schema, ones: list[Schema], root: Schema) -> st.SearchStrategy[Json]:
    """Objects with the names that exactly one of several parts requires."""
    made = []
    for one in ones:
        others = {name for other in ones if other is not one for name in other["required"]}
        properties = {name: part for name, part in schema["properties"].items() if name not in others}
        required = schema["required"] + one["required"]
        made.append(_object(schema | {"properties": properties, "required": required}, root))
    return st.one_of(made)


def _object(schema: Schema, root: Schema) -> st.SearchStrategy[Json]:
    properties = schema.get("properties")
    if properties is None:
        names = valid({"type": "string", **schema.get("propertyNames", {})}, root)
        return st.dictionaries(names, valid(schema["additionalProperties"], root), max_size=3)
    required = {name: valid(properties[name], root) for name in schema.get("required", [])}
    optional = {name: valid(part, root) for name, part in properties.items() if name not in required}
    return st.fixed_dictionaries(required, optional=optional)


def _string(schema: Schema) -> st.SearchStrategy[str]:
    match schema.get("format"):
        case "date-time":
            return _instants(schema.get("formatMinimum"), schema.get("formatExclusiveMaximum"))
        case "base64":
            return BASE64
        case None if "pattern" in schema:
            # To Python, $ may stand before a newline.
            return st.from_regex(schema["pattern"].replace("$", r"\Z"))
        case None:
            return st.text(
                TEXT, min_size=schema.get("minLength", 0), max_size=min(150, schema.get("maxLength", 150))
            )
        case other:
            raise NotImplementedError(f"format {other}")


def _instants(first: str | None, end: str | None) -> st.SearchStrategy[str]:
    """Moments of any zone in [first, end)."""
    since = datetime(1970, 1, 1) if first is None else datetime.fromisoformat(first).replace(tzinfo=None)
    until = datetime(9999, 1, 1) if end is None else datetime.fromisoformat(end).replace(tzinfo=None)
    margin = LONGEST_OFFSET + timedelta(seconds=1)
    return st.datetimes(since + margin, until - margin, timezones=ZONES).map(datetime.isoformat)


def _number(schema: Schema) -> st.SearchStrategy[float]:
    above = schema.get("exclusiveMinimum")
    return st.floats(
        schema.get("minimum", above if above is not None else -1e9),
        schema.get("maximum", 1e9),
        exclude_min=above is not None,
    )


SIMPLE: dict[str, Callable[[Schema], st.SearchStrategy[Json]]] = {
    "string": _string,
    "integer": lambda schema: st.integers(schema.get("minimum", -(2**31)), schema.get("maximum", 2**31)),
    "number": _number,
    "boolean": lambda _: st.booleans(),
    "null": lambda _: st.none(),
}

SPOILERS: tuple[Json, ...] = (
    None,
    True,
    -1,
    0,
    1,
    10**9,
    0.5,
    -0.5,
    "",
    "x",
    "x" * 129,
    [],
    [1],
    {},
    {"a": 1},
)


@st.composite
def spoiled(draw: st.DrawFn, schema: Schema) -> Json:
    """A valid message with one value, anywhere in it, taken away, replaced or joined by an unknown one."""
    message = copy.deepcopy(draw(valid(schema, schema)))
    positions = list(_positions(message))
    holder, name = draw(st.sampled_from(positions))
    match draw(st.sampled_from(["take", "replace", "replace", "add"])):
        case "take":
            del holder[name]
        case "replace":
            # An equal value spoils nothing; to Python, and so to pydantic's Literal[1], true is equal to 1.
            holder[name] = draw(st.sampled_from([other for other in SPOILERS if other != holder[name]]))
        case "add" if isinstance(holder, dict):
            holder["unknown"] = draw(st.sampled_from(SPOILERS))
    return message


def _positions(value: Json) -> Iterator[tuple[Any, Any]]:
    """Every (holder, name or index) within the value."""
    if isinstance(value, dict | list):
        for name in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, name
            yield from _positions(value[name])
