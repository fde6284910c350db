"""What asks the clock of the process, which is held still: today, the hour of the night, the age of a signature."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
import stripe
from apscheduler.triggers.cron import CronTrigger
from freezegun import freeze_time
from typer.testing import CliRunner

from keizoku.billing.cards.webhook import refusal
from keizoku.db.migrate import upgrade
from keizoku.db.schemas import schema_of
from keizoku.scheduler.cli import app
from keizoku.scheduler.night.schedule import NIGHT_AT, night_at
from keizoku.terms.calendar import JST, parse_instant
from tests.worlds.world import open_world, services_on

SECRET = "whsec_" + "a" * 32


@pytest.mark.parametrize(
    ("clock", "today"),
    [
        ("2026-04-30T14:59:59Z", "2026-04-30"),
        ("2026-04-30T15:00:00Z", "2026-05-01"),
        ("2026-03-31T15:00:00Z", "2026-04-01"),
        ("2026-08-31T14:59:59Z", "2026-08-31"),
    ],
)
def test_today_of_a_command_begins_at_midnight_in_japan(
    clock: str, today: str, engine_for_schema: Callable[[], sa.Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_for_schema()
    with engine.connect() as session:
        upgrade(session)
        monkeypatch.setenv("KEIZOKU_DATABASE_SCHEMA", schema_of(session))
    with services_on(engine) as services:
        open_world(services)
        services.billing.approve("taro", "monthly", "other", now=parse_instant("2026-03-20 10:00"))
    monkeypatch.setenv(
        "KEIZOKU_DATABASE_URL", engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    )
    with freeze_time(clock):
        answer = CliRunner().invoke(app, ["interest", "preview", "taro", "--json"], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    assert json.loads(answer.stdout)["on"] == today


@pytest.mark.parametrize(
    ("clock", "wakes"),
    [
        ("2026-04-30T17:29:59Z", date(2026, 5, 1)),
        ("2026-04-30T17:30:01Z", date(2026, 5, 2)),
        ("2028-02-28T17:29:00Z", date(2028, 2, 29)),
        ("2026-12-31T00:00:00Z", date(2027, 1, 1)),
    ],
)
def test_the_worker_wakes_at_its_hour_in_japan_also_on_days_that_come_seldom(clock: str, wakes: date) -> None:
    with freeze_time(clock):
        trigger = CronTrigger(hour=NIGHT_AT.hour, minute=NIGHT_AT.minute, timezone=JST)
        assert trigger.get_next_fire_time(None, datetime.now(JST)) == night_at(wakes)


@pytest.mark.parametrize(("seconds_later", "taken"), [(0, True), (299, True), (302, False), (-302, False)])
def test_a_signature_is_taken_for_five_minutes_of_this_clock(seconds_later: int, taken: bool) -> None:
    event = {"id": "evt_1", "type": "charge.succeeded", "created": 1, "data": {"object": {"id": "ch_1"}}}
    payload = json.dumps(event).encode()
    signed_at = datetime(2026, 4, 30, 15, 0, tzinfo=UTC)
    signature = stripe.WebhookSignature._compute_signature(f"{int(signed_at.timestamp())}.{payload.decode()}", SECRET)
    header = f"t={int(signed_at.timestamp())},v1={signature}"
    with freeze_time(signed_at + timedelta(seconds=seconds_later)):
        found = refusal(payload, header, SECRET, datetime.now(UTC))
    assert (found is None) is taken
