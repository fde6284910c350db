"""A stage of a night cut into ranges of contracts, which several processes take through PostgreSQL itself.

    leader     hands out ──> night_range ──┬── takes one, does it, ends it, takes the next … then waits for the rest
    helper                                 ├── takes one …
    helper                                 └── takes one … x   it dies: its row is free again, and another takes it

A range is taken by locking its row (FOR UPDATE SKIP LOCKED) in a transaction of a connection of its own, which lasts as
long as the work on it and ends it. The work itself is committed in chunks on another connection, as ever. The lock
goes with the process, so nobody has to find out who is alive; what a dead one had committed stays, and its range is
done once more by another, which finds only the rest: the stages are level-triggered.
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
    """All contracts in so many ranges at most, with equally many of those that are due in each, without gaps."""
    numbered = sa.select(due.subquery().columns[0].label("id")).subquery()
    tiles = sa.select(numbered.c.id, sa.func.ntile(ranges).over(order_by=numbered.c.id).label("tile")).subquery()
    query = sa.select(sa.func.max(tiles.c.id)).group_by(tiles.c.tile).order_by(sa.func.max(tiles.c.id))
    lasts = list(session.scalars(query, values))
    starts = [0, *(last + 1 for last in lasts[:-1])]
    return list(zip(starts, [*lasts[:-1], LAST_CONTRACT], strict=True)) if lasts else []


def hand_out(session: Session, on: date, part: str, ranges: list[Range], now: datetime) -> None:
    """Make ranges free to take. Commits."""
    session.execute(
        sa.insert(night_range),
        [
            {
                "business_date": on,
                "part": part,
                "first_contract": first,
                "last_contract": last,
                "handed_out_at": now,
                "state": "open",
            }
            for first, last in ranges
        ],
    )
    session.commit()


def take_free(taking: Session, work: Callable[[Range], int], stop: Callable[[], bool]) -> Iterator[int]:
    """Do one free range after the other until none is left or `stop` says so; the rows written for each."""
    while not stop() and (row := taking.execute(_FREE).one_or_none()) is not None:
        yield _done(taking, row, work)
    taking.rollback()


def take_rest(taking: Session, work: Callable[[Range], int]) -> Iterator[int]:
    """Wait for those whom others are working on, and do what they leave; the rows that we wrote for each."""
    while taking.execute(_ANY_OPEN).scalar_one():
        # waits for who holds it; done by then, it is no row any more, although others may be
        row = taking.execute(_NEXT).one_or_none()
        if row is not None:
            yield _done(taking, row, work)
        taking.rollback()
    taking.rollback()


def rows_written(session: Session, ranges: int) -> int:
    """By whomever, in the last so many ranges."""
    last = sa.select(night_range.c.changes).order_by(night_range.c.id.desc()).limit(ranges).subquery()
    return int(session.execute(sa.select(sa.func.coalesce(sa.func.sum(last.c.changes), 0))).scalar_one())


def close_leftovers(session: Session) -> None:
    """Of a night that was stopped: wait for ranges still being worked on, and let nobody take another. Commits.

    The night that follows finds by itself what they left.
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
