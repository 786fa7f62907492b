"""Errors when a state cannot be restored."""

from schemas.errors import HomeroomError


class StateMismatchError(HomeroomError, ValueError):
    """Stored rows were written by another version of the features or layout."""


class StateIncompleteError(HomeroomError, ValueError):
    """The state topic has lost rows of its last checkpoint. The message says which, and what to do."""
