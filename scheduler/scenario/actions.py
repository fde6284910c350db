"""One step of a diary → one call on the desk of the room that takes it.

An action has the name of its method; its keys are the method's keywords, except where Python or clarity
wants another word. Nothing is decided here: why a desk refused comes back as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

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
    }
)
#: The desk takes these and says what speaks against them; what follows from it is for the diary to expect.
TAKEN_WITH_DOUBTS: Final = frozenset({"notice", "claim"})
#: What a user may ask in vain: a refusal changes nothing, is shown beside the title, and the expectations decide.
MAY_BE_REFUSED: Final = frozenset({"register", "approve", "change_method", "end_of_use", "withdraw_end_of_use"})
#: Keys whose keyword differs. `from` and `for` are Python's; `_on` and `_at` are ours for days and instants.
RENAMED: Final[Mapping[str, str]] = {"from": "from_at", "to": "to_at", "for": "term", "on": "decided_on"}


class NotBuiltYetError(NotImplementedError):
    """The engine does not do this yet."""


def declare(scenario: Scenario, services: Services) -> list[Finding]:
    """What holds before the diary begins: the service's users, the plans and their prices."""
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
    """Do what the step says, at its instant: why it was not done, or nothing.

    Raises NotBuiltYetError, and Refused in both rooms alike.
    """
    simulator = Simulator(services)
    match step.action:
        case "card":
            simulator.cards.set_card(step.facts["account"], step.facts["outcome"])
            return ()
        case "new_card":
            simulator.cards.set_card(step.facts["account"], "ok")  # the card works before the desk tries it
            service: object = services.billing
        case "dispute" | "refund_fails" | "close_month":
            service = simulator
        case _:
            service = services.sla if step.action in SLA_ACTIONS else services.billing
    method = getattr(service, step.action, None)
    if method is None:
        raise NotBuiltYetError(f"the action {step.action}")
    findings = method(**keywords(step), now=step.at)
    return findings if isinstance(findings, list) and step.action not in TAKEN_WITH_DOUBTS else ()


def keywords(step: Step) -> dict[str, Any]:
    """The step's keys as keywords; what people say of a stop is its ground."""
    ground = {"ground": "as the diary states"} if step.action in ("stop", "correct_stop") else {}
    return {**ground, **{RENAMED.get(key, key): value for key, value in step.facts.items()}}
