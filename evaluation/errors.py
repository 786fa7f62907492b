"""What an evaluation answers instead of a result, each message one readable line.

Apart from the modules that raise it, so that the command line knows it without importing a model.
"""

from schemas.errors import HomeroomError


class EvaluationError(HomeroomError, ValueError):
    """The evaluation was asked for something that cannot be."""


class EstimatesError(HomeroomError, ValueError):
    """A table is not one of estimates. The message names the column and what was found."""


class NewCourseError(HomeroomError, ValueError):
    """There is nothing to compare."""


class CausalityError(HomeroomError, ValueError):
    """The comparison was asked for something that cannot be, or it found a difference."""
