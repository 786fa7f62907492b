"""The way from Moodle to the first estimate: the commands of its page, run in an empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "formats" / "from-moodle.md"


def test_the_commands_of_the_page_lead_to_estimates(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    commands = re.findall(r"^    (homeroom .+)$", text, flags=re.MULTILINE)
    assert [command.split()[1] for command in commands] == ["simulate", "check-events", "replay"]
    (tmp_path / "sources.yaml").write_text("aliases: names.csv\n", encoding="utf-8")
    assert "export HOMEROOM_SOURCES=sources.yaml" in text
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HOMEROOM_")}
    environment |= {"HOMEROOM_SOURCES": "sources.yaml", "COLUMNS": "120"}
    said = []
    for command in commands:
        arguments = [sys.executable, "-m", "cli.main", *command.split()[1:]]
        ran = subprocess.run(
            arguments, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        said.append(ran.stdout)
    _, checked, replayed = said
    assert re.search(r"refused +0 +0 %", checked)
    assert re.search(r"dead letters +0\b", replayed)
    assert "lost 0" in replayed
    assert re.search(r"learners at (low|medium|high) risk +[1-9]", replayed)
