"""A customer is told before the link lapses (api_link/4.2): one letter for each of the days that the setting names."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.link.grants import link_grant, link_token
from keizoku.link.grants.ending import write_letter
from keizoku.link.records.customers import load_customers
from keizoku.link.rules.tokens import lapses_at, notices_due
from keizoku.terms.api_link.link_policy import link_policy
from keizoku.terms.calendar import jst_day

__all__ = ["write_due"]

CHUNK = 1_000


def write_due(session: Session, days: tuple[int, ...], now: datetime) -> int:
    """Write the letters that are due, and commit; how many. A second run of a day writes nothing."""
    if not days:
        return 0
    written, after, until = 0, "", now + timedelta(days=days[0])
    while accounts := _near_their_end(session, until, after):
        after = accounts[-1]
        for account, customer in load_customers(session, accounts).items():
            lapses, grant = lapses_at(customer), customer.grant
            if lapses is None or grant is None:
                continue
            left = notices_due(lapses, grant.granted_at, days, now)
            if left is None:
                continue
            facts: dict[str, object] = {
                "partner": link_policy(jst_day(now)).partner_name,
                "lapses_at": lapses.isoformat(),
                "days": left,
            }
            written += write_letter(session, account, "link_lapses", f"{grant.id}/{left}", facts, now)
        session.commit()
    return written


def _near_their_end(session: Session, until: datetime, after: str) -> list[str]:
    ends_soon = sa.or_(
        link_grant.c.consent_until <= until,
        sa.exists().where(
            link_token.c.grant_id == link_grant.c.id,
            link_token.c.ended_at.is_(None),
            ~link_token.c.renewable,
            link_token.c.expires_at <= until,
        ),
    )
    query = (
        sa.select(link_grant.c.account)
        .where(link_grant.c.ended_at.is_(None), link_grant.c.account > after, ends_soon)
        .order_by(link_grant.c.account)
        .limit(CHUNK)
    )
    found = list(session.scalars(query).all())
    session.rollback()
    return found
