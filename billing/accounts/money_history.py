"""Loads the events of an account's money: invoices, attempts, payments, credits, demands, documents. Read only."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from keizoku.billing.accounts.event_rows import Collect, collected, rows_of
from keizoku.billing.gateway.books import NO_MONEY
from keizoku.billing.receivables.of_account import of_contracts, of_credits, of_invoices
from keizoku.billing.rules.account_event import Event
from keizoku.db.session import Session
from keizoku.db.tables.contracts import contract_fact, term
from keizoku.db.tables.gateway import gateway_dispute
from keizoku.db.tables.money import (
    allocation,
    credit,
    credit_refund,
    demand,
    deposit_use,
    handover,
    invoice,
    payment_attempt,
    receipt,
    settlement,
    store_report,
    user_notice,
)

_OUTCOMES: Final = {
    "succeeded": ("charge_succeeded", "premium/5.1.1.a"),
    "declined_soft": ("charge_refused", "premium/5.2"),
    "declined_hard": ("charge_refused_for_good", "premium/5.4"),
    "needs_user": ("charge_needs_user", "premium/5.4"),
    "abandoned": ("charge_abandoned", ""),
}
_NOTICE_CLAUSES: Final = {
    "renewal": "premium/3.3",
    "price": "premium/4.3",
    "overdue": "premium/5.2",
    "suspension": "premium/7.1",
    "resumption": "premium/7.1",
    "termination": "premium/7.1",
    "acceleration": "premium/7.2",
    "recalculation": "premium/5.2",
    "demand": "premium/5.2",
}


def money_events(session: Session, account: str) -> Iterator[Event]:
    """Everything about the money of an account, in no order."""
    return collected(_COLLECT, session, account)


def _invoices(session: Session, account: str) -> Iterator[Event]:
    rows = session.execute(
        sa.select(invoice, term.c.starts_at)
        .join(term, term.c.id == invoice.c.term_id)
        .where(of_contracts(invoice, account))
    )
    for row in rows:
        facts = {
            "invoice": row.id,
            "total_yen": row.total_yen,
            "credit_yen": row.credit_yen,
            "charged_yen": row.total_yen - row.credit_yen,
            "tax_yen": row.tax_yen,
            "due_on": row.due_on.isoformat(),
        }
        yield Event(row.starts_at, row.issued_at, "invoiced", "premium/4.1", facts)
        if row.accelerated_on is not None:
            facts = {
                "invoice": row.id,
                "due_on": row.due_on.isoformat(),
                "accelerated_on": row.accelerated_on.isoformat(),
            }
            yield Event(row.accelerated_at, row.accelerated_at, "accelerated", "premium/7.2", facts)
    reduced = sa.select(settlement).where(
        of_invoices(settlement, account),
        settlement.c.kind == "reduction",
        ~sa.exists().where(
            contract_fact.c.id == settlement.c.source_id, contract_fact.c.kind.in_(("write_off", "sale_void"))
        ),
    )
    for row in session.execute(reduced):
        facts = {"invoice": row.invoice_id, "yen": row.yen}
        yield Event(row.recorded_at, row.recorded_at, "fee_reduced", "premium/7.2", facts)


def _attempts(session: Session, account: str) -> Iterator[Event]:
    for row in rows_of(session, payment_attempt, account):
        facts = {"attempt": row.id, "invoice": row.invoice_id, "yen": row.yen, "code": row.code}
        answered_at_once = row.answer_recorded_at == row.started_at
        if not answered_at_once:
            yield Event(row.started_at, row.started_at, "charge_asked", "premium/5.1.1.a", facts | {"code": None})
        if row.outcome is not None:
            kind, clause = _OUTCOMES[row.outcome]
            if row.outcome == "abandoned" and row.code != "by_people":
                kind = "charge_not_made"
            yield Event(row.settled_at, row.answer_recorded_at, kind, clause, facts)


def _disputes(session: Session, account: str) -> Iterator[Event]:
    """What the gateway says of disputed charges: each state as it came, and money or fees that moved within one."""
    rows = session.execute(
        sa.select(gateway_dispute, payment_attempt.c.id.label("charge"), payment_attempt.c.invoice_id)
        .join(payment_attempt, payment_attempt.c.gateway_id == gateway_dispute.c.payment)
        .where(payment_attempt.c.account == account)
        .order_by(gateway_dispute.c.dispute, gateway_dispute.c.number)
    )
    before: sa.Row[Any] | None = None
    for row in rows:
        same = before is not None and before.dispute == row.dispute
        returned, fee = (before.returned, before.fee) if same and before is not None else (0, 0)
        facts = {"attempt": row.charge, "invoice": row.invoice_id, "yen": row.amount, "dispute": row.dispute}
        kind = f"dispute_{row.state}"
        if row.state == "won":
            facts["yen"] = row.returned
        elif row.state == "lost":
            facts["yen"] = row.amount - row.returned
        elif row.state == "open" and same and before is not None and before.state not in NO_MONEY:
            facts["yen"] = row.amount - before.amount  # taken once more
        if same and before is not None and before.state == row.state and row.amount == before.amount:
            kind, facts["yen"] = (
                ("dispute_returned", row.returned - returned) if row.returned > returned
                else ("dispute_fee", row.fee - fee)
            )  # fmt: skip
        before = row
        yield Event(row.happened_at, row.recorded_at, kind, "premium/5.2", facts)


def _receipts(session: Session, account: str) -> Iterator[Event]:
    parts: dict[int, dict[str, int]] = defaultdict(
        lambda: dict.fromkeys(("costs", "interest", "principal", "deposit"), 0)
    )
    invoices: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in session.execute(sa.select(allocation).where(allocation.c.account == account).order_by(allocation.c.id)):
        parts[row.receipt_id][row.kind] += row.yen
        if row.invoice_id is not None:
            invoices[row.receipt_id].append({"invoice": row.invoice_id, "kind": row.kind, "yen": row.yen})
    for row in rows_of(session, receipt, account):
        back = row.reverses is not None
        facts = {
            "receipt": row.id,
            "yen": -row.yen if back else row.yen,
            "via": row.via,
            **{f"{kind}_yen": yen for kind, yen in parts[row.id].items()},
            "allocation": invoices[row.id],
            "reverses": row.reverses,
        }
        kind = "received_back" if back else "received"
        yield Event(row.received_at, row.recorded_at, kind, "premium/5.2", facts)


def _deposits(session: Session, account: str) -> Iterator[Event]:
    for row in rows_of(session, deposit_use, account):
        facts = {"yen": abs(row.yen), "author": row.author, "ground": row.ground}
        if row.kind == "refunded":
            facts["through"] = row.through
        came = row.kind in ("dispute", "credit")
        kind = f"deposit_{row.kind}" if row.yen > 0 or came else "deposit_came_back"
        yield Event(row.recorded_at, row.recorded_at, kind, "premium/5.2", facts)


def _acts(session: Session, account: str) -> Iterator[Event]:
    """Fees written off and credits set off, with what they settled."""
    query = sa.select(contract_fact).where(
        of_contracts(contract_fact, account), contract_fact.c.kind.in_(("write_off", "set_off", "sale_void"))
    )
    for row in session.execute(query).all():
        kinds = ("set_off",) if row.kind == "set_off" else (row.kind, "reduction")
        settled = session.execute(
            sa.select(settlement.c.invoice_id, settlement.c.yen).where(
                of_invoices(settlement, account), settlement.c.source_id == row.id, settlement.c.kind.in_(kinds)
            )
        ).all()
        facts = {
            "yen": sum(each.yen for each in settled),
            "invoice": sorted({each.invoice_id for each in settled}),
            "interest_yen": None,
            "author": row.author,
            "ground": row.ground,
            **(row.detail or {}),
        }
        yield Event(row.occurred_at, row.recorded_at, row.kind, "", facts)


def _credits(session: Session, account: str) -> Iterator[Event]:
    for row in rows_of(session, credit, account, credit.c.granted_yen > 0):
        facts = {
            "credit": row.id,
            "outage_month": row.month,
            "yen": row.granted_yen,
            "usable_from_on": row.usable_from.isoformat(),
        }
        yield Event(row.recorded_at, row.recorded_at, "credit_granted", "premium/9.2", facts)
    for row in rows_of(session, credit_refund, account, of_credits(credit_refund, account)):
        facts = {"credit": row.credit_id, "yen": row.yen, "code": row.code}
        if row.outcome is None:
            yield Event(row.requested_at, row.requested_at, "refund_asked", "premium/9.2", facts)
        else:
            kind = "refunded" if row.outcome == "succeeded" else "refund_failed"
            yield Event(row.settled_at, row.answer_recorded_at, kind, "premium/9.2", facts)
        if row.failed_at is not None:
            came_back = {**facts, "code": row.failed_code}
            yield Event(row.failed_at, row.failure_recorded_at, "refund_came_back", "premium/9.2", came_back)


def _documents(session: Session, account: str) -> Iterator[Event]:
    for row in session.execute(
        sa.select(user_notice, handover.c.handed_at, handover.c.author, handover.c.recorded_at)
        .outerjoin(handover, handover.c.notice_id == user_notice.c.id)
        .where(user_notice.c.account == account)
    ):
        clause = _NOTICE_CLAUSES.get(row.kind, "")
        yield from _document(f"N{row.id}", row.kind, clause, row.written_at, row, {})
    for row in session.execute(
        sa.select(demand, handover.c.handed_at, handover.c.author, handover.c.recorded_at)
        .outerjoin(handover, handover.c.demand_id == demand.c.id)
        .where(demand.c.account == account)
    ):
        amounts = {"interest_yen": row.interest_yen, "total_yen": row.total_yen}
        yield from _document(f"D{row.id}", "demand", "premium/5.2", row.written_at, row, amounts)


def _document(
    document: str, kind: str, clause: str, written_at: datetime, row: sa.Row[Any], amounts: dict[str, int]
) -> Iterator[Event]:
    facts = {"document": document, "notice": kind, **amounts}
    yield Event(written_at, written_at, "demanded" if amounts else "notice_written", clause, facts)
    if row.handed_at is not None:
        handed = {"document": document, "notice": kind, "author": row.author}
        yield Event(row.handed_at, row.recorded_at, "handed_over", "", handed)


def _store_reports(session: Session, account: str) -> Iterator[Event]:
    rows = session.execute(
        sa.select(store_report, term.c.starts_on)
        .join(term, term.c.id == store_report.c.term_id)
        .where(term.c.account == account)
    )
    for row in rows:
        facts = {"term_on": row.starts_on.isoformat(), "gross_yen": row.gross_yen, "fee_yen": row.fee_yen}
        yield Event(row.reported_at, row.reported_at, "store_reported", "premium/5.1.2", facts)


_COLLECT: Final[Sequence[Collect]] = (
    _invoices,
    _attempts,
    _disputes,
    _receipts,
    _deposits,
    _acts,
    _credits,
    _documents,
    _store_reports,
)
