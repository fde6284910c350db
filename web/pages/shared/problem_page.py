"""What cannot be shown, as a page: the problem that a program is told, in the words of people."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import Request, Response

from keizoku.web.pages.shared.acts import told_by
from keizoku.web.pages.shared.addresses import home_of
from keizoku.web.pages.shared.rendering import language_of, page_response, render

__all__ = ["as_page"]

Handler = Callable[[Request, Exception], Awaitable[Response]]
_KEPT: Final = ("retry-after", "location")


def as_page(handler: Handler) -> Handler:
    """A handler of errors that answers a page where a page was asked for."""

    async def told(request: Request, error: Exception) -> Response:
        answer = await handler(request, error)
        if home_of(request.url.path) is None:
            return answer
        lang = language_of(request)
        problem = told_by(json.loads(bytes(answer.body)), lang)
        text = render("problem.html.j2", request, lang, problem=problem, groups=(), principal=None)
        headers = {name: value for name, value in answer.headers.items() if name in _KEPT}
        return page_response(text, answer.status_code, headers)

    return told
