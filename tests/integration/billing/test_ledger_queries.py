"""The books from a balance down to the event; entries of people; what belongs to a closed month."""

from datetime import date

import pytest
import sqlalchemy as sa

from keizoku.billing.closing.integrity_audit import audit
from keizoku.billing.ledger.entry_search import Sought, entries_found, entry_count
from keizoku.billing.ledger.manual_entries import post_by_hand, reverse
from keizoku.billing.ledger.queries import account_book, explain_entry, month_balances, rule_rows, trial
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.terms.calendar import Month, parse_instant
from keizoku.terms.refusal import Refused
from tests.worlds.world import open_world, services_on

NOW = parse_instant("2026-04-03 09:00")


def one_month(services: Services) -> None:
    """500 yen by card on 1 April 2026, and the nights of 1 to 3 April: two days of thirty are earned."""
    open_world(services)
    services.billing.approve("hanako", "monthly", "card", now=parse_instant("2026-04-01 10:00"))
    for number in range(1, 4):
        on = date(2026, 4, number)
        run_night(services, on, parse_instant(f"{on} 02:30"))


def test_a_balance_leads_to_its_entries_and_to_the_event_and_the_clause_behind_each(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        one_month(services)
        session = services.session
        shown = trial(session)
        # floor(500 x 2 / 30) = 33, of it floor(33 x 10 / 110) = 3 of tax
        assert {each["code"]: each["balance"] for each in shown["accounts"]} == {
            "1131": 500, "1140": 0, "2120": -467, "2170": -3, "4110": -30,
        }  # fmt: skip
        assert shown["debit"] == shown["credit"] == 500 + 500 + 33
        first_day = trial(session, date(2026, 4, 1))
        # floor(500 / 30) = 16, of it 1 of tax
        assert {each["code"]: each["balance"] for each in first_day["accounts"]}["4110"] == -15
        known = trial(session, known_at=parse_instant("2026-04-01 12:00"))
        assert [each["code"] for each in known["accounts"]] == ["1131", "1140", "2120"]
        book = account_book(session, "1140", since=date(2026, 4, 1))
        assert [(each["event"], each["yen"], each["balance"]) for each in book["lines"]] == [
            ("term_invoiced", 500, 500),
            ("card_charge_succeeded", -500, 0),
        ]
        assert (book["opening"], book["closing"]) == (0, 0)
        story = explain_entry(session, book["lines"][0]["entry"])
        assert story["behind"]["table"] == "term"
        assert story["behind"]["row"]["account"] == "hanako"
        assert story["clause"]["id"] == "premium/4.1"
        earned = account_book(session, "4110", since=date(2026, 4, 2))
        assert (earned["opening"], earned["closing"]) == (-15, -30)
        assert explain_entry(session, earned["lines"][0]["entry"])["behind"]["row"]["day"] == date(2026, 4, 2)
        assert month_balances(session, Month(2026, 4))["2120"] == {"opening": 0, "moved": -467, "closing": -467}
        by_day = Sought(from_on=date(2026, 4, 1), to_on=date(2026, 4, 1))
        assert [(each["event"], each["yen"], each["account"]) for each in entries_found(session, by_day)] == [
            ("term_invoiced", 500, "hanako"),
            ("card_charge_succeeded", 500, "hanako"),
            ("revenue_recognised", 16, None),
        ]
        earned_late = Sought(to_yen=16, from_on=date(2026, 4, 1), late_after_days=0, late_only=True)
        assert [
            (each["posted_on"], each["recorded_on"], each["days"], each["late"], each["yen"])
            for each in entries_found(session, earned_late)
        ] == [(date(2026, 4, 1), date(2026, 4, 2), 1, True, 16)]
        of_hanako = Sought(account="hanako", from_yen=500)
        assert [each["late"] for each in entries_found(session, of_hanako)] == [False, False]
        assert [each["id"] for each in entries_found(session, of_hanako, limit=1, after=1)] == [2]
        assert entry_count(session, of_hanako) == 2
        assert entry_count(session, Sought(late_only=True)) == 0
        with pytest.raises(Refused, match="9999"):
            account_book(session, "9999")
        with pytest.raises(Refused, match="no entry 0"):
            explain_entry(session, 0)


def test_every_event_of_the_journal_is_in_the_rules_with_accounts_of_the_chart() -> None:
    rows = {each["event"]: each for each in rule_rows()}
    assert rows["term_invoiced"]["debit"] == [
        {"code": "1140", "ja": "売掛金", "en": "Accounts receivable", "type": "asset", "amounts": "yen"}
    ]
    assert rows["charge_failed"]["debit"] == rows["charge_failed"]["credit"] == []


def test_people_reverse_an_entry_once_and_post_by_hand_and_the_audit_knows_of_both(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        one_month(services)
        session = services.session
        paid = account_book(session, "1131")["lines"][0]["entry"]
        today = date(2026, 4, 3)
        made = reverse(session, paid, today, "kato", "charged twice", NOW)
        assert trial(session)["accounts"][0]["balance"] == 0
        assert explain_entry(session, paid)["reversed_by"] == {
            "entry": made,
            "author": "kato",
            "ground": "charged twice",
        }
        with pytest.raises(Refused, match=f"taken back already, by entry {made}"):
            reverse(session, paid, today, "kato", "again", NOW)
        with pytest.raises(Refused, match="cannot be taken back on 2026-03-31"):
            reverse(session, made, date(2026, 3, 31), "kato", "too early", NOW)
        back = reverse(session, made, today, "kato", "it was one charge after all", NOW)
        assert explain_entry(session, back)["by_people"]["reverses"] == made
        fee = post_by_hand(session, {"6110": 18, "1131": -18}, today, "kato", "a fee", NOW)
        assert [(each["code"], each["yen"]) for each in explain_entry(session, fee)["lines"]] == [
            ("6110", 18),
            ("1131", -18),
        ]
        for lines, match in (({"6110": 18}, "18 yen"), ({}, "0 yen"), ({"6110": 1, "9": -1}, "'9'")):
            with pytest.raises(Refused, match=match):
                post_by_hand(session, lines, today, "kato", "wrong", NOW)
        with pytest.raises(Refused, match="who posts it and why"):
            post_by_hand(session, {"6110": 1, "1131": -1}, today, "kato", " ", NOW)
        assert audit(session, today, recognised_to=today).differences == ()
        assert trial(session)["debit"] == trial(session)["credit"]
