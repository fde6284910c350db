"""Decisions on claims as they are stored and hashed: text in which what claims have in common is written once.

    the verdict's, stored once       its grounds: outcome, clauses, terms, readings; its steps
    the claim's own, filled in       subject, account, time of receipt, claims decided as one, ids of terms

The text says exactly what `Decision.to_json` and a plain `json.dumps` would (a test holds it): it is only faster.
"""

from __future__ import annotations

import json
from hashlib import sha256
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import NamedTuple

from sla.claim_decision import ClaimDecision, Verdict, term_json
from sla.claim_facts import AccountMonth
from sla.claim_steps import united_steps
from sla.intervals import Spans
from sla.unusable import ServiceMonth
from terms.calendar import iso_jst
from terms.decision import Step
from terms.policy import Policy

encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_encode_facts = json.JSONEncoder(sort_keys=True, default=iso_jst).encode


def service_hash(service: ServiceMonth, policy: Policy) -> str:
    """The month as it holds for everyone, with the terms and readings it is decided by, as one number."""
    made_of = (service.gross, dict(service.buckets), policy.version, dict(policy.readings))
    return sha256(_encode_facts(made_of).encode()).hexdigest()


def evidence_hash(service_hash: str, among: AccountMonth) -> str:
    """What an account's decision was made of, as one number; `service_hash` stands for what all share."""
    quoted = encode_basestring_ascii
    claims = ", ".join(
        [f'[{quoted(each.claim_id)}, "{iso_jst(each.received_at)}", {_spans(each.windows)}]' for each in among.claims]
    )
    terms = ", ".join(
        [
            f"[{t.term_id}, {t.start}, {t.end}, {quoted(t.method)}, {quoted(t.interval)}, {t.price_yen}]"
            for t in among.terms
        ]
    )
    rulings = ", ".join([f"[{quoted(each.claim_id)}, {_spans(each.windows)}]" for each in among.rulings])
    times = f"[{_spans(among.suspended)}, {_spans(among.environment)}, {_spans(among.form_outages)}]"
    made_of = f'["{service_hash}", [{claims}], [{terms}], [{rulings}], {times}]'
    return sha256(made_of.encode()).hexdigest()


def _spans(spans: Spans | None) -> str:
    if spans is None:
        return "null"
    return "[" + ", ".join([f"[{start}, {end}]" for start, end in spans]) + "]"


class _Common(NamedTuple):
    """The text around what is a claim's own; `terms`: the ends of the terms, after their ids."""

    before_account: str
    terms: tuple[str, ...]
    before_arrival: str
    arrival: str


class DecisionTexts:
    """Texts of the decisions of a chunk. Verdicts are told apart by identity: they have to outlive it."""

    def __init__(self) -> None:
        self._common: dict[tuple[int, int], _Common] = {}
        self._steps: dict[int, tuple[Step, str]] = {}  # the step is kept, so that its identity stays its own

    def own_part(self, made: ClaimDecision) -> str:
        """The decision without what is its verdict's: subject, facts and first steps."""
        common = self._common_of(made)
        received_at = encode_basestring(iso_jst(made.claim.received_at))
        united, later_steps = _together(made)
        return (
            f'{{"subject":{encode_basestring("claim " + made.claim_id)}'
            f"{common.before_account}{encode_basestring(made.account)}"
            f',"received_at":{received_at},"united_claims":[{united}],"terms":{self.terms(made)}}},"steps":['
            f"{common.before_arrival}{common.arrival}{received_at}}}}}{later_steps}]}}"
        )

    def terms(self, made: ClaimDecision) -> str:
        """The terms whose fee counts, as a decision and its award name them."""
        ends = zip(made.terms, self._common_of(made).terms, strict=True)
        return "[" + ",".join([f'{{"term_id":{term.term_id}{end}' for term, end in ends]) + "]"

    def grounds(self, verdict: Verdict) -> str:
        """What a decision names of its verdict beside the steps."""
        return encode(
            {
                "outcome": verdict.outcome,
                "clauses": verdict.clauses,
                "terms": verdict.version,
                "readings": verdict.readings,
            }
        )

    def steps(self, verdict: Verdict) -> str:
        """The steps of a verdict."""
        return "[" + ",".join([self._step(step) for step in verdict.steps]) + "]"

    def _common_of(self, made: ClaimDecision) -> _Common:
        key = id(made.verdict), id(made.deadline)
        known = self._common.get(key)
        if known is None:
            known = self._common[key] = _common(made)
        return known

    def _step(self, step: Step) -> str:
        known = self._steps.get(id(step))
        if known is None:
            known = self._steps[id(step)] = step, encode(step.to_json())
        return known[1]


def _common(made: ClaimDecision) -> _Common:
    """Cut out of the decision of one claim: what all with its verdict and deadline have in common."""
    *before, arrival = [step.to_json() for step in made.deadline_steps]
    facts = dict(made.decision.facts)
    for own in ("account", "received_at", "united_claims", "terms"):
        del facts[own]
    del arrival["facts"]["received_at"]
    ends = [{name: value for name, value in term_json(term).items() if name != "term_id"} for term in made.terms]
    return _Common(
        before_account=f',"facts":{encode(facts)[:-1]},"account":',
        terms=tuple("," + encode(end)[1:] for end in ends),
        before_arrival="".join(encode(step) + "," for step in before),
        arrival=f'{encode(arrival)[:-2]},"received_at":',
    )


def _together(made: ClaimDecision) -> tuple[str, str]:
    """The ids of the claims decided as one, and the step that tells it, where there are others."""
    if len(made.united) == 1:
        return encode_basestring(made.claim_id), ""
    united = ",".join([encode_basestring(each.claim_id) for each in made.united])
    return united, "".join("," + encode(step.to_json()) for step in united_steps(made.others))
