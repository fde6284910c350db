"""A claim explained in sentences: the deadline, every second and its clause, the rate, the yen.

Decides nothing: each sentence is filled with the facts of a step of the decision that holds, or of the newest award.
"""

from __future__ import annotations

from fractions import Fraction

from keizoku.sla.claims.read_models import AwardRow, ClaimExplanation
from keizoku.terms.monthly_fee import monthly_fee
from keizoku.terms.rendering import Lang, sentence


def claim_sentences(explanation: ClaimExplanation, lang: Lang) -> list[tuple[str, str]]:
    """(clause, sentence) from the first step to the yen; the decision that holds."""
    last = explanation.last
    if last is None:
        state = "withdrawn" if explanation.status.outcome == "withdrawn" else "pending"
        return [("premium/9.2", sentence(f"claim.{state}", lang, {"month": explanation.claim.month}))]
    steps = zip(last.decision.steps, last.decision.render(lang), strict=True)
    sentences = [(step.clause, text) for step, text in steps]
    if explanation.awards and last.reason in (None, "threshold"):
        award = explanation.awards[-1]
        if last.seconds < award.seconds:
            sentences.append(("premium/9.2", sentence("claim.awarded.kept", lang, {})))
        sentences += [("premium/9.2", text) for text in _arithmetic(award, lang)]
    return sentences


def explanation_json(explanation: ClaimExplanation, lang: Lang) -> dict[str, object]:
    """All of it as JSON, with its sentences."""
    return explanation.to_json(claim_sentences(explanation, lang))


def _arithmetic(award: AwardRow, lang: Lang) -> list[str]:
    """How the newest award becomes yen."""
    usable = sentence("claim.awarded.usable", lang, {"usable_on": award.usable_from})
    if award.total_yen is None:
        return [sentence("claim.awarded.waiting", lang, {}), usable]
    fee = monthly_fee((term.price_yen, term.interval) for term in award.term_prices)
    if fee is None:
        raise ValueError(f"an award rests on the price of at least one term: {award}")
    exact = fee.exact_yen * Fraction(award.rate)
    facts = {
        "price_yen": fee.price_yen,
        "rate": award.rate,
        "exact": _mixed(exact),
        "rounded": sentence("claim.rounded.down" if award.total_yen < exact else "claim.rounded.up", lang, {}),
        "total_yen": award.total_yen,
        "granted_yen": award.granted_yen,
    }
    sentences = [sentence(f"claim.awarded.{fee.interval}", lang, facts)]
    if award.granted_yen != award.total_yen:
        sentences.append(sentence("claim.awarded.delta", lang, facts))
    return [*sentences, usable]


def _mixed(yen: Fraction) -> str:
    """88 1/3: an exact amount as people write it."""
    whole, rest = divmod(yen.numerator, yen.denominator)
    return f"{whole:,} {rest}/{yen.denominator}" if rest else f"{whole:,}"
