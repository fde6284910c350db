"""Accounts at a month's end, as known now: what the journal says, and the sum of the rows that it was posted from.

    1131 attempts, refunds, keys, movements, disputes      1140 invoices less settlements
    2120 terms by their days (contract_liability.py)         2130 credits less what was applied and refunded

What happened after the month is left out on both sides, so that a month can be closed while the next one runs. Whole
yen, debit positive; what people posted by hand is on both sides. Read only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final

import sqlalchemy as sa

from keizoku.billing.closing.contract_liability import ACCOUNT, roll_forward
from keizoku.billing.closing.derived_balances import DISPUTES, MOVEMENTS
from keizoku.billing.closing.export_files import balances_before
from keizoku.billing.rules.books.deferred_revenue import LATE
from keizoku.db.session import Session
from keizoku.terms.calendar import Month


@dataclass(frozen=True, slots=True)
class SubLedger:
    """An account at a month's end on both sides."""

    code: str
    journal_yen: int
    rows_yen: int

    @property
    def ties(self) -> bool:
        """Whether both are equal."""
        return self.journal_yen == self.rows_yen

    def sentence(self, month: Month) -> str:
        """The difference as a sentence."""
        last_on = month.end_on - timedelta(days=1)
        return f"account {self.code} stands at {self.journal_yen} yen on {last_on}, its rows say {self.rows_yen}"


def subledger_totals(session: Session, month: Month, today: date) -> tuple[SubLedger, ...]:
    """The accounts of SUBLEDGERS at a month's end."""
    rows = session.execute(_ROWS, {"past": month.end_on}).one()._mapping
    journal = balances_before(session, month.next())
    found = [SubLedger(code, journal.get(code, 0), int(rows[code])) for code in _SUMS]
    rolled = roll_forward(session, month, today)
    # the journal is too high by the days that have passed and are not recognised yet
    held_yen = sum(part.yen for part in rolled.schedule if part.when != LATE)
    found.append(SubLedger(ACCOUNT, -rolled.closing_yen, -held_yen))
    return tuple(sorted(found, key=lambda each: each.code))


_SUMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "1131": """
            coalesce((SELECT sum(yen) FROM payment_attempt WHERE outcome = 'succeeded' AND settled_on < :past), 0)
            - coalesce((SELECT sum(yen) FROM refunded), 0)
            - coalesce((SELECT sum(yen) FROM deposit_use WHERE through = 'card' AND used_on < :past), 0)
            + coalesce((SELECT sum(paid_terms * price_yen) FROM sold_keys), 0)
            + coalesce((SELECT sum(CASE code_sale.kind WHEN 'sold' THEN 1 ELSE -1 END * code_sale.codes * yen)
                        FROM code_sale JOIN code_batch ON code_batch.id = batch_id
                        WHERE code_sale.kind IN ('sold', 'refunded') AND on_day < :past), 0)
            + coalesce((SELECT sum(yen) FROM movements WHERE on_day < :past), 0)
            - coalesce((SELECT sum(yen + fee) FROM moved_by_disputes WHERE on_day < :past), 0)""",
        "1140": """
            coalesce((SELECT sum(total_yen) FROM invoice WHERE issued_on < :past), 0)
            - coalesce((SELECT sum(settlement.yen) FROM settlement JOIN invoice ON invoice.id = settlement.invoice_id
                        WHERE settled_on < :past), 0)""",
        "2130": """
            - coalesce((SELECT sum(granted_yen) FROM credit WHERE granted_on < :past), 0)
            + coalesce((SELECT sum(yen) FROM credit_application WHERE applied_on < :past), 0)
            + coalesce((SELECT sum(yen) FROM credit_extinguishment WHERE extinguished_on < :past), 0)
            - coalesce((SELECT sum(yen) FROM deposit_use WHERE kind = 'credit' AND used_on < :past), 0)
            + coalesce((SELECT sum(yen) FROM refunded), 0)""",
    }
)
SUBLEDGERS: Final = (*_SUMS, ACCOUNT)
_BY_HAND = """coalesce((SELECT sum(line.yen) FROM manual_entry JOIN line USING (entry_id)
                        JOIN entry ON entry.id = entry_id WHERE line.code = '{}' AND entry.posted_on < :past), 0)"""
_COLUMNS = ", ".join(f'({rows}) + {_BY_HAND.format(code)} AS "{code}"' for code, rows in _SUMS.items())
_ROWS = sa.text(
    f"""
    WITH refunded AS (
        SELECT yen FROM credit_refund WHERE outcome = 'succeeded' AND settled_on < :past
          AND (failed_on IS NULL OR failed_on >= :past)
    ), sold_keys AS (
        SELECT contract.paid_months / CASE plan.interval WHEN 'year' THEN 12 ELSE 1 END AS paid_terms,
               (SELECT min(price_yen) FROM term
                WHERE term.contract_id = contract.id AND term.method = 'product_key') AS price_yen
        FROM contract JOIN plan ON plan.code = contract.plan
        WHERE contract.prepaid_method = 'product_key' AND contract.anchor_on < :past
          AND NOT EXISTS (SELECT 1 FROM code_redemption WHERE code_redemption.contract_id = contract.id)
    ), movements AS ({MOVEMENTS}), moved_by_disputes AS ({DISPUTES})
    SELECT {_COLUMNS}"""  # noqa: S608 - all of it is ours
)
