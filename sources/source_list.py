"""The list of an installation's sources: which topics hold which format, and what their names mean here.

A YAML file, which ``HOMEROOM_SOURCES`` names::

    topics:
      - {name: edx-tracking-logs, format: edx-tracking}
      - {name: lrs-statements, format: xapi, platform: moodle}
    aliases: aliases.csv
    vocabulary:
      xapi:
        "https://campus.example/verbs/marked-attendance": other
    schema_registry: http://registry.example:8081

``platform`` and ``vocabulary``: see :class:`sources.formats.adapter.AdapterOptions`. ``aliases``: see
:mod:`sources.formats.aliases`; its path is relative to the file's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.errors import HomeroomError, one_line
from schemas.fields import Platform
from schemas.topics import TOPICS
from sources.formats.adapter import Adapter, AdapterOptions
from sources.formats.aliases import Aliases, read_aliases
from sources.formats.registry import FormatError, adapter_named
from sources.formats.vocabulary import VocabularyError, check_meanings
from sources.formats.wire_schemas import NO_SCHEMAS, Schemas

_OWN_TOPICS = frozenset(spec.name for spec in TOPICS)


class SourceListError(HomeroomError, ValueError):
    """The list of sources is not as expected; the message names the file, the entry and what was expected."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceTopic(_Entry):
    """A platform's topic. ``name``: as it is on the broker, whatever the prefix of our own topics."""

    name: Annotated[str, Field(min_length=1, max_length=249, pattern=r"^[A-Za-z0-9._-]+$")]
    format: str
    platform: Platform | None = None


class _File(_Entry):
    topics: list[SourceTopic] = []
    aliases: Path | None = None
    vocabulary: dict[str, dict[str, str]] = {}
    schema_registry: str = ""


@dataclass(frozen=True)
class SourceList:
    """The sources of an installation. vocabulary: own meanings by format. schema_registry: its address."""

    topics: tuple[SourceTopic, ...] = ()
    aliases: Aliases = field(default_factory=Aliases)
    vocabulary: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    schema_registry: str = ""

    def options(self, format_name: str, platform: str | None = None) -> AdapterOptions:
        """The options of a format's adapter. Of a wrapped one (``cloudevents+xapi``) the last name counts."""
        inner = format_name.rpartition("+")[2]
        return AdapterOptions(platform, self.vocabulary.get(inner, {}), self.aliases)

    def adapter(self, topic: SourceTopic, schemas: Schemas | None = None) -> Adapter:
        """A new adapter for the records of a topic. schemas: of the registry that the list names."""
        return adapter_named(
            topic.format, replace(self.options(topic.format, topic.platform), schemas=schemas)
        )


def read_source_list(file: Path) -> SourceList:
    """Read and check a list of sources.

    Raises:
        SourceListError: it cannot be read, or an entry is wrong.
        AliasError, VocabularyError, FormatError: what it names is wrong.
    """
    found = _read_yaml(file)
    try:
        entries = _File.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise SourceListError(f"{file}: {place}: found {first['input']!r}; {first['msg']}") from None
    sources = SourceList(
        tuple(entries.topics),
        Aliases() if entries.aliases is None else read_aliases(file.parent / entries.aliases),
        {
            name: check_meanings(meanings, f"{file}: vocabulary.{name}")
            for name, meanings in entries.vocabulary.items()
        },
        entries.schema_registry,
    )
    _check_topics(sources, file)
    return sources


def _read_yaml(file: Path) -> Any:
    try:
        return yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = one_line(error)
        raise SourceListError(f"{file}: cannot be read: {reason}; expected YAML with topics") from None


def _check_topics(sources: SourceList, file: Path) -> None:
    names: set[str] = set()
    for index, topic in enumerate(sources.topics):
        place = f"{file}: topics.{index}"
        if topic.name in names or topic.name in _OWN_TOPICS:
            expected = "a topic of a platform, named once"
            raise SourceListError(f"{place}.name: found {topic.name!r}; expected {expected}")
        names.add(topic.name)
        try:
            sources.adapter(topic, NO_SCHEMAS if sources.schema_registry else None)
        except (FormatError, VocabularyError) as error:
            raise SourceListError(f"{place}: {error}") from None
