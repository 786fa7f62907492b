"""Parts that a machine may lack: tests that need one skip there, and fail where CI says it must be there."""

import os
from typing import NoReturn

import pytest


def is_required(part: str) -> bool:
    """Whether ``HOMEROOM_REQUIRE``, names with commas between, has the part."""
    return part in os.environ.get("HOMEROOM_REQUIRE", "").split(",")


def lacking(part: str, reason: str) -> NoReturn:
    """Skip the test with the reason, or fail it where the part is required."""
    if is_required(part):
        pytest.fail(f"{part} is required here: {reason}")
    pytest.skip(reason)
