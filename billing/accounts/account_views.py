"""What support and scenarios ask of the billing side: one account's contract, invoices, debts, credits, books.

Read only. Facts recorded after `at` are not looked for: callers ask at the present of their clock.
"""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from keizoku.billing.accounts.read_models import (
    NO_CONTRACT,
    AttemptView,
    ContractView,
    CountAndYen,
    CreditView,
    DemandView,
    InvoiceView,
    JournalView,
    NoticeView,
    Owed,
    UnknownCharge,
)
from keizoku.billing.contracts.contract_facts import latest_state
from keizoku.billing.receivables.customer_deposits import deposit_of
from keizoku.billing.receivables.of_account import of_contracts, of_credits
from keizoku.billing.receivables.open_items import costs_open, interest_owed, load_open_items
from keizoku.billing.receivables.remedies import IS_FREE
from keizoku.db.account_reads import noted
from keizoku.db.session import Session
from keizoku.db.tables.books import entry, line
from keizoku.db.tables.contracts import term
from keizoku.db.tables.money import (
    credit,
    credit_application,
    credit_refund,
    demand,
    invoice,
    payment_attempt,
    user_notice,
)
from keizoku.db.tables.simulated import simulated_charge, simulated_refund
from keizoku.terms.calendar import jst_day
from keizoku.terms.rules import Rules


def contract_view(session: Session, rules: Rules, account: str, at: datetime) -> ContractView:
    """The account's latest contract at `at`; `NO_CONTRACT` where it has none."""
    noted(account, "contract_view")
    found = latest_state(session, rules, account, at)
    if found is None:
        return NO_CONTRACT
    return ContractView(
        access=found.access,
        term=(found.term.starts_on, found.term.ends_on) if found.term is not None else None,
        renews=found.renews,
        method=found.method,
        ended_on=found.ended_on,
        reason=found.reason,
        state=found.state,
    )


def invoices_view(session: Session, account: str) -> list[InvoiceView]:
    """Every invoice of the account in the order of its terms."""
    noted(account, "invoices_view")
    rows = session.execute(
        sa.select(invoice, term.c.starts_on, term.c.ends_on, term.c.price_yen)
        .join(term, term.c.id == invoice.c.term_id)
        .where(of_contracts(invoice, account))
        .order_by(term.c.starts_on, invoice.c.id)
    )
    return [
        InvoiceView(
            id=row.id,
            term=(row.starts_on, row.ends_on),
            total=row.total_yen,
            credit=row.credit_yen,
            charged=row.total_yen - row.credit_yen,
            tax=row.tax_yen,
            state=row.state,
            due=min(row.due_on, row.accelerated_on or row.due_on),
            paid_on=row.paid_on,
            price=row.price_yen,
        )
        for row in rows
    ]


def attempts_view(session: Session, account: str) -> list[AttemptView]:
    """Every attempt at a charge, in order; `outcome` is succeeded, unknown, or the gateway's code of refusal."""
    noted(account, "attempts_view")
    rows = session.execute(
        sa.select(payment_attempt).where(payment_attempt.c.account == account).order_by(payment_attempt.c.id)
    )
    return [
        AttemptView(
            on=row.started_on,
            yen=row.yen,
            outcome="unknown"
            if row.outcome is None
            else row.outcome
            if row.outcome == "succeeded"
            else row.code or row.outcome,
        )
        for row in rows
    ]


def charges_view(session: Session, account: str) -> CountAndYen:
    """What really happened to the card at the simulated gateway: successful charges, gross."""
    noted(account, "charges_view")
    return _count_and_yen(
        session,
        sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(simulated_charge.c.yen), 0)).where(
            simulated_charge.c.account == account, simulated_charge.c.answer == "succeeded"
        ),
    )


def refunds_view(session: Session, account: str) -> CountAndYen:
    """What the simulated gateway gave back, but for what came back from the card."""
    noted(account, "refunds_view")
    return _count_and_yen(
        session,
        sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(simulated_refund.c.yen), 0)).where(
            simulated_refund.c.account == account, simulated_refund.c.failed_at.is_(None)
        ),
    )


def owed_view(session: Session, rules: Rules, account: str, at: datetime) -> Owed:
    """principal, interest, costs, total, deposit at that instant, in whole yen."""
    noted(account, "owed_view")
    today = jst_day(at)
    unpaid = load_open_items(session, rules, today, account=account, with_accrued=True)
    principal = sum(each.open_yen for each in unpaid)
    interest, _ = interest_owed(unpaid, rules, today)
    costs = costs_open(session, account)
    return Owed(
        principal=principal,
        interest=interest,
        costs=costs,
        total=principal + interest + costs,
        deposit=deposit_of(session, account).yen,
    )


def demands_view(session: Session, account: str) -> list[DemandView]:
    """Demands for late interest, in order: the day and what was new in each."""
    noted(account, "demands_view")
    rows = session.execute(sa.select(demand).where(demand.c.account == account).order_by(demand.c.id))
    return [DemandView(on=row.demanded_on, interest=row.interest_yen) for row in rows]


def notices_view(session: Session, account: str) -> list[NoticeView]:
    """Notices written, in order."""
    noted(account, "notices_view")
    rows = session.execute(sa.select(user_notice).where(user_notice.c.account == account).order_by(user_notice.c.id))
    return [NoticeView(on=row.written_on, kind=row.kind) for row in rows]


def credit_view(session: Session, account: str) -> CreditView:
    """available, applied, refunded yen of SLA credits."""
    noted(account, "credit_view")
    available = session.execute(
        sa.select(sa.func.coalesce(sa.func.sum(credit.c.available_yen), 0)).where(credit.c.account == account, IS_FREE)
    ).scalar_one()
    applied = session.execute(
        sa.select(sa.func.coalesce(sa.func.sum(credit_application.c.yen), 0))
        .join(credit, credit.c.id == credit_application.c.credit_id)
        .where(credit.c.account == account)
    ).scalar_one()
    refunded = session.execute(
        sa.select(sa.func.coalesce(sa.func.sum(credit_refund.c.yen), 0)).where(
            of_credits(credit_refund, account),
            credit_refund.c.outcome == "succeeded",
            credit_refund.c.failed_on.is_(None),
        )
    ).scalar_one()
    return CreditView(available=int(available), applied=int(applied), refunded=int(refunded))


def journal_view(session: Session, codes: Collection[str] = ()) -> JournalView:
    """Whether the journal balances, and the balances (debit positive) of all its accounts and of `codes`."""
    balances: dict[str, int] = dict.fromkeys(codes, 0)
    balances |= {
        row.code: int(row.yen)
        for row in session.execute(
            sa.select(line.c.code, sa.func.sum(line.c.yen).label("yen")).group_by(line.c.code).order_by(line.c.code)
        )
    }
    unbalanced = session.execute(
        sa.select(line.c.entry_id).group_by(line.c.entry_id).having(sa.func.sum(line.c.yen) != 0).limit(1)
    ).first()
    return JournalView(balanced=unbalanced is None, balances=balances)


def trial_balance(session: Session, through: date | None = None) -> Mapping[str, int]:
    """Balance of every account with an entry up to and including a JST day, debit positive."""
    query = sa.select(line.c.code, sa.func.sum(line.c.yen)).group_by(line.c.code).order_by(line.c.code)
    if through is not None:
        query = query.join(entry, entry.c.id == line.c.entry_id).where(entry.c.posted_on <= through)
    return {code: int(total) for code, total in session.execute(query)}


def _count_and_yen(session: Session, query: sa.Select[*tuple[Any, ...]]) -> CountAndYen:
    row = session.execute(query).one()
    return CountAndYen(count=int(row[0]), yen=int(row[1]))


def unknown_charges(session: Session) -> list[UnknownCharge]:
    """Charges without an answer, oldest first."""
    rows = session.execute(
        sa.select(payment_attempt, invoice.c.open_yen)
        .join(invoice, invoice.c.id == payment_attempt.c.invoice_id)
        .where(payment_attempt.c.outcome.is_(None))
        .order_by(payment_attempt.c.id)
    )
    return [
        UnknownCharge(
            attempt=row.id,
            account=row.account,
            invoice=row.invoice_id,
            yen=row.yen,
            still_open_yen=row.open_yen,
            sent_at=row.started_at,
        )
        for row in rows
    ]
