"""The store that a command queries: that of the settings, or an embedded one that runs meanwhile.

Queries run as the read-only user, where there is one.
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
    """The address of a running store, for reading; a store in ``folder`` is started and stopped afterwards.

    Raises:
        SettingsError: no folder is given and the settings name no store.
        FolderError: there is no store in the folder.
    """
    if folder is None:
        address = load().reader_address
        if address is None:
            raise SettingsError("HOMEROOM_STORE is empty: there is no store to ask")
        yield address
        return
    from sinks.embedded import EmbeddedStore

    with open_store(folder) as directory:
        store = EmbeddedStore(directory)
        try:
            yield store.reader(store.start())
        finally:
            store.stop()


@contextmanager
def store_reader(folder: Path | None) -> Iterator[StoreReader]:
    """A reader of that store. Raises what ``store_at`` raises."""
    with store_at(folder) as address, StoreReader(address) as reader:
        yield reader
