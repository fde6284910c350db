"""Failures of the database: it went away, its disk is full, it cancelled a statement.

An error of the driver becomes one line and a remedy; programming errors are not among them. Always holds: the text
contains no data of our rows, and what was committed stays, so every remedy ends in "run it again".
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import psycopg
from sqlalchemy.exc import DBAPIError, PendingRollbackError

from keizoku.db.session import NO_SPACE, DiskFullError

__all__ = ["AGAIN", "BACK", "FREE_SOME", "Failure", "Kind", "disk_is_full", "failure_of", "reason_in_log"]

Kind = Literal["database_gone", "disk_full", "database_broke_off", "database_refuses"]
"""As the worker's log and metrics name it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What happened, in words for people, and what they can do about it."""

    kind: Kind
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}"

    @property
    def passes(self) -> bool:
        """Whether the same command succeeds once the cause is gone; otherwise something must be corrected first."""
        return self.kind != "database_refuses"


AGAIN: Final = "what was committed stays, nothing is half done: run the same command again"
FREE_SOME: Final = f"free some space, then: {AGAIN}"
BACK: Final = f"see that it runs and can be reached, then: {AGAIN}"

# by SQLSTATE, or by its class where it has two letters (PostgreSQL, appendix A)
_STATES: Final[dict[str, tuple[Kind, str, str]]] = {
    "53100": ("disk_full", "the disk of the database is full", FREE_SOME),
    "53200": ("database_broke_off", "the database has no memory left", AGAIN),
    "53300": ("database_gone", "the database takes no more connections", BACK),
    "53400": ("disk_full", "the database may write no more temporary files (temp_file_limit)", f"raise it, {AGAIN}"),
    "08": ("database_gone", "the connection to the database was lost", BACK),
    "57014": ("database_broke_off", "the database cancelled a statement (statement_timeout, or its operator)", AGAIN),
    "57": ("database_gone", "the database ended the connection", BACK),
    "25P03": ("database_gone", "the database ended a connection that was silent for too long", BACK),
    "25006": ("database_refuses", "the database only lets itself be read (a standby?)", "name the one that is written"),
    "40": ("database_broke_off", "the database rolled a transaction back that stood in another's way", AGAIN),
    "55P03": ("database_broke_off", "the database did not get a lock in time", AGAIN),
    "58": ("disk_full", "the database cannot write to its disk", f"look at its disk and its log, then: {AGAIN}"),
    "42501": ("database_refuses", "the login may not do this in the database", ""),
}


def failure_of(error: BaseException) -> Failure | None:
    """The database failure that this error, or the first one behind it, stands for; None for any other error.

    A lost connection makes a second error where the code tidies up: the first one says what happened. A full disk
    says more than the connection that was lost by it.
    """
    found = [each for each in map(_one, _chain(error)) if each is not None]
    full = [each for each in found if each.kind == "disk_full"]
    chosen = full or found
    return chosen[-1] if chosen else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        at = at.__cause__ or at.__context__


def _one(error: BaseException) -> Failure | None:
    if isinstance(error, DiskFullError):
        return Failure("disk_full", str(error), FREE_SOME)
    if isinstance(error, PendingRollbackError):
        return Failure("database_gone", "the connection to the database was lost", BACK)
    origin = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(origin, psycopg.Error):
        return None
    state = origin.sqlstate or ""
    named = _STATES.get(state) or _STATES.get(state[:2])
    if named is not None:
        kind, what, remedy = named
        if state == "42501":
            from keizoku.db.roles import remedy_for  # all tables: looked at when it is needed

            remedy = remedy_for(_first_line(origin), error.statement if isinstance(error, DBAPIError) else None)
        return Failure(kind, f"{what}: {_first_line(origin)}", remedy)
    if not state and isinstance(origin, psycopg.OperationalError | psycopg.InterfaceError):
        return Failure("database_gone", f"the database cannot be reached or has gone away: {_first_line(origin)}", BACK)
    return None


def _first_line(error: psycopg.Error) -> str:
    """The driver's words on one line; data of our rows appear only in DETAIL, which is left out."""
    if error.diag.message_primary:
        return error.diag.message_primary
    return " ".join(str(error).split())


def disk_is_full(error: BaseException) -> bool:
    """Whether this error, or one behind it, means a full disk or quota; libraries keep the system's message."""
    return any(
        (isinstance(each, OSError) and each.errno in (errno.ENOSPC, errno.EDQUOT)) or NO_SPACE in str(each)
        for each in _chain(error)
    )


def reason_in_log(log_file: Path, since: int) -> DiskFullError | None:
    """Why the embedded server went away, if its log after `since` bytes names a reason that people can correct."""
    try:
        with log_file.open(errors="replace") as log:
            log.seek(since)
            full = NO_SPACE in log.read()
    except OSError:
        return None
    return DiskFullError(f"the disk is full: the embedded PostgreSQL went away (log: {log_file})") if full else None
