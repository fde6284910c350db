"""The customer authorises us at the partner: the code flow with PKCE, begun here and finished with the partner's code.

    begin ──> address of the partner ──> the customer, there ──> back with state and code ──> finish ──> a grant

The state is used once and only its digest is kept; the verifier is sealed until then. An account has one living grant:
one for orders, too, replaces one for data, and the old token is destroyed.
"""

from __future__ import annotations

import hashlib
import secrets as random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from keizoku.db.tables.link.grants import link_authorization, link_authorization_end, link_grant
from keizoku.link.grants.context import Link
from keizoku.link.grants.ending import end_grant, revoke_left
from keizoku.link.grants.generations import NewToken, store_tokens
from keizoku.link.partner.port import PartnerError
from keizoku.link.records import secrets, uses
from keizoku.link.records.customers import ensure_account, load_customer, lock_account
from keizoku.link.rules.eligibility import OPEN, may_be_granted
from keizoku.link.rules.ends import CLAUSES, LinkEnd
from keizoku.link.rules.facts import Scope
from keizoku.terms.refusal import Refused

__all__ = ["BEGUN_FOR", "Begun", "begin", "closed_because", "finish"]

BEGUN_FOR: Final = timedelta(minutes=15)
"""How long the customer has at the partner."""
SCOPES: Final[dict[str, tuple[Scope, ...]]] = {"data": ("data",), "orders": ("data", "orders")}


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the customer is sent, and until when they may come back."""

    url: str = field(repr=False)
    state: str = field(repr=False)
    expires_at: datetime


def begin(link: Link, account: str, wanted: Scope, redirect_uri: str, now: datetime) -> Begun:
    """Begin an authorisation; commits. Raises Refused where a condition of use is not met."""
    session = link.session
    ensure_account(session, account, now)
    _want_open(link, account, now)
    state, verifier = random.token_urlsafe(32), random.token_urlsafe(64)
    scopes = SCOPES[wanted]
    url = link.partner.authorization_url(scopes, redirect_uri, state, verifier)
    expires_at = now + BEGUN_FOR
    authorization_id = session.execute(
        sa.insert(link_authorization)
        .values(
            account=account,
            state_digest=_digest(state),
            scopes=" ".join(scopes),
            redirect_uri=redirect_uri,
            begun_at=now,
            expires_at=expires_at,
            recorded_at=now,
        )
        .returning(link_authorization.c.id)
    ).scalar_one()
    secrets.put_verifier(session, link.ring, authorization_id, verifier, now)
    session.commit()
    return Begun(url, state, expires_at)


def finish(link: Link, state: str, code: str, now: datetime, keep: Callable[[int], None]) -> int:
    """Exchange the partner's code for the first token; the grant's id. Commits. Raises Refused.

    A state is taken once, whatever comes of it: a code that was exchanged twice would void the grant.
    `keep` is given the grant's id in the transaction that makes it.
    """
    session, clock = link.session, uses.Elapsing(now)
    row = session.execute(
        sa.select(link_authorization).where(link_authorization.c.state_digest == _digest(state))
    ).first()
    if row is None:
        raise Refused("link.state_unknown", "no authorisation was begun with this state", "begin one anew")
    if now >= row.expires_at:
        raise Refused("link.state_expired", f"account {row.account}: its authorisation has expired", "begin one anew")
    _want_open(link, row.account, now)
    verifier = secrets.open_verifier(session, link.ring, row.id)
    try:
        session.execute(
            sa.insert(link_authorization_end).values(authorization_id=row.id, outcome="exchanging", recorded_at=now)
        )
        secrets.destroy_verifier(session, row.id, now)
        session.commit()
    except IntegrityError:
        session.rollback()
        verifier = None
    if verifier is None:
        raise Refused("link.state_used", f"account {row.account}: this authorisation was used", "begin one anew")
    asked_at = now  # whatever passed since then, the token ends early rather than late
    try:
        answer = link.partner.exchange(code, verifier, row.redirect_uri)
    except PartnerError as error:
        ended = {"authorization_id": row.id, "outcome": "refused", "code": error.code, "recorded_at": clock.at()}
        session.execute(sa.insert(link_authorization_end).values(ended))
        session.commit()
        raise Refused(
            "link.not_granted", f"account {row.account}: the partner gave no token ({error.code})", "begin one anew"
        ) from None
    at = clock.at()
    lock_account(session, row.account)
    customer = load_customer(session, row.account)
    old = customer.grant if customer.grant is not None and customer.grant.ended_at is None else None
    if old is not None:
        end_grant(session, row.account, old.id, LinkEnd(at, "replaced", CLAUSES["replaced"]), at)
    session.execute(
        sa.insert(link_authorization_end).values(authorization_id=row.id, outcome="granted", recorded_at=at)
    )
    grant_id: int = session.execute(
        sa.insert(link_grant)
        .values(
            account=row.account,
            authorization_id=row.id,
            scopes=row.scopes,
            granted_at=asked_at,
            consent_until=asked_at + timedelta(days=link.consent_days) if link.consent_days else None,
            recorded_at=at,
        )
        .returning(link_grant.c.id)
    ).scalar_one()
    store_tokens(link, [NewToken(grant_id, row.account, 1, answer, asked_at)])
    keep(grant_id)
    session.commit()
    if old is not None:
        revoke_left(link, old.id, clock)
    return grant_id


def closed_because(link: Link, account: str, at: datetime) -> str | None:
    """Why the customer may not be sent to the partner, in words; None: they may."""
    customer = load_customer(link.session, account)
    needed = link.rules.discretion.link_needs_rulings
    decision = may_be_granted(customer, needed, link.policy(at), at)
    if decision.outcome == OPEN:
        return None
    return " ".join(decision.render("en"))


def _want_open(link: Link, account: str, at: datetime) -> None:
    why = closed_because(link, account, at)
    if why is not None:
        link.session.rollback()
        raise Refused("link.closed", f"account {account}: {why}", "record what is missing: `keizoku link`")


def _digest(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()
