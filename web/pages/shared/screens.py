"""Screens: pages as functions, each declared once with its path and its command, as the calls are.

    staff = Screens("console")

    @staff.screen("/accounts/{account}", command="account show")
    def account(view: View, account: Id) -> Page: ...

A screen is for whoever may give its command; it is logged like a call. `?file=csv` or `xlsx` with `table=` gives one
of its tables as a file.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any, Final, get_type_hints

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import ValidationError

from keizoku.web.calls.operation import Operation
from keizoku.web.calls.paths import PathRoute, written_path
from keizoku.web.calls.problems import ProblemError
from keizoku.web.pages.shared.addresses import CONSOLE, of_segment
from keizoku.web.pages.shared.blocks import Act, Block, Page, Table
from keizoku.web.pages.shared.files import as_file
from keizoku.web.pages.shared.rendering import language_of, page_response, query_of, render
from keizoku.web.pages.shared.signed_in import SignedIn
from keizoku.web.pages.shared.view import View
from keizoku.web.request_log import Entry

if TYPE_CHECKING:
    from keizoku.terms.rendering import Lang
    from keizoku.web.calls.call import Call
    from keizoku.web.door import Door

__all__ = ["FAMILIES", "Screens", "admit_to_page"]

_IN_PATH: Final = re.compile(r"\{(\w+)\}")
Screen = Callable[..., Page]
Preview = Callable[[View, Mapping[str, Any]], Sequence[Block]]
"""What an act would answer, as blocks; asked while it is done, and taken back after that."""
Leads = Callable[[Mapping[str, Any]], str]
Offered = Callable[["Lang"], Mapping[str, Sequence[tuple[str, str]]]]
Frame = Callable[[Request], Mapping[str, Any]]
"""What the layout of a family of pages needs: its navigation."""


def admit_to_page(operation: Operation, request: Request, sitting: SignedIn) -> None:
    """Note on the request who looks, as which role. Raises ProblemError 401 where nobody is signed in, or 403."""
    door: Door = request.app.state.door
    principal = sitting.principal(request)
    if principal is None:
        raise ProblemError(401, "session.none", "Nobody is signed in.", "this browser has no session", "sign in")
    request.state.principal = principal
    door.admit_as(principal, operation, request)


FAMILIES: Final[dict[str, Screens]] = {}
"""The families of pages, by where they begin."""


@dataclass
class Screens:
    """The screens of a family of pages, and the router that serves them."""

    name: str
    frame: Frame
    home: str = CONSOLE
    view: type[View] = View
    members: bool = False
    """Whether they are a member's, who sees their own account alone; else the staff's."""
    receipt: Callable[[Request, Operation, Mapping[str, Any]], Mapping[str, Any]] | None = None
    """What is shown when an act was done; None: its answer, or the page it was begun on."""
    foreseen: Callable[[Lang, Mapping[str, Any]], Mapping[str, Any]] | None = None
    """Of what an act would answer, what is shown before it is done; None: nothing."""
    filled: Callable[[Operation, Mapping[str, str]], Mapping[str, str]] | None = None
    """What these pages' own forms bring, as the fields of an act; None: they bring them as they are."""
    clause: Callable[[Lang, str], str] | None = None
    """A clause in words; None: its id."""
    previews: dict[str, Preview] = field(default_factory=dict)
    """An act -> what is shown of it before it is done, beside what it changes."""
    leads: dict[str, Leads] = field(default_factory=dict)
    """An act -> the page on which what it made is seen."""
    offered: dict[str, Offered] = field(default_factory=dict)
    """An act -> what may be chosen for those of its fields that could be any text."""
    undone_by: dict[str, str] = field(default_factory=dict)
    """An act -> the act that takes it back, about the same thing: offered where it was just done."""
    router: APIRouter = field(init=False)
    screens: list[Operation] = field(default_factory=list)

    def __post_init__(self) -> None:
        FAMILIES[self.home] = self
        self.router = APIRouter(prefix=self.home, include_in_schema=False, route_class=PathRoute)

    def sitting(self, request: Request) -> SignedIn:
        """How those are known who sit at these pages."""
        door: Door = request.app.state.door
        return door.member_signed_in if self.members else door.signed_in

    def looking(self, call: Call, request: Request) -> View:
        """What a screen is given by a call."""
        where = written_path(request) + (f"?{request.url.query}" if request.url.query else "")
        token = self.sitting(request).token(request)
        operations = request.app.state.operations
        return self.view(call, request, language_of(request), operations, query_of(request), token, where)

    def screen(
        self, path: str, *, command: str, resource: str = "", gateway: bool = False
    ) -> Callable[[Screen], Screen]:
        """A page; the names in its path are its function's parameters."""

        def declare(handler: Screen) -> Screen:
            hints = get_type_hints(handler, include_extras=True)
            in_path = {name: hints[name] for name in _IN_PATH.findall(path)}
            made = Operation(
                f"{self.name}.{handler.__name__}", "question", "GET", f"{self.home}{path}", resource or self.name,
                command, handler, in_path, None, real_gateway=gateway, member=self.members,
            )  # fmt: skip
            self.screens.append(made)
            self._serve(made, path)
            return handler

        return declare

    def _serve(self, made: Operation, path: str) -> None:
        wanted = [inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY, annotation=Request)]
        for name, hint in made.in_path.items():
            wanted.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[hint, Path()]))

        def endpoint(request: Request, **given: Any) -> Response:
            return self._answer(made, request, given)

        async def admit(request: Request) -> None:
            await run_in_threadpool(admit_to_page, made, request, self.sitting(request))

        endpoint.__signature__ = inspect.Signature(wanted)  # type: ignore[attr-defined]
        endpoint.__name__ = made.handler.__name__
        self.router.add_api_route(path, endpoint, methods=["GET"], dependencies=[Depends(admit)])

    def _answer(self, made: Operation, request: Request, given: Mapping[str, Any]) -> Response:
        began, door = monotonic(), request.app.state.door
        given = {name: of_segment(value) if isinstance(value, str) else value for name, value in given.items()}
        account = given.get("account") or request.state.principal.account
        lang, query = language_of(request), query_of(request)
        with door.admitted(made, request, account) as call:
            view = self.looking(call, request)
            try:
                page = made.handler(view, **given)
            except ValidationError as error:
                raise of_validation(error) from None
        door.log.later(Entry.of(made, call.who, call.now, account, 200, began))
        if "file" in query:
            return _file_of(page, query)
        more = self.frame(request)
        return page_response(
            render(
                "page.html.j2", request, lang, page=page, principal=call.principal, form_token=view.form_token,
                undo=self._undo(view), **more,
            )
        )  # fmt: skip

    def _undo(self, view: View) -> Act | None:
        """The way back from the act that was just done, where there is one."""
        taking_back, about = self.undone_by.get(view.query.get("done", "")), view.query.get("about", "")
        if taking_back is None or not about:
            return None
        (name,) = view.operations[taking_back].in_path
        return view.act(taking_back, **{name: about})


def of_validation(error: ValidationError) -> ProblemError:
    """What was asked in an address, or filled into a form, has another form: a finding for each field."""
    found = [
        {
            "source": ".".join(map(str, each["loc"])),
            "line": None,
            "value": "" if isinstance(each.get("input"), dict | list) else str(each.get("input") or "")[:80],
            "rule": str(each["msg"]).removeprefix("Value error, "),
            "remedy": "",
        }
        for each in error.errors()
    ]
    return ProblemError(422, "form", "The call has another form.", "", "", None, found)


def _file_of(page: Page, query: Mapping[str, str]) -> Response:
    wanted = query.get("table", "")
    tables = [block for block in page.blocks if isinstance(block, Table)]
    table = next((each for each in tables if each.name == wanted), None)
    if table is None:
        raise ProblemError(
            404, "table.unknown", "There is no such table.", wanted[:80], "take the link below the table"
        )
    return as_file(table, page.title, query["file"])
