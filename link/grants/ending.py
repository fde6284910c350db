"""A grant ends: at its instant, whenever that is learned; then its tokens are revoked at the partner and destroyed.

    the end is recorded ──committed──> no token of it is usable ──> revocation asked for, once ──> destroyed in any case

A process that dies in between leaves secrets of a grant that has ended: the next night finds them. Proof that is kept:
the fingerprints, the uses, the end with its cause. A revocation that was not confirmed is a task for people.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from keizoku.db.locks import leader_lock
from keizoku.db.review_tasks import open_task
from keizoku.db.session import Session
from keizoku.db.tables.letters import letter
from keizoku.db.tables.link.grants import link_grant, link_kept, link_secret, link_token, link_use
from keizoku.link.grants.context import Link
from keizoku.link.partner.port import PartnerError
from keizoku.link.records import secrets, uses
from keizoku.link.records.customers import load_customers, lock_account
from keizoku.link.records.grant_locks import lock_of
from keizoku.link.rules.ends import LinkEnd
from keizoku.link.rules.tokens import grant_end
from keizoku.link.sealing.seals import SealingError
from keizoku.terms.api_link.link_policy import link_policy
from keizoku.terms.calendar import jst_day

__all__ = ["due_ends", "end_grant", "end_if_due", "revoke_left", "settle_renewals_of_ended", "undestroyed"]

TOLD = ("refused", "lapsed", "partner_ended")
"""Ends that the customer did not bring about: a letter says so."""
AT_THIS_MOMENT = ("revoked", "refused", "replaced")
"""Ends that happen when they are recorded; the others have an instant of their own."""


def end_grant(session: Session, account: str, grant_id: int, end: LinkEnd, now: datetime) -> bool:
    """Record that a grant has ended; False: it had. The account is locked. Does not commit.

    None ends before it was granted, and what ends it at this moment comes after all uses that it had: so it is written
    though the clock that says `end.at` has been set back.
    """
    latest: list[sa.ColumnElement[Any]] = [link_grant.c.granted_at]
    if end.cause in AT_THIS_MOMENT:
        used = sa.select(sa.func.max(link_use.c.begun_at)).where(link_use.c.grant_id == grant_id)
        latest.append(used.scalar_subquery())
    at = session.scalar(
        sa.update(link_grant)
        .where(link_grant.c.id == grant_id, link_grant.c.ended_at.is_(None))
        .values(ended_at=sa.func.greatest(end.at, *latest), ended_cause=end.cause, end_recorded_at=now)
        .returning(link_grant.c.ended_at)
    )
    if at is None:
        return False
    session.execute(
        sa.update(link_token)
        .where(link_token.c.grant_id == grant_id, link_token.c.ended_at.is_(None))
        .values(ended_at=at, ended_cause="grant_ended", end_recorded_at=now)
    )
    session.execute(
        sa.update(link_kept)
        .where(link_kept.c.account == account, link_kept.c.destroyed_at.is_(None))
        .values(content=sa.null(), destroyed_at=now)
    )
    if end.cause in TOLD:
        write_letter(
            session,
            account,
            "link_ended",
            str(grant_id),
            {"cause": end.cause, "ended_at": at.isoformat(), "partner": link_policy(jst_day(now)).partner_name},
            now,
        )
    return True


def write_letter(
    session: Session, account: str, kind: str, occasion: str, facts: dict[str, object], now: datetime
) -> int:
    """A letter to the customer, once for its occasion; rows written. Does not commit."""
    new = insert(letter).values(
        account=account, kind=kind, occasion=occasion, written_on=jst_day(now), written_at=now, facts=facts
    )
    return session.execute(new.on_conflict_do_nothing()).rowcount


def end_if_due(session: Session, account: str, now: datetime) -> LinkEnd | None:
    """End the account's living grant where what is recorded says so; commits. None: it lives, or there is none."""
    lock_account(session, account)
    customer = load_customers(session, [account])[account]
    grant = customer.grant
    if grant is None or grant.ended_at is not None:
        session.rollback()
        return None
    end = grant_end(customer, grant, now)
    if end is None:
        session.rollback()
        return None
    end_grant(session, account, grant.id, end, now)
    session.commit()
    return end


def due_ends(session: Session, now: datetime, limit: int = 1_000) -> Sequence[str]:
    """Accounts whose living grant may have ended by what is recorded; `end_if_due` decides."""
    rows = session.execute(sa.text(_DUE), {"now": now, "limit": limit}).scalars().all()
    session.rollback()
    return rows


_DUE = """
    SELECT account FROM link_grant AS living WHERE ended_at IS NULL AND (
        consent_until <= :now
        OR EXISTS (SELECT 1 FROM link_fact WHERE link_fact.account = living.account
                   AND kind IN ('base_account_closed', 'partner_ended')
                   AND occurred_at <= :now)
        OR EXISTS (SELECT 1 FROM contract_fact WHERE contract_fact.account = living.account
                   AND kind = 'delete_user' AND occurred_at <= :now)
        OR EXISTS (SELECT 1 FROM link_token WHERE link_token.grant_id = living.id AND link_token.ended_at IS NULL
                   AND NOT renewable AND expires_at <= :now))
    ORDER BY account LIMIT :limit
"""


def undestroyed(session: Session, account: str | None = None, after: int = 0, limit: int = 1_000) -> Sequence[int]:
    """Grants that have ended and still have secrets, behind one of them."""
    query = (
        sa.select(link_grant.c.id)
        .where(
            link_grant.c.ended_at.is_not(None),
            link_grant.c.id > after,
            sa.exists()
            .where(link_token.c.grant_id == link_grant.c.id)
            .where(link_secret.c.token_id == link_token.c.id, link_secret.c.destroyed_at.is_(None)),
        )
        .order_by(link_grant.c.id)
        .limit(limit)
    )
    if account is not None:
        query = query.where(link_grant.c.account == account)
    found = session.scalars(query).all()
    session.rollback()
    return found


def settle_renewals_of_ended(session: Session, at: datetime) -> int:
    """A renewal whose process died, of a grant that has ended since, is answered by nobody: note that; commits."""
    waiting = (
        sa.select(link_use.c.grant_id)
        .join(link_grant, link_grant.c.id == link_use.c.grant_id)
        .where(link_use.c.purpose == "refresh", link_use.c.outcome.is_(None), link_grant.c.ended_at.is_not(None))
    )
    grants, settled = session.scalars(waiting).all(), 0
    session.rollback()
    for grant_id in grants:
        with leader_lock(session, lock_of(grant_id)) as mine:
            if mine:  # else it is under way
                settled += uses.settle_lost_renewals(session, [grant_id], at)
                session.commit()
    return settled


def revoke_left(link: Link, grant_id: int, clock: uses.Elapsing) -> bool:
    """Ask the partner to revoke what a grant that has ended still has, then destroy it; commits. True: it confirmed.

    The refresh token where there is one: with it the whole grant is void (RFC 7009), else the access token. What does
    not open with the keys that are here is left as it is, and is a task. Where the customer has another grant by now,
    which voided this one, nothing is asked: partners void all that a customer gave us, and so the new one, too.
    """
    session = link.session
    row = session.execute(
        sa.select(link_token.c.id, link_token.c.account)
        .where(link_token.c.grant_id == grant_id)
        .order_by(link_token.c.generation.desc())
        .limit(1)
    ).one()
    try:
        text = secrets.open_secret(session, link.ring, row.id, "refresh") or secrets.open_secret(
            session, link.ring, row.id, "access"
        )
    except SealingError as error:
        detail = {"account": row.account, "grant": grant_id, "failure": "key", "why": error.sentence}
        open_task(session, "link_revocation", f"grant {grant_id}", detail, clock.at())
        session.commit()
        return False
    newer = sa.exists().where(link_grant.c.account == row.account, link_grant.c.ended_at.is_(None))
    confirmed = text is None or bool(session.scalar(sa.select(newer)))
    if text is not None and not confirmed:
        use = uses.Use(grant_id, row.id, row.account, "revoke", link.author)
        [use_id] = uses.begin(session, [use], clock.at())
        session.commit()
        try:
            link.partner.revoke(text)
        except PartnerError as error:
            uses.answer_error(session, use_id, error, clock.at())
            detail = {"account": row.account, "grant": grant_id, "failure": error.failure}
            open_task(session, "link_revocation", f"grant {grant_id}", detail, clock.at())
        else:
            uses.answer(session, use_id, clock.at())
            confirmed = True
    ids = session.scalars(sa.select(link_token.c.id).where(link_token.c.grant_id == grant_id)).all()
    secrets.destroy_of(session, ids, clock.at())
    session.commit()
    return confirmed
