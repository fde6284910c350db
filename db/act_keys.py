"""Acts that carry a key: repeated, the act is found and not done twice, even if its answer was lost.

    once(session, key, …) ──> key known ──> same content: its result, nothing is done
                                  │             └─ other content: KeyTakenError
                                  └─ new ──> the act and the row of its key, in one transaction

Several commits of an act become one (`one_transaction`): what it would have committed on the way waits for the end,
under a savepoint. In a `rehearsal` nothing stays at all: the code inside is the same as ever, so it cannot drift from
the deed. What commits on another connection would be no part of it: whoever opens one asks `is_rehearsed` first.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from keizoku.db.session import Session
from keizoku.db.tables.restoration import act_key

_MARK: Final = "rehearsed"
_SAVED: Final = "keizoku_act"
KEY_FORM: Final = re.compile(r"[A-Za-z0-9._:-]{1,100}")


class KeyTakenError(Exception):
    """The key stands for another act, or for one with other content; nothing was done."""

    def __init__(self, key: str, act: str) -> None:
        super().__init__(f"key {key}: it was used for another {act}")
        self.key, self.act = key, act


class KeyFormError(ValueError):
    """What was given as a key cannot be one."""


def once(
    session: Session, key: str, act: str, content: Mapping[str, object], do: Callable[[], Any], now: datetime
) -> Any:
    """What `do` returns (as JSON holds it), or returned when the same was said with this key before; commits.

    `content` is all that makes the act what it is, without the instant at which it is said.
    """
    digest = _digest(key, act, content)
    found = _found(session, key, act, digest)
    if found is not None:
        session.rollback()
        return found.result
    try:
        with one_transaction(session):
            result = do()
            note_said(session, key, act, content, result, now)
        session.commit()
    except IntegrityError:
        session.rollback()
        found = _found(session, key, act, digest)  # somebody said the same at the same time
        session.rollback()
        if found is None:
            raise
        return found.result
    except BaseException:
        if not session.closed and not session.invalidated:
            session.rollback()
        raise
    return result


def note_said(
    session: Session, key: str, act: str, content: Mapping[str, object], result: object, now: datetime
) -> None:
    """Keep what an act returned under its key, in the caller's transaction. KeyFormError."""
    values = {"key": key, "act": act, "digest": _digest(key, act, content), "result": result, "recorded_at": now}
    session.execute(sa.insert(act_key).values(**values))


def said_before(session: Session, key: str, act: str, content: Mapping[str, object]) -> tuple[Any] | None:
    """(what was returned,) when the same was said with this key before; None: it was not. Errors as in `once`."""
    found = _found(session, key, act, _digest(key, act, content))
    if found is None:
        return None
    session.rollback()
    return (found.result,)


def _digest(key: str, act: str, content: Mapping[str, object]) -> str:
    if not KEY_FORM.fullmatch(key):
        raise KeyFormError(key)
    told = json.dumps(content, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(f"{act}\n{told}".encode()).hexdigest()


def _found(session: Session, key: str, act: str, digest: str) -> sa.Row[Any] | None:
    row = session.execute(sa.select(act_key).where(act_key.c.key == key)).one_or_none()
    if row is not None and row.digest != digest:
        session.rollback()
        raise KeyTakenError(key, row.act if row.act != act else f"{act} (with other content)")
    return row


@contextmanager
def one_transaction(session: Session) -> Iterator[None]:
    """Inside, a commit is a savepoint, and a rollback goes back to the last one; nothing is committed at the end."""
    rollback, outer = session.rollback, dict(vars(session))
    saved = False

    def put_off() -> None:
        nonlocal saved
        if saved:
            session.exec_driver_sql(f"RELEASE SAVEPOINT {_SAVED}")
        session.exec_driver_sql(f"SAVEPOINT {_SAVED}")
        saved = True

    def back() -> None:
        if saved and session.in_transaction():
            session.exec_driver_sql(f"ROLLBACK TO SAVEPOINT {_SAVED}")
        else:
            rollback()

    vars(session).update(commit=put_off, rollback=back)
    try:
        yield
    finally:
        for name in ("commit", "rollback"):
            vars(session).pop(name, None)
            if name in outer:  # one inside another
                vars(session)[name] = outer[name]


@contextmanager
def rehearsal(session: Session) -> Iterator[Session]:
    """Let nothing of what is done on the session inside last. Uncommitted changes of it are rolled back first.

    Advisory locks of the session stay. Nothing inside may set the connection's isolation or end it.
    """
    session.rollback()
    session.info[_MARK] = True
    try:
        with one_transaction(session):
            session.commit()  # the first savepoint: whatever comes is inside the transaction
            yield session
    finally:
        if not session.closed and not session.invalidated:
            session.info.pop(_MARK, None)
            session.rollback()


def is_rehearsed(session: Session) -> bool:
    """Whether what this session commits is undone later: its work stays on its own connection."""
    return bool(session.info.get(_MARK))
