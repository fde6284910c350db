"""One worker leads: the one that holds an advisory lock of PostgreSQL, on a connection watched from both ends.

    worker A   |== holds the lock ==x            x: it died, it hangs, or its connection is gone
    worker B   |-- tries every few seconds --|== holds the lock; A's jobs are cut off ==

Always holds:
- the lock ends with the connection. The server closes it when the process ends, when the network fails (keepalives on
  both sides), and when the leader is silent for the length of its lease (it was stopped, or hangs);
- the leader's own lease ends before the server's timeout: it counts from before its last request, on a clock that goes
  on while the process is stopped. A leader that was stopped finds at its first step that it no longer leads;
- a worker that takes the lead ends the sessions in which other workers' jobs write. What they had not committed is
  rolled back, and they cannot write another row.
"""

from collections.abc import Callable
from contextlib import suppress
from threading import RLock
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from keizoku.db.locks import try_leader_lock
from keizoku.db.session import DatabaseError, Session, make_engine
from keizoku.pacing import awake_or_not

LOCK = "worker"
LEASE_SECONDS: Final = 30.0
"""With a heartbeat of 5 s another worker leads within a minute, whatever happened to the first."""

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
_NAME_AS_OURS = sa.select(sa.func.set_config("application_name", _OURS, False))
_ACTIVITY = sa.table(
    "pg_stat_activity", *map(sa.column, ("pid", "datname", "usename", "application_name", "wait_event_type"))
)
_CUT_OFF = (
    sa.select(sa.func.count().filter(sa.func.pg_terminate_backend(_ACTIVITY.c.pid, 5_000)))
    .where(_ACTIVITY.c.datname == sa.func.current_database(), _ACTIVITY.c.usename == sa.text("current_user"))
    .where(sa.func.starts_with(_ACTIVITY.c.application_name, _JOBS), _ACTIVITY.c.application_name != _OURS)
)
"""Needs logins that may see and end each other's sessions: all workers use the same one."""
_BREAK_WAITS = (
    sa.select(sa.func.count().filter(sa.func.pg_cancel_backend(_ACTIVITY.c.pid)))
    .where(_ACTIVITY.c.datname == sa.func.current_database(), _ACTIVITY.c.usename == sa.text("current_user"))
    .where(_ACTIVITY.c.application_name == _OURS, _ACTIVITY.c.wait_event_type == "Lock")
)
"""Statements of our own jobs that wait for a lock; what they wrote and did not commit is rolled back."""


class NotLeadingError(Exception):
    """This worker does not lead, or no longer leads: it writes nothing."""


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
        self.connect = connect
        self._worker = worker or f"{id(self):x}"
        self._lease = lease_seconds
        self._clock = clock
        self._session: Session | None = None
        self._holds = False
        self._until = 0.0
        self._one_at_a_time = RLock()  # used by the heartbeat and by every job as it begins
        self.reachable = False  # the database answered the last request
        self.taken = 0  # how often the lead was taken
        self.cut_off = 0  # sessions of others' jobs that were ended when the lead was taken

    @property
    def leads(self) -> bool:
        """The result of the last request, while its lease lasts."""
        return self._holds and self._clock() < self._until

    def acquire_or_renew(self) -> bool:
        """Take the lead or renew the lease, if the database grants it. Never raises for a lost database.

        A lost connection is replaced at once.
        """
        with self._one_at_a_time:
            had = self._session is not None
            if not self._try_to_lead() and had:
                self._try_to_lead()
            return self.leads

    def let_in(self, session: Session) -> None:
        """Name a job's session as one that may be ended, then check that we lead. Raises NotLeadingError.

        In this order: a worker that takes the lead before the session has its name has ended our connection, which the
        check finds; one that takes it afterwards ends the session.
        """
        session.execute(_NAME_AS_OURS, {"worker": self._worker})
        session.commit()
        with self._one_at_a_time:
            if not (self._holds and self._try_to_lead()):
                raise NotLeadingError("this worker leads no more")

    def break_waits(self) -> int:
        """Cancel the statements of our own jobs that wait for a lock; how many. Raises what a lost database raises."""
        with self.connect() as session:
            broken: int = session.execute(_BREAK_WAITS, {"worker": self._worker}).scalar_one()
            session.commit()
            return broken

    def give_up(self) -> None:
        """Stop leading; the lock ends with the connection."""
        with self._one_at_a_time:
            self._holds = False
            session, self._session = self._session, None
            if session is not None:
                with suppress(Exception):
                    session.close()

    def _try_to_lead(self) -> bool:
        """Whether the database answered; `_holds` is then its answer, and the lease counts from before the request."""
        began = self._clock()
        try:
            if self._session is None:
                self._session = self.connect()
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
