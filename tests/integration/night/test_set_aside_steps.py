"""What a step that fails means for the steps after it, for the next night, and for what waits already."""

from datetime import date, timedelta
from typing import Any
from unittest.mock import patch

import pytest
import sqlalchemy as sa

from keizoku.billing.accounts.account_views import credit_view
from keizoku.billing.cards import disputes, failed_refunds
from keizoku.billing.contracts import renewal_stage
from keizoku.db.tables.money import review_task
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.scheduler.night.stages import STEPS
from keizoku.scheduler.simulator import Simulator
from keizoku.terms.calendar import Month, parse_instant
from tests.worlds.world import live, open_world, services_on

FIRST_OF_MONTH = date(2026, 6, 1)
LEFT = date(2026, 5, 6)
BUSY = date(2026, 4, 26)
"""Terms renew, invoices are charged, and what was declined is chased; the day before somebody left."""
AMONG_RENEWALS = ("closed_terms", "terms", "invoices", "payments", "revenue", "delinquency")
"""Throw in the first nights, one each, which renew terms."""


def refuse_rows(services: Services, table: str, account: str) -> None:
    """The database refuses this account's rows of a table."""
    services.session.execute(
        sa.text(
            f"CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.account = '{account}' THEN "
            "RAISE EXCEPTION 'poison' USING ERRCODE = 'check_violation'; END IF; RETURN NEW; END $$; "
            f"CREATE TRIGGER poison BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION poison()"
        )
    )
    services.session.commit()


def accept_rows(services: Services, table: str) -> None:
    services.session.execute(sa.text(f"DROP TRIGGER poison ON {table}"))
    services.session.commit()


def fail(*_: Any, **__: Any) -> int:
    raise LookupError("it cannot be read")


def test_5_2__a_demand_that_was_set_aside_is_made_by_the_next_night(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        open_world(services)
        for account in ("u1", "u2"):
            Simulator(services).cards.set_card(account, "insufficient_funds")
            services.billing.approve(account, "monthly", "card", now=parse_instant("2026-03-26 10:00"))
        run_night(services, FIRST_OF_MONTH - timedelta(days=1), night_at(FIRST_OF_MONTH - timedelta(days=1)))
        before = services.session.scalar(sa.text("SELECT count(*) FROM demand"))
        refuse_rows(services, "demand", "u1")
        result = run_night(services, FIRST_OF_MONTH, night_at(FIRST_OF_MONTH))
        assert (result.certificate, result.set_aside) == ("ok", ("demands: account u1",))
        accept_rows(services, "demand")
        on = FIRST_OF_MONTH + timedelta(days=1)
        result = run_night(services, on, night_at(on))
        assert (result.certificate, result.set_aside) == ("ok", ())
        demanded = sa.text("SELECT account, demanded_on FROM demand WHERE occasion = 'month:2026-06' ORDER BY account")
        assert [tuple(row) for row in services.session.execute(demanded)] == [("u1", on), ("u2", FIRST_OF_MONTH)]
        after = services.session.scalar(sa.text("SELECT count(*) FROM demand"))
        assert (before, after) == (before, (before or 0) + 2)
        run_night(services, on + timedelta(days=1), night_at(on + timedelta(days=1)))
        assert services.session.scalar(sa.text("SELECT count(*) FROM demand")) == after


def late_in_june(services: Services) -> None:
    """u1 and u2 owe since before the first of June, u3 since that day or later."""
    open_world(services)
    for account, approved in (("u1", "2026-03-26"), ("u2", "2026-03-26"), ("u3", "2026-05-20")):
        services.billing.approve(account, "yearly", "other", now=parse_instant(f"{approved} 10:00"))


def demanded_in_june(services: Services) -> list[tuple[str, date]]:
    """Whom the month's demands went to, and when."""
    query = "SELECT account, demanded_on FROM demand WHERE occasion = 'month:2026-06' ORDER BY account"
    return [(row.account, row.demanded_on) for row in services.session.execute(sa.text(query))]


def night_of(services: Services, on: date, *, demands_fail: bool = False) -> tuple[str, ...]:
    """A night, with demands that throw or not; what it set aside."""
    if not demands_fail:
        return run_night(services, on, night_at(on)).set_aside
    (stage,) = (stage for stage, steps in STEPS.items() if "demands" in steps)
    with patch.dict(STEPS[stage], {"demands": fail}):
        return run_night(services, on, night_at(on)).set_aside


def test_5_2__demands_that_fail_on_another_night_than_the_firsts_ask_nobody_twice(engine: sa.Engine) -> None:
    on = date(2026, 6, 20)
    with services_on(engine) as services:
        late_in_june(services)
        for day in (FIRST_OF_MONTH - timedelta(days=1), FIRST_OF_MONTH, on - timedelta(days=1)):
            assert night_of(services, day) == ()
        assert night_of(services, on, demands_fail=True) == ("demands: stage demands",)
        assert night_of(services, on) == ()
        assert demanded_in_june(services) == [("u1", FIRST_OF_MONTH), ("u2", FIRST_OF_MONTH)]


def test_5_2__demands_that_fail_on_the_first_are_made_later_of_who_was_late_then(engine: sa.Engine) -> None:
    on = date(2026, 6, 20)
    with services_on(engine) as services:
        late_in_june(services)
        assert night_of(services, FIRST_OF_MONTH - timedelta(days=1)) == ()
        assert night_of(services, FIRST_OF_MONTH, demands_fail=True) == ("demands: stage demands",)
        assert night_of(services, on) == ()
        assert demanded_in_june(services) == [("u1", on), ("u2", on)]


def test_5_2__an_account_set_aside_on_the_first_is_asked_later_and_nobody_else(engine: sa.Engine) -> None:
    on = date(2026, 6, 20)
    with services_on(engine) as services:
        late_in_june(services)
        assert night_of(services, FIRST_OF_MONTH - timedelta(days=1)) == ()
        refuse_rows(services, "demand", "u1")
        assert night_of(services, FIRST_OF_MONTH) == ("demands: account u1",)
        accept_rows(services, "demand")
        assert night_of(services, on) == ()
        assert demanded_in_june(services) == [("u1", on), ("u2", FIRST_OF_MONTH)]


@pytest.mark.parametrize(("module", "step"), [(disputes, "disputes"), (failed_refunds, "refunds")])
def test_9_2__nothing_is_paid_out_while_disputes_or_returned_refunds_cannot_be_read(
    module: Any, step: str, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a cardholder has got back already by a dispute is not there to be refunded."""
    with services_on(engine) as services:
        open_world(services)
        services.billing.approve("jiro", "monthly", "card", now=parse_instant("2026-03-26 10:00"))
        stopped = [parse_instant(f"2026-04-16 {hour}:00") for hour in (12, 20, 21)]
        services.sla.record_outage(from_at=stopped[0], to_at=stopped[1], affected=60_000, now=stopped[2])
        services.sla.claim(id="c", account="jiro", month=Month(2026, 4), now=parse_instant("2026-05-04 10:00"))
        run_night(services, LEFT - timedelta(days=1), night_at(LEFT - timedelta(days=1)))
        services.billing.leave_service("jiro", now=parse_instant("2026-05-05 10:00"))
        kind = "charge.dispute.created" if step == "disputes" else "refund.failed"
        services.session.execute(
            sa.text(
                "INSERT INTO gateway_event (id, kind, about, happened_at, recorded_at) "
                "VALUES ('evt_1', :kind, 'of_nobody', :at, :at)"
            ),
            {"kind": kind, "at": parse_instant("2026-05-05 11:00")},
        )
        services.session.commit()
        with monkeypatch.context() as broken:
            broken.setattr(module, "sync_events", fail)
            result = run_night(services, LEFT, night_at(LEFT))
        assert (result.certificate, result.set_aside) == ("ok", (f"{step}: stage {step}",))
        assert credit_view(services.session, "jiro") == {"available": 200, "applied": 0, "refunded": 0}
        assert services.session.scalar(sa.text("SELECT count(*) FROM credit_refund")) == 0
        on = LEFT + timedelta(days=1)
        assert run_night(services, on, night_at(on)).set_aside == ()
        assert credit_view(services.session, "jiro") == {"available": 0, "applied": 0, "refunded": 200}


def test_a_step_that_fails_whole_closes_no_task_of_its_items(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody looked at them that night, so nobody knows that they would get through."""
    with services_on(engine) as services:
        open_world(services)
        for account in ("u1", "u2"):
            services.billing.approve(account, "monthly", "card", now=parse_instant("2026-03-26 10:00"))
        refuse_rows(services, "term", "u1")
        on = date(2026, 4, 26)
        assert run_night(services, on, night_at(on)).set_aside[0].startswith("terms: contract ")
        contract_task = sa.select(review_task.c.id).where(
            review_task.c.subject.startswith("terms: contract "), review_task.c.closed_at.is_(None)
        )
        before = services.session.scalars(contract_task).all()
        assert len(before) == 1
        on += timedelta(days=1)
        with monkeypatch.context() as broken:
            broken.setattr(renewal_stage, "due", fail)
            broken.setattr(renewal_stage, "due_ids", fail)
            assert "terms: stage terms" in run_night(services, on, night_at(on)).set_aside
        assert services.session.scalars(contract_task).all() == before
        accept_rows(services, "term")
        on += timedelta(days=1)
        assert run_night(services, on, night_at(on)).set_aside == ()
        assert services.session.scalars(contract_task).all() == []


def test_a_step_that_throws_is_told_as_set_aside_and_not_as_a_difference(engine: sa.Engine) -> None:
    """Night by night another step throws; the same night run again gets all through."""
    names = [*AMONG_RENEWALS, *(name for named in STEPS.values() for name in named if name not in AMONG_RENEWALS)]
    stages = {name: stage for stage, named in STEPS.items() for name in named}
    with services_on(engine) as services:
        open_world(services)
        live(services, BUSY - timedelta(days=1))
        services.billing.leave_service("u05", now=night_at(BUSY) - timedelta(hours=3))
        for number, name in enumerate(names):
            on = BUSY + timedelta(days=number)
            with patch.dict(STEPS[stages[name]], {name: fail}):
                result = run_night(services, on, night_at(on), ask_first=False)
            told = (result.certificate, result.differences, result.set_aside)
            assert told == ("ok", (), (f"{name}: stage {name}",)), on
            result = run_night(services, on, night_at(on), whole_audit=True)
            assert (result.certificate, result.differences, result.set_aside) == ("ok", (), ()), on


def test_9_2__a_dispute_that_cannot_be_booked_holds_its_own_account_and_no_other(engine: sa.Engine) -> None:
    """Both had a charge disputed and have a credit for their card: only of one is it known how it stands."""
    with services_on(engine) as services:
        open_world(services)
        for account in ("u1", "u2"):
            services.billing.approve(account, "monthly", "card", now=parse_instant("2026-03-26 10:00"))
        stopped = [parse_instant(f"2026-04-16 {hour}:00") for hour in (12, 20, 21)]
        services.sla.record_outage(from_at=stopped[0], to_at=stopped[1], affected=60_000, now=stopped[2])
        for account in ("u1", "u2"):
            services.sla.claim(
                id=f"c-{account}", account=account, month=Month(2026, 4), now=parse_instant("2026-05-04 10:00")
            )
        run_night(services, LEFT - timedelta(days=1), night_at(LEFT - timedelta(days=1)))
        at = parse_instant("2026-05-05 10:00")
        for account in ("u1", "u2"):
            services.billing.leave_service(account, now=at)
            Simulator(services).dispute(account, date(2026, 3, 26), "won", decided_on=LEFT, now=at)
        refuse_disputes(services, "u1")
        result = run_night(services, LEFT, night_at(LEFT))
        [aside] = result.set_aside
        assert (result.certificate, aside.startswith("disputes: dispute sim_dp_")) == ("ok", True)
        task = services.session.execute(
            sa.select(review_task.c.detail).where(review_task.c.subject == aside)
        ).scalar_one()
        assert (task["account"], task["clause"]) == ("u1", "premium/5.4")
        assert services.session.scalars(sa.text("SELECT account FROM credit_refund")).all() == ["u2"]
        accept_rows(services, "gateway_dispute")
        on = LEFT + timedelta(days=1)
        assert run_night(services, on, night_at(on)).set_aside == ()
        assert services.session.scalars(sa.text("SELECT account FROM credit_refund ORDER BY id")).all() == ["u2", "u1"]


def refuse_disputes(services: Services, account: str) -> None:
    """The database refuses the rows of this account's dispute."""
    mine = f"SELECT 1 FROM payment_attempt WHERE id = NEW.attempt_id AND account = '{account}'"
    services.session.execute(
        sa.text(
            f"CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF EXISTS ({mine}) THEN "
            "RAISE EXCEPTION 'poison' USING ERRCODE = 'check_violation'; END IF; RETURN NEW; END $$; "
            "CREATE TRIGGER poison BEFORE INSERT ON gateway_dispute FOR EACH ROW EXECUTE FUNCTION poison()"
        )
    )
    services.session.commit()


_CLAIM = "id, account, month, received_at, recorded_at, windows"


@pytest.mark.parametrize(
    ("table", "columns", "values"),
    [
        (
            "contract_fact",
            "contract_id, account, kind, occurred_at, recorded_at, detail",
            """SELECT id, account, 'change_method', now(), now(), '{"method": "crad"}'::jsonb FROM contract""",
        ),
        (
            "contract_fact",
            "contract_id, account, kind, occurred_at, recorded_at",
            "SELECT id, account, 'change_method', now(), now() FROM contract",
        ),
        ("claim", _CLAIM, """SELECT 'x', 'u1', '2026-04', now(), now(), '[["x", "y"]]'::jsonb"""),
        ("claim", _CLAIM, """SELECT 'x', 'u1', '2026-04', now(), now(), '["2026-04-01T00:00:00+09:00"]'::jsonb"""),
        ("claim", _CLAIM, """SELECT 'x', 'u1', '2026-04', now(), now(), '[[1, 2]]'::jsonb"""),
        (
            "environment_ruling",
            "incident_id, windows, author, ground, recorded_at",
            "SELECT 'none', '[]'::jsonb, 'a', 'b', now()",
        ),
    ],
)
def test_what_a_night_could_not_read_is_refused_by_the_database(
    table: str, columns: str, values: str, engine: sa.Engine
) -> None:
    with services_on(engine) as services:
        open_world(services)
        services.billing.approve("u1", "monthly", "card", now=parse_instant("2026-04-01 12:00"))
        with pytest.raises(sa.exc.IntegrityError):
            services.session.exec_driver_sql(f"INSERT INTO {table} ({columns}) {values}")
