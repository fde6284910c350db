"""How a quarter is judged: what waits, how each month closes, whether every yen of the statements is joined once."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from keizoku.billing.closing.bank_control import bank_control
from keizoku.billing.closing.month_close import close_month, verify
from keizoku.billing.receivables.bank.bank_list import statement_lines
from keizoku.terms.calendar import Month
from tests.quarter.company import at
from tests.quarter.people import STATES, store_reports
from tests.quarter.truth import Line
from tests.worlds.world import balances

if TYPE_CHECKING:
    from tests.quarter.played import Key, Quarter


def check_waiting(quarter: Quarter) -> None:
    """Every line that waits is one that has to, for the reason that it has; and each that has to, waits."""
    lacking = {each.id for paper in quarter.missing.values() for each in paper.truth}
    seen = {id(each) for _, each in quarter.waiting}
    fresh = [(home, each) for home, each in quarter.truth if _waits(each) and each.id not in lacking]
    done = {id(each) for _, each in quarter.done_with}
    quarter.waiting = [(home, each) for home, each in fresh if id(each) not in done]
    expected = Counter(quarter.key_of(home, each) for home, each in quarter.waiting)
    found = Counter({key: len(lines) for key, lines in quarter.open_lines().items()})
    quarter.expect("lines that wait", found - expected, Counter())
    quarter.expect("lines that ought to wait", expected - found, Counter())
    for home, each in quarter.waiting:
        if each.fault and id(each) not in seen and quarter.key_of(home, each) in found:
            doubts = {view.why for view in quarter.open_lines()[quarter.key_of(home, each)]}
            quarter.expect(f"why {each} waits", each.doubt in doubts or each.doubt is None, True)
            if each.fault not in ("payout_less_fee",):
                quarter.found[each.fault] += 1


def end_month(quarter: Quarter, month: Month) -> None:
    """Stores' reports, then the close of a month that is over."""
    store_reports(quarter, month)
    now = at(month.end_on + timedelta(days=4))
    done = close_month(quarter.services.session, quarter.services.gateway, month, "keiri", now)
    quarter.expect(f"the close of {month}", [each for each in done.checks if not each.ok], [])
    quarter.closed.append(done.hash)
    last_on = month.end_on - timedelta(days=1)
    control = bank_control(quarter.services.session, last_on)
    true = sum(each.yen for _, each in quarter.truth if each.on <= last_on)
    on_the_way = sum(each.yen for each in control.unmet if each.what != "posted by people")
    quarter.expect(f"1110 on {last_on}", control.ledger_yen - on_the_way, true)
    quarter.expect(f"what nothing explains on {last_on}", control.rest_yen, 0)
    for account in quarter.company.accounts.values():
        held = account.opening + sum(each.yen for each in account.lines if each.on <= last_on)
        stated = [each.stated_yen for each in control.accounts if each.account == account.key]
        quarter.expect(f"{account.key} on {last_on}", stated, [held])


def judge(quarter: Quarter) -> None:
    """Every yen of the statements joined once; all planted faults found; the chain of closes whole."""
    book: Counter[tuple[Key, str, str | None]] = Counter()
    for each in statement_lines(quarter.services.session):
        if each.currency == "JPY" and each.state != "taken_back":
            signed = each.amount if each.direction == "in" else -each.amount
            key = (each.bank_account, each.paid_on, signed, each.payer)
            book[key, each.state, each.account] += 1
    true = Counter(
        (quarter.key_of(home, each), STATES[each.kind], each.about if each.kind == "member" else None)
        for home, each in quarter.truth
    )
    quarter.expect("lines of the book that are not true", book - true, Counter())
    quarter.expect("true lines that the book has not", true - book, Counter())
    quarter.expect("2145 at the end", balances(quarter.services, "2145"), [0])
    quarter.expect("the chain of closes", verify(quarter.services.session), [])
    equal = quarter.planted["equal_lines"]
    quarter.found["equal_lines"] = equal if not true - book else 0
    quarter.expect("faults found of those planted", +quarter.found, +quarter.planted)
    quarter.services.session.rollback()


def _waits(each: Line) -> bool:
    """Whether nobody but people knows what it is."""
    odd = ("supplier", "transfer", "interest", "income", "nobody", "odd fee")
    late = ("payout_less_fee", "store_less_fee", "refund_a_day_later")
    return each.doubt is not None or each.kind in odd or each.fault in late
