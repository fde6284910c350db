"""What an app store reports about a term that it collected for us: the fee that it keeps, and the tax in it.

The store's own customer contract decides when and what the user pays (premium/5.1.2, 5.3); we book its report.
"""

from datetime import date, datetime
from fractions import Fraction

import sqlalchemy as sa

from billing.booking import Posting, post
from billing.people import open_task
from billing.refusal import Refused
from db.session import Session
from db.tables.contracts import term
from db.tables.money import store_report
from terms.calendar import jst_day
from terms.money import floor_yen
from terms.rules import Rules


def take_report(
    session: Session, rules: Rules, account: str, term_on: date, gross_yen: int, fee_yen: int, now: datetime
) -> None:
    """Record and book a store's report of one term, once; a gross amount that differs goes to people. Commits.

    The store states its fee with tax; where it does not name the tax, the fee without tax is rounded down.
    """
    row = session.execute(
        sa.select(term.c.id, term.c.price_yen, term.c.method).where(
            term.c.account == account, term.c.starts_on == term_on, term.c.method == "app_store"
        )
    ).first()
    if row is None:
        raise Refused(f"account {account}: no term of {term_on} is paid through an app store (premium/5.1.2)")
    if not 0 <= fee_yen <= gross_yen:
        raise Refused(f"account {account}: a store's fee lies between 0 and the gross {gross_yen} yen, not {fee_yen}")
    if session.execute(sa.select(store_report.c.term_id).where(store_report.c.term_id == row.id)).first():
        raise Refused(f"account {account}: the store has reported the term of {term_on} already")
    today = jst_day(now)
    tax_yen = fee_yen - floor_yen(fee_yen / (1 + Fraction(rules.terms.at(today).tax.rate)))
    session.execute(
        sa.insert(store_report).values(
            term_id=row.id, account=account, gross_yen=gross_yen, fee_yen=fee_yen, fee_tax_yen=tax_yen, reported_at=now
        )
    )
    if gross_yen != row.price_yen:
        detail = {"account": account, "price_yen": row.price_yen, "gross_yen": gross_yen}
        open_task(session, "store_gross_differs", f"term {row.id}", detail, now)
    amounts = {"yen": fee_yen, "tax_yen": tax_yen}
    post(session, [Posting("store_reported", f"term:{row.id}:store", today, amounts, account)], now)
    session.commit()
