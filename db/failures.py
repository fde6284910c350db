"""What befell the database underneath us: it went away, its disk is full, it broke off what we did.

An error of the driver becomes one line and a remedy; what only a programmer can mend is none of these. Always holds:
the words name no row of ours, and what was committed before stays, so that every remedy ends in "run it again".
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import psycopg
from sqlalchemy.exc import DBAPIError, PendingRollbackError

__all__ = ["Failure", "Kind", "failure_of"]

Kind = Literal["database_gone", "disk_full", "database_broke_off", "database_refuses"]
"""As it stands in the worker's log and numbers."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What happened, in words for people, and what they can do."""

    kind: Kind
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}"

    @property
    def passes(self) -> bool:
        """The same command will do once the cause is gone; else something has to be set right first."""
        return self.kind != "database_refuses"


_AGAIN: Final = "what was committed stays, nothing is half done: run the same command again"
_FREE: Final = f"free some space, then: {_AGAIN}"
_BACK: Final = f"see that it runs and can be reached, then: {_AGAIN}"

# by SQLSTATE, or by its class where it has two letters (PostgreSQL, appendix A)
_STATES: Final[dict[str, tuple[Kind, str, str]]] = {
    "53100": ("disk_full", "the disk of the database is full", _FREE),
    "53200": ("database_broke_off", "the database has no memory left", _AGAIN),
    "53300": ("database_gone", "the database takes no more connections", _BACK),
    "53400": ("disk_full", "the database may write no more temporary files (temp_file_limit)", f"raise it, {_AGAIN}"),
    "08": ("database_gone", "the connection to the database was lost", _BACK),
    "57014": ("database_broke_off", "the database cancelled a statement (statement_timeout, or its operator)", _AGAIN),
    "57": ("database_gone", "the database ended the connection", _BACK),
    "25P03": ("database_gone", "the database ended a connection that was silent for too long", _BACK),
    "25006": ("database_refuses", "the database only lets itself be read (a standby?)", "name the one that is written"),
    "40": ("database_broke_off", "the database rolled a transaction back that stood in another's way", _AGAIN),
    "55P03": ("database_broke_off", "the database did not get a lock in time", _AGAIN),
    "58": ("disk_full", "the database cannot write to its disk", f"look at its disk and its log, then: {_AGAIN}"),
    "42501": ("database_refuses", "the login may not do this in the database", "`keizoku db roles` says who may"),
}


def failure_of(error: BaseException) -> Failure | None:
    """What befell the database, if that is what this error, or the first one behind it, tells; None for all else.

    A lost connection makes a second error where the code tidies up; the first one says what happened.
    """
    found = None
    for each in _chain(error):
        found = _one(each) or found
    return found


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        at = at.__cause__ or at.__context__


def _one(error: BaseException) -> Failure | None:
    if isinstance(error, PendingRollbackError):
        return Failure("database_gone", "the connection to the database was lost", _BACK)
    origin = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(origin, psycopg.Error):
        return None
    state = origin.sqlstate or ""
    named = _STATES.get(state) or _STATES.get(state[:2])
    if named is not None:
        kind, what, remedy = named
        return Failure(kind, f"{what}: {_first_line(origin)}", remedy)
    if not state and isinstance(origin, psycopg.OperationalError | psycopg.InterfaceError):
        return Failure(
            "database_gone", f"the database cannot be reached or has gone away: {_first_line(origin)}", _BACK
        )
    return None


def _first_line(error: psycopg.Error) -> str:
    """The driver's words on one line; a row of ours stands only in DETAIL, which is left out."""
    if error.diag.message_primary:
        return error.diag.message_primary
    return " ".join(str(error).split())


def disk_is_full(error: BaseException) -> bool:
    """A file of ours could not be written for want of space (also a quota's), or its disk fails."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)
