"""1110 and the banks' own sums, whatever the format; payouts that the bank kept a fee of; files of other accounts."""

from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

from keizoku.billing.closing.bank_control import Break, bank_control
from keizoku.billing.closing.close_notes import close_notes
from keizoku.billing.closing.reconciliation_run import reconcile_month
from keizoku.billing.receivables.bank.bank_list import statement_lines
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.terms.calendar import Month, parse_instant
from keizoku.terms.refusal import Refused
from tests.quarter.truth import Account, Line, Paper, Week
from tests.worlds.bank_files import BY_MUFG, MUFG, NOW, payout, states, take
from tests.worlds.world import balances, open_world, services_on

APRIL = Month(2026, 4)


@pytest.fixture
def services(engine: sa.Engine) -> object:
    with services_on(engine) as made:
        open_world(made)
        yield made


def weekly(form: str, key: str) -> list[Paper]:
    """Three files of an account, of 100 yen a day on the 2nd, the 9th and the 15th, the last with two lines."""
    account = Account(key, (form,), 10_000)
    made = []
    for number, (first, last) in enumerate(((1, 7), (8, 14), (15, 19))):
        on = date(2026, 4, first + (1 if first < 15 else 0))
        truth = [Line(on, 100, "ﾔﾏﾀﾞ", 10 * number + 1, "member")]
        truth += [Line(on, -30, "ｽｽﾞｷ", 10 * number + 2, "member")] * (first == 15)
        week = Week(date(2026, 4, first), date(2026, 4, last))
        made.append(Paper(account, week, form, account.held, truth))
        account.lines += truth
    return made


def test_a_file_that_lacks_between_two_is_seen_in_every_format_and_names_the_yen(
    services: Services, tmp_path: Path
) -> None:
    lacking = {}
    for at, form in enumerate(("zengin", "camt", "mt940", "ofx", "sbi")):
        key = f"0005-001-1-000000{at}"
        papers = weekly(form, key)

        def read(paper: Paper, key: str = key) -> int:
            file = tmp_path / paper.name
            file.write_bytes(paper.true_bytes())
            done = services.billing.import_bank(file, author="keiri", now=NOW, account=key)
            assert done.findings == ()
            return done.lines_new

        assert [read(papers[0]), read(papers[2])] == [1, 2]
        [held] = [each for each in bank_control(services.session, date(2026, 4, 19)).accounts if each.account == key]
        lacking[form] = (held.opening_yen, held.stated_yen, held.breaks)
        assert read(papers[1]) == 1  # of the 9th, behind those of the 15th in the book
    by_lines, before_it = Break(date(2026, 4, 15), 100), Break(date(2026, 4, 14), 100)
    assert lacking == {
        "zengin": (10_000, 10_270, (before_it,)),
        "camt": (10_000, 10_270, (before_it,)),
        "mt940": (10_000, 10_270, (before_it,)),
        "ofx": (10_000, 10_270, (Break(date(2026, 4, 19), 100),)),  # tells the balance at its end alone
        "sbi": (10_000, 10_270, (by_lines,)),
    }
    control = bank_control(services.session, date(2026, 4, 19))
    assert {(each.stated_yen, each.ties, each.breaks) for each in control.accounts} == {(10_270, True, ())}
    ends = "0005-001-1-0000000 on 2026-04-19, 0005-001-1-0000001 on 2026-04-19, 0005-001-1-0000002 on 2026-04-19"
    assert [note for note in close_notes(services.session, APRIL) if "statements end" in note] == [
        f"statements end before the month does: {ends}, 2 more (`keizoku bank balance`)"
    ]


def test_what_the_bank_kept_of_a_payout_is_its_fee_and_goes_back_with_the_join(
    services: Services, tmp_path: Path
) -> None:
    rows = '"2026/4/10","振込１","ｽﾄﾗｲﾌﾟｼﾞﾔﾊﾟﾝ(ｶ","","9,780","1,009,780","","","入金"\n'
    assert take(services, tmp_path, MUFG + rows, BY_MUFG) == (1, 0, 0, 0)
    payout(services, "po_1", 10_000, "2026-04-10")
    found = reconcile_month(services.session, services.gateway, APRIL, NOW)
    assert found.outcome.counts == {"payout_differs_from_bank": 1}
    by = {"by": "keiri", "ground": "the bank's notice", "now": NOW}
    with pytest.raises(Refused, match="no payout of the processor of 10110 yen is left"):
        services.billing.payment_is_payout(1, **by, kept=330)  # type: ignore[arg-type]
    assert services.billing.payment_is_payout(1, **by, kept=220) == "payout"  # type: ignore[arg-type]
    joined = ["1110", "1131", "1180", "2145", "6111"]
    assert balances(services, *joined) == [9_780, -10_000, 20, 0, 200]
    found = reconcile_month(services.session, services.gateway, APRIL, NOW)
    assert (found.outcome.counts, found.outcome.matched["payout-bank"]) == ({}, 1)
    control = bank_control(services.session, date(2026, 4, 30))
    assert (control.rest_yen, control.unmet, control.faults(APRIL)) == (0, (), [])
    assert run_night(services, date(2026, 4, 21), parse_instant("2026-04-21 02:30")).certificate == "ok"
    assert services.billing.unmatch_payment(1, by="keiri", ground="no", now=NOW) == "payout:po_1"
    assert balances(services, *joined) == [19_780, -10_000, 0, -9_780, 0]
    services.billing.payment_is_payout(1, **by, kept=220)  # type: ignore[arg-type]
    assert services.billing.take_import_back(1, by="keiri", ground="all of it", now=NOW) == 1
    assert balances(services, *joined) == [10_000, -10_000, 0, 0, 0]
    assert run_night(services, date(2026, 4, 22), parse_instant("2026-04-22 02:30")).certificate == "ok"


def test_money_that_the_bank_sent_a_day_later_is_joined_by_people(services: Services, tmp_path: Path) -> None:
    services.billing.approve("taro", "monthly", "other", now=parse_instant("2026-04-01 10:00"))
    services.billing.pay("taro", 1_300, now=parse_instant("2026-04-10 10:00"))
    services.billing.refund_deposit("taro", 800, by="keiri", ground="asked", now=parse_instant("2026-04-13 10:00"))
    rows = '"2026/4/14","振込ＩＢ１","ﾔﾏﾀﾞ ﾀﾛｳ","800","","999,200","","","振込"\n'
    assert take(services, tmp_path, MUFG + rows, BY_MUFG) == (0, 0, 1, 0)
    assert states(services) == [("out", 800, "JPY", "open")]
    assert services.billing.payment_is_payout(1, by="keiri", ground="the refund of the 13th", now=NOW) == "refund"
    [line] = statement_lines(services.session)
    assert (line.state, line.about, balances(services, "1110", "2140", "2145")) == ("refund", "deposit:1", [500, 0, 0])


def test_an_account_of_ours_without_a_statement_keeps_the_month_open(services: Services, tmp_path: Path) -> None:
    ours = ("0005-001-1-0000001", "b")
    assert bank_control(services.session, date(2026, 4, 30)).faults(APRIL) == []
    assert bank_control(services.session, date(2026, 4, 30)).faults(APRIL, ours) == [
        "account 0005-001-1-0000001: no statement at all", "account b: no statement at all",
    ]  # fmt: skip
    [first, *_] = weekly("zengin", ours[0])
    (tmp_path / "one").write_bytes(first.true_bytes())
    services.billing.import_bank(tmp_path / "one", author="keiri", now=NOW)
    with pytest.raises(Refused, match="bank: account b: no statement at all"):
        services.close_month(APRIL, by="keiri", now=parse_instant("2026-05-02 10:00"), bank_accounts=ours)


def test_a_file_of_an_account_that_is_none_of_ours_is_a_finding(services: Services, tmp_path: Path) -> None:
    [first, *_], [second, *_] = weekly("zengin", "0005-001-1-0000001"), weekly("sbi", "sbi")
    ours = ("0005-001-1-0000002", "sbi")
    said = []
    for paper, key in ((first, ""), (second, ""), (second, "sbi")):
        file = tmp_path / paper.name
        file.write_bytes(paper.true_bytes())
        done = services.billing.import_bank(file, author="keiri", now=NOW, account=key, ours=ours)
        said.append((done.lines_new, [(each.line, each.value, each.rule[:32]) for each in done.findings]))
    rule = "it is none of our accounts at th"
    assert said == [
        (0, [(2, "0005-001-1-0000001", rule)]),
        (0, [(2, "0038", rule)]),  # the bank's code, where nobody names the account
        (1, []),
    ]
