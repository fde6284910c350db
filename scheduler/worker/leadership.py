"""One worker leads: who holds an advisory lock of PostgreSQL, on a connection that is watched from both ends.

    worker A   |== holds the lock ==x            x: it died, it stands still, or its connection is gone
    worker B   |-- asks every few seconds --|== holds the lock; A's jobs are cut off ==

Always holds:
- the lock goes with the connection. The server ends it when the process ends, when the network does (keepalives on
  both sides), and when the leader says nothing for the length of its lease (it was stopped, or hangs);
- the leader's own lease ends before the server's patience: it counts from before its last question, on a clock that
  goes on while the process stands still. A leader that was stopped knows on its first step that it leads no more;
- who takes the lead ends the sessions in which others' jobs write. What they had not committed is rolled back, and
  they cannot write another row.
"""

from collections.abc import Callable
from contextlib import suppress
from threading import RLock
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from keizoku.billing.gateway.limiter import awake_or_not
from keizoku.db.session import DatabaseError, Session, make_engine, try_leader_lock

LOCK = "worker"
LEASE_SECONDS: Final = 30.0
"""With a heartbeat of 5 s another leads within a minute, whatever became of the first."""

KEEPALIVES = {
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
_SERVER_SIDE = sa.text(
    "SELECT set_config('tcp_keepalives_idle', '10', false), set_config('tcp_keepalives_interval', '5', false), "
    "set_config('tcp_keepalives_count', '3', false), set_config('idle_session_timeout', :lease, false), "
    "set_config('idle_in_transaction_session_timeout', :lease, false)"
)
_JOBS = sa.func.concat(
    "keizoku job ", sa.func.to_hex(sa.func.hashtext(sa.cast(sa.func.current_schema(), sa.Text))), " "
)
_OURS = sa.func.concat(_JOBS, sa.bindparam("worker", type_=sa.Text))
_MARK = sa.select(sa.func.set_config("application_name", _OURS, False))
_ACTIVITY = sa.table("pg_stat_activity", *map(sa.column, ("pid", "datname", "usename", "application_name")))
_CUT_OFF = (
    sa.select(sa.func.count().filter(sa.func.pg_terminate_backend(_ACTIVITY.c.pid, 5_000)))
    .where(_ACTIVITY.c.datname == sa.func.current_database(), _ACTIVITY.c.usename == sa.text("current_user"))
    .where(sa.func.starts_with(_ACTIVITY.c.application_name, _JOBS), _ACTIVITY.c.application_name != _OURS)
)
"""Of logins that may see and end each other's sessions: all workers use the same."""


class NotLeadingError(Exception):
    """This worker does not lead, or leads no more: it writes nothing."""


def watched_engine(url: sa.URL, schema: str | None = None) -> sa.Engine:
    """An engine whose connections are found dead within half a minute, by the client and by the server."""
    return make_engine(url.update_query_dict({k: v for k, v in KEEPALIVES.items() if k not in url.query}), schema)


class Leadership:
    """Whether this process leads. `connect` opens a watched connection; `worker` is this worker's id."""

    def __init__(
        self,
        connect: Callable[[], Session],
        worker: str = "",
        lease_seconds: float = LEASE_SECONDS,
        clock: Callable[[], float] = awake_or_not,
    ) -> None:
        self._connect = connect
        self._worker = worker or f"{id(self):x}"
        self._lease = lease_seconds
        self._clock = clock
        self._session: Session | None = None
        self._holds = False
        self._until = 0.0
        self._one_at_a_time = RLock()  # the heart asks, and so does every job as it begins
        self.reachable = False  # the database answered the last time it was asked
        self.taken = 0  # how often the lead was taken
        self.cut_off = 0  # sessions of others' jobs that were ended when the lead was taken

    @property
    def leads(self) -> bool:
        """What the last question said, while its lease lasts."""
        return self._holds and self._clock() < self._until

    def ask(self) -> bool:
        """Ask the database: is the connection alive, and is the lock ours? Never raises for a lost database.

        A connection that turns out to be lost is made anew at once.
        """
        with self._one_at_a_time:
            had = self._session is not None
            if not self._asked() and had:
                self._asked()
            return self.leads

    def let_in(self, session: Session) -> None:
        """Mark a job's session as one that may be cut off, then make sure that we lead. Raises NotLeadingError.

        In this order: who takes the lead before the mark has ended our connection, which the question finds; who takes
        it after the mark ends the session.
        """
        session.execute(_MARK, {"worker": self._worker})
        session.commit()
        with self._one_at_a_time:
            if not (self._holds and self._asked()):
                raise NotLeadingError("this worker leads no more")

    def give_up(self) -> None:
        """Lead no more; the lock goes with the connection."""
        with self._one_at_a_time:
            self._holds = False
            session, self._session = self._session, None
            if session is not None:
                with suppress(Exception):
                    session.close()

    def _asked(self) -> bool:
        """Whether the database answered; then `_holds` is as it said, from before the question for a lease."""
        began = self._clock()
        try:
            if self._session is None:
                self._session = self._connect()
                self._session.execute(_SERVER_SIDE, {"lease": f"{round(self._lease * 1000)}ms"})
                self._session.commit()
            if self._holds:
                self._session.exec_driver_sql("SELECT 1")
            elif try_leader_lock(self._session, LOCK):
                self._holds = True
                self.taken += 1
                self.cut_off = self._session.execute(_CUT_OFF, {"worker": self._worker}).scalar_one()
            self._session.commit()
        except (DBAPIError, DatabaseError):
            self.give_up()
            self.reachable = False
        else:
            self._until = began + self._lease
            self.reachable = True
        return self.reachable
