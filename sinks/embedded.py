"""The embedded store: runs :mod:`sinks.gateway` as a child process.

The engine is not loaded in this process. Not for production: a server is addressed with a ``StoreAddress``
alone.
"""

import os
import queue
import secrets
import subprocess
import sys
import threading
from collections import deque
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO

from schemas.extras import require_extras
from sinks.address import StoreAddress
from sinks.errors import StoreError
from sinks.reading import READER

HOST = "127.0.0.1"
PASSWORD = "HOMEROOM_GATEWAY_PASSWORD"  # noqa: S105 - the variable's name
READER_PASSWORD = "HOMEROOM_GATEWAY_READER_PASSWORD"  # noqa: S105 - of the user that only reads
READY = f"listening on {HOST}:"
"""Prefix of the line that the gateway prints when it accepts clients; the port follows."""

FAILED = "cannot start:"
"""Prefix of the line that it prints on standard error when it cannot start; the reason follows."""

ROOT = Path(__file__).resolve().parent.parent
"""The folder of the packages, so that the process can import them from any working directory."""


class EmbeddedStoreError(StoreError):
    """The embedded store could not start; the message has the reason and the remedy."""


class EmbeddedStore:
    """chDB in ``directory`` behind a native port on loopback.

    One process a directory: a second store on it does not start. The data stay when it stops. If this process
    dies, the gateway's standard input ends and it stops, too.
    """

    def __init__(
        self, directory: Path | str, *, port: int = 0, database: str = "homeroom", password: str | None = None
    ) -> None:
        """Configure the store; :meth:`start` returns its address.

        Args:
            directory: of the data; created where it is missing.
            port: 0 for any free one.
            database: of the returned address.
            password: None for a random one.
        """
        self._directory = Path(directory).resolve()
        self._password = secrets.token_urlsafe() if password is None else password
        self._reader_password = secrets.token_urlsafe()
        self._port = port
        self._database = database
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str] = queue.Queue()
        self._errors: deque[str] = deque(maxlen=20)

    @property
    def pid(self) -> int | None:
        """The gateway's process id while it runs, else None."""
        return self._process.pid if self._process is not None else None

    def reader(self, address: StoreAddress) -> StoreAddress:
        """The started store's address for the read-only user."""
        return replace(address, user=READER, password=self._reader_password)

    def start(self, timeout: float = 30.0) -> StoreAddress:
        """Start, and wait up to ``timeout`` seconds until it accepts clients.

        Raises:
            EmbeddedStoreError: it did not start, or not in time.
        """
        require_extras("store")
        if self._process is not None:
            raise EmbeddedStoreError(f"the embedded store in {self._directory} is already running")
        self._process = process = subprocess.Popen(  # noqa: S603 - our own module with our own arguments
            self._command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self._environment(),
            start_new_session=True,  # Ctrl-C reaches this process alone, which stops it after its last write
        )
        threads = [
            threading.Thread(target=self._read_output, args=(process.stdout,), daemon=True),
            threading.Thread(target=self._read_errors, args=(process.stderr,), daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            self.stop()
            raise EmbeddedStoreError(
                f"the embedded store in {self._directory} was not ready in {timeout:g} s"
            ) from None
        if not line.startswith(READY):
            for thread in threads:  # the process has ended or will not start: read its whole output
                thread.join(5)
            reason = self._failure()
            self.stop()
            raise EmbeddedStoreError(reason)
        port = int(line.removeprefix(READY))
        return StoreAddress(port=port, password=self._password, database=self._database)

    def _command(self) -> list[str]:
        options = ["--directory", str(self._directory), "--port", str(self._port)]
        return [sys.executable, "-m", "sinks.gateway", *options, "--with-parent"]

    def _environment(self) -> dict[str, str]:
        """Passwords are passed by the environment, since other users can read arguments."""
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        passwords = {PASSWORD: self._password, READER_PASSWORD: self._reader_password}
        return os.environ | {"PYTHONPATH": path} | passwords

    def _read_output(self, stream: IO[str]) -> None:
        for line in stream:  # chDB writes here too, and may then exit on its own
            self._errors.append(line.rstrip())
            self._lines.put(line.strip())
        self._lines.put("")  # it has ended

    def _read_errors(self, stream: IO[str]) -> None:
        for line in stream:
            self._errors.append(line.rstrip())

    def _failure(self) -> str:
        output = " ".join(self._errors)
        if "Cannot lock file" in output:
            return (
                f"the embedded store's directory {self._directory} is in use by another process: "
                "stop that one, or choose another directory"
            )
        reason = output.partition(FAILED)[2].strip() or output or "it gave no reason"
        return f"the embedded store in {self._directory} could not start: {reason}"

    def stop(self, timeout: float = 30.0) -> None:
        """Stop after the running statement; after ``timeout`` seconds, kill. Idempotent."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        self._lines, self._errors = queue.Queue(), deque(maxlen=20)

    def __enter__(self) -> StoreAddress:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
