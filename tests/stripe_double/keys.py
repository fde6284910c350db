"""Idempotency keys: the first answer of each, whatever it was, for 24 hours by the double's own clock."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.stripe_double.refused import StripeRefusesError, invalid, key_in_use, key_reused

LONGEST = 255
KEPT_SECONDS = 86_400


@dataclass
class Answered:
    """The answer of a call, as it goes over HTTP."""

    status: int
    text: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class _Kept:
    asked: str  # path and body
    at: int
    answer: Answered | None = None  # None: under way


class Keys:
    """The keys of one account in one mode."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    def known(self, key: str, asked: str, now: int) -> Answered | None:
        """The first answer again; raises where the call differs, and where the first one is under way."""
        if len(key) > LONGEST:
            raise invalid(f"Idempotency keys can be at most {LONGEST} characters long; this one has {len(key)}.")
        kept = self._kept.get(key)
        if kept is None or (kept.answer is not None and kept.at + KEPT_SECONDS < now):
            return None
        if kept.answer is None:
            raise key_in_use(key)
        if kept.asked != asked:
            raise key_reused(key)
        return Answered(kept.answer.status, kept.answer.text, {**kept.answer.headers, "Idempotent-Replayed": "true"})

    def begin(self, key: str, asked: str, now: int) -> None:
        """The first call with this key is under way."""
        self._kept[key] = _Kept(asked, now)

    def end(self, key: str, answer: Answered | None) -> None:
        """Keep its answer; None where nothing was begun: then the key is as good as new."""
        if answer is None:
            self._kept.pop(key, None)
        else:
            self._kept[key].answer = answer


def is_kept(error: StripeRefusesError) -> bool:
    """Whether an error is an answer of the endpoint itself: what is refused before it begins is not kept."""
    return error.status not in (401, 403, 409, 429)
