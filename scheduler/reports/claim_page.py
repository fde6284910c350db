"""A claim explained: sentences, what decided, a table, and the pictures, as a page that opens without a network.

    ClaimExplained = explain_claim(session, rules, "c-17", at)
    claim_page(explained, ("ja", "en"))     claim_picture(explained, "ja")

The sentences are those of the decision that holds; which exclusion decided is worked out from what was known when it
was made, by the readings it was made with. Read only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from markupsafe import Markup

from keizoku.db.account_reads import noted
from keizoku.db.session import Session
from keizoku.scheduler.reports.claim_states import ClaimState
from keizoku.scheduler.reports.sentences import state_text
from keizoku.scheduler.reports.templates import Langs, both, templates_in
from keizoku.sla.claims.claim_store import load_account_months
from keizoku.sla.claims.claim_views import claim_explanation, decided_buckets
from keizoku.sla.claims.explanation import claim_sentences, explanation_json
from keizoku.sla.claims.read_models import ClaimExplanation, ClaimRevision
from keizoku.sla.months.month_facts import load_month_facts, read_spans
from keizoku.sla.pictures.timeline import month_svg, name_of
from keizoku.sla.pictures.waterfall import stacked, waterfall_svg
from keizoku.sla.rules.claim_facts import ClaimFacts
from keizoku.sla.rules.decisive_exclusion import DecisiveExclusion, decisive_exclusions
from keizoku.sla.rules.intervals import Spans, as_iso, intersect, length, union
from keizoku.sla.rules.unusable_time import ServiceMonth, service_month
from keizoku.terms import words
from keizoku.terms.calendar import Month
from keizoku.terms.decision import Decision
from keizoku.terms.policy import Policy
from keizoku.terms.rendering import Lang, sentence
from keizoku.terms.rules import Rules


@dataclass(frozen=True, slots=True)
class ClaimExplained:
    """All that the page shows. `buckets` None: not decided yet. `decisive` None: it cannot be worked out again."""

    explanation: ClaimExplanation
    policy: Policy
    service: ServiceMonth
    buckets: Mapping[str, Spans] | None
    claimed: Spans
    decisive: tuple[DecisiveExclusion, ...] | None

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
    if last is None:  # pending, or taken back: then it is among nobody's claims any more
        return ClaimExplained(explanation, policy, service, None, claimed, None)
    (among,) = load_account_months(session, month, policy, [explanation.claim.account], known_at)
    own = next(each for each in among.claims if each.claim_id == claim_id)
    for each in among.claims:
        if each.claim_id in last.united_claims:
            claimed = union(claimed, service.gross if each.windows is None else each.windows)
    buckets = decided_buckets(last.decision)
    decisive = None
    if union(*buckets.values()) == service.gross and last.decision.terms == policy.version:
        decisive = decisive_exclusions(facts, ClaimFacts(own, among), policy, resolution_seconds)
    return ClaimExplained(explanation, policy, service, buckets, claimed, decisive)


def claim_picture(explained: ClaimExplained, lang: Lang) -> str:
    """The two pictures of a claim as one SVG: the steps to what is recognised, and the month."""
    return stacked(_pictures(explained, lang))


def claim_page(explained: ClaimExplained, langs: Langs) -> str:
    """The page in one language or both; it runs no script and asks for nothing else."""
    claim, status = explained.explanation.claim, explained.explanation.status
    outcome = ClaimState(status.outcome, status.reason)
    by_lang = {lang: claim_sentences(explained.explanation, _lang(lang)) for lang in langs}
    sentences = [
        (by_lang[langs[0]][place][0], [(lang, by_lang[lang][place][1]) for lang in langs])
        for place in range(len(by_lang[langs[0]]))
    ]

    def say(ja: object, en: object) -> Markup:
        return both(ja, en, langs)

    def moment(value: Any) -> Markup:
        return say(words.instant(value, ja=True), words.instant(value, ja=False))

    return templates_in().get_template("claim.html.j2").render(
        langs=langs,
        say=say,
        moment=moment,
        yen=lambda value: say(words.yen(value, ja=True), words.yen(value, ja=False)),
        title=f"{claim.id} {claim.account} {claim.month}",
        claim=claim,
        month=say(words.month(claim.month, ja=True), words.month(claim.month, ja=False)),
        outcome=say(state_text(outcome, "ja"), state_text(outcome, "en")),
        status=status,
        rate=words.percent(status.rate, ja=False) if status.rate else "0%",
        decisive=[say(*pair) for pair in zip(
            explained.decisive_sentences("ja"), explained.decisive_sentences("en"), strict=True)],
        sentences=sentences,
        pictures=[Markup(each) for each in _pictures(explained, _lang(langs[-1]))],  # noqa: S704
        buckets=_bucket_rows(explained.buckets, langs) if explained.buckets else [],
        gross=length(explained.service.gross),
        decisions=[
            (each.revision, moment(each.decided_at), say(*_outcome_texts(each)))
            for each in explained.explanation.decisions
        ],
        decision=explained.decision,
    )  # fmt: skip


def _pictures(explained: ClaimExplained, lang: Lang) -> list[str]:
    """The steps and the month; of a claim not decided yet the month for everyone."""
    policy, service = explained.policy, explained.service
    buckets = explained.buckets or service.buckets
    claimed = intersect(explained.claimed, service.gross)
    own = explained.buckets
    return [waterfall_svg(buckets, policy, lang), month_svg(service, policy, lang, own, claimed=claimed)]


def _bucket_rows(buckets: Mapping[str, Spans], langs: Langs) -> list[tuple[str, int, Markup]]:
    rows = []
    for bucket, spans in buckets.items():
        pairs = as_iso(spans)
        windows = both(words.windows(pairs, ja=True), words.windows(pairs, ja=False), langs[-1:]) if spans else Markup()
        rows.append((bucket, length(spans), windows))
    return rows


def _outcome_texts(made: ClaimRevision) -> tuple[str, str]:
    granted = [step.facts["rate"] for step in made.decision.steps if step.key == "claim.granted"]
    state = ClaimState(made.decision.outcome, made.reason, made.seconds, granted[0] if granted else None)
    return state_text(state, "ja"), state_text(state, "en")


def _decisive_sentence(each: DecisiveExclusion, lang: Lang) -> str:
    names = ("、" if lang == "ja" else ", ").join(name_of(bucket, lang) for bucket in each.buckets)
    facts = {"name": names, "without_seconds": each.seconds, "rate": each.tier.rate}
    return sentence("decisive.alone" if len(each.buckets) == 1 else "decisive.together", lang, facts)


def _lang(lang: str) -> Lang:
    return "ja" if lang == "ja" else "en"
