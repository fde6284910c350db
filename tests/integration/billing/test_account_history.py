"""The state of any past day, as known now and as it was known then; the diary; how an invoice came about."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from datetime import date, datetime, timedelta

import pytest
import sqlalchemy as sa

from keizoku.billing.accounts.account_views import contract_view, credit_view, owed_view
from keizoku.billing.accounts.history import account_history, state_at
from keizoku.billing.accounts.invoice_explanation import explain_invoice
from keizoku.scheduler import cli
from keizoku.scheduler.app import Services
from keizoku.scheduler.cli.contracts import account as account_cli
from keizoku.scheduler.cli.contracts import notice as notice_cli
from keizoku.scheduler.cli.money import explain as explain_cli
from keizoku.scheduler.cli.money import explain_money
from keizoku.scheduler.cli.money import interest as interest_cli
from keizoku.scheduler.cli.shared import context
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.scheduler.simulator import Simulator
from keizoku.terms.calendar import day_start_at, parse_instant
from keizoku.terms.refusal import Refused
from tests.worlds.world import open_world, services_on

ACCOUNTS = ("jiro", "taro", "gone")
EXPECTED = """\
Invoice {number} is the fee of the term from 10 April 2026 to the day before 10 April 2027, plan yearly.
The price is 5,300 yen: it holds for new contracts from 1 January 2025 and was in force on the term's first day \
(announced 1 January 2025).
5,300 yen − 0 yen = 5,300 yen. The tax in it (10%), once and after credits, rounded down to the yen: 481 yen.
Issued on 10 April 2026, due on 10 April 2026.
"""
MISSED = {date(2026, 4, 20), date(2026, 4, 21)}


def at(text: str) -> datetime:
    return parse_instant(text)


def seen(services: Services, account: str, now: datetime) -> dict[str, object]:
    """What the desks' views show at the present."""
    contract = contract_view(services.session, services.rules, account, now)
    owed = owed_view(services.session, services.rules, account, now)
    return {
        "state": contract.state,
        "access": contract.access,
        "term": contract["term"],
        "ended_on": contract.ended_on,
        "unpaid_yen": owed.principal,
        "interest_yen": owed.interest,
        "deposit_yen": owed.deposit,
        "credit_yen": credit_view(services.session, account).available,
    }


def derived(services: Services, account: str, until: datetime, known_at: datetime) -> dict[str, object]:
    state = state_at(services.session, services.rules, account, until=until, known_at=known_at)
    return {
        name: state[name]
        for name in ("state", "access", "term", "ended_on", "unpaid_yen", "interest_yen", "deposit_yen", "credit_yen")
    }


def life(services: Services) -> dict[tuple[str, datetime], dict[str, object]]:
    """Five weeks of three accounts; what the views showed after each night."""
    open_world(services)
    service = services.billing
    acts: list[tuple[str, Callable[[datetime], object]]] = [
        ("2026-03-20 09:00", lambda now: service.approve("taro", "monthly", "card", now=now)),
        ("2026-04-10 09:00", lambda now: Simulator(services).cards.set_card("jiro", "lost_card")),
        ("2026-04-10 09:00", lambda now: service.approve("jiro", "yearly", "card", now=now)),
        ("2026-04-10 09:00", lambda now: service.approve("gone", "monthly", "other", now=now)),
        ("2026-04-12 12:00", lambda now: service.leave_service("gone", now=now)),
        ("2026-04-17 12:00", lambda now: service.pay("gone", 600, now=now)),
        ("2026-04-19 12:00", lambda now: service.pay("jiro", 1_000, costs=10, costs_proof="a bill", now=now)),
        ("2026-04-24 12:00", lambda now: Simulator(services).cards.set_card("jiro", "ok")),
        ("2026-04-24 12:00", lambda now: service.new_card("jiro", now=now)),
    ]  # fmt: skip
    shown = {}
    day = date(2026, 4, 9)
    while day <= date(2026, 4, 26):
        now = night_at(day)
        while acts and at(acts[0][0]) <= now:
            when, act = acts.pop(0)
            act(at(when))
        if day not in MISSED:
            run_night(services, day, now)
            for account in ACCOUNTS if day > date(2026, 4, 10) else ("taro",):
                shown[account, now] = seen(services, account, now)
        day += timedelta(days=1)
    return shown


def test_the_state_of_every_past_day_is_derived_as_it_was_known_then(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with services_on(engine) as services:
        shown = life(services)
        moment = timedelta(microseconds=1)
        assert {key: derived(services, key[0], key[1] + moment, key[1]) for key in shown} == shown
        states = {values["state"] for values in shown.values()}
        assert states == {"active", "suspended", "ended"}
        # a renewal whose nights were missed: known now, and not known then
        end_of_20th = day_start_at(date(2026, 4, 21))
        assert derived(services, "taro", end_of_20th, at("2026-05-01"))["term"] == [
            date(2026, 4, 20),
            date(2026, 5, 20),
        ]
        assert derived(services, "taro", end_of_20th, end_of_20th)["term"] == [date(2026, 3, 20), date(2026, 4, 20)]
        _the_diary_tells_it(services)
        _an_invoice_tells_how_it_came_about(services)
        _the_commands_tell_the_same(services, monkeypatch, capsys)
        _what_late_payment_left_is_written_off(services)


def _the_diary_tells_it(services: Services) -> None:
    story = account_history(
        services.session, services.rules, "jiro", until=at("2026-04-25 00:00"), known_at=at("2026-05-01 00:00")
    )
    assert [(event.kind, event.clause) for event in story.events] == [
        ("applied", "premium/3.2"),
        ("consented_by_registering", "premium/3.2"),
        ("screened_approved", "premium/3.3"),
        ("approved", "premium/3.3"),
        ("term_first", "premium/13"),
        ("invoiced", "premium/4.1"),
        ("charge_refused_for_good", "premium/5.4"),
        ("notice_written", "premium/5.2"),
        ("received", "premium/5.2"),
        ("suspended", "premium/7.1.2"),
        ("notice_written", "premium/7.1"),
        ("new_card", "premium/5.4"),
        ("charge_succeeded", "premium/5.1.1.a"),
        ("lifted", "premium/7.1"),
        ("notice_written", "premium/7.1"),
    ]
    assert (story.state["state"], story.state["unpaid_yen"], story.state["suspends_on"]) == ("active", 0, None)
    # 9 days on 5,300 = 19.08: 10 of costs, 19 of interest, 971 of the fee
    received = next(text for _, text, _ in story.sentences("en") if "received" in text)
    parts = "10 yen for costs, 19 yen for interest, 971 yen for fees, 0 yen kept as a deposit."
    assert received == f"1,000 yen received: {parts}"
    assert len(story.sentences("ja")) == len(story.events)
    assert story.to_json("en")["state"] == story.state
    assert list(story.to_json("en")) == ["account", "until", "known_at", "state", "events"]
    before = account_history(
        services.session, services.rules, "jiro", until=at("2026-04-11 00:00"), known_at=at("2026-05-01 00:00")
    )
    assert before.state.suspends_on == date(2026, 4, 20)
    with pytest.raises(Refused):
        account_history(services.session, services.rules, "nobody", until=at("2026-04-11"), known_at=at("2026-05-01"))


def _an_invoice_tells_how_it_came_about(services: Services) -> None:
    number = services.session.execute(
        sa.text("SELECT invoice.id FROM invoice JOIN term ON term.id = term_id WHERE invoice.account = 'jiro'")
    ).scalar_one()
    story = explain_invoice(services.session, services.rules, number)
    told = story.sentences("en")
    assert [clause for clause, _ in told[:4]] == ["premium/4.1", "premium/4.3", "premium/tax", "premium/4.1"]
    assert [text for _, text in told[:4]] == EXPECTED.format(number=number).splitlines()
    assert [text for clause, text in told if not clause] == [
        "19 April 2026 by a payment: 971 yen",
        "24 April 2026 by card: 4,329 yen",
        "Paid on 24 April 2026; nothing is open.",
    ]
    assert len(story.sentences("ja")) == len(told)
    assert story.to_json("ja")["open_yen"] == 0
    with pytest.raises(Refused):
        explain_invoice(services.session, services.rules, 2**63)


def _the_commands_tell_the_same(
    services: Services, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in (account_cli, context, explain_cli, explain_money, interest_cli, notice_cli):
        monkeypatch.setattr(module, "open_services", lambda: nullcontext(services))

    def run(*arguments: str) -> tuple[int | str | None, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        shown = capsys.readouterr()
        return ended.value.code, shown.out, shown.err

    code, out, _ = run("account", "show", "jiro", "--as-of", "2026-04-23", "--json")
    assert code == 0
    state = json.loads(out)["state"]
    assert (state["state"], state["unpaid_yen"], state["days_overdue"]) == ("suspended", 4_329, 13)
    code, out, _ = run("account", "show", "taro", "--as-of", "2026-04-20", "--known-at", "2026-04-21", "--lang", "en")
    assert code == 0
    assert "Renewed" not in out
    code, out, _ = run("account", "show", "taro", "--as-of", "2026-04-20", "--lang", "en")
    assert "Renewed: 20 April 2026" in out
    assert "(recorded 22 April 2026 02:30 JST)" in out
    code, out, _ = run("account", "list", "--state", "ended", "--json")
    assert [row["account"] for row in json.loads(out)] == ["gone"]
    code, out, _ = run("explain", "cap", "jiro", "--on", "2026-04-25", "--json")
    assert (code, json.loads(out)["cap_yen"]) == (0, 5_300)
    # 4,329 bore 5 days of interest after the payment of 04-19: 8.658
    code, out, _ = run("explain", "interest", "jiro", "--on", "2026-04-25", "--json")
    assert (code, json.loads(out)["total_yen"]) == (0, 8)
    code, out, _ = run("explain", "invoice", "2", "--lang", "en")
    assert "Paid on 24 April 2026; nothing is open." in out
    code, out, _ = run("notice", "list", "--jsonl", "--account", "jiro")
    assert [json.loads(line)["kind"] for line in out.splitlines()] == ["overdue", "suspension", "resumption"]
    for arguments, wrong, line in (
        (("account", "show", "nobody"), 1, "account 'nobody' is not known"),
        (("account", "show", "jiro", "--as-of", "9999-12-31"), 2, "still to come"),
        (("account", "suspend", "gone", "--by", "a", "--ground", "b"), 1, "its contract ended on 2026-04-12"),
        (("account", "write-off", "jiro", "--term", "soon", "--by", "a", "--ground", "b"), 2, "not a day"),
        (("explain", "invoice", "99999999999999999999"), 2, "is no number of the kind"),
        (("explain", "invoice", "#99999999"), 1, "there is no invoice"),
        (("explain", "cap", "jiro", "--on", "2126-04-25"), 2, "still to come"),
        (("notice", "show", "X1"), 2, "not the id of a document"),
        (("notice", "list", "--kind", "letter"), 2, "no such kind: letter"),
    ):
        code, out, err = run(*arguments)
        assert (code, out, err.count("\n")) == (wrong, "", 1)
        assert line in err


def _what_late_payment_left_is_written_off(services: Services) -> None:
    now = at("2026-05-02 12:00")
    run_night(services, date(2026, 5, 1), night_at(date(2026, 5, 1)))
    owed = owed_view(services.session, services.rules, "jiro", now)
    assert (owed["principal"], owed["interest"]) == (0, 8)
    services.billing.write_off("jiro", date(2026, 4, 10), by="keiri", ground="少額のため", now=now)
    assert owed_view(services.session, services.rules, "jiro", now)["interest"] == 0
    story = account_history(services.session, services.rules, "jiro", until=at("2026-05-03"), known_at=now)
    gave_up = "The unpaid 0 yen of invoice 2 and the interest of 8 yen were written off."
    assert story.sentences("en")[-2] == ("2026-05-02 12:00", f"{gave_up} By keiri, on this ground: 少額のため.", "")
    with pytest.raises(Refused):
        services.billing.write_off("jiro", date(2026, 4, 10), by="keiri", ground="もう一度", now=now)
    services.session.rollback()
    night = run_night(services, date(2026, 5, 3), night_at(date(2026, 5, 3)))
    assert (night.certificate, night.differences) == ("ok", ())
