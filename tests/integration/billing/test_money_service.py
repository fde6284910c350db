"""Interest previews, demands as documents, deposits: at the desk and by command."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

from keizoku.billing.accounts.account_views import journal_view, owed_view
from keizoku.billing.documents.interest_demands import demand_html, demand_of, demands
from keizoku.billing.documents.outbox import waiting
from keizoku.billing.receivables.customer_deposits import CARD, Deposit, DepositUse, SentBack, deposits, use_deposit
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.terms.calendar import parse_instant
from keizoku.terms.discretion import Discretion
from keizoku.terms.policy import Terms
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules
from tests.worlds.command_line import run
from tests.worlds.pages import database_of_the_settings
from tests.worlds.world import open_world, services_on


def late_payer(services: Services) -> None:
    """5,300 due on 30 March 2026; 2,000 come on 20 April."""
    open_world(services)
    service = services.billing
    service.approve("taro", "yearly", "other", now=parse_instant("2026-03-16 10:00"))
    service.pay("taro", 2_000, now=parse_instant("2026-04-20 10:00"))


def test_5_2__interest_is_previewed_for_any_day_and_nothing_is_saved(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        late_payer(services)
        shown = {on: services.billing.preview_interest("taro", date.fromisoformat(on)) for on in (
            "2026-03-30", "2026-04-19", "2026-04-20", "2026-06-01", "2027-06-01",
        )}  # fmt: skip
        # 20 days of 5,300: 42.4; paid on the 21st day: 44 of interest, 1,956 of the fee; 42 days of 3,344: 56.1792
        assert {on: (each.total_yen, each.new_yen) for on, each in shown.items()} == {
            "2026-03-30": (0, 0),
            "2026-04-19": (42, 42),
            "2026-04-20": (0, 0),
            "2026-06-01": (56, 56),
            # one year and 42 days: 488.224 + 56.1792
            "2027-06-01": (544, 544),
        }
        assert [each.of.debt.principal_yen for each in shown["2026-04-19"].debts] == [5_300]
        assert shown["2027-06-01"].debts[0].runs[0][0].years == 1
        now = parse_instant("2026-06-01 12:00")
        assert owed_view(services.session, services.rules, "taro", now)["interest"] == 56
        assert demands(services.session) == []
        with pytest.raises(Refused, match="'jiro' is not known"):
            services.billing.preview_interest("jiro", date(2026, 6, 1))
        with pytest.raises(Refused, match="1999"):
            services.billing.preview_interest("taro", date(1999, 1, 1))


def test_5_2__a_demand_is_a_document_that_stays_as_it_was_sent(engine: sa.Engine) -> None:
    rules = Rules(Terms.load("premium"), Discretion(transfer_account="継続銀行 本店 普通 1234567"))
    with services_on(engine, rules) as services:
        late_payer(services)
        run_night(services, date(2026, 6, 1), parse_instant("2026-06-01 02:30"))
        services.billing.pay("taro", 100, now=parse_instant("2026-06-05 10:00"))
        listed = demands(services.session, "taro")
        assert [(each["new_yen"], each["total_yen"], each["occasion"]) for each in listed] == [
            (56, 56, "termination:1")
        ]
        found = demand_of(services.session, listed[0]["id"])
        assert found["body_en"].splitlines()[6:] == [
            "fee of 3,344 yen for the term from 16 March 2026 (invoice 1, due on 30 March 2026)".replace(
                "5,300", "3,344"
            ),
            "21 April 2026 to 1 June 2026, 42 days: 3,344 yen × 14.6% a year × (42/365) = 56.1792 yen",
            "late interest on 1 June 2026: 56.1792 yen, rounded down once to 56 yen; it carries no consumption tax",
            "of which 0 yen demanded before and 56 yen not yet demanded",
        ]
        reference = services.session.scalar(sa.text("SELECT number FROM account WHERE id = 'taro'"))
        told = {each.kind: each.body_en.splitlines() for each in waiting(services.session)}
        for kind in ("demand", "termination"):  # both say where to pay
            assert "Account: 継続銀行 本店 普通 1234567" in told[kind]
            assert [line for line in told[kind] if line.startswith("Payment number: 1") and f"{reference}" in line]
        page = demand_html(replace(found, account="<taro>"))
        assert "&lt;taro&gt;" in page
        assert "<taro>" not in page
        assert all(text in page for text in ("56.1792", "3,344", "42/365", "2026年3月30日", "30 March 2026"))
        with pytest.raises(Refused, match="demand 99: there is none"):
            demand_of(services.session, 99)


def test_5_2__a_deposit_goes_back_once_and_no_further_than_it_reaches(engine: sa.Engine) -> None:
    now = parse_instant("2026-04-21 10:00")
    with services_on(engine) as services:
        late_payer(services)
        service = services.billing
        service.pay("taro", 3_600, now=now)  # 3,344 of the fee, 1 of interest
        assert deposits(services.session) == [Deposit("taro", 255, 0)]
        assert service.refund_deposit("taro", 200, by="keiri", ground="asked for by post", now=now) == SentBack(200, 0)
        for yen in (56, 0, -1):
            with pytest.raises(Refused, match="we hold 55 yen"):
                service.refund_deposit("taro", yen, by="keiri", ground="again", now=now)
        with pytest.raises(Refused, match="nothing is due"):
            service.apply_deposit("taro", by="keiri", ground="asked", now=now)
        assert service.refund_deposit("taro", by="keiri", ground="the rest", now=now) == SentBack(55, 0)
        assert deposits(services.session) == []
        assert journal_view(services.session)["balances"] == {
            "1110": 5_345,
            "1140": 0,
            "1150": 0,
            "2120": -5_300,
            "2140": 0,
            "7110": -45,
        }
        assert run_night(services, date(2026, 4, 22), parse_instant("2026-04-22 02:30")).certificate == "ok"


@pytest.fixture
def server(engine_for_schema: Callable[[], sa.Engine], monkeypatch: pytest.MonkeyPatch) -> sa.Engine:
    """The settings mean a server with an up-to-date schema for us."""
    engine = engine_for_schema()
    database_of_the_settings(lambda: engine, monkeypatch)
    return engine


def test_the_commands_for_money_say_what_they_did(
    server: sa.Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with services_on(server) as services:
        late_payer(services)
        run_night(services, date(2026, 6, 1), parse_instant("2026-06-01 02:30"))
        services.billing.pay("taro", 9_000, now=parse_instant("2026-06-05 10:00"))
    capsys.readouterr()

    def shown(*arguments: str, code: int = 0) -> str:
        assert run(*arguments) == code
        out, err = capsys.readouterr()
        return out if code == 0 else err.splitlines()[-1]

    preview = json.loads(shown("interest", "preview", "taro", "--on", "2026-06-01", "--json"))
    assert (preview["total_yen"], preview["demanded_yen"], preview["debts"][0]["days"]) == (56, 56, 42)
    assert "2026年4月21日から2026年6月1日まで42日" in shown(
        "interest", "preview", "taro", "--on", "2026-06-01", "--lang", "ja"
    )
    assert shown("interest", "preview", "taro", "--on", "June", code=2).startswith("error: not a day: 'June'")
    assert shown("interest", "preview", "nobody", code=1) == "error: account 'nobody' is not known"
    (listed,) = json.loads(shown("demand", "list", "--json"))
    page = tmp_path / "demand.html"
    assert "総額は56円" in shown("demand", "show", str(listed["id"]))
    assert (
        shown("demand", "show", str(listed["id"]), "--html", str(page)) == f"demand {listed['id']} written to {page}\n"
    )
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert json.loads(shown("deposit", "list", "--json")) == [
        {"account": "taro", "yen": 5595, "sent": 5595, "by_card": 0}
    ]
    by = ("--author", "keiri", "--ground", "asked for")
    assert shown("deposit", "apply", "taro", *by, code=1).startswith("error: account taro: nothing is due")
    assert shown("deposit", "refund", "taro", "--yen", "5000", *by) == "taro: refunded 5,000 yen by bank\n"
    with server.connect() as session:  # what a card had paid too much came back from it
        came_back = DepositUse("taro", "refunded", CARD, -500, "keizoku", "a test", CARD)
        use_deposit(session, came_back, parse_instant("2026-06-05 10:00"))
        session.commit()
    assert shown("deposit", "refund", "taro", "--yen", "700", *by) == (
        "taro: refunded 595 yen by bank, 105 yen to the card\n"
    )
    assert json.loads(shown("deposit", "refund", "taro", "--yen", "5", "--json", *by)) == {
        "account": "taro",
        "refunded": 5,
        "by_bank": 0,
        "to_card": 5,
    }
    assert shown("deposit", "refund", "taro", "--through", "bank", *by) == "taro: refunded 390 yen by bank\n"
    assert shown("deposit", "refund", "taro", *by, code=1).startswith("error: account taro: we hold 0 yen")
    assert json.loads(shown("card", "new", "taro", "--json")) == {"account": "taro", "charges": [], "still_owed": 0}


def test_the_commands_for_codes_and_files_say_what_they_did(
    server: sa.Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with services_on(server) as services:
        open_world(services)
        services.billing.approve("hanako", "monthly", "app_store", now=parse_instant("2026-03-26 10:00"))
    capsys.readouterr()

    def shown(*arguments: str, code: int = 0) -> str:
        assert run(*arguments) == code
        out, err = capsys.readouterr()
        return out if code in (0, 1) and out else err.splitlines()[-1]

    keys, bank, store = (tmp_path / name for name in ("keys.txt", "bank.csv", "store.csv"))
    issue = [
        "key",
        "issue",
        "--batch",
        "s",
        "--count",
        "2",
        "--months",
        "2",
        "--plan",
        "monthly",
        "--expires",
        "2199-12-31",
    ]
    assert shown(*issue, "--out", str(keys)).startswith("2 product keys written to ")
    assert "a batch of this name was issued before" in shown(*issue, "--out", str(keys), code=1)
    code, other = keys.read_text(encoding="ascii").split()
    assert json.loads(shown("key", "check", code.lower(), "--json"))["months"] == 2
    mistyped = code[:-1] + ("1" if code[-1] == "0" else "0")  # one wrong letter is always seen, a mix-up mostly
    assert "check it letter by letter" in shown("key", "check", mistyped, code=1)
    assert shown("key", "redeem", "taro", code) == "taro: redeemed; contract 2 waits for its approval\n"
    assert "it was redeemed on" in shown("key", "redeem", "jiro", code, code=1)
    by = ("--author", "keiri", "--ground", "printed twice")
    assert shown("key", "revoke", "s", *by) == "s: 1 codes revoked\n"
    assert "its batch was revoked" in shown("key", "check", other, code=1)
    # what is made and not sold is owed to nobody
    assert json.loads(shown("key", "show", "s", "--json"))["liability_yen"] == 0
    assert shown("coupon", "list") == "no coupons\n"

    bank.write_text("date,amount,payer,reference\n2026-04-01,500,TARO,\n2026-04-01,x,TARO,\n", encoding="utf-8")
    told = "bank.csv: 2 rows read, 1 new, 0 known, 0 passed over, 1 refused\n"
    assert shown("bank", "import", str(bank), code=1) == told
    assert json.loads(shown("bank", "list", "--open", "--json"))[0]["why"] == "no reference"
    told = "payment 1 is hanako's: 500 of 2026-04-01 became a deposit of 500\n"
    assert shown("bank", "match", "hanako", "1", *by) == told
    assert shown("bank", "unmatch", "1", *by).startswith("payment 1 is no longer hanako's")
    assert shown("bank", "send-back", "1", *by) == "payment 1 went back\n"
    assert "it already has its payer, or went back" in shown("bank", "match", "hanako", "1", *by, code=1)
    assert [each["for"] for each in json.loads(shown("bank", "references", "hanako", "--json"))] == ["account"]

    store.write_text("store,account,term,gross,fee\napple,hanako,2026-03-26,500,75\n", encoding="utf-8")
    assert shown("store", "import", str(store)).endswith("1 rows read, 1 new, 0 known, 0 passed over, 0 refused\n")
    assert json.loads(shown("store", "import", str(store), "--json"))["again"] is True
    assert json.loads(shown("store", "list", "--json"))[0]["fee_tax"] == 7
