"""What is decided on a claim: the verdict that all in its circumstances share, and what is the claim's own.

Values only. 100,000 claims of a month come to a few thousand verdicts; beside its verdict a decision holds no more
than who asks, when, and for which terms. The full `Decision` is put together when somebody wants to read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import NamedTuple, TypedDict

from keizoku.sla.rules.claim_facts import Claim, TermFact
from keizoku.sla.rules.claim_steps import deadline_steps, united_steps
from keizoku.sla.rules.intervals import Spans
from keizoku.terms.calendar import Interval, Month
from keizoku.terms.decision import Decision, Step
from keizoku.terms.policy import Tier


@dataclass(frozen=True, slots=True)
class Deadline:
    """When claims for a month have to be here, ordinarily and as moved by outages of our form."""

    ordinary_at: datetime
    at: datetime
    form_down_seconds: int = 0  # in the hours before the ordinary one

    def admits(self, claim: Claim) -> bool:
        """Whether a claim was received before it, or is taken by people all the same."""
        return claim.received_at < self.at or claim.late_grant is not None

    def timely(self, claims: Iterable[Claim]) -> tuple[Claim, ...]:
        """The claims that it admits, in the order of receipt."""
        timely = [claim for claim in claims if self.admits(claim)]
        if len(timely) > 1:
            timely.sort(key=lambda claim: (claim.received_at, claim.claim_id))
        return tuple(timely)


@dataclass(frozen=True, slots=True)
class ClaimVerdict:
    """What all claims made in the same circumstances get, under which terms and readings.

    `touched`: places of the terms whose fee counts among the account's; `fee` and `worth` are exact yen. The last of a
    decision's steps are `steps_before`, which hold whatever is claimed, and `steps`, of which there is always one.
    """

    version: str
    readings: Mapping[str, str]
    reason: str | None
    tier: Tier | None  # only when granted
    seconds: int
    waterfall: dict[str, int]
    recognised: Spans
    touched: tuple[int, ...]
    fee: Fraction
    worth: Fraction
    clauses: tuple[str, ...]
    steps_before: tuple[Step, ...]
    steps: tuple[Step, ...]

    @property
    def outcome(self) -> str:
        """In a word."""
        return "granted" if self.tier else "rejected"


class ClaimDecision(NamedTuple):
    """What was decided on one claim: its verdict, and what it does not share with others."""

    claim: Claim
    account: str
    month: Month
    united: tuple[Claim, ...]  # the claims that were decided as one with it, and itself, in the order of receipt
    deadline: Deadline
    terms: tuple[TermFact, ...]  # paid by card and touched by recognised time
    verdict: ClaimVerdict

    @property
    def claim_id(self) -> str:
        """The claim."""
        return self.claim.claim_id

    @property
    def outcome(self) -> str:
        """Granted or rejected."""
        return self.verdict.outcome

    @property
    def reason(self) -> str | None:
        """Why; only when rejected."""
        return self.verdict.reason

    @property
    def seconds(self) -> int:
        """Recognised time."""
        return self.verdict.seconds

    @property
    def rate(self) -> Fraction | None:
        """The share of the fee; only when granted."""
        return self.verdict.tier.rate if self.verdict.tier else None

    @property
    def waterfall(self) -> dict[str, int]:
        """Seconds by bucket."""
        return self.verdict.waterfall

    @property
    def recognised(self) -> Spans:
        """The recognised time."""
        return self.verdict.recognised

    @property
    def term_ids(self) -> tuple[int, ...]:
        """The terms whose fee counts."""
        return tuple(term.term_id for term in self.terms)

    @property
    def monthly_fee(self) -> Fraction:
        """The fee that the rate applies to; 0 when nothing was recognised."""
        return self.verdict.fee

    @property
    def worth(self) -> Fraction:
        """Exact yen that the decision is worth, before rounding; billing rounds it."""
        return self.verdict.worth

    @property
    def others(self) -> list[str]:
        """The other claims that were decided as one with it."""
        return [each.claim_id for each in self.united if each.claim_id != self.claim_id]

    @property
    def deadline_steps(self) -> tuple[Step, ...]:
        """When it came, against the deadline. Only the last has a fact of the claim itself."""
        deadline = self.deadline
        lost_seconds = deadline.form_down_seconds
        return tuple(deadline_steps(self.month, self.claim, deadline.ordinary_at, lost_seconds, deadline.at))

    @property
    def decision(self) -> Decision:
        """All of it, with every step on the way."""
        verdict = self.verdict
        return Decision(
            subject=f"claim {self.claim_id}",
            outcome=verdict.outcome,
            clauses=verdict.clauses,
            terms=verdict.version,
            readings=verdict.readings,
            facts={
                "account": self.account,
                "month": self.month,
                "received_at": self.claim.received_at,
                "deadline_at": self.deadline.at,
                "reason": verdict.reason,
                "seconds": verdict.seconds,
                "united_claims": [each.claim_id for each in self.united],
                "terms": [term_json(term) for term in self.terms],
            },
            steps=(*self.deadline_steps, *united_steps(self.others), *verdict.steps_before, *verdict.steps),
        )


class Award(NamedTuple):
    """What an account gets for a month, and the claim that it rests on."""

    claim_id: str
    usable_from: date
    rests_on: ClaimDecision


class MonthDecision(NamedTuple):
    """What was decided on all claims of one account and month, and the award they are worth."""

    claims: tuple[ClaimDecision, ...]
    award: Award | None


class PricedTerm(TypedDict):
    """A term whose fee counts, as an award stores it in JSON."""

    term_id: int
    interval: Interval
    price_yen: int


def term_json(term: TermFact) -> PricedTerm:
    """A term as stored with an award."""
    return {"term_id": term.term_id, "interval": term.kind.interval, "price_yen": term.kind.price_yen}
