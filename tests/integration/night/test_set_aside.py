"""One bad thing never stops the others: of fifty accounts one is poisoned, and all others end as if it were not there.

Each poison is what a later night cannot read or the database refuses to take. Where a constraint of today refuses it
already, the test drops that constraint first: an older release, or somebody with the owner's rights, wrote the row.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pytest
import sqlalchemy as sa

from keizoku.billing.gateway.port import GatewayRefusesUsError
from keizoku.billing.gateway.simulated import SimulatedGateway
from keizoku.db.session import Session
from keizoku.db.tables import metadata
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import NightResult, run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.scheduler.simulator import Simulator
from keizoku.terms.calendar import Month, parse_instant
from keizoku.terms.refusal import Refused
from tests.conftest import OwnDatabase
from tests.worlds.world import TECHNICAL, open_world, services_on

ACCOUNTS = [f"u{number:02d}" for number in range(50)]
LATE = ACCOUNTS[40:]
"""Their cards are declined from the first day on."""
CLAIMANTS = ACCOUNTS[:20]
MONTHLY = [account for number, account in enumerate(ACCOUNTS[:40]) if number % 4 or not number]
"""Their contracts renew while the poison is there."""
NIGHTS = [date(2026, 3, 31), date(2026, 4, 30), date(2026, 5, 2), date(2026, 6, 1)]
LAST = date(2026, 6, 3)
POISONED_AT, MENDED_AT = parse_instant("2026-04-20 12:00"), parse_instant("2026-06-02 12:00")
Rows = dict[str, list[tuple[str, ...]]]


@dataclass(frozen=True)
class Poison:
    """What is done to an account, what the night says of it, and how people take it back."""

    among: list[str]
    spoil: Callable[[Services, str], object]
    mend: Callable[[Services, str], object]
    step: str


def sql(services: Services, text: str, **values: object) -> None:
    services.session.execute(sa.text(text), values)
    services.session.commit()


def change_method(detail: str) -> Callable[[Services, str], None]:
    def spoil(services: Services, account: str) -> None:
        sql(services, "ALTER TABLE contract_fact DROP CONSTRAINT ck_contract_fact_method_known")
        sql(
            services,
            "INSERT INTO contract_fact (contract_id, account, kind, occurred_at, recorded_at, detail) "
            "SELECT id, account, 'change_method', :at, :at, CAST(:detail AS jsonb) FROM contract WHERE account = :who",
            at=POISONED_AT,
            detail=detail,
            who=account,
        )

    return spoil


def void_change(services: Services, account: str) -> None:
    services.billing.void_fact(account, "change_method", by="finance", ground="a typing error", now=MENDED_AT)


def paid_ahead(plan: str, months: int | None) -> Callable[[Services, str], None]:
    """That months paid ahead fill no whole terms of the plan shows when the contract is read."""
    return lambda services, account: sql(
        services,
        "UPDATE contract SET paid_months = CAST(:months AS integer), plan = :plan WHERE account = :who",
        months=months,
        plan=plan,
        who=account,
    )


def bad_claim(services: Services, account: str) -> None:
    sql(services, "ALTER TABLE claim DROP CONSTRAINT ck_claim_windows_are_spans")
    sql(
        services,
        "INSERT INTO claim (id, account, month, received_at, windows, recorded_at) "
        """VALUES ('bad', :who, '2026-04', :at, '[["x", "y"]]', :at)""",
        who=account,
        at=POISONED_AT,
    )


def bad_ruling(services: Services, account: str) -> None:
    sql(services, "ALTER TABLE claim_ruling DROP CONSTRAINT ck_claim_ruling_windows_are_spans")
    services.sla.claim(id="bad", account=account, month=Month(2026, 4), now=POISONED_AT)
    sql(
        services,
        "INSERT INTO claim_ruling (claim_id, windows, author, ground, recorded_at) "
        """VALUES ('bad', '[["2026-02-31T00:00", 7]]', 'a', 'b', :at)""",
        at=POISONED_AT,
    )


def withdraw(services: Services, _: str) -> None:
    services.sla.withdraw_claim("bad", "support", "unreadable", now=MENDED_AT)


def refused_by(table: str, act: str = "INSERT") -> Callable[[Services, str], None]:
    """The database refuses this account's rows of a table."""

    def spoil(services: Services, account: str) -> None:
        mine = f"NEW.account = '{account}'"
        if table == "claim_decision":
            mine = f"EXISTS (SELECT 1 FROM claim WHERE id = NEW.claim_id AND account = '{account}')"
        sql(
            services,
            "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF {mine} THEN RAISE EXCEPTION 'poison' USING ERRCODE = 'check_violation'; END IF; "
            "RETURN NEW; END $$",
        )
        sql(services, f"CREATE TRIGGER poison BEFORE {act} ON {table} FOR EACH ROW EXECUTE FUNCTION poison()")

    return spoil


def accepted_by(table: str) -> Callable[[Services, str], None]:
    return lambda services, _: sql(services, f"DROP TRIGGER poison ON {table}")


def refuses(table: str, step: str, among: list[str], act: str = "INSERT") -> Poison:
    return Poison(among, refused_by(table, act), accepted_by(table), step)


POISONS: Mapping[str, Poison] = {
    "a mistyped method": Poison(MONTHLY, change_method('{"method": "crad"}'), void_change, "terms: contract"),
    "a method that is missing": Poison(MONTHLY, change_method("null"), void_change, "terms: contract"),
    "months that are no whole terms": Poison(
        MONTHLY, paid_ahead("yearly", 5), paid_ahead("monthly", None), "terms: contract"
    ),
    "a claim that cannot be read": Poison(ACCOUNTS[20:40], bad_claim, withdraw, "claims: account"),
    "a ruling that cannot be read": Poison(ACCOUNTS[20:40], bad_ruling, withdraw, "claims: account"),
    "a term": refuses("term", "terms: contract", MONTHLY),
    "an invoice": refuses("invoice", "invoices: term", MONTHLY),
    "a decision": refuses("claim_decision", "claims: account", CLAIMANTS),
    "a credit": refuses("credit", "credits: award", CLAIMANTS),
    "an answer of the gateway": refuses("payment_attempt", "payments: attempt", MONTHLY[15:], "UPDATE"),
    "a notice": refuses("user_notice", "delinquency: contract", LATE),
    "a letter": refuses("letter", "letters: document", CLAIMANTS),
    "a demand": refuses("demand", "demands: account", LATE),
}


def begin(services: Services) -> None:
    open_world(services)
    for account in LATE:
        Simulator(services).cards.set_card(account, "insufficient_funds")
    for number, account in enumerate(ACCOUNTS):
        now = parse_instant("2026-03-26 00:15") + timedelta(hours=2 * number)
        services.billing.approve(account, "monthly" if account in (*MONTHLY, *LATE) else "yearly", "card", now=now)
    now = parse_instant("2026-04-16 21:00")
    from_at, to_at = parse_instant("2026-04-16 12:00"), parse_instant("2026-04-16 20:00")
    services.sla.record_outage(from_at=from_at, to_at=to_at, affected=60_000, now=now)
    for account in CLAIMANTS:
        services.sla.claim(id=f"c-{account}", account=account, month=Month(2026, 4), now=now)


def live(services: Services, spoil: Callable[[], object], mend: Callable[[], object]) -> list[NightResult]:
    """Nights with the poison, and one after it was taken back, of a world that has begun."""
    spoil()
    results = [run_night(services, on, night_at(on)) for on in NIGHTS]
    mend()
    results.append(run_night(services, LAST, night_at(LAST)))
    return results


def of_accounts(session: Session) -> dict[str, Rows]:
    """account -> table -> its rows without what only names them: ids, keys, and when they were recorded."""
    found: dict[str, Rows] = {}
    for table in metadata.sorted_tables:
        if not {"account", "claim_id"} & set(table.c.keys()) or table.name in ("simulated_charge", "review_task"):
            continue
        query = sa.select(table)
        if "account" not in table.c:
            claims = metadata.tables["claim"]
            query = sa.select(table, claims.c.account).join(claims, claims.c.id == table.c.claim_id)
        for row in session.execute(query):
            kept = [
                f"{name}={value}"
                for name, value in row._mapping.items()
                if name not in (*TECHNICAL, "evidence_hash")
                and not name.endswith(("_id", "_ids", "number"))
                and name != "term_prices"
            ]
            found.setdefault(row.account, {}).setdefault(table.name, []).append(tuple(kept))
    session.rollback()
    return {who: {name: sorted(lines) for name, lines in tables.items()} for who, tables in found.items()}


@pytest.fixture(scope="module")
def begun(own_database: OwnDatabase) -> Iterator[str]:
    """The name of a database in which the world has begun, to be copied."""
    with own_database() as engine:
        with services_on(engine) as services:
            begin(services)
        yield str(engine.url.database)


@pytest.fixture
def engine_begun(own_database: OwnDatabase, begun: str) -> Iterator[sa.Engine]:
    """An engine on a world of its own that has begun."""
    with own_database(begun) as engine:
        yield engine


@pytest.fixture(scope="module")
def healthy(own_database: OwnDatabase, begun: str) -> Iterator[dict[str, Rows]]:
    """The rows of the world without poison."""
    with own_database(begun) as engine, services_on(engine) as services:
        results = live(services, lambda: None, lambda: None)
        assert [(each.certificate, each.set_aside) for each in results] == [("ok", ())] * len(results)
        yield of_accounts(services.session)


@pytest.mark.parametrize("name", POISONS)
def test_every_healthy_account_ends_as_in_the_world_without_poison(
    name: str, engine_begun: sa.Engine, healthy: dict[str, Rows]
) -> None:
    poison = POISONS[name]
    victim = random.Random(f"7 {name}").choice(poison.among)  # noqa: S311 - a test's dice
    with services_on(engine_begun) as services:
        results = live(services, lambda: poison.spoil(services, victim), lambda: poison.mend(services, victim))
        assert [(each.certificate, each.differences) for each in results] == [("ok", ())] * len(results)
        aside = {subject.rpartition(" ")[0] for each in results for subject in each.set_aside}
        assert {each for each in aside if each.startswith(poison.step)}, results
        assert results[-1].set_aside == ()  # what was mended gets through
        found = of_accounts(services.session)
        others = [account for account in ACCOUNTS if account != victim]
        for account in others:
            assert found[account] == healthy[account], account
        tasks = services.session.execute(
            sa.text("SELECT subject, closed_by, detail FROM review_task WHERE kind = 'set_aside' ORDER BY id")
        ).all()
        assert {each.closed_by for each in tasks} == {"keizoku"}
        assert {each.detail["account"] for each in tasks} == {victim}
        assert all(each.detail["why"] and each.detail["remedy"] for each in tasks)
        if poison.step in ("terms: contract", "invoices: term"):  # and nothing of its own is lost
            assert len(found[victim]["term"]) == len(healthy[victim]["term"])
            assert len(found[victim]["invoice"]) == len(healthy[victim]["invoice"])


def test_a_missing_population_holds_claims_and_nothing_else(engine_begun: sa.Engine) -> None:
    with services_on(engine_begun) as services:
        sql(services, "ALTER TABLE population RENAME TO population_of_others")
        sql(services, "CREATE TABLE population (LIKE population_of_others INCLUDING ALL)")
        results = [run_night(services, on, night_at(on)) for on in (*NIGHTS, LAST)]
        assert [each.certificate for each in results] == ["ok"] * len(results)
        assert results[-1].set_aside == ("claims: month 2026-04",)
        [task] = services.session.execute(sa.text("SELECT closed_at, detail FROM review_task")).all()
        assert task.closed_at is None
        assert "keizoku sla population add" in task.detail["why"]
        assert task.detail["clause"] == "premium/9.2"
        newest = services.session.execute(sa.text("SELECT max(issued_on) FROM invoice")).scalar_one()
        assert newest > NIGHTS[1]
        services.sla.population(parse_instant("2026-01-01"), 1_000_000, now=parse_instant("2026-06-03 12:00"))
        after = LAST + timedelta(days=1)
        assert run_night(services, after, night_at(after)).set_aside == ()
        awards = services.session.execute(sa.text("SELECT count(*) FROM award")).scalar_one()
        assert awards == len(CLAIMANTS)


def test_a_gateway_that_refuses_us_holds_payments_and_nothing_else(
    engine_begun: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_given: object, **_named: object) -> object:
        raise GatewayRefusesUsError("Stripe refuses our key: look at KEIZOKU_STRIPE_KEY")

    with services_on(engine_begun) as services:
        with monkeypatch.context() as patched:
            patched.setattr(SimulatedGateway, "charge_many", refuse)
            on = date(2026, 5, 2)
            result = run_night(services, on, night_at(on))
        assert (result.certificate, result.set_aside) == ("ok", ("payments: stage payments",))
        done = {stage.stage: stage.changes for stage in result.stages}
        assert all(done[stage] for stage in ("terms", "invoices", "delinquency", "revenue"))
        on += timedelta(days=1)
        assert run_night(services, on, night_at(on)).set_aside == ()


def test_a_claim_of_a_month_before_the_terms_waits_and_a_review_of_it_without_claims_is_closed(
    engine_begun: sa.Engine,
) -> None:
    with services_on(engine_begun) as services:
        at = parse_instant("2026-04-20 12:00")
        for month in ("2020-01", "2020-02"):
            sql(services, "INSERT INTO month_to_review (month, why, recorded_at) VALUES (:m, 'x', :at)", m=month, at=at)
        sql(
            services,
            "INSERT INTO claim (id, account, month, received_at, recorded_at) "
            "VALUES ('old', 'u00', '2020-01', :at, :at)",
            at=at,
        )
        on = date(2026, 5, 2)
        result = run_night(services, on, night_at(on))
        assert (result.certificate, result.set_aside) == ("ok", ("claims: month 2020-01",))
        services.sla.withdraw_claim("old", "support", "no such month", now=night_at(on) + timedelta(hours=9))
        on += timedelta(days=1)
        result = run_night(services, on, night_at(on))
        assert (result.certificate, result.set_aside) == ("ok", ())


@pytest.mark.parametrize(
    ("method", "nearest"), [("Card", "card"), ("crad", "card"), ("", None), ("appstore", "app_store")]
)
def test_a_method_that_no_term_can_have_is_refused_where_it_is_said(
    method: str, nearest: str | None, engine: sa.Engine
) -> None:
    now = parse_instant("2026-04-01 12:00")
    with services_on(engine) as services:
        open_world(services)
        services.billing.approve("u1", "monthly", "card", now=now)
        with pytest.raises(Refused) as refused:
            services.billing.change_method("u1", method, now=now)
        assert refused.value.code == "method.unknown"
        assert "card, app_store, other" in str(refused.value)
        assert nearest is None or f"the nearest is {nearest}" in str(refused.value)


def test_an_act_of_an_account_whose_fact_cannot_be_read_says_which_and_how_to_take_it_back(engine: sa.Engine) -> None:
    """Of before the constraint: it names no method. Once taken back, the account is as any other."""
    with services_on(engine) as services:
        open_world(services)
        services.billing.approve("u1", "monthly", "card", now=parse_instant("2026-04-01 12:00"))
        change_method("{}")(services, "u1")
        with pytest.raises(Refused, match="keizoku contract void-fact") as refused:
            services.billing.end_of_use("u1", now=POISONED_AT)
        assert refused.value.code == "fact.unreadable"
        services.billing.void_fact("u1", "change_method", by="finance", ground="a typing error", now=MENDED_AT)
        services.billing.end_of_use("u1", now=MENDED_AT)


def test_a_row_that_takes_back_nothing_is_refused_by_the_database_and_read_as_nothing(engine: sa.Engine) -> None:
    """A missing key made the constraint unknown, not false, and nothing could be taken back any more."""
    row = (
        "INSERT INTO contract_fact (contract_id, account, kind, occurred_at, recorded_at, author, ground, detail) "
        "SELECT id, account, 'void_fact', :at, :at, 'x', 'y', '{}' FROM contract WHERE account = 'u1'"
    )
    with services_on(engine) as services:
        open_world(services)
        services.billing.approve("u1", "monthly", "card", now=parse_instant("2026-04-01 12:00"))
        with pytest.raises(sa.exc.IntegrityError, match="voids_a_fact"):
            sql(services, row, at=POISONED_AT)
        services.session.rollback()
        sql(services, "ALTER TABLE contract_fact DROP CONSTRAINT ck_contract_fact_voids_a_fact")
        sql(services, row, at=POISONED_AT)
        services.billing.end_of_use("u1", now=MENDED_AT)
        services.billing.void_fact("u1", "end_of_use", by="finance", ground="a typing error", now=MENDED_AT)


def test_a_task_that_people_close_too_early_comes_back(engine_begun: sa.Engine) -> None:
    with services_on(engine_begun) as services:
        refused_by("term")(services, "u01")
        on = date(2026, 4, 29)
        kept: list[datetime] = []
        for _ in range(2):
            run_night(services, on, night_at(on))
            kept += services.session.scalars(
                sa.text("SELECT opened_at FROM review_task WHERE closed_at IS NULL AND subject LIKE 'terms%'")
            ).all()
            close = "UPDATE review_task SET closed_at = now(), closed_by = 'p', closed_ground = 'done'"
            sql(services, f"{close} WHERE closed_at IS NULL")
            on += timedelta(days=1)
        assert len(set(kept)) == 2
