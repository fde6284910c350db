"""Failures of the database: it went away, its disk is full, it cancelled a statement.

An error of the driver becomes one line and a remedy; programming errors are not among them. Always holds: the text
contains no data of our rows. What was committed stays, so a remedy ends in "run it again", but for a commit that got
no answer: that may have been done (`unsure`), and people look first, or repeat the act with its key (db/act_keys.py).
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from traceback import walk_tb
from typing import Final, Literal

import psycopg
from sqlalchemy.exc import DBAPIError, PendingRollbackError

from keizoku.db.session import NO_SPACE, DiskFullError
from keizoku.limits import LENGTH

__all__ = [
    "AGAIN",
    "BACK",
    "FREE_SOME",
    "LOOK",
    "Failure",
    "Kind",
    "disk_is_full",
    "failure_of",
    "reason_in_log",
    "too_long",
]

Kind = Literal["database_gone", "disk_full", "database_broke_off", "database_refuses"]
"""As the worker's log and metrics name it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What happened, in words for people, and what they can do about it."""

    kind: Kind
    what: str
    remedy: str
    unsure: bool = False  # a commit got no answer: what it was to commit may stand

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}"

    @property
    def passes(self) -> bool:
        """Whether the same command succeeds once the cause is gone; otherwise something must be corrected first."""
        return self.kind != "database_refuses"


AGAIN: Final = "what was committed stays, nothing is half done: run the same command again"
LOOK: Final = (
    "its last step may have been done, as the commit got no answer: look before you repeat it (a night may always be "
    "repeated, and an act with the key that it had)"
)
FREE_SOME: Final = f"free some space, then: {AGAIN}"
BACK: Final = f"make sure that it runs and can be reached, then: {AGAIN}"

# by SQLSTATE, or by its class where it has two letters (PostgreSQL, appendix A)
_STATES: Final[dict[str, tuple[Kind, str, str]]] = {
    "53100": ("disk_full", "the disk of the database is full", FREE_SOME),
    "53200": ("database_broke_off", "the database has no memory left", AGAIN),
    "53300": ("database_gone", "the database accepts no more connections", BACK),
    "53400": ("disk_full", "the database may write no more temporary files (temp_file_limit)", f"raise it, {AGAIN}"),
    "08": ("database_gone", "the connection to the database was lost", BACK),
    "57014": ("database_broke_off", "the database cancelled a statement (statement_timeout, or its operator)", AGAIN),
    "57": ("database_gone", "the database ended the connection", BACK),
    "25P03": ("database_gone", "the database ended a connection that was silent for too long", BACK),
    "25006": ("database_refuses", "the database is read-only (a standby?)", "name the primary server"),
    "40": ("database_broke_off", "the database rolled back a transaction that was in another's way", AGAIN),
    "55P03": ("database_broke_off", "the database did not get a lock in time", AGAIN),
    "58": ("disk_full", "the database cannot write to its disk", f"look at its disk and its log, then: {AGAIN}"),
    "42501": ("database_refuses", "the login may not do this in the database", ""),
}


_COMMITS: Final = "rows_and_commit"
"""The one way of ours to commit that does not ask the driver's `commit` (session.PreparedQuery)."""


def failure_of(error: BaseException) -> Failure | None:
    """The database failure that this error, or the first one behind it, stands for; None for any other error.

    A lost connection makes a second error where the code tidies up: the first one says what happened. A full disk
    says more than the connection that was lost by it.
    """
    found = [each for each in map(_one, _chain(error)) if each is not None]
    full = [each for each in found if each.kind == "disk_full"]
    chosen = full or found
    if not chosen:
        return None
    failure = chosen[-1]
    if failure.kind == "database_gone" and any(map(_in_commit, _chain(error))):
        return replace(failure, remedy=LOOK, unsure=True)
    return failure


def _in_commit(error: BaseException) -> bool:
    """Whether the error came up while a commit was asked for: a host's engine has no other place to tell it."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(origin, psycopg.Error):
        return False
    frames = [frame.f_code for frame, _ in walk_tb(origin.__traceback__)]
    return any(
        (code.co_name == "commit" and "psycopg" in code.co_filename) or code.co_name == _COMMITS for code in frames
    )


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


def too_long(error: DBAPIError) -> str | None:
    """Which column refused a text for its length, as table.column; None for any other error."""
    diag = error.orig.diag if isinstance(error.orig, psycopg.errors.CheckViolation) else None
    name = (diag.constraint_name or "") if diag is not None else ""
    prefix, ending = f"ck_{diag.table_name}_" if diag is not None else "", f"_{LENGTH}"
    return f"{diag.table_name}.{name[len(prefix) : -len(ending)]}" if diag and name.endswith(ending) else None


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
