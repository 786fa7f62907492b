"""The contract as an AsyncAPI 3.0.0 document: the public topics, their publishers and their messages.

Names, keys and purposes come from ``schemas.topics``, and messages refer to the JSON Schemas beside it.
Internal topics (state, reports, packages, receipts) are left out.
"""

from collections.abc import Mapping
from typing import Any

from schemas.topics import TOPICS, TopicSpec

Document = dict[str, Any]

SCHEMA_FORMAT = "application/schema+json;version=draft-2020-12"
BINDING = {"bindingVersion": "0.5.0"}
"""Of https://github.com/asyncapi/bindings/tree/master/kafka."""


def document(schemas: Mapping[str, Document]) -> Document:
    """The AsyncAPI document. ``schemas``: a topic's name → the JSON Schema of its messages."""
    public = [topic for topic in TOPICS if topic.direction != "own"]
    return {
        "asyncapi": "3.0.0",
        "id": "urn:homeroom",
        "info": {
            "title": "homeroom",
            "version": "1",
            "description": "Tells two to three weeks ahead who is about to drop out of an online course, "
            "and why. With HOMEROOM_PREFIX, every address begins with it.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {_short(topic): _channel(topic, schemas[topic.name]) for topic in public},
        "operations": {_operation_name(topic): _operation(topic) for topic in public},
    }


def _short(topic: TopicSpec) -> str:
    return topic.name.removeprefix("homeroom.")


def _channel(topic: TopicSpec, schema: Document) -> Document:
    configuration = {"cleanup.policy": topic.cleanup.split(",")}
    return {
        "address": topic.name,
        "description": f"{topic.purpose}. Key: {topic.key}.",
        "messages": _messages(topic, schema),
        "bindings": {"kafka": {"topicConfiguration": configuration} | BINDING},
    }


def _messages(topic: TopicSpec, schema: Document) -> Document:
    """A topic's messages by the value of their ``type``."""
    file, mapping = f"./{topic.name}.json", schema.get("discriminator", {}).get("mapping")
    if mapping is None:
        return {schema["properties"]["type"]["const"]: _message(topic, file, schema)}
    definitions = schema["$defs"]
    return {
        kind: _message(topic, file + reference, definitions[reference.removeprefix("#/$defs/")])
        for kind, reference in mapping.items()
    }


def _message(topic: TopicSpec, reference: str, schema: Document) -> Document:
    return {
        "summary": schema["description"].split("\n\n")[0].replace("\n", " "),
        "payload": {"schemaFormat": SCHEMA_FORMAT, "schema": {"$ref": reference}},
        "bindings": {"kafka": {"key": {"type": "string", "description": topic.key}} | BINDING},
    }


def _operation_name(topic: TopicSpec) -> str:
    return f"{'receive' if topic.direction == 'in' else 'send'}-{_short(topic)}"


def _operation(topic: TopicSpec) -> Document:
    return {
        "action": "receive" if topic.direction == "in" else "send",
        "channel": {"$ref": f"#/channels/{_short(topic)}"},
        "summary": topic.purpose,
    }
