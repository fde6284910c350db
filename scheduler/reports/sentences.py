"""What became known, reviews and claim states in words, Japanese and English. What people wrote stays as it is."""

from collections.abc import Mapping, Sequence

from keizoku.scheduler.reports.claim_states import ClaimState
from keizoku.scheduler.reports.review_log import NotLowered, Review
from keizoku.sla.months.history_rows import (
    ClaimFacts,
    EnvironmentFacts,
    HistoryRow,
    IncidentFacts,
    NoticeFacts,
    UnknownDecisionFacts,
)
from keizoku.terms import words
from keizoku.terms.readings import Reading
from keizoku.terms.rendering import Lang, sentence
from keizoku.terms.rules import Rules


def row_text(row: HistoryRow, lang: Lang) -> str:
    """What became known, without its times and people."""
    key, facts = f"history.{row.kind}", row.facts
    filled = facts.to_json()
    if isinstance(facts, NoticeFacts):
        key += ".cancelled" if facts.cancelled else ".in_time" if facts.in_time else ".late"
    elif row.kind == "environment" and not row.windows:
        key += ".taken_back"
    elif row.kind == "recognition" and not row.windows:
        key += ".nothing"
    elif isinstance(facts, UnknownDecisionFacts):
        key += f".{facts.decision}"
    if isinstance(facts, EnvironmentFacts):
        del filled["on"]  # a word, where other sentences have a day
    elif isinstance(facts, IncidentFacts):
        filled["cause"] = sentence(f"cause.{facts.cause}", lang, {})
    return sentence(key, lang, filled)


def claims_text(rows: Sequence[HistoryRow], lang: Lang) -> str:
    """Many claims on one line."""
    facts = {"claims": len(rows), "first": rows[0].subject, "last": rows[-1].subject}
    return sentence("history.claims", lang, facts)


def windows_text(row: HistoryRow, lang: Lang) -> str:
    """When it holds: an open end has no second time."""
    ja = lang == "ja"
    if row.kind == "population":
        return words.instant(row.windows[0][0], ja) + ("から" if ja else " on")
    if isinstance(row.facts, ClaimFacts) and row.facts.whole:
        return "月の全て" if ja else "the whole month"
    texts = [
        words.windows([(start.isoformat(), end.isoformat())], ja)
        if end
        else words.instant(start, ja) + ("〜" if ja else "–")
        for start, end in row.windows
    ]
    return ("、" if ja else ", ").join(texts)


def review_text(review: Review, lang: Lang) -> str:
    """What a review came to, on one line."""
    facts = {
        "gross_seconds": review.gross_seconds,
        "unusable_seconds": review.unusable_seconds,
        "first": review.first,
        "changed": len(review.changed),
        "added_yen": review.yen,
    }
    return sentence("history.review", lang, facts)


def not_lowered_text(fall: NotLowered, lang: Lang) -> str:
    """An award that stays although less would be found."""
    facts = {"account": fall.account, "awarded_yen": fall.awarded_yen, "found_yen": fall.found_yen}
    return sentence("history.review.not_lowered", lang, facts)


def readings_told(known: Mapping[str, Reading], chosen: Mapping[str, str], lang: Lang) -> list[tuple[str, str, str]]:
    """(question, answer, clause) of what the terms leave open; a reading that no terms have now stands by its code."""
    told = []
    for name, choice in chosen.items():
        reading = known.get(name)
        if reading is None:
            told.append((name, choice, ""))
            continue
        answer = next((each for each in reading.choices if each.name == choice), None)
        question, words_of = (reading.question_ja, answer and answer.ja) if lang == "ja" else (
            reading.question_en, answer and answer.en)  # fmt: skip
        told.append((question, words_of or choice, reading.clause.removeprefix("premium/")))
    return told


def known_readings(rules: Rules) -> dict[str, Reading]:
    """Every reading of any version of the terms, as the newest that has it puts it."""
    return {name: reading for version in rules.terms.versions for name, reading in version.readings.items()}


def state_text(state: ClaimState | None, lang: Lang) -> str:
    """A claim's state: granted with its rate, or why not; the recognised time with it."""
    if state is None:
        return sentence("outcome.unknown", lang, {})
    text = sentence(f"outcome.{state.reason or state.outcome}", lang, {})
    if state.rate is not None:
        text += f" {words.percent(state.rate, lang == 'ja')}"
    if state.seconds is not None:
        text += f" ({words.duration(state.seconds, lang == 'ja')})"
    return text
