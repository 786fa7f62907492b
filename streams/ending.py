"""How a worker's process ends: in order where it can, and within its deadline whatever is going on.

Told to end, a worker leaves a checkpoint, commits, leaves its group, and closes its clients; each of these
can wait for somebody who does not answer. So one thread of this module takes the signals, in place of the
event loop, which may be busy. It passes them on and counts: at the deadline the process ends, with what it
has made safe. That is always enough: a batch is acked once its effects are safe, and what is not acked comes
again.

The process ends without Python's own finalisation, since clients' threads still run through what that takes
down.
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


class Ending:
    """Takes the signals to end from now on; one a process, made in its main thread before others are started.

    A signal before ``call`` ends the process at once: nothing is under way. So does a second one.
    """

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._stop: Callable[[], None] | None = None
        self._begun = threading.Event()
        self._code = 0
        self._told_before = False
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # of this thread, and of all that it starts
        for (
            one
        ) in SIGNALS:  # threads that libraries started before, at their import, may take one all the same
            signal.signal(one, self._told)
        threading.Thread(target=self._wait, name="signals", daemon=True).start()

    def call(self, stop: Callable[[], None]) -> None:
        """From now on a signal calls this first, in a thread of its own, and the deadline runs from there."""
        self._stop = stop

    def stop(self, code: int) -> None:
        """End in order, as if told to, with this code."""
        self.begin(code)
        if self._stop is not None:
            self._stop()

    def begin(self, code: int) -> None:
        """Start the deadline's time, where it is not running: the process has begun to end by itself.

        code: of the process, where the time runs out.
        """
        self._code = max(self._code, code)
        if not self._begun.is_set():
            self._begun.set()
            threading.Thread(target=self._count_down, name="deadline", daemon=True).start()

    def _wait(self) -> None:
        while True:
            self._told(signal.sigwait(SIGNALS))

    def _told(self, number: int, _frame: object = None) -> None:
        if self._stop is None:
            leave(self._code)
        if self._told_before:
            log.warning("told a second time: the worker ends at once; what is not acked will come again")
            leave(self._code)
        self._told_before = True
        log.info("%s: the worker stops, within %g s", signal.Signals(number).name, self._deadline_s)
        self.stop(0)

    def _count_down(self) -> None:
        time.sleep(self._deadline_s)
        log.warning(
            "not stopped within %g s: the worker ends now; what is not acked will come again",
            self._deadline_s,
        )
        leave(self._code)


def leave(code: int) -> NoReturn:
    """End the process with this code, now."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)
