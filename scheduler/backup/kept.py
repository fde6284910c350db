"""What our own rows say of backups, for people who look at a screen: when one was last whole, and last read back.

keeper.run ──> stored, failed      keeper.verify ──> verified, unsound      this ──> one answer, without the places
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from keizoku.db.roles import want_to_add
from keizoku.db.session import Session
from keizoku.db.tables.operations import backup_copy

if TYPE_CHECKING:
    from keizoku.scheduler.backup.keeper import Checked

__all__ = ["BackupStanding", "backup_standing", "record_checked"]


@dataclass(frozen=True, slots=True)
class BackupStanding:
    """The newest backup of which every copy was written, the newest try, and the newest reading back.

    `failed`: places that did not take the newest try. `unsound`: places whose copy was not whole when last read back.
    """

    whole_at: datetime | None
    tried_at: datetime | None
    failed: tuple[str, ...]
    verified_at: datetime | None
    verified_of: datetime | None
    unsound: tuple[str, ...]


def backup_standing(session: Session) -> BackupStanding:
    """By the rows that `keizoku backup run` and `keizoku backup verify` left; no place is asked."""
    row = backup_copy.c
    tries = sa.select(row.backup).where(row.outcome.in_(("stored", "failed"))).order_by(row.taken_at.desc()).limit(1)
    newest = session.execute(
        sa.select(row.store, row.outcome, row.taken_at)
        .where(row.backup == tries.scalar_subquery(), row.outcome.in_(("stored", "failed")))
        .order_by(row.id)
    ).all()
    whole = (
        sa.select(row.taken_at)
        .where(row.outcome.in_(("stored", "failed")))
        .group_by(row.backup, row.taken_at)
        .having(sa.func.bool_and(row.outcome == "stored"))
        .order_by(row.taken_at.desc())
        .limit(1)
    )
    read_at = sa.select(sa.func.max(row.recorded_at)).where(row.outcome.in_(("verified", "unsound")))
    read = session.execute(
        sa.select(row.store, row.outcome, row.taken_at, row.recorded_at)
        .where(row.recorded_at == read_at.scalar_subquery(), row.outcome.in_(("verified", "unsound")))
        .order_by(row.id)
    ).all()
    return BackupStanding(
        whole_at=session.execute(whole).scalar_one_or_none(),
        tried_at=newest[0].taken_at if newest else None,
        failed=tuple(each.store for each in newest if each.outcome == "failed"),
        verified_at=read[0].recorded_at if read else None,
        verified_of=read[0].taken_at if read else None,
        unsound=tuple(each.store for each in read if each.outcome == "unsound"),
    )


def record_checked(session: Session, found: Sequence[Checked], now: datetime) -> None:
    """Keep that copies were read back, and what was found, so that people see it without the places. Commits."""
    want_to_add(session, backup_copy)
    rows = [
        {
            "backup": each.backup,
            "store": each.store,
            "outcome": "unsound" if each.complaints else "verified",
            "why": "; ".join(each.complaints) or None,
            "taken_at": each.taken_at,
            "recorded_at": now,
        }
        for each in found
        if each.taken_at is not None
    ]
    if rows:
        session.execute(sa.insert(backup_copy), rows)
    session.commit()
