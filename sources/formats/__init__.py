"""The formats of platforms' events: by name, read from topics and files, and written.

``records`` and ``translation`` say what goes in and comes out, ``adapter`` how a format is written down,
``fields`` and ``vocabulary`` are what all of them use, ``files`` reads files and folders of any of them. Each
other module or folder is one format, or a family of them; ``registry`` lists them.
"""

from sources.formats.native import NativeFormat
from sources.formats.records import OnRead, RawRecord, Refused, SourceRecord
from sources.formats.registry import FORMATS, EventFormat, FormatError, format_named

__all__ = [
    "FORMATS",
    "EventFormat",
    "FormatError",
    "NativeFormat",
    "OnRead",
    "RawRecord",
    "Refused",
    "SourceRecord",
    "format_named",
]
