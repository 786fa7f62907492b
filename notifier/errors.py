"""The error that ends a notifier."""

from schemas.errors import HomeroomError


class NotifierError(HomeroomError, RuntimeError):
    """It cannot go on; the message says why, in a line. Whoever started it starts it again."""
