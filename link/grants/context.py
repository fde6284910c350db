"""What every piece of work with tokens has: a session, the rules, the partner, the keys, and who does it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

from keizoku.db.locks import leader_lock
from keizoku.db.session import Session
from keizoku.link.partner.port import Partner
from keizoku.link.records.grant_locks import lock_of
from keizoku.link.sealing.seals import KeyRing
from keizoku.terms.api_link.link_policy import LinkPolicy, link_policy
from keizoku.terms.calendar import jst_day
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules

__all__ = ["Link", "grant_lock"]


@dataclass(frozen=True)
class Link:
    """One process's work on links."""

    session: Session
    rules: Rules
    partner_of: Callable[[], Partner]
    ring_of: Callable[[], KeyRing]
    author: str = "keizoku"
    consent_days: int = 0  # after so many days the partner lets a grant lapse; 0: it names no end

    @cached_property
    def partner(self) -> Partner:
        """Whoever holds the customers' accounts. Raises Refused where none is set."""
        return self.partner_of()

    @cached_property
    def ring(self) -> KeyRing:
        """The keys. Raises Refused where none are set, DatabaseError where the login may not read what is sealed."""
        return self.ring_of()

    def policy(self, at: datetime) -> LinkPolicy:
        """The version of the terms in force at `at`."""
        return link_policy(self.day(at))

    @staticmethod
    def day(at: datetime) -> date:
        """The day in Japan."""
        return jst_day(at)


@contextmanager
def grant_lock(session: Session, grant_id: int) -> Iterator[None]:
    """Whoever uses or renews a grant's token alone, across processes; gone with the process. Raises Refused."""
    with leader_lock(session, lock_of(grant_id)) as mine:
        if not mine:
            why = f"grant {grant_id}: another process is renewing its token"
            raise Refused("link.busy", why, "try again in a moment")
        yield
