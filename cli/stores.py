"""The store that a command asks: that of the settings, or an embedded one in a folder, while it takes.

Asked as the user who can read tables and nothing else, where there is one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from output.folders import open_store
from sinks.address import StoreAddress
from sinks.store import StoreReader
from streams.settings import SettingsError, load


@contextmanager
def store_at(folder: Path | None) -> Iterator[StoreAddress]:
    """The address of a running store for who only reads.

    The one in ``folder`` is started, and stopped afterwards.

    Raises ``SettingsError`` or ``FolderError`` where there is none.
    """
    if folder is None:
        address = load().reader_address
        if address is None:
            raise SettingsError("HOMEROOM_STORE is empty: there is no store to ask")
        yield address
        return
    from sinks.embedded import EmbeddedStore  # noqa: PLC0415 - only where one is needed

    with open_store(folder) as directory:
        store = EmbeddedStore(directory)
        try:
            yield store.reader(store.start())
        finally:
            store.stop()


@contextmanager
def store_reader(folder: Path | None) -> Iterator[StoreReader]:
    """A reader of that store, as long as it is needed. See ``store_at`` for what is raised."""
    with store_at(folder) as address, StoreReader(address) as reader:
        yield reader
