"""A second hand: what was decided is written on a connection of its own while the next is being decided.

    decide 1 │ decide 2 │ decide 3 │
             │ write 1  │ write 2  │ write 3          one after the other, in order, one ahead at most

The server is another process and takes its time for rows, keys and commits; the one who decides needs not wait.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from types import TracebackType

import sqlalchemy as sa

from db.session import Session


class SecondHand:
    """Writes for a session, in order, one piece of work at a time. What a piece raises, the next call raises.

    Its connection goes by the session's name (`application_name`): who ends the sessions of that name ends both.
    """

    def __init__(self, session: Session) -> None:
        self._stack = ExitStack()
        self._session = self._stack.enter_context(session.engine.connect())
        name = session.execute(sa.text("SELECT current_setting('application_name')")).scalar_one()
        self._session.execute(sa.text("SELECT set_config('application_name', :name, false)"), {"name": name})
        self._session.commit()
        session.execute(sa.text("SELECT 1"))  # one that was ended before the other had its name ends here
        self._thread = self._stack.enter_context(ThreadPoolExecutor(1, "second-hand"))
        self._at_work: Future[int] | None = None

    def hand(self, work: Callable[[Session], int]) -> int:
        """Begin with it once the piece before is done; the rows that that one wrote."""
        written = self.wait()
        self._at_work = self._thread.submit(work, self._session)
        return written

    def wait(self) -> int:
        """Until nothing is being written; the rows of the last piece."""
        at_work, self._at_work = self._at_work, None
        return at_work.result() if at_work is not None else 0

    def __enter__(self) -> "SecondHand":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()
