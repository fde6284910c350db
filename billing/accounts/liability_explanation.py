"""Loads what was actually received of an account, and tells the limit of liability that follows (premium/12.2).

Decides nothing: keizoku.billing.rules.liability_cap does. Read only; callers ask at the present of their clock.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keizoku.billing.receivables.known_accounts import want_account
from keizoku.billing.receivables.of_account import of_credits, of_invoices
from keizoku.billing.rules.liability_cap import Cap, FeeReceived, FeeReturned, Source, liability_cap, still_due_yen
from keizoku.billing.rules.payment_method import prepaid_terms
from keizoku.db.account_reads import noted
from keizoku.db.session import Session
from keizoku.db.tables.codes import code, code_batch, code_redemption
from keizoku.db.tables.contracts import contract, term
from keizoku.db.tables.gateway import gateway_dispute
from keizoku.db.tables.money import (
    allocation,
    credit,
    credit_refund,
    payment_attempt,
    receipt,
    settlement,
    store_report,
)
from keizoku.terms.calendar import Month, iso_jst, jst_day
from keizoku.terms.policy import UncoveredDateError
from keizoku.terms.refusal import Refused
from keizoku.terms.rendering import Lang, sentence
from keizoku.terms.rules import Rules

CLAUSE = "premium/12.2"


@dataclass(frozen=True, slots=True)
class LiabilityExplanation:
    """The limit for an event of an account, the credits that count against the same loss, and what that leaves."""

    account: str
    cap: Cap
    credits: tuple[tuple[Month, int], ...]  # granted so far, by month of the outage
    damage_yen: int | None

    @property
    def same_loss_yen(self) -> int:
        """Credits for the month of the event: they count against damages for the same loss."""
        month = Month.of(self.cap.event_at)
        return sum(yen for each, yen in self.credits if each == month)

    @property
    def still_due_yen(self) -> int | None:
        """Of a stated damage, what is left within the limit."""
        return None if self.damage_yen is None else still_due_yen(self.damage_yen, self.cap.yen, self.same_loss_yen)

    def sentences(self, lang: Lang) -> list[str]:
        """The limit in sentences, receipt by receipt."""
        cap = self.cap
        lines = [sentence("cap.window", lang, {"since_at": cap.since_at, "event_at": cap.event_at})]
        for each in cap.counted:
            facts: dict[str, Any] = {
                "received_at": each.at,
                "yen": each.yen,
                "net_yen": each.net_yen(cap.event_at),
                "subject": each.subject,
                "source": sentence(f"cap.source.{each.source}", lang, {}),
            }
            lines.append(sentence("cap.received" if facts["net_yen"] == each.yen else "cap.returned", lang, facts))
        lines.append(sentence("cap.total" if cap.counted else "cap.nothing", lang, {"cap_yen": cap.yen}))
        for month, yen in self.credits:
            which = "same" if month == Month.of(cap.event_at) else "other"
            lines.append(sentence(f"cap.credit.{which}", lang, {"outage_month": str(month), "granted_yen": yen}))
        if self.damage_yen is not None:
            facts = {"damage_yen": self.damage_yen, "credit_yen": self.same_loss_yen, "due_yen": self.still_due_yen}
            lines.append(sentence("cap.still_due", lang, facts))
        return [*lines, sentence("cap.by_people", lang, {})]

    def to_json(self, lang: Lang) -> dict[str, Any]:
        """JSON values for --json."""
        cap = self.cap
        return {
            "account": self.account,
            "event_at": iso_jst(cap.event_at),
            "since_at": iso_jst(cap.since_at),
            "cap_yen": cap.yen,
            "clause": CLAUSE,
            "received": [
                {
                    "at": iso_jst(each.at),
                    "source": each.source.value,
                    "subject": each.subject,
                    "yen": each.yen,
                    "net_yen": each.net_yen(cap.event_at),
                }
                for each in cap.counted
            ],
            "credits": [
                {"month": str(month), "yen": yen, "same_loss": month == Month.of(cap.event_at)}
                for month, yen in self.credits
            ],
            "damage_yen": self.damage_yen,
            "still_due_yen": self.still_due_yen,
            "sentences": [{"clause": CLAUSE, "text": line} for line in self.sentences(lang)],
        }


def explain_liability(
    session: Session, rules: Rules, account: str, event_at: datetime, *, damage_yen: int | None = None
) -> LiabilityExplanation:
    """The limit for an event at an instant. Raises Refused for an unknown account or a day without terms."""
    noted(account, "explain_liability")
    want_account(session, account)
    try:
        years = rules.terms.at(jst_day(event_at)).liability.lookback_years
    except UncoveredDateError as error:
        raise Refused("terms.not_in_force", str(error)) from None
    cap = liability_cap(fees_received(session, account), event_at, years)
    credits = session.execute(
        sa.select(credit.c.month, sa.func.sum(credit.c.granted_yen).label("yen"))
        .where(credit.c.account == account, credit.c.granted_yen > 0)
        .group_by(credit.c.month)
        .order_by(credit.c.month)
    )
    return LiabilityExplanation(
        account, cap, tuple((Month.parse(row.month), int(row.yen)) for row in credits), damage_yen
    )


def fees_received(session: Session, account: str) -> list[FeeReceived]:
    """Every fee ever received of an account, by whichever way."""
    return [
        *_by_card(session, account),
        *_by_bank(session, account),
        *_by_deposit(session, account),
        *_by_store(session, account),
        *_by_key(session, account),
    ]


def _by_card(session: Session, account: str) -> list[FeeReceived]:
    refunds: dict[int, list[FeeReturned]] = defaultdict(list)
    for row in session.execute(
        sa.select(credit_refund).where(
            of_credits(credit_refund, account),
            credit_refund.c.outcome == "succeeded",
            credit_refund.c.failed_on.is_(None),
        )
    ):
        refunds[row.attempt_id].append(FeeReturned(row.settled_at, row.yen))
    later = gateway_dispute.alias("later")
    superseded = sa.exists().where(
        later.c.dispute == gateway_dispute.c.dispute, later.c.number > gateway_dispute.c.number
    )
    gone = gateway_dispute.c.amount - gateway_dispute.c.returned
    for row in session.execute(
        sa.select(payment_attempt.c.id, gone.label("yen"), gateway_dispute.c.happened_at)
        .join(gateway_dispute, gateway_dispute.c.payment == payment_attempt.c.gateway_id)
        .where(
            payment_attempt.c.account == account, gateway_dispute.c.state.in_(("lost", "won")), gone > 0, ~superseded
        )
    ):
        refunds[row.id].append(FeeReturned(row.happened_at, row.yen, never_received=True))
    rows = session.execute(
        sa.select(payment_attempt.c.id, payment_attempt.c.settled_at, settlement.c.yen)
        .join(settlement, sa.and_(settlement.c.kind == "card", settlement.c.source_id == payment_attempt.c.id))
        .where(payment_attempt.c.account == account, payment_attempt.c.outcome == "succeeded")
        .order_by(payment_attempt.c.id)
    )
    return [
        FeeReceived(row.settled_at, row.yen, Source.CARD, f"attempt {row.id}", tuple(refunds.get(row.id, ())))
        for row in rows
    ]


def _by_bank(session: Session, account: str) -> list[FeeReceived]:
    rows = session.execute(
        sa.select(receipt.c.id, receipt.c.received_at, receipt.c.reverses, sa.func.sum(allocation.c.yen).label("yen"))
        .join(allocation, allocation.c.receipt_id == receipt.c.id)
        .where(receipt.c.account == account, allocation.c.kind == "principal")
        .group_by(receipt.c.id)
        .order_by(receipt.c.id)
    ).all()
    taken_back = {
        row.reverses: FeeReturned(row.received_at, -int(row.yen), never_received=True)
        for row in rows
        if row.reverses is not None
    }
    return [
        FeeReceived(
            row.received_at,
            int(row.yen),
            Source.BANK,
            f"receipt {row.id}",
            (taken_back[row.id],) if row.id in taken_back else (),
        )
        for row in rows
        if row.reverses is None
    ]


def _by_deposit(session: Session, account: str) -> list[FeeReceived]:
    rows = session.execute(
        sa.select(settlement)
        .where(of_invoices(settlement, account), settlement.c.kind == "deposit")
        .order_by(settlement.c.id)
    )
    return [FeeReceived(row.recorded_at, row.yen, Source.DEPOSIT, f"invoice {row.invoice_id}") for row in rows]


def _by_store(session: Session, account: str) -> list[FeeReceived]:
    rows = session.execute(
        sa.select(term.c.id, term.c.starts_at, store_report.c.gross_yen)
        .join(store_report, store_report.c.term_id == term.c.id)
        .where(term.c.account == account)
        .order_by(term.c.id)
    )
    return [FeeReceived(row.starts_at, row.gross_yen, Source.STORE, f"term {row.id}") for row in rows]


def _by_key(session: Session, account: str) -> list[FeeReceived]:
    rows = session.execute(
        sa.select(
            contract.c.id,
            contract.c.approved_at,
            contract.c.paid_months,
            term.c.price_yen,
            term.c.interval,
            code_batch.c.yen.label("sold_yen"),
        )
        .join(term, sa.and_(term.c.contract_id == contract.c.id, term.c.follows_on.is_(None)))
        .outerjoin(code_redemption, code_redemption.c.contract_id == contract.c.id)
        .outerjoin(code, code.c.id == code_redemption.c.code_id)
        .outerjoin(code_batch, code_batch.c.id == code.c.batch_id)
        .where(contract.c.account == account, contract.c.prepaid_method == "product_key")
        .order_by(contract.c.id)
    )
    return [
        FeeReceived(
            row.approved_at,
            row.sold_yen or row.price_yen * prepaid_terms(row.paid_months, row.interval),
            Source.KEY,
            f"contract {row.id}",
        )
        for row in rows
    ]
