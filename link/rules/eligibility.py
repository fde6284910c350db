"""Whether a customer may use the linked service at an instant (api_link/2, 4), condition by condition.

4(1) an account at the partner; 4(2) consent to the API rules, and access that was granted and still is valid. The text
of 4(3) to 4(5) is not at hand: people rule on these, with ground, and a setting says which rulings are waited for.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from keizoku.link.rules.designation import scope_of
from keizoku.link.rules.ends import consent_lapsed, is_closed
from keizoku.link.rules.facts import Customer, Ruling, Scope, latest
from keizoku.link.rules.stops import stopped
from keizoku.link.rules.tokens import grant_end
from keizoku.terms.api_link.link_policy import LinkPolicy
from keizoku.terms.decision import Decision, Step, decides

__all__ = ["access_is_valid", "may_be_granted", "partner_account", "ruling_of", "use_of_service"]

OPEN, CLOSED = "open", "closed"
_PREFIX: Final = "api_link/"


@decides("api_link/4.1")
def partner_account(customer: Customer, at: datetime) -> tuple[bool, Step]:
    """Whether the customer holds an account at the partner, and since when."""
    found = latest(customer.facts, ("partner_account_opened", "partner_account_closed"), at)
    if found is None:
        return False, Step("api_link/4.1", "link.no_partner_account")
    if found.kind == "partner_account_closed":
        return False, Step("api_link/4.1", "link.partner_account_closed", {"closed_at": found.occurred_at})
    return True, Step("api_link/4.1", "link.partner_account", {"opened_at": found.occurred_at})


def rules_consented(customer: Customer, at: datetime) -> tuple[bool, Step]:
    """Whether the customer has consented to the partner's API rules: the first half of 4(2)."""
    found = latest(customer.facts, ("rules_consented", "rules_withdrawn"), at)
    if found is None:
        return False, Step("api_link/4.2", "link.no_consent")
    if found.kind == "rules_withdrawn":
        return False, Step("api_link/4.2", "link.consent_withdrawn", {"withdrawn_at": found.occurred_at})
    facts = {"consented_at": found.occurred_at, "rules_version": found.rules_version}
    return True, Step("api_link/4.2", "link.consent", facts)


@decides("api_link/4.2")
def access_is_valid(customer: Customer, scope: Scope, at: datetime) -> tuple[bool, list[Step]]:
    """Whether the rules were consented to, and access for this scope was granted and has not ended or lapsed."""
    consented, step = rules_consented(customer, at)
    steps = [step]
    grant = customer.grant
    if grant is None or at < grant.granted_at:
        return False, [*steps, Step("api_link/4.2", "link.no_grant")]
    ended = (grant.ended_at, grant.ended_cause) if grant.ended_at is not None and grant.ended_at <= at else None
    if ended is None and (end := grant_end(customer, grant, at)) is not None:
        ended = (end.at, end.cause)
    if ended is not None:
        return False, [*steps, Step("api_link/4.2", f"link.grant_{ended[1]}", {"ended_at": ended[0]})]
    if scope not in grant.scopes:
        return False, [*steps, Step("api_link/4.2", "link.no_scope", {"granted_at": grant.granted_at})]
    if grant.consent_until is None:
        return consented, [*steps, Step("api_link/4.2", "link.grant", {"granted_at": grant.granted_at})]
    facts = {"granted_at": grant.granted_at, "consent_until_at": grant.consent_until}
    return consented and consent_lapsed(grant, at) is None, [*steps, Step("api_link/4.2", "link.grant_until", facts)]


@decides(
    "api_link/4.3",
    "api_link/4.4",
    "api_link/4.5",
    "api_link/5.1",
    "api_link/5.2",
    "api_link/5.3",
    "api_link/5.4",
    "api_link/5.6",
    "api_link/1.4",
    "api_link/1.5",
    "api_link/1.7",
)
def ruling_of(rulings: Sequence[Ruling], clause: str, at: datetime) -> Ruling | None:
    """What people ruled on a clause by `at`: the last word holds; None: nobody has."""
    known = [ruling for ruling in rulings if ruling.clause == clause and ruling.occurred_at <= at]
    return known[-1] if known else None


def _by_people(customer: Customer, needed: Sequence[str], at: datetime) -> tuple[bool, list[Step]]:
    """Rulings that are needed or were made: each that is missing or says no closes the service."""
    clauses = [*needed, *sorted({each.clause for each in customer.rulings} - set(needed))]
    steps, met = [], True
    for clause in clauses:
        ruling = ruling_of(customer.rulings, clause, at)
        if ruling is None:
            if clause in needed:
                met = False
                steps.append(Step(_PREFIX + clause, "link.not_ruled"))
            continue
        met = met and ruling.met
        key = "link.ruled_met" if ruling.met else "link.ruled_unmet"
        steps.append(Step(_PREFIX + clause, key, {"ruled_at": ruling.occurred_at}))
    return met, steps


def may_be_granted(customer: Customer, needed: Sequence[str], policy: LinkPolicy, at: datetime) -> Decision:
    """Whether the customer may be sent to the partner to authorise us: all conditions but the grant itself."""
    return _decision(customer, "grant", policy, *_before_the_grant(customer, needed, at))


@decides("api_link/2")
def use_of_service(
    customer: Customer, scope: Scope, needed: Sequence[str], policy: LinkPolicy, at: datetime
) -> Decision:
    """Whether the service is open to the customer for data or for orders at `at`, with every condition as a step."""
    met, steps = _before_the_grant(customer, needed, at, with_consent=False)
    valid, of_access = access_is_valid(customer, scope, at)
    steps += of_access
    stop = stopped(customer, scope, at)
    if stop is not None:
        facts = {"from_at": stop.from_at, "what": stop.what}
        steps.append(Step(_PREFIX + stop.clause, f"link.stopped_by_{stop.whose}", facts))
    return _decision(customer, scope, policy, met and valid and stop is None, [scope_of(scope, policy), *steps])


def _before_the_grant(
    customer: Customer, needed: Sequence[str], at: datetime, *, with_consent: bool = True
) -> tuple[bool, list[Step]]:
    closed = is_closed(customer, at)
    steps = [] if closed is None else [Step(closed.clause, f"link.ended_{closed.cause}", {"ended_at": closed.at})]
    held, step = partner_account(customer, at)
    steps.append(step)
    consented = True
    if with_consent:
        consented, step = rules_consented(customer, at)
        steps.append(step)
    ruled, of_people = _by_people(customer, needed, at)
    return closed is None and held and consented and ruled, [*steps, *of_people]


def _decision(customer: Customer, what: str, policy: LinkPolicy, met: bool, steps: Sequence[Step]) -> Decision:
    return Decision(
        subject=f"link {customer.account} {what}",
        outcome=OPEN if met else CLOSED,
        clauses=tuple(dict.fromkeys(step.clause for step in steps)),
        terms=policy.version,
        readings={},
        facts={"partner": policy.partner_name},
        steps=tuple(steps),
    )
