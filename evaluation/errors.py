"""Errors of the evaluation commands; each message is one readable line.

They have a module of their own so that the command line can catch them without importing a model.
"""

from schemas.errors import HomeroomError


class EvaluationError(HomeroomError, ValueError):
    """An option of ``homeroom evaluate`` is invalid."""


class EstimatesError(HomeroomError, ValueError):
    """A table is no table of estimates. The message names the column and the value found."""


class NewCourseError(HomeroomError, ValueError):
    """The folder has no module with two runs to compare."""


class CausalityError(HomeroomError, ValueError):
    """An option of ``homeroom causality`` is invalid, or the passes differ."""


class EventCheckError(HomeroomError, ValueError):
    """An argument of ``homeroom check-events`` is invalid."""
