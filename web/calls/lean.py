"""The short way for questions that are asked very often: whether a user may come in now.

    GET /v1/accounts/u1001/access ──> the key is known, its role may, the id is good ──> a thread, one statement
                                           │ anything else
                                           └──> the long way, which has every answer

What is asked here is what the long way would ask: the same operation, its function, the role's own connections, the log
of requests. Only what costs time and changes no answer is left out: routing, forms, and what an act is checked by. A
key that was ended is taken for the five seconds that it is taken everywhere.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Final

from anyio import to_thread
from starlette.types import ASGIApp, Receive, Scope, Send

from keizoku.limits import LONGEST_ID, id_flaw
from keizoku.web.calls.answering import jsonable
from keizoku.web.calls.call import Call
from keizoku.web.calls.problems import ProblemError
from keizoku.web.identity.keys import digest_of
from keizoku.web.request_log import Entry

if TYPE_CHECKING:
    from keizoku.web.calls.operation import Operation
    from keizoku.web.door import Door
    from keizoku.web.identity.principal import Principal, Role

    _Asked = tuple[Operation, str, Principal, Role]

__all__ = ["Lean"]

THREADS: Final = 4
"""A bare pool answers twice as much with four threads as with sixteen: they wait for each other in Python."""
_IN_PATH: Final = re.compile(r"\\\{(\w+)\\\}")


class Lean:
    """ASGI middleware, before all others."""

    def __init__(self, app: ASGIApp, door: Door, operations: Iterable[Operation], headers: dict[str, str]) -> None:
        self.app, self._door = app, door
        self._ways = [
            (re.compile("/v1" + _IN_PATH.sub(r"(?P<\1>[^/]+)", re.escape(each.path))), each)
            for each in operations
            if each.lean
        ]
        self._limited = False
        self._threads = ThreadPoolExecutor(min(THREADS, door.pool), "lean")
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        self._headers.append((b"content-type", b"application/json"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer it, or pass it on."""
        if not self._limited:  # a thread that waits for a connection holds none: as many threads as are kept open
            self._limited = True
            to_thread.current_default_thread_limiter().total_tokens = self._door.pool
        found = self._asked(scope)
        answer = None
        if found is not None:
            answer = await asyncio.get_running_loop().run_in_executor(self._threads, partial(self._answer, *found))
        if answer is None:
            await self.app(scope, receive, send)
            return
        headers = [*self._headers, (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def _asked(self, scope: Scope) -> _Asked | None:
        """(what is asked, of which account, by whom, as which role); None: not to be answered here."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope["query_string"]:
            return None
        path = scope["path"]
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
        principal = self._door.holder_kept(digest_of(said[0][7:].strip().decode("latin-1")))
        if principal is None or principal.account is not None:
            return None
        try:
            return operation, account, principal, self._door.role_of(principal, operation)
        except ProblemError:
            return None

    def _answer(self, operation: Operation, account: str, principal: Principal, role: Role) -> bytes | None:
        """The answer; None where anything goes wrong: the long way says what."""
        door, began = self._door, monotonic()
        now = door.clock()
        with suppress(Exception), door.reading(role) as services:
            call = Call(principal, role, now, services, door.settings, door.jobs)
            answer = jsonable(operation.handler(call, account))
            door.log.later(Entry.of(operation, (principal, role), now, account, 200, began))
            return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()
        return None
