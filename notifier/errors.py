"""The error that ends a notifier."""

from schemas.errors import HomeroomError


class NotifierError(HomeroomError, RuntimeError):
    """The notifier cannot continue; the message is one line. Its supervisor is to restart it."""
