"""The pages of settings and metrics are those that the code gives, and the checker can say otherwise."""

from pathlib import Path

import pytest

from cli import document
from streams.settings import Settings


def test_the_pages_are_up_to_date() -> None:
    assert document.outdated_pages() == [], "run python -m cli.document"


def test_every_setting_has_a_row_and_no_secret_a_value() -> None:
    page = document.settings_page()
    for name, field in Settings.model_fields.items():
        assert f"| `HOMEROOM_{name.upper()}` |" in page
        assert field.description
    assert "| `HOMEROOM_PSEUDONYM_KEY` | empty |" in page


def test_metrics_have_the_names_that_prometheus_stores() -> None:
    page = document.metrics_page()
    for row in (
        "| `homeroom_events_applied_total` | counter | `partition` |",
        "| `homeroom_store_up` | gauge |  |",
        "| `homeroom_flush_seconds` | histogram | `stage` |",
    ):
        assert row in page


def test_a_page_that_is_old_or_missing_is_told(tmp_path: Path) -> None:
    document.write(tmp_path)
    assert document.outdated_pages(tmp_path) == []
    (tmp_path / "settings.md").write_text("old", encoding="utf-8")
    (tmp_path / "metrics.md").unlink()
    assert document.outdated_pages(tmp_path) == ["settings.md", "metrics.md"]


def test_an_unknown_argument_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert document.main(["--chekc"]) == 2
    assert "--chekc" in capsys.readouterr().err
    assert document.main(["--check"]) == 0
