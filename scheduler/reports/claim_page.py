"""A claim explained: sentences, what decided, a table, and the pictures, as a page that opens without a network.

    ClaimExplained = explain_claim(session, rules, "c-17", at)
    claim_page(explained, ("ja", "en"))     claim_picture(explained, "ja")

The claim is told by the decision that holds; which exclusion decided is worked out from what was known when it was
made, by the readings it was made with. Read only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from markupsafe import Markup

from keizoku.db.session import Session
from keizoku.scheduler.reports.claim_states import ClaimState
from keizoku.scheduler.reports.sentences import state_told
from keizoku.scheduler.reports.templates import Langs, both, templates_in
from keizoku.sla.claims.claim_store import load_account_months
from keizoku.sla.claims.claim_views import claim_explanation, decided_buckets
from keizoku.sla.claims.explanation import claim_sentences as claim_told
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
    """All that the page shows. `buckets` None: not decided yet. `deciding` None: it cannot be worked out again."""

    story: Mapping[str, Any]
    policy: Policy
    service: ServiceMonth
    buckets: Mapping[str, Spans] | None
    claimed: Spans
    deciding: tuple[DecisiveExclusion, ...] | None

    @property
    def decision(self) -> Decision | None:
        """The decision that holds."""
        return self.story["decisions"][-1][2] if self.story["decisions"] else None

    def deciding_told(self, lang: Lang) -> list[str]:
        """What decided, in sentences; empty while the claim is pending."""
        decision = self.decision
        if decision is None:
            return []
        if decision.facts["reason"] == "deadline":
            return [sentence("deciding.deadline", lang, {})]
        if self.deciding is None:
            return [sentence("deciding.unknown", lang, {})]
        if not self.deciding:
            highest = self.policy.sla.tier(decision.facts["seconds"]) == self.policy.sla.tiers[-1]
            return [sentence("deciding.highest" if highest else "deciding.none", lang, {})]
        return [_deciding_told(each, lang) for each in self.deciding]


def explain_claim(session: Session, rules: Rules, claim_id: str, at: datetime) -> ClaimExplained:
    """Everything about a claim as known at an instant. Raises Refused for an unknown id, and NoPopulationError."""
    story = claim_explanation(session, rules, claim_id, at)
    month = Month.parse(story["claim"]["month"])
    known_at, readings = at, {}
    if story["decisions"]:
        _, known_at, decision = story["decisions"][-1]
        readings = dict(decision.readings)
    policy = rules.terms.with_readings(readings).of_month(month)
    resolution_seconds = rules.discretion.resolution_seconds
    facts = load_month_facts(session, policy, month, known_at)
    service = service_month(facts, policy, resolution_seconds)
    (among,) = load_account_months(session, month, policy, [story["claim"]["account"]], known_at)
    own = next(each for each in among.claims if each.claim_id == claim_id)
    windows = story["claim"]["windows"]
    claimed = service.gross if windows is None else read_spans(windows)
    if not story["decisions"]:
        return ClaimExplained(story, policy, service, None, claimed, None)
    united = set(decision.facts["united_claims"])
    for each in among.claims:
        if each.claim_id in united:
            claimed = union(claimed, service.gross if each.windows is None else each.windows)
    buckets = decided_buckets(decision)
    deciding = None
    if union(*buckets.values()) == service.gross and decision.terms == policy.version:
        deciding = decisive_exclusions(facts, ClaimFacts(own, among), policy, resolution_seconds)
    return ClaimExplained(story, policy, service, buckets, claimed, deciding)


def claim_picture(explained: ClaimExplained, lang: Lang) -> str:
    """The two pictures of a claim as one SVG: the steps to what is recognised, and the month."""
    return stacked(_pictures(explained, lang))


def claim_page(explained: ClaimExplained, langs: Langs) -> str:
    """The page in one language or both; it runs no script and asks for nothing else."""
    story = explained.story
    asked, state = story["claim"], story["state"]
    claim_state = ClaimState(state["outcome"], state["reason"], state["seconds"], state["rate"])
    claim_sentences = {lang: claim_told(story, _lang(lang)) for lang in langs}
    sentences = [
        (claim_sentences[langs[0]][place][0], [(lang, claim_sentences[lang][place][1]) for lang in langs])
        for place in range(len(claim_sentences[langs[0]]))
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
        title=f"{asked['id']} {asked['account']} {asked['month']}",
        asked=asked,
        month=say(words.month(asked["month"], ja=True), words.month(asked["month"], ja=False)),
        outcome=say(state_told(ClaimState(*claim_state.verdict[:2]), "ja"), state_told(
            ClaimState(*claim_state.verdict[:2]), "en")),
        state=state,
        rate=words.percent(state["rate"], ja=False) if state["rate"] else "0%",
        deciding=[say(*pair) for pair in zip(
            explained.deciding_told("ja"), explained.deciding_told("en"), strict=True)],
        sentences=sentences,
        pictures=[Markup(each) for each in _pictures(explained, _lang(langs[-1]))],  # noqa: S704
        buckets=_bucket_rows(explained.buckets, langs) if explained.buckets else [],
        gross=length(explained.service.gross),
        decisions=[
            (revision, moment(at), say(*_decision_told(decision)))
            for revision, at, decision in story["decisions"]
        ],
        awards=story["awards"],
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


def _decision_told(decision: Decision) -> tuple[str, str]:
    granted = [step.facts["rate"] for step in decision.steps if step.key == "claim.granted"]
    reason, seconds = decision.facts["reason"], decision.facts["seconds"]
    state = ClaimState(decision.outcome, reason, seconds, granted[0] if granted else None)
    return state_told(state, "ja"), state_told(state, "en")


def _deciding_told(each: DecisiveExclusion, lang: Lang) -> str:
    names = ("、" if lang == "ja" else ", ").join(name_of(bucket, lang) for bucket in each.buckets)
    facts = {"name": names, "without_seconds": each.seconds, "rate": each.tier.rate}
    return sentence("deciding.alone" if len(each.buckets) == 1 else "deciding.together", lang, facts)


def _lang(lang: str) -> Lang:
    return "ja" if lang == "ja" else "en"
