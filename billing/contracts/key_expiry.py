"""What product keys paid for and nobody can use any more: income, booked once (premium/5.1.1.b).

a batch's last day is over, codes unredeemed ──┐
a contract is over before its key is used up ──┴──> 2125 / 7120
"""

from datetime import datetime

import sqlalchemy as sa

from keizoku.billing.contracts import code_batches
from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.rules.payment_method import prepaid_terms
from keizoku.db.session import Session
from keizoku.db.tables.books import entry
from keizoku.db.tables.contracts import contract, plan, term
from keizoku.terms.calendar import jst_day

_KEY_OVER = sa.and_(
    contract.c.prepaid_method == "product_key",
    contract.c.ended_on.is_not(None),
    ~sa.exists().where(entry.c.event_key == sa.func.concat("contract:", contract.c.id, ":key:expired")),
)


def anything_to_expire() -> sa.ColumnElement[bool]:
    """Whether `expire_keys` would find a contract or a batch."""
    return sa.or_(sa.exists(sa.select(contract.c.id).where(_KEY_OVER)), code_batches.anything_to_expire())


def expire_keys(session: Session, now: datetime) -> int:
    """What keys paid for terms that will never begin is income, when they expire or the contract is over; commits."""
    expired = code_batches.expire_due(session, now)
    begun = (
        sa.select(sa.func.count().label("terms"), sa.func.min(term.c.price_yen).label("price_yen"))
        .where(term.c.contract_id == contract.c.id, term.c.method == "product_key")
        .lateral("begun")
    )
    rows = session.execute(
        sa.select(contract.c.id, contract.c.account, contract.c.paid_months, plan.c.interval, begun)
        .join(plan, plan.c.code == contract.c.plan)
        .join(begun, sa.true())
        .where(_KEY_OVER)
    ).all()
    left = [(row, prepaid_terms(row.paid_months, row.interval) - row.terms) for row in rows]
    postings = [
        Posting(
            "key_expired", f"contract:{row.id}:key:expired", jst_day(now), {"yen": count * row.price_yen}, row.account
        )
        for row, count in left
        if count > 0
    ]
    if postings:
        post(session, postings, now)
        session.commit()
    return expired + len(postings)
