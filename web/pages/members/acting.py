"""Acts behind buttons of a member's pages that have no form of fields: the card form, a link, the member's own file.

They go the way of every act: the same checks of session and form, the same key, log and refusals.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool

from keizoku.web.calls.answering import done
from keizoku.web.calls.problems import ProblemError
from keizoku.web.identity.browser import FORM_FIELD
from keizoku.web.pages.members.family import member
from keizoku.web.pages.shared.form_body import form_of
from keizoku.web.pages.shared.rendering import language_of, page_response, render
from keizoku.web.pages.shared.screens import admit_to_page

if TYPE_CHECKING:
    from fastapi import Response

    from keizoku.web.calls.operation import Operation
    from keizoku.web.pages.shared.blocks import Page

__all__ = ["FormOf", "did", "drawn_page"]

_KEY = "idempotency_key"


def FormOf(name: str) -> Any:  # noqa: N802 - stands where a type does
    """The fields of a form that does an act; they are not read before it is known who sends them."""

    async def read(request: Request) -> dict[str, str]:
        operation: Operation = request.app.state.operations[name]
        await run_in_threadpool(admit_to_page, operation, request, member.sitting(request))
        return await form_of(request, operation)

    return Depends(read)


def did(
    request: Request, form: Mapping[str, str], name: str, given: Mapping[str, Any] | None = None, *, key: str = ""
) -> Any:
    """The answer of an act about the member's own account, whose form `FormOf` read. Raises what the act raises.

    `given`: its fields. `key`: instead of the form's, for an act whose answer is shown once.
    """
    operation: Operation = request.app.state.operations[name]
    member.sitting(request).check(request, form.get(FORM_FIELD, ""))
    principal, _ = request.state.admitted
    key = key or form.get(_KEY, "")
    if not key or len(key) > 255:
        raise ProblemError(400, "idempotency.missing", "An act wants an Idempotency-Key.", "open the form anew")
    path = {part: principal.account for part in operation.in_path if part == "account"}
    fields = {} if operation.fields is None else {"fields": operation.fields.model_validate(dict(given or {}))}
    answer, _, _ = done(operation, {"request": request, _KEY: key, **path, **fields})
    return answer


def drawn_page(
    request: Request, page: Page, template: str = "page.html.j2", headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    """A page that answers an act."""
    token = member.sitting(request).token(request)
    text = render(
        template, request, language_of(request), page=page, principal=request.state.principal, form_token=token,
        **member.frame(request), **more,
    )  # fmt: skip
    return page_response(text, 200, headers)
