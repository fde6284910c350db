"""What every desk of the linked service has: a session, the rules, and the way to the partner and to the keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from keizoku.db.roles import may_add, want_to_add
from keizoku.db.session import Session
from keizoku.db.tables.link.grants import link_secret
from keizoku.link.grants.context import Link
from keizoku.link.partner.port import Partner
from keizoku.link.records.restored import want_adopted
from keizoku.link.sealing.seals import KeyRing
from keizoku.terms.calendar import iso_jst
from keizoku.terms.inputs.arguments import guard_acts
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules

__all__ = ["Desk", "LinkSetup"]


def _no_partner() -> Partner:
    raise Refused("link.no_partner", "no partner is set", "set KEIZOKU_LINK_PARTNER and where it is")


def _no_keys() -> KeyRing:
    raise Refused("link.no_keys", "no key file is set", "set KEIZOKU_LINK_KEY_FILE; `keizoku link key` makes a key")


@dataclass(frozen=True)
class LinkSetup:
    """How the partner is reached and where the keys are: asked for when they are first needed."""

    partner: Callable[[], Partner] = _no_partner
    ring: Callable[[], KeyRing] = _no_keys
    consent_days: int = 0
    calls_at_once: int = 8


@dataclass(frozen=True, slots=True)
class Desk:
    """Acts on one session, under the rules."""

    session: Session
    rules: Rules
    setup: LinkSetup

    def __init_subclass__(cls) -> None:
        """Every act of every desk first refuses what no act can take."""
        guard_acts(sa.exc.DataError)(cls)

    def _link(self, author: str = "keizoku") -> Link:
        """Work that may need the partner and the keys; they are asked for when they are first needed."""
        setup = self.setup
        return Link(self.session, self.rules, setup.partner, setup.ring, author, setup.consent_days)

    def _with_tokens(self, author: str = "keizoku") -> Link:
        """Work with tokens. Raises DatabaseError where the login lacks the role, Refused where a setting is missing.

        Refused, too, in a database that was restored and whose links nobody has adopted.
        """
        want_to_add(self.session, link_secret)
        want_adopted(self.session)
        link = self._link(author)
        _ = link.partner, link.ring
        return link

    def _may_use_tokens(self) -> bool:
        """Whether this login and these settings can reach the partner's tokens."""
        if not may_add(self.session, link_secret):
            return False
        try:
            self._with_tokens()
        except Refused:
            return False
        return True

    @staticmethod
    def _want_signed(what: str, by: str, ground: str) -> None:
        if not by.strip() or not ground.strip():
            raise Refused("act.unsigned", f"{what}: an act by people needs an author and a ground")

    @staticmethod
    def _want_past(what: str, occurred_at: datetime, now: datetime) -> None:
        if occurred_at > now:
            raise Refused("act.ahead", f"{what}: {iso_jst(occurred_at)} lies ahead", "record what has happened")
