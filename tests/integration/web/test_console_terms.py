"""Terms in the console: which hold on a day, what a version changes, which code decides a clause."""

from __future__ import annotations

from tests.integration.web.conftest import House
from tests.integration.web.test_console import seated
from tests.worlds.console_world import tiles


def test_which_terms_hold_on_a_day_is_asked_by_the_address(house: House) -> None:
    with seated(house, "support") as client:
        label = "the contract of the linked service"
        assert tiles(client.get("/console/terms?on=2025-02-02").text)[label].startswith("2024-07-01")
        assert tiles(client.get("/console/terms?on=2025-02-03").text)[label].startswith("2025-02-03")
        assert tiles(client.get("/console/terms?on=2020-01-01").text)["the premium contract"].startswith("none holds")
        assert client.get("/console/terms?on=tomorrow").status_code == 422
        clause = client.get("/console/terms/clauses/premium/9.4.2").text
        assert ".".join(("sla", "rules", "unusable_time")) in clause  # as the clause map names it
        assert "/console/terms/readings/premium/short_stop" in clause


def test_a_second_version_of_terms_shows_what_it_changes(house: House) -> None:
    with seated(house, "support") as client:
        first, second = (client.get(f"/console/terms/api_link/{version}") for version in ("2024-07-01", "2025-02-03"))
    assert (first.status_code, second.status_code) == (200, 200)
    assert "What changed" not in first.text
    assert "What changed" in second.text
