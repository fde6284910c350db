"""A claim's story (claim_explanation) in sentences: the deadline, every second and its clause, the rate, the yen.

Decides nothing: each sentence is filled with the facts of a step of the decision that holds, or of the newest award.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from keizoku.terms.calendar import MONTHS_OF, iso_jst
from keizoku.terms.decision import Decision
from keizoku.terms.rendering import Lang, sentence


def claim_sentences(story: Mapping[str, Any], lang: Lang) -> list[tuple[str, str]]:
    """(clause, sentence) from the first step to the yen; the decision that holds."""
    if not story["decisions"]:
        return [("premium/9.2", sentence("claim.pending", lang, {"month": story["claim"]["month"]}))]
    decision: Decision = story["decisions"][-1][2]
    steps = zip(decision.steps, decision.render(lang), strict=True)
    sentences = [(step.clause, words) for step, words in steps]
    if story["awards"] and decision.facts["reason"] in (None, "threshold"):
        award = story["awards"][-1]
        if decision.facts["seconds"] < award["seconds"]:
            sentences.append(("premium/9.2", sentence("claim.awarded.kept", lang, {})))
        sentences += [("premium/9.2", words) for words in _arithmetic(award, lang)]
    return sentences


def explanation_json(story: Mapping[str, Any], lang: Lang) -> dict[str, object]:
    """The whole story as JSON, with its sentences."""
    asked = story["claim"]
    return {
        "claim": {**asked, "received_at": iso_jst(asked["received_at"])},
        "state": story["state"],
        "sentences": [{"clause": clause, "text": words} for clause, words in claim_sentences(story, lang)],
        "decisions": [
            {"revision": revision, "decided_at": iso_jst(decided_at), **decision.to_json()}
            for revision, decided_at, decision in story["decisions"]
        ],
        "awards": [{**award, "decided_at": iso_jst(award["decided_at"])} for award in story["awards"]],
    }


def _arithmetic(award: Mapping[str, Any], lang: Lang) -> list[str]:
    """How the newest award becomes yen."""
    usable = sentence("claim.awarded.usable", lang, {"usable_on": award["usable_from"]})
    if award["total_yen"] is None:
        return [sentence("claim.awarded.waiting", lang, {}), usable]
    dearest = max(award["term_prices"], key=lambda term: Fraction(term["price_yen"], MONTHS_OF[term["interval"]]))
    exact = Fraction(award["fee_basis"]) * Fraction(award["rate"])
    facts = {
        "price_yen": dearest["price_yen"],
        "rate": award["rate"],
        "exact": _mixed(exact),
        "rounded": sentence("claim.rounded.down" if award["total_yen"] < exact else "claim.rounded.up", lang, {}),
        "total_yen": award["total_yen"],
        "granted_yen": award["granted_yen"],
    }
    sentences = [sentence(f"claim.awarded.{dearest['interval']}", lang, facts)]
    if award["granted_yen"] != award["total_yen"]:
        sentences.append(sentence("claim.awarded.delta", lang, facts))
    return [*sentences, usable]


def _mixed(yen: Fraction) -> str:
    """88 1/3: an exact amount as people write it."""
    whole, rest = divmod(yen.numerator, yen.denominator)
    return f"{whole:,} {rest}/{yen.denominator}" if rest else f"{whole:,}"
