"""One step of a scenario → one call on the service that takes it.

An action has the name of its method; its keys are the method's keywords, except where Python or clarity
calls for another word. Nothing is decided here: a service's reason for refusing is returned as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from keizoku.scheduler.scenario.link_play import is_of_link, perform_link
from keizoku.scheduler.simulator import Simulator
from keizoku.terms.decision import Finding

if TYPE_CHECKING:
    from keizoku.scheduler.app import Services
    from keizoku.scheduler.scenario.document import Scenario, Step

SLA_ACTIONS: Final = frozenset(
    {
        "stop",
        "correct_stop",
        "counts",
        "observations",
        "notice",
        "interruption",
        "claim",
        "recognise",
        "environment",
        "claim_form_down",
        "consent_alternative",
        "perform_alternative",
        "withdraw_alternative",
        "grant_late",
    }
)
#: The service takes these and says what speaks against them; the scenario expects what follows.
TAKEN_WITH_DOUBTS: Final = frozenset({"notice", "claim"})
#: Requests of users that may be refused: this changes nothing, is shown beside the title, and expectations decide.
MAY_BE_REFUSED: Final = frozenset(
    {"register", "approve", "change_method", "end_of_use", "withdraw_end_of_use", "store_stop"}
)
#: Keys whose keyword differs. `from` and `for` are Python's; `_on` and `_at` are ours for days and instants.
RENAMED: Final[Mapping[str, str]] = {
    "from": "from_at",
    "to": "to_at",
    "for": "term",
    "on": "decided_on",
    "stop": "outage",
}
#: Actions whose method has another name: scenarios speak of stops, as the contract does.
METHODS: Final[Mapping[str, str]] = {"stop": "record_outage", "correct_stop": "correct_outage"}
_UNLESS_STATED: Final[Mapping[str, Mapping[str, str]]] = {
    "stop": {"ground": "as the scenario states"},
    "correct_stop": {"ground": "as the scenario states"},
    "close_month": {"by": "the scenario"},
    "store_refund": {"by": "the scenario", "ground": "as the scenario states"},
    "pay": {"costs_proof": "as the scenario states"},
}


class NotBuiltYetError(NotImplementedError):
    """The engine does not do this yet."""


def declare(scenario: Scenario, services: Services) -> list[Finding]:
    """Record what holds before the scenario begins: the number of users, the plans and their prices."""
    now = scenario.starts_at
    findings: list[Finding] = []
    for from_at, users in scenario.population:
        findings += services.sla.population(from_at, users, now=now)
    for plan in scenario.plans:
        services.billing.add_plan(plan.code, plan.interval, now=now)
        for price in plan.prices:
            starts_on = price["from"]
            services.billing.price(
                plan.code,
                price["yen"],
                announced=price.get("announced", starts_on),
                for_new_from=price.get("for_new_from", starts_on),
                for_renewals_from=price.get("for_renewals_from", starts_on),
                cohort=price.get("cohort"),
                initial=True,
                now=now,
            )
    return findings


def perform(step: Step, services: Services) -> Sequence[Finding]:
    """Do what the step says, at its instant; returns why it was not done, or nothing.

    Raises NotBuiltYetError, and Refused in both rooms alike.
    """
    if is_of_link(step.action):
        perform_link(step.action, step.facts, services, step.at)
        return ()
    simulator = Simulator(services)
    match step.action:
        case "card":
            simulator.cards.set_card(step.facts["account"], step.facts["outcome"])
            return ()
        case "new_card":
            simulator.cards.set_card(step.facts["account"], "ok")  # the card works before the service charges it
            service: object = services.billing
        case "dispute" | "refund_fails":
            service = simulator
        case "close_month":
            service = services
        case _:
            service = services.sla if step.action in SLA_ACTIONS else services.billing
    method = getattr(service, METHODS.get(step.action, step.action), None)
    if method is None:
        raise NotBuiltYetError(f"the action {step.action}")
    # what is not over has no end: a stop that a scenario states before is recorded when it is over
    now = max(step.at, step.facts.get("to") or step.at) if step.action in METHODS else step.at
    findings = method(**keywords(step), now=now)
    return findings if isinstance(findings, list) and step.action not in TAKEN_WITH_DOUBTS else ()


def keywords(step: Step) -> dict[str, Any]:
    """The step's keys as keywords; the ground of an outage, and the author of a close, is the scenario itself."""
    return {
        **_UNLESS_STATED.get(step.action, {}),
        **{RENAMED.get(key, key): value for key, value in step.facts.items()},
    }
