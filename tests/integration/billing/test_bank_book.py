"""The bank's statement as a book: every line once, what each is, and 1110 equal to the bank on any day."""

from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

from keizoku.billing.closing.bank_control import bank_control
from keizoku.billing.closing.reconciliation_run import reconcile_month
from keizoku.billing.ledger.manual_entries import reverse
from keizoku.billing.receivables.bank import bank_transfers
from keizoku.billing.receivables.bank.bank_list import lines
from keizoku.billing.receivables.csv_layout import Layout
from keizoku.billing.receivables.import_log import import_list
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.terms.calendar import Month, parse_instant
from keizoku.terms.refusal import Refused
from tests.worlds.bank_files import BY_MUFG, MUFG, NOW, payout, states, take
from tests.worlds.world import balances, open_world, services_on


def test_payments_out_and_dollars_are_no_yen_received(engine: sa.Engine, tmp_path: Path) -> None:
    with services_on(engine) as services:
        open_world(services)
        head = "照会番号,勘定日,起算日,入払区分,取引区分,取引金額,振込依頼人名\n"
        rows = "00000001,20260405,20260405,1,11,500,ｻﾄｳ ﾊﾅｺ\n00000002,20260406,20260406,2,11,12000,ｶ)ｵﾌｲｽﾌﾞﾂｻﾝ\n"
        columns = {"date": "起算日", "amount": "取引金額", "payer": "振込依頼人名"}
        assert take(services, tmp_path, head + rows, columns) == (1, 0, 1, 0)
        unknown = "00000003,20260406,20260406,x,11,700,ｱ\n"
        assert take(services, tmp_path, head + unknown, columns) == (0, 0, 0, 1)
        wise = "TransferWise ID,Date,Amount,Currency,Running Balance,Payer Name,Payment Reference\n"
        wise += "T-1,2026-04-05,5.00,USD,105.00,Jane Roe,\nT-2,2026-04-05,500.00,JPY,10500.00,Sato,\n"
        named = {"date": "Date", "amount": "Amount", "payer": "Payer Name", "reference": "Payment Reference"}
        assert take(services, tmp_path, wise, named, account="wise") == (1, 0, 1, 0)
        assert states(services) == [
            ("in", 500, "JPY", "open"),
            ("in", 500, "USD", "not in yen"),
            ("in", 500, "JPY", "open"),
            ("out", 12_000, "JPY", "left out"),
        ]
        assert balances(services, "1110", "2145") == [1_000, -1_000]
        assert len(lines(services.session)) == 2
        assert run_night(services, date(2026, 4, 21), parse_instant("2026-04-21 02:30")).certificate == "ok"


def test_a_whole_statement_posts_what_leaves_and_1110_is_what_the_bank_states(
    engine: sa.Engine, tmp_path: Path
) -> None:
    with services_on(engine) as services:
        open_world(services)
        rows = (
            '"2026/4/5","振込１","ﾔﾏﾀﾞ ﾀﾛｳ","","500","1,000,500","","","入金"\n'
            '"2026/4/6","振込ＩＢ１","ｶ)ｵﾌｲｽﾌﾞﾂｻﾝ","12,000","","988,500","","","振込"\n'
            '"2026/4/6","手数料","振込手数料","330","","988,170","","","手数料"\n'
            '"2026/4/9","振込３","ｽﾄﾗｲﾌﾟｼﾞﾔﾊﾟﾝ(ｶ","","48,200","1,036,370","","","入金"\n'
        )
        assert take(services, tmp_path, MUFG + rows, BY_MUFG, ignore="ストライプ") == (1, 0, 3, 0)
        assert [state for *_, state in states(services)] == ["open", "open", "fee", "left out"]
        assert balances(services, "1110", "1180", "2145", "6111") == [-11_830, 30, 11_500, 300]
        control = bank_control(services.session, date(2026, 4, 20))
        [account] = control.accounts
        assert (account.opening_yen, account.lines_yen, account.stated_yen, account.ties) == (
            1_000_000, 36_370, 1_036_370, True,
        )  # fmt: skip
        assert [(each.what, each.yen) for each in control.unmet] == [("at the bank, booked by nobody", -48_200)]
        assert (control.rest_yen, bank_control(services.session, date(2026, 4, 6)).unmet) == (0, ())
        payout(services, "po_1", 48_200, "2026-04-08")
        reconcile_month(services.session, services.gateway, Month(2026, 4), NOW)
        assert balances(services, "1110", "1131", "2145") == [36_370, -48_200, 11_500]
        after = bank_control(services.session, date(2026, 4, 20))
        assert (after.unmet, after.rest_yen, after.ledger_yen) == ((), 0, 36_370)
        in_transit = bank_control(services.session, date(2026, 4, 8))
        assert [(each.about, each.since, each.yen) for each in in_transit.unmet] == [
            ("payout:po_1", date(2026, 4, 8), 48_200)
        ]
        assert in_transit.rest_yen == 0
        assert run_night(services, date(2026, 4, 21), parse_instant("2026-04-21 02:30")).certificate == "ok"


@pytest.mark.parametrize("bank_first", [True, False])
def test_a_payout_is_in_the_books_once_whichever_side_comes_first(
    engine: sa.Engine, tmp_path: Path, bank_first: bool
) -> None:
    with services_on(engine) as services:
        open_world(services)
        rows = (
            '"2026/4/9","振込１","ｽﾄﾗｲﾌﾟｼﾞﾔﾊﾟﾝ(ｶ","","482","1,000,482","","","入金"\n'
            '"2026/4/12","振込１","ｻﾄｳ","","500","1,000,982","","","入金"\n'
        )
        if not bank_first:
            payout(services, "po_1", 482, "2026-04-08")
        assert take(services, tmp_path, MUFG + rows, BY_MUFG) == (2, 0, 0, 0)
        if bank_first:
            assert balances(services, "1110", "2145") == [982, -982]
            payout(services, "po_1", 482, "2026-04-08")
        found = reconcile_month(services.session, services.gateway, Month(2026, 4), NOW)
        assert (found.outcome.counts, found.outcome.matched["payout-bank"]) == ({}, 1)
        assert balances(services, "1110", "1131", "2145") == [982, -482, -500]
        assert [state for *_, state in states(services)] == ["payout", "open"]
        control = bank_control(services.session, date(2026, 4, 30))
        assert (control.rest_yen, control.unmet, control.faults(Month(2026, 4))) == (0, (), [])
        assert services.billing.unmatch_payment(1, by="keiri", ground="no", now=NOW) == "payout:po_1"
        assert balances(services, "1110", "2145") == [1_464, -982]
        # what people took apart is put together by people alone, whatever comes in
        more = '"2026/4/13","振込１","ｻﾄｳ","","7","1,000,989","","","入金"\n'
        assert take(services, tmp_path, MUFG + rows + more, BY_MUFG) == (1, 2, 0, 0)
        reconcile_month(services.session, services.gateway, Month(2026, 4), NOW)
        assert balances(services, "1110", "2145") == [1_471, -989]
        services.billing.payment_is_payout(1, by="keiri", ground="it is", now=NOW)
        assert balances(services, "1110", "2145") == [989, -507]


@pytest.mark.parametrize("bank_first", [True, False])
def test_5_1_2__a_store_s_payout_is_in_the_books_once(engine: sa.Engine, tmp_path: Path, bank_first: bool) -> None:
    with services_on(engine) as services:
        open_world(services)
        for account in ("s1", "s2", "s3"):
            services.billing.approve(account, "monthly", "app_store", now=parse_instant("2026-03-26 10:00"))
        report = tmp_path / "store.csv"
        head = "store,account,term,gross,fee,currency,paid_out_on,payout_id\n"
        rows = "".join(f"apple,s{n},2026-03-26,500,75,JPY,2026-04-15,AP-10\n" for n in (1, 2, 3))
        report.write_text(head + rows, encoding="utf-8")
        bank = "日付,内容,出金金額(円),入金金額(円),残高(円),メモ\n"
        bank += '2026/04/15,振込＊アイチユ－ンズ（カ,,"1,275","1,001,275",-\n'
        columns = {"date": "日付", "amount": "入金金額(円)", "payer": "内容"}
        for of_bank in (bank_first, not bank_first):
            if of_bank:
                assert take(services, tmp_path, bank, columns) == (1, 0, 0, 0)
            else:
                assert services.billing.import_store_reports(report, author="keiri", now=NOW).rows_new == 3
        reconcile_month(services.session, services.gateway, Month(2026, 4), NOW)
        assert balances(services, "1110", "1133", "2145") == [1_275, 0, 0]
        assert [state for *_, state in states(services)] == ["store_payout"]
        assert run_night(services, date(2026, 4, 21), parse_instant("2026-04-21 02:30")).certificate == "ok"


def test_equal_payments_of_one_day_are_two(engine: sa.Engine, tmp_path: Path) -> None:
    with services_on(engine) as services:
        open_world(services)
        mufg = MUFG + '"2026/4/5","振込１","ｻﾄｳ ﾕｳｺ","","500","1,000,500","","","入金"\n'
        smbc = '年月日,お引出し,お預入れ,お取り扱い内容,残高,メモ\n2026/4/5,,500,"ｻﾄｳ ﾕｳｺ",700500,""\n'
        by_smbc = {"date": "年月日", "amount": "お預入れ", "payer": "お取り扱い内容"}
        assert take(services, tmp_path, mufg, BY_MUFG) == (1, 0, 0, 0)
        assert take(services, tmp_path, smbc, by_smbc) == (1, 0, 0, 0)
        yahoo = "操作日(年),お取引内容,お取引日,お預り金額,残高,入出金明細ＩＤ\n"
        by_yahoo = {"date": "お取引日", "amount": "お預り金額", "payer": "お取引内容"}
        morning = "2026,ｻﾄｳ ﾕｳｺ,2026/4/6,500,5000,1001\n"
        assert take(services, tmp_path, yahoo + morning, by_yahoo, account="y") == (1, 0, 0, 0)
        assert take(services, tmp_path, yahoo + "2026,ｻﾄｳ ﾕｳｺ,2026/4/6,500,5500,1002\n", by_yahoo, account="y") == (
            1, 0, 0, 0,
        )  # fmt: skip
        both = morning + "2026,ｽｽﾞｷ,2026/4/6,500,6000,1003\n"
        assert take(services, tmp_path, yahoo + both, by_yahoo, account="y") == (1, 1, 0, 0)
        plain = {"date": "d", "amount": "a", "payer": "p"}
        for account in ("one", "two"):
            assert take(services, tmp_path, "d,a,p\n2026-04-07,500,ｻﾄｳ\n", plain, account=account) == (1, 0, 0, 0)
        assert balances(services, "1110", "2145") == [3_500, -3_500]


def test_a_wrong_mapping_is_seen_or_taken_back(engine: sa.Engine, tmp_path: Path) -> None:
    with services_on(engine) as services:
        open_world(services)
        services.billing.approve("taro", "yearly", "other", now=parse_instant("2026-03-16 10:00"))
        own = bank_transfers.references_of(services.session, "taro")[0]["reference"]
        rows = (
            f'"2026/4/5","振込１","{own}ﾔﾏﾀﾞ ﾀﾛｳ","","500","1,000,500","","","入金"\n'
            '"2026/4/6","振込ＩＢ１","ｶ)ｵﾌｲｽﾌﾞﾂｻﾝ","12,000","","988,500","","","振込"\n'
        )
        wrong = BY_MUFG | {"amount": "支払い金額"}
        assert take(services, tmp_path, MUFG + rows, wrong) == (0, 0, 0, 1)  # the column's own name says it
        head = (
            MUFG.replace("支払い金額", "B").replace("預かり金額", "A").replace("差引残高", "C").replace("入払区分", "D")
        )
        unsaid = {"date": "日付", "payer": "摘要内容", "amount": "B"}
        assert take(services, tmp_path, head + rows, unsaid) == (1, 0, 1, 0)
        assert balances(services, "1110", "2145") == [12_000, -12_000]
        right = unsaid | {"amount": "A", "amount_out": "B", "balance": "C"}
        assert take(services, tmp_path, head + rows, right) == (1, 0, 0, 1)  # the row that was read the other way
        assert balances(services, "1110", "1140", "2145") == [12_500, 4_812, -12_000]
        done = import_list(services.session, "bank")
        assert [(each.id, each.rows_new, each.rows_refused) for each in done][1:] == [(2, 1, 0), (3, 1, 1)]
        assert services.billing.take_import_back(2, by="keiri", ground="the other column", now=NOW) == 1
        with pytest.raises(Refused, match="import 2 is taken back already"):
            services.billing.take_import_back(2, by="keiri", ground="again", now=NOW)
        assert take(services, tmp_path, head + rows, right) == (0, 1, 1, 0)
        assert balances(services, "1110", "1140", "2145") == [-11_500, 4_812, 12_000]
        assert take(services, tmp_path, head + rows, right) == (0, 1, 1, 0)  # the same file, the same mapping
        # what this file brought by this mapping, in both of its imports
        assert services.billing.take_import_back(4, by="keiri", ground="all of it", now=NOW) == 2
        assert [each.undone for each in import_list(services.session, "bank")] == [False, True, True, True]
        assert balances(services, "1110", "1140", "2145") == [0, 5_300, 0]
        assert take(services, tmp_path, head + rows, right) == (1, 0, 1, 0)
        assert balances(services, "1110", "1140", "2145") == [-11_500, 4_812, 12_000]
        assert run_night(services, date(2026, 4, 21), parse_instant("2026-04-21 02:30")).certificate == "ok"


def test_people_say_what_nobody_knew(engine: sa.Engine, tmp_path: Path) -> None:
    with services_on(engine) as services:
        open_world(services)
        one = MUFG + (
            '"2026/4/5","振替","ｶ)ｹｲｿﾞｸ","3,000","","97,000","","","振込"\n'
            '"2026/4/6","利息","ﾘｿｸ","","12","97,012","","","入金"\n'
            '"2026/4/7","振込","ｶ)ｵﾌｲｽ","4,400","","92,612","","","振込"\n'
            '"2026/4/8","振込","ﾂｷｷﾞﾒ","110","","92,502","","","振込"\n'
        )
        two = MUFG + '"2026/4/5","振替","ｶ)ｹｲｿﾞｸ","","3,000","3,000","","","入金"\n'
        assert take(services, tmp_path, one, BY_MUFG, account="one") == (1, 0, 3, 0)
        assert take(services, tmp_path, two, BY_MUFG, account="two") == (1, 0, 0, 0)
        service = services.billing
        service.payments_are_transfer(1, 5, by="keiri", ground="seen", now=NOW)
        service.payment_is_other(2, "7120", by="keiri", ground="seen", now=NOW)
        service.payment_is_other(3, "6190", by="keiri", ground="seen", now=NOW)
        service.payment_is_fee(4, by="keiri", ground="seen", now=NOW)
        with pytest.raises(Refused, match="it already has its payer, or went back"):
            service.payment_is_fee(4, by="keiri", ground="seen", now=NOW)
        assert balances(services, "1110", "1180", "2145", "6111", "6190", "7120") == [-4_498, 10, 0, 100, 4_400, -12]
        control = bank_control(services.session, date(2026, 4, 30))
        assert [(each.account, each.stated_yen, each.ties) for each in control.accounts] == [
            ("one", 92_502, True),
            ("two", 3_000, True),
        ]
        assert (control.rest_yen, control.faults(Month(2026, 4))) == (0, [])
        assert run_night(services, date(2026, 4, 21), parse_instant("2026-04-21 02:30")).certificate == "ok"


def test_what_people_booked_by_hand_is_said_anew_only_after_its_entry_is_reversed(
    engine: sa.Engine, tmp_path: Path
) -> None:
    with services_on(engine) as services:
        open_world(services)
        service = services.billing
        rows = '"2026/4/6","利息","ﾘｿｸ","","12","97,012","","","入金"\n'
        assert take(services, tmp_path, MUFG + rows, BY_MUFG) == (1, 0, 0, 0)
        entry = service.payment_is_other(1, "7120", by="keiri", ground="seen", now=NOW)
        with pytest.raises(Refused, match=f"payment 1: entry {entry} books it by hand; reverse that entry first"):
            service.unmatch_payment(1, by="keiri", ground="a member's", now=NOW)
        assert (balances(services, "1110", "2145", "7120"), states(services)[0][3]) == ([12, 0, -12], "other")
        reverse(services.session, entry, date(2026, 4, 20), "keiri", "a member's", NOW)
        service.unmatch_payment(1, by="keiri", ground="a member's", now=NOW)
        assert (balances(services, "1110", "2145", "7120"), states(services)[0][3]) == ([12, -12, 0], "open")
        service.payment_is_other(1, "7110", by="keiri", ground="seen", now=NOW)
        assert balances(services, "1110", "2145", "7110", "7120") == [12, 0, -12, 0]


@pytest.mark.parametrize("by_file", [False, True])
def test_one_half_of_a_transfer_never_stands_alone(engine: sa.Engine, tmp_path: Path, by_file: bool) -> None:
    with services_on(engine) as services:
        open_world(services)
        service = services.billing
        one = MUFG + '"2026/4/5","振替","ｶ)ｹｲｿﾞｸ","3,000","","97,000","","","振込"\n'
        two = MUFG + '"2026/4/5","振替","ｶ)ｹｲｿﾞｸ","","3,000","3,000","","","入金"\n'
        take(services, tmp_path, one, BY_MUFG, account="one")
        take(services, tmp_path, two, BY_MUFG, account="two")
        service.payments_are_transfer(1, 2, by="keiri", ground="seen", now=NOW)
        if by_file:
            service.take_import_back(1, by="keiri", ground="the other account", now=NOW)
        else:
            service.unmatch_payment(1, by="keiri", ground="another's", now=NOW)
        # the other half waits for people again, instead of standing in 2145 unseen
        assert [state for *_, state in states(services)] == ["taken_back" if by_file else "open", "open"]
        assert balances(services, "1110", "2145") == ([3_000, -3_000] if by_file else [0, 0])
        take(services, tmp_path, one, BY_MUFG, account="one")
        service.payments_are_transfer(3 if by_file else 1, 2, by="keiri", ground="seen", now=NOW)
        assert balances(services, "1110", "2145") == [0, 0]


def test_what_was_announced_and_then_arrives_is_money(engine: sa.Engine, tmp_path: Path) -> None:
    with services_on(engine) as services:
        open_world(services)
        for name, state in (("Rpt", "PDNG"), ("Stmt", "BOOK"), ("Stmt", "BOOK"), ("Rpt", "PDNG")):
            file = tmp_path / f"{state}.xml"
            root = {"Rpt": "BkToCstmrAcctRpt", "Stmt": "BkToCstmrStmt"}[name]
            file.write_text(
                f"<Document><{root}><{name}><Acct><Id><Othr><Id>1234567</Id></Othr></Id><Ccy>JPY</Ccy></Acct>"
                f'<Ntry><Amt Ccy="JPY">500</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>{state}</Cd></Sts>'
                "<BookgDt><Dt>2026-04-15</Dt></BookgDt><AcctSvcrRef>A1</AcctSvcrRef><NtryDtls><TxDtls><RltdPties>"
                f"<Dbtr><Nm>SATO</Nm></Dbtr></RltdPties></TxDtls></NtryDtls></Ntry></{name}></{root}></Document>"
            )
            services.billing.import_bank(file, layout=Layout(), author="keiri", now=NOW)
        assert states(services) == [("in", 500, "JPY", "pending"), ("in", 500, "JPY", "open")]
        assert balances(services, "1110", "2145") == [500, -500]


def test_money_sent_back_by_us_is_joined_to_its_line(engine: sa.Engine, tmp_path: Path) -> None:
    with services_on(engine) as services:
        open_world(services)
        services.billing.approve("taro", "monthly", "other", now=parse_instant("2026-04-16 10:00"))
        services.billing.pay("taro", 800, now=NOW)
        services.billing.refund_deposit("taro", by="keiri", ground="asked", now=NOW)
        rows = '"2026/4/20","振込","ﾔﾏﾀﾞ ﾀﾛｳ","300","","99,700","","","振込"\n'
        assert take(services, tmp_path, MUFG + rows, BY_MUFG) == (0, 0, 1, 0)
        assert [state for *_, state in states(services)] == ["refund"]
        assert balances(services, "1110", "2140", "2145") == [500, 0, 0]


def test_a_file_with_a_line_that_was_sent_back_is_taken_back_without_it(engine: sa.Engine, tmp_path: Path) -> None:
    with services_on(engine) as services:
        open_world(services)
        came = MUFG + '"2026/4/9","振込１","ｻﾄｳ","","500","100,500","","","入金"\n'
        left = MUFG + '"2026/4/20","振込","ｻﾄｳ","500","","100,000","","","振込"\n'
        assert take(services, tmp_path, came, BY_MUFG) == (1, 0, 0, 0)
        services.billing.send_payment_back(1, by="keiri", ground="nobody's", now=NOW)
        assert take(services, tmp_path, left, BY_MUFG) == (0, 0, 1, 0)
        assert [state for *_, state in states(services)] == ["returned", "refund"]
        assert balances(services, "1110", "2145") == [0, 0]
        # what left the bank stands for itself until what came is read again
        assert services.billing.take_import_back(1, by="keiri", ground="the other column", now=NOW) == 1
        assert [state for *_, state in states(services)] == ["taken_back", "open"]
        assert balances(services, "1110", "2145") == [-500, 500]
        assert take(services, tmp_path, came, BY_MUFG) == (1, 0, 0, 0)
        assert balances(services, "1110", "2145") == [0, 0]
        assert run_night(services, date(2026, 4, 21), parse_instant("2026-04-21 02:30")).certificate == "ok"
