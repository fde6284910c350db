"""Every operation by every role: allowed or 403; what the door would let through by mistake, PostgreSQL refuses.

The fuzz draws calls from the OpenAPI file itself (Schemathesis), as any role: no answer is a fault.
KEIZOKU_TEST_FUZZ says how many calls for each operation (3; `make soak` makes 50).
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings, strategies
from openapi_spec_validator import validate
from schemathesis import GenerationMode

from keizoku.scheduler.cli.shared.rights import ALLOWED
from keizoku.web.application import make_application, openapi_of, operations
from keizoku.web.breaking_changes import breaking_changes
from keizoku.web.identity.principal import ROLES
from tests.integration.web.conftest import House

CALLS = int(os.environ.get("KEIZOKU_TEST_FUZZ", "0")) // 100 or 3
NOT_BY_HTTP = {
    "api end-key", "api end-session", "api keys", "api new-key", "api sessions",
    "backup held", "backup list", "backup member", "backup release",
    "backup run", "db check", "db roles", "db upgrade", "documents export",
    "documents reseal",
    "gateway check", "gateway rebind", "invoice month", "notice send", "report", "serve", "sla collect",
    "sla notice publish", "worker",
    "link rotate-keys",
}  # fmt: skip
"""Commands of whoever operates the machine, those that write files, and those that the door does not have yet."""
THE_SAME = {
    "claim import": "evidence.import_file", "coupon check": "codes.check", "coupon issue": "codes.issue",
    "coupon list": "codes.list_batches", "coupon redeem": "codes.redeem", "coupon revoke": "codes.revoke",
    "coupon show": "codes.show", "explain interest": "payments.interest", "reconcile month": "months.reconcile",
    "store orders": "stores.note_orders",
    "sla counts import": "evidence.import_file", "sla observations import": "evidence.import_file",
}  # fmt: skip
"""Commands that an operation of another command does too."""


def test_every_command_is_an_operation_or_is_named_here() -> None:
    there = {each.command for each in operations()}
    assert sorted(there | NOT_BY_HTTP | set(THE_SAME)) == sorted(ALLOWED)
    assert not there & (NOT_BY_HTTP | set(THE_SAME))
    assert set(THE_SAME.values()) <= {each.name for each in operations()}


def test_the_description_is_valid_and_has_each_operation_once() -> None:
    made = openapi_of(make_application(None))
    validate(made)
    ids = [each["operationId"] for methods in made["paths"].values() for each in methods.values()]
    assert sorted(ids) == sorted(each.name for each in operations())
    assert len(ids) == len(set(ids)) > 160
    assert breaking_changes(made, made) == []


def _a_call(operation: Any) -> tuple[str, str, dict[str, Any]]:
    """A call with no good value in it: whoever may not is refused before anything of it is read."""
    path = "/v1" + operation.path
    for name in operation.in_path:
        path = path.replace("{" + name + "}", "2026-04" if name == "month" else "2026-04-30" if name == "on" else "9")
    return operation.method, path, {}


def test_each_operation_is_for_its_roles_and_403_for_the_others(house: House) -> None:
    wrong = []
    for operation in operations():
        for role in ROLES:
            method, path, body = _a_call(operation)
            status, told = house.ask(method, path, role, json=body, headers={"Idempotency-Key": "x"})
            if (status == 403) != (role not in operation.roles):
                wrong.append((operation.name, role, status, told))
    assert not wrong


def _schema(house: House) -> Any:
    return schemathesis.openapi.from_dict(openapi_of(house.client.app))  # type: ignore[arg-type]


@pytest.mark.slow
def test_no_call_of_any_form_is_answered_with_a_fault(house: House) -> None:
    schema = _schema(house)
    faults: list[str] = []
    for result in schema.get_all_operations():
        operation = result.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            strategy = operation.as_strategy(generation_mode=mode)

            @settings(
                max_examples=CALLS, database=None, phases=[Phase.generate], deadline=None,
                suppress_health_check=list(HealthCheck),
            )  # fmt: skip
            @given(case=strategy, role=strategies.sampled_from(ROLES))
            def call(case: Any, role: str) -> None:
                headers = {**dict(case.headers or {}), "Authorization": f"Bearer {house.keys[role]}"}
                more: dict[str, Any] = {"json": case.body} if isinstance(case.body, dict | list) else {}
                answer = house.client.request(
                    case.method, quote(case.formatted_path, safe="/%"), params=case.query, headers=headers, **more
                )
                if answer.status_code >= 500:
                    faults.append(
                        f"{role}: {case.method} {case.formatted_path} {case.query} {case.body}: {answer.text[:200]}"
                    )

            call()
    assert not faults, "\n".join(faults[:20])
