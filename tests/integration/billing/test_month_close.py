"""A month's close: what is checked, the lock, the chain, later facts; exceptions that people resolve."""

from datetime import date

import pytest
import sqlalchemy as sa

from keizoku.billing.accounts.account_views import trial_balance
from keizoku.billing.closing.integrity_audit import audit
from keizoku.billing.closing.month_close import acts, close_month, reopen_month, standing, verify
from keizoku.billing.closing.reconciliation_run import reconcile_month, resolve
from keizoku.billing.closing.subledgers import subledger_totals
from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.ledger.queries import account_book, explain_entry
from keizoku.db.review_tasks import open_task
from keizoku.db.tables import metadata
from keizoku.db.tables.bank import bank_line
from keizoku.db.tables.simulated import simulated_charge
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.simulator import Simulator
from keizoku.terms.calendar import Month, parse_instant
from keizoku.terms.refusal import Refused
from tests.worlds.world import open_world, services_on

APRIL, MAY = Month(2026, 4), Month(2026, 5)
MAY_2 = parse_instant("2026-05-02 09:00")
JUNE_2 = parse_instant("2026-06-02 09:00")


def nights(services: Services, first: date, last: date) -> None:
    """The night of the last day catches up what it missed; the first one begins the run log."""
    for on in (first, last):
        run_night(services, on, parse_instant(f"{on} 02:30"))


def april(services: Services) -> None:
    """A card of 500 yen since 1 April 2026, and all nights through 1 May."""
    open_world(services)
    services.billing.approve("hanako", "monthly", "card", now=parse_instant("2026-04-01 10:00"))
    nights(services, date(2026, 4, 2), date(2026, 5, 1))


def test_a_month_is_closed_once_and_what_comes_later_is_posted_on_the_first_open_day(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        april(services)
        session, gateway = services.session, services.gateway
        done = close_month(session, gateway, APRIL, "kato", MAY_2)
        assert [(each.name, each.ok) for each in done.checks] == [
            ("nights", True), ("certificate", True), ("reconciliation", True),
            ("unexplained", True), ("trial balance", True), ("sub-ledgers", True), ("set aside", True),
        ]  # fmt: skip
        assert (done.checks[-1].found, done.checks[-1].remedy) == ("0 wait", "")
        # the fee, the charge, thirty days of revenue
        assert (done.new, done.entries) == (True, 32)
        again = close_month(session, gateway, APRIL, "sato", JUNE_2)
        assert (again.new, again.hash, again.entries) == (False, done.hash, 32)
        assert [each["author"] for each in acts(session)] == ["kato"]
        fee = {"exempt_yen": 18, "taxable_yen": 0, "tax_yen": 0}
        (late,) = post(session, [Posting("processor_fee", "movement:t9", date(2026, 4, 30), fee)], MAY_2)
        session.commit()
        story = explain_entry(session, late)
        assert (story["posted_on"], story["belongs_to"]) == (date(2026, 5, 1), "2026-04")
        with pytest.raises(
            sa.exc.DBAPIError, match="the books are closed before 2026-05-01: nothing is posted on 2026-04"
        ):
            session.execute(sa.text(
                "INSERT INTO entry (posted_on, event, event_key, clause, recorded_at) "
                "VALUES ('2026-04-30', 'x', 'x', '', now())"
            ))  # fmt: skip
        session.rollback()
        assert verify(session) == []


@pytest.mark.parametrize("moment", ["ours", "match"])
def test_what_is_closed_is_what_was_checked(engine: sa.Engine, moment: str) -> None:
    """An entry that comes while a month is checked, before or after its table is read, is in no close unseen."""
    fee = {"exempt_yen": 18, "taxable_yen": 0, "tax_yen": 0}
    with services_on(engine) as services, engine.connect() as other:
        april(services)
        session, gateway = services.session, services.gateway
        came: list[str] = []

        def told(step: str, _done: int, _whole: int) -> None:
            if step == moment and not came:
                came.append(step)
                post(other, [Posting("processor_fee", "movement:t9", date(2026, 4, 30), fee)], MAY_2)
                other.commit()

        try:
            closed = "closed" if close_month(session, gateway, APRIL, "kato", MAY_2, told).ok else "checks"
        except Refused as refused:
            closed = refused.code
        expected = {"ours": "checks", "match": "close.changed_meanwhile"}[moment]
        assert (came, closed, acts(session)) == ([moment], expected, [])
        assert not close_month(session, gateway, APRIL, "kato", MAY_2).ok  # that fee is of no movement of the gateway


def test_a_close_waits_for_its_nights_and_its_turn(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        open_world(services)
        services.billing.approve("hanako", "monthly", "card", now=parse_instant("2026-04-01 10:00"))
        nights(services, date(2026, 4, 2), date(2026, 4, 30))
        session, gateway = services.session, services.gateway
        with pytest.raises(Refused, match="2026-04 is not over: close it from 2026-05-01 on"):
            close_month(session, gateway, APRIL, "kato", parse_instant("2026-04-30 23:59"))
        early = close_month(session, gateway, APRIL, "kato", parse_instant("2026-05-01 00:00"))
        assert not early.ok
        assert [each.name for each in early.checks if not each.ok] == ["nights", "certificate", "sub-ledgers"]
        assert acts(session) == []
        run_night(services, date(2026, 6, 1), parse_instant("2026-06-01 02:30"))
        assert close_month(session, gateway, APRIL, "kato", JUNE_2).ok
        for month, match in ((Month(2026, 3), "closed with the first close"), (Month(2026, 6), "not over")):
            with pytest.raises(Refused, match=match):
                close_month(session, gateway, month, "kato", JUNE_2)
        assert close_month(session, gateway, MAY, "kato", JUNE_2).new
        with pytest.raises(Refused, match="2026-05 is closed after it"):
            reopen_month(session, APRIL, "kato", "a late invoice", JUNE_2)
        with pytest.raises(Refused, match="who reopens and why"):
            reopen_month(session, MAY, "kato", " ", JUNE_2)
        reopen_month(session, MAY, "kato", "a late invoice", JUNE_2)
        assert [each["month"] for each in standing(session)] == ["2026-04"]
        assert close_month(session, gateway, MAY, "kato", JUNE_2).new
        assert [(each["month"], each["kind"]) for each in acts(session)] == [
            ("2026-04", "closed"), ("2026-05", "closed"), ("2026-05", "reopened"), ("2026-05", "closed"),
        ]  # fmt: skip
        assert verify(session) == []


CHANGED = {
    "entry": {
        "posted_on": "posted_on + 1", "event": "event || 'x'", "event_key": "event_key || 'x'",
        "clause": "clause || 'x'", "account": "coalesce(account, '') || 'x'", "belongs_to": "'2026-03'",
        "recorded_at": "recorded_at + interval '1 second'",
    },
    "line": {"code": "CASE code WHEN '2120' THEN '2125' ELSE '2120' END", "yen": "yen * 2", "seq": "seq + 7"},
    "month_act": {
        "month": "'2026-03'", "kind": "'reopened'", "from_on": "'2026-01-01'", "to_on": "to_on - 1",
        "open_from": "open_from - 1", "entries": "entries - 1", "content": "'0'", "previous": "'0'", "hash": "'0'",
        "author": "'x'", "ground": "'x'", "recorded_at": "recorded_at + interval '1 second'",
    },
}  # fmt: skip
"""Every column that a close stands on, and what it could be changed to."""


def test_whatever_is_changed_in_a_closed_month_is_found(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        april(services)
        session = services.session
        closed = close_month(session, services.gateway, APRIL, "kato", MAY_2)

        def tampered(table: str, change: str) -> list[str]:
            session.execute(sa.text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
            session.execute(sa.text("ALTER TABLE month_act DROP CONSTRAINT ck_month_act_reopened_with_ground"))
            session.execute(sa.text(change))
            wrong = verify(session)
            session.rollback()
            return wrong

        columns = {name: {column.name for column in metadata.tables[name].columns} for name in CHANGED}
        not_told = {"entry": {"id"}, "line": {"entry_id"}, "month_act": {"id"}}
        assert {name: set(changes) | not_told[name] for name, changes in CHANGED.items()} == columns
        for table, changes in CHANGED.items():
            one = "" if table == "month_act" else " WHERE event = 'term_invoiced'"
            if table == "line":
                one = " WHERE entry_id = (SELECT min(id) FROM entry)"
            for column, value in changes.items():
                wrong = tampered(table, f"UPDATE {table} SET {column} = {value}{one}")
                assert wrong != [], (table, column)
        left_out = tampered("entry", "DELETE FROM entry WHERE event = 'term_invoiced'")
        assert "31 now, 32 then" in left_out[0]
        assert "not those that were closed" in tampered("line", "DELETE FROM line WHERE seq = 1")[0]
        # a chain that was cut at its end is whole in itself: the hash that was kept elsewhere tells
        assert verify(session, kept=closed.hash) == []
        assert tampered("month_act", "DELETE FROM month_act") == []
        assert verify(session, kept="0" * 64) == [f"no act has the hash {'0' * 64}: the chain was cut, or is another"]
        assert verify(session) == []


def test_exceptions_keep_a_month_open_until_people_resolve_each(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        april(services)
        session, gateway = services.session, services.gateway
        # somebody charged 800 yen by hand at the gateway, without our metadata being ours
        session.execute(
            sa.insert(simulated_charge).values(
                key="by hand",
                account="hanako",
                yen=800,
                answer="succeeded",
                created_at=parse_instant("2026-04-20 12:00"),
            )
        )
        session.commit()
        blocked = close_month(session, gateway, APRIL, "kato", MAY_2)
        assert [(each.name, each.found) for each in blocked.checks if not each.ok] == [
            ("reconciliation", "1 of 1 exceptions wait")
        ]
        found = reconcile_month(session, gateway, APRIL, MAY_2)
        (only,) = found.open
        assert (only.type.value, only.left, only.right and only.right.yen, only.yen) == (
            "gateway_only",
            None,
            800,
            -800,
        )
        assert (found.controls["ledger_closing"], found.controls["gateway_closing"]) == (500, 1_300)
        with pytest.raises(Refused, match="who decides and why"):
            resolve(session, found, only.key, "kato", "", MAY_2)
        with pytest.raises(Refused, match="has no exception 'nothing'"):
            resolve(session, found, "nothing", "kato", "a gift", MAY_2)
        entry = resolve(session, found, only.key, "kato", "a gift card", MAY_2, lines={"1131": 800, "7120": -800})
        booked = sa.text("SELECT posted_on, belongs_to FROM entry WHERE id = :id")
        on, belongs_to = session.execute(booked, {"id": entry}).one()
        assert (Month.of(on), belongs_to) == (APRIL, None)  # of the month that it explains, not of the day it was said
        assert entry is not None
        after = reconcile_month(session, gateway, APRIL, MAY_2)
        assert (after.open, after.resolved[only.key].by, after.resolved[only.key].entry) == ((), "kato", entry)
        with pytest.raises(Refused, match="resolved already, by kato"):
            resolve(session, after, only.key, "sato", "again", MAY_2)
        assert account_book(session, "7120")["closing"] == -800
        today = date(2026, 5, 1)
        assert audit(session, today, recognised_to=today).differences == ()
        assert close_month(session, gateway, APRIL, "kato", MAY_2).new
        # the entry is of May, and stands for the exception of April: nothing new to resolve
        assert reconcile_month(session, gateway, MAY, JUNE_2).open == ()


def test_the_simulated_gateway_keeps_its_fee_and_the_month_still_ties(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        open_world(services)
        Simulator(services).cards.fee_per_mille = 36
        services.billing.approve("hanako", "monthly", "card", now=parse_instant("2026-04-01 10:00"))
        nights(services, date(2026, 4, 2), date(2026, 5, 1))
        found = reconcile_month(services.session, services.gateway, APRIL, MAY_2)
        assert (found.outcome.exceptions, found.unexplained) == ((), ())
        # floor(500 x 0.036) = 18, of April and of 1 May; in UTC the charge of 1 May, 02:30 in Japan, is April's
        assert trial_balance(services.session)["6110"] == 36
        assert (found.controls["fees_jst"], found.controls["fees_utc"]) == (18, 36)
        assert (found.controls["ledger_closing"], found.controls["gateway_closing"]) == (482, 482)
        assert reconcile_month(services.session, services.gateway, APRIL, MAY_2).outcome == found.outcome


def test_the_processor_in_the_banks_lines_is_known_by_its_names(engine: sa.Engine) -> None:
    payers = (
        "ストライプジヤパン(カ",
        "ストライプジャパン(株)",
        "Stripe Japan",
        "ABC O'Brien Pay",
        "PINSTRI PE",
        "ヤマダ ハナコ",
    )
    with services_on(engine) as services:
        for number, payer in enumerate(payers, start=1):
            services.session.execute(
                sa.insert(bank_line).values(
                    source="april.csv", line=number, paid_on=date(2026, 4, 10), yen=1_000 + number, payer=payer,
                    reference="", nth=1, recorded_at=MAY_2,
                )
            )  # fmt: skip
        services.session.commit()

        def of_processor() -> list[int]:
            found = reconcile_month(services.session, services.gateway, APRIL, MAY_2)
            assert found.unexplained == ()
            assert {each.type.value for each in found.outcome.exceptions} == {"payout_missing"}
            return [each.right.yen - 1_000 for each in found.outcome.exceptions if each.right is not None]

        assert of_processor() == [1, 2, 3]
        Simulator(services).cards.bank_names = ("o'brien", "やまだ", "ヤマダ")
        assert of_processor() == [4, 6]


def test_a_close_looks_at_the_months_end_not_at_what_came_since(engine: sa.Engine) -> None:
    """In May a fee is owed that May's own nights have not booked yet: April's sub-ledgers hold, May's do not."""
    with services_on(engine) as services:
        april(services)
        session = services.session
        assert all(each.ties for each in subledger_totals(session, APRIL, MAY_2.date()))
        post(session, [Posting("term_invoiced", "term:1:again", date(2026, 5, 1), {"yen": 40}, "hanako")], MAY_2)
        session.commit()
        assert all(each.ties for each in subledger_totals(session, APRIL, MAY_2.date()))
        assert close_month(session, services.gateway, APRIL, "kato", MAY_2).ok
        wrong = [each.sentence(MAY) for each in subledger_totals(session, MAY, MAY_2.date()) if each.code == "1140"]
        assert wrong == ["account 1140 stands at 40 yen on 2026-05-31, its rows say 0"]


def test_what_nights_set_aside_is_told_by_the_close_and_does_not_keep_it(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        april(services)
        open_task(services.session, "set_aside", "terms: contract 9", {"why": "a mistyped method"}, MAY_2)
        services.session.commit()
        done = close_month(services.session, services.gateway, APRIL, "kato", MAY_2)
        told = done.checks[-1]
        assert (done.new, told.ok, told.found, told.remedy) == (True, True, "1 wait", "see `keizoku tasks list`")
