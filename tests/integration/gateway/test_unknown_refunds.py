"""Refunds whose answer never came: looked up before anything is sent again, left to people when it is too late."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import pytest
import sqlalchemy as sa

from keizoku.billing.accounts.account_views import credit_view, refunds_view
from keizoku.billing.accounts.read_models import CountAndYen
from keizoku.billing.gateway.port import Answer, RefundRequest, RefundResult
from keizoku.billing.gateway.simulated import SimulatedGateway
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.terms.calendar import Month, parse_instant
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules
from tests.worlds.world import open_world

LEFT = date(2026, 5, 6)


class SilentGateway(SimulatedGateway):
    """Makes a refund, or not, and never says so; counts what it was asked for."""

    makes, asked = True, 0

    def refund(self, request: RefundRequest, at: datetime) -> RefundResult:
        self.asked += 1
        if self.makes:
            super().refund(request, at)
        return RefundResult(request.key, Answer.UNKNOWN)


@pytest.fixture
def gateway(engine: sa.Engine) -> Iterator[SilentGateway]:
    gateway = SilentGateway(engine)
    yield gateway
    gateway.close()


@pytest.fixture
def services(engine: sa.Engine, gateway: SilentGateway) -> Iterator[Services]:
    """A house that owes a former user 200 yen, asked for once, in the night of 6 May, without an answer."""
    with engine.connect() as session:
        services = Services(session, Rules(Terms.load("premium")), gateway)
        open_world(services)
        service = services.billing
        service.approve("jiro", "monthly", "card", now=parse_instant("2026-03-26 10:00"))
        stopped = [parse_instant(f"2026-04-16 {hour}:00") for hour in (12, 20, 21)]
        services.sla.record_outage(from_at=stopped[0], to_at=stopped[1], affected=60_000, now=stopped[2])
        services.sla.claim(id="c", account="jiro", month=Month(2026, 4), now=parse_instant("2026-05-04 10:00"))
        run_night(services, date(2026, 5, 5), night_at(date(2026, 5, 5)))
        service.leave_service("jiro", now=parse_instant("2026-05-05 10:00"))
        yield services


def test_9_2__a_refund_without_an_answer_is_looked_up_and_not_sent_again(
    services: Services, gateway: SilentGateway
) -> None:
    run_night(services, LEFT, night_at(LEFT))
    assert credit_view(services.session, "jiro") == {"available": 200, "applied": 0, "refunded": 0}
    next_night = LEFT + timedelta(days=1)
    assert run_night(services, next_night, night_at(next_night)).certificate == "ok"
    assert credit_view(services.session, "jiro") == {"available": 0, "applied": 0, "refunded": 200}
    assert (gateway.asked, refunds_view(services.session, "jiro")) == (1, CountAndYen(1, 200))


def test_9_2__a_refund_that_is_nowhere_after_a_day_is_left_to_people(
    services: Services, gateway: SilentGateway
) -> None:
    gateway.makes = False
    run_night(services, LEFT, night_at(LEFT))
    run_night(services, LEFT, night_at(LEFT) + timedelta(hours=22))
    assert gateway.asked == 2  # within the hours: sent again under its key
    for days in (1, 2):
        on = LEFT + timedelta(days=days)
        assert run_night(services, on, night_at(on)).certificate == "ok"
    assert (gateway.asked, refunds_view(services.session, "jiro")) == (2, CountAndYen(0, 0))
    tasks = services.session.execute(sa.text("SELECT kind, subject FROM review_task")).all()
    assert [tuple(row) for row in tasks] == [("refund_unknown", "refund 1")]
