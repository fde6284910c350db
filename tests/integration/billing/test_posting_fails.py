"""When answers cannot be booked, the gateway is asked for no more; the next night ends what was begun."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from keizoku.billing.cards import charge_answers, charge_stage
from keizoku.billing.gateway.port import Answer, ChargeRequest, ChargeResult
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


def test_4_1__two_answers_that_were_looked_up_and_cannot_be_booked_do_not_keep_the_others_from_being_charged(
    engine: sa.Engine,
) -> None:
    """What is in flight since the night before may be two sick accounts: no sign that nothing can be booked."""
    with closing(SimulatedGateway(engine)) as gateway, engine.connect() as session:
        services = Services(session, Rules(Terms.load("premium")), gateway)
        open_world(services)
        for account in MEMBERS[:2]:
            services.billing.approve(account, "monthly", "card", now=parse_instant("2026-03-24 10:00"))
        for account in MEMBERS[2:]:
            services.billing.approve(account, "monthly", "card", now=parse_instant("2026-03-25 10:00"))
        for account in MEMBERS[:2]:
            gateway.set_card(account, "timeout_before")
        night_before = RENEWED - timedelta(days=1)
        run_night(services, night_before, night_at(night_before))
        for account in MEMBERS[:2]:  # by now both were charged, and neither can be booked
            gateway.set_card(account, "ok")
        sent = [each.request for each in charge_stage._in_flight(session)]
        assert [each.account for each in sent] == MEMBERS[:2]
        list(gateway.charge_many(sent, night_at(night_before)))
        session.execute(
            sa.text(
                "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                f"IF NEW.account IN ('{MEMBERS[0]}', '{MEMBERS[1]}') THEN "
                "RAISE EXCEPTION 'poison' USING ERRCODE = 'check_violation'; END IF; RETURN NEW; END $$; "
                "CREATE TRIGGER poison BEFORE UPDATE ON payment_attempt FOR EACH ROW EXECUTE FUNCTION poison()"
            )
        )
        session.commit()
        result = run_night(services, RENEWED, night_at(RENEWED))
        assert (result.certificate, len(result.set_aside)) == ("ok", 2)
        assert all(each.startswith("payments: attempt ") for each in result.set_aside)
        booked = sa.text("SELECT account FROM payment_attempt WHERE started_on = :on AND outcome = 'succeeded'")
        assert sorted(session.scalars(booked, {"on": RENEWED})) == MEMBERS[2:]


def test_4_1__an_answer_that_never_came_is_no_sign_that_answers_can_be_booked(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among those that cannot be booked it was once counted as one that got through, and cards were charged on."""
    book = charge_answers.save_results

    def fail(session: Session, rules: Rules, attempts: Any, results: Any, now: datetime) -> int:
        if any(each.answer is not Answer.UNKNOWN for each in results):
            raise LookupError("the books are shut")
        return book(session, rules, attempts, results, now)

    with closing(OneByOne(engine)) as gateway, engine.connect() as session:
        services = Services(session, Rules(Terms.load("premium")), gateway)
        open_world(services)
        for account in MEMBERS:
            services.billing.approve(account, "monthly", "card", now=parse_instant("2026-03-25 10:00"))
        gateway.set_card(MEMBERS[0], "timeout_before")
        gateway.asked.clear()
        with monkeypatch.context() as broken:
            broken.setattr(charge_stage, "CHUNK", 3)  # one batch of answers a chunk, so no second connection
            broken.setattr(charge_stage, "ANSWERS", 3)
            broken.setattr(charge_stage, "save_results", fail)
            assert "payments: stage payments" in run_night(services, RENEWED, night_at(RENEWED)).set_aside
        assert gateway.asked == MEMBERS[:3]
