"""Prices, due days and ends of contracts computed once more from what was recorded, sharing nothing with `billing`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.terms.calendar import day_start_at, jst_day

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


def check_due_days(session: Session, *, moves: bool) -> None:
    """By card on the first day of the term; by other means 14 days after issue, moved to a bank's day (reading)."""
    for row in _rows(session, "SELECT invoice.*, starts_on FROM invoice JOIN term ON term.id = term_id"):
        stated = row.issued_on + 14 * ONE_DAY
        due_on = row.starts_on if row.method == "card" else bank_day(stated) if moves else stated
        assert row.due_on == due_on, row


def check_prices(session: Session) -> None:
    """A first term costs what was shown, or less if it fell; a renewal the price in force on its first day."""
    prices = _rows(session, "SELECT * FROM price ORDER BY id")
    for term in _rows(
        session,
        "SELECT term.*, contract.approved_at, coalesce(contract.prepaid_method, '') AS prepaid, (SELECT shown_at "
        "FROM offer_shown WHERE contract_id = contract.id ORDER BY offer_shown.id DESC LIMIT 1) AS shown_at "
        "FROM term JOIN contract ON contract.id = contract_id WHERE term.method IN ('card', 'other', 'app_store')",
    ):
        if term.follows_on is not None:
            asked = [_price(prices, term, term.starts_on, term.recorded_at, renewal=True)]
        elif term.prepaid:
            continue
        else:
            first_on = jst_day(term.approved_at)
            asked = [_price(prices, term, first_on, term.approved_at, renewal=False)]
            if term.shown_at is not None:
                asked.append(_price(prices, term, jst_day(term.shown_at), term.shown_at, renewal=False))
                assert (first_on - jst_day(term.shown_at)).days <= 30, term
        assert term.price_yen == min(asked), (term, asked)


def _price(prices: Sequence[Any], term: Any, on: date, known_at: datetime, *, renewal: bool) -> int:
    """The one of the latest day; for one day, the one announced last; a cohort's before the general one."""
    ours = [each for each in prices if each.plan == term.plan and (not each.cohort or term.account in each.cohort)]
    found = []
    for each in ours:
        from_on = each.for_renewals_from if renewal else each.for_new_from
        if each.recorded_at <= known_at and from_on <= on:
            found.append((from_on, each.announced_on, bool(each.cohort), each.id, each.yen))
    return int(max(found)[4])


def check_rises_are_told(session: Session) -> None:
    """Before a renewal at a higher price there was a notice of it, or it is a task by name and sum."""
    for term in _rows(
        session,
        "SELECT term.*, before.price_yen AS before_yen, EXISTS (SELECT 1 FROM review_task "
        "WHERE kind = 'renewed_unnotified' AND detail ->> 'account' = term.account "
        "AND detail ->> 'term' = term.starts_on::text) AS task, EXISTS (SELECT 1 FROM user_notice "
        "WHERE kind IN ('price', 'renewal') AND user_notice.contract_id = term.contract_id "
        "AND written_on < term.starts_on AND occasion LIKE concat('%', term.starts_on, '%')) AS told "
        "FROM term JOIN term AS before ON before.contract_id = term.contract_id AND before.ends_on = term.starts_on "
        "WHERE term.method <> 'coupon'",
    ):
        if term.price_yen > term.before_yen:
            assert term.told or term.task, term


def check_wishes(session: Session) -> None:
    """A contract was not renewed over what stood against it by then, as it was known, and ended so only with that."""
    for row in _rows(
        session,
        "SELECT contract_id, starts_on AS ends_on, recorded_at AS known_at, true AS renewed FROM term "
        "WHERE follows_on IS NOT NULL UNION ALL SELECT id, ended_on, end_recorded_at, false FROM contract "
        "WHERE ended_reason = 'end_of_use'",
    ):
        facts = _rows(
            session,
            "SELECT * FROM contract_fact WHERE contract_id = :id AND occurred_at < :at AND recorded_at <= :known_at "
            "ORDER BY occurred_at, id",
            id=row.contract_id, at=day_start_at(row.ends_on), known_at=row.known_at,
        )  # fmt: skip
        asked = stopped = elsewhere = False
        for fact in facts:
            if fact.kind == "end_of_use":
                asked = True
            elif fact.kind == "store_stop":
                stopped = True
            elif fact.kind == "withdraw_end_of_use":
                asked = stopped = False
            elif fact.kind == "change_method":
                elsewhere = fact.detail["method"] != "app_store"
                stopped = stopped and elsewhere
        assert row.renewed is not (asked or (stopped and not elsewhere)), row


def check_no_end_here_of_what_a_store_collects(session: Session) -> None:
    """A request made here stands only where the running term was not paid in a store, or its user had left it."""
    for fact in _rows(session, "SELECT * FROM contract_fact WHERE kind = 'end_of_use'"):
        method = session.execute(
            sa.text(
                "SELECT method FROM term WHERE contract_id = :id AND starts_at <= :at ORDER BY starts_at DESC LIMIT 1"
            ),
            {"id": fact.contract_id, "at": fact.occurred_at},
        ).scalar_one()
        changes = _rows(
            session,
            "SELECT detail ->> 'method' AS method FROM contract_fact WHERE contract_id = :id AND id < :fact "
            "AND kind = 'change_method' ORDER BY occurred_at, id",
            id=fact.contract_id, fact=fact.id,
        )  # fmt: skip
        assert method != "app_store" or (changes and changes[-1].method != "app_store"), fact


def check_terms_bind(session: Session, version: str | None, effective_on: date | None) -> None:
    """No contract of earlier terms was renewed under a version that nobody announced for its day before it."""
    if version is None or effective_on is None:
        return
    for term in _rows(
        session,
        "SELECT term.* FROM term JOIN term AS before ON before.contract_id = term.contract_id "
        "AND before.ends_on = term.starts_on WHERE term.terms_version = :version AND before.terms_version <> :version",
        version=version,
    ):
        assert _rows(
            session,
            "SELECT 1 FROM terms_announcement WHERE version = :version AND effective_on = :on AND recorded_at <= :at "
            "AND (beneficial OR published_on < :on)",
            version=version, on=effective_on, at=term.recorded_at,
        ), term  # fmt: skip


def _rows(session: Session, query: str, **facts: object) -> Sequence[Any]:
    return session.execute(sa.text(query), facts).all()
