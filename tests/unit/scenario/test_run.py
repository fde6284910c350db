"""A scenario runs in order of instants, and whatever does not come true is a failure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from keizoku.billing.closing import month_close
from keizoku.scheduler.app import Services
from keizoku.scheduler.scenario import checks, run
from keizoku.scheduler.scenario.actions import keywords
from keizoku.scheduler.scenario.checks import agree
from keizoku.scheduler.scenario.document import Expectation, Scenario, Step, read_scenario
from keizoku.scheduler.scenario.outcome import Failure, Outcome
from keizoku.scheduler.scenario.report import as_text
from keizoku.scheduler.scenario.run import Night, moments, play
from keizoku.terms.calendar import Month
from keizoku.terms.decision import Finding
from keizoku.terms.refusal import Refused

DIARY = """\
title: Three days
timeline:
  - {at: 2025-04-10 02:30, claim_form_down: {from: 2025-04-09, to: 2025-04-10}}
  - {at: 2025-04-10 09:00, skip_nights: {from: 2025-04-12, to: 2025-04-14}}
  - {at: 2025-04-13 02:30, stop: {from: 2025-04-12 07:00, to: 2025-04-12 08:00, affected: 60000}}
  - {at: 2025-04-20 09:00, run_night: {date: 2025-04-14}}
expect:
  - {at: 2025-04-13, night: {date: 2025-04-13, changes: 0}}
  - {at: 2025-04-14, night: {date: 2025-04-14, changes: 3, certificate: ok}}
"""


def scenario_of(text: str, tmp_path: Path) -> Scenario:
    path = tmp_path / "diary.yaml"
    path.write_text(text, encoding="utf-8")
    scenario, findings = read_scenario(path)
    assert scenario is not None, findings
    return scenario


class FakeSession:
    def rollback(self) -> None: ...


class FakeSla:
    """Answers like a desk; `answers` says what an action comes to."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def population(self, from_at: datetime, users: int, *, now: datetime) -> list[Finding]:
        return []

    def __getattr__(self, action: str) -> Any:
        def act(**facts: Any) -> Any:
            self.asked.append((action, facts))
            answer = self.answers.get(action, [])
            if isinstance(answer, Exception):
                raise answer
            return answer

        return act


def services_of(answers: Mapping[str, Any]) -> tuple[Services, FakeSla]:
    sla = FakeSla(answers)
    return cast(Services, SimpleNamespace(session=FakeSession(), rules=None, sla=sla, billing=None)), sla


@pytest.fixture
def nights_run(monkeypatch: pytest.MonkeyPatch) -> list[tuple[date, datetime]]:
    ran: list[tuple[date, datetime]] = []

    def run_night(services: Services, business_date: date, now: datetime) -> SimpleNamespace:
        ran.append((business_date, now))
        return SimpleNamespace(changes=3, certificate="ok")

    monkeypatch.setattr(run, "run_night", run_night)
    return ran


def test_steps_then_the_night_then_expectations_at_one_instant(tmp_path: Path) -> None:
    def shown(moment: Step | Night | Expectation) -> str:
        match moment:
            case Step():
                return moment.action
            case Night():
                return str(moment.business_date)
            case Expectation():
                return f"expected {moment.when}"

    assert [shown(moment) for moment in moments(scenario_of(DIARY, tmp_path))] == [
        "claim_form_down", "2025-04-10", "2025-04-11", "stop", "expected 2025-04-13", "2025-04-14",
        "expected 2025-04-14", "run_night",
    ]  # fmt: skip


def test_nights_run_at_half_past_two_in_japan_and_can_be_doubled(
    tmp_path: Path, nights_run: list[tuple[date, datetime]]
) -> None:
    services, _ = services_of({})
    failures, crash = play(scenario_of(DIARY, tmp_path), services)
    assert crash is None
    assert nights_run == [
        (date(2025, 4, 10), datetime(2025, 4, 9, 17, 30, tzinfo=UTC)),
        (date(2025, 4, 11), datetime(2025, 4, 10, 17, 30, tzinfo=UTC)),
        (date(2025, 4, 14), datetime(2025, 4, 13, 17, 30, tzinfo=UTC)),
        (date(2025, 4, 14), datetime(2025, 4, 20, tzinfo=UTC)),
    ]
    assert failures == [
        Failure(
            "2025-04-13",
            "night",
            {"date": "2025-04-13", "changes": 0},
            {"date": "2025-04-13", "changes": "no night of this date has run"},
        )
    ]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Refused("payment.ahead", "the period is over"), "the period is over"),
        (NotImplementedError("not built yet: stops"), "not built yet: stops"),
        ([Finding("stop", None, "0 users", "users are needed", "count them")],
         "0 users: users are needed; count them"),
    ],
)  # fmt: skip
def test_what_the_engine_refuses_fails_and_the_scenario_goes_on(
    tmp_path: Path, nights_run: list[tuple[date, datetime]], answer: object, says: str
) -> None:
    services, _ = services_of({"record_outage": answer})
    failures, crash = play(scenario_of(DIARY, tmp_path), services)
    assert crash is None
    assert [(failure.at, failure.check, failure.actual) for failure in failures if failure.check == "stop"] == [
        ("2025-04-13T02:30:00+09:00", "stop", says)
    ]
    assert len(nights_run) == 4


def test_an_error_of_the_program_stops_the_scenario_and_is_kept(
    tmp_path: Path, nights_run: list[tuple[date, datetime]]
) -> None:
    bug = KeyError("term")
    services, _ = services_of({"record_outage": bug})
    failures, crash = play(scenario_of(DIARY, tmp_path), services)
    assert crash is bug
    assert failures[-1].actual.startswith("KeyError: 'term' (test_run.py:")
    assert len(nights_run) == 2


def test_a_notice_that_came_too_late_is_for_the_scenario_to_expect(
    tmp_path: Path, nights_run: list[tuple[date, datetime]]
) -> None:
    late = [Finding("notice", None, "n1", "five clear days", "recorded; it excludes nothing")]
    notice = "notice: {id: n1, published: 2025-04-13, from: 2025-04-14 02:00, to: 2025-04-14 04:00}"
    text = DIARY.replace("stop: {from: 2025-04-12 07:00, to: 2025-04-12 08:00, affected: 60000}", notice)
    services, sla = services_of({"notice": late})
    failures, _ = play(scenario_of(text, tmp_path), services)
    assert [failure.check for failure in failures] == ["night"]
    assert [action for action, _ in sla.asked] == ["claim_form_down", "notice"]


@pytest.mark.parametrize(
    ("stated", "answer", "failure"),
    [
        ("true", Refused("payment.ahead", "the period is over"), None),
        ("the period", Refused("payment.ahead", "the period is over"), None),
        ("true", [Finding("stop", None, "0 users", "users are needed", "count them")], None),
        ("true", [], ({"refused": True}, "done")),
        (
            "the account",
            Refused("payment.ahead", "the period is over"),
            ({"refused": "the account"}, "the period is over"),
        ),
    ],
)
def test_a_step_that_has_to_be_refused_fails_if_it_is_taken_or_refused_for_another_reason(
    tmp_path: Path,
    nights_run: list[tuple[date, datetime]],
    stated: str,
    answer: object,
    failure: tuple[object, str] | None,
) -> None:
    services, sla = services_of({"record_outage": answer})
    text = DIARY.replace("affected: 60000}}", f"affected: 60000}}, refused: {stated}}}")
    failures, crash = play(scenario_of(text, tmp_path), services)
    assert crash is None
    assert [(each.expected, each.actual) for each in failures if each.check == "stop"] == ([failure] if failure else [])
    assert [action for action, _ in sla.asked] == ["claim_form_down", "record_outage"]


@pytest.mark.parametrize("stated", ["false", "12", "[a]", '""', "null"])
def test_refused_is_true_or_a_part_of_the_reason(tmp_path: Path, stated: str) -> None:
    path = tmp_path / "diary.yaml"
    path.write_text(DIARY.replace("affected: 60000}}", f"affected: 60000}}, refused: {stated}}}"), encoding="utf-8")
    _, findings = read_scenario(path)
    assert [(each.line, each.rule) for each in findings] == [(5, "`refused` is true, or a part of the reason")]


def test_keys_become_the_keywords_of_the_desk() -> None:
    now = datetime(2025, 4, 1, tzinfo=UTC)
    facts = {"from": 1, "to": 2, "for": 3, "on": 4, "id": 5, "month": Month(2025, 4)}
    assert keywords(Step(now, "stop", facts, 1)) == {
        "from_at": 1, "to_at": 2, "term": 3, "decided_on": 4, "id": 5, "month": Month(2025, 4),
        "ground": "as the scenario states",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("key", "expected", "actual", "same"),
    [
        ("outcome", "ok", "succeeded", True),
        ("outcome", "ok", "insufficient_funds", False),
        ("outcome", "unknown", "unknown", True),
        ("outcome", "timeout_before", "unknown", True),
        ("outcome", "insufficient_funds", "unknown", False),
        ("outcome", "timeout_after_success", "succeeded", False),
        ("rate", 0, "0", True),
        ("rate", None, "0", True),
        ("term", (date(2025, 1, 1), date(2025, 2, 1)), ["2025-01-01", "2025-02-01"], True),
        ("term", None, None, True),
        ("balances", {"2130": 0}, {"1131": 500}, True),
        ("balances", {"2130": 0}, {"2130": -5}, False),
        ("waterfall", {"night": 5}, {"night": 5, "recognised": 9}, True),
        ("waterfall", {"night": 5}, None, False),
        ("windows", ((datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, 0, 1, tzinfo=UTC)),), [[0, 60]], True),
        ("list", ({"total": 500},), [{"total": 500, "tax": 45}], True),
        ("list", ({"total": 500},), [{"total": 500}, {"total": 500}], False),
        ("list", (), [], True),
        ("list", ({"paid_on": None},), [{"total": 500}], False),
        ("access", True, 1, True),
        ("count", 1, 2, False),
    ],
)  # fmt: skip
def test_agreement(key: str, expected: object, actual: object, same: bool) -> None:
    assert agree(key, expected, actual) is same


def test_a_failure_shows_the_stated_keys_of_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2025, 4, 1, tzinfo=UTC)
    expectation = Expectation(now, None, "invoices", "jiro", {"list": ({"total": 500, "tax": 45}, {"total": 600})}, 7)
    seen = {"list": [{"total": 500, "tax": 45, "state": "open"}]}
    monkeypatch.setitem(cast(dict[str, Any], checks._LOOKS), "invoices", lambda *_: seen)
    failure = checks.failure_of(expectation, cast(Services, None), {})
    assert failure == Failure(
        "2025-04-01T09:00:00+09:00",
        "invoices",
        {"account": "jiro", "list": [{"total": 500, "tax": 45}, {"total": 600}]},
        {"account": "jiro", "list": [{"total": 500, "tax": 45}]},
    )
    text = as_text(Outcome("s.yaml", "Two invoices", (failure,)))
    assert "✗ Two invoices" in text
    assert "invoices jiro" in text
    assert "- {total: 600}" in text


def test_a_close_that_is_not_as_stated_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2025, 4, 1, tzinfo=UTC)
    expectation = Expectation(now, None, "close", Month(2025, 3), {"unexplained": 0}, 1)
    asked: list[object] = []

    def close_view(*arguments: object) -> dict[str, Any]:
        asked.extend(arguments)
        return {"unexplained": 1, "exceptions": {"missing_payout": 1}}

    monkeypatch.setattr(month_close, "close_view", close_view)
    services = cast(Services, SimpleNamespace(session="session", gateway="gateway"))
    assert checks.failure_of(expectation, services, {}) == Failure(
        "2025-04-01T09:00:00+09:00",
        "close",
        {"month": "2025-03", "unexplained": 0},
        {"month": "2025-03", "unexplained": 1},
    )
    assert asked == ["session", "gateway", Month(2025, 3), now]
