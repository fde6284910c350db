"""What the desk asks of every fact before it takes it; a refusal carries the finding that says why."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from difflib import get_close_matches

from sla.intervals import Span, Spans, normalise
from sla.unusable import Cause
from terms.calendar import epoch, epoch_up, iso_jst
from terms.decision import Finding


class Refusal(ValueError):
    """A fact that cannot be taken, with its finding."""

    def __init__(self, source: str, value: str, rule: str, remedy: str) -> None:
        super().__init__(source, value, rule, remedy)
        self.finding = Finding(source, None, value, rule, remedy)

    def at_line(self, line: int) -> Finding:
        """The finding for a row of several."""
        known = self.finding
        return Finding(known.source, line, known.value, known.rule, known.remedy)


def finding(source: str, value: str, rule: str, remedy: str) -> Finding:
    """A finding about one fact, which has no line."""
    return Finding(source, None, value, rule, remedy)


def period(source: str, from_at: datetime, to_at: datetime) -> Span:
    """Whole seconds, outward. Raises Refusal for an end that is not after its start."""
    if to_at <= from_at:
        value = f"{iso_jst(from_at)} to {iso_jst(to_at)}"
        raise Refusal(source, value, "a period ends after it starts", "correct one of the times")
    return epoch(from_at), epoch_up(to_at)


def spans_of(source: str, windows: Iterable[Sequence[datetime]]) -> Spans:
    """Windows of people as a set of seconds. Raises Refusal for one that is not after its start."""
    return normalise(period(source, window[0], window[1]) for window in windows)


def not_negative(source: str, users: int) -> None:
    """Raises Refusal for a number of users under 0."""
    if users < 0:
        raise Refusal(source, f"{users} users", "a number of users is not negative", "correct it")


def known_cause(source: str, cause: str) -> None:
    """Raises Refusal for a word that is no cause."""
    if cause not in list(Cause):
        causes = ", ".join(Cause)
        raise Refusal(source, f"cause {cause!r}", f"a cause is {causes}", nearest_of(cause, list(Cause)))


def needed(source: str, **texts: str) -> None:
    """Raises Refusal for the first text that is empty."""
    for name, text in texts.items():
        if not text.strip():
            raise Refusal(source, f"no {name}", f"{name} is needed", "say it")


def nearest_of(written: str, known: Iterable[str]) -> str:
    """A remedy that names the nearest known word."""
    nearest = get_close_matches(written, [str(word) for word in known], n=1, cutoff=0.4)
    return f"the nearest is {nearest[0]!r}" if nearest else "there is none like it"
