"""Schemathesis asks the API everything that its OpenAPI allows, and much that it does not."""

import os
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from console.app import create_app
from console.limits import Limit
from tests.console.conftest import KEYS, Served, keys, served

EXAMPLES = int(os.environ.get("HOMEROOM_API_CASES", "6"))
"""Cases an operation and mode: what a minute of tests affords, if nobody asks for more."""

STREAM = "/api/v1/events"
BEYOND_SCHEMAS = (
    *("/api/v1/risks", "/api/v1/nudges", "/api/v1/what-if"),
    "/api/v1/learners/{learner}/preferences",
)
"""Cursors are ours, features and time zones those that there are: no schema can say so, a 422 does."""


def test_it_keeps_its_word(console: Served) -> None:
    """No 5xx, nothing undocumented, bodies as described, wrong input refused, no way around the key."""
    parts, plenty = console.app.state.service.parts, Limit(rate=1e6, burst=10**6)
    operations = []
    with served(create_app(parts, keys(), per_key=plenty, per_stranger=plenty)) as url:
        schema = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json")
        for result in schema.exclude(path=STREAM).get_all_operations():  # the stream does not end
            assert isinstance(result, Ok), result
            operation = result.ok()
            for mode in GenerationMode:
                nothing_to_get_wrong = mode is GenerationMode.NEGATIVE and not _takes(operation)
                if not nothing_to_get_wrong:
                    operations.append(f"{operation.label} {mode.value}")
                    _ask(operation, mode)
    assert len(operations) >= 20


def _takes(operation: Any) -> bool:
    """Whether there is anything about a request that could be wrong."""
    return bool(list(operation.iter_parameters()) or list(operation.body))


def _ask(operation: Any, mode: GenerationMode) -> None:
    """Some cases of an operation, each judged by all of schemathesis's checks."""

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def keeps_its_word(case: schemathesis.Case[Any]) -> None:
        headers = {"Authorization": f"Bearer {KEYS['admin'][0]}"}
        beyond: list[Any] = [positive_data_acceptance] if operation.path in BEYOND_SCHEMAS else []
        case.call_and_validate(headers=headers, timeout=20, excluded_checks=beyond)

    keeps_its_word()
