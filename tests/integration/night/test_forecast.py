"""The forecast of a night is what the night then writes; nothing of it stays; money waits where it is to."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from keizoku.billing.accounts.account_views import contract_view
from keizoku.db.tables import metadata
from keizoku.db.tables.books import certificate
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.figures import Figure, as_rows, odd_among
from keizoku.scheduler.night.forecast import EveryCardPays, NightForecast, forecast_night, next_night
from keizoku.scheduler.night.nightly_run import NightBusyError, NightResult, run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.scheduler.night.waiting import approve, hold, release
from keizoku.scheduler.night_settings import limit_of
from keizoku.terms.refusal import Refused
from tests.worlds.world import FIRST_NIGHT, Rows, live, open_world, rows, rows_found, services_on

pytestmark = pytest.mark.database


def _wrote(services: Services, on: date) -> list[list[Any]]:
    found = services.session.execute(
        sa.select(certificate.c.wrote).where(certificate.c.business_date == on).order_by(certificate.c.id.desc())
    ).scalars()
    wrote: list[list[Any]] = next(iter(found), [])
    services.session.rollback()
    return wrote


def _all_rows(services: Services) -> Rows:
    return rows(services.session) | {
        name: sorted(tuple(map(str, row)) for row in services.session.execute(sa.select(metadata.tables[name])))
        for name in ("stage_run", "certificate", "night_range")
    }


def test_a_forecast_is_what_the_night_then_writes_and_leaves_nothing(engine: sa.Engine) -> None:
    asked: list[tuple[NightForecast, NightResult, list[list[Any]], bool]] = []

    def forecast_first(services: Services, on: date, now: datetime) -> NightResult:
        whole = on.day in (1, 16)
        before = _all_rows(services) if whole else {}
        found = forecast_night(services, on, now)
        assert not whole or _all_rows(services) == before
        done = run_night(services, on, now)
        refused = rows_found(
            services,
            f"SELECT 1 FROM payment_attempt WHERE started_at = '{now.isoformat()}' AND outcome <> 'succeeded'"
            f" OR outcome IS NULL OR (started_at < '{now.isoformat()}' AND settled_at = '{now.isoformat()}')",
        )
        asked.append((found, done, _wrote(services, on), bool(refused)))
        return done

    with services_on(engine) as services:
        open_world(services)
        live(services, date(2026, 5, 12), night=forecast_first)
    exact = [each for each in asked if not each[3]]
    assert len(exact) > 40
    for found, done, wrote, _ in exact:
        night = {each.stage: each.changes for each in done.stages if each.stage != "audit"}
        assert (found.business_date, dict(found.stages)) == (done.business_date, night)
        assert (sorted(as_rows(found.figures)), found.set_aside) == (sorted(wrote), done.set_aside)
    for found, _, wrote, _ in asked:  # whatever the banks answer: the same cards are asked for the same yen
        charges = [each for each in as_rows(found.figures) if each[1] == "charges"]
        assert charges == [each for each in wrote if each[1] == "charges"]
    names = {each.name for found, *_ in asked for each in found.figures}
    assert {"terms.terms", "invoices.invoices", "payments.charges", "claims.awards", "revenue.recognised"} <= names


def _some(services: Services, last: date) -> None:
    open_world(services)
    live(services, last)


def test_above_a_limit_money_waits_and_the_rest_of_the_night_goes_on(engine: sa.Engine) -> None:
    on = date(2026, 4, 30)
    with services_on(engine) as services:
        _some(services, date(2026, 4, 25))
        for day in (26, 27, 28, 29):
            run_night(services, date(2026, 4, day), night_at(date(2026, 4, day)))
        expected = forecast_night(services, on, night_at(on))
        charges = next(each for each in expected.figures if each.name == "payments.charges")
        limited = replace(services, night_limits=(limit_of(f"payments.charges={charges.yen - 1}yen"),))

        first = run_night(limited, on, night_at(on))
        assert first.certificate == "ok"
        assert first.set_aside == ("payments: stage payments",)
        written = {each[0] + "." + each[1]: each[2:] for each in _wrote(services, on)}
        assert "payments.charges" not in written
        assert written["invoices.invoices"] == next(
            [each.number, each.yen] for each in expected.figures if each.name == "invoices.invoices"
        )
        [(why,)] = rows_found(services, "SELECT detail ->> 'why' FROM review_task WHERE closed_at IS NULL AND "
                                        "subject = 'payments: stage payments'")  # fmt: skip
        assert f"payments.charges {charges.yen:,} yen > {charges.yen - 1:,}" in str(why)
        assert "keizoku night approve --on 2026-04-30" in str(why)

        shown = forecast_night(limited, on, night_at(on))
        assert [(each.name, each.of, each.value) for each in shown.above] == [("payments.charges", "yen", charges.yen)]
        approve(limited, shown, by="keiri", ground="checked with the bank", now=night_at(on))
        second = run_night(limited, on, night_at(on))
        assert (second.set_aside, second.certificate) == ((), "ok")
        [(number, yen)] = rows_found(services, "SELECT count(*), sum(yen) FROM payment_attempt "
                                               "WHERE started_on = '2026-04-30'")  # fmt: skip
        assert (number, yen) == (charges.number, charges.yen)


def test_a_night_held_by_hand_suspends_nobody_whose_card_it_did_not_ask(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        _some(services, date(2026, 4, 20))
        at = night_at(date(2026, 4, 20))
        hold(services.session, by="keiri", ground="the price list is being checked", now=at)
        with pytest.raises(Refused, match="held already"):
            hold(services.session, by="keiri", ground="again", now=at)
        for day in range(21, 31):
            done = run_night(services, date(2026, 4, day), night_at(date(2026, 4, day)))
            assert done.certificate == "ok"
            assert done.set_aside == ("payments: stage payments",)
        for day in range(1, 13):  # longer than it takes to be suspended
            run_night(services, date(2026, 5, day), night_at(date(2026, 5, day)))
        assert rows_found(services, "SELECT 1 FROM payment_attempt WHERE started_on > '2026-04-20'") == []
        at = night_at(date(2026, 5, 12))
        assert contract_view(services.session, services.rules, "u00", at).access
        services.session.rollback()
        assert forecast_night(services, date(2026, 5, 13), at).held == "the price list is being checked"
        release(services.session, by="keiri", ground="it is right", now=at)
        done = run_night(services, date(2026, 5, 13), night_at(date(2026, 5, 13)))
        assert (done.certificate, done.set_aside) == ("ok", ())
        assert rows_found(services, "SELECT 1 FROM payment_attempt WHERE started_on = '2026-05-13' LIMIT 1") == [(1,)]
        with pytest.raises(Refused, match="nobody holds"):
            release(services.session, by="keiri", ground="again", now=at)
        with pytest.raises(sa.exc.DBAPIError, match="night_word"):
            services.session.execute(sa.text("UPDATE night_word SET author = 'x'"))


def test_a_forecast_and_a_night_exclude_each_other_and_the_next_night_is_named(engine: sa.Engine) -> None:
    with services_on(engine) as services, services_on(engine) as other:
        open_world(services)
        assert next_night(services, night_at(FIRST_NIGHT)) == FIRST_NIGHT
        run_night(services, FIRST_NIGHT, night_at(FIRST_NIGHT))
        assert next_night(services, night_at(FIRST_NIGHT)) == date(2026, 3, 26)
        services.session.rollback()
        services.session.execute(sa.text("SELECT 1"))

        def while_it_runs(on: date, stage: str, written: int) -> None:
            with pytest.raises(NightBusyError, match="nothing was forecast"):
                forecast_night(other, date(2026, 3, 27), night_at(date(2026, 3, 27)))

        run_night(services, date(2026, 3, 26), night_at(date(2026, 3, 26)), while_it_runs)


def test_a_rehearsed_gateway_asks_nobody_and_knows_nothing() -> None:
    gateway = EveryCardPays()
    now = night_at(FIRST_NIGHT)
    assert (gateway.books, list(gateway.disputes(["x"], now)), list(gateway.refunds(["x"], now))) == (None, [], [])


def test_odd_is_outside_of_all_nights_and_far_from_their_median() -> None:
    nights = [{"payments.charges": (100 + day, 50_000 + 500 * day)} for day in range(30)]
    ordinary = odd_among([Figure("payments", "charges", 120, 60_000)], nights)
    assert ordinary == []
    [number, yen] = odd_among([Figure("payments", "charges", 400, 200_000)], nights)
    assert (number.name, number.of, number.value, number.median, number.least, number.most, number.nights) == (
        "payments.charges", "number", 400, 114, 100, 129, 30,
    )  # fmt: skip
    assert (yen.of, yen.value, yen.median) == ("yen", 200_000, 57_000)
    missing = odd_among([], nights)
    assert [(each.of, each.value) for each in missing] == [("number", 0), ("yen", 0)]
    first = odd_among([Figure("payments", "refunds", 1, 500)], [{} for _ in range(10)])
    assert [(each.of, each.value, each.most) for each in first] == [("number", 1, 0), ("yen", 500, 0)]
    assert odd_among([Figure("payments", "refunds", 1, 500)], [{} for _ in range(9)]) == []


@pytest.mark.parametrize("written", ["payments.charges", "payments.charges=-1", "charges=5", "odd=1", ""])
def test_a_limit_has_one_form(written: str) -> None:
    with pytest.raises(ValueError, match="has to be"):
        limit_of(written)
