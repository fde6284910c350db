"""Money that a payer sends: allocated to costs, interest and fees, booked, and the rest kept as a deposit.

Decides nothing itself: billing.rules.payment_allocation says where each yen goes (premium/5.2, Civil Code 488-490).
"""

from datetime import datetime

from keizoku.billing.receivables.cash_application import AppliedMoney
from keizoku.billing.receivables.rework.in_order import receive_in_order
from keizoku.billing.receivables.rework.notice import tell_payer
from keizoku.billing.receivables.rework.received_money import Payment, ReceivedMoney
from keizoku.db.session import Session
from keizoku.terms.calendar import jst_day
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules

__all__ = ["Payment", "ReceivedMoney", "receive"]


def receive(session: Session, rules: Rules, payment: Payment, now: datetime, *, commit: bool = True) -> AppliedMoney:
    """Record a receipt, allocate and book it in one transaction; what it settled, and the receipt's id.

    It counts from its day: what is recorded of later days is worked out again, and the payer is told.
    """
    account, yen, costs_yen = payment.account, payment.yen, payment.costs_yen
    if yen < 1 or costs_yen < 0:
        raise Refused(
            "payment.amount",
            f"account {account}: a payment is at least 1 yen and its costs at least 0, not {yen} and {costs_yen}",
        )
    if costs_yen and not (payment.costs_proof or "").strip():
        raise Refused(
            "payment.costs_unproved",
            f"account {account}: costs of {costs_yen} yen without proof; what is no actual cost would be damages for "
            "lateness beside the interest",
            "state what shows them: a bill of the bank, a statement",
        )
    today = jst_day(now)
    on = payment.received_on or today
    if on > today:
        raise Refused(
            "payment.ahead", f"account {account}: a payment of {on} lies ahead", "record it when it has arrived"
        )
    done = receive_in_order(session, rules, payment, on, now)
    if done.reworked:
        tell_payer(session, rules, account, on, yen, now)
    if commit:
        session.commit()
    return done.applied
