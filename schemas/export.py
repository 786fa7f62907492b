"""Write every topic's JSON Schema to ``schemas/json``: ``python -m schemas.export``."""

import json
from pathlib import Path

from schemas.topics import TOPICS

FOLDER = Path(__file__).parent / "json"


def documents() -> dict[str, str]:
    """File name → JSON Schema (draft 2020-12) of the topic's messages."""
    found = {}
    for topic in TOPICS:
        if topic.adapter is not None:
            schema = topic.adapter.json_schema()
            schema = {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "$id": f"urn:{topic.name}:1",
                "title": topic.name,
                "description": f"{topic.purpose}. Key: {topic.key}.",
            } | {name: part for name, part in schema.items() if name not in ("title", "description")}
            found[f"{topic.name}.json"] = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    return found


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, text in documents().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(f"wrote {FOLDER.name}/{name}")


if __name__ == "__main__":
    main()
