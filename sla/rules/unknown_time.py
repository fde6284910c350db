"""Unknown time: no sample says whether the service was down or up, until people decide.

    recorded as missing   |-------------------------|
    other counts know           |-----|
    people decided                        |--down--|      the newest decision on a second holds
    still unknown         |-----|     |---|        |-|

Instants are epoch seconds, spans [start, end).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from keizoku.sla.rules.intervals import NOTHING, Span, Spans, normalise, subtract, union


class UnknownTimeDecision(StrEnum):
    """What people decide about unknown time."""

    UP = "up"  # the service could be used
    DOWN = "down"  # so many users could not use it; an outage if they are more than the threshold
    EXCLUDED = "excluded"  # it does not count, for the recorded ground
    UNKNOWN = "unknown"  # an earlier decision is taken back


@dataclass(frozen=True, slots=True)
class UnknownRuling:
    """People's decision on unknown time; `affected` only with down."""

    number: int
    start: int
    end: int
    decision: UnknownTimeDecision
    affected: int | None = None


def holding(rulings: Sequence[UnknownRuling]) -> list[tuple[UnknownRuling, Spans]]:
    """Each ruling, newest first, with the seconds in which no later one replaces it; given oldest first."""
    held, later = [], NOTHING
    for ruling in reversed(rulings):
        whole: Spans = ((ruling.start, ruling.end),)
        held.append((ruling, subtract(whole, later)))
        later = union(later, whole)
    return held


def still_unknown(missing: Iterable[Span], known: Iterable[Span], rulings: Sequence[UnknownRuling]) -> Spans:
    """What is missing, no other count knows, and nobody has decided."""
    decided = [spans for ruling, spans in holding(rulings) if ruling.decision is not UnknownTimeDecision.UNKNOWN]
    return subtract(normalise(missing), union(normalise(known), *decided))
