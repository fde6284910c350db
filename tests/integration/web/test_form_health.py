"""The claim form's own record: while nobody answers it, 9.5's time is given back, and not otherwise."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from keizoku.db.tables.evidence import claim_form_outage
from keizoku.terms.calendar import parse_instant
from keizoku.web.form_health import AUTHOR, FormHealth
from tests.integration.web.conftest import House

DEADLINE = parse_instant("2026-06-01 00:00")


def outages(house: House) -> list[tuple[str, str, str]]:
    """Outages of the form that are on record."""
    with house.engine.connect() as session:
        columns = claim_form_outage.c
        rows = session.execute(sa.select(columns.from_at, columns.to_at, columns.author).order_by(columns.id)).all()
    return [(f"{row.from_at:%d %H:%M:%S}", f"{row.to_at:%d %H:%M:%S}", row.author) for row in rows]


def test_9_5__a_form_that_did_not_answer_was_down_from_when_it_was_last_seen(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    health, began = FormHealth(house.door), DEADLINE - timedelta(hours=10)
    for seconds in (0, 30, 150, 270):  # two minutes are no outage
        house.now = began + timedelta(seconds=seconds)
        health.look()
    assert outages(house) == []
    with monkeypatch.context() as broken:
        broken.setattr(FormHealth, "_answer", lambda self, now: 1 // 0)
        for minutes in range(5, 65):
            house.now = began + timedelta(minutes=minutes)
            with pytest.raises(ZeroDivisionError):
                health.look()
    assert outages(house) == []
    house.now = began + timedelta(hours=1, minutes=4, seconds=30)
    health.look()
    assert outages(house) == [("31 05:04:30", "31 06:04:30", AUTHOR)]
    health.look()
    assert len(outages(house)) == 1
    assert house.get("/v1/sla-months/2026-04/measured", "support")["deadline_at"] == "2026-06-01T01:00:00+09:00"


def test_9_5__a_clock_that_was_set_back_makes_no_outage(house: House) -> None:
    health, before = FormHealth(house.door), outages(house)
    house.now -= timedelta(days=2)
    health.look()
    house.now += timedelta(days=2, seconds=20)
    health.look()
    assert outages(house) == before
