"""Money out by bank: two persons, one file, booked once, joined to the bank's line, or come back."""

from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

from keizoku.billing.accounts.history import state_at
from keizoku.billing.closing.bank_control import bank_control, bank_said
from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables.transfers_out import transfers
from keizoku.billing.rules.payment_reference import ACCOUNT, Reference
from keizoku.billing.statements.transfer_file import BankAccount, Transfer, payer_of, read_transfers
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.terms.calendar import Month, parse_instant
from keizoku.terms.refusal import Refused
from tests.unit.billing.statements.shapes import MUFG
from tests.worlds.world import balances, night_is_ok, open_world, services_on

NOW = parse_instant("2026-04-20 10:00")
PAYER = payer_of("1234567890/0005-001-1-7654321/カ）ケイゾク")
TO = BankAccount("0009", "001", "1", "1234567", "ヤマダ タロウ")
GROUND = "the payer asked"
APRIL_30 = date(2026, 4, 30)


def with_deposit(services: Services) -> None:
    open_world(services)
    services.billing.approve("taro", "monthly", "other", now=parse_instant("2026-04-01 10:00"))
    services.billing.pay("taro", 1300, now=parse_instant("2026-04-01 11:00"))


def propose(services: Services, yen: int = 800, to: BankAccount = TO, account: str = "taro") -> int:
    return services.billing.propose_transfer(account, yen, to, by="kato", ground=GROUND, now=NOW)


def test_a_deposit_goes_out_by_two_persons_word_in_one_file_and_meets_the_bank_s_line(
    engine: sa.Engine, tmp_path: Path
) -> None:
    with services_on(engine) as services:
        with_deposit(services)
        assert balances(services, "1110", "2140") == [1300, -800]
        number = propose(services)
        with pytest.raises(Refused) as same:
            services.billing.decide_transfer(number, approve=True, by="Kato ", ground=GROUND, now=NOW)
        with pytest.raises(Refused) as early:
            services.billing.send_transfers(PAYER, date(2026, 4, 21), by="kato", now=NOW)
        with pytest.raises(Refused) as too_much:
            propose(services, 1)
        services.billing.decide_transfer(number, approve=True, by="sato", ground=GROUND, now=NOW)
        made = services.billing.send_transfers(PAYER, date(2026, 4, 21), by="kato", now=NOW)
        services.session.commit()
        assert [each.value.code for each in (same, early, too_much)] == [
            "transfer_out.same_person",
            "transfer_out.none",
            "transfer_out.amount",
        ]
        held = BankAccount("0009", "001", "1", "1234567", "ﾔﾏﾀﾞ ﾀﾛｳ")
        assert read_transfers(made.content) == (Transfer(held, 800, str(number)),)
        assert services.billing.transfer_file_again(made.number) == made
        assert balances(services, "1110", "2140") == [500, 0]
        (sent,) = transfers(services.session)
        assert (sent.state, sent.to, sent.approved_by) == ("sent", "0009-001-1-****567", "sato")
        bank = tmp_path / "bank.csv"
        row = '"2026/4/20","振込","ﾔﾏﾀﾞ ﾀﾛｳ","800","","500","","","振込"'
        bank.write_text(f"{MUFG.splitlines()[0]}\n{row}\n", encoding="cp932")
        services.billing.import_bank(bank, author="kato", now=NOW)
        assert balances(services, "1110", "2140", "2145") == [500, 0, 0]
        assert [each.state for each in transfers(services.session)] == ["done"]
        assert transfers(services.session, open_only=True) == []
        services.session.rollback()
        night = run_night(services, date(2026, 4, 21), parse_instant("2026-04-21 02:30"), whole_audit=True)
        assert (night.certificate, night.differences) == ("ok", ())


def test_what_the_bank_sends_back_is_the_payer_s_deposit_again(engine: sa.Engine, tmp_path: Path) -> None:
    with services_on(engine) as services:
        with_deposit(services)
        number = propose(services)
        services.billing.decide_transfer(number, approve=True, by="sato", ground=GROUND, now=NOW)
        services.billing.send_transfers(PAYER, date(2026, 4, 21), by="kato", now=NOW)
        services.session.commit()
        services.billing.transfer_sent_back(number, by="kato", ground=GROUND, now=NOW)
        assert balances(services, "1110", "2140") == [1300, -800]
        assert [each.state for each in transfers(services.session)] == ["failed"]
        with pytest.raises(Refused) as twice:
            services.billing.transfer_sent_back(number, by="kato", ground=GROUND, now=NOW)
        assert twice.value.code == "transfer_out.state"
        assert propose(services) == number + 1
        services.session.rollback()
        night = run_night(services, date(2026, 4, 21), parse_instant("2026-04-21 02:30"), whole_audit=True)
        assert (night.certificate, night.differences) == ("ok", ())


def test_the_database_itself_wants_two_persons(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        with_deposit(services)
        number = propose(services)
        act = "INSERT INTO transfer_act (order_id, proposed_by, kind, author, ground, recorded_at) VALUES "
        for who, proposed in (("kato", "kato"), ("KATO", "kato"), ("kato", "sato")):
            with pytest.raises(sa.exc.IntegrityError):
                services.session.execute(
                    sa.text(f"{act} (:id, :proposed, 'approved', :who, 'x', now())"),
                    {"id": number, "proposed": proposed, "who": who},
                )
            services.session.rollback()


@pytest.mark.parametrize(
    "to",
    [
        BankAccount("9999", "001", "1", "1", "ｱ"),
        BankAccount("0009", "999", "1", "1", "ｱ"),
        BankAccount("0009", "001", "3", "1", "ｱ"),
        BankAccount("0009", "001", "1", "12345678", "ｱ"),
        BankAccount("0009", "001", "1", "1", "山田"),
    ],
)
def test_an_account_that_no_bank_has_is_refused_when_it_is_proposed(engine: sa.Engine, to: BankAccount) -> None:
    with services_on(engine) as services:
        with_deposit(services)
        with pytest.raises(Refused) as refused:
            propose(services, 100, to)
        assert refused.value.code == "transfer_out.unfit"
        rejected = propose(services)
        services.billing.decide_transfer(rejected, approve=False, by="kato", ground=GROUND, now=NOW)
        assert propose(services) == rejected + 1  # what was rejected keeps nothing back


def test_the_payer_is_written_in_one_line() -> None:
    assert (PAYER.code, PAYER.account.bank, PAYER.account.number) == ("1234567890", "0005", "7654321")
    for wrong in ("", "1/2", "1/0005-001-1/ｱ", "x/0005-001-1-1/ｱ", "1/0005-001-3-1/ｱ", "1/0005-001-1-1/山田"):
        with pytest.raises(ValueError, match=r"code/bank|names are kana|letters in half width"):
            payer_of(wrong)


def test_9_2__a_credit_that_no_invoice_or_card_takes_goes_out_by_two_persons_word_too(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        open_world(services)
        services.billing.approve("taro", "monthly", "other", now=parse_instant("2026-04-01 10:00"))
        services.billing.pay("taro", 500, now=parse_instant("2026-04-01 11:00"))
        services.billing.end_of_use("taro", now=parse_instant("2026-04-02 10:00"))
        services.session.execute(sa.text("SET session_replication_role = replica"))  # a credit without its claim
        services.session.execute(
            sa.text(
                "INSERT INTO credit (award_id, account, month, total_yen, granted_yen, available_yen, usable_from, "
                "granted_on, recorded_at) VALUES (1, 'taro', '2026-03', 100, 100, 100, '2026-04-01', '2026-04-01', "
                "'2026-04-01 12:00+09')"
            )
        )
        services.session.execute(sa.text("SET session_replication_role = origin"))
        granted = Posting("credit_granted", "credit:1", date(2026, 4, 1), {"yen": 100, "tax_yen": 9}, "taro")
        post(services.session, [granted], NOW)
        services.session.commit()
        with pytest.raises(Refused, match="no credit is left over"):
            services.billing.keep_credit("taro", by="kato", ground=GROUND, now=parse_instant("2026-04-02 11:00"))
        night_is_ok(services, date(2026, 5, 1))
        now = parse_instant("2026-05-01 10:00")
        about = sa.text("SELECT closed_by FROM review_task WHERE kind = 'credit_without_charge'")
        assert services.session.execute(about).all() == [(None,)]
        assert services.billing.keep_credit("taro", by="kato", ground=GROUND, now=now) == 100
        assert balances(services, "2130", "2140") == [0, -100]
        assert services.session.execute(about).all() == [("kato",)]
        night_is_ok(services, date(2026, 5, 2))
        with pytest.raises(Refused, match="no credit is left over"):
            services.billing.keep_credit("taro", by="kato", ground=GROUND, now=now)
        number = services.billing.propose_transfer("taro", 100, TO, by="kato", ground=GROUND, now=now)
        services.billing.decide_transfer(number, approve=True, by="sato", ground=GROUND, now=now)
        services.billing.send_transfers(PAYER, date(2026, 5, 7), by="kato", now=now)
        services.session.commit()
        assert balances(services, "1110", "2130", "2140") == [400, 0, 0]
        assert state_at(services.session, services.rules, "taro", until=now, known_at=now).credit_yen == 0
        night_is_ok(services, date(2026, 5, 3))


@pytest.mark.parametrize(
    "lines",
    [
        ['"2026/4/22","振込","ソウゴウフリコミ","1,100","","-800","","","出金"'],  # one sum for the file
        [
            '"2026/4/23","振込","ｽｽﾞｷ ﾊﾅｺ","300","","0","","","出金"',  # two of one sum and day: by their names
            '"2026/4/23","振込","ﾔﾏﾀﾞ ﾀﾛｳ","300","","-300","","","出金"',
            '"2026/4/23","振込","ﾔﾏﾀﾞ ﾀﾛｳ","500","","-800","","","出金"',
        ],
    ],
    ids=["one sum", "each by its name"],
)
def test_the_bank_s_lines_of_a_file_join_its_transfers_on_the_day_of_the_file(
    engine: sa.Engine, tmp_path: Path, lines: list[str]
) -> None:
    with services_on(engine) as services:
        open_world(services)
        then = parse_instant("2026-04-01 10:00")
        for account, yen in (("taro", 1300), ("hanako", 800)):
            services.billing.approve(account, "monthly", "other", now=then)
            services.billing.pay(account, yen, now=then)
        hanako = BankAccount("0009", "001", "1", "7654321", "スズキ ハナコ")
        ids = [propose(services, 300), propose(services, 300, hanako, "hanako"), propose(services, 500)]
        for number in ids:
            services.billing.decide_transfer(number, approve=True, by="sato", ground=GROUND, now=NOW)
        services.billing.send_transfers(PAYER, date(2026, 4, 22), by="kato", now=NOW)
        services.session.commit()
        assert balances(services, "1110", "2140") == [1000, 0]
        bank = tmp_path / "bank.csv"
        bank.write_text("\n".join([MUFG.splitlines()[0], *lines]) + "\n", encoding="cp932")
        later = parse_instant("2026-04-24 10:00")
        services.billing.import_bank(bank, author="kato", now=later)
        assert [each.state for each in transfers(services.session)] == ["done"] * 3
        assert balances(services, "1110", "2140", "2145") == [1000, 0, 0]
        unmet = bank_control(services.session, date(2026, 4, 24)).unmet
        assert [each.about for each in unmet if each.about.startswith("deposit:")] == []
        night = run_night(services, date(2026, 4, 25), parse_instant("2026-04-25 02:30"), whole_audit=True)
        assert (night.certificate, night.differences) == ("ok", ())


def _statement(folder: Path, *rows: str) -> Path:
    file = folder / f"bank-{len(list(folder.iterdir()))}.csv"
    file.write_text("\n".join([MUFG.splitlines()[0], *rows]) + "\n", encoding="cp932")
    return file


def _held(services: Services, code: str, on: date) -> int:
    lines = "line JOIN entry ON entry.id = entry_id"
    query = f"SELECT coalesce(sum(yen), 0) FROM {lines} WHERE code = :code AND posted_on <= :on"
    return int(services.session.execute(sa.text(query), {"code": code, "on": on}).scalar_one())


def _sent_over_the_month_s_end(services: Services, folder: Path) -> tuple[int, str]:
    """1,300 arrive for a fee of 500; 800 go back by a file that is made on 30 April for 1 May."""
    open_world(services)
    services.billing.approve("taro", "monthly", "other", now=parse_instant("2026-04-01 10:00"))
    number = services.session.execute(sa.text("SELECT number FROM account WHERE id = 'taro'")).scalar_one()
    arrived = f'"2026/4/1","振込","{Reference(ACCOUNT, number)} ﾔﾏﾀﾞ ﾀﾛｳ","","1,300","1,300","","","入金"'
    services.billing.import_bank(_statement(folder, arrived), author="kato", now=NOW)
    made_at = parse_instant("2026-04-30 16:00")
    order = services.billing.propose_transfer("taro", 800, TO, by="kato", ground=GROUND, now=made_at)
    services.billing.decide_transfer(order, approve=True, by="sato", ground=GROUND, now=made_at)
    services.billing.send_transfers(PAYER, date(2026, 5, 1), by="kato", now=made_at)
    services.session.commit()
    return order, arrived


def test_a_file_made_before_a_month_s_end_leaves_the_bank_in_the_next_month(engine: sa.Engine, tmp_path: Path) -> None:
    with services_on(engine) as services:
        _, arrived = _sent_over_the_month_s_end(services, tmp_path)
        assert [_held(services, code, APRIL_30) for code in ("1110", "2140")] == [1300, -800]
        assert [_held(services, code, date(2026, 5, 1)) for code in ("1110", "2140")] == [500, 0]
        with pytest.raises(Refused, match="more than can go"):  # nobody sends it twice meanwhile
            services.billing.propose_transfer("taro", 1, TO, by="kato", ground=GROUND, now=NOW)
        night_is_ok(services, date(2026, 5, 1))
        went = '"2026/5/1","振込","ﾔﾏﾀﾞ ﾀﾛｳ","800","","500","","","出金"'
        services.billing.import_bank(
            _statement(tmp_path, arrived, went), author="kato", now=parse_instant("2026-05-02")
        )
        assert [each.state for each in transfers(services.session)] == ["done"]
        for on, yen in ((APRIL_30, 1300), (date(2026, 5, 1), 500)):
            control = bank_control(services.session, on)
            assert (control.ledger_yen, control.lines_yen, control.rest_yen, control.unmet) == (yen, yen, 0, ())
        for month in (Month(2026, 4), Month(2026, 5)):
            ((fits, said, _),) = bank_said(services.session, month, ())
            assert (fits, said) == (True, "1110 is what the bank states of 1 accounts")


def test_a_bank_that_pays_a_day_early_is_explained(engine: sa.Engine, tmp_path: Path) -> None:
    with services_on(engine) as services:
        _, arrived = _sent_over_the_month_s_end(services, tmp_path)
        went = '"2026/4/30","振込","ﾔﾏﾀﾞ ﾀﾛｳ","800","","500","","","出金"'
        services.billing.import_bank(
            _statement(tmp_path, arrived, went), author="kato", now=parse_instant("2026-05-02")
        )
        control = bank_control(services.session, APRIL_30)
        assert (control.ledger_yen, control.lines_yen, control.rest_yen) == (1300, 500, 0)
        assert [(each.what, each.yen) for each in control.unmet] == [("at the bank, booked for a later day", 800)]
        assert bank_said(services.session, Month(2026, 4), ())[0][0]


def test_what_a_bank_refuses_before_its_day_never_left_it(engine: sa.Engine, tmp_path: Path) -> None:
    with services_on(engine) as services:
        order, arrived = _sent_over_the_month_s_end(services, tmp_path)
        refused_at = parse_instant("2026-04-30 17:00")
        services.billing.transfer_sent_back(order, by="kato", ground="no such account", now=refused_at)
        for on in (APRIL_30, date(2026, 5, 1)):
            assert [_held(services, code, on) for code in ("1110", "2140")] == [1300, -800]
        again = services.billing.propose_transfer("taro", 800, TO, by="kato", ground=GROUND, now=refused_at)
        services.billing.decide_transfer(again, approve=False, by="sato", ground=GROUND, now=refused_at)
        quiet = '"2026/5/20","利息","","","1","1,301","","","入金"'
        services.billing.import_bank(
            _statement(tmp_path, arrived, quiet), author="kato", now=parse_instant("2026-06-01")
        )
        assert balances(services, "1110", "2140", "2145") == [1301, -800, -1]
        for month in (Month(2026, 4), Month(2026, 5)):  # and nothing is looked for at the bank
            assert bank_said(services.session, month, ())[0][:2] == (True, "1110 is what the bank states of 1 accounts")
        night = run_night(services, date(2026, 6, 2), parse_instant("2026-06-02 02:30"), whole_audit=True)
        assert (night.certificate, night.differences) == ("ok", ())


def test_what_waits_in_a_transfer_is_not_given_back_a_second_time(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        with_deposit(services)
        order = propose(services)
        with pytest.raises(Refused, match="between 1 and 0 can go back") as twice:
            services.billing.refund_deposit("taro", by="kato", ground=GROUND, now=NOW)
        assert twice.value.code == "deposit.amount"
        assert "800 of it in transfers under way" in str(twice.value)
        services.billing.decide_transfer(order, approve=True, by="sato", ground=GROUND, now=NOW)
        services.session.execute(
            sa.text(
                "INSERT INTO deposit_use (account, kind, origin, yen, used_on, recorded_at) "
                "VALUES ('taro', 'applied', 'sent', 500, '2026-04-20', now())"  # a fee that fell due meanwhile took it
            )
        )
        services.session.commit()
        with pytest.raises(Refused, match="account taro holds 300 yen by now") as less:
            services.billing.send_transfers(PAYER, date(2026, 4, 21), by="kato", now=NOW)
        assert less.value.code == "transfer_out.not_held"
        services.billing.decide_transfer(order, approve=False, by="kato", ground=GROUND, now=NOW)
        assert [each.state for each in transfers(services.session)] == ["rejected"]
        assert services.billing.refund_deposit("taro", by="kato", ground=GROUND, now=NOW).yen == 300
