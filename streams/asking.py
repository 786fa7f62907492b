"""A reader of the store for commands: of the one in the settings, or of an embedded store's folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sinks.store import StoreReader
from streams.settings import SettingsError, load


@contextmanager
def store_reader(folder: Path | None) -> Iterator[StoreReader]:
    """The store as long as it is needed; an embedded one (``folder``) is started for it and stopped.

    Raises ``SettingsError`` where there is no store.
    """
    if folder is None:
        address = load().store_address
        if address is None:
            raise SettingsError("HOMEROOM_STORE is empty: there is no store to ask")
        with StoreReader(address) as reader:
            yield reader
        return
    if not (folder / "store").exists():
        raise SettingsError(
            f"--folder {folder}: there is no store; run `homeroom demo` or `homeroom replay` first"
        )
    from sinks.embedded import EmbeddedStore  # noqa: PLC0415 - takes a second to import

    store = EmbeddedStore(folder / "store")
    try:
        with StoreReader(store.start()) as reader:
            yield reader
    finally:
        store.stop()
