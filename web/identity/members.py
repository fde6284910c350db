"""Members in a browser: a link of the host for one account, and whose the things are that they name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from keizoku.billing.receivables.known_accounts import want_account
from keizoku.db.tables.claims import claim
from keizoku.terms.read_model import JapanInstant, ReadModel
from keizoku.terms.refusal import Refused
from keizoku.web.identity.links import LINK_LASTS, new_link
from keizoku.web.identity.principal import MEMBER, Principal

if TYPE_CHECKING:
    from keizoku.db.session import Session

__all__ = ["MemberLink", "account_of_claim", "new_member_link"]


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


def account_of_claim(session: Session, claim_id: str) -> str:
    """Whose claim it is, as far as the session sees it. Refused where it sees none of this id."""
    found: str | None = session.scalar(sa.select(claim.c.account).where(claim.c.id == claim_id))
    if found is None:
        raise Refused("claim.unknown", f"no claim has the id {claim_id!r}")
    return found
