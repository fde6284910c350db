"""One small question of very many callers of an event loop: those that come while another is answered go as one.

    a question ──> a connection is free: it is sent as soon as the loop has read what else came in
               └─> none is: it waits, and goes with all that wait, in one statement and one way there and back

The statement gets an array for each value of a question and returns one row for each question, in their order (`unnest
… WITH ORDINALITY … ORDER BY`). It is asked through libpq itself, without a thread: a cursor would cost more than the
answer.
"""

from __future__ import annotations

import asyncio
from collections import deque, namedtuple
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.adapt import Transformer
from psycopg.pq import ExecStatus

from keizoku.db.session import Session, plain_array, psycopg_of, text_array

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn

__all__ = ["AskedTogether"]

LANES: Final = 2
"""Connections: the server answers on one while this process reads the answers of the other."""
MOST: Final = 64
"""Questions in one statement."""
WITHIN_S: Final = 10.0
"""A connection that says nothing for so long is given up."""
_NAME: Final = b"asked_together"
_GENERIC: Final = "SET plan_cache_mode = force_generic_plan"  # planned once: planning takes longer than the answer

_named: Any = namedtuple  # the columns are known when the first answer comes
_Waiting = tuple[tuple[str | int, ...], "asyncio.Future[Any]"]


class AskedTogether:
    """The question of a statement. `connect` opens a connection, in a thread."""

    def __init__(self, connect: Callable[[], Session], statement: str, lanes: int = LANES) -> None:
        self._connect, self._statement, self._lanes = connect, statement.encode(), lanes
        self._row: Callable[[Sequence[Any]], Any] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: deque[_Waiting] = deque()
        self._open: set[_Lane] = set()
        self._free: list[_Lane] = []
        self._opening = 0
        self._called = False

    def ask(self, *values: str | int) -> asyncio.Future[Any]:
        """The row that answers, its values by their columns' names.

        None where there is none: ask in another way, which says why.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self.close()
            self._loop = loop
        answer: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((values, answer))
        if not self._called and (self._free or len(self._open) + self._opening < self._lanes):
            self._called = True
            loop.call_soon(self._go_on)
        return answer

    def close(self) -> None:
        """Let the connections go; nobody waits any more."""
        for lane in tuple(self._open):
            lane.close()
        self._open.clear()
        self._free.clear()
        self._waiting.clear()
        self._opening, self._called, self._loop = 0, False, None

    def _go_on(self) -> None:
        """Send what waits, or open a connection for it."""
        self._called = False
        while self._waiting and self._free:
            lane = self._free.pop()
            lane.send([self._waiting.popleft() for _ in range(min(len(self._waiting), MOST))])
        if self._waiting and len(self._open) + self._opening < self._lanes and self._loop is not None:
            self._opening += 1
            self._loop.create_task(self._opened(self._loop))

    async def _opened(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            session = await loop.run_in_executor(None, self._prepared)
        except Exception:
            lane = None
        else:
            lane = _Lane(self, loop, session)
        if loop is not self._loop:
            if lane is not None:
                lane.close()
            return
        self._opening -= 1
        if lane is not None:
            self._open.add(lane)
            self.is_free(lane)
        elif not self._open:
            while self._waiting:
                _give(self._waiting.popleft()[1], None)

    def _prepared(self) -> Session:
        session = self._connect()
        try:
            session.exec_driver_sql(_GENERIC)
            session.commit()
            done = psycopg_of(session).pgconn.prepare(_NAME, self._statement)
            if done.status != ExecStatus.COMMAND_OK:
                raise psycopg.DatabaseError(done.error_message.decode(errors="replace"))
        except BaseException:
            session.close()
            raise
        return session

    def is_free(self, lane: _Lane) -> None:
        """A connection has answered."""
        self._free.append(lane)
        self._go_on()

    def is_gone(self, lane: _Lane) -> None:
        """A connection is closed; another is opened for those who wait."""
        self._open.discard(lane)
        if lane in self._free:
            self._free.remove(lane)
        self._go_on()

    def rows_of(self, result: Any, connection: psycopg.Connection[Any]) -> list[Any]:
        """The rows of a result."""
        if self._row is None:
            names = [(result.fname(place) or b"").decode() for place in range(result.nfields)]
            self._row = _named("Row", names)._make
        read = Transformer(connection)
        read.set_pgresult(result)
        return read.load_rows(0, result.ntuples, self._row)


class _Lane:
    """A connection; one statement is under way on it, or none."""

    def __init__(self, whose: AskedTogether, loop: asyncio.AbstractEventLoop, session: Session) -> None:
        self._whose, self._loop, self._session = whose, loop, session
        self._connection = psycopg_of(session)
        self._pgconn: PGconn = self._connection.pgconn
        self._asked: list[_Waiting] = []
        self._results: list[Any] = []
        self._gives_up: asyncio.TimerHandle | None = None
        self._socket = self._pgconn.socket
        loop.add_reader(self._socket, self._readable)

    def send(self, asked: list[_Waiting]) -> None:
        """Ask these questions."""
        self._asked = asked
        columns = zip(*(values for values, _ in asked), strict=True)
        try:
            given = [_array(column).encode() for column in columns]
            self._pgconn.send_query_prepared(_NAME, given)
        except (psycopg.Error, UnicodeError):
            self._fail()
            return
        self._gives_up = self._loop.call_later(WITHIN_S, self._fail)

    def close(self) -> None:
        """End the connection; the questions under way have no answer."""
        if not self._loop.is_closed():
            self._loop.remove_reader(self._socket)  # also where libpq has closed it: the next one has its number
        self._session.invalidate()
        with suppress(Exception):
            self._session.close()
        if self._gives_up is not None:
            self._gives_up.cancel()
        asked, self._asked = self._asked, []
        if not self._loop.is_closed():
            for _, answer in asked:
                _give(answer, None)

    def _readable(self) -> None:
        try:
            self._pgconn.consume_input()
            while not self._pgconn.is_busy():
                result = self._pgconn.get_result()
                if result is None:
                    break
                self._results.append(result)
            else:
                return
        except psycopg.Error:
            self._fail()
            return
        if self._asked:
            self._answered()

    def _answered(self) -> None:
        results, self._results = self._results, []
        if self._gives_up is not None:
            self._gives_up.cancel()
        try:
            good = len(results) == 1 and results[0].status == ExecStatus.TUPLES_OK
            rows = self._whose.rows_of(results[0], self._connection) if good else []
        except (psycopg.Error, ValueError):
            rows = []
        if len(rows) != len(self._asked):  # also where tables changed under it: a new connection prepares it anew
            self._fail()
            return
        asked, self._asked = self._asked, []
        self._whose.is_free(self)
        for (_, answer), row in zip(asked, rows, strict=True):
            _give(answer, row)

    def _fail(self) -> None:
        self.close()
        self._whose.is_gone(self)


def _array(values: Sequence[str | int]) -> str:
    """As PostgreSQL reads it; all of one kind."""
    if isinstance(values[0], str):
        return text_array([str(each) for each in values])
    return plain_array(int(each) for each in values)


def _give(answer: asyncio.Future[Any], row: Any) -> None:
    if not answer.done():  # whoever asked may be gone
        answer.set_result(row)
