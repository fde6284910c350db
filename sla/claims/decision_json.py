"""Decisions on claims as they are stored and hashed: what claims have in common is written once.

    shared, `claim_reasoning`    its grounds: outcome, clauses, terms, readings; deadline, seconds, prices; steps
    the claim's own              subject, account, time of receipt, claims decided as one, ids of terms

`whole_decision` puts the two together again: exactly what `ClaimDecision.decision` says (a test holds it).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, NamedTuple

from keizoku.sla.rules.claim_decision import ClaimDecision, ClaimVerdict, Deadline
from keizoku.sla.rules.claim_facts import AccountMonth, LateGrant, TermKind
from keizoku.sla.rules.claim_steps import united_steps
from keizoku.sla.rules.intervals import as_iso
from keizoku.sla.rules.unusable_time import ServiceMonth
from keizoku.terms.calendar import Month, iso_jst
from keizoku.terms.decision import Decision, Step
from keizoku.terms.policy import Policy

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_encode_facts = json.JSONEncoder(sort_keys=True, default=iso_jst).encode


def service_hash(service: ServiceMonth, policy: Policy) -> str:
    """The month as it holds for everyone, with the terms and readings it is decided by, as one number."""
    made_of = (service.gross, dict(service.buckets), policy.version, dict(policy.readings))
    return sha256(_encode_facts(made_of).encode()).hexdigest()


def evidence_hash(service_hash: str, among: AccountMonth) -> str:
    """What an account's decision was made of, as one number; `service_hash` covers what all share.

    Hashed is what `ascii` writes of (service_hash, claims, terms, rulings, (suspensions, environment, outages of the
    form)), put together from parts, for most accounts have most of them in common.
    """
    claims = [
        f"({claim_id!a}, {(received_at - _EPOCH) // _MICROSECOND}, {windows})"
        if late_grant is None
        else f"({claim_id!a}, {(received_at - _EPOCH) // _MICROSECOND}, {windows}, {tuple(late_grant)!a})"
        for claim_id, received_at, windows, late_grant in among.claims
    ]
    terms = [f"({term_id}, {_written(kind)})" for term_id, kind in among.terms]
    rulings = ascii([tuple(ruling) for ruling in among.rulings]) if among.rulings else "[]"
    of_all = _written((among.suspended, among.environment, among.form_outages))
    text = f"('{service_hash}', [{', '.join(claims)}], [{', '.join(terms)}], {rulings}, ({of_all}))"
    return sha256(text.encode()).hexdigest()


@lru_cache(maxsize=10_000)
def _written(values: tuple[object, ...]) -> str:
    """As `ascii` writes several values within a tuple."""
    return ascii(tuple(values))[1:-1]


class Reasoning(NamedTuple):
    """What decisions on claims share, as JSON texts, in the order of the columns of `claim_reasoning`."""

    grounds: str
    facts: str
    waterfall: str
    recognised: str
    arrival: str
    steps: str

    @property
    def sha256(self) -> str:
        """Its contents as one number."""
        return sha256("".join(self).encode()).hexdigest()


class ReasoningTexts:
    """Writes reasonings of one month; what many of them have is written once."""

    def __init__(self) -> None:
        self._steps: dict[int, tuple[Sequence[Step], str]] = {}  # they are kept, so that their identity stays theirs
        self._grounds: dict[tuple[object, ...], str] = {}
        self._facts: dict[tuple[Month, Deadline, str | None], str] = {}
        self._arrivals: dict[tuple[Deadline, bool, LateGrant | None], str] = {}

    def of(self, made: ClaimDecision) -> Reasoning:
        """What a decision shares with all that have its verdict and its deadline."""
        verdict = made.verdict
        prices = ",".join([price_json(kind) for _, kind in made.terms])
        return Reasoning(
            grounds=self._grounds_of(verdict),
            facts=f'{self._facts_of(made)},"seconds":{verdict.seconds},"terms":[{prices}]}}',
            waterfall=_amounts(verdict.waterfall),
            recognised=encode(as_iso(verdict.recognised)),
            arrival=self._arrival_of(made),
            steps=f"[{self._before(verdict.steps_before)}{_list(verdict.steps)[1:]}",
        )

    def _grounds_of(self, verdict: ClaimVerdict) -> str:
        key = verdict.outcome, verdict.clauses, verdict.version, id(verdict.readings)
        known = self._grounds.get(key)
        if known is None:
            named = ("outcome", "clauses", "terms", "readings")
            grounds = verdict.outcome, verdict.clauses, verdict.version, verdict.readings
            known = self._grounds[key] = encode(dict(zip(named, grounds, strict=True)))
        return known

    def _facts_of(self, made: ClaimDecision) -> str:
        """The beginning of an object."""
        key = made.month, made.deadline, made.verdict.reason
        known = self._facts.get(key)
        if known is None:
            facts = {"month": str(made.month), "deadline_at": iso_jst(made.deadline.at), "reason": made.verdict.reason}
            known = self._facts[key] = encode(facts)[:-1]
        return known

    def _arrival_of(self, made: ClaimDecision) -> str:
        key = made.deadline, made.claim.received_at < made.deadline.at, made.claim.late_grant
        known = self._arrivals.get(key)
        if known is None:
            *_, arrival = first_steps = [step.to_json() for step in made.deadline_steps]
            del arrival["facts"]["received_at"]
            known = self._arrivals[key] = encode(first_steps)
        return known

    def _before(self, steps: Sequence[Step]) -> str:
        """Steps that others follow in a list."""
        known = self._steps.get(id(steps))
        if known is None:
            known = self._steps[id(steps)] = steps, "".join([f"{encode(step.to_json())}," for step in steps])
        return known[1]


@lru_cache(maxsize=10_000)
def price_json(kind: TermKind) -> str:
    """What a term costs, as an object."""
    return encode({"interval": kind.interval, "price_yen": kind.price_yen})


def _list(steps: Iterable[Step]) -> str:
    return encode([step.to_json() for step in steps])


def _amounts(by_name: Mapping[str, int]) -> str:
    """An object of whole numbers; its names are our own words."""
    return "{" + ",".join([f'"{name}":{amount}' for name, amount in by_name.items()]) + "}"


def whole_decision(
    shared: Any,
    claim_id: str,
    account: str,
    received_at: datetime,
    term_ids: Sequence[int],
    united: Sequence[str] | None,
) -> Decision:
    """A decision as it was made: `shared` is its row of `claim_reasoning`, the rest the claim's own."""
    together = list(united or (claim_id,))
    received = iso_jst(received_at)
    *before, arrival = shared.arrival
    steps = [*before, {**arrival, "facts": {**arrival["facts"], "received_at": received}}]
    steps += [step.to_json() for step in united_steps([each for each in together if each != claim_id])]
    prices = shared.facts["terms"]
    facts = {
        "account": account,
        "received_at": received,
        **shared.facts,
        "united_claims": together,
        "terms": [{"term_id": term_id, **price} for term_id, price in zip(term_ids, prices, strict=True)],
    }
    own = {"subject": f"claim {claim_id}", "facts": facts, "steps": [*steps, *shared.steps]}
    return Decision.from_json({**shared.grounds, **own})
