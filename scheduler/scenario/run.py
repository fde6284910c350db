"""Drives the engine through a scenario: steps, nights and expectations in order of instants.

    step 09:00 ── step 14:00 ── night 02:30 ── expectation of that day ── step 10:00 ── …

At one instant: steps first, then the night, then expectations. A night runs for every business date from
the first step to the last expectation; a night that was left out is caught up by the engine, not here.
Each scenario has empty tables of its own (scratch_schema.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Final

from sqlalchemy.engine import URL

from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.scheduler.scenario.actions import MAY_BE_REFUSED, declare, perform
from keizoku.scheduler.scenario.checks import failure_of, subject_of
from keizoku.scheduler.scenario.document import Expectation, Scenario, Step, read_scenario
from keizoku.scheduler.scenario.outcome import Failure, Outcome, plain
from keizoku.scheduler.scenario.scratch_schema import ScratchSchema
from keizoku.terms.calendar import iso_jst, jst_day
from keizoku.terms.decision import Finding
from keizoku.terms.refusal import Refused

if TYPE_CHECKING:
    from keizoku.scheduler.app import Services
    from keizoku.scheduler.night.nightly_run import NightResult

_ONE_DAY: Final = timedelta(days=1)
_DONE: Final = "done"  # what is expected of every step


@dataclass(frozen=True, slots=True)
class Night:
    """The nightly batch of a business date."""

    at: datetime
    business_date: date


Moment = Step | Night | Expectation
OnMoment = Callable[[int, int], None]  # (moments behind us, moments of the scenario)
_RANK: Final[dict[type, int]] = {Step: 0, Night: 1, Expectation: 2}


def run_file(path: Path, url: str | URL, keep_schema: bool = False, on_moment: OnMoment | None = None) -> Outcome:
    """Read one file and run it in a schema of its own on the PostgreSQL server at `url`."""
    with ScratchSchema(url, keep=keep_schema) as scratch:
        return run_on(scratch, path, on_moment)


def run_on(scratch: ScratchSchema, path: Path, on_moment: OnMoment | None = None) -> Outcome:
    """Read one file and run it on empty tables."""
    scenario, findings = read_scenario(path)
    if scenario is None:
        return Outcome(str(path), path.stem, tuple(_of_document(finding) for finding in findings), valid=False)
    services = scratch.services(scenario.rules)
    refusals: list[str] = []
    with scratch.alternating():
        failures, crash = play(scenario, services, on_moment, refusals)
    scratch.rest(intact=crash is None)
    return Outcome(
        str(path),
        scenario.title,
        tuple(failures),
        schema=scratch.schema if scratch.keep else "",
        refusals=tuple(refusals),
        crash=crash,
    )


def play(
    scenario: Scenario, services: Services, on_moment: OnMoment | None = None, refusals: list[str] | None = None
) -> tuple[list[Failure], Exception | None]:
    """Everything that did not come true, and the error that stopped the scenario half-way, if one did.

    A refusal of the engine, or an action that is not built yet, is a failure, and the scenario goes on; any other error
    stops it. Refused requests of users go into `refusals` instead: the expectations say whether that was right.
    """
    failures: list[Failure] = []
    nights: dict[date, NightResult] = {}
    every = moments(scenario)
    try:
        findings = declare(scenario, services)
    except Exception as error:
        services.session.rollback()
        return [Failure(iso_jst(scenario.starts_at), "plans", _DONE, _of_error(error))], error
    failures += [Failure(iso_jst(scenario.starts_at), "plans", _DONE, str(finding)) for finding in findings]
    for count, moment in enumerate(every):
        try:
            failure = _perform(moment, services, nights)
        except (NotImplementedError, Refused) as error:
            services.session.rollback()
            failure = _failure(moment, _of_error(error))
            if refusals is not None and isinstance(error, Refused) and _may_be_refused(moment):
                refusals.append(f"{failure.at} {failure.check}: {error}")
                failure = None
        except Exception as error:
            services.session.rollback()
            return [*failures, _failure(moment, _of_error(error))], error
        if failure is not None:
            failures.append(failure)
        if on_moment is not None:
            on_moment(count + 1, len(every))
    return failures, None


def moments(scenario: Scenario) -> list[Moment]:
    """Everything that happens, in order."""
    every: list[Moment] = [step for step in scenario.steps if step.action != "skip_nights"]
    every += nights_of(scenario)
    every += scenario.expectations
    return sorted(every, key=lambda moment: (moment.at, _RANK[type(moment)]))


def nights_of(scenario: Scenario) -> list[Night]:
    """A night for every business date from the first step to the last expectation, but those left out."""
    if not scenario.steps:
        return []
    last_at = scenario.expectations[-1].at
    business_date = jst_day(scenario.starts_at)
    if night_at(business_date) < scenario.starts_at:
        business_date += _ONE_DAY
    nights: list[Night] = []
    while (at := night_at(business_date)) <= last_at:
        if not scenario.skips(business_date):
            nights.append(Night(at, business_date))
        business_date += _ONE_DAY
    return nights


def _perform(moment: Moment, services: Services, nights: dict[date, NightResult]) -> Failure | None:
    match moment:
        case Night(at, business_date):
            nights[business_date] = run_night(services, business_date, now=at)
        case Step(at, "run_night", facts):
            nights[facts["date"]] = run_night(services, facts["date"], now=at)
        case Step(refused=str()):
            return _must_be_refused(moment, services)
        case Step():
            findings = perform(moment, services)
            return _failure(moment, _of_findings(findings)) if findings else None
        case Expectation():
            return failure_of(moment, services, nights)
    return None


def _must_be_refused(step: Step, services: Services) -> Failure | None:
    """None if the step is refused, for the reason that it states."""
    try:
        reason = _of_findings(perform(step, services))
    except Refused as error:
        services.session.rollback()
        reason = _of_error(error)
    if reason and (step.refused or "") in reason:
        return None
    return Failure(iso_jst(step.at), step.action, {"refused": step.refused or True}, reason or _DONE)


def _may_be_refused(moment: Moment) -> bool:
    return isinstance(moment, Step) and moment.action in MAY_BE_REFUSED


def _failure(moment: Moment, actual: str) -> Failure:
    """A moment that could not be gone through."""
    match moment:
        case Night(at, _):
            return Failure(iso_jst(at), "night", _DONE, actual)
        case Step(at, action, facts):
            return Failure(iso_jst(at), action, {action: plain(facts)}, actual)
        case Expectation():
            return Failure(moment.when, moment.check, {**subject_of(moment), **plain(moment.expected)}, actual)


def _of_findings(findings: Sequence[Finding]) -> str:
    return "\n".join(f"{finding.value}: {finding.rule}; {finding.remedy}" for finding in findings)


def _of_error(error: Exception) -> str:
    """An error in one line, with the place where it was raised if it is the program's own."""
    message = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, NotImplementedError):
        return f"not built yet: {message.removeprefix('not built yet: ')}"
    if isinstance(error, Refused):
        return message
    frames = extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno} {frames[-1].name})" if frames else ""
    return f"{type(error).__name__}: {message}{place}"


def _of_document(finding: Finding) -> Failure:
    where = "" if finding.line is None else f"line {finding.line}"
    return Failure(where, "document", f"{finding.rule}; {finding.remedy}", finding.value)
