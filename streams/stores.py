"""The store that a command asks: that of the settings, or an embedded one in a folder, while it takes.

Asked as the user who can read tables and nothing else, where there is one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sinks.address import StoreAddress
from sinks.store import StoreReader
from streams.settings import SettingsError, load


@contextmanager
def store_at(folder: Path | None) -> Iterator[StoreAddress]:
    """The address of a running store for who only reads.

    The one in ``folder`` is started, and stopped afterwards.

    Raises ``SettingsError`` where there is none.
    """
    if folder is None:
        address = load().reader_address
        if address is None:
            raise SettingsError("HOMEROOM_STORE is empty: there is no store to ask")
        yield address
        return
    if not (folder / "store").exists():
        raise SettingsError(
            f"--folder {folder}: there is no store; run `homeroom demo` or `homeroom replay` first"
        )
    from sinks.embedded import EmbeddedStore  # noqa: PLC0415 - only where one is needed

    store = EmbeddedStore(folder / "store")
    try:
        yield store.reader(store.start())
    finally:
        store.stop()


@contextmanager
def store_reader(folder: Path | None) -> Iterator[StoreReader]:
    """A reader of that store, as long as it is needed. Raises ``SettingsError`` where there is none."""
    with store_at(folder) as address, StoreReader(address) as reader:
        yield reader
