"""A call from its request to its answer.

    request ──> who ──> may it ──> as which role ──> the function ──> JSON
                                                       │
              an act: its key, its log row and all that it writes are one transaction (`db/act_keys.once`)

A repeat with the same key and content is given the same answer, with `Idempotency-Replayed: true`; with other content
it is refused (422); while the first one runs, too (409).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Protocol, cast, runtime_checkable

from fastapi import Request, Response
from pydantic_core import to_jsonable_python

from keizoku.db.account_reads import accounts_read
from keizoku.db.act_keys import KeyTakenError, note_said, once, said_before
from keizoku.db.locks import try_leader_lock_until_commit
from keizoku.terms.read_model import to_json as mapping_to_json
from keizoku.web.calls.call import Call, Listing, door_of, no_cursor
from keizoku.web.calls.problems import ProblemError
from keizoku.web.calls.streaming import Stream
from keizoku.web.calls.versions import check_version, held, tag_of
from keizoku.web.four_eyes import propose
from keizoku.web.identity.principal import MEMBER
from keizoku.web.request_log import Entry, write_entry

if TYPE_CHECKING:
    from keizoku.web.calls.operation import Operation


@runtime_checkable
class HasJson(Protocol):
    """What shows itself in JSON: read models, items of the work list."""

    def to_json(self) -> Mapping[str, Any]:
        """As JSON values."""


_PROPOSED: Final = {"proposal", "state", "expires_at"}
_PLAIN: Final = frozenset({str, int, bool})
BEGUN: Final = 102
"""The status in the log of an act that commits on its way, before it is done."""

__all__ = ["answer_act", "answer_question", "done", "jsonable", "perform"]


def answer_question(operation: Operation, given: Mapping[str, Any]) -> Response:
    """Answer a question or a list."""
    request: Request = given["request"]
    began, door = monotonic(), door_of(request)
    arguments = _arguments(operation, given)
    account = door.account_for(operation, request, arguments)
    headers: dict[str, str] = {}
    with accounts_read() as read, door.admitted(operation, request, account) as call:
        if operation.kind == "list":
            answer: Any = _page(operation, call, arguments)
        else:
            if operation.version is not None and call.role != MEMBER:
                # before the answer, so that what comes between is seen as a change
                headers["ETag"] = tag_of(call.session, operation.version, arguments[operation.version.in_path])
            answer = operation.handler(call, **arguments)
            if not isinstance(answer, Stream):
                answer = jsonable(answer)
    entry = Entry.of(operation, call.who, call.now, account or _about(answer, read), 200, began)
    door.log.later(entry)
    if isinstance(answer, Stream):
        return answer.response(request.headers.get("last-event-id", ""))
    return _json(answer, headers=headers)


def answer_act(operation: Operation, given: Mapping[str, Any]) -> Response:
    """Do an act, once for its key."""
    answer, status, fresh = done(operation, given)
    return _json(answer, status, {} if fresh else {"Idempotency-Replayed": "true"})


def done(operation: Operation, given: Mapping[str, Any]) -> tuple[Any, int, bool]:
    """Do an act, once for its key: (the answer, its status, whether it was done just now)."""
    request: Request = given["request"]
    began, door = monotonic(), door_of(request)
    arguments = _arguments(operation, given)
    account = door.account_for(operation, request, arguments)
    content = _content(operation, given)
    with door.admitted(operation, request, account) as call:
        second = operation.wants_second(call, arguments)

        if operation.repeat == "again" and call.principal.account is not None:  # before anything of it is committed
            write_entry(call.session, Entry.of(operation, call.who, call.now, account, BEGUN, began))
            call.session.commit()

        key = _key_of(call, given["idempotency_key"])

        def keep(answer: Any) -> None:
            note_said(call.session, key, operation.name, content, answer, call.now)
            write_entry(call.session, Entry.of(operation, call.who, call.now, account, 200, began))

        def do() -> Any:
            if operation.version is not None:
                check_version(call, operation.version, arguments[operation.version.in_path], given.get("if_match"))
            done = (
                propose(operation, call, content, account)
                if second
                else perform(operation, replace(call, keep=keep), arguments)
            )
            write_entry(call.session, Entry.of(operation, call.who, call.now, account, 202 if second else 200, began))
            return done

        with _kept_apart(operation, call, arguments):
            answer, fresh = _done_once(operation, call, key, content, do)
        if operation.then is not None and not second:
            operation.then(call, answer, **arguments)
    if call.reveal and fresh:
        answer = {**answer, **call.reveal}
    return answer, 202 if operation.four_eyes and set(answer) == _PROPOSED else 200, fresh


def _about(answer: Any, read: Collection[str]) -> str | None:
    """The one account that an answer is about, where the call named it by the number of something of theirs."""
    said = answer.get("account") if isinstance(answer, Mapping) else None
    if isinstance(said, str) and said:
        return said
    return next(iter(read)) if len(read) == 1 else None


def _kept_apart(operation: Operation, call: Call, arguments: Mapping[str, Any]) -> AbstractContextManager[None]:
    """An act of one transaction keeps others away by itself; one that commits on the way has to be told to."""
    if operation.version is None or operation.repeat == "once":
        return nullcontext()
    return held(call.session, operation.version, arguments[operation.version.in_path])


def perform(operation: Operation, call: Call, arguments: Mapping[str, Any]) -> Any:
    """What the act's function returns, as JSON holds it."""
    return jsonable(operation.handler(call, **arguments))


def _key_of(call: Call, written: str) -> str:
    """A key of one caller's own."""
    told = f"{call.principal.whose}\n{written}"
    return f"http:{hashlib.sha256(told.encode()).hexdigest()}"


def _done_once(operation: Operation, call: Call, key: str, content: Mapping[str, Any], do: Any) -> tuple[Any, bool]:
    """(the answer, whether it was done just now)."""
    fresh = False

    def act() -> Any:
        nonlocal fresh
        answer = do()
        fresh = True
        return answer

    session = call.session
    if not try_leader_lock_until_commit(session, key):
        raise ProblemError(
            409,
            "idempotency.running",
            "The act with this key is under way.",
            "a call with the same Idempotency-Key has not ended yet",
            "ask again in a second",
            headers={"Retry-After": "1"},
        )
    try:
        if operation.repeat == "again":
            found = said_before(session, key, operation.name, content)
            if found is not None:
                return found[0], False
            answer = act()
            return once(session, key, operation.name, content, lambda: answer, call.now), True
        return once(session, key, operation.name, content, act, call.now), fresh
    except KeyTakenError as error:
        raise ProblemError(
            422,
            "idempotency.other_content",
            "The key stands for another call.",
            f"Idempotency-Key: {error}",
            "use a new key for a new act",
        ) from None


def _page(operation: Operation, call: Call, arguments: dict[str, Any]) -> Any:
    limit, cursor = arguments.pop("limit"), arguments.pop("cursor")
    listing = cast("Listing", operation.handler(call, **arguments))
    rows = listing.read(limit + 1, _read_cursor(cursor))
    more = len(rows) > limit
    shown = rows[:limit]
    return {
        "data": [jsonable(row) for row in shown],
        "next": _cursor(listing.name(shown[-1])) if more else None,
    }


def _cursor(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> str:
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (ValueError, UnicodeDecodeError):
        raise no_cursor(cursor) from None


def jsonable(answer: Any) -> Any:
    """An answer as JSON values: read models by their own form, days and instants in ISO form."""
    if answer is None or type(answer) in _PLAIN:
        return answer
    if isinstance(answer, HasJson):
        return jsonable(answer.to_json())
    if isinstance(answer, Mapping):
        return {key: jsonable(value) for key, value in mapping_to_json(answer).items()}
    if isinstance(answer, list | tuple) and not hasattr(answer, "_fields"):
        return [jsonable(each) for each in answer]
    return to_jsonable_python(answer)


def _arguments(operation: Operation, given: Mapping[str, Any]) -> dict[str, Any]:
    fields = given.get("fields")
    own = {name: getattr(fields, name) for name in type(fields).model_fields} if fields is not None else {}
    named = {name: given[name] for name in operation.in_path}
    if operation.upload:
        named[operation.upload] = given["file"]
    return {**named, **own}


def _content(operation: Operation, given: Mapping[str, Any]) -> dict[str, Any]:
    """All that makes a call what it is, as JSON holds it."""
    fields = given.get("fields")
    content: dict[str, Any] = {
        "path": {name: to_jsonable_python(given[name]) for name in operation.in_path},
        "fields": fields.model_dump(mode="json") if fields is not None else {},
    }
    if operation.upload:
        content["file"] = given["file"].sha256
    return content


def _json(answer: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status, headers, "application/json")
