"""The contract: versions, clauses, readings, differences, announcements; acts of the operator."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from keizoku.billing.services.operator_acts import act_list, terms_announcements
from keizoku.terms.diff import compare
from keizoku.terms.law.announcements import unannounced
from keizoku.terms.policy import Terms
from keizoku.web.calls.answers import listed
from keizoku.web.calls.call import Call, Listing, whole
from keizoku.web.calls.operation import Resource
from keizoku.web.calls.problems import ProblemError
from keizoku.web.calls.values import Day, Ground, Id, Instant, Text

__all__ = ["terms"]

terms = Resource("terms", "The contract as data, and acts of the operator under it.")

Contract = Annotated[str, Field(pattern="^(premium|api_link)$")]
Recorded = listed("OperatorAct", act=int)
Announced = listed("TermsAnnounced", version=str, done=bool)


@terms.list("/terms/{contract}/versions", command="terms announced", row=dict[str, Any])
def versions(call: Call, contract: Contract) -> Listing:
    """The versions of a contract, and from when until when each is in force."""
    return whole(
        [
            {"version": each.version, "from": each.in_force_from, "until": each.in_force_until, "title": each.title}
            for each in Terms.load(contract).versions
        ],
        "version",
    )


@terms.question("/terms/{contract}/{version}", command="terms announced", answer=dict[str, Any])
def show(call: Call, contract: Contract, version: Id) -> Any:
    """A version: its clauses with their gists, and its readings with their alternatives."""
    found = _version(contract, version)
    return {
        "version": found.version,
        "clauses": [each.model_dump(mode="json") for each in found.clauses.values()],
        "readings": [each.model_dump(mode="json") for each in found.readings.values()],
    }


@terms.question("/terms/{contract}/{version}/diff", command="terms announced", answer=dict[str, Any])
def changed_since(call: Call, contract: Contract, version: Id, *, since: Id) -> Any:
    """What a version changes: clauses, numbers, readings."""
    return compare(_version(contract, since), _version(contract, version)).to_json()


@terms.question("/terms-announcements", command="terms announced", answer=dict[str, Any])
def announced(call: Call) -> Any:
    """Announcements of new terms, and versions that lack one (民法 548-4)."""
    rows = terms_announcements(call.session)
    return {"announced": rows, "findings": unannounced("terms", call.rules.terms.versions, rows)}


@terms.act("/terms-announcements", command="terms announce", answer=dict[str, Any], four_eyes=True)
def announce(
    call: Call,
    *,
    version: Id,
    published: Day,
    effective: Day,
    where: Text,
    beneficial: bool = False,
    ground: Ground | None = None,
    proof: Ground | None = None,
) -> Any:
    """New terms were announced. Another person approves it."""
    call.billing.announce_terms(
        version,
        published_on=published,
        effective_on=effective,
        place=where,
        beneficial=beneficial,
        ground=ground,
        proof=proof,
        by=call.author,
        now=call.now,
    )
    return {"version": version, "done": True}


@terms.list("/operator-acts", command="acts list", row=dict[str, Any])
def list_acts(call: Call, *, account: Id | None = None) -> Listing:
    """Changes of the service, disclosures."""
    return whole(act_list(call.session, account))


@terms.act("/operator-acts/service-change", command="acts service-change", answer=Recorded)
def service_change(call: Call, *, what: Ground, ground: Ground, at: Instant | None = None) -> Any:
    """The contents of the service were changed (11.1)."""
    made = call.billing.service_change(what, occurred_at=at or call.now, by=call.author, ground=ground, now=call.now)
    return {"act": made}


@terms.act("/accounts/{account}/disclosures", command="acts disclosure", answer=Recorded)
def disclosure(
    call: Call, account: Id, *, recipient: Id, what: Ground, ground: Ground, at: Instant | None = None
) -> Any:
    """Data of a user went to a card company to collect a debt (8.1)."""
    made = call.billing.disclosure(
        account, what, recipient=recipient, occurred_at=at or call.now, by=call.author, ground=ground, now=call.now
    )
    return {"act": made}


def _version(contract: str, version: str) -> Any:
    found = next((each for each in Terms.load(contract).versions if each.version == version), None)
    if found is None:
        raise ProblemError(
            404, "terms.unknown", "There is no such version.", f"{contract} {version[:40]}", "see its versions"
        )
    return found
