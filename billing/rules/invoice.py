"""The invoice of a term: what is charged after credits, its tax, and when it is due.

Decides premium/4.1 (a fee for every term, by its due date) and premium/4.2 (the whole fee, also for days on which
the user's own default kept the service from them). Amounts are whole yen including tax; tax is rounded
once per document, after credits (books: consumption tax).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from keizoku.billing.rules.sla_credit import OpenCredit, apply_credits, document_tax, tax_adjustment
from keizoku.terms.bank_days import next_bank_day
from keizoku.terms.decision import decides


@dataclass(frozen=True, slots=True)
class InvoiceDraft:
    """An invoice that should exist; `applied` pairs a credit with the yen taken from it."""

    total_yen: int
    credit_yen: int
    tax_yen: int
    tax_adjustment_yen: int
    issued_on: date
    due_on: date
    applied: tuple[tuple[int, int], ...]

    @property
    def charged_yen(self) -> int:
        """What is left to pay."""
        return self.total_yen - self.credit_yen


@decides("premium/4.1", "premium/4.2")
def draft_invoice(
    *,
    price_yen: int,
    method: str,
    starts_on: date,
    credits: Sequence[OpenCredit],
    due_days_other: int,
    moves_to_bank_day: bool = True,
    minimum_card_yen: int,
    tax_rate: Fraction,
) -> InvoiceDraft:
    """The invoice of a term, dated its first day, credits applied oldest first.

    Due: for card on that day; for payment by other means `due_days_other` days later (settings), moved to the next
    business day of banks by the reading due_on_holiday.
    A card cannot be charged 1 to `minimum_card_yen` - 1 yen: then so much less credit is used that the minimum
    remains, unless the credits cover it all (reading 23).
    """
    card = method == "card"
    due_on = starts_on if card else starts_on + timedelta(days=due_days_other)
    if moves_to_bank_day and not card:
        due_on = next_bank_day(due_on)
    applied = apply_credits(
        price_yen,
        [(each.credit_id, each.available_yen, each.usable_from) for each in credits],
        starts_on,
        card=card,
        minimum_yen=minimum_card_yen,
    )
    credit_yen = sum(yen for _, yen in applied)
    available = {each.credit_id: each.available_yen for each in credits}
    return InvoiceDraft(
        total_yen=price_yen,
        credit_yen=credit_yen,
        tax_yen=document_tax(price_yen - credit_yen, tax_rate),
        tax_adjustment_yen=tax_adjustment(
            price_yen, [(available[credit_id], yen) for credit_id, yen in applied], tax_rate
        ),
        issued_on=starts_on,
        due_on=due_on,
        applied=applied,
    )
