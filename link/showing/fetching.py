"""Fetches a customer's data and returns what may be shown of them (api_link/1.2, 6.2).

    kinds with a designated field ──> the partner ──> filter ──> shown     what is not designated never leaves this file

Nothing is stored but that it was asked for, and how many values were dropped. A setting may keep the designated values
for a short time, so that a page that is opened again does not fetch again; by default it keeps none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.link.grants import link_kept
from keizoku.link.grants.context import Link
from keizoku.link.grants.using import use_for_reading, want_open
from keizoku.link.records import uses
from keizoku.link.records.customers import designations
from keizoku.link.rules.designation import KINDS, filter_fields
from keizoku.terms.refusal import Refused

__all__ = ["Fetched", "destroy_kept", "fetch"]


@dataclass(frozen=True, slots=True)
class Fetched:
    """What may be shown of a kind, and as of when; `dropped`: how many values were left out."""

    kind: str
    content: Any
    fetched_at: datetime
    dropped: int


def fetch(link: Link, account: str, kinds: Sequence[str], now: datetime) -> list[Fetched]:
    """What may be shown of these kinds; commits. Raises Refused: closed, an unknown kind, nothing is designated."""
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise Refused("link.kind", f"{unknown[0]!r} is none of {', '.join(KINDS)}")
    clock = uses.Elapsing(now)
    want_open(link, account, "data", now)
    fields = designations(link.session, "field", link.day(now))
    wanted = [kind for kind in dict.fromkeys(kinds) if any(name.startswith(f"{kind}.") for name in fields)]
    link.session.rollback()
    if not wanted:
        raise Refused(
            "link.nothing_designated",
            f"account {account}: no field of {', '.join(kinds)} is designated on {link.day(now)}",
            "designate fields: `keizoku link designate`",
        )
    return [_kept(link, account, kind, now) or _fetched(link, account, kind, fields, clock) for kind in wanted]


def _fetched(link: Link, account: str, kind: str, fields: frozenset[str], clock: uses.Elapsing) -> Fetched:
    used = use_for_reading(
        link,
        account,
        "data",
        "fetch",
        lambda access: filter_fields(kind, link.partner.fetch(kind, access), fields),
        clock,
        kinds=kind,
    )
    shown = used.found
    content = shown.content if isinstance(shown.content, dict | list) else {}
    uses.answer(link.session, used.use_id, used.at, dropped=shown.dropped)
    seconds = link.rules.discretion.link_keep_seconds
    if seconds:
        link.session.execute(
            sa.insert(link_kept).values(
                use_id=used.use_id,
                account=account,
                kind=kind,
                content=content,
                fetched_at=used.at,
                keep_until=used.at + timedelta(seconds=seconds),
                recorded_at=used.at,
            )
        )
    link.session.commit()
    return Fetched(kind, content, used.at, shown.dropped)


def _kept(link: Link, account: str, kind: str, at: datetime) -> Fetched | None:
    """What was kept and still is designated; None: it is fetched."""
    if not link.rules.discretion.link_keep_seconds:
        return None
    row = link.session.execute(
        sa.select(link_kept)
        .where(
            link_kept.c.account == account,
            link_kept.c.kind == kind,
            link_kept.c.destroyed_at.is_(None),
            link_kept.c.fetched_at <= at,
            link_kept.c.keep_until > at,
        )
        .order_by(link_kept.c.id.desc())
        .limit(1)
    ).first()
    fields = designations(link.session, "field", link.day(at))
    link.session.rollback()
    if row is None:
        return None
    shown = filter_fields(kind, row.content, fields)
    return Fetched(kind, shown.content if isinstance(shown.content, dict | list) else {}, row.fetched_at, shown.dropped)


def destroy_kept(session: Session, now: datetime) -> int:
    """Destroy what may be shown no more; commits; how many rows."""
    done = session.execute(
        sa.update(link_kept)
        .where(link_kept.c.destroyed_at.is_(None), link_kept.c.keep_until <= now)
        .values(content=sa.null(), destroyed_at=now)
    ).rowcount
    session.commit()
    return done
