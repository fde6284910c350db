"""Acts that carry a key: repeated, the act is found and not done twice, even if its answer was lost.

    once(session, key, …) ──> key known ──> same content: its result, nothing is done
                                  │             └─ other content: KeyTakenError
                                  └─ new ──> the act and the row of its key, in one transaction

Several commits of an act become one: what it would have committed on the way waits for the end, under a savepoint.
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

KEY_FORM: Final = re.compile(r"[A-Za-z0-9._:-]{1,100}")
_SAVED: Final = "keizoku_act"


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
        with _one_transaction(session):
            result = do()
            values = {"key": key, "act": act, "digest": digest, "result": result, "recorded_at": now}
            session.execute(sa.insert(act_key).values(**values))
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


def tried(session: Session, do: Callable[[], Any]) -> Any:
    """What `do` returns, whose commits are put off as in `once`; nothing that it wrote stays."""
    try:
        with _one_transaction(session):
            return do()
    finally:
        if not session.closed and not session.invalidated:
            session.rollback()


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
def _one_transaction(session: Session) -> Iterator[None]:
    """Inside, a commit is a savepoint, and a rollback goes back to the last one; nothing is committed at the end."""
    rollback = session.rollback
    saved = False

    def put_off() -> None:
        nonlocal saved
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
