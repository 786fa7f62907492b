"""Write the boards as JSON for Grafana's file provisioning: ``python -m grafana.build [--check]``."""

import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana import pipeline

FOLDER = Path(__file__).parent / "boards"


def documents() -> dict[str, str]:
    """File name → the board's JSON."""
    boards = {"pipeline.json": pipeline.board()}
    return {
        name: JSONEncoder(sort_keys=True, indent=2).encode(board) + "\n" for name, board in boards.items()
    }


def stale() -> list[str]:
    """Names of boards whose file is not what the code makes."""
    return [
        name
        for name, text in documents().items()
        if not (FOLDER / name).exists() or (FOLDER / name).read_text("utf-8") != text
    ]


def main() -> None:
    if "--check" in sys.argv[1:]:
        if names := stale():
            sys.exit(f"not up to date: {', '.join(names)}; run python -m grafana.build")
        return
    FOLDER.mkdir(exist_ok=True)
    for name, text in documents().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(f"wrote boards/{name}")


if __name__ == "__main__":
    main()
