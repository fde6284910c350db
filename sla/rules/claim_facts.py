"""What a claim is decided from: claims, rulings on them and terms of one account and month.

Values only; named tuples, which are made quickest, for a month has millions of them. Instants are aware datetimes,
sets of seconds are half-open epoch spans, fees are exact yen.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from keizoku.sla.rules.intervals import NOTHING, Spans
from keizoku.terms.calendar import Interval, Month


class LateGrant(NamedTuple):
    """People take a claim that came after its deadline as one in time."""

    ground: str
    approved_by: str


class Claim(NamedTuple):
    """One application; `windows` None: it names only the month, so every window."""

    claim_id: str
    received_at: datetime
    windows: Spans | None = None
    late_grant: LateGrant | None = None


class ClaimRuling(NamedTuple):
    """People recognise only these windows of what this claim claims."""

    claim_id: str
    windows: Spans


class TermKind(NamedTuple):
    """All that matters of a term but whose it is. [start, end) in epoch seconds, as it really ran, within the month.

    The terms of a month are of few kinds, for most begin and end on days (the first begins when it was approved).
    """

    start: int
    end: int
    method: str
    interval: Interval
    price_yen: int

    @property
    def price(self) -> tuple[int, str]:
        """The recurring price and its interval, as the monthly fee is worked out from them."""
        return self.price_yen, self.interval


class TermFact(NamedTuple):
    """A term of an account: its id, and the rest."""

    term_id: int
    kind: TermKind


class AccountMonth(NamedTuple):
    """All claims of one account for one month, and what is known about the account.

    `rulings` oldest first; `environment` are the seconds that people ruled to be the claimant's own
    environment; `suspended` the account's own suspensions.
    """

    account: str
    month: Month
    claims: tuple[Claim, ...]
    terms: tuple[TermFact, ...] = ()
    suspended: Spans = NOTHING
    rulings: tuple[ClaimRuling, ...] = ()
    environment: Spans = NOTHING
    form_outages: Spans = NOTHING  # when nobody could submit a claim, for all accounts


class ClaimFacts(NamedTuple):
    """One claim to be adjudicated, among all of its account and month."""

    claim: Claim
    among: AccountMonth
