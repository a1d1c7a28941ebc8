"""What stands below /api, as OpenAPI describes it: every answer fits, whatever is asked."""

from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]
ORDER_FAULT = {"action": "v1-message", "cut": "after_effect", "times": 1}
QUIET = settings(
    max_examples=20,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def test_every_answer_is_as_it_is_described(server, sandbox):
    httpx.post(f"{sandbox.control_url}/faults", json=ORDER_FAULT).raise_for_status()
    httpx.post(f"{sandbox.control_url}/visitors", json={"visitor_email": "ann@example.com"}).raise_for_status()
    server.wait_for(lambda: httpx.get(f"{server.address}/api/runs?status=held").json()["runs"])
    token = httpx.get(f"{server.address}/api/token").json()["token"]
    described = schemathesis.openapi.from_url(f"{server.address}/api/openapi.json")
    operations = [found.ok() for found in described.get_all_operations()]
    assert len(operations) > 10
    for operation in operations:
        ask(operation, {"X-ChatForge-Token": token})
    assert "Traceback" not in server.log()


def ask(operation: Any, headers: dict[str, str]) -> None:
    @QUIET
    @given(case=operation.as_strategy())
    def check(case: Any) -> None:
        case.call_and_validate(headers=headers, checks=CHECKS)

    check()
