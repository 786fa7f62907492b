"""The embedded store: starts :mod:`sinks.gateway` as a process of its own and ends it with us.

Not the store itself (the engine is not even loaded here), and not for production: a server is
addressed with a ``StoreAddress`` alone.
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

from schemas.extras import required
from sinks.address import StoreAddress
from sinks.errors import StoreError
from sinks.reading import READER

HOST = "127.0.0.1"
PASSWORD = "HOMEROOM_GATEWAY_PASSWORD"  # noqa: S105 - the variable's name
READER_PASSWORD = "HOMEROOM_GATEWAY_READER_PASSWORD"  # noqa: S105 - of the user that only reads
READY = f"listening on {HOST}:"
"""How the gateway's line begins that says that clients may come; the port follows."""

FAILED = "cannot start:"
"""How its line begins, on standard error, that says why not."""

ROOT = Path(__file__).resolve().parent.parent
"""Where the packages lie, so that the process finds them whatever the working directory."""


class EmbeddedStoreError(StoreError):
    """The embedded store could not start; the message says why and what to do."""


class EmbeddedStore:
    """chDB in ``directory`` behind a native port on loopback.

    One process a directory: a second store on it fails with a message that says so. The data stay
    when it stops. Should this process die, the gateway's standard input ends and it stops too.
    """

    def __init__(
        self, directory: Path | str, *, port: int = 0, database: str = "homeroom", password: str | None = None
    ) -> None:
        """``port`` 0 takes a free one; without a ``password`` each store makes one up for itself.

        The address that :meth:`start` returns has both.
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
        """The gateway's process, while it runs."""
        return self._process.pid if self._process is not None else None

    def reader(self, address: StoreAddress) -> StoreAddress:
        """The started store's address for the user that reads tables and nothing else."""
        return replace(address, user=READER, password=self._reader_password)

    def start(self, timeout: float = 30.0) -> StoreAddress:
        """Start and wait until clients may come. ``timeout`` in seconds.

        Raises:
            EmbeddedStoreError: it did not start, or not in time.
        """
        required("store")
        if self._process is not None:
            raise EmbeddedStoreError(f"the embedded store in {self._directory} is already running")
        self._process = process = subprocess.Popen(  # noqa: S603 - our own module with our own arguments
            self._command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self._environment(),
            start_new_session=True,  # Ctrl-C is for us; we stop it after our last write
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
            for thread in threads:  # it has ended, or will not come up: hear it out
                thread.join(5)
            why = self._why()
            self.stop()
            raise EmbeddedStoreError(why)
        port = int(line.removeprefix(READY))
        return StoreAddress(port=port, password=self._password, database=self._database)

    def _command(self) -> list[str]:
        place = ["--directory", str(self._directory), "--port", str(self._port)]
        return [sys.executable, "-m", "sinks.gateway", *place, "--with-parent"]

    def _environment(self) -> dict[str, str]:
        """The password goes by the environment: arguments can be read by others."""
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

    def _why(self) -> str:
        said = " ".join(self._errors)
        if "Cannot lock file" in said:
            return (
                f"the embedded store's directory {self._directory} is in use by another process: "
                "stop that one, or choose another directory"
            )
        reason = said.partition(FAILED)[2].strip() or said or "it said nothing"
        return f"the embedded store in {self._directory} could not start: {reason}"

    def stop(self, timeout: float = 30.0) -> None:
        """Let the running statement end and stop; after ``timeout`` seconds, kill. Idempotent."""
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
