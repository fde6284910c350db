"""What has to hold of every account at every instant, computed from what happened; and when the next thing is due."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from fractions import Fraction
from itertools import pairwise
from typing import Any

import sqlalchemy as sa

from keizoku.billing.accounts.account_views import owed_view
from keizoku.billing.closing.contract_liability import contract_liability
from keizoku.billing.closing.subledgers import subledger_totals
from keizoku.billing.receivables.open_items import load_open_items, open_items_on
from keizoku.billing.rules.books.deferred_revenue import LATE, WHEN_PAID
from keizoku.billing.rules.late_interest import InterestRate, total_interest
from keizoku.scheduler.app import Services
from keizoku.scheduler.reports.finance_rows import receivables
from keizoku.terms.calendar import Month, day_start_at, jst_day
from tests.worlds.recomputed import ONE_DAY, RATE, Fee, replay
from tests.worlds.recomputed_credits import LEAST_ON_A_CARD, Credits, check_award, check_letters
from tests.worlds.recomputed_months import Verdict, verdicts
from tests.worlds.recomputed_terms import (
    check_due_days,
    check_no_end_here_of_what_a_store_collects,
    check_prices,
    check_rises_are_told,
    check_terms_bind,
    check_wishes,
)
from tests.worlds.recorded import Recorded

INVOICED = ("card", "other")
FROM = date(2024, 12, 2)


def open_shop(services: Services, now: datetime) -> None:
    """Two plans and a population."""
    services.sla.population(day_start_at(FROM), 1_000_000, now=now)
    for code, interval, yen in (("monthly", "month", 500), ("yearly", "year", 5_300)):
        services.billing.add_plan(code, interval, now=now)
        services.billing.price(
            code, yen, announced=FROM, for_new_from=FROM, for_renewals_from=FROM, initial=True, now=now
        )


class Lived:
    """What has to be true of a life: what each night has granted so far is remembered beside the engine."""

    def __init__(self) -> None:
        self._granted: dict[tuple[str, str], int] = {}
        self._claims: dict[str, Verdict] = {}

    def night_has_run(self, services: Services, on: date, now: datetime) -> None:
        """Decide every claim of the months that are over, once more; a month is never worth less than it was."""
        recorded = Recorded(services.session)
        self._claims = verdicts(recorded, now, str(Month.of(on)))
        claims = recorded.by_id("claim")
        for claim, verdict in self._claims.items():
            of = claims[claim].account, claims[claim].month
            self._granted[of] = max(self._granted.get(of, 0), verdict.yen)
        check_award(recorded, self._granted, self._claims)
        services.session.rollback()

    def check(self, services: Services, now: datetime, last_night: date | None, *, at_night: bool) -> None:
        """Raise AssertionError for the first thing that does not hold."""
        ask = Asker(services)
        _terms_follow_each_other(ask)
        _every_term_is_invoiced_once(ask)
        accounts = ask.column("SELECT id FROM account ORDER BY 1")
        deposits_yen = sum(_owed(services, ask, account, now, at_night=at_night) for account in accounts)
        _books(ask, last_night, deposits_yen)
        _deferred(services, now, at_night=at_night)
        if at_night and last_night is not None:
            self._recompute(services, accounts, now, last_night)
        services.session.rollback()

    def _recompute(self, services: Services, accounts: Sequence[str], now: datetime, last_night: date) -> None:
        """After a night: what follows from the rows of events alone."""
        recorded = Recorded(services.session)
        terms = services.rules.terms
        check_wishes(recorded)
        check_no_end_here_of_what_a_store_collects(recorded)
        check_prices(recorded)
        check_rises_are_told(recorded)
        check_due_days(recorded, moves=terms.at(jst_day(now)).readings["due_on_holiday"] == "next_business_day")
        if len(terms.versions) > 1:
            check_terms_bind(recorded, terms.versions[-1].version, terms.versions[-1].in_force_from)
        for account in accounts:
            credits = Credits(recorded, account)
            credits.check_invoices()
            credits.check_held()
            credits.check_refunds()
            credits.check_after_a_night(last_night, now)
            check_letters(recorded, account, credits, self._claims, now)


class Asker:
    """Asks the database in short."""

    def __init__(self, services: Services) -> None:
        self._session = services.session

    def rows(self, query: str, **facts: Any) -> Sequence[Any]:
        return self._session.execute(sa.text(query), facts).all()

    def column(self, query: str, **facts: Any) -> list[Any]:
        return [row[0] for row in self.rows(query, **facts)]

    def yen(self, query: str, **facts: Any) -> int:
        return int(self.column(query, **facts)[0] or 0)


def _boundary(anchor: date, months: int) -> date:
    year, month = divmod(anchor.year * 12 + anchor.month - 1 + months, 12)
    return date(year, month + 1, min(anchor.day, monthrange(year, month + 1)[1]))


def _terms_follow_each_other(ask: Asker) -> None:
    """No gap, no overlap, counted from the anchor, none after the end."""
    for contract in ask.rows("SELECT contract.*, interval FROM contract JOIN plan ON plan.code = contract.plan"):
        terms = ask.rows("SELECT * FROM term WHERE contract_id = :id ORDER BY starts_on", id=contract.id)
        if contract.approved_at is None:
            assert terms == []
            continue
        months = 12 if contract.interval == "year" else 1
        bounds = [_boundary(jst_day(contract.approved_at), months * n) for n in range(len(terms) + 1)]
        assert [(term.starts_on, term.ends_on) for term in terms] == list(pairwise(bounds))
        assert terms[0].starts_at == contract.approved_at
        if contract.ended_on is None:
            assert terms[-1].closed_on is None
        else:
            assert all(term.starts_at <= contract.ended_at for term in terms), contract
            assert contract.ended_on <= terms[-1].ends_on, contract
            assert terms[-1].closed_on == (contract.ended_on if contract.ended_on < terms[-1].ends_on else None)
            assert ask.column(
                "SELECT id FROM suspension WHERE contract_id = :id AND lifted_at IS NULL", id=contract.id
            ) == []  # fmt: skip


def _every_term_is_invoiced_once(ask: Asker) -> None:
    """Paid by card or by other means: one invoice, of its price. Else: none."""
    for term in ask.rows(
        "SELECT term.id, term.method, price_yen, starts_on, array_remove(array_agg(total_yen), NULL) AS totals, "
        "min(issued_on) AS issued_on FROM term LEFT JOIN invoice ON term_id = term.id GROUP BY term.id"
    ):
        assert term.totals == ([term.price_yen] if term.method in INVOICED else []), term
        assert term.issued_on == (term.starts_on if term.method in INVOICED else None), term


def _owed(services: Services, ask: Asker, account: str, now: datetime, *, at_night: bool) -> int:
    """What is owed, by every way of asking; the yen that we hold."""
    today = jst_day(now)
    shown = owed_view(services.session, services.rules, account, now)
    readings = services.rules.terms.at(today).readings
    again = replay(services.session, account, now, readings)
    interest = again.interest(now)
    principal = sum(fee.open_yen for fee in again.fees.values())
    assert shown == {
        "principal": principal,
        "interest": interest.__floor__(),
        "costs": again.costs_yen,
        "total": principal + interest.__floor__() + again.costs_yen,
        "deposit": again.deposit_yen,
    }, account
    unpaid = load_open_items(services.session, services.rules, today, account=account, with_accrued=True)
    for known_at in (None, now):  # worked out from the settlements, the account owes what its invoices' caches say
        assert open_items_on(services.session, services.rules, account, today, known_at=known_at) == unpaid
    late_interest, day_count = services.rules.terms.at(today).late_interest, readings["late_interest_day_count"]
    assert (
        interest
        == total_interest([each.debt for each in unpaid], today, InterestRate(late_interest.rate, day_count)).exact
    )
    left = ask.rows(
        "SELECT invoice.id, open_yen, total_yen - coalesce((SELECT sum(yen) FROM settlement WHERE invoice_id = "
        "invoice.id), 0) AS left_yen FROM invoice WHERE account = :account",
        account=account,
    )
    assert all(row.open_yen == row.left_yen == again.fees[row.id].open_yen for row in left), (account, left)
    _bound(ask, account, today, interest + again.interest_paid_yen)
    if at_night:
        _standing(ask, account, now, again.fees.values())
        if readings["deposit_use"] == "when_due" and any(fund.yen for fund in again.sent):
            assert [fee for fee in again.owing(today) if fee.due(today) <= today] == [], account
    return again.deposit_yen


def _bound(ask: Asker, account: str, today: date, interest: Fraction) -> None:
    """No more than principal x 14.6 % x days / 365, from the due date to the last payment."""
    most = Fraction(0)
    for row in ask.rows(
        "SELECT total_yen - credit_yen AS yen, least(due_on, accelerated_on) AS due_on, "
        "CASE state WHEN 'paid' THEN paid_on WHEN 'open' THEN CAST(:today AS date) "
        "ELSE (SELECT max(settled_on) FROM settlement WHERE invoice_id = invoice.id) END AS until "
        "FROM invoice WHERE account = :account",
        account=account, today=today,
    ):  # fmt: skip
        most += row.yen * RATE * Fraction(max(0, (row.until - row.due_on).days), 365)
    assert 0 <= interest <= most, account


def _standing(ask: Asker, account: str, now: datetime, fees: Any) -> None:
    """After a night: suspended from 10 days overdue on, and no longer than that; ended from 40 on."""
    for contract in ask.rows(
        "SELECT id, (SELECT count(*) FROM suspension WHERE contract_id = contract.id AND lifted_at IS NULL "
        "AND set_by = 'delinquency') AS suspended FROM contract WHERE account = :account "
        "AND approved_at IS NOT NULL AND ended_on IS NULL",
        account=account,
    ):
        days = max(
            (fee.overdue_days(now) for fee in fees if _weighs(fee) and fee.contract_id == contract.id), default=0
        )
        assert days < 40, contract
        assert contract.suspended == (1 if days >= 10 else 0), (contract, days)


def _weighs(fee: Fee) -> bool:
    """A rest that no card can be charged waits, and ends nothing."""
    return fee.open_yen >= (LEAST_ON_A_CARD if fee.method == "card" else 1)


def _books(ask: Asker, last_night: date | None, deposits_yen: int) -> None:
    """The journal's accounts are what the rows that they stand for come to."""
    at = dict(ask.rows("SELECT code, sum(yen) FROM line GROUP BY code"))
    assert sum(at.values()) == 0
    assert ask.column("SELECT entry_id FROM line GROUP BY 1 HAVING sum(yen) <> 0") == []
    assert at.get("1140", 0) == ask.yen("SELECT sum(open_yen) FROM invoice")
    assert -at.get("2130", 0) == ask.yen("SELECT sum(granted_yen) FROM credit") - ask.yen(
        "SELECT sum(yen) FROM credit_application"
    ) - ask.yen("SELECT sum(yen) FROM credit_refund WHERE outcome = 'succeeded'") - ask.yen(
        "SELECT sum(yen) FROM credit_extinguishment"
    )
    assert -at.get("2140", 0) == deposits_yen
    booked = ask.yen("SELECT sum(yen) FROM interest_booking") - ask.yen(
        "SELECT sum(yen) FROM allocation WHERE kind = 'interest'"
    )
    assert at.get("1150", 0) == booked >= 0
    assert -at.get("2120", 0) == sum(_unearned(ask, last_night))


def _deferred(services: Services, now: datetime, *, at_night: bool) -> None:
    """The schedule of what is deferred ties to the account per plan (or it raises), as do those of months before.

    So do the other sub-ledgers at the ends of these months, and the report's open invoices.
    """
    running = Month.of(jst_day(now))
    for month in (running, running.shift(-1), running.shift(-7)) if at_night else (running,):
        rolled = contract_liability(services.session, month, jst_day(now))
        assert sum(part.yen for part in rolled.schedule) == rolled.closing_yen
        ledgers = subledger_totals(services.session, month, jst_day(now))
        assert [each for each in ledgers if not each.ties and each.code != "2120"] == []
        open_yen = sum(int(str(row[-1])) for row in receivables(services.session, month))
        assert open_yen == next(each.journal_yen for each in ledgers if each.code == "1140")
        whens = {part.when for part in rolled.schedule}
        assert whens <= {*(str(running.shift(ahead)) for ahead in range(-7, 14)), LATE, WHEN_PAID}


def _unearned(ask: Asker, last_night: date | None) -> Iterator[int]:
    """What is left of each term's fee in the contract liability: days up to the last night are earned."""
    for term in ask.rows(
        "SELECT term.*, coalesce((SELECT sum(yen) FROM settlement JOIN invoice ON invoice.id = invoice_id "
        "WHERE term_id = term.id AND kind = 'reduction'), 0) AS reduced_yen, "
        "EXISTS (SELECT 1 FROM term_closure WHERE term_id = term.id) AS closed FROM term WHERE method <> 'coupon'"
    ):
        if term.closed:
            continue
        to_on = min(last_night or term.starts_on, term.closed_on or term.ends_on, term.ends_on)
        days = max(0, (to_on - term.starts_on).days)
        yield term.price_yen - term.price_yen * days // (term.ends_on - term.starts_on).days - int(term.reduced_yen)


def next_busy_night(services: Services, tonight: date) -> date:
    """The first night from tonight on for which something but revenue can be due."""
    ask = Asker(services)
    first_of_month = tonight if tonight.day == 1 else _boundary(tonight.replace(day=1), 1)
    due = [
        first_of_month,
        *ask.column("SELECT renews_on FROM contract WHERE ended_on IS NULL AND renews_on IS NOT NULL"),
    ]
    for row in ask.rows(
        "SELECT least(due_on, accelerated_on) AS due_on, issued_at >= issued_on + interval '15 hours' "
        "OR (method = 'card' AND NOT EXISTS (SELECT 1 FROM payment_attempt WHERE invoice_id = invoice.id)) "
        "OR EXISTS (SELECT 1 FROM payment_attempt WHERE invoice_id = invoice.id "
        "AND settled_on IS DISTINCT FROM wanted_on) "
        "AS delayed FROM invoice WHERE state = 'open'"
    ):
        due += [tonight] if row.delayed else [row.due_on + days * ONE_DAY for days in (0, 1, 3, 5, 7, 10, 40)]
    acted = ask.yen(
        "SELECT count(*) FROM contract_fact WHERE recorded_at > :at", at=day_start_at(tonight) - 2 * ONE_DAY
    )
    services.session.rollback()
    return tonight if acted else min(on for on in due if on >= tonight)
