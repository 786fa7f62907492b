"""The error that ends a notifier."""


class NotifierError(RuntimeError):
    """It cannot go on; the message says why, in a line. Whoever started it starts it again."""
