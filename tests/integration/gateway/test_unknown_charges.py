"""Charges whose answer never came: settled within the hours, left to people later, never made twice."""

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from keizoku.billing.accounts.account_views import charges_view, owed_view, unknown_charges
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.scheduler.simulator import Simulator
from keizoku.terms.calendar import parse_instant
from keizoku.terms.refusal import Refused
from tests.worlds.world import open_world, services_on

RENEWED = date(2026, 4, 26)


def renewed_with_a_timeout(services: Services) -> int:
    """A contract whose renewal charge had no answer at 02:30; the gateway works again afterwards."""
    open_world(services)
    services.billing.approve("hanako", "monthly", "card", now=parse_instant("2026-03-26 10:00"))
    Simulator(services).cards.set_card("hanako", "timeout_before")
    run_night(services, RENEWED, night_at(RENEWED))
    Simulator(services).cards.set_card("hanako", "ok")
    (waiting,) = unknown_charges(services.session)
    return int(str(waiting["attempt"]))


def test_5_2__a_charge_without_an_answer_is_sent_again_within_the_hours(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        renewed_with_a_timeout(services)
        services.billing.settle_unknown(now=night_at(RENEWED) + timedelta(hours=9))
        assert unknown_charges(services.session) == []
        assert charges_view(services.session, "hanako") == {"count": 2, "yen": 1_000}


def test_5_2__later_people_make_sure_and_the_fee_is_charged_anew_without_interest(engine: sa.Engine) -> None:
    next_night = RENEWED + timedelta(days=1)
    with services_on(engine) as services:
        attempt = renewed_with_a_timeout(services)
        runs = [run_night(services, next_night, night_at(next_night)) for _ in range(2)]
        written = [{stage.stage: stage.changes for stage in run.stages if stage.changes} for run in runs]
        assert written == [{"revenue": 1, "payments": 1}, {}]  # a task that is open already is not a change
        assert charges_view(services.session, "hanako") == {"count": 1, "yen": 500}
        task = sa.text("SELECT kind, subject, closed_by FROM review_task")
        assert [tuple(row) for row in services.session.execute(task)] == [
            ("attempt_unknown", f"attempt {attempt}", None)
        ]

        made_sure = night_at(next_night) + timedelta(hours=8)
        services.billing.nothing_charged(attempt, by="keiri", ground="not on the gateway's page", now=made_sure)
        third_night = RENEWED + timedelta(days=2)
        assert run_night(services, third_night, night_at(third_night)).certificate == "ok"
        assert charges_view(services.session, "hanako") == {"count": 2, "yen": 1_000}
        owed = owed_view(services.session, services.rules, "hanako", night_at(third_night))
        assert owed == {"principal": 0, "interest": 0, "costs": 0, "total": 0, "deposit": 0}
        assert [row.closed_by for row in services.session.execute(task)] == ["keiri"]
        with pytest.raises(Refused, match="not waiting for an answer"):
            services.billing.nothing_charged(attempt, by="keiri", ground="again", now=made_sure)
