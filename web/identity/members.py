"""Members in a browser: a link of the host for one account, and whose the things are that they name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from keizoku.billing.receivables.of_account import want_account
from keizoku.db.tables.claims import claim
from keizoku.db.tables.link.grants import link_authorization
from keizoku.terms.read_model import JapanInstant, ReadModel
from keizoku.terms.refusal import Refused
from keizoku.web.identity.keys import digest_of
from keizoku.web.identity.links import LINK_LASTS, new_link
from keizoku.web.identity.principal import MEMBER, Principal

if TYPE_CHECKING:
    from keizoku.db.session import Session

__all__ = ["MemberLink", "account_of", "new_member_link"]


@dataclass(frozen=True, slots=True, eq=False)
class MemberLink(ReadModel):
    """A link for one member; `token` is shown this once."""

    account: str
    token: str
    expires_at: JapanInstant


def new_member_link(session: Session, account: str, *, by: str, now: datetime) -> MemberLink:
    """A link that opens the pages of this account, once, within 15 minutes. Refused where it is unknown; no commit."""
    want_account(session, account)
    who = Principal(MEMBER, MEMBER, (MEMBER,), account=account)
    return MemberLink(account, new_link(session, who, by=by, now=now), now + LINK_LASTS)


def account_of(session: Session, arguments: Mapping[str, Any]) -> str:
    """Whose the thing is that an act names, as far as the session sees it: a claim, or the state of a linking."""
    state = arguments.get("state")
    return _of_state(session, state) if isinstance(state, str) else _of_claim(session, str(arguments.get("claim")))


def _of_state(session: Session, state: str) -> str:
    """Who began the authorisation at the partner. Refused where the session sees none of this state."""
    own = link_authorization.c
    found: str | None = session.scalar(sa.select(own.account).where(own.state_digest == digest_of(state)))
    if found is None:
        raise Refused("link.state_unknown", "no authorisation was begun with this state", "begin one anew")
    return found


def _of_claim(session: Session, claim_id: str) -> str:
    """Whose claim it is, as far as the session sees it. Refused where it sees none of this id."""
    found: str | None = session.scalar(sa.select(claim.c.account).where(claim.c.id == claim_id))
    if found is None:
        raise Refused("claim.unknown", f"no claim has the id {claim_id!r}")
    return found
