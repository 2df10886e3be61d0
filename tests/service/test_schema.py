"""Requests drawn from the API's own description: pip install schemathesis."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from ..faults import fault

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis")
checks = pytest.importorskip("schemathesis.specs.openapi.checks")


@pytest.mark.slow
@fault(
    "server",
    "requests made from the API's schema (schemathesis)",
    "no answer that the schema does not tell of",
)
def test_every_answer_is_as_described(client):
    schema = schemathesis.openapi.from_asgi("/openapi.json", client.app)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) == 4
    for operation in operations:

        @given(case=operation.as_strategy())
        @settings(max_examples=60, suppress_health_check=list(HealthCheck))
        def check(case):
            # A schema cannot say which bytes are a photo: data that fit it may be refused.
            case.call_and_validate(excluded_checks=[checks.positive_data_acceptance])

        check()
