"""Pieces, reviews and claim states in the words of people, Japanese and English. What people wrote stays as it is."""

from collections.abc import Sequence

from keizoku.scheduler.reports.claim_states import ClaimState
from keizoku.scheduler.reports.review_log import NotLowered, Review
from keizoku.sla.months.history import HistoryRow
from keizoku.terms import words
from keizoku.terms.rendering import Lang, sentence


def piece_told(piece: HistoryRow, lang: Lang) -> str:
    """What became known, without its times and people."""
    facts = dict(piece.facts)
    key = f"history.{piece.kind}"
    if piece.kind == "notice":
        key += ".cancelled" if facts["cancelled"] else ".in_time" if facts["in_time"] else ".late"
    elif piece.kind == "environment" and not piece.windows:
        key += ".taken_back"
    elif piece.kind == "recognition" and not piece.windows:
        key += ".nothing"
    elif piece.kind == "unknown_ruling":
        key += f".{facts['verdict']}"
    elif piece.kind == "incident":
        facts["cause"] = sentence(f"cause.{facts['cause']}", lang, {})
    return sentence(key, lang, facts)


def claims_told(pieces: Sequence[HistoryRow], lang: Lang) -> str:
    """Many claims on one line."""
    facts = {"claims": len(pieces), "first": pieces[0].subject, "last": pieces[-1].subject}
    return sentence("history.claims", lang, facts)


def windows_told(piece: HistoryRow, lang: Lang) -> str:
    """When it holds: an open end has no second time."""
    ja = lang == "ja"
    if piece.kind == "population":
        return words.instant(piece.windows[0][0], ja) + ("から" if ja else " on")
    if piece.kind == "claim" and piece.facts["whole"]:
        return "月の全て" if ja else "the whole month"
    told = [
        words.windows([(start.isoformat(), end.isoformat())], ja)
        if end
        else words.instant(start, ja) + ("〜" if ja else "–")
        for start, end in piece.windows
    ]
    return ("、" if ja else ", ").join(told)


def review_told(review: Review, lang: Lang) -> str:
    """What a review came to, on one line."""
    facts = {
        "gross_seconds": review.gross_seconds,
        "unusable_seconds": review.unusable_seconds,
        "first": review.first,
        "changed": len(review.changed),
        "added_yen": review.yen,
    }
    return sentence("history.review", lang, facts)


def not_lowered_told(fall: NotLowered, lang: Lang) -> str:
    """An award that stays although less would be found."""
    facts = {"account": fall.account, "awarded_yen": fall.awarded_yen, "found_yen": fall.found_yen}
    return sentence("history.review.not_lowered", lang, facts)


def state_told(state: ClaimState | None, lang: Lang) -> str:
    """A claim's state: granted with its rate, or why not; the recognised time with it."""
    if state is None:
        return sentence("outcome.unknown", lang, {})
    told = sentence(f"outcome.{state.reason or state.outcome}", lang, {})
    if state.rate is not None:
        told += f" {words.percent(state.rate, lang == 'ja')}"
    if state.seconds is not None:
        told += f" ({words.duration(state.seconds, lang == 'ja')})"
    return told
