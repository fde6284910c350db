"""Incoming transfers and store reports: taken once, matched, and what the books say (premium/5.1.2, premium/5.2)."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from keizoku.billing.accounts.account_views import invoices_view, owed_view
from keizoku.billing.receivables.bank import bank_transfers
from keizoku.billing.receivables.bank.bank_list import lines
from keizoku.billing.receivables.csv_layout import Layout
from keizoku.billing.receivables.store_reports import reports
from keizoku.db.tables.bank import bank_act
from keizoku.db.tables.gateway import gateway_payout
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.terms.calendar import parse_instant
from keizoku.terms.refusal import Refused
from tests.worlds.world import balances, open_world, services_on

NOW = parse_instant("2026-04-20 10:00")
HEAD = "date,amount,payer,reference\n"


def payers(services: Services) -> dict[str, str]:
    """Two accounts that owe 5,300 since 30 March 2026, and the references of their invoices."""
    open_world(services)
    for account in ("taro", "jiro"):
        services.billing.approve(account, "yearly", "other", now=parse_instant("2026-03-16 10:00"))
    return {
        account: bank_transfers.references_of(services.session, account)[1]["reference"] for account in ("taro", "jiro")
    }


def take(services: Services, folder: Path, rows: str, *, now: datetime = NOW) -> tuple[int, ...]:
    file = folder / "bank.csv"
    file.write_text(HEAD + rows, encoding="utf-8")
    done = services.billing.import_bank(file, author="keiri", now=now)
    return done.rows_new, done.rows_known, done.rows_passed_over, done.rows_refused


def owed(services: Services, account: str, now: datetime = NOW) -> tuple[object, ...]:
    view = owed_view(services.session, services.rules, account, now)
    return view["principal"], view["interest"], view["deposit"]


def test_5_2__a_transfer_with_our_reference_counts_from_the_day_of_the_bank(engine: sa.Engine, tmp_path: Path) -> None:
    with services_on(engine) as services:
        reference = payers(services)
        # ten days late: 5,300 x 14.6 % x 10/365 = 21.2; the own reference of the account names no debt
        own = bank_transfers.references_of(services.session, "jiro")[0]["reference"]
        rows = f'2026-04-09,5321,TARO,{reference["taro"]}\n2026/4/9,"6,000",{own} JIRO,\n,,,\n2026-04-10,-500,ATM,\n'
        assert take(services, tmp_path, rows) == (2, 0, 1, 0)
        assert [owed(services, account) for account in ("taro", "jiro")] == [(0, 0, 0), (0, 0, 679)]
        assert [each["paid_on"] for each in invoices_view(services.session, "taro")] == [date(2026, 4, 9)]
        assert balances(services, "1110", "1140", "1150", "2140", "2145", "7110") == [11_321, 0, 0, -679, 0, -42]
        assert [(each["account"], each["by"]) for each in lines(services.session)] == [
            ("taro", "reference"),
            ("jiro", "reference"),
        ]
        assert run_night(services, date(2026, 4, 21), parse_instant("2026-04-21 02:30")).certificate == "ok"


def test_5_2__a_line_counts_once_whichever_file_shows_it_and_two_equal_lines_are_two(
    engine: sa.Engine, tmp_path: Path
) -> None:
    with services_on(engine) as services:
        payers(services)
        first = "2026-04-01,300,YAMADA,\n2026-04-01,300,YAMADA,\n"
        assert take(services, tmp_path, first) == (2, 0, 0, 0)
        file = tmp_path / "bank.csv"
        again = services.billing.import_bank(file, author="keiri", now=NOW)
        assert (again.again, again.rows_new) == (True, 2)
        assert take(services, tmp_path, first + "2026-04-01,300,YAMADA,\n2026-04-02,300,YAMADA,\n") == (2, 2, 0, 0)
        assert take(services, tmp_path, "2026-04-01,300,ﾔﾏﾀﾞ,\n2026-05-01,1,A,\n2026-04-31,1,A,\n2001-01-01,1,A,\n") == (
            1, 0, 0, 3,
        )  # fmt: skip
        assert balances(services, "1110", "2145") == [1_500, -1_500]
        # a file that could not be read may come again, with a mapping
        file.write_text("日付,amount,payer\n2026-04-03,100,Z\n", encoding="cp932")
        assert services.billing.import_bank(file, author="keiri", now=NOW).rows_refused == 1
        mapped = services.billing.import_bank(file, layout=Layout(columns={"date": "日付"}), author="keiri", now=NOW)
        assert (mapped.rows_new, mapped.again) == (1, False)


def test_5_2__a_payment_that_nobody_was_found_for_is_matched_later_from_its_own_day(
    engine: sa.Engine, tmp_path: Path
) -> None:
    with services_on(engine) as services:
        reference = payers(services)
        typo = reference["taro"][:-1] + str((int(reference["taro"][-1]) + 1) % 10)
        rows = (
            f"2026-04-09,5321,TARO,{typo}\n2026-04-09,700,X,{reference['taro']} {reference['jiro']}\n2026-04-09,9,Y,\n"
        )
        assert take(services, tmp_path, rows) == (3, 0, 0, 0)
        assert [each["why"] for each in lines(services.session, open_only=True)] == [
            "a reference with a typo",
            "references of several accounts",
            "no reference",
        ]
        # the night of 1 May demands 32 days: 67.84; found on 2 May, the money stopped the count on 9 April at 21.2
        assert run_night(services, date(2026, 5, 1), parse_instant("2026-05-01 02:30")).certificate == "ok"
        assert balances(services, "1150", "2145") == [134, -6_030]
        service, now = services.billing, parse_instant("2026-05-02 09:00")
        service.match_payment(1, "taro", by="keiri", ground="told by phone", now=now)
        assert owed(services, "taro", now) == (0, 0, 0)
        assert balances(services, "1110", "1150", "2145", "7110") == [6_030, 67, -709, -88]
        with pytest.raises(Refused, match="payment 1: it already has its payer"):
            service.match_payment(1, "jiro", by="keiri", ground="no", now=now)
        with pytest.raises(Refused, match="'nobody' is not known"):
            service.match_payment(2, "nobody", by="keiri", ground="no", now=now)
        service.send_payment_back(3, by="keiri", ground="the bank asked for it", now=now)
        with pytest.raises(Refused, match="payment 3: it already has its payer, or went back"):
            service.send_payment_back(3, by="keiri", ground="again", now=now)
        with pytest.raises(Refused, match="payment 9: there is none"):
            service.send_payment_back(9, by="keiri", ground="again", now=now)
        assert balances(services, "1110", "2145") == [6_021, -700]
        assert run_night(services, date(2026, 5, 3), parse_instant("2026-05-03 02:30")).certificate == "ok"


def test_a_payout_that_the_bank_shows_is_not_counted_twice(engine: sa.Engine, tmp_path: Path) -> None:
    with services_on(engine) as services:
        payers(services)
        assert take(services, tmp_path, "2026-04-09,482,STRIPE JAPAN,\n2026-04-09,482,STRIPE JAPAN,\n") == (2, 0, 0, 0)
        with pytest.raises(Refused, match="payment 1: no payout of the processor of 482 yen is left"):
            services.billing.payment_is_payout(1, by="keiri", ground="statement of April", now=NOW)
        at = parse_instant("2026-04-08 09:00")
        gateway_says = {"amount": 482, "currency": "jpy", "state": "paid", "automatic": True, "recorded_at": at}
        services.session.execute(
            sa.insert(gateway_payout).values(payout="po_1", happened_at=at, arrives_at=at, **gateway_says)
        )
        services.billing.payment_is_payout(1, by="keiri", ground="statement of April", now=NOW)
        with pytest.raises(Refused, match="payment 1: it already has its payer, or went back"):
            services.billing.payment_is_payout(1, by="keiri", ground="again", now=NOW)
        with pytest.raises(Refused, match="payment 2: no payout of the processor of 482 yen is left"):
            services.billing.payment_is_payout(2, by="keiri", ground="statement of April", now=NOW)
        assert [each["state"] for each in lines(services.session)] == ["payout", "open"]
        assert balances(services, "1110", "2145") == [482, -482]
        assert run_night(services, date(2026, 4, 21), parse_instant("2026-04-21 02:30")).certificate == "ok"


def test_5_2__a_match_taken_back_leaves_the_debt_as_if_the_money_had_not_come(
    engine: sa.Engine, tmp_path: Path
) -> None:
    with services_on(engine) as services:
        reference = payers(services)
        rows = "".join(f"2026-04-{day},{yen},X,{reference['taro']}\n" for day, yen in (("09", 2_000), ("19", 6_000)))
        assert take(services, tmp_path, rows) == (2, 0, 0, 0)
        # 2,000: 21 of interest, 1,979 of the fee; 3,321 for ten days: 13 of interest; 2,666 are left over
        assert owed(services, "taro") == (0, 0, 2_666)
        service = services.billing
        with pytest.raises(Refused, match="a later payment of account taro depends on it"):
            service.unmatch_payment(1, by="keiri", ground="wrong", now=NOW)
        assert service.unmatch_payment(2, by="keiri", ground="wrong", now=NOW) == "taro"
        assert owed(services, "taro") == (3_321, 14, 0)  # eleven days: 14.6
        assert service.unmatch_payment(1, by="keiri", ground="wrong", now=NOW) == "taro"
        assert owed(services, "taro") == (5_300, 44, 0)  # 21 days: 44.52
        assert balances(services, "1110", "1140", "1150", "2140", "2145", "7110") == [8_000, 10_600, 0, 0, -8_000, 0]
        with pytest.raises(Refused, match="it is not matched to anybody"):
            service.unmatch_payment(1, by="keiri", ground="again", now=NOW)
        service.match_payment(2, "jiro", by="keiri", ground="told by phone", now=NOW)
        assert owed(services, "jiro") == (0, 0, 658)  # 20 days: 42
        service.refund_deposit("jiro", by="keiri", ground="asked", now=NOW)
        with pytest.raises(Refused, match="has used, or been refunded, what was left of it"):
            service.unmatch_payment(2, by="keiri", ground="wrong", now=NOW)
        assert run_night(services, date(2026, 4, 21), parse_instant("2026-04-21 02:30")).certificate == "ok"


def test_5_2__of_two_payments_of_one_day_and_file_each_is_taken_back_by_itself(
    engine: sa.Engine, tmp_path: Path
) -> None:
    with services_on(engine) as services:
        reference = payers(services)["taro"]
        rows = f"2026-04-09,2000,X,{reference}\n2026-04-09,100,X,{reference}\n"
        assert take(services, tmp_path, rows) == (2, 0, 0, 0)
        for payment, left in ((2, (3_321, 14, 0)), (1, (5_300, 44, 0))):  # as after the first: as before both
            services.billing.unmatch_payment(payment, by="keiri", ground="wrong", now=NOW + timedelta(minutes=5))
            assert owed(services, "taro") == left


def test_5_2__an_import_says_by_their_rows_which_payments_it_matched(engine: sa.Engine, tmp_path: Path) -> None:
    """Also where another file came at the same instant."""
    with services_on(engine) as services:
        reference = payers(services)
        for number, account in enumerate(("taro", "jiro"), start=1):
            file = tmp_path / f"{account}.csv"
            file.write_text(f"{HEAD}2026-04-09,5321,X,{reference[account]}\n2026-04-09,{number},Y,\n", encoding="utf-8")
            done = bank_transfers.import_bank(services.session, services.rules, file, Layout(), "keiri", NOW)
            [matched] = done.matched
            act = services.session.execute(sa.select(bank_act).where(bank_act.c.id == matched.act_id)).one()
            assert (act.account, act.line_id, act.receipt_id) == (account, matched.line_id, matched.receipt_id)
            parts = sa.text("SELECT sum(yen), bool_or(kind = 'deposit') FROM allocation WHERE receipt_id = :id")
            used = services.session.execute(parts, {"id": matched.receipt_id}).one()
            assert (matched.account, *used) == (account, 5_321, False)
            again = bank_transfers.import_bank(services.session, services.rules, file, Layout(), "keiri", NOW)
            assert (again.logged.again, list(again.matched)) == (True, [])


def test_5_1_2__a_store_s_file_is_taken_once_and_its_payout_when_it_comes(engine: sa.Engine, tmp_path: Path) -> None:
    file = tmp_path / "store.csv"

    def store(services: Services, *rows: str) -> tuple[int, ...]:
        head = "store,account,term,gross,fee,fee_tax,currency,paid_out_on,payout_id\n"
        file.write_text(head + "\n".join(rows) + "\n", encoding="utf-8")
        done = services.billing.import_store_reports(file, author="keiri", now=NOW)
        return done.rows_new, done.rows_known, done.rows_refused

    with services_on(engine) as services:
        open_world(services)
        for account in ("taro", "jiro"):
            services.billing.approve(account, "monthly", "app_store", now=parse_instant("2026-03-26 10:00"))
        told, other = "apple,taro,2026-03-26,500,75,,JPY", "apple,jiro,2026-03-26,500,150,13,JPY"
        assert store(services, f"{told},,", f"{other},2026-04-15,P1") == (2, 0, 0)
        assert balances(services, "1110", "1133", "1180", "6111") == [350, 425, 20, 205]
        assert store(services, f"{told},2026-04-18,P2", f"{other},2026-04-15,P1") == (1, 1, 0)
        wrong = [
            "apple,taro,2026-03-26,500,80,,JPY,,",
            "apple,taro,2026-03-26,500,75,,USD,,",
            "apple,taro,2026-04-26,500,75,,,,",
            f"{told},2026-04-18,",
            f"{told},2026-05-18,P3",
            f"{told},2026-04-19,P3",
            "apple,jiro,2026-03-26,5x,75,,,,",
        ]
        assert store(services, *wrong) == (0, 0, 7)
        assert balances(services, "1110", "1133", "1180", "6111") == [775, 0, 20, 205]
        assert [(each["account"], each["fee_tax"], each["paid_out"]) for each in reports(services.session)] == [
            ("taro", 7, 425),
            ("jiro", 13, 350),
        ]
        assert run_night(services, date(2026, 4, 21), parse_instant("2026-04-21 02:30")).certificate == "ok"
