"""The short way for questions that are asked very often: whether a user may come in now.

    GET /v1/accounts/u1001/access ──> the key is known, its role may, the id is good ──> one statement, with the others
                                           │ anything else                               that come in at this moment
                                           └──> the long way, which has every answer

What is asked here is what the long way would ask: the same rights, the same rows, the same function that answers, the
log of requests. Only what costs time and changes no answer is left out: routing, forms, threads, and what an act is
checked by. A key is known once the long way has taken it; whether it was ended since is asked by the statement itself,
so an ended key is refused from the moment on at which its end is committed.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from anyio import to_thread
from starlette.types import ASGIApp, Receive, Scope, Send

from keizoku.limits import LONGEST_ID, id_flaw
from keizoku.web.calls.asked_together import AskedTogether
from keizoku.web.calls.problems import ProblemError
from keizoku.web.identity.keys import digest_of
from keizoku.web.request_log import Entry

if TYPE_CHECKING:
    from keizoku.terms.rules import Rules
    from keizoku.web.calls.operation import Operation
    from keizoku.web.door import Door
    from keizoku.web.identity.principal import Principal, Role

    _Asked = tuple[Operation, str, Principal, Role]

__all__ = ["Lean", "LeanCall", "LeanFirst", "LeanQuestion"]

MOST_ROLES_KEPT: Final = 1_000
_IN_PATH: Final = re.compile(r"\\\{(\w+)\\\}")
_TRIED: Final = "keizoku.lean"
_written = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True)
class LeanQuestion:
    """A question about one account that the short way can ask: what the operation's own function does, in two parts."""

    query: str
    """SQL: at most one row of the account `asked.account`."""
    answer: Callable[[Rules, datetime, str, Any], dict[str, Any]]
    """(rules, now, account, the row or None) -> the answer, of plain JSON values."""

    @property
    def statement(self) -> str:
        """For many at once, each with the number of the key that asks."""
        return (
            "SELECT EXISTS (SELECT FROM api_key_end WHERE key_id = asked.key_id) AS key_ended, found.* "  # noqa: S608
            "FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS asked (account, key_id, place) "
            f"LEFT JOIN LATERAL (SELECT true AS is_there, one.* FROM ({self.query}) one) found ON true "
            "ORDER BY asked.place"
        )


@dataclass(slots=True)
class LeanCall:
    """A question that was put to the database."""

    door: Door
    operation: Operation
    account: str
    who: tuple[Principal, Role]
    now: datetime
    began: float
    row: asyncio.Future[Any]

    def answer(self, row: Any) -> bytes | None:
        """The answer by its row; None where anything is wrong: the long way says what."""
        question = self.operation.lean
        if question is None or row is None or row.key_ended:
            return None
        try:
            told = question.answer(self.door.rules, self.now, self.account, row if row.is_there else None)
        except Exception:
            return None
        self.door.log.later(Entry.of(self.operation, self.who, self.now, self.account, 200, self.began))
        return _written(told).encode()


class Lean:
    """The short way of a door."""

    def __init__(self, door: Door, operations: Iterable[Operation], headers: dict[str, str]) -> None:
        self._door = door
        self._ways = [
            (re.compile("/v1" + _IN_PATH.sub(r"(?P<\1>[^/]+)", re.escape(each.path))), each)
            for each in operations
            if each.lean is not None
        ]
        self._roles: dict[tuple[int | None, str], tuple[Principal, Role | None]] = {}
        self._questions: dict[tuple[str, Role], AskedTogether] = {}
        self.headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        """Of every answer."""
        self.headers.append((b"content-type", b"application/json"))
        door.at_close(self._close)

    def begin(self, scope: Scope) -> LeanCall | None:
        """The question, put to the database; None: it is not to be answered here."""
        found = self._asked(scope)
        if found is None or scope.get(_TRIED):
            return None
        scope[_TRIED] = True
        operation, account, principal, role = found
        began, now = monotonic(), self._door.clock()
        row = self._together(operation, role).ask(account, principal.key or 0)
        return LeanCall(self._door, operation, account, (principal, role), now, began, row)

    def _asked(self, scope: Scope) -> _Asked | None:
        """(what is asked, of which account, by whom, as which role); None: not to be answered here."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope["query_string"]:
            return None
        path = scope["path"]
        if b"%2f" in scope.get("raw_path", b"").lower():  # a slash of an id: the long way knows it from one of the path
            return None
        for pattern, operation in self._ways:
            way = pattern.fullmatch(path)
            if way is not None:
                return self._of_known(operation, way[1], scope)
        return None

    def _of_known(self, operation: Operation, account: str, scope: Scope) -> _Asked | None:
        if len(account) > LONGEST_ID or id_flaw(account) is not None or "\ufffd" in account:
            return None
        said = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(said) != 1 or said[0][:7].lower() != b"bearer ":
            return None
        principal = self._door.key_known(digest_of(said[0][7:].strip().decode("latin-1")))
        if principal is None:
            return None
        role = self._role_of(principal, operation)
        return None if role is None else (operation, account, principal, role)

    def _role_of(self, principal: Principal, operation: Operation) -> Role | None:
        """As which role it is asked; None: that is not so plain. Worked out once for a key."""
        kept = self._roles.get((principal.key, operation.name))
        if kept is None or kept[0] is not principal:
            try:
                role = None if principal.account is not None else self._door.role_of(principal, operation)
            except ProblemError:
                role = None
            if len(self._roles) >= MOST_ROLES_KEPT:
                self._roles.clear()
            kept = self._roles[principal.key, operation.name] = principal, role
        return kept[1]

    def _together(self, operation: Operation, role: Role) -> AskedTogether:
        found = self._questions.get((operation.name, role))
        if found is None:
            statement = operation.lean.statement if operation.lean is not None else ""
            found = AskedTogether(lambda: self._door.lean_connection(role), statement)
            self._questions[operation.name, role] = found
        return found

    def _close(self) -> None:
        for question in self._questions.values():
            question.close()


class LeanFirst:
    """ASGI middleware, before all others: for a server that has no way of its own to `Lean` (`web/protocol.py` has)."""

    def __init__(self, app: ASGIApp, lean: Lean, threads: int) -> None:
        self.app, self._lean, self._threads = app, lean, threads
        self._limited = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer it, or pass it on."""
        if not self._limited:  # a thread that waits for a connection holds none: as many threads as are kept open
            self._limited = True
            to_thread.current_default_thread_limiter().total_tokens = self._threads
        asked = self._lean.begin(scope)
        answer = asked.answer(await asked.row) if asked is not None else None
        if answer is None:
            await self.app(scope, receive, send)
            return
        headers = [*self._lean.headers, (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})
