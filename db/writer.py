"""Background writers: a chunk is written on a connection of its own while the next one is being decided.

    decide 1 │ decide 2 │ decide 3 │
             │ write 1  │ write 2  │ write 3          begun in order; with one writer also done in order

The server is another process and needs time for rows, keys and commits. The code that decides does not wait for it.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from queue import SimpleQueue
from types import TracebackType
from typing import Final

import sqlalchemy as sa

from keizoku.db.act_keys import is_rehearsed
from keizoku.db.session import Session

Write = Callable[[Session], int]
"""Writes a chunk on the session passed to it and commits; returns the rows written."""

WRITERS: Final = 2
"""Writers where chunks do not depend on each other: the server needs about twice as long as the engine."""


class BackgroundWriter:
    """Writes chunks for a session, at most `writers` at the same time.

    An error of a chunk is raised by a later call, and no further chunk is begun. Up to `ahead` chunks are waiting or
    being written. The connections carry the session's name (`application_name`), so whoever ends the sessions of
    that name ends these too.
    """

    def __init__(self, session: Session, writers: int = 1, ahead: int = 1) -> None:
        self._ahead = ahead
        self._idle: SimpleQueue[Session] = SimpleQueue()
        name = session.execute(sa.text("SELECT current_setting('application_name')")).scalar_one()
        with ExitStack() as opened:
            for _ in range(writers):
                own = opened.enter_context(session.engine.connect())
                own.execute(sa.text("SELECT set_config('application_name', :name, false)"), {"name": name})
                own.commit()
                self._idle.put(own)
            session.execute(sa.text("SELECT 1"))  # one that was ended before the others had its name ends here
            self._connections = opened.pop_all()
        self._threads = ThreadPoolExecutor(writers, "background-writer")
        self._at_work: deque[Future[int]] = deque()
        self._failed = False

    def submit(self, work: Write, on: Session | None = None) -> int:
        """Queue a chunk for one of its own sessions, or for `on`; returns the rows of the chunks it waited for."""
        written = self._wait_for(0 if self._failed else self._ahead - 1)
        self._at_work.append(self._threads.submit(self._write, work, on))
        return written

    def wait(self) -> int:
        """Wait until nothing is being written; returns the rows of the chunks it waited for."""
        return self._wait_for(0)

    def idle(self) -> Session:
        """Wait for a session on which nothing is being written; it is the caller's until submitted again."""
        session = self._idle.get()
        if self._failed:
            self.wait()  # raises what that chunk raised: nothing more can be done on its session
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
        """Write what was queued, even after an error or Ctrl-C of the caller.

        Nothing else may use a session while a chunk is written on it, so a second Ctrl-C waits for that too.
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
    """Alternating connections: each writes what it has read and locked, while the next chunk is read on another.

        with AlternatingSessions(session) as sessions:
            facts = load(sessions.free)
            sessions.write(partial(save, decide(facts)), last=False)    begun; sessions.free is now another
            …
            sessions.wait()

    A single chunk is written on the session itself, without a further connection; with `alone`, and in a rehearsal,
    every chunk is.
    """

    def __init__(self, session: Session, *, alone: bool = False) -> None:
        self.free = session
        self._alone = alone or is_rehearsed(session)
        self._writer: BackgroundWriter | None = None

    def write(self, work: Write, *, last: bool) -> int:
        """Begin to write on `free`; returns the rows known to be written by now."""
        if self._writer is None:
            if last or self._alone:
                return work(self.free)
            self._writer = BackgroundWriter(self.free, WRITERS, WRITERS)
        written = self._writer.submit(work, self.free)
        self.free = self._writer.idle()
        return written

    def wait(self) -> int:
        """Wait until everything is written; returns the rows of the last chunks."""
        return self._writer.wait() if self._writer is not None else 0

    def __enter__(self) -> "AlternatingSessions":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._writer is not None:
            self._writer.__exit__(kind, error, at)
