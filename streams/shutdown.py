"""Shutdown of a worker's process: graceful where possible, and always within its deadline.

On a signal a worker writes a checkpoint, commits, leaves its group, and closes its clients; each of these can
block on a server that does not answer. So a thread of this module handles the signals, in place of the event
loop, which may be busy. It starts the graceful stop and a timer: at the deadline the process exits, whatever
is not finished. That loses nothing: a batch is acked once its effects are durable, and what is not acked is
redelivered.

The process exits without Python's own finalisation, since threads of clients may still use what that
destroys.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import NoReturn

log = logging.getLogger(__name__)

SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})


class Shutdown:
    """Handles SIGTERM and SIGINT from now on; one a process, made in its main thread before it starts others.

    A signal before ``on_signal`` was called ends the process at once, as nothing is in flight. So does a
    second signal.
    """

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._stop: Callable[[], None] | None = None
        self._deadline_started = threading.Event()
        self._code = 0
        self._signalled = False
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # of this thread, and of all that it starts
        for signal_number in SIGNALS:  # a thread that a library started at its import may still get one
            signal.signal(signal_number, self._on_signal)
        threading.Thread(target=self._wait, name="signals", daemon=True).start()

    def on_signal(self, stop: Callable[[], None]) -> None:
        """Set the function that a signal calls, in the signals' thread; the deadline runs from the signal."""
        self._stop = stop

    def stop(self, code: int) -> None:
        """Begin the graceful stop, as a signal does, with this exit code."""
        self.start_deadline(code)
        if self._stop is not None:
            self._stop()

    def start_deadline(self, code: int) -> None:
        """Start the deadline's timer where it is not running: the process has begun to end by itself.

        code: the exit code where the time runs out.
        """
        self._code = max(self._code, code)
        if not self._deadline_started.is_set():
            self._deadline_started.set()
            threading.Thread(target=self._count_down, name="deadline", daemon=True).start()

    def _wait(self) -> None:
        while True:
            self._on_signal(signal.sigwait(SIGNALS))

    def _on_signal(self, signal_number: int, _frame: object = None) -> None:
        if self._stop is None:
            exit_process(self._code)
        if self._signalled:
            log.warning("second signal: the worker ends at once; what is not acked will be redelivered")
            exit_process(self._code)
        self._signalled = True
        log.info("%s: the worker stops, within %g s", signal.Signals(signal_number).name, self._deadline_s)
        self.stop(0)

    def _count_down(self) -> None:
        time.sleep(self._deadline_s)
        log.warning(
            "not stopped within %g s: the worker ends now; what is not acked will be redelivered",
            self._deadline_s,
        )
        exit_process(self._code)


def exit_process(code: int) -> NoReturn:
    """End the process with this code at once, after its logs and streams are flushed."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)
