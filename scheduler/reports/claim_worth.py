"""What a member can claim before they claim it: a month's measured windows, and what they would be worth.

    MeasuredMonth = measured_month(session, rules, month, now)            the same for everybody
    ClaimWorth    = claim_worth(session, "a1", measured, windows, now)    decided by the rule of the night, not kept

What it is worth is what the night would decide on this claim together with those that the account made already, by
what is known now. Read only; nobody is promised anything: evidence may still come.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from keizoku.billing.rules.sla_credit import credit_yen
from keizoku.db.account_reads import noted
from keizoku.db.session import Session
from keizoku.sla.claims.claim_store import load_account_month
from keizoku.sla.evidence.form_outages import form_outages
from keizoku.sla.months.month_facts import load_service_month
from keizoku.sla.review_queue import policy_of
from keizoku.sla.rules.claim_decision import ClaimDecision
from keizoku.sla.rules.claim_facts import Claim, ClaimFacts
from keizoku.sla.rules.claims import adjudicate, claim_deadline
from keizoku.sla.rules.intervals import NOTHING, Spans, as_iso, intersect, length
from keizoku.sla.rules.unusable_time import ServiceMonth
from keizoku.terms.calendar import Month, iso_jst
from keizoku.terms.policy import Policy
from keizoku.terms.rules import Rules

__all__ = ["ClaimWorth", "MeasuredMonth", "claim_worth", "measured_month"]

NEW = "new"
"""The claim that is not made yet."""


@dataclass(frozen=True, slots=True)
class MeasuredMonth:
    """A month as it holds for everyone, and until when it can be claimed."""

    month: Month
    policy: Policy
    service: ServiceMonth
    deadline_at: datetime
    open: bool
    form_down: Spans = NOTHING
    """When the claim form itself was down so shortly before the deadline that it moved (9.5)."""

    @property
    def ordinary_deadline_at(self) -> datetime:
        """The deadline that the month would have, had the claim form never been down."""
        return claim_deadline(self.month, NOTHING, self.policy)

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "month": str(self.month),
            "deadline_at": iso_jst(self.deadline_at),
            "open": self.open,
            "ordinary_deadline_at": iso_jst(self.ordinary_deadline_at),
            "form_down": [{"from": start, "to": end} for start, end in as_iso(self.form_down)],
            "gross_seconds": length(self.service.gross),
            "unusable_seconds": length(self.service.unusable),
            "unknown_seconds": length(self.service.unknown),
            "outages": [
                {
                    "from": start,
                    "to": end,
                    "seconds": span[1] - span[0],
                    "unusable_seconds": length(intersect((span,), self.service.unusable)),
                }
                for span in self.service.gross
                for start, end in as_iso((span,))
            ],
            "windows": [
                {"from": start, "to": end, "seconds": part.end - part.start, "bucket": part.bucket,
                 "clause": part.clause}
                for part in self.service.parts
                for start, end in as_iso(((part.start, part.end),))
            ],
            "tiers": [
                {"over_seconds": tier.over_seconds, "rate": str(float(tier.rate))} for tier in self.policy.sla.tiers
            ],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class ClaimWorth:
    """What would be decided on a claim that is made now."""

    decision: ClaimDecision
    yen: int

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        made = self.decision
        return {
            "in_time": made.deadline.admits(made.claim),
            "deadline_at": iso_jst(made.deadline.at),
            "reason": made.verdict.reason,
            "recognised_seconds": made.seconds,
            "rate": None if made.rate is None else str(float(made.rate)),
            "monthly_fee_yen": int(made.monthly_fee),
            "yen": self.yen,
            "waterfall": dict(made.waterfall),
        }


def measured_month(session: Session, rules: Rules, month: Month, now: datetime) -> MeasuredMonth:
    """The month as known now. Raises UncoveredDateError, NoPopulationError."""
    policy = policy_of(rules, month)
    service = load_service_month(session, rules, month, now)
    down = form_outages(session, month, policy)
    deadline_at = claim_deadline(month, down, policy)
    return MeasuredMonth(month, policy, service, deadline_at, month.start_at <= now < deadline_at, down)


def claim_worth(
    session: Session, account: str, measured: MeasuredMonth, windows: Spans | None, now: datetime
) -> ClaimWorth:
    """What a claim of these windows of a month (None: all of it) would bring now."""
    noted(account, "claim_worth")
    policy = measured.policy
    among = load_account_month(session, measured.month, policy, account, now)
    own = Claim(NEW, now, windows)
    decision = adjudicate(ClaimFacts(own, among._replace(claims=(*among.claims, own))), measured.service, policy)
    rounding = policy.readings["credit_rounding"]
    return ClaimWorth(decision, credit_yen(decision.worth, rounding) if decision.verdict.tier else 0)
