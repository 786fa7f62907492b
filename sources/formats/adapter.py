"""Adapter and writer: a format's two directions. A format is a folder beside this file, or a module.

An adapter takes a platform's records to messages of the contract. It is pure: what it returns depends on the
record, its options, and, for the few formats whose events refer to each other, the records before. Nothing in
a record makes it raise. A writer takes messages of the contract to records of the format, so that a term can
be written in any dialect (``homeroom simulate --format``), and read back.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Literal, TypeVar

from sources.formats.aliases import Aliases
from sources.formats.records import RawRecord
from sources.formats.translation import InvalidFieldError, Translation, quoted
from sources.formats.vocabulary import Vocabulary, vocabulary_of
from sources.formats.wire_schemas import Schemas

log = logging.getLogger(__name__)

Framing = Literal["lines", "csv"]
"""How files hold records; see :mod:`sources.formats.files`."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class AdapterOptions:
    """What an installation says about a source.

    platform: put into every message (``Platform`` of the contract): it namespaces learners and runs. None:
    whatever the events themselves say, if they do. vocabulary: meanings that come before ours, by name.
    schemas: of the registry that ``registry+NAME`` asks.
    """

    platform: str | None = None
    vocabulary: Mapping[str, str] = field(default_factory=dict)
    aliases: Aliases = field(default_factory=Aliases)
    schemas: Schemas | None = None


class Adapter(ABC):
    """Translates records of one format; not thread-safe. Subclasses write :meth:`read`."""

    name: ClassVar[str]
    """As in ``--format``."""
    description: ClassVar[str]
    """One line, for the help of commands."""
    vocabulary_name: ClassVar[str] = ""
    """Of the vocabulary's file; empty for the format's own name."""
    framing: ClassVar[Framing] = "lines"
    foresees: ClassVar[bool] = False
    """Whether :meth:`foresee` has anything to learn from records that come later."""

    def __init__(self, options: AdapterOptions | None = None) -> None:
        """Raises:
        VocabularyError: the options' vocabulary has a meaning that is none.
        """
        self.options = options or AdapterOptions()
        self.vocabulary: Vocabulary = vocabulary_of(
            self.vocabulary_name or self.name, self.options.vocabulary
        )

    def translate(self, record: RawRecord, into: Translation) -> None:
        """Append what a record says to a translation. Never raises."""
        first = len(into.messages)
        self.attempt(into, "", self.read, record, into)
        options = self.options
        if options.platform is not None or options.aliases:
            for message in into.messages[first:]:
                if options.platform is not None:
                    message["platform"] = options.platform
                options.aliases.apply(message)

    @abstractmethod
    def read(self, record: RawRecord, into: Translation) -> None:
        """Append what a record says to a translation.

        Raises:
            InvalidFieldError: the record, or the part of it for which :meth:`attempt` called, is wrong.
        """

    def foresee(self, record: RawRecord) -> None:  # noqa: B027 - most formats have nothing to learn
        """Learn from a record of a file before any is translated, such as which others it takes back."""

    def attempt(self, into: Translation, path: str, function: Callable[..., None], *arguments: Any) -> None:
        """Call a function for a part of a record: if it raises, that part is refused and nothing else.

        path: of the part in the record, such as ``data.3``.
        """
        first = len(into.messages)
        try:
            function(*arguments)
        except InvalidFieldError as error:
            del into.messages[first:]
            into.refuse(error, path)
        except (
            Exception
        ) as error:  # a defect of ours: the record is kept as a dead letter, and the rest goes on
            log.exception("%s: translating a record failed", self.name)
            del into.messages[first:]
            into.refuse(
                InvalidFieldError("", quoted(error), "a record that can be translated", "failed"), path
            )

    def attempt_each(
        self, into: Translation, path: str, function: Callable[..., None], items: Iterable[Item]
    ) -> None:
        """Call ``function(item, into)`` for each item of a list in a record, as :meth:`attempt` does."""
        for index, item in enumerate(items):
            self.attempt(into, f"{path}.{index}" if path else str(index), function, item, into)


class Writer(ABC):
    """Writes messages of the contract as records of one format, as a platform would send them."""

    limits: ClassVar[Mapping[str, str]] = {}
    """What the format cannot say: ``type`` or ``type.field`` of a message → why, for the docs' table."""

    columns: tuple[str, ...] = ()
    """Of a format whose files are CSV: the header. A record is then a JSON object, as readers make one."""

    aliases: Mapping[str, Mapping[str, str]] = MappingProxyType({})
    """Names that the format cannot have, such as of learners where it has numbers: by what is named, what was
    written → the name. An alias table leads back."""

    @abstractmethod
    def write(self, message: Mapping[str, Any]) -> list[bytes]:
        """A message's records, by far most often one; none where the format cannot say it.

        message: valid, as plain JSON values.
        """
