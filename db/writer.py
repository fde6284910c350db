"""Further hands: what was decided is written on connections of their own while the next is being decided.

    decide 1 │ decide 2 │ decide 3 │
             │ write 1  │ write 2  │ write 3          begun in order; with one hand also done in order

The server is another process and takes its time for rows, keys and commits; the one who decides needs not wait.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from queue import SimpleQueue
from types import TracebackType
from typing import Final

import sqlalchemy as sa

from keizoku.db.session import Session

Write = Callable[[Session], int]
"""Writes and commits a piece on the session it is given; the rows it wrote."""

WRITERS: Final = 2
"""How many write at once where the pieces do not wait for each other: the server's time is about twice the engine's."""


class BackgroundWriter:
    """Writes for a session, one piece of work at a time, or `hands` at a time.

    What a piece raises, a later call raises, and after it none is begun. Up to `ahead` pieces wait or are being
    written. Its connections go by the session's name (`application_name`): who ends the sessions of that name ends all.
    """

    def __init__(self, session: Session, hands: int = 1, ahead: int = 1) -> None:
        self._ahead = ahead
        self._idle: SimpleQueue[Session] = SimpleQueue()
        name = session.execute(sa.text("SELECT current_setting('application_name')")).scalar_one()
        with ExitStack() as opened:
            for _ in range(hands):
                own = opened.enter_context(session.engine.connect())
                own.execute(sa.text("SELECT set_config('application_name', :name, false)"), {"name": name})
                own.commit()
                self._idle.put(own)
            session.execute(sa.text("SELECT 1"))  # one that was ended before the others had its name ends here
            self._connections = opened.pop_all()
        self._threads = ThreadPoolExecutor(hands, "second-hand")
        self._at_work: deque[Future[int]] = deque()
        self._failed = False

    def hand(self, work: Write, on: Session | None = None) -> int:
        """Take a piece, to be written on one of its own sessions or on `on`; the rows of those waited for."""
        written = self._wait_for(0 if self._failed else self._ahead - 1)
        self._at_work.append(self._threads.submit(self._write, work, on))
        return written

    def wait(self) -> int:
        """Until nothing is being written; the rows of the pieces waited for."""
        return self._wait_for(0)

    def idle(self) -> Session:
        """A session that nothing is being written on, once there is one: for whom it is now, until handed in again."""
        session = self._idle.get()
        if self._failed:
            self.wait()  # raises what that piece raised: nothing more can be done on its session
        return session

    def _wait_for(self, left: int) -> int:
        written = 0
        while len(self._at_work) > left:
            written += self._at_work.popleft().result()
        return written

    def _write(self, work: Write, on: Session | None) -> int:
        session = self._idle.get() if on is None else on
        done = False
        try:
            written = 0 if self._failed else work(session)
            done = not self._failed
        except BaseException:
            self._failed = True
            raise
        finally:
            if not done:
                with suppress(Exception):
                    session.rollback()  # or others of this night would wait for its locks, and we for them
            self._idle.put(session)
        return written

    def __enter__(self) -> "BackgroundWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """What was taken is still written, also after an error or Ctrl-C of the one who hands over.

        Nobody else may touch a session while a piece is written on it: a second Ctrl-C waits for that, too.
        """
        interrupted: KeyboardInterrupt | None = None
        with self._connections:
            while True:
                try:
                    self._threads.shutdown(wait=True)
                    break
                except KeyboardInterrupt as again:
                    interrupted = again
        if interrupted is not None:
            raise interrupted


class AlternatingSessions:
    """Connections in turn: what one has read and locked it also writes, while the next is read on another.

        with Turns(session) as turns:
            facts = load(turns.free)
            turns.write(partial(save, decide(facts)), last=False)      begun; turns.free is now another
            …
            turns.wait()

    One piece alone needs no further connection and gets none, and `alone` nothing does.
    """

    def __init__(self, session: Session, *, alone: bool = False) -> None:
        self.free = session
        self._alone = alone
        self._writer: BackgroundWriter | None = None

    def write(self, work: Write, *, last: bool) -> int:
        """Begin to write on `free`; the rows that are known to be written by now."""
        if self._writer is None:
            if last or self._alone:
                return work(self.free)
            self._writer = BackgroundWriter(self.free, WRITERS, WRITERS)
        written = self._writer.hand(work, self.free)
        self.free = self._writer.idle()
        return written

    def wait(self) -> int:
        """Until all is written; the rows of the last pieces."""
        return self._writer.wait() if self._writer is not None else 0

    def __enter__(self) -> "AlternatingSessions":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._writer is not None:
            self._writer.__exit__(kind, error, at)
