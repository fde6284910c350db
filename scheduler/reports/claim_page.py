"""A claim explained: sentences, what decided, a table, and the pictures, as a page that opens without a network.

    ClaimExplained = explain_claim(session, rules, "c-17", at)
    claim_page(explained, ("ja", "en"))     claim_picture(explained, "ja")

The sentences are those of the decision that holds; which exclusion decided is worked out from what was known when it
was made, by the readings it was made with. Read only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from markupsafe import Markup

from keizoku.billing.rules.sla_credit import credit_yen
from keizoku.db.account_reads import noted
from keizoku.db.session import Session
from keizoku.scheduler.reports.claim_states import ClaimState
from keizoku.scheduler.reports.sentences import known_readings, readings_told, state_text
from keizoku.scheduler.reports.templates import Langs, file_page
from keizoku.sla.claims.claim_store import load_account_months
from keizoku.sla.claims.claim_views import claim_explanation, decided_buckets
from keizoku.sla.claims.explanation import claim_sentences, explanation_json
from keizoku.sla.claims.read_models import ClaimExplanation, ClaimRevision
from keizoku.sla.months.month_facts import load_month_facts, read_spans
from keizoku.sla.pictures.on_pages import month_on_page, waterfall_on_page
from keizoku.sla.pictures.timeline import month_svg, name_of
from keizoku.sla.pictures.waterfall import stacked, waterfall_svg
from keizoku.sla.rules.claim_facts import ClaimFacts
from keizoku.sla.rules.claims import adjudicate
from keizoku.sla.rules.decisive_exclusion import DecisiveExclusion, decisive_exclusions
from keizoku.sla.rules.intervals import Spans, as_iso, intersect, length, union
from keizoku.sla.rules.unusable_time import ServiceMonth, service_month
from keizoku.terms import words
from keizoku.terms.calendar import Month
from keizoku.terms.decision import Decision
from keizoku.terms.policy import Policy
from keizoku.terms.readings import Reading
from keizoku.terms.rendering import Lang, sentence
from keizoku.terms.rules import Rules


@dataclass(frozen=True, slots=True)
class ClaimExplained:
    """All that the page shows. `buckets` None: not decided yet. `decisive` None: it cannot be worked out again.

    `worth_yen`: of a claim that waits, what it would bring by what is known; None: it is decided, or taken back.
    """

    explanation: ClaimExplanation
    policy: Policy
    service: ServiceMonth
    buckets: Mapping[str, Spans] | None
    claimed: Spans
    decisive: tuple[DecisiveExclusion, ...] | None
    worth_yen: int | None = None
    readings: Mapping[str, Reading] = field(default_factory=dict)

    @property
    def decision(self) -> Decision | None:
        """The decision that holds."""
        last = self.explanation.last
        return last.decision if last is not None else None

    def decisive_sentences(self, lang: Lang) -> list[str]:
        """What decided, in sentences; empty while the claim is pending."""
        last = self.explanation.last
        if last is None:
            return []
        if last.reason == "deadline":
            return [sentence("decisive.deadline", lang, {})]
        if self.decisive is None:
            return [sentence("decisive.unknown", lang, {})]
        if not self.decisive:
            highest = self.policy.sla.tier(last.seconds) == self.policy.sla.tiers[-1]
            return [sentence("decisive.highest" if highest else "decisive.none", lang, {})]
        return [_decisive_sentence(each, lang) for each in self.decisive]

    def to_json(self, lang: Lang) -> dict[str, object]:
        """The explanation as it is printed in JSON, and what decided."""
        return {**explanation_json(self.explanation, lang), "deciding": self.decisive_sentences(lang)}


def explain_claim(session: Session, rules: Rules, claim_id: str, at: datetime) -> ClaimExplained:
    """Everything about a claim as known at an instant. Raises Refused for an unknown id, and NoPopulationError."""
    explanation = claim_explanation(session, claim_id, at)
    noted(explanation.claim.account, "explain_claim")
    month, last = Month.parse(explanation.claim.month), explanation.last
    known_at, readings = (at, {}) if last is None else (last.decided_at, dict(last.decision.readings))
    policy = rules.terms.with_readings(readings).of_month(month)
    resolution_seconds = rules.discretion.resolution_seconds
    facts = load_month_facts(session, policy, month, known_at)
    service = service_month(facts, policy, resolution_seconds)
    windows = explanation.claim.windows
    claimed = service.gross if windows is None else read_spans(windows)
    (among,) = load_account_months(session, month, policy, [explanation.claim.account], known_at)
    own = next((each for each in among.claims if each.claim_id == claim_id), None)
    if last is None:  # pending, or taken back: then it is among nobody's claims any more
        worth_yen = None if own is None else _worth_yen(ClaimFacts(own, among), service, policy)
        return ClaimExplained(explanation, policy, service, None, claimed, None, worth_yen)
    if own is None:
        raise LookupError(f"a claim that is decided is not among those of its account: {claim_id}")
    for each in among.claims:
        if each.claim_id in last.united_claims:
            claimed = union(claimed, service.gross if each.windows is None else each.windows)
    buckets = decided_buckets(last.decision)
    decisive = None
    if union(*buckets.values()) == service.gross and last.decision.terms == policy.version:
        decisive = decisive_exclusions(facts, ClaimFacts(own, among), policy, resolution_seconds)
    return ClaimExplained(explanation, policy, service, buckets, claimed, decisive, readings=known_readings(rules))


def _worth_yen(facts: ClaimFacts, service: ServiceMonth, policy: Policy) -> int:
    decision = adjudicate(facts, service, policy)
    return credit_yen(decision.worth, policy.readings["credit_rounding"]) if decision.verdict.tier else 0


def claim_picture(explained: ClaimExplained, lang: Lang) -> str:
    """The two pictures of a claim as one SVG: the steps to what is recognised, and the month.

    Of a claim not decided yet, the month for everyone.
    """
    policy, service = explained.policy, explained.service
    claimed = intersect(explained.claimed, service.gross)
    return stacked([waterfall_svg(explained.buckets or service.buckets, policy, lang),
                    month_svg(service, policy, lang, explained.buckets, claimed=claimed)])  # fmt: skip


def claim_page(explained: ClaimExplained, langs: Langs) -> str:
    """The page, whole in each language; it runs no script and asks for nothing else."""
    claim = explained.explanation.claim
    title = f"{claim.id} {claim.account} {claim.month}"
    return file_page("claim.html.j2", langs, lambda lang, ids: _page_facts(explained, lang, ids), title)


def _page_facts(explained: ClaimExplained, lang: Lang, ids: str) -> dict[str, Any]:
    ja = lang == "ja"
    claim, status = explained.explanation.claim, explained.explanation.status
    buckets = explained.buckets or explained.service.buckets
    claimed = intersect(explained.claimed, explained.service.gross)
    pictures = (
        waterfall_on_page(buckets, explained.policy, lang, f"kw{ids}"),
        month_on_page(explained.service, explained.policy, lang, explained.buckets, claimed, f"kz{ids}"),
    )
    return {
        "moment": lambda value: words.instant(value, ja),
        "yen": lambda value: words.yen(value, ja),
        "claim": claim,
        "month": words.month(claim.month, ja),
        "outcome": state_text(ClaimState(status.outcome, status.reason), lang),
        "status": status,
        "rate": words.percent(status.rate, ja) if status.rate else "0%",
        "worth_yen": explained.worth_yen,
        "decisive": explained.decisive_sentences(lang),
        "sentences": claim_sentences(explained.explanation, lang),
        "pictures": [Markup(each) for each in pictures],  # noqa: S704 - our own drawings
        "windows": _windows(buckets, ja),
        "gross": length(explained.service.gross),
        "decisions": [
            (each.revision, words.instant(each.decided_at, ja), _outcome_text(each, lang))
            for each in explained.explanation.decisions
        ],
        "decision": explained.decision,
        "readings": readings_told(explained.readings, explained.decision.readings, lang) if explained.decision else [],
    }


def _windows(buckets: Mapping[str, Spans], ja: bool) -> list[tuple[str, int, str]]:
    """Every window in order of time: when, seconds, bucket."""
    found = sorted((span, bucket) for bucket, spans in buckets.items() for span in spans)
    return [(words.windows(as_iso((span,)), ja), span[1] - span[0], bucket) for span, bucket in found]


def _outcome_text(made: ClaimRevision, lang: Lang) -> str:
    granted = [step.facts["rate"] for step in made.decision.steps if step.key == "claim.granted"]
    state = ClaimState(made.decision.outcome, made.reason, made.seconds, granted[0] if granted else None)
    return state_text(state, lang)


def _decisive_sentence(each: DecisiveExclusion, lang: Lang) -> str:
    names = ("、" if lang == "ja" else ", ").join(name_of(bucket, lang) for bucket in each.buckets)
    facts = {"name": names, "without_seconds": each.seconds, "rate": each.tier.rate}
    return sentence("decisive.alone" if len(each.buckets) == 1 else "decisive.together", lang, facts)
