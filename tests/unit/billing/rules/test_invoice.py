"""The invoice of a term: credits, tax once after them, and when it is due.

The days follow the reading due_date in docs/reference/readings.md.
"""

from datetime import date
from fractions import Fraction

from keizoku.billing.rules.invoice import InvoiceDraft, draft_invoice
from keizoku.billing.rules.sla_credit import OpenCredit

STARTS = date(2026, 6, 20)


def draft(price_yen: int, *credits: OpenCredit, method: str = "card") -> InvoiceDraft:
    return draft_invoice(
        price_yen=price_yen,
        method=method,
        starts_on=STARTS,
        credits=credits,
        due_days_other=14,
        minimum_card_yen=50,
        tax_rate=Fraction(1, 10),
    )


def test_4_1__a_card_pays_on_the_first_day_and_others_fourteen_days_later() -> None:
    assert draft(500) == InvoiceDraft(500, 0, 45, 0, STARTS, STARTS, ())
    # 4 July 2026 is a Saturday
    assert draft(500, method="other") == InvoiceDraft(500, 0, 45, 0, STARTS, date(2026, 7, 6), ())


def test_4_2__the_fee_is_whole_whatever_the_user_could_use() -> None:
    assert draft(5_300).charged_yen == 5_300


def test_9_2__credits_reduce_the_invoice_and_tax_is_rounded_once_after_them() -> None:
    june = OpenCredit(1, 100, date(2026, 6, 1))
    assert draft(500, june) == InvoiceDraft(500, 100, 36, 0, STARTS, STARTS, ((1, 100),))
    odd = draft(980, OpenCredit(1, 196, date(2026, 6, 1)))
    assert (odd.charged_yen, odd.tax_yen, odd.tax_adjustment_yen) == (784, 71, -1)


def test_9_2__a_credit_waits_for_the_month_after_its_claim() -> None:
    assert draft(500, OpenCredit(1, 100, date(2026, 7, 1))).applied == ()


def test_9_2__a_card_is_never_charged_less_than_its_minimum_unless_nothing_at_all() -> None:
    june = date(2026, 6, 1)
    assert draft(500, OpenCredit(1, 480, june)).applied == ((1, 450),)
    assert draft(500, OpenCredit(1, 300, june), OpenCredit(2, 300, june)).applied == ((1, 300), (2, 200))
    assert draft(500, OpenCredit(1, 480, june), method="other").applied == ((1, 480),)
