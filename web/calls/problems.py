"""What is said when a call cannot be answered: `application/problem+json` (RFC 9457).

    Refused                              409  type /v1/problems/CODE, clause, remedy, findings
      … of something that there is not   404
    a body or a query of another form    422  a finding for each field
    no key, or one that is not taken     401
    a role or scope that may not         403
    the database went away               503, and whether the act may have been done

Never a trace, never SQL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from keizoku.terms.refusal import Refused

__all__ = ["NOT_FOUND", "ProblemError", "of_refusal", "too_slow"]

PREFIX: Final = "/v1/problems/"

NOT_FOUND: Final = frozenset(
    {
        "account.unknown",
        "batch.unknown",
        "card.unknown",
        "claim.unknown",
        "contract.none",
        "credit.unknown",
        "demand.unknown",
        "dispute.unknown",
        "document.not_issued",
        "document.unknown",
        "entry.unknown",
        "import.unknown",
        "link.order_unknown",
        "link.stop_unknown",
        "invoice.unknown",
        "ledger.account_unknown",
        "plan.unknown",
        "proposal.unknown",
        "reconciliation.exception_unknown",
        "receipt.unknown",
        "refund.none",
        "refund.unknown",
        "outage.unknown",
        "task.unknown",
        "transfer.unknown",
        "transfer_out.file_unknown",
        "transfer_out.unknown",
        "webhook.unknown",
    }
)
"""Codes of refusals that say that there is no such thing."""


@dataclass(eq=False)
class ProblemError(Exception):
    """A call that is answered with a problem: its status, its kind (the end of its type), and what to do."""

    status: int
    kind: str
    title: str
    detail: str
    remedy: str = ""
    clause: str | None = None
    findings: Sequence[Mapping[str, Any]] = ()
    headers: Mapping[str, str] | None = None

    def to_json(self) -> dict[str, Any]:
        """The problem as RFC 9457 has it; `clause`, `remedy` and `findings` are our extensions."""
        return {
            "type": PREFIX + self.kind,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "clause": self.clause,
            "remedy": self.remedy,
            "findings": [dict(each) for each in self.findings],
        }


def too_slow(detail: str) -> ProblemError:
    """A call of which not all came in its time: 408."""
    return ProblemError(408, "slow", "The call comes too slowly.", detail, "send it again, whole")


def of_refusal(refused: Refused) -> ProblemError:
    """A refusal by the rules: 409, or 404 where it says that there is no such thing."""
    from keizoku.terms.refusal import code_of

    told = refused.to_json()
    status = 404 if refused.code in NOT_FOUND else 409
    return ProblemError(
        status,
        refused.code,
        code_of(refused.code).en,
        told["sentence"],
        told["remedy"],
        refused.clause,
        told["findings"],
    )
