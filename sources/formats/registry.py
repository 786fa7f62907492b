"""Every format, by the name that ``--format`` and the file of sources take. The only list."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from schemas.errors import HomeroomError
from sources.formats.adapter import Adapter, AdapterOptions, Writer
from sources.formats.caliper.adapter import CaliperAdapter
from sources.formats.caliper.writer import CaliperWriter
from sources.formats.canvas.adapter import CanvasAdapter
from sources.formats.canvas.caliper import CanvasCaliperAdapter
from sources.formats.canvas.writer import CanvasWriter
from sources.formats.cloudevents import CloudEventsAdapter, CloudEventsWriter
from sources.formats.edx.bus import EdxEventBusAdapter
from sources.formats.edx.bus_writer import EdxEventBusWriter
from sources.formats.edx.tracking import EdxTrackingAdapter
from sources.formats.edx.tracking_writer import EdxTrackingWriter
from sources.formats.files import AdapterFormat
from sources.formats.moodle.adapter import MoodleAdapter, MoodleCsvAdapter
from sources.formats.moodle.writer import MoodleCsvWriter, MoodleWriter
from sources.formats.native import NativeFormat
from sources.formats.native_adapter import NativeAdapter, NativeWriter
from sources.formats.records import OnRead, SourceRecord
from sources.formats.rosters.plain import PlainRosterFormat
from sources.formats.segment import SegmentAdapter, SegmentWriter
from sources.formats.snowplow.adapter import SnowplowAdapter, SnowplowJsonAdapter
from sources.formats.snowplow.writer import SnowplowJsonWriter, SnowplowWriter
from sources.formats.translation import Names
from sources.formats.xapi.adapter import XapiAdapter
from sources.formats.xapi.writer import XapiWriter


class EventFormat(Protocol):
    """A format of files."""

    description: str
    """One line, for the help of commands."""
    takes_folders: bool
    """Whether a folder is one source, such as a roster's; else it stands for the files in it."""

    def records(
        self, path: Path | str, on_read: OnRead = lambda _: None, names: Names | None = None
    ) -> Iterator[SourceRecord]:
        """The records of a file, in its order; ``-`` is standard input. Nothing that a line holds raises.

        names: what became of the platform's events is added to it, by name.

        Raises:
            LineFileError: the file cannot be read to its end.
        """


class FormatError(HomeroomError, ValueError):
    """There is no format of a name; the message lists those there are."""


@dataclass(frozen=True)
class Dialect:
    """A format of records, in topics and files. writer: None where a term cannot be written in it."""

    adapter: type[Adapter]
    writer: Callable[[], Writer] | None = None


DIALECTS: Mapping[str, Dialect] = {
    dialect.adapter.name: dialect
    for dialect in (
        Dialect(NativeAdapter, NativeWriter),
        Dialect(MoodleAdapter, MoodleWriter),
        Dialect(MoodleCsvAdapter, MoodleCsvWriter),
        Dialect(XapiAdapter, XapiWriter),
        Dialect(SegmentAdapter, SegmentWriter),
        Dialect(SnowplowAdapter, SnowplowWriter),
        Dialect(SnowplowJsonAdapter, SnowplowJsonWriter),
        Dialect(EdxTrackingAdapter, EdxTrackingWriter),
        Dialect(EdxEventBusAdapter, EdxEventBusWriter),
        Dialect(CaliperAdapter, CaliperWriter),
        Dialect(CanvasAdapter, CanvasWriter),
        Dialect(CanvasCaliperAdapter),
    )
}
"""The formats that topics may have."""


@dataclass(frozen=True)
class Wrapper:
    """An envelope around the records of any dialect: ``NAME+DIALECT``, such as ``cloudevents+xapi``.

    Envelopes nest. adapter and writer: around those of what the envelope holds.
    """

    adapter: Callable[[Adapter], Adapter]
    description: str
    writer: Callable[[Writer], Writer] | None = None


WRAPPERS: Mapping[str, Wrapper] = {
    "cloudevents": Wrapper(CloudEventsAdapter, CloudEventsAdapter.description, CloudEventsWriter),
}
"""The envelopes, by what stands before the plus sign."""

ROSTERS: Mapping[str, EventFormat] = {"plain-roster": PlainRosterFormat()}
"""The formats of rosters and calendars, in files and folders alone."""

FORMATS: Mapping[str, EventFormat] = {
    "native": NativeFormat(),
    **ROSTERS,
    **{
        name: AdapterFormat(each.adapter.description, each.adapter)
        for name, each in DIALECTS.items()
        if name != "native"
    },
}
"""Every format that files may have, but in an envelope."""


def format_named(name: str, options: AdapterOptions | None = None) -> EventFormat:
    """The format of files of a name.

    options: of its adapter, where it has one.

    Raises:
        FormatError: there is none.
    """
    wrapper, plus, _ = name.partition("+")
    if plus and wrapper in WRAPPERS:
        adapter_named(name, options)  # raises for what is no dialect
        return AdapterFormat(WRAPPERS[wrapper].description, lambda: adapter_named(name, options))
    if name not in FORMATS:
        raise FormatError(f"--format is {name!r}; expected one of {_names(FORMATS)}")
    if options is None or name not in DIALECTS:
        return FORMATS[name]
    adapter = DIALECTS[name].adapter
    return AdapterFormat(adapter.description, lambda: adapter(options))


def writer_named(name: str) -> Writer:
    """A new writer of a format.

    Raises:
        FormatError: there is none.
    """
    makers = {each: dialect.writer for each, dialect in DIALECTS.items() if dialect.writer is not None}
    wrapper, plus, inner = name.partition("+")
    if plus and wrapper in WRAPPERS and (wrap := WRAPPERS[wrapper].writer) is not None:
        return wrap(writer_named(inner))
    if name not in makers:
        raise FormatError(f"--format is {name!r}; expected one of {_names(makers)}")
    return makers[name]()


REGISTRY = "registry+"
"""Before the name of a format whose records are in the wire format of a schema registry."""


def adapter_named(name: str, options: AdapterOptions | None = None) -> Adapter:
    """A new adapter of a format. The options are those of the dialect, whatever it is wrapped in.

    Raises:
        FormatError: there is none, or its schema registry is not named.
        VocabularyError: the options' vocabulary is wrong.
    """
    wrapper, plus, inner = name.partition("+")
    if plus and wrapper in WRAPPERS:
        return WRAPPERS[wrapper].adapter(adapter_named(inner, options))
    if name.startswith(REGISTRY):
        if options is None or options.schemas is None:
            raise FormatError(f"format is {name!r}, and no schema_registry is named; expected its address")
        from sources.formats.confluent_wire import WireAdapter  # noqa: PLC0415 - fastavro, for few sources

        return WireAdapter(adapter_named(name.removeprefix(REGISTRY), options), options.schemas)
    if name not in DIALECTS:
        raise FormatError(f"format is {name!r}; expected one of {_names(DIALECTS)}")
    return DIALECTS[name].adapter(options)


def _names(formats: Iterable[str]) -> str:
    return f"{', '.join(sorted(formats))}; or {', '.join(WRAPPERS)}+ one of them"
