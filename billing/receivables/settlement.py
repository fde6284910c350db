"""What every payment, set-off and deposit does to debts: fees settled, interest counted anew, interest in the books.

Decides nothing: an Allocation (payment_allocation) says where each yen went; here it is written down. Does not commit.
"""

from collections.abc import Sequence
from datetime import date, datetime

import sqlalchemy as sa

from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables.interest_bookings import book_interest, interest_booked
from keizoku.billing.receivables.open_items import OpenItem
from keizoku.billing.rules.late_interest import InterestRate, total_interest
from keizoku.billing.rules.payment_allocation import Allocation
from keizoku.db.session import Session, copy_rows, plain_array
from keizoku.db.tables.money import interest_checkpoint, settlement
from keizoku.terms.calendar import jst_day
from keizoku.terms.rules import Rules


def settle_parts(
    session: Session,
    account: str,
    kind: str,
    parts: Allocation,
    unpaid: Sequence[OpenItem],
    source_id: int,
    now: datetime,
    *,
    settled_on: date | None = None,
) -> None:
    """Write what an allocation settles of the fees, on its day (default: today), and from when interest counts anew."""
    on = settled_on or jst_day(now)
    settled = [(share.invoice_id, share.principal_yen, on) for share in parts.shares if share.principal_yen]
    copy_rows(
        session,
        settlement,
        ("invoice_id", "account", "kind", "yen", "settled_on", "source_id", "recorded_at"),
        [(invoice_id, account, kind, yen, on, source_id, now) for invoice_id, yen, _ in settled],
    )
    settle_invoices(session, settled)
    before = {each.invoice_id: each.debt for each in unpaid}
    copy_rows(
        session,
        interest_checkpoint,
        ("invoice_id", "account", "accrues_after", "accrued_unpaid_yen", "checkpoint_on", "recorded_at"),
        [
            (debt.invoice_id, account, debt.accrues_after, debt.accrued_unpaid_yen, on, now)
            for debt in parts.debts
            if debt != before[debt.invoice_id]
        ],
    )


def settle_invoices(session: Session, settled: Sequence[tuple[int, int, date]]) -> None:
    """Bring the invoices' caches up to their settlements: (invoice, yen, day). Does not commit."""
    if not settled:
        return
    session.execute(
        sa.text(
            "UPDATE invoice SET open_yen = invoice.open_yen - settled.yen, "
            "state = CASE WHEN open_yen = settled.yen THEN 'paid' ELSE invoice.state END, "
            "paid_on = CASE WHEN open_yen = settled.yen THEN settled.paid_on ELSE invoice.paid_on END FROM "
            "unnest(CAST(:ids AS bigint[]), CAST(:yen AS bigint[]), CAST(:days AS date[])) "
            "AS settled (id, yen, paid_on) WHERE invoice.id = settled.id"
        ),
        {
            "ids": plain_array(invoice_id for invoice_id, _, _ in settled),
            "yen": plain_array(yen for _, yen, _ in settled),
            "days": plain_array(on for _, _, on in settled),
        },
    )


def book_undemanded(session: Session, account: str, parts: Allocation, occasion: str, now: datetime) -> int:
    """Interest that is paid before it was demanded goes into the books first; its whole yen."""
    undemanded_yen = max(0, parts.interest_yen - interest_booked(session, account))
    if undemanded_yen:
        book_interest(session, account, "allocation", undemanded_yen, occasion, now)
    return undemanded_yen


def correct_interest(
    session: Session, rules: Rules, account: str, parts: Allocation, occasion: str, now: datetime
) -> int:
    """What was demanded for days on which, as it turns out, nothing was owed leaves the books; its whole yen.

    Called after the parts are booked, with the debts of the whole account in them.
    """
    today = jst_day(now)
    policy = rules.terms.at(today)
    owed_yen = total_interest(parts.debts, today, InterestRate.of(policy)).total_yen
    yen = interest_booked(session, account) - owed_yen
    if yen <= 0:
        return 0
    book_interest(session, account, "correction", -yen, f"{occasion}:corrected", now)
    post(session, [Posting("interest_reduced", f"{occasion}:corrected", today, {"yen": yen}, account)], now)
    return yen
