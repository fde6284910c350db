"""Two at once: the night and the desk, two desks, on the same contract. Nothing is doubled, nothing is lost."""

import threading
from collections.abc import Iterator, Sequence
from datetime import date, datetime

import sqlalchemy as sa

from keizoku.billing.accounts.account_views import owed_view
from keizoku.billing.gateway.port import ChargeRequest, ChargeResult
from keizoku.billing.gateway.simulated import SimulatedGateway
from keizoku.db.session import Session
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.terms.calendar import parse_instant
from keizoku.terms.policy import Terms
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules
from tests.worlds.world import open_world, services_on

RENEWED = date(2026, 4, 26)


class WaitingGateway(SimulatedGateway):
    """Says when a charge has arrived, and makes it only when it is let go."""

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__(engine)
        self.arrived, self.go_on = threading.Event(), threading.Event()

    def charge_many(self, requests: Sequence[ChargeRequest], at: datetime) -> Iterator[ChargeResult]:
        self.arrived.set()
        assert self.go_on.wait(60)
        yield from super().charge_many(requests, at)


def figures(session: Session) -> dict[str, object]:
    queries = {
        "terms": "SELECT account, starts_on FROM term ORDER BY 1, 2",
        "invoices": "SELECT account, state, open_yen FROM invoice ORDER BY id",
        "attempts": "SELECT account, outcome FROM payment_attempt ORDER BY id",
        "charges": "SELECT account, answer FROM simulated_charge ORDER BY id",
        "settlements": "SELECT account, kind, yen FROM settlement ORDER BY id",
        "clearing": "SELECT sum(yen) FROM line WHERE code = '1131'",
        "receivable": "SELECT sum(yen) FROM line WHERE code = '1140'",
    }
    found: dict[str, object] = {
        name: [tuple(row) for row in session.execute(sa.text(query))] for name, query in queries.items()
    }
    session.rollback()
    return found


def test_5_1__a_night_and_a_new_card_that_charge_one_invoice_at_once_charge_it_once(engine: sa.Engine) -> None:
    waiting = WaitingGateway(engine)
    with services_on(engine) as service, engine.connect() as session:
        open_world(service)
        service.billing.approve("hanako", "monthly", "card", now=parse_instant("2026-03-26 10:00"))
        worker = Services(session, Rules(Terms.load("premium")), waiting)
        night = threading.Thread(target=run_night, args=(worker, RENEWED, night_at(RENEWED)))
        night.start()
        assert waiting.arrived.wait(60)
        service.billing.new_card("hanako", now=night_at(RENEWED))
        waiting.go_on.set()
        night.join(60)
        assert figures(service.session) == {
            "terms": [("hanako", date(2026, 3, 26)), ("hanako", RENEWED)],
            "invoices": [("hanako", "paid", 0), ("hanako", "paid", 0)],
            "attempts": [("hanako", "succeeded"), ("hanako", "succeeded")],
            "charges": [("hanako", "succeeded"), ("hanako", "succeeded")],
            "settlements": [("hanako", "card", 500), ("hanako", "card", 500)],
            "clearing": [(1_000,)],
            "receivable": [(0,)],
        }
        assert run_night(service, RENEWED, night_at(RENEWED)).certificate == "ok"
    waiting.close()


def test_3_3__of_two_applications_of_one_account_at_once_one_is_taken(engine: sa.Engine) -> None:
    now = parse_instant("2026-03-26 10:00")
    outcomes: list[str] = []
    start = threading.Barrier(6)

    def apply() -> None:
        with services_on(engine) as services:
            start.wait(60)
            try:
                services.billing.approve("hanako", "monthly", "card", now=now)
                outcomes.append("taken")
            except Refused:
                services.session.rollback()
                outcomes.append("refused")

    with services_on(engine) as services:
        open_world(services)
        threads = [threading.Thread(target=apply) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(outcomes) == ["refused"] * 5 + ["taken"]
        assert figures(services.session)["charges"] == [("hanako", "succeeded")]


def test_5_2__payments_that_arrive_at_once_settle_a_fee_once_and_the_rest_is_a_deposit(engine: sa.Engine) -> None:
    now = parse_instant("2026-04-01 10:00")
    start = threading.Barrier(5)

    def pay() -> None:
        with services_on(engine) as services:
            start.wait(60)
            services.billing.pay("taro", 200, now=now)

    with services_on(engine) as services:
        open_world(services)
        services.billing.approve("taro", "monthly", "other", now=parse_instant("2026-03-26 10:00"))
        threads = [threading.Thread(target=pay) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        rows = services.session.execute(sa.text("SELECT code, sum(yen)::int FROM line GROUP BY code ORDER BY code"))
        balances = {row.code: row.sum for row in rows}
        services.session.rollback()
        assert balances == {"1110": 1_000, "1140": 0, "2120": -500, "2140": -500}
        on = date(2026, 4, 2)
        assert run_night(services, on, night_at(on)).certificate == "ok"


def test_5_2__overdue_payments_that_arrive_at_once_pay_the_interest_once(engine: sa.Engine) -> None:
    now = parse_instant("2026-05-09 10:00")  # due 04-09, 30 days late: 6 yen
    start = threading.Barrier(2)

    def pay() -> None:
        with services_on(engine) as services:
            start.wait(60)
            services.billing.pay("taro", 100, now=now)

    with services_on(engine) as services:
        open_world(services)
        services.billing.approve("taro", "monthly", "other", now=parse_instant("2026-03-26 10:00"))
        threads = [threading.Thread(target=pay) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        parts = services.session.execute(
            sa.text("SELECT kind, sum(yen)::int FROM allocation GROUP BY kind ORDER BY kind")
        )
        assert [tuple(row) for row in parts] == [("interest", 6), ("principal", 194)]
        assert owed_view(services.session, services.rules, "taro", now)["total"] == 306


def test_3_3__an_application_is_approved_or_rejected_never_both(engine: sa.Engine) -> None:
    now = parse_instant("2026-03-26 10:00")
    start = threading.Barrier(2)
    outcomes: list[str] = []

    def act(what: str) -> None:
        with services_on(engine) as services:
            start.wait(60)
            try:
                if what == "approved":
                    services.billing.approve("hanako", now=now)
                else:
                    services.billing.reject("hanako", "審査", now=now)
                outcomes.append(what)
            except Refused:
                services.session.rollback()

    with services_on(engine) as services:
        open_world(services)
        services.billing.register("hanako", "monthly", "card", now=now)
        threads = [threading.Thread(target=act, args=(what,)) for what in ("approved", "rejected")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        row = services.session.execute(sa.text("SELECT approved_at, rejected_at FROM contract")).one()
        held = [what for what, at in zip(("approved", "rejected"), row, strict=True) if at is not None]
        assert held == outcomes
        assert len(held) == 1


def test_13__of_two_that_end_a_contract_at_once_one_finds_it_ended(engine: sa.Engine) -> None:
    """Both looked before either had written: the fact stood twice in what is never rewritten."""
    with services_on(engine) as services:
        open_world(services)
        services.billing.approve("u1", "monthly", "card", now=parse_instant("2026-04-01 10:00"))
        found: list[str] = []
        begin = threading.Barrier(2)

        def leave() -> None:
            with services_on(engine) as mine:
                begin.wait(20)
                try:
                    mine.billing.leave_service("u1", now=parse_instant("2026-04-02 10:00"))
                    found.append("left")
                except Refused as refused:
                    found.append(refused.code)

        threads = [threading.Thread(target=leave) for _ in range(2)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(60)
        assert sorted(found) == ["contract.not_running", "left"]
        facts = "SELECT count(*) FROM contract_fact WHERE kind = 'leave_service'"
        assert services.session.scalar(sa.text(facts)) == 1
