"""Revenue in the books where it is easily wrong, and the database's arithmetic held to the pure rule.

Nights missed across a change of the tax, a payment taken back; then any terms, early ends, rates and days.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from keizoku.billing.closing.integrity_audit import audit
from keizoku.billing.closing.revenue_stage import DayDue, due
from keizoku.billing.receivables.bank import bank_transfers
from keizoku.billing.rules.books.revenue_recognition import (
    recognised_on,
    recognised_tax_sql,
    recognised_through,
    recognised_through_sql,
    remaining,
)
from keizoku.db.session import Session
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.terms.calendar import parse_instant
from keizoku.terms.money import tax_included_yen, tax_parts
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules
from tests.conftest import OwnDatabase
from tests.worlds.world import open_world, services_on

MAY = parse_instant("2026-05-01 02:30")


def with_another_tax_before(day: date, rate: Fraction, rate_after: Fraction | None = None) -> Rules:
    """The rules, with another rate of tax until a day (and from it on)."""
    (version,) = Terms.load("premium").versions
    assert version.policy is not None
    tax = version.policy.tax.model_copy(update={"rate": rate})
    before = replace(version, in_force_until=day, policy=version.policy.model_copy(update={"tax": tax}))
    after = replace(version, in_force_from=day)
    if rate_after is not None:
        tax = tax.model_copy(update={"rate": rate_after})
        after = replace(after, policy=version.policy.model_copy(update={"tax": tax}))
    return Rules(Terms("premium", (before, after)))


def test_tax__nights_caught_up_across_a_change_of_the_rate_take_the_rate_of_each_term(engine: sa.Engine) -> None:
    with services_on(engine, with_another_tax_before(date(2026, 4, 1), Fraction(8, 100))) as services:
        open_world(services)
        services.billing.approve("taro", "monthly", "app_store", now=parse_instant("2026-03-28 10:00"))
        assert run_night(services, date(2026, 5, 1), MAY).certificate == "ok"
        revenue = services.session.execute(sa.text("SELECT sum(yen), sum(tax_yen) FROM revenue_posting")).one()
        # 28 March to 27 April: 500 at 8 %, 37; three of 30 days of the next term: 50 at 10 %, 4
        assert tuple(revenue) == (550, 41)
        assert run_night(services, date(2026, 5, 1), MAY).changes == 0


def test_6_3__a_fee_that_stands_open_again_after_it_was_earned_is_written_off_as_revenue(
    engine: sa.Engine, tmp_path: Path
) -> None:
    with services_on(engine) as services:
        open_world(services)
        service = services.billing
        service.approve("taro", "yearly", "other", now=parse_instant("2026-04-10 10:00"))
        service.leave_service("taro", now=parse_instant("2026-04-12 10:00"))
        file = tmp_path / "bank.csv"
        reference = bank_transfers.references_of(services.session, "taro")[1]["reference"]
        file.write_text(f"date,amount,payer,reference\n2026-04-13,5300,X,{reference}\n", encoding="utf-8")
        service.import_bank(file, author="keiri", now=parse_instant("2026-04-14 10:00"))
        assert run_night(services, date(2026, 5, 1), MAY).certificate == "ok"  # all of it is earned
        service.unmatch_payment(1, by="keiri", ground="another's", now=parse_instant("2026-05-01 09:00"))
        service.write_off("taro", date(2026, 4, 10), by="keiri", ground="gone", now=parse_instant("2026-05-01 10:00"))
        night = run_night(services, date(2026, 5, 2), parse_instant("2026-05-02 02:30"))
        assert (night.certificate, night.differences) == ("ok", ())
        balances = services.session.execute(
            sa.text("SELECT code, sum(yen) FROM line WHERE code IN ('1140', '2120') GROUP BY 1 ORDER BY 1")
        ).all()
        assert [tuple(row) for row in balances] == [("1140", 0), ("2120", 0)]


class RandomTerm(NamedTuple):
    """A term as the revenue of its days depends on it."""

    plan: str
    price_yen: int
    starts_on: date
    ends_on: date
    closed_on: date | None  # None: it runs to its end


@st.composite
def random_terms(draw: st.DrawFn) -> RandomTerm:
    """Of any length up to a leap year, and closed on any day of it, the first and the last included."""
    starts_on = draw(st.dates(date(2025, 1, 1), date(2025, 12, 31)))
    days = draw(st.integers(1, 366))
    closed_after = draw(st.none() | st.integers(0, days))
    return RandomTerm(
        draw(st.sampled_from(("monthly", "yearly"))),
        draw(st.integers(1, 10**7)),
        starts_on,
        starts_on + timedelta(days=days),
        None if closed_after is None else starts_on + timedelta(days=closed_after),
    )


rates = st.fractions(0, 1, max_denominator=1_000)
days = st.dates(date(2024, 12, 31), date(2027, 1, 5))


@pytest.fixture(scope="module")
def scratch(own_database: OwnDatabase) -> Iterator[Session]:
    """A session in which `term` is a table of its own, without what a term belongs to."""
    with own_database() as engine, engine.connect() as session:
        session.execute(sa.text("CREATE TEMPORARY TABLE term (LIKE public.term)"))
        session.commit()
        yield session


def record(session: Session, terms: list[RandomTerm]) -> None:
    """The terms, each of a contract of its own, paid in a store: such a term needs no invoice."""
    session.execute(sa.text("DELETE FROM term"))
    insert = sa.text(
        "INSERT INTO term (id, contract_id, account, seq, starts_on, ends_on, starts_at, closed_on, method, plan,"
        " interval, price_yen, terms_version, recorded_at) VALUES (:id, :id, 'a', 0, :starts_on, :ends_on, now(),"
        " :closed_on, 'app_store', :plan, 'month', :price_yen, '2024-12-02', now())"
    )
    for number, term in enumerate(terms, start=1):
        session.execute(insert, {"id": number, **term._asdict()})


@given(st.integers(0, 10**10), random_terms(), days, rates)
def test_the_expressions_in_sql_say_what_the_pure_rule_says(
    scratch: Session, price_yen: int, term: RandomTerm, day: date, rate: Fraction
) -> None:
    over, under = tax_parts(rate)
    anywhere = recognised_through_sql("price", "starts_on", "ends_on", "day")
    within = recognised_through_sql("price", "starts_on", "ends_on", "inside_on", inside=True)
    statement = sa.text(
        f"SELECT {anywhere} AS yen, {within} AS within_yen, {recognised_tax_sql(anywhere, 'over', 'under')} AS tax_yen"
        " FROM (SELECT CAST(:price AS bigint) AS price, CAST(:starts_on AS date) AS starts_on,"
        " CAST(:ends_on AS date) AS ends_on, CAST(:day AS date) AS day, CAST(:inside_on AS date) AS inside_on,"
        " CAST(:over AS bigint) AS over, CAST(:under AS bigint) AS under) AS given"
    )
    of_term = (price_yen, term.starts_on, term.ends_on)
    inside_on = min(max(day, term.starts_on), term.ends_on)
    given_values = {"price": price_yen, "starts_on": term.starts_on, "ends_on": term.ends_on, "day": day}
    row = scratch.execute(statement, {**given_values, "inside_on": inside_on, "over": over, "under": under}).one()
    yen = recognised_through(*of_term, day)
    assert tuple(row) == (yen, recognised_through(*of_term, inside_on), tax_included_yen(yen, rate))


@given(st.lists(random_terms(), min_size=1, max_size=4), st.tuples(days, rates), rates, days)
def test_every_day_is_recognised_as_the_pure_rule_says(
    scratch: Session, terms: list[RandomTerm], before: tuple[date, Fraction], rate_after: Fraction, today: date
) -> None:
    changes_on, rate_before = before
    record(scratch, terms)
    rules = with_another_tax_before(changes_on, rate_before, rate_after)
    expected: dict[tuple[date, str], tuple[int, int]] = {}
    for term in terms:
        rate = rate_before if term.starts_on < changes_on else rate_after
        until_on = min(term.closed_on or term.ends_on, today)
        for day in (term.starts_on + timedelta(days=at) for at in range((until_on - term.starts_on).days)):
            yen, tax_yen = recognised_on(term.price_yen, term.starts_on, term.ends_on, day, rate)
            yen_so_far, tax_so_far = expected.get((day, term.plan), (0, 0))
            expected[day, term.plan] = yen_so_far + yen, tax_so_far + tax_yen
    assert due(scratch, rules, today) == [
        DayDue(day, plan, 1, *amounts) for (day, plan), amounts in sorted(expected.items()) if any(amounts)
    ]


@given(st.lists(random_terms(), min_size=1, max_size=4), days)
def test_the_audit_expects_what_the_pure_rule_leaves_unearned(
    scratch: Session, terms: list[RandomTerm], today: date
) -> None:
    record(scratch, terms)
    left_yen = sum(
        remaining(term.price_yen, term.starts_on, term.ends_on, min(today, term.closed_on or today), Fraction(0)).yen
        for term in terms
    )
    found = [each for each in audit(scratch, today, recognised_to=today).differences if "account 2120" in each]
    assert found == ([f"account 2120 stands at 0 yen, its rows say {-left_yen}"] if left_yen else [])
