"""The notifier with short waits, as a process: ``python -m tests.nudges.notifier.impatient [ATTEMPTS]``."""

import asyncio
import sys

from nudges.notifier.delivery import Patience
from nudges.notifier.metrics import Metrics
from nudges.notifier.pacing import Backoff
from nudges.notifier.service import Place, serve
from streams.logs import configure_logging
from streams.publisher import Publisher
from streams.settings import load, load_notifier

IN_DOUBT_S = 3.0

if __name__ == "__main__":
    configure_logging("info")
    now = load()
    attempts = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    patience = Patience(Backoff(first_s=0.1, longest_s=0.2, attempts=attempts), IN_DOUBT_S)
    place = Place(now.broker, now.prefix, now.group, session_timeout_s=3.0)
    asyncio.run(serve(load_notifier(), place, Publisher(now.broker), Metrics(), patience))
