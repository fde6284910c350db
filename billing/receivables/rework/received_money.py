"""A payment that came in, as a source of money: costs, then interest, then fees; the rest is kept as a deposit.

A fee that a card paid on a later day than the one on which this money was there was already met by it as far as it
reaches: interest stops on the money's day, and what would have paid the fee is kept for the payer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import ClassVar, Final

from keizoku.billing.ledger.posting import Posting
from keizoku.billing.receivables.cash_application import Application, Owed, amounts_of
from keizoku.billing.rules.late_interest import InterestRate
from keizoku.billing.rules.payment_allocation import Allocation, Fund, allocate, give_way
from keizoku.db.keys import next_ids
from keizoku.db.session import Session, copy_rows
from keizoku.db.tables.money import allocation, receipt
from keizoku.terms.calendar import day_start_at, jst_day
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules

RECEIPT: Final = (
    "id", "account", "yen", "via", "received_on", "received_at", "costs_yen", "costs_proof", "for_term_on",
    "recorded_at",
)  # fmt: skip
ALLOCATION: Final = ("receipt_id", "account", "kind", "invoice_id", "yen", "allocated_on")


@dataclass(frozen=True, slots=True)
class Payment:
    """What a payer sent: `received_on` is the money's day, on which interest stops; None: the day it is recorded."""

    account: str
    yen: int
    via: str = "bank"
    costs_yen: int = 0
    for_term_on: date | None = None  # the debt that the payer names
    received_on: date | None = None
    was_unidentified: bool = False  # the money stands in 2145 already
    costs_proof: str | None = None  # what shows that the costs were really paid, and how much

    @property
    def unnamed(self) -> "Payment":
        """The same money, which names no debt."""
        return replace(self, for_term_on=None)


@dataclass(frozen=True, slots=True)
class ReceivedMoney:
    """A payment as a source of money."""

    payment: Payment
    name_may_lack: bool = False  # the debt that it names may be paid by now: the oldest one, then
    kind: ClassVar[str] = "receipt"
    word: ClassVar[str] = "receipt"
    works_back: ClassVar[bool] = False

    def funds(self, session: Session, account: str, on: date) -> Sequence[Fund]:
        """All of it, on its day."""
        return (Fund(on, self.payment.yen),)

    def divide(self, rules: Rules, owed: Owed) -> Allocation:
        """Costs, interest, then fees, the debt that the payer names first. Refuses a name that no open fee has."""
        payment, policy = self.payment, rules.terms.at(owed.on)
        named = next((each.invoice_id for each in owed.items if each.term_starts_on == payment.for_term_on), None)
        if payment.for_term_on is not None and named is None and not self.name_may_lack:
            raise Refused(
                "payment.no_unpaid_fee",
                f"account {owed.account}: the term of {payment.for_term_on} has no unpaid fee",
                "leave the term out or name another",
            )
        rate = InterestRate.of(policy)
        parts = allocate(
            payment.yen,
            payment.costs_yen + owed.costs_yen,
            [owed.charged_later[each.invoice_id].debt if each.invoice_id in owed.charged_later else each.debt
             for each in owed.items],
            owed.on,
            rate,
            named,
        )  # fmt: skip
        return give_way(parts, owed.charged_later, rate)

    def record(self, session: Session, application: Application) -> int:
        """The receipt."""
        (receipt_id,) = next_ids(session, receipt, 1)
        copy_rows(session, receipt, RECEIPT, [self.receipt_row(application, receipt_id)])
        return receipt_id

    def receipt_row(self, application: Application, receipt_id: int) -> tuple[object, ...]:
        """Its values of the columns RECEIPT. Pure."""
        payment, on, now = self.payment, application.on, application.now
        return (
            receipt_id, payment.account, payment.yen, payment.via, on, now if on == jst_day(now) else day_start_at(on),
            payment.costs_yen, payment.costs_proof if payment.costs_yen else None, payment.for_term_on, now,
        )  # fmt: skip

    def write_parts(self, session: Session, application: Application, source_id: int) -> None:
        """Its allocations, which say what interest it paid, too."""
        copy_rows(session, allocation, ALLOCATION, self.part_rows(application, source_id))

    def part_rows(self, application: Application, source_id: int) -> list[tuple[object, ...]]:
        """Its allocations' values of the columns ALLOCATION. Pure."""
        parts = application.parts
        kinds: list[tuple[str, int | None, int]] = [("costs", None, parts.costs_yen)]
        kinds += [("interest", share.invoice_id, share.interest_yen) for share in parts.shares]
        kinds += [("principal", share.invoice_id, share.principal_yen) for share in parts.shares]
        kinds += [("deposit", each.invoice_id, each.principal_yen) for each in parts.freed]
        kinds += [("deposit", None, parts.deposit_yen - sum(each.principal_yen for each in parts.freed))]
        return [(source_id, application.account, kind, i, yen, application.on) for kind, i, yen in kinds if yen]

    def postings(self, application: Application, occasion: str, undemanded_yen: int) -> Sequence[Posting]:
        """On the day of the money, also where it waited for its payer until now."""
        parts, account, on = application.parts, application.account, application.on
        amounts = amounts_of(application, undemanded_yen)
        if self.payment.was_unidentified:
            rest = {"costs_yen": parts.costs_yen, "deposit_yen": parts.deposit_yen}
            return [Posting("receipt_identified", occasion, on, amounts | rest, account)]
        postings = []
        if parts.costs_yen:
            postings.append(Posting("costs_paid", f"{occasion}:costs", on, {"yen": parts.costs_yen}, account))
        if parts.interest_yen or parts.principal_yen:
            postings.append(Posting("bank_receipt", occasion, on, amounts, account))
        if parts.deposit_yen:
            postings.append(Posting("overpaid", f"{occasion}:deposit", on, {"yen": parts.deposit_yen}, account))
        return postings
