"""A scenario file, read and checked: what is wrong with it is found before anything runs.

    path ──read_scenario──> (Scenario, ())          every word known, every name declared, in order
                       └──> (None, findings)        all of them at once, each with its line

Decides nothing about the contract: the engine says whether an action is allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError
from yaml.nodes import Node

from keizoku.limits import LARGEST_PAGE
from keizoku.scheduler.night.schedule import night_at
from keizoku.scheduler.scenario.page import Page, Unread, compose, did_you_mean, line_of
from keizoku.scheduler.scenario.schema_words import ACTIONS, CHECKS, PLAN, POPULATION, PREPAID_METHODS, SUBJECTS
from keizoku.scheduler.scenario.values import When, list_of, mapping_of, natural, plain, record_of, refusal, text, when
from keizoku.terms.api_link.link_policy import CONTRACT as LINK_CONTRACT
from keizoku.terms.calendar import day_start_at, iso_jst
from keizoku.terms.clauses import clauses
from keizoku.terms.decision import Finding
from keizoku.terms.discretion import Discretion
from keizoku.terms.inputs.input_files import read_whole
from keizoku.terms.policy import Terms, UnknownReadingError
from keizoku.terms.rules import Rules

CONTRACT: Final = "premium"
DEFAULT_POPULATION: Final = 1_000_000
EVER_AT: Final = datetime(2000, 1, 1, tzinfo=UTC)  # before every scenario: a population that never changes

TOP_KEYS: Final = (
    "title",
    "clauses",
    "terms",
    "settings",
    "readings",
    "population",
    "plans",
    "timeline",
    "expect",
)
NEEDED: Final = ("title", "timeline", "expect")


@dataclass(frozen=True, slots=True)
class Step:
    """What somebody does or what becomes known, at an instant."""

    at: datetime
    action: str
    facts: Mapping[str, Any]  # the action's keys, those that were stated
    line: int
    refused: str | None = None  # must be refused, for a reason that contains this text ("": for any reason)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What should be seen at an instant; `day` if it was written as a day (then `at` is that day's night)."""

    at: datetime
    day: date | None
    check: str
    subject: Any  # the value of the check's first key; None for the journal
    expected: Mapping[str, Any]
    line: int

    @property
    def when(self) -> str:
        """`at` as in the file: a day, or a time in JST."""
        return iso_jst(self.at) if self.day is None else self.day.isoformat()


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan on sale as the scenario begins, with its prices."""

    code: str
    interval: str
    prices: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Scenario:
    """Dated steps and what they should lead to. Steps and expectations are in order of instants."""

    path: Path
    title: str
    clauses: tuple[str, ...]
    rules: Rules
    population: tuple[tuple[datetime, int], ...]
    plans: tuple[Plan, ...]
    steps: tuple[Step, ...]
    expectations: tuple[Expectation, ...]

    @property
    def starts_at(self) -> datetime:
        """The first step's instant, or the first expectation's where nothing happens."""
        return self.steps[0].at if self.steps else self.expectations[0].at

    def skips(self, night: date) -> bool:
        """Whether a step `skip_nights` leaves this night out."""
        return any(
            step.facts["from"] <= night < step.facts["to"] for step in self.steps if step.action == "skip_nights"
        )


def read_scenario(path: Path) -> tuple[Scenario | None, tuple[Finding, ...]]:
    """The scenario in a file, or what is wrong with the file."""
    page = Page(str(path))
    try:
        root = compose(read_whole(path, LARGEST_PAGE))
    except OSError as error:
        page.refuse_line(None, path.name, "the file cannot be read", error.strerror or "check its path")
        return None, tuple(page.findings)
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        page.refuse_line(place.line + 1 if place else None, path.name, "the file is not YAML", problem)
        return None, tuple(page.findings)
    if root is None:
        page.refuse_line(1, path.name, "the file is empty", f"keys: {', '.join(TOP_KEYS)}")
        return None, tuple(page.findings)
    scenario = _scenario(page, path, root)
    return (None if page.findings else scenario), tuple(page.findings)


def _scenario(page: Page, path: Path, root: Node) -> Scenario | None:
    entries = page.entries(root, "a scenario")
    if isinstance(entries, Unread):
        return None
    nodes = {key: value for key, _, value in entries}
    for key, key_node, _ in entries:
        if key not in TOP_KEYS:
            page.refuse(key_node, "unknown key of a scenario", did_you_mean(key, TOP_KEYS))
    for key in NEEDED:
        if key not in nodes:
            page.refuse(root, f"a scenario needs the key `{key}`", f"keys: {', '.join(TOP_KEYS)}")
    title = text(page, nodes["title"]) if "title" in nodes else ""
    rules = _rules(page, nodes)
    named_clauses = _clauses(page, nodes["clauses"]) if "clauses" in nodes else ()
    population = _population(page, nodes.get("population"))
    plans = _plans(page, nodes["plans"]) if "plans" in nodes else ()
    steps = _steps(page, nodes["timeline"]) if "timeline" in nodes else ()
    expectations = _expectations(page, nodes["expect"]) if "expect" in nodes else ()
    _check_order(page, steps)
    _check_names(page, plans, steps, expectations)
    if page.findings or rules is None:
        return None
    return Scenario(path, str(title), named_clauses, rules, population, plans, steps, expectations)


def _rules(page: Page, nodes: Mapping[str, Node]) -> Rules | None:
    """The terms with the readings, and the settings, that the scenario names."""
    terms = Terms.load(CONTRACT)
    if "terms" in nodes and not isinstance(version := text(page, nodes["terms"]), Unread):
        known_versions = {known.version: known for known in terms.versions}
        if version not in known_versions:
            page.refuse(nodes["terms"], "unknown version of the terms", did_you_mean(str(version), known_versions))
            return None
        pinned = replace(known_versions[str(version)], in_force_until=None)  # as if none had followed it
        terms = replace(terms, versions=(pinned,))
    if "readings" in nodes:
        known = dict.fromkeys(name for held in terms.versions for name in held.readings)
        readings = mapping_of(text, "the readings", known)(page, nodes["readings"])
        if isinstance(readings, dict):
            try:
                terms = terms.with_readings(readings)
            except UnknownReadingError as error:
                page.refuse(nodes["readings"], str(error), "see `keizoku terms readings`")
    discretion = Discretion()
    if "settings" in nodes:
        settings = mapping_of(plain, "the settings", Discretion.model_fields)(page, nodes["settings"])
        if isinstance(settings, dict):
            try:
                discretion = Discretion(**settings)
            except ValidationError as error:
                for flaw in error.errors():
                    name = ".".join(str(place) for place in flaw["loc"])
                    page.refuse_line(line_of(nodes["settings"]), name, flaw["msg"], "see `keizoku settings`")
    return Rules(terms=terms, discretion=discretion)


def _clauses(page: Page, node: Node) -> tuple[str, ...]:
    """The clause ids, each known, or a whole article or paragraph whose parts are."""
    named = list_of(text, "the list of clauses")(page, node)
    if not isinstance(named, tuple):
        return ()
    known = {**clauses(CONTRACT), **clauses(LINK_CONTRACT)}
    for clause, clause_node in zip(named, node.value, strict=True):
        if clause not in known and not any(other.startswith(f"{clause}.") for other in known):
            page.refuse(clause_node, "unknown clause", did_you_mean(clause, known))
    return named


def _population(page: Page, node: Node | None) -> tuple[tuple[datetime, int], ...]:
    """Registered users of the service, from when on."""
    if node is None:
        return ((EVER_AT, DEFAULT_POPULATION),)
    if not isinstance(node.value, list):
        users = natural(page, node)
        return ((EVER_AT, users),) if isinstance(users, int) else ()
    rows = list_of(record_of(POPULATION, "a population"), "the population")(page, node)
    return tuple((row["from"], row["users"]) for row in rows) if isinstance(rows, tuple) else ()


def _plans(page: Page, node: Node) -> tuple[Plan, ...]:
    plans = mapping_of(record_of(PLAN, "a plan"), "the plans")(page, node)
    if not isinstance(plans, dict):
        return ()
    return tuple(Plan(code, plan["interval"], plan["prices"]) for code, plan in plans.items())


def _steps(page: Page, node: Node) -> tuple[Step, ...]:
    nodes = page.items(node, "the timeline")
    if isinstance(nodes, Unread):
        return ()
    return tuple(step for item in nodes if (step := _step(page, item)) is not None)


def _step(page: Page, node: Node) -> Step | None:
    refused, node = refusal(page, node)
    split = _at_and_one(page, node, "a step", "action", ACTIONS)
    if split is None:
        return None
    moment, action, key_node, facts_node = split
    findings_before = len(page.findings)
    facts = page.fields(facts_node, f"`{action}`", ACTIONS[action])
    if action in _JOINED_RULES and len(page.findings) == findings_before:
        _JOINED_RULES[action](page, facts_node, facts)
    at = moment.at if moment.day is None else day_start_at(moment.day)
    return None if at is None else Step(at, action, facts, line_of(key_node), refused)


def _expectations(page: Page, node: Node) -> tuple[Expectation, ...]:
    nodes = page.items(node, "the expectations")
    if isinstance(nodes, Unread):
        return ()
    if not nodes:
        page.refuse(node, "a scenario expects something", "write {at: 2026-05-01, contract: {…}}")
    read = [expectation for item in nodes if (expectation := _expectation(page, item)) is not None]
    return tuple(sorted(read, key=lambda expectation: expectation.at))


def _expectation(page: Page, node: Node) -> Expectation | None:
    split = _at_and_one(page, node, "an expectation", "check", CHECKS)
    if split is None:
        return None
    moment, check, key_node, facts_node = split
    facts = page.fields(facts_node, f"`{check}`", CHECKS[check])
    subject = facts.pop(SUBJECTS[check], None)
    if not facts and not page.findings:
        page.refuse(key_node, f"`{check}` expects nothing", f"keys: {', '.join(CHECKS[check])}")
    at = moment.at if moment.day is None else night_at(moment.day)
    return None if at is None else Expectation(at, moment.day, check, subject, facts, line_of(key_node))


def _at_and_one(
    page: Page, node: Node, what: str, one: str, known: Mapping[str, object]
) -> tuple[When, str, Node, Node] | None:
    """`{at: TIME, ONE: {…}}` as (when, its name, the name's node, its node)."""
    entries = page.entries(node, what)
    if isinstance(entries, Unread):
        return None
    named = [entry for entry in entries if entry[0] != "at"]
    at_nodes = [value for key, _, value in entries if key == "at"]
    if not at_nodes:
        page.refuse(node, f"{what} needs the key `at`", "write {at: 2026-04-10 09:00, …}")
    moment = when(page, at_nodes[0]) if at_nodes else None
    for key, key_node, _ in named:
        if key not in known:
            page.refuse(key_node, f"unknown {one}", did_you_mean(key, known))
    if len(named) != 1:
        page.refuse(node, f"{what} has one {one}, here are {len(named)}", f"one of {', '.join(known)}")
        return None
    key, key_node, value_node = named[0]
    return (moment, key, key_node, value_node) if key in known and isinstance(moment, When) else None


def _registration_is_whole(page: Page, node: Node, facts: Mapping[str, Any]) -> None:
    """A registration names plan and method; months belong to what pays for a number of months."""
    if "plan" not in facts and set(facts) == {"account"}:
        return  # `approve` of what was registered before
    for key in ("plan", "method"):
        if key not in facts:
            page.refuse(node, f"a registration needs the key `{key}`", "account, plan, method; or the account alone")
    prepaid = facts.get("method") in PREPAID_METHODS
    if prepaid and "months" not in facts:
        page.refuse(node, f"a {facts['method']} needs the key `months`", "how long it pays for")
    for key in ("months", "fallback"):
        if key in facts and not prepaid:
            page.refuse(node, f"`{key}` belongs to {' and '.join(PREPAID_METHODS)}", "leave it out")


def _exactly_one(*keys: str) -> Callable[[Page, Node, Mapping[str, Any]], None]:
    def check(page: Page, node: Node, facts: Mapping[str, Any]) -> None:
        if sum(key in facts for key in keys) != 1:
            page.refuse(node, f"exactly one of the keys {', '.join(keys)} is needed", "state one of them")

    return check


def _something_corrected(page: Page, node: Node, facts: Mapping[str, Any]) -> None:
    if set(facts) == {"id"}:
        page.refuse(node, "`correct_stop` corrects nothing", "state from, to, affected or cause as now known")
    _from_before_to(page, node, facts)


def _from_before_to(page: Page, node: Node, facts: Mapping[str, Any]) -> None:
    if "from" in facts and "to" in facts and facts["from"] >= facts["to"]:
        page.refuse(node, "`to` is later than `from`", "from is the first second, to the first one after")


_JOINED_RULES: Final[Mapping[str, Callable[[Page, Node, Mapping[str, Any]], None]]] = {
    "register": _registration_is_whole,
    "approve": _registration_is_whole,
    "correct_stop": _something_corrected,
    "environment": _exactly_one("claim", "stop"),
    "observations": _exactly_one("file", "rows"),
    **dict.fromkeys(("stop", "notice", "interruption", "claim_form_down", "skip_nights"), _from_before_to),
}


def _check_order(page: Page, steps: Sequence[Step]) -> None:
    for before, after in pairwise(steps):
        if after.at < before.at:
            page.refuse_line(
                after.line,
                iso_jst(after.at),
                "an earlier step after a later one",
                f"the step before it is at {iso_jst(before.at)}",
            )
    for step in steps:
        if step.action == "run_night" and (night := step.facts.get("date")) and step.at < day_start_at(night):
            page.refuse_line(
                step.line,
                str(night),
                "the night of a day that has not come",
                f"the step is at {iso_jst(step.at)}",
            )


DECLARING: Final = ("register", "claim", "link_admit", "link_record", "base_account_closed")
"""Steps that make an account known."""


def _check_names(page: Page, plans: Sequence[Plan], steps: Sequence[Step], expectations: Sequence[Expectation]) -> None:
    """Every account, plan, claim and stop that is named somewhere is declared somewhere."""
    declared: dict[str, set[str]] = {
        "plan": {plan.code for plan in plans},
        "account": set(),
        "claim": set(),
        "stop": set(),
    }
    for step in steps:
        if step.action in DECLARING or (step.action == "approve" and "plan" in step.facts):
            declared["account"].add(step.facts.get("account", ""))
        if step.action in ("claim", "stop") and "id" in step.facts:
            declared[step.action].add(step.facts["id"])
    named: list[tuple[int | None, str, Any]] = [
        (step.line, key.refers, step.facts.get(name))
        for step in steps
        for name, key in ACTIONS[step.action].items()
        if key.refers
    ]
    named += [
        (step.line, "account", step.facts["account"])
        for step in steps
        if step.action == "approve" and set(step.facts) == {"account"}
    ]
    named += [
        (expectation.line, key.refers, expectation.subject)
        for expectation in expectations
        for key in CHECKS[expectation.check].values()
        if key.refers
    ]
    for plan in plans:
        named += [(None, "account", price.get("cohort")) for price in plan.prices]
    for line, kind, value in named:
        for name in value if isinstance(value, tuple) else (value,):
            if name is not None and name not in declared[kind]:
                page.refuse_line(line, str(name), f"unknown {kind}", did_you_mean(str(name), declared[kind]))
