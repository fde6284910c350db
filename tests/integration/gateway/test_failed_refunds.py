"""Refunds that had succeeded and came back: fetched again, booked once on their own day, listed for people."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import cast

import pytest
import sqlalchemy as sa

from keizoku.billing.accounts.account_views import credit_view, trial_balance
from keizoku.billing.accounts.history import state_at
from keizoku.billing.cards.failed_refunds import sync_events
from keizoku.billing.closing.reconciliation_run import reconcile_month
from keizoku.billing.closing.subledgers import subledger_totals
from keizoku.billing.gateway.books import RefundState
from keizoku.billing.gateway.port import Gateway
from keizoku.billing.gateway.refunds import failed_refunds
from keizoku.billing.gateway.stripe_calls import StripeCalls
from keizoku.billing.gateway.stripe_gateway import StripeGateway
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import NightResult, run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.scheduler.simulator import Simulator
from keizoku.terms.calendar import Month, parse_instant
from keizoku.terms.policy import Terms
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules
from tests.integration.gateway.test_overpayment_refunds import gateway, services  # noqa: F401  fixtures
from tests.integration.gateway.test_stripe_gateway import save_card
from tests.worlds.stripe_proxy import KEY, Proxy
from tests.worlds.stripe_running import running_proxy
from tests.worlds.world import open_world

MAY = Month(2026, 5)
TASKS = sa.text("SELECT kind, subject, detail ->> 'failed_on' AS on FROM review_task ORDER BY id")


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    with running_proxy() as proxy:
        yield proxy


def _night(services: Services, proxy: Proxy, on: date) -> NightResult:  # noqa: F811
    at = night_at(on)
    proxy.clock = lambda: at - timedelta(hours=1)
    done = run_night(services, on, at)
    assert (done.certificate, done.differences) == ("ok", ())
    assert trial_balance(services.session)["1131"] == sum(each["net"] for each in proxy.all_of("balance_transactions"))
    return done


def test_9_2__a_refund_that_stripe_takes_back_days_later_is_owed_again_and_the_month_is_explained(
    engine: sa.Engine, proxy: Proxy
) -> None:
    start = datetime(2026, 4, 5, 1, 0, tzinfo=UTC)
    proxy.clock = lambda: start
    calls = StripeCalls.to(KEY, api_base=proxy.url, per_second=1_000, timeout_seconds=5, retries=0)
    stripe = StripeGateway(engine, calls)
    with engine.connect() as session:
        services = Services(session, Rules(Terms.load("premium")), stripe)
        open_world(services)
        save_card(session, calls, proxy, "jiro")
        services.billing.approve("jiro", "monthly", "card", now=start)
        stopped = [parse_instant(f"2026-04-16 {hour}:00") for hour in (12, 20, 21)]
        services.sla.record_outage(from_at=stopped[0], to_at=stopped[1], affected=60_000, now=stopped[2])
        services.sla.claim(id="c", account="jiro", month=Month(2026, 4), now=parse_instant("2026-05-02 10:00"))
        services.billing.leave_service("jiro", now=parse_instant("2026-05-02 11:00"))
        _night(services, proxy, date(2026, 5, 3))
        assert credit_view(session, "jiro") == {"available": 0, "applied": 0, "refunded": 200}
        refund_id = session.execute(sa.text("SELECT gateway_id FROM credit_refund")).scalar_one()

        # an update that changed nothing is looked into once
        proxy.clock = lambda: night_at(date(2026, 5, 5)) - timedelta(hours=2)
        proxy._tell("refund.updated", proxy.ask("GET", f"/v1/refunds/{refund_id}"))
        _night(services, proxy, date(2026, 5, 5))
        looks = sa.text("SELECT state, code, count(*) FROM refund_look GROUP BY state, code ORDER BY state")
        assert [tuple(row) for row in session.execute(looks)] == [("succeeded", None, 1)]

        proxy.clock = lambda: parse_instant("2026-05-09 12:00")
        proxy.fail_refund(refund_id, "charge.refund.updated")
        proxy._tell("refund.failed", proxy.ask("GET", f"/v1/refunds/{refund_id}"))
        _night(services, proxy, date(2026, 5, 11))
        assert run_night(services, date(2026, 5, 11), night_at(date(2026, 5, 11))).changes == 0
        assert credit_view(session, "jiro") == {"available": 200, "applied": 0, "refunded": 0}
        posted = sa.text(
            "SELECT posted_on, code, yen FROM entry JOIN line ON line.entry_id = entry.id "
            "WHERE event = 'refund_failed' ORDER BY code"
        )
        day = date(2026, 5, 9)
        assert [tuple(row) for row in session.execute(posted)] == [(day, "1131", 200), (day, "2130", -200)]
        assert [tuple(row) for row in session.execute(TASKS)] == [("refund_failed", "refund 1", "2026-05-09")]
        assert [tuple(row) for row in session.execute(looks)] == [
            ("failed", "lost_or_stolen_card", 3),
            ("succeeded", None, 1),
        ]
        # as it was on either side of that day, as known afterwards; and on the later day as known before
        for until, known, yen in (
            ("2026-05-09", "2026-05-12", 0),
            ("2026-05-11", "2026-05-12", 200),
            ("2026-05-11", "2026-05-11", 0),
        ):
            seen = {"until": parse_instant(f"{until} 00:00"), "known_at": parse_instant(f"{known} 00:00")}
            assert state_at(session, services.rules, "jiro", **seen)["credit_yen"] == yen
        (listed,) = failed_refunds(session)
        assert {name: listed[name] for name in ("refund", "account", "yen", "code")} == {
            "refund": "refund 1",
            "account": "jiro",
            "yen": 200,
            "code": "lost_or_stolen_card",
        }
        now = parse_instant("2026-05-11 10:00")
        services.billing.refund_dealt_with("refund 1", by="keiri", ground="by bank", now=now)
        with pytest.raises(Refused, match="no failed refund of this name"):
            services.billing.refund_dealt_with("refund 1", by="keiri", ground="by bank", now=now)
        # it is not sent again by itself
        _night(services, proxy, date(2026, 5, 12))
        assert session.execute(sa.text("SELECT count(*) FROM credit_refund")).scalar_one() == 1
        reconciled = reconcile_month(session, stripe, MAY, parse_instant("2026-06-02 09:00"))
        assert (reconciled.outcome.counts, reconciled.unexplained) == ({}, ())
        assert reconciled.outcome.sums["ledger"] == reconciled.outcome.sums["gateway"]
        assert [each for each in subledger_totals(session, MAY, date(2026, 6, 2)) if not each.ties] == []
    stripe.close()


def test_5_2__what_a_card_paid_too_much_and_sends_back_again_is_held_for_its_payer(services: Services) -> None:  # noqa: F811
    services.gateway.veiled = False  # type: ignore[attr-defined]

    def night(day: int) -> NightResult:
        done = run_night(services, date(2026, 3, day), night_at(date(2026, 3, day)))
        assert (done.certificate, done.differences) == ("ok", ())
        return done

    night(27)
    assert trial_balance(services.session).get("2140", 0) == 0
    for _ in range(2):
        Simulator(services).refund_fails("hanako", now=parse_instant("2026-03-28 10:00"))
    night(29)
    assert night(29).changes == 0
    balances = trial_balance(services.session)
    assert (balances["1131"], balances["2140"]) == (500, -500)
    back = services.session.execute(sa.text("SELECT yen, used_on FROM deposit_use WHERE yen < 0")).all()
    assert [tuple(row) for row in back] == [(-500, date(2026, 3, 28))]  # the day of its entry
    tasks = [tuple(row)[:2] for row in services.session.execute(TASKS)]
    assert tasks == [("charged_too_much", "attempt 1"), ("refund_failed", "overcharge 1")]
    later = parse_instant("2026-03-29 10:00")
    assert (
        services.billing.refund_deposit("hanako", by="keiri", ground="by transfer", now=later, through="bank").yen
        == 500
    )
    assert failed_refunds(services.session) == []
    night(30)
    reconciled = reconcile_month(services.session, services.gateway, Month(2026, 3), parse_instant("2026-04-02 09:00"))
    assert (reconciled.outcome.counts, reconciled.unexplained) == ({}, ())


class _Told:
    """A gateway that says the same of every refund, and keeps what it was asked."""

    def __init__(self, state: str) -> None:
        self.state, self.asked = state, list[tuple[str, ...]]()

    def refunds(self, ids: Sequence[str], at: datetime) -> Iterator[RefundState]:
        self.asked += [tuple(ids)] if ids else []
        yield from (RefundState(each, self.state) for each in ids)


@pytest.mark.parametrize("state", ["failed", "nowhere"])
def test_9_2__a_refund_that_succeeded_is_fetched_again_by_its_age_whatever_was_told(
    services: Services,  # noqa: F811
    state: str,
) -> None:
    services.gateway.veiled = False  # type: ignore[attr-defined]
    run_night(services, date(2026, 3, 27), night_at(date(2026, 3, 27)))
    session, made_at = services.session, night_at(date(2026, 3, 27))
    made = session.execute(sa.text("SELECT gateway_id FROM overpayment_refund")).scalar_one()
    session.rollback()

    def asked(days: int, state: str) -> tuple[list[tuple[str, ...]], int]:
        told = _Told(state)
        written = sync_events(session, cast("Gateway", told), made_at + timedelta(days=days, hours=1))
        return told.asked, written

    assert [asked(6, "succeeded"), asked(7, "succeeded"), asked(8, "succeeded")] == [([], 0), ([(made,)], 1), ([], 0)]
    failed = state == "failed"
    assert asked(31, state) == ([(made,)], 4 if failed else 2)
    task = ("refund_failed", "overcharge 1") if failed else ("gateway_object_unknown", f"refund {made}")
    assert [tuple(row)[:2] for row in session.execute(TASKS)][-1] == task
    assert trial_balance(session).get("2140", 0) == (-500 if failed else 0)  # what came back is its payer's
    assert asked(32, "failed") == ([], 0)
