"""The root of every error of the project."""


class HomeroomError(Exception):
    """An error that its reader can fix, in one readable line: what was found, and what was expected.

    The command line prints it without a traceback and ends with exit code 2. A subclass names the kind, and
    derives from ``ValueError`` or ``RuntimeError`` too: an input, or a state of the world, is wrong.
    """


def one_line(error: Exception) -> str:
    """What an error says, on one line; of the operating system its words without number and path."""
    return " ".join(str(getattr(error, "strerror", None) or error).split())
