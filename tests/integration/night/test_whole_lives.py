"""Whole lives through desks, nights and gateway: at their end the balance sheet holds cash and tax alone."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import sqlalchemy as sa

from keizoku.billing.accounts.account_views import trial_balance
from keizoku.billing.cards.dispute_choices import disputes
from keizoku.billing.closing.contract_liability import contract_liability
from keizoku.billing.closing.month_close import close_month, verify
from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.rules.books.chart import CHART
from keizoku.billing.rules.books.journal_rules import RULES
from keizoku.db.tables.bank import bank_line
from keizoku.db.tables.books import entry
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.simulator import Simulator
from keizoku.terms.calendar import Month, jst_day, parse_instant
from tests.worlds.world import open_world, services_on

CASH_AND_TAX = {"1110", "1180", "2170"}
APRIL_1 = date(2026, 4, 1)
STORE = (
    "store,account,term,gross,fee,fee_tax,currency,paid_out_on,payout_id\n"
    "s,store,2026-04-01,500,75,7,JPY,2026-05-20,p1\n"
)
BANK = "date,amount,payer,reference\n2026-05-20,321,NOBODY,\n2026-05-20,200,SOMEBODY,\n"
CARDS = ("renewed", "credited", "refunded", "won", "stays", "voided", "leaves")
ELSEWHERE = {
    "charge_failed", "coupon_term_started",  # post nothing
    "card_overcharged", "overcharge_refunded", "payout_at_bank",  # test_overcharges.py, test_bank.py
    "booked_at_bank", "unidentified_payment", "bank_fee", "bank_line_undone",  # test_bank_book.py
    "payout_fee",  # test_bank_control.py
    "deposit_applied", "interest_reduced", "fee_reduced", "set_off",  # test_lives.py, scenarios of 5.2, 7.2, 9.2
    "credit_kept",  # test_transfers_out.py
    "dispute_fee", "sale_voided", "key_revoked",  # test_disputes.py, test_codes.py
    "dispute_won_on_appeal", "dispute_won_late", "processor_tax",  # test_objects_that_change.py
    "refund_failed", "overcharge_refund_failed",  # test_late_refunds.py
    "remedy_performed",  # test_ledger_lives.py
    "deposit_refund_failed", "store_refunded", "store_fee_returned",  # test_ledger_lives.py
    "provision",  # people post it by hand
}  # fmt: skip
"""Events of the journal that these lives do not have, and where they are lived."""
BY = "kato"


def begin(services: Services, now: datetime) -> None:
    """All of them on 1 April: seven cards, two who get invoices, a year, a key, a coupon, a store."""
    service = services.billing
    Simulator(services).cards.fee_per_mille = 36
    for account in CARDS:
        service.approve(account, "monthly", "card", now=now)
    for account in ("owes", "given up"):
        service.approve(account, "monthly", "other", now=now)
    service.approve("year", "yearly", "card", now=now)
    service.approve("key", "monthly", "product_key", months=1, now=now)
    service.approve("two keys", "monthly", "product_key", months=2, now=now)
    service.approve("coupon", "monthly", "coupon", months=1, now=now)
    service.approve("store", "monthly", "app_store", now=now)
    for account in ("key", "coupon", "won"):
        service.end_of_use(account, now=now)
    service.store_stop("store", now=now)


def april(services: Services, now: datetime) -> None:
    """A stop of eight hours, two claims, three disputes, one who leaves the service."""
    services.sla.record_outage(from_at=parse_instant("2026-04-16 12:00"), to_at=parse_instant("2026-04-16 20:00"),
                      affected=60_000, now=now)  # fmt: skip
    for number, account in enumerate(("credited", "refunded")):
        services.sla.claim(id=f"c{number}", account=account, month=Month(2026, 4), now=now)
    for account, outcome in (("won", "won"), ("stays", "lost"), ("voided", "lost")):
        Simulator(services).dispute(account, APRIL_1, outcome, decided_on=date(2026, 4, 25), now=now)
    services.billing.take_disputes(now=now)
    (found,) = (each for each in disputes(services.session) if each["account"] == "voided")
    services.billing.dispute_lost(str(found["dispute"]), "sale_void", by=BY, ground="a test", now=now)
    for account in ("leaves", "two keys"):
        services.billing.leave_service(account, now=now)
    services.billing.end_of_use("refunded", now=now)


def may(services: Services, now: datetime, folder: Path) -> None:
    """Money that came: of a store, of nobody, of one whose dispute was lost, of one who pays late and too much."""
    (folder / "store.csv").write_text(STORE, encoding="utf-8")
    assert services.billing.import_store_reports(folder / "store.csv", author="kato", now=now).rows_new == 1
    (folder / "bank.csv").write_text(BANK, encoding="utf-8")
    assert services.billing.import_bank(folder / "bank.csv", author="kato", now=now).rows_new == 2
    nobody, somebody = services.session.scalars(sa.select(bank_line.c.id).order_by(bank_line.c.id))
    services.billing.send_payment_back(nobody, by=BY, ground="a test", now=now)
    services.billing.match_payment(somebody, "given up", by=BY, ground="a test", now=now)
    services.billing.unmatch_payment(somebody, by=BY, ground="a test", now=now)
    services.billing.match_payment(somebody, "owes", by=BY, ground="a test", now=now)
    services.billing.pay("stays", 2_000, now=now)
    for account in ("renewed", "credited", "stays"):
        services.billing.end_of_use(account, now=now)
    services.billing.pay("owes", 300, now=now)


def autumn(services: Services, now: datetime) -> None:
    """What is still open is paid with costs, given up, sent back; the year's user leaves; the processor pays out."""
    service, session = services.billing, services.session
    service.pay("owes", 2_000, costs=110, costs_proof="a bill of the bank", now=now)
    for account in ("owes", "stays"):
        service.refund_deposit(account, by=BY, ground="a test", now=now)
    open_terms = session.execute(
        sa.text("SELECT term.starts_on FROM term JOIN invoice ON invoice.term_id = term.id"
                " WHERE term.account = 'given up' AND invoice.open_yen > 0 ORDER BY 1")
    ).scalars().all()  # fmt: skip
    assert open_terms
    for term_on in open_terms:
        service.write_off("given up", term_on, by=BY, ground="a test", now=now)
    service.leave_service("year", now=now)


def test_at_the_end_of_whole_lives_the_balance_sheet_holds_cash_and_tax_alone(
    engine: sa.Engine, tmp_path: Path
) -> None:
    def night(services: Services, on: str) -> None:
        assert run_night(services, date.fromisoformat(on), parse_instant(f"{on} 02:30")).certificate == "ok"

    with services_on(engine) as services:
        open_world(services)
        session = services.session
        begin(services, parse_instant("2026-04-01 10:00"))
        night(services, "2026-04-02")
        april(services, parse_instant("2026-04-20 09:00"))
        for on in ("2026-04-26", "2026-05-01", "2026-05-02"):
            night(services, on)
        may(services, parse_instant("2026-05-20 09:00"), tmp_path)
        for on in ("2026-05-31", "2026-06-01", "2026-06-20", "2026-07-01", "2026-08-01", "2026-09-01"):
            night(services, on)
        autumn(services, parse_instant("2026-09-20 09:00"))
        night(services, "2026-09-21")
        night(services, "2026-10-01")
        now = parse_instant("2026-10-02 09:00")
        for month in (Month(2026, 8), Month(2026, 9)):
            closed = close_month(session, services.gateway, month, "kato", now)
            assert [each for each in closed.checks if not each.ok] == []
        at_processor = trial_balance(session)["1131"]
        post(session, [Posting("payout", "movement:all", jst_day(now), {"yen": at_processor}, None)], now)
        session.commit()
        balances = trial_balance(session)
        on_sheet = {account.code for account in CHART if account.on_balance_sheet} - CASH_AND_TAX
        assert {code: yen for code, yen in balances.items() if yen and code in on_sheet} == {}
        assert sum(balances.values()) == 0
        assert contract_liability(session, Month(2026, 10), jst_day(now)).schedule == ()
        assert verify(session) == []
        lived = set(session.scalars(sa.select(entry.c.event).distinct()))
        assert {rule.event for rule in RULES} - lived == ELSEWHERE
