"""What people do about a quarter's faults: lines that wait, stores' reports, each by the act that there is for it."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from keizoku.billing.contracts.store_files import Payout
from keizoku.billing.receivables.csv_layout import Layout
from keizoku.billing.receivables.import_log import MoneyImport
from keizoku.db.review_tasks import close_task
from keizoku.terms.calendar import Month
from tests.quarter import faults
from tests.quarter.company import MONTHS, STORES, at
from tests.quarter.store_papers import Sale, apple_report, google_report
from tests.quarter.truth import Line, Week

if TYPE_CHECKING:
    from keizoku.billing.receivables.read_models import BankLineView
    from tests.quarter.played import Key, Quarter

STATES: Final = {
    "member": "matched", "payout": "payout", "store": "store_payout", "fee": "fee", "odd fee": "fee",
    "supplier": "other", "interest": "other", "income": "other", "transfer": "transfer", "nobody": "returned",
    "returned": "refund", "refund": "refund",
}  # fmt: skip
"""What each kind of line is in the book at the end."""
BY: Final[dict[str, Any]] = {"by": "keiri", "ground": "looked into"}
PRODUCTS: Final = Layout(products={"jp.example.monthly": "monthly"})


def deal_with(quarter: Quarter, week: Week) -> None:
    """Every line that waits becomes what it is; an older payment is left until a newer one was matched."""
    billing, now = quarter.services.billing, at(week.after, "12:00")
    views = quarter.open_lines()
    pairs: dict[str, int] = {}
    for home, each in list(quarter.waiting):
        held = views.get(quarter.key_of(home, each))
        if not held:
            continue  # noted by check_waiting
        if each.fault == "older_found_later" and not _ripe(each, week):
            continue
        if each.kind == "transfer" and not _other_half(quarter, each, views):
            continue
        view = held.pop(0)
        quarter.done_with.append((home, each))
        quarter.acts += 1
        if each.kind == "member":
            billing.match_payment(view.id, each.about, **BY, now=now)
        elif each.kind == "nobody":
            billing.send_payment_back(view.id, **BY, now=now)
            back = Line(week.after, -each.yen, each.name, quarter.company.number(), "returned")
            quarter.company.ahead.append((home, back))
        elif each.kind == "transfer":
            pairs[str(each.id)] = view.id
            if each.about in pairs:
                billing.payments_are_transfer(view.id, pairs[each.about], **BY, now=now)
        elif each.kind == "odd fee":
            billing.payment_is_fee(view.id, **BY, now=now)
        elif each.kind in ("payout", "store", "refund"):
            kept = {"payout_less_fee": 220, "store_less_fee": 110}.get(each.fault, 0)
            billing.payment_is_payout(view.id, **BY, now=now, kept=kept)
        else:
            billing.payment_is_other(view.id, "6190" if each.kind == "supplier" else "7120", **BY, now=now)
    _send_doubles_back(quarter, week)


def _other_half(quarter: Quarter, each: Line, views: dict[Key, list[BankLineView]]) -> bool:
    """Whether the other line of a transfer is in the book: it is the one of these that waits or was just looked at."""
    [(home, other)] = [(home, one) for home, one in quarter.truth if str(one.id) == each.about]
    return quarter.key_of(home, other) in views


def _ripe(each: Line, week: Week) -> bool:
    """The month after it."""
    return (week.after.year, week.after.month) > (each.on.year, each.on.month) and week.after.day > 7


def _send_doubles_back(quarter: Quarter, week: Week) -> None:
    """Of those who paid twice, one asks for it back: our transfer leaves on the same day."""
    twice = [
        (home, each) for home, each in quarter.truth
        if each.fault == "equal_lines" and week.first_on <= each.on <= week.last_on
    ]  # fmt: skip
    if not twice:
        return
    home, each = twice[0]
    done = quarter.services.billing.refund_deposit(each.about, each.yen, **BY, now=at(week.after, "12:30"))
    if done.by_bank_yen:
        name = quarter.company.names[each.about]
        line = Line(week.after, -done.by_bank_yen, name, quarter.company.number(), "refund")
        quarter.company.ahead.append((home, line))


def store_reports(quarter: Quarter, month: Month) -> None:
    """Both stores' reports of a month: read as they come, mended, read again; then their payouts."""
    on = month.end_on + timedelta(days=2)
    quarter.left += quarter.of_stores
    kinds: set[str] = set()
    for kind in islice(quarter.stores, 3 * len(faults.STORE)):
        if len(kinds) < quarter.of_stores and kind not in kinds and (kind != "store_less_fee" or month != MONTHS[-1]):
            kinds.add(kind)
            quarter.plant(kind)
    _google(quarter, month, on, kinds)
    _apple(quarter, month, on, kinds)


def _take(quarter: Quarter, name: str, text: str, on: date, layout: Layout | None = None,
          payout: Payout | None = None) -> MoneyImport:  # fmt: skip
    file = quarter.folder / name
    file.write_text(text, encoding="utf-8")
    return quarter.services.billing.import_store_reports(file, layout=layout, author="keiri", now=at(on), payout=payout)


def _google(quarter: Quarter, month: Month, on: date, kinds: set[str]) -> None:
    company, billing = quarter.company, quarter.services.billing
    terms = company.store_terms(month, "g")
    sales = [Sale(f"{company.orders[account]}..{month.first_on.month}", first) for account, first in terms]
    if not sales:
        return
    new = {company.orders[account]: account for account, _ in terms}
    if "unknown_order" in kinds:
        sales[0] = sales[0]._replace(order=f"GPA.9999-{month.first_on:%m}01")
    billing.store_orders(new, by="keiri", now=at(on))
    if "price_differs" in kinds:
        sales[1] = sales[1]._replace(gross=480, fee=72)
    if len(sales) > 3 and month != MONTHS[-1]:  # the store gave one back: no fault
        sales[2] = sales[2]._replace(refunded_on=sales[2].on + timedelta(days=10))
    stray = sales[-1]._replace(refunded_on=sales[-1].on, only_refund=True)
    expected = []
    if "refund_without_sale" in kinds:
        expected.append("refund_without_sale")
    if "unknown_order" in kinds:
        expected.append("unknown_order")
    given = [*sales[:-1], stray] if "refund_without_sale" in kinds else sales
    done = _take(quarter, f"google-{month}.csv", google_report(given), on, PRODUCTS)
    found = sorted(quarter.types(done).elements())
    quarter.expect(f"google's report of {month} with {sorted(kinds)}", found, sorted(expected))
    for kind in expected:
        quarter.found[kind] += kind in found
    if "unknown_order" in kinds:
        billing.store_orders({sales[0].order: terms[0][0]}, by="keiri", now=at(on))
        quarter.acts += 1
    again = _take(quarter, f"google-{month}-2.csv", google_report(sales), on, PRODUCTS)
    quarter.expect(f"google's report of {month}, mended", again.findings, ())
    if "doubled_report" in kinds:
        known = len(sales) + sum(each.refunded_on is not None for each in sales)
        twice = _take(quarter, f"google-{month}-3.csv", google_report(sales) + "\n", on, PRODUCTS)
        quarter.expect("a report twice", (twice.rows_new, twice.rows_known, twice.findings), (0, known, ()))
        quarter.found["doubled_report"] += 1
    if "price_differs" in kinds:
        _price_differs(quarter, on)
    _pay_out(quarter, month, "google", sum(each.paid for each in sales), google_report(sales), kinds, day=15)


def _price_differs(quarter: Quarter, on: date) -> None:
    """A task names it; people give the 20 yen up."""
    from tests.worlds.world import rows_found

    tasks = rows_found(
        quarter.services, "SELECT subject FROM review_task WHERE kind = 'store_gross_differs' AND closed_at IS NULL"
    )
    quarter.expect("tasks of a price that differs", len(tasks), 1)
    quarter.found["price_differs"] += len(tasks)
    quarter.services.billing.post_by_hand(
        {"6190": 20, "1133": -20}, on, by="keiri", ground="the store sold it for less", now=at(on)
    )
    for (subject,) in tasks:
        close_task(quarter.services.session, "store_gross_differs", str(subject), "keiri", "given up", at(on))
    quarter.services.session.commit()


def _apple(quarter: Quarter, month: Month, on: date, kinds: set[str]) -> None:
    terms = quarter.company.store_terms(month, "i")
    if not terms:
        return
    true = apple_report(month, "jp.example.monthly", len(terms))
    if "product_without_plan" in kinds:
        done = _take(quarter, f"apple-{month}-1.txt", true, on)
        found = quarter.types(done)
        quarter.expect(f"apple's report of {month} without a mapping", dict(found), {"totals_differ": 1})
        quarter.found["product_without_plan"] += found["totals_differ"]
    if "units_differ" in kinds:
        wrong = apple_report(month, "jp.example.monthly", len(terms) + 1)
        done = _take(quarter, f"apple-{month}-2.txt", wrong, on, PRODUCTS)
        found = quarter.types(done)
        quarter.expect(f"apple's report of {month} with a unit too many", dict(found), {"totals_differ": 1})
        quarter.found["units_differ"] += found["totals_differ"]
    done = _take(quarter, f"apple-{month}.txt", true, on, PRODUCTS)
    quarter.expect(f"apple's report of {month}", (done.rows_new, done.findings), (len(terms), ()))
    _pay_out(quarter, month, "apple", 425 * len(terms), true, kinds, day=10)


def _pay_out(
    quarter: Quarter, month: Month, store: str, yen: int, report: str, kinds: set[str], day: int
) -> None:  # fmt: skip
    """The store pays: its report is read again with the payout, and the bank's line comes in that week."""
    paid_on = month.end_on + timedelta(days=day - 1)
    if paid_on >= MONTHS[-1].end_on:
        return
    short = 110 if store == "google" and "store_less_fee" in kinds else 0
    fault = "store_less_fee" if short else ""
    line = Line(paid_on, yen - short, STORES[store], quarter.company.number(), "store", fault=fault)
    quarter.company.ahead.append(("C", line))

    def paid() -> None:
        payout = Payout(f"{store}-{month}", paid_on)
        done = _take(quarter, f"{store}-{month}-paid", report, paid_on, PRODUCTS, payout)
        quarter.expect(f"{store}'s payout of {month}", done.findings, ())

    quarter.to_come.append((paid_on, paid))
