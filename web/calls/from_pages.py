"""What pages ask and do: the same operations, as whoever is signed in, by name; no call over HTTP in between.

    asked(request, "accounts.owed", account="a1")                          the answer, as JSON holds it
    acted(request, "contracts.end_of_use", key, form_token, account="a1")  (the answer, its status, whether just done)

Scope, role, idempotency, second person and log are those of the operation. A page draws the key when it makes the
form, so that a form that is sent twice is done once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from keizoku.web.calls.answering import answer_to, done
from keizoku.web.identity.browser import check_form, principal_of

if TYPE_CHECKING:
    from keizoku.web.calls.operation import Operation
    from keizoku.web.door import Door

__all__ = ["acted", "asked", "may"]


def may(request: Request, name: str) -> bool:
    """Whether whoever is signed in may call this operation: what they may not is not offered."""
    operation, principal = _operation(name), principal_of(request)
    return principal.role_for(operation.roles) is not None and principal.may(operation.resource, operation.verb)


def asked(request: Request, name: str, **named: Any) -> Any:
    """The answer to a question or a list. ProblemError 401 or 403, Refused, RequestValidationError as over HTTP."""
    operation = _operation(name)
    principal_of(request)
    return answer_to(operation, _given(request, operation, named))


def acted(request: Request, name: str, key: str, form_token: str, **named: Any) -> tuple[Any, int, bool]:
    """Do an act: (the answer, its status, whether it was done just now). Errors as `asked`; 403 for a foreign form."""
    operation = _operation(name)
    check_form(request, form_token)
    return done(operation, {**_given(request, operation, named), "idempotency_key": key})


def _given(request: Request, operation: Operation, named: Mapping[str, Any]) -> dict[str, Any]:
    principal = principal_of(request)
    request.state.admitted = principal, cast("Door", request.app.state.door).role_of(principal, operation)
    fields = {key: value for key, value in named.items() if key not in (*operation.in_path, operation.upload)}
    given: dict[str, Any] = {key: value for key, value in named.items() if key in operation.in_path}
    if operation.upload:
        given["file"] = named[operation.upload]
    if operation.fields is not None:
        try:
            given["fields"] = operation.fields.model_validate(fields)
        except ValidationError as error:
            raise RequestValidationError(error.errors()) from None
    return {"request": request, **given}


def _operation(name: str) -> Operation:
    from keizoku.web.application import operations

    return next(each for each in operations() if each.name == name)
