"""Write the pages of ``docs`` that come from the code: ``python -m cli.document``.

With ``--check`` nothing is written; the exit code says whether the files are up to date.
"""

import inspect
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prometheus_client.metrics import MetricWrapperBase
from pydantic import BaseModel, RootModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from cli.format_pages import format_pages, table
from notifier.metrics import Metrics as NotifierMetrics
from notifier.settings import NotifierSettings
from nudges.policy import Campaign, Cap, Digest, Policy, StudyTime, Suggestion, Variant
from nudges.quiet_hours import QuietHours
from streams.ingest.metrics import IngestMetrics
from streams.metrics import Metrics
from streams.relay.metrics import RelayMetrics
from streams.relay.settings import RelaySettings
from streams.settings import Settings

FOLDER = Path(__file__).parent.parent / "docs"

SETTINGS_HEAD = """\
# Settings

<!-- Written by `python -m cli.document` from streams/settings.py. Edit that instead. -->

Every setting is read from the environment, else from the file `homeroom.env` in the working directory, or
the file that `HOMEROOM_SETTINGS` names. All are checked at the start: a wrong one ends the command with
one line that names the setting, its value and what was expected. `homeroom settings` shows what is in force.
"""

NOTIFIER_SETTINGS_HEAD = """\
## Of the notifier

From notifier/settings.py; `homeroom notifier` reads them besides those above that say where Kafka is.
"""

RELAY_SETTINGS_HEAD = """\
## Of the relay

From streams/relay/settings.py; `homeroom relay` reads them besides those above that say where Kafka is,
and the key of the pseudonyms.
"""

METRICS_HEAD = """\
# Metrics

<!-- Written by `python -m cli.document` from streams/metrics.py. Edit that instead. -->

What a worker serves to Prometheus on `HOMEROOM_METRICS_PORT`.
"""

NOTIFIER_METRICS_HEAD = """\
## Of the notifier

From notifier/metrics.py, served on `HOMEROOM_NOTIFIER_METRICS_PORT`.
"""


INGEST_METRICS_HEAD = """\
## Of the ingest

From streams/ingest/metrics.py, served on `HOMEROOM_INGEST_METRICS_PORT`.
"""

RELAY_METRICS_HEAD = """\
## Of the relay

From streams/relay/metrics.py, served on `HOMEROOM_RELAY_METRICS_PORT`.
"""


POLICY_HEAD = """\
# Policy file

<!-- Written by `python -m cli.document` from nudges/policy.py. Edit that instead. -->

Every setting of a nudge policy. [Nudges](nudges.md) explains what they are for. A policy is YAML; a setting
that is left out has its default, and one that is not listed here is an error. What is shipped, as a file:
[nudges/default-policy.yaml](../nudges/default-policy.yaml).
"""

POLICY_PARTS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("The policy", Policy),
    ("A campaign (`campaigns`)", Campaign),
    ("A variant (`variants`)", Variant),
    ("A suggestion (`suggestions`)", Suggestion),
    ("A cap (`caps`)", Cap),
    ("Quiet hours (`quiet_hours`)", QuietHours),
    ("Study time (`study_time`)", StudyTime),
    ("The digest (`digest`)", Digest),
)


def settings_page() -> str:
    """The settings as a Markdown page."""
    parts: tuple[tuple[str, type[BaseSettings]], ...] = (
        (SETTINGS_HEAD, Settings),
        (NOTIFIER_SETTINGS_HEAD, NotifierSettings),
        (RELAY_SETTINGS_HEAD, RelaySettings),
    )
    return "\n".join(f"{head}\n{_settings_table(kind)}" for head, kind in parts)


def _settings_table(kind: type[BaseSettings]) -> str:
    rows = [
        (f"`{kind.model_config['env_prefix']}{name.upper()}`", _default(field), field.description or "")
        for name, field in kind.model_fields.items()
    ]
    return table(("setting", "default", "what it does"), rows)


def metrics_page() -> str:
    """The metrics as a Markdown page, by the names under which Prometheus stores them."""
    parts = (
        (METRICS_HEAD, Metrics()),
        (NOTIFIER_METRICS_HEAD, NotifierMetrics()),
        (INGEST_METRICS_HEAD, IngestMetrics()),
        (RELAY_METRICS_HEAD, RelayMetrics()),
    )
    return "\n".join(f"{head}\n{_metrics_table(metrics)}" for head, metrics in parts)


def _metrics_table(metrics: object) -> str:
    rows = []
    for metric in vars(metrics).values():
        if not isinstance(metric, MetricWrapperBase):
            continue
        described = next(iter(metric.describe()))
        suffix = "_total" if described.type == "counter" else ""
        labels = ", ".join(f"`{name}`" for name in metric._labelnames)
        rows.append((f"`{described.name}{suffix}`", described.type, labels, described.documentation))
    return table(("metric", "type", "labels", "what it says"), rows)


def policy_page() -> str:
    """The settings of a policy file as a Markdown page, a table for each part."""
    return "\n".join([POLICY_HEAD, *(_part(title, model) for title, model in POLICY_PARTS)])


def _part(title: str, model: type[BaseModel]) -> str:
    about = " ".join((inspect.getdoc(model) or "").split())
    rows = [
        (f"`{name}`", _policy_default(field), field.description or "")
        for name, field in model.model_fields.items()
    ]
    return f"## {title}\n\n{about}\n\n{table(('setting', 'default', 'what it does'), rows)}"


def _policy_default(field: FieldInfo) -> str:
    """A setting's default as it would be written in the file."""
    if field.is_required():
        return "none, must be given"
    plain = json.loads(RootModel[Any](field.default).model_dump_json(exclude_none=True))
    if isinstance(plain, list) and plain and "variants" in plain[0]:
        return f"`{plain[0]['name']}` of the shipped file"
    return f"`{json.dumps(plain, ensure_ascii=False)}`" if plain != [] else "`[]`"


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "metrics.md": metrics_page,
    "policy.md": policy_page,
    **format_pages(),
}


def _default(field: FieldInfo) -> str:
    default = field.default
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    return "empty" if default == "" else f"`{default}`"


def outdated_pages(folder: Path = FOLDER) -> list[str]:
    """Names of the pages whose files differ from what the code generates."""
    return [
        name
        for name, page in PAGES.items()
        if not (folder / name).exists() or (folder / name).read_text(encoding="utf-8") != page()
    ]


def write(folder: Path = FOLDER) -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(page(), encoding="utf-8")


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print(f"cli.document knows --check alone, not {' '.join(arguments)}", file=sys.stderr)
        return 2
    if not arguments:
        write()
    outdated = outdated_pages()
    for name in outdated:
        print(f"docs/{name} is out of date; run python -m cli.document", file=sys.stderr)
    return int(bool(outdated))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
