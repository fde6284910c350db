"""The desk for contracts: consents and screenings as recorded, a rule, a file of applications, acts of people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from keizoku.billing.accounts.contract_history import contract_events
from keizoku.billing.accounts.contract_lists import application_queue, contract_list, plan_list, price_list
from keizoku.billing.rules.account_event import event_sentence as told_as
from keizoku.billing.rules.price_simulation import Touched
from keizoku.billing.rules.screening import Applicant, ScreeningRuling, approve, refer, reject
from keizoku.billing.services.contracts import Screened
from keizoku.billing.services.operator_acts import act_list
from keizoku.scheduler.app import Services
from keizoku.terms.calendar import parse_instant
from keizoku.terms.discretion import Discretion
from keizoku.terms.policy import Terms
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules
from tests.worlds.world import open_world, rows_found, services_on

NOW = parse_instant("2026-03-26 10:00")
RULES = Rules(Terms.load("premium"), Discretion(related_terms=("base/2025-04-01", "base/2026-04-01")))

UNCOVERED = (
    "no version of the premium terms is in force on 2024-12-01; they cover 2024-12-02 on, with no end. "
    "Add the TOML of the version that held then to terms/premium/"
)


@pytest.fixture
def services(engine: sa.Engine) -> Iterator[Services]:
    with services_on(engine, RULES) as opened:
        open_world(opened)
        yield opened


def test_3_2__consents_are_kept_as_stated_and_an_approval_under_newer_terms_is_refused(services: Services) -> None:
    service = services.billing
    service.register("hanako", "monthly", "card", consents=["premium/2024-12-02", "base/2025-04-01"], now=NOW)
    service.approve("jiro", "monthly", "card", by="sato", ground="known to us", now=NOW)
    with pytest.raises(Refused, match="account taro: consent to base/2025-04-01 is missing"):
        service.register("taro", "monthly", "card", consents=["premium/2024-12-02"], now=NOW)
    services.session.rollback()
    april = parse_instant("2026-04-01 00:00")
    with pytest.raises(Refused, match="it has not agreed to base/2026-04-01, in force on 2026-04-01"):
        service.approve("hanako", now=april)
    service.reject("hanako", "the terms have changed", by="sato", now=april)
    assert rows_found(services, "SELECT account, terms, version, stated FROM consent ORDER BY id") == [
        ("hanako", "premium", "2024-12-02", True),
        ("hanako", "base", "2025-04-01", True),
        ("jiro", "premium", "2024-12-02", False),
        ("jiro", "base", "2025-04-01", False),
    ]
    assert rows_found(services, "SELECT account, outcome, author, ground, decided_at FROM screening ORDER BY id") == [
        ("jiro", "approved", "sato", "known to us", NOW),
        ("hanako", "rejected", "sato", "the terms have changed", april),
    ]


def test_3_5__a_rule_decides_what_it_can_and_people_see_what_it_left_and_why(services: Services) -> None:
    event_sentence: list[Applicant] = []

    def rule(applicant: Applicant) -> ScreeningRuling:
        event_sentence.append(applicant)
        if applicant.owed_yen:
            return refer("an earlier contract is unpaid")
        return reject("no such person") if applicant.account == "nobody" else approve()

    service = services.billing
    service.approve("debtor", "monthly", "other", now=parse_instant("2026-01-10 09:00"))
    service.leave_service("debtor", now=parse_instant("2026-01-20 09:00"))
    for account in ("debtor", "nobody", "hanako"):
        service.register(account, "monthly", "card", now=NOW)
    expected = [
        Screened("debtor", "referred", "an earlier contract is unpaid"),
        Screened("nobody", "rejected", "no such person"),
        Screened("hanako", "approved", None),
    ]
    assert service.screen(rule, now=NOW) == expected
    assert [(each.account, each.owed_yen, [old.reason for old in each.earlier]) for each in event_sentence] == [
        ("debtor", 500, ["leave_service"]),
        ("nobody", 0, []),
        ("hanako", 0, []),
    ]
    assert service.screen(rule, now=NOW) == expected[:1]  # asked again: it is still waiting, and noted once
    assert application_queue(services.session, parse_instant("2026-03-29 09:00")) == [
        {
            "account": "debtor",
            "plan": "monthly",
            "method": "card",
            "applied_at": "2026-03-26T10:00:00+09:00",
            "waiting_days": 3,
            "consents": ["premium/2024-12-02", "base/2025-04-01"],
            "earlier_contracts": 1,
            "rejections": 0,
            "owed_yen": 500,
            "referred": "an earlier contract is unpaid",
        }
    ]
    listed = contract_list(services.session, services.rules, NOW, limit=10)
    assert [(row["account"], row["state"], row["reason"]) for row in listed] == [
        ("hanako", "active", None),
        ("nobody", "rejected", "no such person"),
        ("debtor", "applied", None),
        ("debtor", "ended", "leave_service"),
    ]
    applied = contract_list(services.session, services.rules, NOW, state="applied", limit=10)
    assert [row["account"] for row in applied] == ["debtor"]
    assert rows_found(services, "SELECT count(*) FROM screening WHERE outcome = 'referred'") == [(1,)]


def test_3_3__of_a_file_of_applications_the_good_rows_are_taken_once(services: Services, tmp_path: Path) -> None:
    services.billing.approve("running", "monthly", "card", now=NOW)
    file = tmp_path / "applications.csv"
    file.write_text(
        "account,plan,method,applied_at,months,consents\n"
        "hanako,monthly,card,2026-03-25 09:00,,premium/2024-12-02;base/2025-04-01\n"
        "jiro,weekly,card,,,\n"
        "running,monthly,card,,,\n"
        "hanako,yearly,card,,,\n"
        '"ta,ro",monthly,coupon,,3,\n'
        "later,monthly,card,2026-03-27 09:00,,\n"
        "early,monthly,card,2024-12-01 09:00,,\n"
        "shiro,monthly,coupon,,x,\n"
        "goro,monthly,card\n"
        "\n"
        ",monthly,card,,,\n",
        encoding="utf-8",
    )
    done = services.billing.import_applications(file, now=NOW)
    assert (done.rows, done.taken) == (9, 2)
    assert [(each.line, each.rule) for each in done.findings] == [
        (3, "account jiro: plan 'weekly' is not known; there are: monthly, yearly"),
        (
            4,
            "account running: a contract is running, at least until 2026-04-26; a second one is refused (premium/3.3)",
        ),
        (5, "account hanako: it applies twice at once (premium/3.3)"),
        (7, "applied at 2026-03-27T09:00:00+09:00, which lies ahead"),
        (
            8,
            f"account early: {UNCOVERED}",
        ),
        (9, "months are a whole number, not 'x'"),
        (10, "the header has 6 columns, this row 3"),
        (12, "account '': an account has an id of 1 to 200 printable letters"),
    ]
    again = services.billing.import_applications(file, now=NOW)
    assert (again.taken, len(again.findings)) == (0, 10)
    assert rows_found(
        services, "SELECT account, method, paid_months FROM contract WHERE approved_at IS NULL ORDER BY id"
    ) == [
        ("hanako", "card", None),
        ("ta,ro", "coupon", 3),
    ]


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ("account,plan\na,b\n", "columns account, plan, method, each once"),
        ("account,plan,method,method\na,b,c,d\n", "columns account, plan, method, each once"),
        ("", "columns account, plan, method, each once"),
        ('account,plan,method\n"a,b,c\n', "rows are CSV"),
        ("account,plan,method\n\udcff,b,c\n", "files are UTF-8"),
        ("account,plan,method\n\0,b,c\n", "files are UTF-8"),
    ],
)
def test_3_3__a_file_that_is_none_is_told_and_nothing_is_taken(
    services: Services, tmp_path: Path, written: str, rule: str
) -> None:
    file = tmp_path / "applications.csv"
    file.write_bytes(written.encode("utf-8", "surrogateescape"))
    done = services.billing.import_applications(file, now=NOW)
    assert (done.taken, len(done.findings)) == (0, 1)
    assert done.findings[0].rule.startswith(rule)


def test_4_3__a_simulation_reads_contracts_as_they_are_and_saves_nothing(services: Services) -> None:
    service = services.billing
    for account in ("hanako", "leaving", "taro"):
        service.approve(account, "monthly", "card", now=NOW)
    service.approve("key", "monthly", "product_key", months=3, now=NOW)  # used up on 06-26, and nothing follows
    service.approve("coupon", "monthly", "coupon", months=1, fallback="card", now=NOW)
    assert service.end_of_use("leaving", now=NOW) == date(2026, 4, 26)
    before = rows_found(services, "SELECT * FROM price")
    days: dict[str, Any] = {
        "announced": date(2026, 4, 1),
        "for_new_from": date(2026, 4, 1),
        "for_renewals_from": date(2026, 5, 1),
    }
    simulation, findings = service.simulate_price("monthly", 600, **days, now=NOW)
    first = date(2026, 5, 26)
    assert (findings, simulation.ending, simulation.untouched) == ([], 2, 0)  # the one that leaves, and the key
    assert simulation.touched == (
        Touched("coupon", "monthly", first, 500, 500, 600),
        Touched("hanako", "monthly", first, 500, 500, 600),
        Touched("taro", "monthly", first, 500, 500, 600),
    )
    cohort, hasty = service.simulate_price(
        "monthly", 600, **{**days, "for_renewals_from": date(2026, 4, 30)}, cohort=["taro", "nobody"], now=NOW
    )
    assert [each.account for each in cohort.touched] == ["taro"]
    assert [each.remedy for each in hasty] == ["let it hold for renewals from 2026-05-01 or later"]
    assert rows_found(services, "SELECT * FROM price") == before
    service.price("monthly", 600, **days, by="sato", now=NOW)
    assert [(each["yen"], each["author"]) for each in price_list(services.session, "monthly")] == [
        (500, None),
        (600, "sato"),
    ]
    assert plan_list(services.session, date(2026, 4, 1))[0] == {
        "plan": "monthly",
        "interval": "month",
        "new_yen": 600,
        "renewal_yen": 500,
        "contracts": 5,
    }


def test_a_plan_keeps_its_interval(services: Services) -> None:
    with pytest.raises(Refused, match="is the id of no account"):
        services.billing.price(
            "monthly", 500, announced=date(2026, 3, 1), for_new_from=date(2026, 3, 1),
            for_renewals_from=date(2026, 5, 1), cohort=["hanako", "\0"], now=NOW,
        )  # fmt: skip
    services.billing.add_plan("monthly", "month", now=NOW)
    with pytest.raises(Refused, match="plan monthly: it is one of a month already"):
        services.billing.add_plan("monthly", "year", now=NOW)
    with pytest.raises(Refused, match="an interval is one of month, year, not 'week'"):
        services.billing.add_plan("weekly", "week", now=NOW)


def test_11_1__and_8_1__acts_of_the_operator_are_recorded_with_ground_and_author(services: Services) -> None:
    service = services.billing
    service.approve("hanako", "monthly", "card", now=NOW)
    earlier = parse_instant("2026-03-01 00:00")
    assert service.service_change("graphs are gone", occurred_at=earlier, by="sato", ground="little used", now=NOW) == 1
    service.disclosure(
        "hanako", "name, unpaid fees", recipient="the card company", occurred_at=NOW, by="sato", ground="7.1", now=NOW
    )
    event_sentence = [
        (act["kind"], act["clause"], act["account"], act["recipient"], act["what"], act["author"], act["ground"])
        for act in act_list(services.session, "hanako")
    ]
    assert event_sentence == [
        ("service_change", "premium/11.1", None, None, "graphs are gone", "sato", "little used"),
        ("disclosure", "premium/8.1", "hanako", "the card company", "name, unpaid fees", "sato", "7.1"),
    ]
    assert [act["kind"] for act in act_list(services.session, "jiro")] == ["service_change"]
    # the diary tells what changed while the contract ran
    service.service_change("charts are new", occurred_at=NOW, by="sato", ground="asked for", now=NOW)
    diary = [event for event in contract_events(services.session, "hanako") if event.clause == "premium/11.1"]
    assert [told_as(event, "en") for event in diary] == [
        "The contents of the service were changed: charts are new. By sato, on this ground: asked for."
    ]
    with pytest.raises(Refused, match="what was done is missing"):
        service.service_change(" ", occurred_at=NOW, by="sato", ground="x", now=NOW)
    with pytest.raises(Refused, match="lies ahead"):
        service.service_change("x", occurred_at=parse_instant("2026-03-27"), by="sato", ground="x", now=NOW)
    with pytest.raises(Refused, match="account 'x' is not known"):
        service.disclosure("x", "x", recipient="x", occurred_at=NOW, by="x", ground="x", now=NOW)
