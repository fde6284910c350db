"""The forecast of a night over HTTP, its limits, and the approval of what was shown."""

from __future__ import annotations

from datetime import date, timedelta

from keizoku.terms.calendar import parse_instant
from tests.integration.web.conftest import House


def test_a_night_is_foreseen_held_by_a_limit_and_approved_as_shown(house: House) -> None:
    last = date.fromisoformat(house.get("/v1/last-night")["business_date"])
    house.now = parse_instant(f"{last + timedelta(days=1)} 02:30")
    plain = house.get("/v1/nights/forecast")
    assert plain["business_date"] == str(last + timedelta(days=1))
    figures = {f"{each['stage']}.{each['what']}": (each["number"], each["yen"]) for each in plain["figures"]}
    assert plain["stages"]["revenue"] > 0
    assert (plain["above"], plain["held"]) == ([], None)
    kept = house.door.settings
    recognised = figures["revenue.recognised"]
    house.door.settings = kept.model_copy(update={"night_limits": (f"revenue.recognised={recognised[1] - 1}yen",)})
    try:
        above = house.get("/v1/nights/forecast")["above"]
    finally:
        house.door.settings = kept
    assert above == [{"name": "revenue.recognised", "of": "yen", "value": recognised[1], "most": recognised[1] - 1}]
    assert house.ask("GET", "/v1/nights/forecast", "support")[0] == 403

    assert house.act("/v1/nights/hold", {"ground": "looking"}) == (200, {"held": True})
    status, told = house.act("/v1/nights/hold", {"ground": "looking"})
    assert (status, told["type"]) == (409, "/v1/problems/night.held")
    assert house.get("/v1/nights/forecast")["held"] == "looking"
    on = plain["business_date"]
    said = {"ground": "seen", "shown": {"revenue.recognised yen": recognised[1]}}
    assert house.act(f"/v1/nights/{on}/approve", said) == (200, {"business_date": on, "approved": True})
    assert house.get("/v1/nights/forecast")["held"] is None
    assert house.act(f"/v1/nights/{on}/approve", {"ground": "x", "shown": {"nonsense": 1}})[0] == 422
    assert house.act("/v1/nights/release", {"ground": "done"}) == (200, {"held": False})
