"""Disputes, payouts and movements in every state that Stripe knows: what is booked follows the money, once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from keizoku.billing.accounts.account_views import owed_view, trial_balance
from keizoku.billing.accounts.history import account_history
from keizoku.billing.accounts.liability_explanation import explain_liability
from keizoku.billing.cards.dispute_choices import disputes
from keizoku.billing.cards.disputes import sync_events
from keizoku.billing.cards.webhook import Answer, handle
from keizoku.billing.gateway.stripe_calls import StripeCalls
from keizoku.billing.gateway.stripe_gateway import StripeGateway
from keizoku.billing.receivables.customer_deposits import deposit_of
from keizoku.db.tables.gateway import gateway_event, gateway_payout
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.terms.calendar import parse_instant
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules
from tests.integration.gateway.test_stripe_gateway import save_card
from tests.worlds.stripe_proxy import KEY, Proxy
from tests.worlds.stripe_running import running_proxy
from tests.worlds.world import open_world

NOW = parse_instant("2026-04-20 10:00")
START = datetime(2026, 4, 2, 1, 0, tzinfo=UTC)
MOVED = {"id": "txn_1", "currency": "jpy", "created": 1_775_000_000, "fee": 0}


@dataclass
class World:
    """Accounts whose first term was charged on 2 April, and the nights after it."""

    services: Services
    proxy: Proxy
    day: int = 2
    intents: dict[str, str] = field(default_factory=dict)

    def night(self) -> int:
        """The next night; the certificate is clean and the clearing account is Stripe's balance."""
        self.day += 1
        at = night_at(date(2026, 4, self.day))
        self.proxy.clock = lambda: at
        done = run_night(self.services, date(2026, 4, self.day), at)
        aside = self.services.session.execute(sa.text("SELECT detail FROM review_task WHERE kind = 'set_aside'")).all()
        assert (done.certificate, done.differences, done.set_aside) == ("ok", (), ()), aside
        return done.changes

    def again(self) -> int:
        """The last night once more."""
        on = date(2026, 4, self.day)
        return run_night(self.services, on, night_at(on)).changes

    def at_noon(self) -> None:
        """What happens now happens on the day after the last night."""
        noon = night_at(date(2026, 4, self.day)) + timedelta(hours=9)
        self.proxy.clock = lambda: noon

    @property
    def balance(self) -> int:
        """What Stripe has of ours."""
        return sum(each["net"] for each in self.proxy.all_of("balance_transactions"))

    def books(self, *codes: str) -> dict[str, int]:
        """Balances of accounts."""
        found = trial_balance(self.services.session)
        self.services.session.rollback()
        return {code: found.get(code, 0) for code in codes}

    def tasks(self) -> list[tuple[str, str]]:
        """Open tasks."""
        rows = self.services.session.execute(
            sa.text("SELECT kind, subject FROM review_task WHERE closed_at IS NULL ORDER BY id")
        ).all()
        self.services.session.rollback()
        return [(row.kind, row.subject) for row in rows]


@pytest.fixture
def world(engine: sa.Engine) -> Iterator[World]:
    with running_proxy() as proxy, engine.connect() as session:
        proxy.clock = lambda: START
        calls = StripeCalls.to(KEY, api_base=proxy.url, per_second=1_000, timeout_seconds=5, retries=0)
        gateway = StripeGateway(engine, calls)
        services = Services(session, Rules(Terms.load("premium")), gateway)
        open_world(services)
        yield World(services, proxy)
        gateway.close()


def members(world: World, *accounts: str) -> None:
    session = world.services.session
    for account in accounts:
        save_card(session, world.services.gateway.calls, world.proxy, account)  # type: ignore[attr-defined]
        world.services.billing.approve(account, "monthly", "card", now=START)
        query = sa.text("SELECT gateway_id FROM payment_attempt WHERE account = :account")
        world.intents[account] = session.execute(query, {"account": account}).scalar_one()
    session.rollback()


def test_5_2__inquiries_book_nothing_and_what_is_booked_follows_the_money_to_the_appeal(world: World) -> None:
    members(world, "asks", "grows", "prevented", "paid_since")
    proxy = world.proxy
    ids = {
        "asks": proxy.dispute(world.intents["asks"], inquiry=True),
        "grows": proxy.dispute(world.intents["grows"], inquiry=True),
        "prevented": proxy.dispute(world.intents["prevented"], inquiry=True),
        "paid_since": proxy.dispute(world.intents["paid_since"]),
    }
    proxy.act("events", lose=["charge.dispute.created"] * 2)

    def states() -> dict[str, str]:
        found = {each["account"]: each["state"] for each in disputes(world.services.session)}
        world.services.session.rollback()
        return found

    world.night()
    assert states() == {"asks": "inquiry", "grows": "inquiry", "prevented": "inquiry", "paid_since": "open"}
    assert world.books("1131", "1132", "6112") == {"1131": world.balance, "1132": 500, "6112": 1_500}
    # an inquiry ends, one becomes a dispute, one is prevented, a dispute is lost: events of all of them are lost
    world.at_noon()
    proxy.act("events", lose=["charge.dispute.*", "charge.dispute.closed", "charge.dispute.updated"] * 9)
    proxy.act("dispute", id=ids["asks"], status="warning_closed")
    proxy.act("dispute", id=ids["grows"], status="needs_response")
    proxy.act("dispute", id=ids["prevented"], status="prevented")
    proxy.act("dispute", id=ids["paid_since"], status="lost")
    world.night()
    assert states() == {"asks": "closed", "grows": "open", "prevented": "prevented", "paid_since": "lost"}
    assert world.books("1131", "1132", "1140", "6112") == {
        "1131": world.balance, "1132": 500, "1140": 500, "6112": 3_000,
    }  # fmt: skip
    world.at_noon()
    proxy.act("dispute", id=ids["grows"], status="lost")
    world.night()
    assert states()["grows"] == "lost"
    assert world.books("1132", "1140") == {"1132": 0, "1140": 1_000}
    noon = night_at(date(2026, 4, world.day)) + timedelta(hours=9)
    world.services.billing.pay("paid_since", 500, now=noon)
    # both are won on appeal, their fees come back: one is paid by its card after all, one was paid since
    world.at_noon()
    for account in ("grows", "paid_since"):
        proxy.act("dispute", id=ids[account], status="appeal_under_review")
    world.night()
    assert states()["grows"] == "lost"
    world.at_noon()
    proxy.act("dispute", id=ids["grows"], status="won", fee=-1_500)
    world.night()
    assert states() == {"asks": "closed", "grows": "won", "prevented": "prevented", "paid_since": "lost"}
    assert world.books("1131", "1132", "1140", "6112") == {"1131": world.balance, "1132": 0, "1140": 0, "6112": 1_500}
    now = night_at(date(2026, 4, 20))
    assert owed_view(world.services.session, world.services.rules, "grows", now)["total"] == 0
    world.services.session.rollback()
    assert world.tasks() == []
    world.at_noon()
    proxy.act("dispute", id=ids["paid_since"], status="won")
    world.night()
    assert world.tasks() == [("dispute_won_late", f"dispute {ids['paid_since']}")]
    assert world.again() == 0
    # what came back is in the books the same night: the payer has paid twice, and we hold it for them
    assert world.books("1131", "1132", "1140", "2140") == {"1131": world.balance, "1132": 0, "1140": 0, "2140": -500}
    assert deposit_of(world.services.session, "paid_since").card_yen == 500


def test_5_2__what_comes_back_in_part_or_after_all_is_in_the_books_the_night_it_is_seen(world: World) -> None:
    members(world, "won_part", "lost_part", "late_part", "fee", "again")
    proxy = world.proxy
    ids = {account: proxy.dispute(intent, fee=0) for account, intent in world.intents.items()}
    world.night()
    assert world.books("1131", "1132", "6112") == {"1131": world.balance, "1132": 2_500, "6112": 0}
    proxy.act("events", lose=["*"] * 50)  # nothing tells of what follows but the balance itself
    world.at_noon()
    proxy.act("dispute", id=ids["won_part"], status="won", moves=[{"amount": 300}])
    proxy.act("dispute", id=ids["lost_part"], status="lost", moves=[{"amount": 200}])
    proxy.act("dispute", id=ids["late_part"], status="lost")
    proxy.act("dispute", id=ids["fee"], status="under_review", moves=[{"amount": 0, "fee": 1_500}])
    proxy.act("dispute", id=ids["again"], status="won")
    world.night()
    now = night_at(date(2026, 4, world.day))
    owed = {each: owed_view(world.services.session, world.services.rules, each, now)["principal"] for each in ids}
    assert owed == {"won_part": 200, "lost_part": 300, "late_part": 500, "fee": 0, "again": 0}
    assert world.books("1131", "1132", "1140", "6112") == {
        "1131": world.balance, "1132": 500, "1140": 1_000, "6112": 1_500,
    }  # fmt: skip
    # a part of the lost money comes back, the fee is given back, what was won is taken once more, in the same states
    world.at_noon()
    proxy.act("dispute", id=ids["late_part"], status="lost", moves=[{"amount": 120}])
    proxy.act("dispute", id=ids["fee"], status="under_review", moves=[{"amount": 0, "fee": -1_500}])
    proxy.act("dispute", id=ids["again"], status="won", moves=[{"amount": -500}])
    world.night()
    assert world.books("1131", "1132", "1140", "6112") == {
        "1131": world.balance, "1132": 1_000, "1140": 880, "6112": 0,
    }  # fmt: skip
    world.at_noon()
    proxy.act("dispute", id=ids["again"], status="lost", moves=[])
    proxy.act("dispute", id=ids["fee"], status="won")
    world.night()
    assert world.books("1131", "1132", "1140") == {"1131": world.balance, "1132": 0, "1140": 1_380}
    session = world.services.session
    found = {each["account"]: (each["state"], each["yen"], each["returned_yen"]) for each in disputes(session)}
    assert found == {
        "won_part": ("won", 500, 300), "lost_part": ("lost", 500, 200), "late_part": ("lost", 500, 120),
        "fee": ("won", 500, 500), "again": ("lost", 1_000, 500),
    }  # fmt: skip
    history = account_history(session, world.services.rules, "late_part", until=NOW, known_at=NOW)
    said = [each.kind for each in history.events]
    assert [each for each in said if each.startswith("dispute")] == ["dispute_open", "dispute_lost", "dispute_returned"]
    assert explain_liability(session, world.services.rules, "lost_part", NOW).cap.yen == 200
    session.rollback()
    assert (world.tasks(), world.again()) == ([], 0)


def test_what_stripe_does_not_know_is_a_task_and_is_not_asked_for_each_night(world: World) -> None:
    session = world.services.session
    at = START - timedelta(days=2)
    event = {"kind": "charge.dispute.created", "happened_at": at, "recorded_at": at}
    session.execute(sa.insert(gateway_event).values(id="evt_9", about="dp_9", **event))
    payout = {"amount": 5, "currency": "jpy", "state": "in_transit", "automatic": True}
    days = {"happened_at": at, "arrives_at": at, "recorded_at": at}
    session.execute(sa.insert(gateway_payout).values(payout="po_9", **payout, **days))
    session.commit()
    world.night()
    known = [("gateway_object_unknown", "payout po_9"), ("gateway_object_unknown", "dispute dp_9")]
    assert world.tasks() == known
    world.proxy.calls.clear()
    world.night()
    asked = [path for _, path in world.proxy.calls if path.endswith(("po_9", "dp_9"))]
    assert (asked, world.tasks()) == ([], known)
    # once people have closed a task it is asked for again, and opened again
    session.execute(sa.text("UPDATE review_task SET closed_at = opened_at, closed_by = 'k', closed_ground = 'k'"))
    session.commit()
    world.night()
    assert sorted(world.tasks()) == sorted(known)


def test_a_webhook_about_a_dispute_asks_for_that_one_alone(world: World) -> None:
    members(world, "told", "open")
    proxy, services = world.proxy, world.services
    dispute = proxy.dispute(world.intents["told"])
    proxy.dispute(world.intents["open"])
    world.night()
    world.at_noon()
    proxy.act("dispute", id=dispute, status="won")
    [told] = [each for each in proxy.all_of("events") if each["type"] == "charge.dispute.closed"]
    key = "whsec_1"
    posted = proxy.act("payload", event=told["id"], secret=key)
    proxy.calls.clear()
    body, signature, now = posted["payload"].encode(), posted["signature"], proxy.clock()
    answer = handle(services.session, services.rules, services.gateway, body, signature, key, now)
    assert (answer.answer, answer.changes) == (Answer.TAKEN, 3)
    assert proxy.calls == [("GET", f"/v1/disputes/{dispute}")]
    assert world.books("1132") == {"1132": 500}


def test_a_dispute_of_a_charge_that_has_no_answer_yet_is_booked_when_it_has(world: World) -> None:
    members(world, "late")
    session = world.services.session
    dispute = world.proxy.dispute(world.intents["late"])
    answered = session.execute(sa.text("SELECT gateway_id, settled_at FROM payment_attempt")).one()
    session.execute(sa.text("ALTER TABLE payment_attempt DISABLE TRIGGER ALL"))
    take_away = "UPDATE payment_attempt SET outcome = NULL, gateway_id = NULL, settled_on = NULL, settled_at = NULL"
    session.execute(sa.text(f"{take_away}, answer_recorded_at = NULL"))
    session.commit()
    at = night_at(date(2026, 4, 3))
    world.proxy.clock = lambda: at
    assert sync_events(session, world.services.rules, world.services.gateway, at) == 0
    assert (disputes(session), world.tasks()) == ([], [])
    session.execute(
        sa.text(
            "UPDATE payment_attempt SET outcome = 'succeeded', gateway_id = :gateway_id, settled_at = :at, "
            "settled_on = '2026-04-02', answer_recorded_at = :at"
        ),
        {"gateway_id": answered.gateway_id, "at": answered.settled_at},
    )
    session.commit()
    assert sync_events(session, world.services.rules, world.services.gateway, at) == 2
    [found] = disputes(session)
    assert (found["dispute"], found["account"], found["state"]) == (dispute, "late", "open")
    assert world.books("1132", "6112") == {"1132": 500, "6112": 1_500}


def test_payouts_become_paid_fail_afterwards_and_name_their_movements_when_they_can(world: World) -> None:
    members(world, "one", "two")
    proxy, session = world.proxy, world.services.session

    def state_of(payout: str) -> tuple[list[str], int]:
        rows = session.execute(sa.text("SELECT state FROM gateway_payout WHERE payout = :p ORDER BY id"), {"p": payout})
        known = session.execute(sa.text("SELECT count(*) FROM payout_movement WHERE payout = :p"), {"p": payout})
        found = list(rows.scalars()), int(known.scalar_one())
        session.rollback()
        return found

    world.night()
    world.at_noon()
    proxy.act("events", lose=["payout.paid", "payout.failed", "payout.updated", "payout.reconciliation_completed"] * 3)
    paid = proxy.act("payout", status="pending")["id"]
    world.night()
    assert (state_of(paid), world.books("1110", "1131")) == ((["pending"], 0), {"1110": 964, "1131": 0})
    world.at_noon()
    proxy.act("payout", id=paid, status="in_transit")
    world.night()
    assert state_of(paid) == (["pending", "in_transit"], 0)
    world.at_noon()
    proxy.act("payout", id=paid, status="paid", reconciled=False)
    world.night()
    assert state_of(paid) == (["pending", "in_transit", "paid"], 0)
    world.at_noon()
    proxy.act("payout", id=paid, reconciled=True)
    world.night()
    assert state_of(paid) == (["pending", "in_transit", "paid"], 2)
    world.at_noon()
    proxy.act("payout", id=paid, status="failed")  # the bank sends it back, days after it was paid
    world.night()
    assert state_of(paid) == (["pending", "in_transit", "paid", "failed"], 2)
    assert world.books("1110", "1131") == {"1110": 0, "1131": world.balance} == {"1110": 0, "1131": 964}
    entries = session.execute(
        sa.text(
            "SELECT count(*) FROM entry JOIN line ON line.entry_id = entry.id WHERE event = 'payout' AND code = '1110'"
        )
    ).scalar_one()
    assert entries == 2  # its own entry takes it back
    session.rollback()
    assert world.again() == 0


def test_5_2__a_state_of_the_gateway_that_may_still_change_is_asked_for_by_age_after_months_without_events(
    world: World,
) -> None:
    members(world, "late")
    proxy = world.proxy
    world.night()
    world.at_noon()
    dispute = proxy.dispute(world.intents["late"])
    payout = proxy.act("payout", status="in_transit")["id"]
    world.night()
    later = parse_instant("2026-06-20 02:30")  # more than Stripe keeps events
    proxy.clock = lambda: later - timedelta(days=40)
    proxy.act("dispute", id=dispute, status="won")
    proxy.act("payout", id=payout, status="paid")
    proxy.clock = lambda: later
    run_night(world.services, later.date(), later)
    session = world.services.session
    assert [each["state"] for each in disputes(session)] == ["won"]
    states = session.execute(sa.text("SELECT state FROM gateway_payout ORDER BY id")).scalars().all()
    assert states == ["in_transit", "paid"]
    assert world.books("1132")["1132"] == 0
