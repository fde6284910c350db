"""Where a payment goes: costs, interest, principal, and what is left is kept for the payer (充当).

Civil Code 488-490 for what the payer sends; the interest itself is premium/5.2.

    3,000 sent on 05-20 for 5,300 due on 04-30:
    before  principal 5,300, interest 42         after  principal 2,342, interest 0, counted from 05-21

Always holds: the parts sum to the payment, nothing is paid beyond what is owed, and what is owed afterwards
is what was owed less the parts. Amounts are whole yen. Errors: ValueError for amounts below zero
(programmer errors).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from keizoku.billing.rules.late_interest import Debt, InterestRate, total_interest


@dataclass(frozen=True, slots=True)
class Share:
    """What one debt gets of a payment."""

    invoice_id: int
    interest_yen: int
    principal_yen: int


@dataclass(frozen=True, slots=True)
class Allocation:
    """Where a payment went, and what is owed after it."""

    costs_yen: int
    shares: tuple[Share, ...]  # one per debt, in the order of the debts
    deposit_yen: int  # more than was owed: kept, refundable
    costs_left_yen: int
    debts: tuple[Debt, ...]  # as they stand after it, settled ones with nothing left
    on_the_day: tuple[Debt, ...] = ()  # of fees that a card paid later: as they stood between the money and the card
    freed: tuple[Share, ...] = ()  # what of the deposit would have paid these fees

    @property
    def interest_yen(self) -> int:
        """Of all debts."""
        return sum(share.interest_yen for share in self.shares)

    @property
    def principal_yen(self) -> int:
        """Of all debts."""
        return sum(share.principal_yen for share in self.shares)


def allocate(
    payment_yen: int,
    costs_yen: int,
    debts: Sequence[Debt],
    through: date,
    rate: InterestRate,
    designated_invoice_id: int | None = None,
) -> Allocation:
    """Divide a payment of the day `through` over costs, the interest of all debts, then their principal.

    `debts` come in the order in which they are due, those not yet due too: they bear no interest and may be
    paid. Within interest and within principal the debt that the payer names comes first (Civil Code 488,
    489 II), then the one due first; the name of a debt that is not open counts as none. Interest is rounded
    down here, and counts anew from the next day. A payment that costs use up leaves the debts, and their
    count, as they were.
    """
    if payment_yen < 0 or costs_yen < 0:
        raise ValueError(f"a payment and its costs are never below zero: {payment_yen=}, {costs_yen=}")
    paid_costs_yen = min(payment_yen, costs_yen)
    left_yen = payment_yen - paid_costs_yen
    costs_left_yen = costs_yen - paid_costs_yen
    if left_yen == 0:
        untouched = tuple(Share(debt.invoice_id, 0, 0) for debt in debts)
        return Allocation(paid_costs_yen, untouched, 0, costs_left_yen, tuple(debts))

    interest_yen = total_interest(debts, through, rate).per_debt_yen
    order = sorted(range(len(debts)), key=lambda at: debts[at].invoice_id != designated_invoice_id)
    paid_interest_yen, left_yen = _fill(left_yen, interest_yen, order)
    paid_principal_yen, left_yen = _fill(left_yen, [debt.principal_yen for debt in debts], order)
    return Allocation(
        costs_yen=paid_costs_yen,
        shares=tuple(
            Share(debt.invoice_id, *paid)
            for debt, *paid in zip(debts, paid_interest_yen, paid_principal_yen, strict=True)
        ),
        deposit_yen=left_yen,
        costs_left_yen=costs_left_yen,
        debts=tuple(
            _counted_anew(
                debt,
                through,
                accrued_unpaid_yen=accrued_yen - interest,
                principal_yen=debt.principal_yen - principal,
            )
            for debt, accrued_yen, interest, principal in zip(
                debts, interest_yen, paid_interest_yen, paid_principal_yen, strict=True
            )
        ),
    )


@dataclass(frozen=True, slots=True)
class Fund:
    """Money or a claim of the user that we hold: from which day it could have paid a debt."""

    since: date
    yen: int
    credit_id: int | None = None  # the credit that it is, if it is one


def allocate_back(funds: Sequence[Fund], debts: Sequence[Debt], through: date, rate: InterestRate) -> Allocation:
    """Divide what we hold over debts as of the days on which each could first have paid the other.

    A set-off takes effect from the day on which both claims could be set off (Civil Code 506 II): a debt bears no
    interest from there on, as far as it is met. A day before the last allocation of a debt is not gone back to.
    Only debts due by `through` are met.
    """
    days = {fund.since for fund in funds} | {debt.accrues_after for debt in debts}
    left = list(debts)
    paid: dict[int, tuple[int, int]] = {debt.invoice_id: (0, 0) for debt in debts}
    used_yen = 0
    for day in sorted(day for day in days if day <= through):
        held_yen = sum(fund.yen for fund in funds if fund.since <= day) - used_yen
        places = [at for at, debt in enumerate(left) if debt.accrues_after <= day]
        if not held_yen or not places:
            continue
        parts = allocate(held_yen, 0, [left[at] for at in places], day, rate)
        used_yen += held_yen - parts.deposit_yen
        for at, debt, share in zip(places, parts.debts, parts.shares, strict=True):
            left[at] = debt
            interest_yen, principal_yen = paid[debt.invoice_id]
            paid[debt.invoice_id] = (interest_yen + share.interest_yen, principal_yen + share.principal_yen)
    return Allocation(
        costs_yen=0,
        shares=tuple(Share(invoice_id, *parts) for invoice_id, parts in paid.items()),
        deposit_yen=sum(fund.yen for fund in funds) - used_yen,
        costs_left_yen=0,
        debts=tuple(left),
    )


def settle_fee(debt: Debt, through: date, rate: InterestRate) -> Debt:
    """The debt after a card charge of its whole open fee: an agreed allocation (Civil Code 490).

    The interest accrued on it, rounded down, stays owed and is demanded apart.
    """
    accrued_unpaid_yen = total_interest([debt], through, rate).total_yen
    return _counted_anew(debt, through, accrued_unpaid_yen=accrued_unpaid_yen, principal_yen=0)


@dataclass(frozen=True, slots=True)
class ChargedLater:
    """A fee as it stood on the day of some money, which a card paid, whole or in part, on a later day."""

    debt: Debt
    charged_on: date
    charged_yen: int


def give_way(parts: Allocation, charged_later: Mapping[int, ChargedLater], rate: InterestRate) -> Allocation:
    """The parts of money that was there before a card paid the same fee.

    The card's payment stands (Civil Code 490), so what the money would have paid of the fee is kept for the payer; but
    interest had stopped on the money's day for as much, and counts on to the card's day for the rest alone.
    """
    if not charged_later:
        return parts
    shares, debts, on_the_day, freed = [], [], [], []
    for share, debt in zip(parts.shares, parts.debts, strict=True):
        later = charged_later.get(debt.invoice_id)
        if later is None:
            shares.append(share)
            debts.append(debt)
            continue
        kept_yen = min(share.principal_yen, later.charged_yen)
        left = settle_fee(debt, later.charged_on, rate)
        open_yen = later.debt.principal_yen - later.charged_yen - (share.principal_yen - kept_yen)
        on_the_day.append(debt)
        freed.append(Share(debt.invoice_id, 0, kept_yen))
        shares.append(replace(share, principal_yen=share.principal_yen - kept_yen))
        debts.append(replace(left, principal_yen=open_yen))
    return replace(
        parts,
        shares=tuple(shares),
        debts=tuple(debts),
        deposit_yen=parts.deposit_yen + sum(each.principal_yen for each in freed),
        on_the_day=tuple(on_the_day),
        freed=tuple(freed),
    )


def _fill(left_yen: int, wanted_yen: Sequence[int], order: Sequence[int]) -> tuple[list[int], int]:
    """Pay each amount in turn as far as the money goes; (what each got, in its own place; what is left)."""
    paid_yen = [0] * len(wanted_yen)
    for at in order:
        paid_yen[at] = min(left_yen, wanted_yen[at])
        left_yen -= paid_yen[at]
    return paid_yen, left_yen


def _counted_anew(debt: Debt, through: date, accrued_unpaid_yen: int, principal_yen: int) -> Debt:
    """A debt not yet due keeps its due date."""
    accrues_after = max(debt.accrues_after, through)
    return replace(
        debt, principal_yen=principal_yen, accrued_unpaid_yen=accrued_unpaid_yen, accrues_after=accrues_after
    )
