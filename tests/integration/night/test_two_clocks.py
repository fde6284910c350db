"""A clock that was wrong once is not believed: acts, cursors, reviews, nights and the audit have a second one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo

import pytest
import sqlalchemy as sa

from keizoku.billing.contracts.application import Application
from keizoku.billing.gateway import events
from keizoku.billing.gateway.books import Dispute, GatewayEvent, Movement, Payout, RefundState
from keizoku.db.tables.claims import claim_decision
from keizoku.db.tables.gateway import gateway_cursor
from keizoku.scheduler import cli
from keizoku.scheduler.app import Services
from keizoku.scheduler.clock import HeldClock, check_gateway_clock, database_now
from keizoku.scheduler.night import run_log
from keizoku.scheduler.night.limits import check_not_too_early, rows_ahead
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.terms.calendar import Month, jst_day, parse_instant
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules
from tests.worlds.pages import database_of_the_settings
from tests.worlds.world import open_world, services_on

YEAR = timedelta(days=365)
MINUTES = timedelta(minutes=5)


@pytest.fixture
def services(engine: sa.Engine) -> Iterator[Services]:
    with services_on(engine) as made:
        open_world(made)
        yield made


def held(services: Services) -> Services:
    """The same services with the database's clock beside the process's."""
    clock = HeldClock(database_now(services.session), MINUTES)
    services.session.rollback()
    return Services(services.session, services.rules, services.gateway, clock)


class QuietBooks:
    """A gateway's books in which nothing happened, with a clock of their own."""

    def __init__(self, says: datetime | None = None) -> None:
        self.says, self.asked_from = says, list[datetime]()

    def server_now(self) -> datetime | None:
        return self.says

    def events(self, since: datetime) -> Iterator[GatewayEvent]:
        self.asked_from.append(since)
        return iter(())

    def movements(self, since: datetime) -> Iterator[Movement]:
        return iter(())

    def payouts(self, since: datetime) -> Iterator[Payout]:
        return iter(())

    def payout(self, payout: str) -> Payout | None:
        return None

    def disputes(self, since: datetime) -> Iterator[Dispute]:
        return iter(())

    def movements_of(self, payout: str) -> Sequence[str]:
        return ()

    def dispute(self, dispute: str) -> Dispute:
        raise LookupError(dispute)

    def refund(self, refund: str) -> RefundState:
        raise LookupError(refund)


def test_a_fact_recorded_ahead_waits_alone_and_is_looked_at_when_its_time_comes(services: Services) -> None:
    for account in ("taro", "jiro", "hanako"):
        services.billing.approve(account, "monthly", "card", now=parse_instant("2026-03-26 10:00"))
    run_night(services, date(2026, 4, 1), night_at(date(2026, 4, 1)))
    from_at, to_at = parse_instant("2026-04-16 12:00"), parse_instant("2026-04-16 20:00")
    services.sla.record_outage(from_at=from_at, to_at=to_at, affected=60_000, now=parse_instant("2026-04-16 21:00"))
    run_night(services, date(2026, 5, 1), night_at(date(2026, 5, 1)))
    said = parse_instant("2026-05-01 10:00")
    services.sla.claim(id="before", account="taro", month=Month(2026, 4), now=said)
    services.sla.claim(id="ahead", account="jiro", month=Month(2026, 4), received_at=said, now=said + YEAR)
    services.sla.claim(id="after", account="hanako", month=Month(2026, 4), now=said + timedelta(hours=1))

    def decided() -> set[str]:
        return set(services.session.scalars(sa.select(claim_decision.c.claim_id)))

    night = run_night(services, date(2026, 5, 2), night_at(date(2026, 5, 2)))
    assert (decided(), night.certificate) == ({"before", "after"}, "ok")
    again = run_night(services, date(2026, 5, 2), night_at(date(2026, 5, 2)))
    assert (again.changes, again.certificate) == (0, "ok")
    late = night_at(date(2026, 5, 2)) + YEAR
    assert run_night(services, date(2026, 5, 3), late).certificate == "ok"
    assert decided() == {"before", "ahead", "after"}


def test_the_cursor_of_the_gateways_news_never_goes_ahead_of_the_databases_clock(services: Services) -> None:
    session, books = services.session, QuietBooks()
    events.poll(session, books, datetime.now(UTC) + YEAR)
    latest = session.execute(sa.select(sa.func.max(gateway_cursor.c.seen_to))).scalar_one()
    assert latest <= database_now(session)
    session.execute(sa.update(gateway_cursor).values(seen_to=datetime.now(UTC) + YEAR))  # as an earlier release did
    session.commit()
    events.poll(session, books, datetime.now(UTC))
    assert books.asked_from[-1] <= database_now(session) - events.OVERLAP
    latest = session.execute(sa.select(sa.func.max(gateway_cursor.c.seen_to))).scalar_one()
    assert latest <= database_now(session)
    # both our clocks are of one machine: the gateway's is a third
    stripe_says = datetime.now(UTC) + timedelta(minutes=-90)
    session.execute(sa.delete(gateway_cursor))
    session.commit()
    events.poll(session, QuietBooks(stripe_says), datetime.now(UTC))
    assert set(session.scalars(sa.select(gateway_cursor.c.seen_to))) == {stripe_says}


def test_an_act_and_a_night_ahead_of_the_databases_clock_are_refused(services: Services) -> None:
    real, ahead = held(services), datetime.now(UTC) + YEAR
    with pytest.raises(Refused, match=r"the clock is ahead: it says 20\d\d-.*nothing was done"):
        real.billing.approve("taro", "monthly", "card", now=ahead)
    with pytest.raises(Refused, match="the clock is ahead"):
        real.sla.population(ahead, 5, now=ahead)
    with pytest.raises(Refused, match="the clock is ahead") as refused:
        run_night(real, date(2027, 11, 30), ahead)
    assert refused.value.code == "clock.ahead"
    assert run_log.last_night(services.session) is None
    real.billing.approve("taro", "monthly", "card", now=datetime.now(UTC) + timedelta(minutes=4))
    services.billing.approve("jiro", "monthly", "card", now=ahead)  # a clock that is given plays any time


def test_a_night_ahead_of_the_gateways_clock_is_refused(services: Services) -> None:
    now = datetime.now(UTC)

    class Stripe:
        name = "stripe"

        def server_now(self) -> datetime | None:
            return now - timedelta(hours=1)

    with pytest.raises(Refused, match=r"the clock is ahead: it says .* UTC, stripe's .* UTC"):
        check_gateway_clock(Stripe(), now, MINUTES)  # type: ignore[arg-type]
    check_gateway_clock(services.gateway, now, MINUTES)


def test_a_row_from_the_future_is_a_difference(services: Services) -> None:
    services.billing.approve("taro", "monthly", "card", now=datetime.now(UTC) + YEAR)
    found = rows_ahead(services.session, MINUTES, whole=True)
    assert [each.split(":")[0] for each in found][:1] == ["contract_fact"] or found
    assert all("were recorded ahead of the database's clock, up to 20" in each for each in found)
    numbered = [each for each in found if not each.startswith("offer:")]  # an offer is known by its digest alone
    assert rows_ahead(services.session, MINUTES, whole=False) == numbered
    night = run_night(held(services), datetime.now(UTC).date(), datetime.now(UTC))
    assert (night.certificate, set(numbered) <= set(night.differences)) == ("differences", True)
    assert rows_ahead(services.session, YEAR + timedelta(days=1), whole=True) == []


def test_many_missed_nights_want_a_persons_word(services: Services) -> None:
    first, later = date(2026, 4, 1), date(2027, 4, 1)
    services.billing.approve("taro", "monthly", "card", now=night_at(first) - timedelta(hours=20))
    run_night(services, first, night_at(first))
    with pytest.raises(Refused, match="would catch up 364 nights missed since 2026-04-01, more than 7") as refused:
        run_night(services, later, night_at(later), most_missed=7)
    assert refused.value.code == "night.many_missed"
    assert run_log.last_night(services.session) == first
    week = first + timedelta(days=8)
    assert len(run_night(services, week, night_at(week), most_missed=7).caught_up) == 7


def test_a_night_before_the_terms_the_first_contract_or_the_last_certificate_is_refused(services: Services) -> None:
    def refused(on: date) -> str:
        with pytest.raises(Refused) as said:
            check_not_too_early(services.session, services.rules, on)
        assert said.value.code == "night.too_early"
        return said.value.sentence

    assert refused(date(1970, 1, 1)) == "there is no night of 1970-01-01: the terms are in force from 2024-12-02 on"
    check_not_too_early(services.session, services.rules, date(2025, 1, 1))
    services.billing.approve("taro", "monthly", "card", now=parse_instant("2026-03-26 10:00"))
    assert refused(date(2025, 12, 1)).endswith("the first contract was applied for on 2026-03-26")
    for day in (date(2026, 3, 27), date(2026, 4, 2)):
        run_night(services, day, night_at(day))
    check_not_too_early(services.session, services.rules, date(2026, 3, 28))  # caught up by the night of 2 April
    check_not_too_early(services.session, services.rules, date(2026, 3, 27))
    assert refused(date(2026, 3, 26)).endswith("it never ran, and the night of 2026-04-02 did: that one stands for it")


def test_5_2__a_first_of_a_month_that_is_run_late_demands_for_the_month_of_the_clock(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        open_world(services)
        services.billing.approve("taro", "monthly", "other", now=parse_instant("2026-03-26 10:00"))
        for day in (date(2026, 3, 27), date(2026, 4, 30)):
            run_night(services, day, night_at(day))
        run_night(services, date(2026, 5, 1), parse_instant("2026-06-20 10:00"))
        occasions = services.session.scalars(
            sa.text("SELECT DISTINCT occasion FROM demand WHERE occasion LIKE 'month:%'")
        )
        assert set(occasions) == {"month:2026-04", "month:2026-06"}


def test_the_rules_of_a_service_are_seen_through_its_second_clock(services: Services) -> None:
    assert isinstance(held(services).billing.rules, Rules)


def test_the_command_refuses_in_one_line_and_takes_a_persons_word(
    engine_for_schema: Callable[[], sa.Engine], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = engine_for_schema()
    database_of_the_settings(lambda: engine, monkeypatch)
    today = jst_day(datetime.now(UTC))
    began = today - timedelta(days=20)
    with services_on(engine) as services:
        open_world(services)
        services.billing.approve("taro", "monthly", "other", now=night_at(began) - timedelta(hours=20))
        run_night(services, began, night_at(began))

    def run(*arguments: str) -> tuple[int, list[str]]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["night", *arguments])
        said = capsys.readouterr().err.splitlines()
        return int(ended.value.code or 0), [line for line in said if not line.startswith("database: ")]

    code, said = run("--on", "1970-01-01")
    assert (code, len(said)) == (1, 1)
    assert "there is no night of 1970-01-01: the terms are in force from 2024-12-02 on" in said[0]
    code, said = run()
    assert (code, len(said)) == (1, 1)
    assert f"would catch up 19 nights missed since {began}, more than 7" in said[0]
    assert run("--catch-up") == (0, [])
    with engine.connect() as session:
        assert run_log.last_night(session) == today
    monkeypatch.setattr("keizoku.scheduler.cli.shared.context.datetime", _Ahead)
    code, said = run()
    assert (code, len(said), "the clock is ahead" in said[0]) == (1, 1, True)


class _Ahead(datetime):
    """A process whose clock is three days ahead."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> _Ahead:
        return cls.fromtimestamp(datetime.now(tz).timestamp() + 3 * 86_400, tz)


@pytest.mark.parametrize(
    ("said_at", "why"),
    [
        ("2026-05-20 23:00", "a night has recognised revenue up to 2026-05-30"),
        ("2026-03-24 12:00", "its last term began on 2026-03-26"),
    ],
)
def test_13__a_clock_that_is_behind_ends_no_contract_on_a_day_that_a_night_has_closed(
    said_at: str, why: str, services: Services
) -> None:
    """It was a difference of the next certificate; before the last term's beginning it was one for good."""
    services.billing.approve("u1", "yearly", "card", now=parse_instant("2026-03-26 10:00"))
    run_night(services, date(2026, 5, 31), night_at(date(2026, 5, 31)))
    with pytest.raises(Refused) as refused:
        services.billing.leave_service("u1", now=parse_instant(said_at))
    assert (refused.value.code, why in str(refused.value)) == ("clock.behind", True)
    services.billing.leave_service("u1", now=parse_instant("2026-05-31 23:00"))
    for on in (date(2026, 6, 1), date(2026, 6, 2)):
        assert run_night(services, on, night_at(on), whole_audit=True).certificate == "ok"


def test_a_clock_that_is_behind_lifts_no_suspension_before_it_began(services: Services) -> None:
    services.billing.approve("u1", "monthly", "card", now=parse_instant("2026-03-26 10:00"))
    services.billing.suspend("u1", "an abuse", now=parse_instant("2026-04-02 10:00"))
    with pytest.raises(Refused) as refused:
        services.billing.resume("u1", "a mistake", now=parse_instant("2026-04-01 10:00"))
    assert refused.value.code == "clock.behind"
    services.billing.resume("u1", "a mistake", now=parse_instant("2026-04-02 10:00"))


def test_an_application_in_which_a_text_is_no_text_is_refused_in_words(services: Services) -> None:
    at = parse_instant("2026-03-26 10:00")
    for account, plan in (("a\ud800", "monthly"), ("u1", "month\0ly")):
        with pytest.raises(Refused):
            services.billing.enrol([Application(account, plan, "card", at)], now=at)
