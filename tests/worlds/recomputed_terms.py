"""Prices, due days and ends of contracts computed once more from what was recorded, sharing nothing with `billing`."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

from keizoku.terms.calendar import day_start_at, jst_day
from tests.worlds.recorded import Recorded

ONE_DAY = timedelta(days=1)
FIXED = ((1, 1), (2, 11), (2, 23), (4, 29), (5, 3), (5, 4), (5, 5), (8, 11), (11, 3), (11, 23))
MONDAYS = ((1, 2), (7, 3), (9, 3), (10, 2))  # the second Monday of January, the third of July, …


@cache
def holidays(year: int) -> frozenset[date]:
    """By the Act on National Holidays as in force since 2022; the equinoxes by the usual formula."""
    days = {date(year, *each) for each in FIXED}
    for month, nth in MONDAYS:
        first = date(year, month, 1)
        days.add(first + timedelta(days=(7 - first.weekday()) % 7 + 7 * (nth - 1)))
    for month, start in ((3, 20.8431), (9, 23.2488)):
        days.add(date(year, month, int(start + 0.242194 * (year - 1980)) - (year - 1980) // 4))
    for day in sorted(days):  # III 2: one that falls on a Sunday is kept on the next day that is none
        if day.weekday() == 6:
            while day in days:
                day += ONE_DAY
            days.add(day)
    between = {day + ONE_DAY for day in days if day + 2 * ONE_DAY in days}  # III 3
    return frozenset(days | {day for day in between if day.weekday() != 6})


def bank_day(day: date) -> date:
    """The day, or the next on which banks are open."""
    while day.weekday() >= 5 or day in holidays(day.year) or (day.month, day.day) in ((12, 31), (1, 2), (1, 3)):
        day += ONE_DAY
    return day


def check_due_days(recorded: Recorded, *, moves: bool) -> None:
    """By card on the first day of the term; by other means 14 days after issue, moved to a bank's day (reading)."""
    terms = recorded.by_id("term")
    for row in recorded["invoice"]:
        stated = row.issued_on + 14 * ONE_DAY
        first_on = terms[row.term_id].starts_on
        assert row.due_on == (first_on if row.method == "card" else bank_day(stated) if moves else stated), row


def check_prices(recorded: Recorded) -> None:
    """A first term costs what was shown, or less if it fell; a renewal the price in force on its first day."""
    contracts = recorded.by_id("contract")
    shown = {each.contract_id: each.shown_at for each in recorded["offer_shown"]}
    for term in recorded["term"]:
        contract = contracts[term.contract_id]
        if term.method in ("coupon", "product_key"):
            continue
        if term.follows_on is not None:
            asked = [_price(recorded, term, term.starts_on, term.recorded_at, renewal=True)]
        else:
            first_on = jst_day(contract.approved_at)
            asked = [_price(recorded, term, first_on, contract.approved_at, renewal=False)]
            if (shown_at := shown.get(contract.id)) is not None:
                asked.append(_price(recorded, term, jst_day(shown_at), shown_at, renewal=False))
                assert (first_on - jst_day(shown_at)).days <= 30, term
        assert term.price_yen == min(asked), (term, asked)


def _price(recorded: Recorded, term: Any, on: date, known_at: datetime, *, renewal: bool) -> int:
    """The one of the latest day; for one day, the one announced last; a cohort's before the general one."""
    ours = [
        each
        for each in recorded["price"]
        if each.plan == term.plan and (not each.cohort or term.account in each.cohort)
    ]
    found = []
    for each in ours:
        from_on = each.for_renewals_from if renewal else each.for_new_from
        if each.recorded_at <= known_at and from_on <= on:
            found.append((from_on, each.announced_on, bool(each.cohort), each.id, each.yen))
    return int(max(found)[4])


def before(recorded: Recorded, term: Any) -> Any:
    """The term that a term follows; None: it is a contract's first."""
    return next(
        (each for each in recorded["term"] if (each.contract_id, each.ends_on) == (term.contract_id, term.starts_on)),
        None,
    )


def check_rises_are_told(recorded: Recorded) -> None:
    """Before a renewal at a higher price that we invoice there was a notice of it, or it is a task by name and sum.

    A store tells its own customers of its prices.
    """
    tasks = {
        (each.detail["account"], each.detail["term"])
        for each in recorded["review_task"]
        if each.kind == "renewed_unnotified"
    }
    for term in recorded["term"]:
        last = before(recorded, term)
        if last is None or last.method == "coupon" or term.price_yen <= last.price_yen or term.method == "app_store":
            continue
        told = [
            each
            for each in recorded["user_notice"]
            if each.contract_id == term.contract_id
            and each.kind in ("price", "renewal")
            and each.written_on < term.starts_on
            and str(term.starts_on) in each.occasion
        ]
        assert told or (term.account, str(term.starts_on)) in tasks, term


def check_wishes(recorded: Recorded) -> None:
    """A contract was not renewed over what stood against it by then, as it was known, and ended so only with that."""
    facts: dict[int, list[Any]] = defaultdict(list)
    for fact in sorted(recorded["contract_fact"], key=lambda each: (each.occurred_at, each.id)):
        facts[fact.contract_id].append(fact)
    ends = [(each.contract_id, each.starts_on, each.recorded_at, True) for each in recorded["term"] if each.follows_on]
    asked_for = recorded.only("contract", lambda each: each.ended_reason == "end_of_use")
    ends += [(each.id, each.ended_on, each.end_recorded_at, False) for each in asked_for]
    for contract_id, ends_on, known_at, renewed in ends:
        asked = stopped = elsewhere = False
        for fact in facts[contract_id]:
            if fact.occurred_at >= day_start_at(ends_on) or fact.recorded_at > known_at:
                continue
            if fact.kind == "end_of_use":
                asked = True
            elif fact.kind == "store_stop":
                stopped = True
            elif fact.kind == "withdraw_end_of_use":
                asked = stopped = False
            elif fact.kind == "change_method":
                elsewhere = fact.detail["method"] != "app_store"
                stopped = stopped and elsewhere
        assert renewed is not (asked or (stopped and not elsewhere)), (contract_id, ends_on)


def check_no_end_here_of_what_a_store_collects(recorded: Recorded) -> None:
    """A request made here stands only where the running term was not paid in a store, or its user had left it."""
    for fact in recorded.only("contract_fact", lambda each: each.kind == "end_of_use"):
        of_contract = lambda each: each.contract_id == fact.contract_id  # noqa: B023, E731
        begun = [each for each in recorded.only("term", of_contract) if each.starts_at <= fact.occurred_at]
        changes = [
            each
            for each in recorded.only("contract_fact", of_contract)
            if each.kind == "change_method" and each.id < fact.id
        ]
        left = bool(changes) and changes[-1].detail["method"] != "app_store"
        assert max(begun, key=lambda each: each.starts_at).method != "app_store" or left, fact


def check_terms_bind(recorded: Recorded, version: str, effective_on: date) -> None:
    """No contract of earlier terms was renewed under a version that nobody announced for its day before it."""
    for term in recorded["term"]:
        last = before(recorded, term)
        if last is None or term.terms_version != version or last.terms_version == version:
            continue
        assert [
            each
            for each in recorded["terms_announcement"]
            if (each.version, each.effective_on) == (version, effective_on)
            and each.recorded_at <= term.recorded_at
            and (each.beneficial or each.published_on < effective_on)
        ], term
