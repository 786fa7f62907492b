"""The notifier with short waits, as a process: ``python -m tests.notifier.impatient [IN_DOUBT_S]``."""

import asyncio
import sys

from cli.wiring.notifier import load_notifier, place_of
from notifier.delivery import RetryTiming
from notifier.metrics import Metrics
from notifier.pacing import Backoff
from notifier.service import serve
from streams.logging_setup import configure_logging
from streams.publisher import Publisher
from streams.settings import load

if __name__ == "__main__":
    configure_logging("info")
    now = load()
    in_doubt_s = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    patience = RetryTiming(Backoff(first_s=0.1, longest_s=0.2, attempts=4), in_doubt_s, gather_s=0.5)
    asyncio.run(serve(load_notifier(), place_of(now, 3.0), Publisher(now.broker), Metrics(), patience))
