"""The log of our processes: one line a record, on standard error."""

import logging
import sys
import time
from collections.abc import Callable

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
QUIET = ("faust", "mode", "aiokafka", "kafka", "urllib3")
"""Libraries that tell their life story at info, or addresses at debug."""

BROKERS_WORDS = logging.getLogger("librdkafka")
"""What librdkafka says of its connections: in a process's log; a command says itself what went wrong."""
BROKERS_WORDS.addHandler(logging.NullHandler())

REPEATING = ("aiokafka", BROKERS_WORDS.name)
"""Libraries that say of a broker that is away, some fifty times a second, that it is."""
SAID_AGAIN_S = 30.0


class Seldom(logging.Filter):
    """Lets what a repeating library says through once in a while, with how often it was said meanwhile."""

    def __init__(self, every_s: float = SAID_AGAIN_S, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._every_s = every_s
        self._clock = clock
        self._said: dict[tuple[str, str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be logged."""
        if record.name.split(".")[0] not in REPEATING:
            return True
        first = str(record.args[0]) if isinstance(record.args, tuple) and record.args else ""
        what, now = (record.name, str(record.msg), first), self._clock()
        last, held_back = self._said.get(what, (-self._every_s, 0))
        if now - last < self._every_s:
            self._said[what] = (last, held_back + 1)
            return False
        self._said[what] = (now, 0)
        if held_back:
            record.msg, record.args = f"{record.getMessage()} (and {held_back} times more)", None
        return True


def configure_logging(level: str) -> None:
    """Log at the level, one of debug, info, warning and error."""
    logging.basicConfig(level=level.upper(), format=FORMAT, stream=sys.stderr, force=True)
    for handler in logging.getLogger().handlers:
        handler.addFilter(Seldom())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
