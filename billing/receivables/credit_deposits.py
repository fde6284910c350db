"""What is left of credits that no invoice will take and no card can get back: kept as a deposit, to be sent by bank.

    2130 ── into a deposit, by people ──> 2140 ── proposed, approved by another, in the bank's file ──> 1110

Such are the credits of who pays by bank, by a store, by a key or a coupon, and those whose refund to a card failed.
"""

from datetime import datetime

import sqlalchemy as sa

from keizoku.billing.gateway.refunds import SUBJECTS
from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables.credit_stage import AND_FAILED, NO_INVOICE_WILL_COME
from keizoku.billing.receivables.customer_deposits import SENT, DepositUse, use_deposit
from keizoku.billing.receivables.of_account import want_account
from keizoku.billing.receivables.open_items import lock_accounts
from keizoku.db.review_tasks import close_tasks
from keizoku.db.roles import want_to_add
from keizoku.db.session import Session
from keizoku.db.tables.money import credit, credit_refund, deposit_use, review_task
from keizoku.terms.calendar import jst_day
from keizoku.terms.refusal import Refused

_WITHOUT_CARD = sa.exists().where(
    review_task.c.kind == "credit_without_charge", review_task.c.subject == sa.func.concat("credit ", credit.c.id)
)


def keep_as_deposit(session: Session, account: str, by: str, ground: str, now: datetime) -> int:
    """Turn what is left of an account's credits into a deposit; commits; the yen. The tasks about them end.

    Refused where there is none: a credit that an invoice or a card will still take is not left over.
    """
    want_to_add(session, deposit_use)
    want_account(session, account)
    lock_accounts(session, [account])
    rows = session.execute(
        sa.select(credit.c.id, credit.c.available_yen)
        .where(credit.c.account == account, NO_INVOICE_WILL_COME, sa.or_(_WITHOUT_CARD, AND_FAILED))
        .order_by(credit.c.id)
        .with_for_update()
    ).all()
    if not rows:
        session.rollback()
        raise Refused(
            "credit.none_left_over",
            f"account {account}: no credit is left over that neither an invoice nor a card will take",
            "(the night finds them: `keizoku tasks list --kind credit_without_charge`)",
        )
    refunds = session.scalars(sa.select(credit_refund.c.id).where(credit_refund.c.credit_id.in_([r.id for r in rows])))
    told = [f"{SUBJECTS['credit']} {each}" for each in refunds]
    task = review_task.c
    for row in rows:
        yen = int(row.available_yen)
        use_id = use_deposit(session, DepositUse(account, "credit", SENT, -yen, by, ground, credit_id=row.id), now)
        posting = Posting("credit_kept", f"deposit:{use_id}", jst_day(now), {"yen": yen}, account)
        post(session, [posting], now)
        session.execute(sa.update(credit).where(credit.c.id == row.id).values(available_yen=0))
        own = sa.and_(task.kind == "credit_without_charge", task.subject == f"credit {row.id}")
        close_tasks(session, by, ground, now, own)
    if told:
        close_tasks(session, by, ground, now, sa.and_(task.kind == "refund_failed", task.subject.in_(told)))
    session.commit()
    return sum(int(row.available_yen) for row in rows)
