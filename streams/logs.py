"""The log of our processes: one line a record, on standard error."""

import logging
import sys

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
QUIET = ("faust", "mode", "aiokafka", "kafka", "urllib3")
"""Libraries that tell their life story at info, or addresses at debug."""


def configure_logging(level: str) -> None:
    """Log at the level, one of debug, info, warning and error."""
    logging.basicConfig(level=level.upper(), format=FORMAT, stream=sys.stderr, force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
