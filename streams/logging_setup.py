"""Logging of all processes: one line a record, on standard error."""

import logging
import sys
import time
from collections.abc import Callable

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
QUIET = ("faust", "mode", "aiokafka", "kafka", "urllib3")
"""Libraries that log too much at info, or addresses at debug: warnings and errors only."""

LIBRDKAFKA_LOG = logging.getLogger("librdkafka")
"""librdkafka's log of its connections, for processes that log. Commands report errors themselves."""
LIBRDKAFKA_LOG.addHandler(logging.NullHandler())

REPEATING_LIBRARIES = ("aiokafka", LIBRDKAFKA_LOG.name)
"""Libraries that log an unreachable broker some fifty times a second."""
REPEAT_EVERY_S = 30.0


class RepeatFilter(logging.Filter):
    """Passes a repeated message of such a library once every ``every_s``, with the number held back."""

    def __init__(self, every_s: float = REPEAT_EVERY_S, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._every_s = every_s
        self._clock = clock
        self._logged: dict[tuple[str, str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be logged."""
        if record.name.split(".")[0] not in REPEATING_LIBRARIES:
            return True
        argument = str(record.args[0]) if isinstance(record.args, tuple) and record.args else ""
        message, now = (record.name, str(record.msg), argument), self._clock()
        logged_at, held_back = self._logged.get(message, (-self._every_s, 0))
        if now - logged_at < self._every_s:
            self._logged[message] = (logged_at, held_back + 1)
            return False
        self._logged[message] = (now, 0)
        if held_back:
            record.msg, record.args = f"{record.getMessage()} (and {held_back} times more)", None
        return True


def configure_logging(level: str) -> None:
    """Log at the level, one of debug, info, warning and error."""
    logging.basicConfig(level=level.upper(), format=FORMAT, stream=sys.stderr, force=True)
    for handler in logging.getLogger().handlers:
        handler.addFilter(RepeatFilter())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
