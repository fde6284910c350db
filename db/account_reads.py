"""Who read one account, and by which question: kept when the piece of work ends that asked.

    services_on(…, reader="suzuki") ── account_history(…, "hanako") ── noted ──┐ a row for each account and question
                                    └─ at its end, in one statement ───────────┘ account_read

The name of the reader is what the caller says; beside it stands the login of the database. Where nobody keeps them
(the night, imports, scenarios), a question costs one look at a variable.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Final

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.people import account_read
from keizoku.limits import LONGEST_NAME, id_flaw, name_flaw

__all__ = ["accounts_read", "asking", "noted", "question_asked", "reads_kept"]

_KEPT: Final[ContextVar[dict[tuple[str, str], None] | None]] = ContextVar("account_reads", default=None)
_ASKED: Final[ContextVar[tuple[str, str] | None]] = ContextVar("question_asked", default=None)


def noted(account: str, question: str) -> None:
    """That this question reads this account; under `asking` the question is the command's."""
    kept = _KEPT.get()
    if kept is not None and id_flaw(account) is None:  # what can be no account is none
        asked = _ASKED.get()
        kept[account, question if asked is None else asked[0]] = None


@contextmanager
def asking(command: str, account: str = "") -> Iterator[None]:
    """Within the block a command asks, of this account if it names one."""
    token = _ASKED.set((command, account))
    try:
        yield
    finally:
        _ASKED.reset(token)


def question_asked() -> bool:
    """Whether a command that reads is under way."""
    return _ASKED.get() is not None


@contextmanager
def accounts_read() -> Iterator[set[str]]:
    """The accounts that are read within the block, for a caller that keeps a log of its own; whole at its end."""
    kept: dict[tuple[str, str], None] = {}
    found: set[str] = set()
    token = _KEPT.set(kept)
    try:
        yield found
    finally:
        found.update(account for account, _ in kept)
        _KEPT.reset(token)


@contextmanager
def reads_kept(session: Session, reader: str | None) -> Iterator[None]:
    """Keep who reads what within the block, as of its end; None: nothing is kept.

    What is open in the session is then given up: a piece of work has committed what it did. DBAPIError where the login
    may not add the rows, unless something else has gone wrong before. ValueError for a reader that is no name.
    """
    if reader is None:
        yield
        return
    if reader and (flaw := name_flaw(reader, LONGEST_NAME)):
        raise ValueError(f"reader: {flaw}")
    kept: dict[tuple[str, str], None] = {}
    asked = _ASKED.get()
    if asked is not None and asked[1] and id_flaw(asked[1]) is None:
        kept[asked[1], asked[0]] = None
    token = _KEPT.set(kept)
    try:
        yield
    except BaseException:
        with suppress(sa.exc.SQLAlchemyError):
            _write(session, kept, reader)
        raise
    else:
        _write(session, kept, reader)
    finally:
        with suppress(ValueError):  # ended in another context than it began: there it was never set
            _KEPT.reset(token)


def _write(session: Session, kept: dict[tuple[str, str], None], reader: str) -> None:
    if not kept:
        return
    session.rollback()
    rows = [{"account": account, "question": question, "reader": reader} for account, question in kept]
    session.execute(sa.insert(account_read), rows)
    session.commit()
