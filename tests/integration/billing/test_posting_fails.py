"""When answers cannot be booked, the gateway is asked for no more; the next night ends what was begun."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import date, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from keizoku.billing.cards import charge_stage
from keizoku.billing.gateway.port import ChargeRequest, ChargeResult
from keizoku.billing.gateway.simulated import SimulatedGateway
from keizoku.db.session import Session
from keizoku.db.writer import BackgroundWriter, Write
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.terms.calendar import parse_instant
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules
from tests.worlds.world import open_world

RENEWED = date(2026, 4, 25)
MEMBERS = [f"u{number:02d}" for number in range(1, 13)]


class OneByOne(SimulatedGateway):
    """Charges a card when its answer is fetched, as a real gateway does; after two it waits until booking gives up."""

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__(engine)
        self.asked: list[str] = []
        self.given_up = threading.Event()
        self.given_up.set()  # until a test clears it, nothing is waited for

    def charge_many(self, requests: Sequence[ChargeRequest], at: datetime) -> Iterator[ChargeResult]:
        for request in requests:
            if len(self.asked) == 2:
                assert self.given_up.wait(20)
            self.asked.append(request.account)
            yield from super().charge_many([request], at)


def test_4_1__no_card_is_charged_on_after_booking_has_failed(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = BackgroundWriter._write

    def given_up(writer: BackgroundWriter, work: Write, on: Session | None) -> int:
        try:
            return write(writer, work, on)
        except LookupError:
            gateway.given_up.set()
            raise

    def fail(session: Session, *_: Any, **__: Any) -> int:
        session.execute(sa.text("SELECT 1"))  # so that there is something to give up
        raise LookupError("the books are shut")

    monkeypatch.setattr(BackgroundWriter, "_write", given_up)
    with closing(OneByOne(engine)) as gateway, engine.connect() as session:
        services = Services(session, Rules(Terms.load("premium")), gateway)
        open_world(services)
        for account in MEMBERS:
            services.billing.approve(account, "monthly", "card", now=parse_instant("2026-03-25 10:00"))
        gateway.asked.clear()
        gateway.given_up.clear()
        with monkeypatch.context() as broken:
            broken.setattr(charge_stage, "CHUNK", 10)
            broken.setattr(charge_stage, "ANSWERS", 2)
            broken.setattr(charge_stage, "save_results", fail)
            held = run_night(services, RENEWED, night_at(RENEWED)).set_aside
            assert any(each.startswith("payments: ") for each in held), held
        assert gateway.asked == MEMBERS[:4]  # two whose answers fail, two that were asked for meanwhile
        assert run_night(services, RENEWED, night_at(RENEWED)).certificate == "ok"
        charged = sa.text("SELECT account FROM simulated_charge ORDER BY created_at, account")
        assert session.scalars(charged).all() == MEMBERS * 2
