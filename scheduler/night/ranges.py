"""A step of a night divided into ranges of contracts, which several processes take through PostgreSQL itself.

    leader     offers ──> night_range ──┬── takes one, does it, closes it, takes the next … then waits for the rest
    worker                              ├── takes one …
    worker                              └── takes one … x   it dies: its row is free again, and another takes it

A process takes a range by locking its row (FOR UPDATE SKIP LOCKED) on a connection of its own; the transaction lasts as
long as the work and closes the range. The work itself is committed in chunks on another connection. The lock ends with
the process, so no check is needed of who is alive. What a dead process had committed stays; another does its range
again and finds only the rest, because the stages are level-triggered.
"""

from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.operations import night_range

Range = tuple[int, int]
"""First and last contract."""

LAST_CONTRACT: Final = 2**63 - 1

_OPEN: Final = (
    sa.select(night_range.c.id, night_range.c.first_contract, night_range.c.last_contract)
    .where(night_range.c.state == "open")
    .order_by(night_range.c.id)
    .limit(1)
)
_FREE: Final = _OPEN.with_for_update(skip_locked=True)
_NEXT: Final = _OPEN.with_for_update()
_ANY_OPEN: Final = sa.select(sa.exists().where(night_range.c.state == "open"))


def cut(session: Session, due: sa.Select[int], values: dict[str, object], ranges: int) -> list[Range]:
    """All contracts in at most `ranges` ranges without gaps, with about the same number of due contracts in each."""
    numbered = sa.select(due.subquery().columns[0].label("id")).subquery()
    tiles = sa.select(numbered.c.id, sa.func.ntile(ranges).over(order_by=numbered.c.id).label("tile")).subquery()
    query = sa.select(sa.func.max(tiles.c.id)).group_by(tiles.c.tile).order_by(sa.func.max(tiles.c.id))
    lasts = list(session.scalars(query, values))
    starts = [0, *(last + 1 for last in lasts[:-1])]
    return list(zip(starts, [*lasts[:-1], LAST_CONTRACT], strict=True)) if lasts else []


def offer(session: Session, on: date, step: str, ranges: list[Range], now: datetime) -> None:
    """Make ranges free to take. Commits."""
    session.execute(
        sa.insert(night_range),
        [
            {
                "business_date": on,
                "part": step,
                "first_contract": first,
                "last_contract": last,
                "assigned_at": now,
                "state": "open",
            }
            for first, last in ranges
        ],
    )
    session.commit()


def take_free(taking: Session, work: Callable[[Range], int], stop: Callable[[], bool]) -> Iterator[int]:
    """Do one free range after another until none is left or `stop` returns true; yields the rows written for each."""
    while not stop() and (row := taking.execute(_FREE).one_or_none()) is not None:
        yield _done(taking, row, work)
    taking.rollback()


def take_rest(taking: Session, work: Callable[[Range], int]) -> Iterator[int]:
    """Wait for ranges that others work on, and do those they abandon; yields the rows that we wrote for each."""
    while taking.execute(_ANY_OPEN).scalar_one():
        # waits for its holder; a range done by then is not returned, though others may still be open
        row = taking.execute(_NEXT).one_or_none()
        if row is not None:
            yield _done(taking, row, work)
        taking.rollback()
    taking.rollback()


def rows_written(session: Session, ranges: int) -> int:
    """Rows written by all processes in the newest `ranges` ranges."""
    last = sa.select(night_range.c.changes).order_by(night_range.c.id.desc()).limit(ranges).subquery()
    return int(session.execute(sa.select(sa.func.coalesce(sa.func.sum(last.c.changes), 0))).scalar_one())


def close_leftovers(session: Session) -> None:
    """After a night that was stopped: wait for ranges still in work, and close the rest to everyone. Commits.

    The next night finds by itself what is left to do.
    """
    session.execute(sa.update(night_range).where(night_range.c.state == "open").values(state="left"))
    session.commit()


def _done(taking: Session, row: Any, work: Callable[[Range], int]) -> int:
    try:
        changes = work((row.first_contract, row.last_contract))
    except BaseException:
        taking.rollback()
        raise
    done = sa.update(night_range).where(night_range.c.id == row.id).values(state="done", changes=changes)
    taking.execute(done)
    taking.commit()
    return changes
