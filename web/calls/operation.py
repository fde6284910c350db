"""Operations: questions, lists and acts as functions, each declared once with its path and its command.

    contracts = Resource("contracts")

    @contracts.act("/contracts/{account}/end-of-use", command="contract end-of-use", answer=ENDS)
    def end_of_use(call: Call, account: Id) -> object: ...

The names in the path are taken from it; the other parameters of the function are the fields of the body of an act,
or of the query of a question. From their types come the checks and the OpenAPI file. `command` says who may: whoever
may give that command on the command line.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args, get_type_hints

from fastapi import APIRouter, Body, Depends, Header, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, BeforeValidator, ConfigDict, create_model

from keizoku.scheduler.cli.shared.rights import ALLOWED, TOKENS
from keizoku.web.calls.answers import answer_model, rows_of
from keizoku.web.calls.strict_json import StrictRoute
from keizoku.web.calls.uploads import Uploaded, uploaded
from keizoku.web.calls.versions import Versioned

if TYPE_CHECKING:
    from keizoku.web.calls.call import Call
    from keizoku.web.calls.lean import LeanQuestion

__all__ = ["MOST_ROWS", "Operation", "Resource"]

MOST_ROWS: Final = 200
_IN_PATH: Final = re.compile(r"\{(\w+)\}")
_DIGITS: Final = re.compile(r"-?[0-9]{1,19}")
Handler = Callable[..., Any]
Repeat = Literal["once", "again"]
FourEyes = bool | Callable[["Call", Mapping[str, Any]], bool]


@dataclass(frozen=True)
class Operation:
    """A thing that can be called: its name, where, who may, what it takes, and the function that does it."""

    name: str
    kind: Literal["question", "list", "act"]
    method: str
    path: str
    resource: str
    command: str
    handler: Handler
    in_path: Mapping[str, Any]
    fields: type[BaseModel] | None
    """The body of an act, the query of a question; None: it takes none."""
    upload: str | None = None
    """The parameter that is the file in the body."""
    repeat: Repeat = "once"
    """once: act and key are one transaction; again: a repeat after a loss does it again, which is harmless."""
    four_eyes: FourEyes = False
    """Whether it wants a second person: always, or where the function says so."""
    real_gateway: bool = False
    then: Handler | None = None
    """What follows the act, once it is committed, and again at each repeat: work that is done where it is left to do.
    It is given the call, the answer, and the arguments."""
    version: Versioned | None = None
    """Of what it is about: a question answers its ETag, an act takes If-Match."""
    lean: LeanQuestion | None = None
    """Asked very often: answered by `calls/lean.py` where nothing stands against it."""
    streams: bool = False
    member: bool = False
    """Whether a member may call it, about their own account."""
    not_by_member: tuple[str, ...] = ()
    """Fields that are for the staff: a member leaves them out."""

    def wants_second(self, call: Call, arguments: Mapping[str, Any]) -> bool:
        """Whether this call is proposed, and done when another person approves it."""
        return self.four_eyes if isinstance(self.four_eyes, bool) else self.four_eyes(call, arguments)

    @property
    def callers(self) -> tuple[str, ...]:
        """The roles that may call it, members among them."""
        return (*self.roles, "member") if self.member else self.roles

    @property
    def verb(self) -> Literal["read", "write"]:
        """Which scope it wants."""
        return "write" if self.kind == "act" else "read"

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles of the database that may call it."""
        return ("worker",) if self.with_tokens else ALLOWED[self.command]

    @property
    def with_tokens(self) -> bool:
        """Whether it uses a token of the linked service: then it runs as the login, which has the role for that."""
        return ALLOWED[self.command] == TOKENS

    def arguments(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """The handler's arguments again, from what was kept of a call."""
        read = self.fields.model_validate(content["fields"]) if self.fields is not None else None
        own = {name: getattr(read, name) for name in type(read).model_fields} if read is not None else {}
        return {**content["path"], **own}


@dataclass
class Resource:
    """The operations of one field, and the router that serves them."""

    name: str
    said: str = ""
    """What the description says of it."""
    router: APIRouter = field(init=False)
    operations: list[Operation] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.router = APIRouter(prefix="/v1", tags=[self.name], route_class=StrictRoute)

    def question(
        self,
        path: str,
        *,
        command: str,
        answer: Any,
        gateway: bool = False,
        version: Versioned | None = None,
        lean: LeanQuestion | None = None,
        member: bool = False,
    ) -> Callable[[Handler], Handler]:
        """A question: GET, answered from one session, nothing is written."""

        def declare(handler: Handler) -> Handler:
            made = self._operation(
                "question", "GET", path, command, handler, real_gateway=gateway, version=version, lean=lean,
                member=member,
            )  # fmt: skip
            self._serve(made, answer_model(answer))
            return handler

        return declare

    def stream(self, path: str, *, command: str) -> Callable[[Handler], Handler]:
        """A question that is answered on and on (text/event-stream); the function returns a `Stream`."""

        def declare(handler: Handler) -> Handler:
            self._serve(self._operation("question", "GET", path, command, handler, streams=True), None)
            return handler

        return declare

    def list(self, path: str, *, command: str, row: Any, member: bool = False) -> Callable[[Handler], Handler]:
        """A list: GET with limit and cursor; the function returns a `Listing`."""

        def declare(handler: Handler) -> Handler:
            made = self._operation("list", "GET", path, command, handler, member=member)
            self._serve(made, rows_of(row))
            return handler

        return declare

    def act(
        self,
        path: str,
        *,
        command: str,
        answer: Any,
        upload: str | None = None,
        repeat: Repeat = "once",
        four_eyes: FourEyes = False,
        then: Handler | None = None,
        version: Versioned | None = None,
        member: bool = False,
        not_by_member: tuple[str, ...] = (),
    ) -> Callable[[Handler], Handler]:
        """An act: POST with an Idempotency-Key. `four_eyes`: it is proposed, and done when another person approves.

        `then` follows the commit, at each repeat too.
        """

        def declare(handler: Handler) -> Handler:
            made = self._operation(
                "act", "POST", path, command, handler, upload=upload, repeat=repeat, four_eyes=four_eyes, then=then,
                version=version,
                member=member, not_by_member=not_by_member,
            )  # fmt: skip
            self._serve(made, answer_model(answer))
            return handler

        return declare

    def _operation(self, kind: Any, method: str, path: str, command: str, handler: Handler, **more: Any) -> Operation:
        hints = get_type_hints(handler, include_extras=True)
        parameters = list(inspect.signature(handler).parameters.values())[1:]
        names = set(_IN_PATH.findall(path))
        upload = more.get("upload")
        own = {each.name: each for each in parameters if each.name not in names and each.name != upload}
        extra: dict[str, Any] = {}
        if kind == "list":
            extra = {
                "limit": (Annotated[int, Query(ge=1, le=MOST_ROWS, description="at most this many rows")], 50),
                "cursor": (Annotated[str, Query(max_length=2000, description="`next` of the page before")], ""),
            }
        if kind != "act" or upload:
            hints = {name: _of_query(hint) for name, hint in hints.items()}
        fields: dict[str, Any] = {
            name: (hints[name], ... if each.default is inspect.Parameter.empty else each.default)
            for name, each in own.items()
        } | extra
        title = "".join(part.capitalize() for part in f"{self.name}-{handler.__name__}".replace("_", "-").split("-"))
        model = create_model(title, __config__=ConfigDict(extra="forbid"), **fields) if fields else None
        in_path = {name: hints[name] for name in _IN_PATH.findall(path)}
        made = Operation(
            f"{self.name}.{handler.__name__}", kind, method, path, self.name, command, handler, in_path, model, **more
        )
        self.operations.append(made)
        return made

    def _serve(self, made: Operation, answer: Any) -> None:
        from keizoku.web.calls.answering import answer_act, answer_question

        wanted = [inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY, annotation=Request)]
        for name, hint in made.in_path.items():
            wanted.append(_keyword(name, Annotated[hint, Path(description=_said_of(name))]))
        is_act = made.kind == "act"
        if made.fields is not None:
            where = Query() if not is_act or made.upload else Body()
            wanted.append(_keyword("fields", Annotated[made.fields, where]))
        if is_act:
            wanted.append(_keyword("idempotency_key", Annotated[str, Header(min_length=1, max_length=255)]))
        if is_act and made.version is not None:
            wanted.append(_keyword("if_match", Annotated[str | None, Header(max_length=400)], None))
        if made.upload:
            wanted.append(_keyword("file", Annotated[Uploaded, uploaded]))

        def endpoint(**given: Any) -> Response:
            return (answer_act if is_act else answer_question)(made, given)

        async def admit(request: Request) -> None:
            """Who may not is told so before the form of the call is looked at."""
            door = request.app.state.door
            await run_in_threadpool(door.admit, made, request)

        endpoint.__signature__ = inspect.Signature(wanted)  # type: ignore[attr-defined]
        endpoint.__name__ = made.handler.__name__
        endpoint.__doc__ = inspect.getdoc(made.handler)
        self.router.add_api_route(
            made.path,
            endpoint,
            methods=[made.method],
            response_model=answer,
            operation_id=made.name,
            summary=(endpoint.__doc__ or "").split("\n", 1)[0],
            status_code=202 if made.four_eyes is True else 200,
            openapi_extra=_extra_of(made),
            dependencies=[Depends(admit)],
            responses={k: v for k, v in _PROBLEMS.items() if k != 412 or (is_act and made.version is not None)},
            response_class=StreamingResponse if made.streams else JSONResponse,
        )


def _of_query(hint: Any) -> Any:
    """A whole number comes as digits there, however strict its type is about a body."""
    parts = [hint, *(part for each in get_args(hint) for part in (each, *get_args(each)))]
    return Annotated[hint, BeforeValidator(_whole_number)] if int in parts and bool not in parts else hint


def _whole_number(value: object) -> object:
    return int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value


def _keyword(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


def _said_of(name: str) -> str:
    return "the account: the host's own id of a user" if name == "account" else f"the {name.replace('_', ' ')}"


def _extra_of(made: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {
        "security": [{"key": [f"{made.resource}:{made.verb}"]}],
        "x-command": f"keizoku {made.command}",
        "x-roles": list(made.callers),
    }
    if made.streams:
        form = {"schema": {"type": "string"}}
        found["responses"] = {"200": {"description": "Events, until the end.", "content": {"text/event-stream": form}}}
    if made.upload:
        found["requestBody"] = {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    return found


class ProblemForm(BaseModel):
    """`application/problem+json` (RFC 9457); clause, remedy and findings are ours."""

    model_config = ConfigDict(extra="forbid", title="Problem")

    type: str
    title: str
    status: int
    detail: str
    clause: str | None
    remedy: str
    findings: list[dict[str, Any]]


_PROBLEM: Final = "#/components/schemas/Problem"
_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"description": said, "content": {"application/problem+json": {"schema": {"$ref": _PROBLEM}}}}
    for status, said in (
        (400, "A header is missing, or stands twice."),
        (401, "No key, or one that is not taken."),
        (403, "The key may not do this."),
        (404, "There is no such thing."),
        (409, "The rules refuse it."),
        (412, "It was changed since you looked."),
        (415, "The body is coded, or of another charset."),
        (422, "The call has another form."),
    )
}  # fmt: skip
