"""Late interest on any day, past or to come, without saving anything (premium/5.2).

    a past day      the debts as they stood then, as far as is known now
    today, later    the debts as they stand, if nothing more is paid

Decides nothing: keizoku.billing.rules.late_interest does. Read only.
"""

from datetime import date, datetime

import sqlalchemy as sa

from keizoku.billing.receivables.interest_bookings import workings_of
from keizoku.billing.receivables.open_items import OpenItem, fell_due_on
from keizoku.billing.rules.documents.late_interest_statement import Workings
from keizoku.billing.rules.payment_method import PastAttempt, days_not_accruing
from keizoku.db.session import Session
from keizoku.db.tables.contracts import account as account_table
from keizoku.db.tables.contracts import term
from keizoku.db.tables.money import (
    allocation,
    interest_booking,
    interest_checkpoint,
    invoice,
    payment_attempt,
    settlement,
)
from keizoku.terms.calendar import jst_day
from keizoku.terms.policy import UncoveredDateError
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules


def preview(session: Session, rules: Rules, account: str, on: date) -> Workings:
    """The interest that the account owes through `on`, with the workings of every debt.

    Raises Refused for an account that is not known, or a day that no terms cover.
    """
    if session.execute(sa.select(account_table.c.id).where(account_table.c.id == account)).first() is None:
        raise Refused("account.unknown", f"account {account!r} is not known")
    try:
        return workings_of(account, debts_on(session, account, on), rules, on, _demanded(session, account, on))
    except UncoveredDateError as error:
        raise Refused("terms.not_in_force", str(error)) from None


def debts_on(session: Session, account: str, on: date, *, known_at: datetime | None = None) -> list[OpenItem]:
    """What the account owed on a day, in the order in which it fell due: open fees, and interest left on paid ones.

    `known_at`: by what was recorded at that instant; None: by all that is known.
    """
    settled = (
        sa.select(sa.func.coalesce(sa.func.sum(settlement.c.yen), 0))
        .where(
            settlement.c.invoice_id == invoice.c.id,
            settlement.c.settled_on <= on,
            _recorded_by(settlement.c.recorded_at, known_at),
        )
        .scalar_subquery()
    )
    lost_on = (
        sa.select(sa.func.max(settlement.c.settled_on))
        .where(
            settlement.c.invoice_id == invoice.c.id,
            settlement.c.kind == "dispute",
            settlement.c.settled_on <= on,
            _recorded_by(settlement.c.recorded_at, known_at),
        )
        .scalar_subquery()
    )
    mark = (
        sa.select(interest_checkpoint.c.accrues_after, interest_checkpoint.c.accrued_unpaid_yen)
        .where(
            interest_checkpoint.c.invoice_id == invoice.c.id,
            sa.func.coalesce(interest_checkpoint.c.checkpoint_on, interest_checkpoint.c.accrues_after) <= on,
            _recorded_by(interest_checkpoint.c.recorded_at, known_at),
        )
        .order_by(interest_checkpoint.c.id.desc())
        .limit(1)
        .lateral("mark")
    )
    rows = session.execute(
        sa.select(
            invoice, term.c.starts_on, (invoice.c.total_yen - settled).label("owed_yen"), lost_on.label("lost_on"), mark
        )
        .join(term, term.c.id == invoice.c.term_id)
        .outerjoin(mark, sa.true())
        .where(invoice.c.account == account, invoice.c.issued_on <= on, _recorded_by(invoice.c.issued_at, known_at))
        .order_by(invoice.c.due_on, invoice.c.id)
    ).all()
    attempts = _attempts(session, account, on, known_at)
    debts = []
    for row in rows:
        if not row.owed_yen and not row.accrued_unpaid_yen:
            continue
        accelerated_on = row.accelerated_on if row.accelerated_on is not None and row.accelerated_on <= on else None
        if accelerated_on is not None and known_at is not None and row.accelerated_at > known_at:
            accelerated_on = None
        due_on = fell_due_on(row.due_on, accelerated_on, row.lost_on)
        tried = tuple(attempts.get(row.id, ()))
        made_on = jst_day(row.issued_at)
        late_until = due_on + (made_on - row.issued_on) if row.method != "card" and made_on > row.issued_on else None
        wanted_on = row.due_on if row.method == "card" and not tried else None
        debts.append(
            OpenItem(
                invoice_id=row.id,
                contract_id=row.contract_id,
                account=row.account,
                method=row.method,
                term_starts_on=row.starts_on,
                issued_on=row.issued_on,
                due_on=due_on,
                total_yen=row.total_yen,
                open_yen=int(row.owed_yen),
                attempts=tried,
                wanted_on=wanted_on,
                excluded=days_not_accruing(due_on, late_until, tried, wanted_on, on),
                accrues_after=row.accrues_after or due_on,
                accrued_unpaid_yen=row.accrued_unpaid_yen or 0,
            )
        )
    return sorted(debts, key=lambda each: (each.due_on, each.invoice_id))


def _recorded_by(column: sa.Column[object], known_at: datetime | None) -> sa.ColumnElement[bool]:
    return sa.true() if known_at is None else column <= known_at


def _attempts(session: Session, account: str, on: date, known_at: datetime | None) -> dict[int, list[PastAttempt]]:
    """The account's attempts as they stood on a day: an answer that came later is not known yet."""
    grouped: dict[int, list[PastAttempt]] = {}
    rows = session.execute(
        sa.select(payment_attempt)
        .where(
            payment_attempt.c.account == account,
            payment_attempt.c.started_on <= on,
            _recorded_by(payment_attempt.c.started_at, known_at),
        )
        .order_by(payment_attempt.c.id)
    )
    for row in rows:
        answered = row.settled_on is not None and row.settled_on <= on
        answered = answered and (known_at is None or row.answer_recorded_at <= known_at)
        grouped.setdefault(row.invoice_id, []).append(
            PastAttempt(
                row.wanted_on,
                row.started_at,
                row.started_on,
                row.outcome if answered else None,
                row.settled_on if answered else None,
            )
        )
    return grouped


def _demanded(session: Session, account: str, on: date) -> int:
    booked = (
        sa.select(sa.func.coalesce(sa.func.sum(interest_booking.c.yen), 0))
        .where(interest_booking.c.account == account, interest_booking.c.booked_on <= on)
        .scalar_subquery()
    )
    paid = (
        sa.select(sa.func.coalesce(sa.func.sum(allocation.c.yen), 0))
        .where(allocation.c.account == account, allocation.c.kind == "interest", allocation.c.allocated_on <= on)
        .scalar_subquery()
    )
    return max(0, int(session.execute(sa.select(booked - paid)).scalar_one()))
