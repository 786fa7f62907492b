"""Write the contract to ``schemas/json``: ``python -m schemas.export``.

One JSON Schema for each topic, and ``asyncapi.json``, which describes all topics.

With ``--check`` nothing is written; the exit code is 1 where the files are out of date.
"""

import json
import sys
from pathlib import Path
from typing import Any

from schemas import asyncapi
from schemas.topics import TOPICS, TopicSpec

Document = dict[str, Any]

FOLDER = Path(__file__).parent / "json"


def documents() -> dict[str, str]:
    """The text of each file by its name: the topics' JSON Schemas (draft 2020-12), and the AsyncAPI one."""
    schemas = {topic.name: schema(topic) for topic in TOPICS if topic.adapter is not None}
    return {f"{name}.json": _text(schema) for name, schema in schemas.items()} | {
        "asyncapi.json": _text(asyncapi.document(schemas))
    }


def schema(topic: TopicSpec) -> Document:
    """The JSON Schema of a topic's messages.

    Raises:
        ValueError: the messages are not JSON.
    """
    if topic.adapter is None:
        raise ValueError(f"the messages of {topic.name} are not JSON")
    generated = topic.adapter.json_schema()
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{topic.name}:1",
        "title": topic.name,
        "description": f"{topic.purpose}. Key: {topic.key}.",
    }
    return head | {name: value for name, value in generated.items() if name not in ("title", "description")}


def _text(document: Document) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def differences(folder: Path = FOLDER) -> list[str]:
    """The differences between the folder and the documents; one readable line each."""
    wanted = documents()
    present = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*")}
    return [
        *(f"{name} is missing" for name in sorted(wanted.keys() - present.keys())),
        *(f"{name} belongs to no topic" for name in sorted(present.keys() - wanted.keys())),
        *(
            f"{name} is out of date"
            for name in sorted(wanted)
            if present.get(name, wanted[name]) != wanted[name]
        ),
    ]


def write(folder: Path = FOLDER) -> None:
    """Write the documents to the folder, and remove old ones (``homeroom.*.json``), but no other file."""
    folder.mkdir(exist_ok=True)
    wanted = documents()
    for path in folder.glob("homeroom.*.json"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print(f"schemas.export knows --check alone, not {' '.join(arguments)}", file=sys.stderr)
        return 2
    if not arguments:
        write()
    for difference in differences():
        print(f"schemas/json: {difference}; run python -m schemas.export", file=sys.stderr)
    return 1 if differences() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
