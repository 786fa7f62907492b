"""Write boards and alert rules as JSON for Grafana's provisioning: ``python -m grafana.build [--check]``."""

import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana import alerts, engagement, interventions, learner, model, pipeline, risk

FOLDER = Path(__file__).parent

BOARDS = {
    "pipeline": pipeline.make,
    "risk": risk.make,
    "engagement": engagement.make,
    "interventions": interventions.make,
    "model": model.make,
    "learner": learner.make,
}


def documents() -> dict[str, str]:
    """Path relative to this folder → JSON text, for every board and the alert rules."""
    boards = {name: make() for name, make in BOARDS.items()}
    files = {f"boards/{name}.json": board for name, board in boards.items()}
    rules = {"provisioning/alerting/homeroom.json": alerts.make(boards)}
    return {
        name: JSONEncoder(sort_keys=True, indent=2).encode(content) + "\n"
        for name, content in (files | rules).items()
    }


def outdated_files() -> list[str]:
    """Paths of the files that differ from what the code generates."""
    return [
        name
        for name, text in documents().items()
        if not (FOLDER / name).exists() or (FOLDER / name).read_text("utf-8") != text
    ]


def main() -> None:
    if "--check" in sys.argv[1:]:
        if names := outdated_files():
            sys.exit(f"not up to date: {', '.join(names)}; run python -m grafana.build")
        return
    for name, text in documents().items():
        (FOLDER / name).parent.mkdir(exist_ok=True)
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(f"wrote {name}")


if __name__ == "__main__":
    main()
