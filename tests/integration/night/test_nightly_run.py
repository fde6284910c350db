"""The night: run twice, killed after any stage, missed, two at once; and what the database refuses."""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from keizoku.billing.closing.integrity_audit import FULL_AUDIT, audit
from keizoku.db.session import Session
from keizoku.db.tables.books import stage_run
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import STAGES, NightBusyError, NightResult, run_night
from keizoku.scheduler.night.run_log import run_log_state
from keizoku.scheduler.night.schedule import night_at
from keizoku.scheduler.simulator import Simulator
from tests.conftest import OwnDatabase
from tests.worlds.world import FIRST_NIGHT, KilledError, Rows, kill_after, live, open_world, rows, services_on

LAST = date(2026, 6, 5)
Engines = Callable[[], sa.Engine]


def test_a_second_run_of_every_night_changes_nothing_and_every_certificate_is_ok(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        open_world(services)

        def twice(services: Services, on: date, now: datetime) -> NightResult:
            base = run_log_state(services.session, on).base
            first = run_night(services, on, now)
            audits = [  # since the last certificate and of everything, with and without the parts that find nothing
                audit(services.session, on, recognised_to=on, base=each, ask_first=ask_first)
                for each in (base, FULL_AUDIT)
                for ask_first in (True, False)
            ]
            assert audits == audits[:1] * 4
            before = rows(services.session)
            second = run_night(services, on, now)
            everywhere = run_night(services, on, now, ask_first=False)  # every stage looks, whatever the probes say
            assert rows(services.session) == before
            assert (second.changes, second.ran_before) == (0, True)
            assert (everywhere.changes, everywhere.certificate) == (0, "ok")
            assert sum(ledger_balances(services.session).values()) == 0
            return first

        results = live(services, LAST, night=twice)
        assert [(result.certificate, result.differences) for result in results] == [("ok", ())] * len(results)
        worked = {stage.stage for result in results for stage in result.stages if stage.changes}
        assert worked == {"evidence", "terms", "claims", "credits", "invoices", "payments", "delinquency", "revenue"}


def ledger_balances(session: Session) -> dict[str, int]:
    found = {
        code: int(yen)
        for code, yen in session.execute(sa.text("SELECT code, sum(yen) FROM line GROUP BY code ORDER BY code"))
    }
    session.rollback()
    return found


@pytest.fixture(scope="module")
def undisturbed(own_database: OwnDatabase) -> Iterator[Rows]:
    """The rows of a life in which every night ran once and whole."""
    with own_database() as engine, services_on(engine) as services:
        open_world(services)
        live(services, LAST)
        yield rows(services.session)


@pytest.mark.parametrize("stage", STAGES)
def test_a_night_killed_after_any_stage_and_run_again_leaves_the_same_rows(
    stage: str, engine: sa.Engine, undisturbed: Rows
) -> None:
    def killed(services: Services, on: date, now: datetime) -> NightResult:
        try:
            return run_night(services, on, now, kill_after(stage))
        except KilledError:
            services.session.rollback()
        return run_night(services, on, now)

    with services_on(engine) as services:
        open_world(services)
        live(services, LAST, night=killed)
        assert rows(services.session) == undisturbed


def test_a_night_broken_off_in_its_audit_keeps_in_the_run_log_what_it_did(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = FIRST_NIGHT + timedelta(days=3)

    def fail(*_given: object, **_named: object) -> None:
        raise KilledError

    def noted(services: Services) -> dict[str, tuple[int, int]]:
        query = sa.select(stage_run.c.stage, stage_run.c.changes, stage_run.c.runs)
        found = services.session.execute(query.where(stage_run.c.business_date == last))
        return {row.stage: (row.changes, row.runs) for row in found}

    with services_on(engine) as services:
        open_world(services)
        live(services, last - timedelta(days=1))
        with monkeypatch.context() as patched:
            patched.setattr("keizoku.scheduler.night.nightly_run.audit_billing", fail)
            with pytest.raises(KilledError):
                run_night(services, last, night_at(last))
        broken_off = noted(services)
        assert set(broken_off) == {*STAGES} - {"audit"}
        assert broken_off["revenue"] > (0, 1)
        assert run_night(services, last, night_at(last)).certificate == "ok"
        again = {stage: (changes, 2) for stage, (changes, _) in broken_off.items()}
        assert noted(services) == {**again, "audit": (0, 1)}


def test_missed_nights_leave_terms_invoices_and_revenue_as_if_none_was_missed(
    engine_with_tables: Engines,
) -> None:
    def figures(services: Services) -> dict[str, object]:
        tables = {
            "term": "SELECT account, starts_on, ends_on, method, price_yen FROM term ORDER BY 1, 2",
            "invoice": "SELECT account, total_yen, credit_yen, tax_yen, issued_on, due_on, state FROM invoice "
            "ORDER BY account, issued_on",
            "revenue": "SELECT day, plan, sum(yen), sum(tax_yen) FROM revenue_posting GROUP BY 1, 2 ORDER BY 1, 2",
        }
        found = {
            name: [tuple(row) for row in services.session.execute(sa.text(query))] for name, query in tables.items()
        }
        services.session.rollback()
        return {**found, "balances": ledger_balances(services.session)}

    missed = frozenset(date(2026, 4, 25) + timedelta(days=day) for day in range(4))
    with services_on(engine_with_tables()) as services:
        open_world(services)
        live(services, LAST)
        undisturbed = figures(services)
    with services_on(engine_with_tables()) as services:
        open_world(services)
        results = live(services, LAST, skip=missed)
        assert figures(services) == undisturbed
        caught = [result for result in results if result.caught_up]
        assert [result.caught_up for result in caught] == [tuple(sorted(missed))]
        assert {result.certificate for result in results} == {"ok"}


def test_of_two_nights_at_once_one_leads_and_the_other_does_nothing(engine: sa.Engine) -> None:
    with services_on(engine) as first, services_on(engine) as second:
        open_world(first)

        def while_running(on: date, stage: str, written: int) -> None:
            with pytest.raises(NightBusyError):
                run_night(second, on, night_at(on))

        result = run_night(first, date(2026, 3, 25), night_at(date(2026, 3, 25)), while_running)
        assert result.certificate == "ok"
        assert run_night(second, date(2026, 3, 25), night_at(date(2026, 3, 25))).ran_before


def in_arrears_since_april(services: Services) -> None:
    """A fee of 500 yen that nobody pays, due on 2026-04-20; 2 yen of interest by the first of May."""
    open_world(services)
    Simulator(services).cards.set_card("jiro", "lost_card")
    services.billing.approve("jiro", "monthly", "card", now=night_at(date(2026, 4, 20)))
    for day in range(21, 30):
        run_night(services, date(2026, 4, day), night_at(date(2026, 4, day)))


def demands(services: Services) -> list[tuple[str, int]]:
    found = services.session.execute(sa.text("SELECT occasion, interest_yen FROM demand ORDER BY id"))
    rows = [(row.occasion, row.interest_yen) for row in found]
    services.session.rollback()
    return rows


def test_5_2__a_demand_of_a_missed_first_is_made_though_the_night_that_caught_up_was_killed(
    engine: sa.Engine,
) -> None:
    with services_on(engine) as services:
        in_arrears_since_april(services)
        on = date(2026, 5, 2)
        with pytest.raises(KilledError):
            run_night(services, on, night_at(on), kill_after("credits"))
        services.session.rollback()
        assert run_night(services, on, night_at(on)).caught_up == (date(2026, 4, 30), date(2026, 5, 1))
        assert demands(services) == [("month:2026-05", 2)]


def test_5_2__an_old_first_that_is_run_again_later_demands_nothing_more(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        in_arrears_since_april(services)
        for day in (date(2026, 4, 30), date(2026, 5, 1)):
            run_night(services, day, night_at(day))
        assert demands(services) == [("month:2026-05", 2)]
        run_night(services, date(2026, 5, 1), night_at(date(2026, 5, 9)))
        assert demands(services) == [("month:2026-05", 2)]


REFUSED = {
    "an entry that does not balance": "INSERT INTO line (entry_id, seq, code, yen) "
    "SELECT min(id), 90, '1110', 5 FROM entry",
    "lines that come after an entry's own": "INSERT INTO line (entry_id, seq, code, yen) "
    "SELECT min(id), 89 + n, '1110', 10 * n - 15 FROM entry, generate_series(1, 2) AS n GROUP BY n",
    "other first lines for an entry": "INSERT INTO line (entry_id, seq, code, yen) "
    "SELECT min(id), n, '1110', 10 * n - 15 FROM entry, generate_series(1, 2) AS n GROUP BY n",
    "a line changed": "UPDATE line SET yen = yen + 1",
    "an entry removed": "DELETE FROM entry",
    "a journal emptied": "TRUNCATE line",
    "an event booked twice": "INSERT INTO entry (posted_on, event, event_key, clause, recorded_at) "
    "SELECT posted_on, event, event_key, clause, recorded_at FROM entry LIMIT 1",
    "a second first term": "INSERT INTO term (contract_id, account, seq, starts_on, ends_on, starts_at, method, plan, "
    '"interval", price_yen, terms_version, recorded_at) SELECT contract_id, account, 90, starts_on + 4000, '
    'ends_on + 4000, starts_at, method, plan, "interval", price_yen, terms_version, recorded_at FROM term LIMIT 1',
    "a term after a gap": "INSERT INTO term (contract_id, account, seq, starts_on, ends_on, follows_on, starts_at, "
    'method, plan, "interval", price_yen, terms_version, recorded_at) SELECT contract_id, account, 90, '
    'starts_on + 4000, ends_on + 4000, starts_on + 4000, starts_at, method, plan, "interval", price_yen, '
    "terms_version, recorded_at FROM term LIMIT 1",
    "a term that overlaps": "INSERT INTO term (contract_id, account, seq, starts_on, ends_on, follows_on, starts_at, "
    'method, plan, "interval", price_yen, terms_version, recorded_at) SELECT contract_id, account, 90, starts_on, '
    'ends_on + 1, NULL, starts_at, method, plan, "interval", price_yen, terms_version, recorded_at FROM term LIMIT 1',
    "two invoices for a term": "INSERT INTO invoice (term_id, contract_id, account, method, total_yen, credit_yen, "
    "tax_yen, issued_on, due_on, issued_at, state, open_yen) SELECT term_id, contract_id, account, method, total_yen, "
    "0, tax_yen, issued_on, due_on, issued_at, 'open', total_yen FROM invoice LIMIT 1",
    "two attempts in flight": "INSERT INTO payment_attempt (invoice_id, account, key, yen, wanted_on, started_on, "
    "started_at) "
    "SELECT invoice_id, account, 'k' || n, yen, wanted_on, started_on, started_at FROM payment_attempt, "
    "generate_series(1, 2) AS n WHERE payment_attempt.id = (SELECT min(id) FROM payment_attempt)",
    "an award's revision again": "INSERT INTO award (account, month, revision, claim_id, decision_revision, rate, "
    "seconds, term_ids, term_prices, fee_basis, usable_from, decided_on, decided_at) SELECT account, month, revision, "
    "claim_id, decision_revision, rate, seconds, term_ids, term_prices, fee_basis, usable_from, decided_on, decided_at "
    "FROM award LIMIT 1",
    "a credit used beyond what was granted": "UPDATE credit SET available_yen = -1",
    "an invoice paid beyond its total": "UPDATE invoice SET open_yen = -1",
    "a second running contract": "INSERT INTO contract (account, plan, method, applied_at, recorded_at) "
    "SELECT account, plan, method, applied_at, recorded_at FROM contract WHERE ended_on IS NULL LIMIT 1",
}


def test_the_database_refuses_what_must_never_be(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        open_world(services)
        live(services, date(2026, 5, 31))
        states = {}
        for what, statement in REFUSED.items():
            with pytest.raises(IntegrityError) as refused:
                services.session.execute(sa.text(statement))
            states[what] = str(getattr(refused.value.orig, "sqlstate", ""))[:2]
            services.session.rollback()
        assert states == dict.fromkeys(REFUSED, "23")  # class 23: a constraint said no
