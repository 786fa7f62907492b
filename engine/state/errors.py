"""Errors of a state that cannot be restored as it was."""

from schemas.errors import HomeroomError


class StateMismatchError(HomeroomError, ValueError):
    """Stored rows were written by another version of the features or layout, or some are lost."""


class StateIncompleteError(HomeroomError, ValueError):
    """Rows that the last checkpoint counts are gone. The message says of what, and what to do."""
