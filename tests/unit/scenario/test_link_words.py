"""Every word of scenarios about the linked service is used by one of the scenarios of its clauses."""

from __future__ import annotations

from pathlib import Path

from keizoku.scheduler.scenario.document import read_scenario
from keizoku.scheduler.scenario.link_words import LINK_ACTIONS, LINK_CHECKS, MISHAPS

SCENARIOS = sorted((Path(__file__).parents[2] / "scenarios").glob("api_link-*.yaml"))


def test_the_scenarios_of_the_linked_service_use_every_step_check_and_mishap() -> None:
    read = [read_scenario(path) for path in SCENARIOS]
    assert [finding for _, findings in read for finding in findings] == []
    steps = [step for scenario, _ in read if scenario for step in scenario.steps]
    looks = [look for scenario, _ in read if scenario for look in scenario.expectations]
    assert set(LINK_ACTIONS) - {step.action for step in steps} == set()
    assert set(MISHAPS) - {step.facts["mishap"] for step in steps if step.action == "link_partner"} == set()
    stated = {(look.check, key) for look in looks for key in look.expected}
    every = {(check, key) for check, words in LINK_CHECKS.items() for key in words if key != "account"}
    assert every - stated == set()
    assert len(SCENARIOS) >= 25
