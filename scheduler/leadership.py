"""One worker leads: who holds an advisory lock of PostgreSQL, on a connection that is watched from both ends.

    worker A   |== holds the lock ==x            x: it died, or its connection did
    worker B   |-- asks every few seconds --|== holds the lock ==

The lock goes with the connection: the server lets go of it when the process ends, and within a minute when the
network does (keepalives on both sides). A leader that finds its connection gone leads no more, and asks again.
"""

from collections.abc import Callable
from contextlib import suppress

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError

from db.session import Session, make_engine, try_leader_lock

LOCK = "worker"
KEEPALIVES = {
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
_SERVER_SIDE = "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"


def watched_engine(url: sa.URL, schema: str | None = None) -> sa.Engine:
    """An engine whose connections are found dead within half a minute, by the client and by the server."""
    return make_engine(url.update_query_dict({k: v for k, v in KEEPALIVES.items() if k not in url.query}), schema)


class Leadership:
    """Whether this process leads. `connect` opens a watched connection."""

    def __init__(self, connect: Callable[[], Session]) -> None:
        self._connect = connect
        self._session: Session | None = None
        self._leads = False
        self.reachable = False  # the database answered the last time it was asked

    @property
    def leads(self) -> bool:
        """What the last question said."""
        return self._leads

    def ask(self) -> bool:
        """Ask the database: is the connection alive, and is the lock ours? Never raises for a lost database."""
        try:
            if self._session is None:
                self._session = self._connect()
                with suppress(DBAPIError):
                    self._session.exec_driver_sql(_SERVER_SIDE)
                self._session.commit()
            if self._leads:
                self._session.exec_driver_sql("SELECT 1")
            else:
                self._leads = try_leader_lock(self._session, LOCK)
            self._session.commit()
        except (OperationalError, DBAPIError):
            self.give_up()
            self.reachable = False
        else:
            self.reachable = True
        return self._leads

    def give_up(self) -> None:
        """Lead no more; the lock goes with the connection."""
        self._leads = False
        session, self._session = self._session, None
        if session is not None:
            with suppress(Exception):
                session.close()
