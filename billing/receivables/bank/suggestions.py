"""Whose a payment may be, with reasons; people decide. And what a match did, in figures.

Reasons: the same name paid for the account before; a like name did; the amount is what an account owes. Likeness alone
never decides: what decides without people is our reference, or a rule that they confirmed.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import sqlalchemy as sa

from keizoku.billing.ledger.bank_acts import WAITING
from keizoku.billing.receivables.bank.matching import MatchedLine
from keizoku.billing.rules.bank.names import likeness, without_numbers
from keizoku.db.session import Session
from keizoku.db.tables.bank import bank_act, bank_line
from keizoku.db.tables.money import invoice
from keizoku.terms.read_model import ReadModel

ALIKE: Final = 0.8
MOST: Final = 5
_COMPARED: Final = 50  # names that a payer's is compared with, letter by letter
_SAME, _LIKE, _OWES_ONE, _OWES_ALL = "the same name paid before", "a like name paid before", "owes it", "owes it in all"


@dataclass(frozen=True, slots=True, eq=False)
class Suggestion(ReadModel):
    """An account whose a payment may be, and why; `reasons` in English, the strongest first."""

    id: int
    paid_on: date
    yen: int
    payer: str
    account: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PaidFee(ReadModel):
    """What a payment paid of one term's fee, and of the interest on it, in whole yen."""

    term: date
    fee_yen: int
    interest_yen: int


@dataclass(frozen=True, slots=True, eq=False)
class MatchResult(ReadModel):
    """What a match did: what the payment paid, what became a deposit, what was worked out again; whole yen."""

    payment: int
    account: str
    yen: int
    counts_from: date
    costs_yen: int
    paid: tuple[PaidFee, ...]
    deposit_yen: int
    interest_taken_back_yen: int
    rule: int | None

    def sentence(self) -> str:
        """The same in one line."""
        parts = [f"costs {self.costs_yen:,}"] if self.costs_yen else []
        for each in self.paid:
            parts += [f"interest {each.interest_yen:,} on the fee of {each.term}"] if each.interest_yen else []
            parts += [f"{each.fee_yen:,} of the fee of {each.term}"] if each.fee_yen else []
        paid = f"paid {', '.join(parts)}" if parts else "" if self.deposit_yen else "paid nothing"
        kept = f"became a deposit of {self.deposit_yen:,}" if self.deposit_yen else ""
        what = " and ".join(each for each in (paid, kept.replace("became", "left") if paid else kept) if each)
        told = f"; {self.interest_taken_back_yen:,} of demanded interest left the books" * bool(
            self.interest_taken_back_yen
        )
        known = f"; rule {self.rule} knows the payer from now on" if self.rule else ""
        return f"payment {self.payment} is {self.account}'s: {self.yen:,} of {self.counts_from} {what}{told}{known}"


def result_of(matched: MatchedLine, rule: int | None) -> MatchResult:
    """What a match did, from what was applied."""
    applied = matched.applied
    parts = applied.application.parts
    terms = {each.invoice_id: each.term_starts_on for each in applied.application.owed.items}
    return MatchResult(
        payment=matched.line_id,
        account=matched.account,
        yen=parts.costs_yen + parts.interest_yen + parts.principal_yen + parts.deposit_yen,
        counts_from=applied.application.on,
        costs_yen=parts.costs_yen,
        paid=tuple(
            PaidFee(term=terms[each.invoice_id], fee_yen=each.principal_yen, interest_yen=each.interest_yen)
            for each in parts.shares
            if each.principal_yen or each.interest_yen
        ),
        deposit_yen=parts.deposit_yen,
        interest_taken_back_yen=applied.corrected_yen,
        rule=rule,
    )


def suggestions(session: Session, line_id: int | None = None) -> list[Suggestion]:
    """Of each payment that waits (or of one), the accounts that it may be of, at most five. Writes nothing."""
    newest = (
        sa.select(bank_act.c.kind).where(bank_act.c.line_id == bank_line.c.id).order_by(bank_act.c.id.desc()).limit(1)
    ).scalar_subquery()
    waits = sa.or_(sa.and_(newest.is_(None), bank_line.c.posts), newest.in_(WAITING))
    query = sa.select(bank_line).where(waits, bank_line.c.direction == "in", bank_line.c.currency == "JPY")
    if line_id is not None:
        query = query.where(bank_line.c.id == line_id)
    lines = session.execute(query.order_by(bank_line.c.paid_on, bank_line.c.id)).all()
    if not lines:
        return []
    before = _payers_before(session)
    alike = _Alike(before)
    owed = _owed(session, {row.yen for row in lines})
    return [each for row in lines for each in _of(row, before, alike, owed)]


class _Alike:
    """Names by the pairs of letters in them: of many, those that share most of these are compared letter by letter."""

    def __init__(self, names: Iterable[str]) -> None:
        self._of_pair: dict[str, list[str]] = defaultdict(list)
        for name in names:
            for pair in _pairs(name):
                self._of_pair[pair].append(name)
        self._found: dict[str, list[str]] = {}

    def of(self, name: str) -> list[str]:
        """The other names that are like this one, sorted."""
        if name not in self._found:
            shared = Counter(other for pair in _pairs(name) for other in self._of_pair.get(pair, ()) if other != name)
            likely = [other for other, _ in shared.most_common(_COMPARED)]
            self._found[name] = sorted(other for other in likely if likeness(name, other) >= ALIKE)
        return self._found[name]


def _pairs(name: str) -> list[str]:
    return list(dict.fromkeys(name[at : at + 2] for at in range(len(name) - 1)))


def _of(
    row: sa.Row[Any], before: dict[str, set[str]], alike: _Alike, owed: dict[int, list[tuple[str, str]]]
) -> Iterable[Suggestion]:
    reasons: dict[str, list[str]] = defaultdict(list)
    name = without_numbers(row.payer)
    for account in sorted(before.get(name, ())) if name else ():
        reasons[account].append(_SAME)
    for other in alike.of(name):
        for account in sorted(before[other]):
            if _SAME not in reasons[account]:
                reasons[account].append(f"{_LIKE}: {other}")
    for account, why in owed.get(row.yen, ()):
        reasons[account].append(why)
    ranked = sorted(reasons.items(), key=lambda each: (_SAME not in each[1], -len(each[1]), each[0]))
    for account, why_all in ranked[:MOST]:
        yield Suggestion(
            id=row.id, paid_on=row.paid_on, yen=row.yen, payer=row.payer, account=account, reasons=tuple(why_all)
        )


def _payers_before(session: Session) -> dict[str, set[str]]:
    """Names under which payments came that are matched, with their accounts."""
    rows = session.execute(
        sa.select(bank_line.c.payer, bank_act.c.account)
        .join(bank_act, bank_act.c.line_id == bank_line.c.id)
        .where(bank_act.c.kind == "matched")
        .distinct()
    )
    found: dict[str, set[str]] = defaultdict(set)
    for payer, account in rows:
        if name := without_numbers(payer):
            found[name].add(account)
    return found


def _owed(session: Session, amounts: set[int]) -> dict[int, list[tuple[str, str]]]:
    """Accounts that owe just this, in one fee or in all, by the amount."""
    found: dict[int, list[tuple[str, str]]] = defaultdict(list)
    of = invoice.c
    one = sa.select(of.account, of.open_yen).where(of.state == "open", of.open_yen.in_(amounts)).distinct()
    for account, yen in session.execute(one.order_by(of.account)):
        found[int(yen)].append((account, _OWES_ONE))
    total = sa.func.sum(of.open_yen)
    every = sa.select(of.account, total.label("yen")).where(of.state == "open").group_by(of.account)
    for account, yen in session.execute(every.having(sa.and_(total.in_(amounts), sa.func.count() > 1))):
        found[int(yen)].append((account, _OWES_ALL))
    return found
