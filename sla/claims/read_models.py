"""What is shown of claims and months: values only, one object per question; `to_json` is the home of its JSON.

    ClaimRow            a claim in a list, with its newest decision
    ClaimStatus         where one claim is: outcome, seconds, rate, the yen of its month
    ClaimExplanation    the claim, its status, every decision so far, every award of its account and month
    MonthView           the month as it holds for everyone

`claim_views` fills them. Seconds and yen are whole; a rate is exact text, such as "0.2".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any

from keizoku.terms.calendar import iso_jst
from keizoku.terms.decision import Decision
from keizoku.terms.read_model import IF_KNOWN, JapanInstant, Key, Shown

Window = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class ClaimRow(Shown):
    """A claim with its newest decision; a pending or withdrawn one has neither reason, seconds nor rate."""

    id: str
    account: str
    month: str
    received_at: JapanInstant
    outcome: str
    reason: str | None
    seconds: int | None
    rate: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimStatus(Shown):
    """Where a claim is. `credit_yen`: what its account was awarded for the month so far.

    A pending one has no seconds yet; `waits_for` says what it waits for. A withdrawn one is never decided.
    """

    outcome: str
    seconds: int | None = None
    rate: str | None = None
    credit_yen: Annotated[int, Key("credit")]
    reason: str | None = None
    waterfall: Mapping[str, int] | None = None  # seconds by bucket, in their order
    waits_for: Annotated[str | None, IF_KNOWN] = None


@dataclass(frozen=True, slots=True)
class SubmittedClaim(Shown):
    """A claim as it came; `windows` as pairs of JST texts, None: it names only the month."""

    id: str
    account: str
    month: str
    received_at: JapanInstant
    windows: Sequence[Sequence[str]] | None


@dataclass(frozen=True, slots=True)
class ClaimRevision:
    """One decision on a claim, and when it was made."""

    revision: int
    decided_at: datetime
    decision: Decision

    @property
    def reason(self) -> str | None:
        """Why it was rejected; None if it was granted."""
        reason: str | None = self.decision.facts["reason"]
        return reason

    @property
    def seconds(self) -> int:
        """Recognised time."""
        return int(self.decision.facts["seconds"])

    @property
    def united_claims(self) -> frozenset[str]:
        """The claims that were decided as one with it, itself among them."""
        return frozenset(self.decision.facts["united_claims"])

    def to_json(self) -> dict[str, object]:
        """As it is printed in JSON."""
        return {"revision": self.revision, "decided_at": iso_jst(self.decided_at), **self.decision.to_json()}


@dataclass(frozen=True, slots=True)
class TermPrice(Shown):
    """A term that recognised time touches, and what it costs."""

    term_id: int
    interval: str
    price_yen: int


@dataclass(frozen=True, slots=True)
class AwardRow(Shown):
    """An award of an account and month, and the credit that billing made of it.

    `fee_basis`: yen a month, exact ("500", "1325/3"). `total_yen` and `granted_yen` None: billing has not run yet.
    """

    id: int
    account: str
    month: str
    revision: int
    claim_id: str
    decision_revision: int
    rate: str
    seconds: int
    term_ids: tuple[int, ...]
    term_prices: tuple[TermPrice, ...]
    fee_basis: str
    usable_from: date
    decided_on: date
    decided_at: JapanInstant
    windows: Sequence[Sequence[str]]
    total_yen: int | None
    granted_yen: int | None

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> AwardRow:
        """From the columns of the award, the windows of its decision and the yen of its credit."""
        prices = tuple(TermPrice(each["term_id"], each["interval"], each["price_yen"]) for each in row["term_prices"])
        return cls(**{**row, "term_ids": tuple(row["term_ids"]), "term_prices": prices})


@dataclass(frozen=True, slots=True)
class ClaimExplanation:
    """All that explains a claim; `decisions` and `awards` oldest first."""

    claim: SubmittedClaim
    status: ClaimStatus
    decisions: tuple[ClaimRevision, ...]
    awards: tuple[AwardRow, ...]

    @property
    def last(self) -> ClaimRevision | None:
        """The decision that holds; None while the claim is pending."""
        return self.decisions[-1] if self.decisions else None

    def state_json(self) -> dict[str, object]:
        """The claim and what became of it, as one row."""
        return {**self.claim.to_json(), **self.status.to_json()}

    def to_json(self, sentences: Sequence[tuple[str, str]]) -> dict[str, object]:
        """As it is printed in JSON, with its sentences as (clause, text)."""
        return {
            "claim": self.claim.to_json(),
            "state": self.status.to_json(),
            "sentences": [{"clause": clause, "text": text} for clause, text in sentences],
            "decisions": [each.to_json() for each in self.decisions],
            "awards": [each.to_json() for each in self.awards],
        }


@dataclass(frozen=True, slots=True)
class MonthView:
    """The month for everyone. `unknown`: time without a sample on which nobody has decided."""

    stop_seconds: int
    unusable_seconds: int
    windows: tuple[Window, ...]
    unknown: tuple[Window, ...]

    @property
    def final(self) -> bool:
        """Whether nothing of it waits for people."""
        return not self.unknown

    def to_json(self) -> dict[str, object]:
        """As scenarios look at it; windows are pairs of instants."""
        return {
            "stop_seconds": self.stop_seconds,
            "unusable_seconds": self.unusable_seconds,
            "windows": list(self.windows),
            "unknown": list(self.unknown),
            "final": self.final,
        }
