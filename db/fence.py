"""The fence around one item of a night: what fails is set aside, the rest of the night carries on.

    a chunk ──> written at once                                           nothing fails: no statement more than before
        └─ fails ──> rolled back ──> its halves, read and decided again ──> … ──> what fails alone is set aside

Billing and sla both stand behind it, so it has its home here. It decides nothing: an item that was set aside is still
due, so the next night tries it again by itself. The night makes tasks for people of what was set aside.

What no single item can be blamed for is not set aside here: a lost connection, a full disk, a lock that was not to be
had, a table that is missing. The first three end the night, as they would end any program.
"""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeVar

import psycopg
import sqlalchemy as sa

from keizoku.db.review_tasks import TaskKind
from keizoku.db.session import DatabaseError, Session
from keizoku.db.writer import Write

__all__ = ["MOST_ALONE", "Fence", "Item", "Subject", "fenced", "in_halves", "is_of_item", "is_of_stage", "one_line"]

MOST_ALONE: Final = 100
"""Where so many of a chunk fail alone and nothing at all gets through, it is not the items: the stage has failed."""
_LONGEST: Final = 300
_OF_THE_ROW: Final = ("22", "23", "44", "54", "P0")
"""Classes of SQLSTATE that speak of a row: its data, a constraint, a view's check, a limit, a guard that raised."""
_OF_THE_TABLES: Final = "42"

Subject = Literal[
    "contract",
    "term",
    "account",
    "claim",
    "month",
    "award",
    "credit",
    "refund",
    "overcharge",
    "returned refund",
    "attempt",
    "dispute",
    "document",
    "version",
    "stage",
]
"""What can be set aside."""
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Item:
    """What was set aside, "term 7" or "account u1 2026-04", why in one line, and where in the code it failed."""

    subject: Subject
    key: str
    why: str
    failed_at: str
    kind: TaskKind = "set_aside"
    month: str = ""  # of an account whose month was set aside
    account: str | None = None  # whose it is, where its row does not say

    @property
    def name(self) -> str:
        """How people name it."""
        return f"{self.subject} {self.key} {self.month}".rstrip()


@dataclass(slots=True)
class Fence:
    """What a step of a night has set aside so far."""

    items: dict[str, Item] = field(default_factory=dict)
    unpaid: set[str] = field(default_factory=set)
    """Accounts to which nothing goes back before what was set aside is known."""

    def aside(
        self,
        subject: Subject,
        key: object,
        error: Exception,
        kind: TaskKind = "set_aside",
        account: str | None = None,
    ) -> None:
        """Leave an item to people and to the next night; several threads may call this."""
        self.take(Item(subject, str(key), one_line(error), _place_of(error), kind, account=account))

    def take(self, item: Item) -> None:
        """The same, of an item that another fence had set aside."""
        self.items[item.name] = item

    def keys(self, subject: Subject) -> list[str]:
        """The items of a kind that were set aside."""
        return [each.key for each in list(self.items.values()) if each.subject == subject]


def fenced(
    fence: Fence | None,
    subject: Subject,
    keys: Sequence[Key],
    write: Write,
    redo: Callable[[Session, Sequence[Key]], int],
    most_alone: int = MOST_ALONE,
) -> Write:
    """The same write of a chunk, behind a fence: where it fails, `redo` reads, decides and writes its halves.

    Without a fence it is the write itself. Where `most_alone` fail alone and none gets through, that is raised.
    """
    if fence is None:
        return write

    def guarded(session: Session) -> int:
        try:
            return write(session)
        except Exception as error:
            session.rollback()
            if not is_of_item(error):
                raise
            return in_halves(session, fence, subject, keys, redo, most_alone)

    return guarded


def in_halves(
    session: Session,
    fence: Fence,
    subject: Subject,
    keys: Sequence[Key],
    redo: Callable[[Session, Sequence[Key]], int],
    most_alone: int = MOST_ALONE,
) -> int:
    """Do these items part by part, halving what fails, until what fails stands alone; the rows written.

    `redo` does some of them and commits. Raises what failed last when nothing gets through at all.
    """
    written = through = alone = 0
    waiting = [list(keys)] if keys else []
    while waiting:
        part = waiting.pop()
        try:
            written += redo(session, part)
            through += 1
        except Exception as error:
            session.rollback()
            if not is_of_item(error):
                raise
            if len(part) > 1:
                middle = len(part) // 2
                waiting += [part[middle:], part[:middle]]
                continue
            fence.aside(subject, part[0], error)
            alone += 1
            if alone >= most_alone and not through:
                raise
    return written


def is_of_item(error: Exception) -> bool:
    """Whether an error may be the fault of one item: of its facts, or of a row that the database refuses."""
    driver = _driver_error(error)
    if isinstance(error, sa.exc.NoResultFound | sa.exc.MultipleResultsFound) or type(error) is sa.exc.StatementError:
        return True  # a row that is not there, or a value that no statement can carry
    if driver is not None:
        return isinstance(driver, psycopg.DataError) or (driver.sqlstate or "")[:2] in _OF_THE_ROW
    return not isinstance(error, DatabaseError | sa.exc.SQLAlchemyError | OSError | MemoryError)


def is_of_stage(error: Exception) -> bool:
    """Whether the rest of a night can go on without the step that raised this."""
    driver = _driver_error(error)
    return is_of_item(error) or (driver is not None and (driver.sqlstate or "").startswith(_OF_THE_TABLES))


def one_line(error: Exception) -> str:
    """What failed, for a person; of a row that the database refuses, which constraint, and nothing of the row."""
    driver = _driver_error(error)
    if driver is not None and driver.diag.message_primary:
        return f"the database refuses it: {driver.diag.message_primary}"
    told = " ".join(str(error).split())
    is_ours = type(error).__module__.startswith("keizoku.")  # its text is a sentence
    return (told if is_ours and told else f"{type(error).__name__}: {told}".rstrip(": "))[:_LONGEST]


def _driver_error(error: Exception) -> psycopg.Error | None:
    if isinstance(error, psycopg.Error):
        return error
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else None
    return cause if isinstance(cause, psycopg.Error) else None


def _place_of(error: Exception) -> str:
    """The last line of ours that it passed: "renewal_stage.py:160 in decide"."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [each for each in frames if "site-packages" not in each.filename] or frames
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno} in {ours[-1].name}" if ours else ""
