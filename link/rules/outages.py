"""When the partner failed, by the log of uses: a draft for people, who say whether our own pages could be viewed.

    minute   10:01  10:02  10:03  …           distinct customers who got no answer, of those who asked
             0/12   5/9    7/7    …  ──> from 10:02, affected 12, total 40     cause: partner (premium/9.3)

A refusal of one customer, a slow pace and our own mistakes are no failure of the partner. Minutes that fail belong
together up to JOINED minutes apart; what lasts for less than SHORTEST is not drafted. Facts in, drafts out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

__all__ = ["FAILED", "SHORTEST", "PartnerOutage", "UseOutcome", "partner_outages"]

FAILED: Final = frozenset({"unavailable", "no_answer"})
JOINED: Final = timedelta(minutes=5)
SHORTEST: Final = timedelta(minutes=10)
_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class UseOutcome:
    """One use of a token: whose, when, and what came of it."""

    account: str
    at: datetime
    outcome: str


@dataclass(frozen=True, slots=True)
class PartnerOutage:
    """A time in which the partner failed [from, to), and how many customers it hit of those who asked in it."""

    from_at: datetime
    to_at: datetime
    affected: int
    total: int


def partner_outages(uses: Iterable[UseOutcome]) -> tuple[PartnerOutage, ...]:
    """The failures that are long enough to be looked at, in order."""
    every = sorted(uses, key=lambda use: use.at)
    minutes = sorted({use.at.replace(second=0, microsecond=0) for use in every if use.outcome in FAILED})
    spans: list[tuple[datetime, datetime]] = []
    for minute in minutes:
        if spans and minute - spans[-1][1] <= JOINED:
            spans[-1] = (spans[-1][0], minute + _MINUTE)
        else:
            spans.append((minute, minute + _MINUTE))
    found = []
    for from_at, to_at in spans:
        if to_at - from_at < SHORTEST:
            continue
        inside = [use for use in every if from_at <= use.at < to_at]
        hit = {use.account for use in inside if use.outcome in FAILED}
        found.append(PartnerOutage(from_at, to_at, len(hit), len({use.account for use in inside})))
    return tuple(found)
