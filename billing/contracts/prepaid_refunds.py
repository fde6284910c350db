"""Whether sold keys may be paid back: what was sold, unused and paid back, held against the limits of the law.

The limits bind an issuer who has notified the authority, which is due once more than 10,000,000 yen are unused on a
base date (Payment Services Act 3 IV, 5, 14), and keys that can be used for more than six months (Act 4). Who notified
for other means, or earlier, says so by the setting `prepaid_issuer`. The database is read only.
"""

from datetime import date
from typing import Final

import sqlalchemy as sa

from keizoku.billing.contracts.prepaid_report import is_exempt, unused_balances
from keizoku.billing.rules.prepaid_refunds import ABOLISHED, CASES, SMALL, HalfYear, last_base_date
from keizoku.db.session import Session
from keizoku.db.tables.codes import code_batch, code_sale
from keizoku.terms.refusal import Refused

NOTIFIED: Final = "notified"  # the setting prepaid_issuer


def check_case(case: str) -> None:
    """Refused for a ground that the law does not have."""
    if case not in CASES:
        raise Refused("key.refund_case", f"{case!r} is no case of the law", f"there are {', '.join(CASES)}")


def allowed_as(session: Session, batch: str, expires_on: date, issued_on: date, yen: int, case: str, today: date,
               issuer: str) -> str | None:  # fmt: skip
    """As which case of the law so much of a batch may be paid back today; None: the limits do not bind it.

    Refused for more than is left of what is small.
    """
    if is_exempt(issued_on, expires_on) or not (issuer == NOTIFIED or _has_exceeded(session, today)):
        return None
    if case != SMALL:
        return case
    half = half_year(session, today)
    if yen > half.left_yen:
        raise Refused(
            "key.refund_limit",
            f"batch {batch!r}: {yen:,} yen of sold keys cannot be paid back: the law allows {half.limit_yen:,} yen in "
            f"this half year (20% of {half.sold_before_yen:,} sold in the half before, or 5% of {half.unused_yen:,} "
            f"unused on {last_base_date(today)}), of which {half.left_yen:,} are left (Payment Services Act 20 V, "
            "Cabinet Office Order 42)",
            "let the keys be used or expire; or state the case: abolished (the business is given up, after public "
            "notice, Act 20 I) or hardship (of the holder, Order 42 iii)",
        )
    return SMALL


def half_year(session: Session, today: date) -> HalfYear:
    """What the limits of the half year in which a day lies are taken of."""
    began_after = last_base_date(today)
    before = unused_balances(session, began_after)
    counted = [each for each in before.batches if not each.exempt]
    rows = session.execute(
        sa.select(code_batch.c.issued_on, code_batch.c.expires_on, (code_sale.c.codes * code_batch.c.yen).label("yen"))
        .join(code_batch, code_batch.c.id == code_sale.c.batch_id)
        .where(
            code_sale.c.kind == "refunded",
            code_sale.c.on_day > began_after,
            code_sale.c.allowed_as.is_distinct_from(ABOLISHED),
        )
    )
    return HalfYear(
        sold_before_yen=sum(each.sold_in_period * each.yen for each in counted),
        unused_yen=before.counted_yen,
        refunded_yen=sum(int(row.yen) for row in rows if not is_exempt(row.issued_on, row.expires_on)),
    )


def _has_exceeded(session: Session, today: date) -> bool:
    """Whether more was unused on a base date so far than is free of duties."""
    first = session.execute(sa.select(sa.func.min(code_sale.c.on_day))).scalar_one()
    day = last_base_date(today)
    while first is not None and day >= first:
        if unused_balances(session, day).above_threshold:
            return True
        day = last_base_date(day)
    return False
