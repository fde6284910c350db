"""Product keys as prepaid means (前払式支払手段): what is unused on a base date, and what 2125 says.

The Payment Services Act counts on 31 March and 30 September what was sold and is not used. More than 10,000,000 yen:
half of it is deposited (発行保証金) and the authority is notified; what can be used for six months at most is exempt;
refunds have limits. Sources, looked up on 2026-11-30: the questions and answers of the Japan
Payment Service Association. A reading for counsel to confirm: a key counts as used when its contract is formed. Read
only; whole yen.

The limits on refunds bind an issuer who has notified the authority (Act 3 IV, 5), which is due after a base date above
the threshold. Who notified for other means, or earlier, says so by the setting `prepaid_issuer`.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import sqlalchemy as sa
from dateutil.relativedelta import relativedelta

from keizoku.billing.rules.prepaid_refunds import ABOLISHED, BASE_DATES, CASES, SMALL, HalfYear, last_base_date
from keizoku.db.session import Session
from keizoku.db.tables.codes import code_batch, code_sale
from keizoku.terms.read_model import ReadModel
from keizoku.terms.refusal import Refused

THRESHOLD_YEN: Final = 10_000_000
EXEMPT_MONTHS: Final = 6
NOTIFIED: Final = "notified"  # the setting prepaid_issuer


@dataclass(frozen=True, slots=True, eq=False)
class UnusedKeys(ReadModel):
    """A batch on a base date: keys sold by then less those used, paid back, expired; `sold_in_period`: in the half."""

    batch: str
    yen: int
    sold_in_period: int
    sold: int
    used: int
    refunded: int
    expired: int
    unused: int
    unused_yen: int
    expires_on: date
    exempt: bool


@dataclass(frozen=True, slots=True, eq=False)
class PrepaidReport(ReadModel):
    """All batches on a base date. `terms_yen`: used keys' terms that had not begun; with `unused_yen` it is 2125."""

    on: date
    batches: tuple[UnusedKeys, ...]
    unused_yen: int
    counted_yen: int
    above_threshold: bool
    deposit_yen: int
    terms_yen: int
    ledger_yen: int


def unused_balances(session: Session, on: date) -> PrepaidReport:
    """What is unused at the end of a base date. Refused for another day."""
    if (on.month, on.day) not in BASE_DATES:
        raise Refused("key.base_date", f"{on} is no base date", "name a 31 March or a 30 September")
    before = last_base_date(on)
    rows = session.execute(_BATCHES, {"on": on, "before": before}).all()
    batches = tuple(
        UnusedKeys(
            batch=row.name,
            yen=int(row.yen),
            sold_in_period=int(row.sold_in_period),
            sold=int(row.sold),
            used=int(row.used),
            refunded=int(row.refunded),
            expired=int(row.expired),
            unused=(unused := int(row.sold - row.used - row.refunded - row.expired)),
            unused_yen=unused * int(row.yen),
            expires_on=row.expires_on,
            exempt=is_exempt(row.issued_on, row.expires_on),
        )
        for row in rows
    )
    ledger_yen = -int(session.execute(_LEDGER, {"on": on}).scalar_one())
    unused_yen = sum(each.unused_yen for each in batches)
    counted_yen = sum(each.unused_yen for each in batches if not each.exempt)
    above = counted_yen > THRESHOLD_YEN
    return PrepaidReport(
        on=on,
        batches=batches,
        unused_yen=unused_yen,
        counted_yen=counted_yen,
        above_threshold=above,
        deposit_yen=-(-counted_yen // 2) if above else 0,
        terms_yen=ledger_yen - unused_yen,
        ledger_yen=ledger_yen,
    )


def is_exempt(issued_on: date, expires_on: date) -> bool:
    """Whether keys can be used for six months at most, from the day on which they were made."""
    return expires_on < issued_on + relativedelta(months=EXEMPT_MONTHS) + timedelta(days=1)


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


_BATCHES = sa.text(
    """
    SELECT code_batch.name, code_batch.yen, code_batch.issued_on, code_batch.expires_on,
           coalesce(sales.sold_in_period, 0) AS sold_in_period, coalesce(sales.sold, 0) AS sold,
           coalesce(sales.refunded, 0) AS refunded, coalesce(sales.expired, 0) AS expired,
           coalesce(used.used, 0) AS used
    FROM code_batch LEFT JOIN (
        SELECT batch_id, sum(codes) FILTER (WHERE kind = 'sold') AS sold,
               sum(codes) FILTER (WHERE kind = 'sold' AND on_day > :before) AS sold_in_period,
               sum(codes) FILTER (WHERE kind = 'refunded') AS refunded,
               sum(codes) FILTER (WHERE kind = 'expired') AS expired
        FROM code_sale WHERE on_day <= :on GROUP BY batch_id
    ) AS sales ON sales.batch_id = code_batch.id
    LEFT JOIN (
        SELECT code.batch_id, count(*) AS used FROM code_redemption JOIN code ON code.id = code_id
        WHERE used_on <= :on GROUP BY code.batch_id
    ) AS used ON used.batch_id = code_batch.id
    WHERE code_batch.kind = 'product_key' AND code_batch.issued_on <= :on ORDER BY code_batch.id
    """
)
_LEDGER = sa.text(
    "SELECT coalesce(sum(yen), 0) FROM line JOIN entry ON entry.id = entry_id WHERE code = '2125' AND posted_on <= :on"
)
