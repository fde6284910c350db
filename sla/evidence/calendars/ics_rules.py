"""Recurring windows of calendars: a rule that is followed step by step, and never without end.

What a rule says is dateutil's to work out. It follows a rule that no day fulfils (31 February) to the year 9999, day by
day, and one with INTERVAL=0 for ever: here a rule ends in a refusal after STEPS_OF_A_RULE months without a window.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from dateutil.rrule import HOURLY, rrule, rruleset, rrulestr

from keizoku.limits import LONGEST_RULE, STEPS_OF_A_RULE
from keizoku.sla.evidence.incident_files import RefusedRowError

__all__ = ["recurring", "starts_of"]


class _Followed(rrule):
    """A rule that counts the months, or years, that dateutil turns to in it since its last window."""

    steps = 0
    uid = ""

    @property
    def _bynweekday(self) -> Any:
        """dateutil reads this at each month or year that it turns to, and nothing else as often."""
        self.steps += 1
        if self.steps > STEPS_OF_A_RULE:
            rule = f"a rule has a window within {STEPS_OF_A_RULE:,} of its months or years"
            raise RefusedRowError(f"{self.uid}: RRULE", rule, "correct it")
        return self.__dict__["_bynweekday"]

    @_bynweekday.setter
    def _bynweekday(self, value: Any) -> None:
        self.__dict__["_bynweekday"] = value


def recurring(text: str, start_at: datetime, uid: str) -> rrule:
    """The rule of a text, from its first start on. Raises RefusedRowError, or ValueError where dateutil does."""
    if len(text) > LONGEST_RULE:
        raise RefusedRowError(f"{uid}: RRULE", f"a rule has at most {LONGEST_RULE} letters", "write it shorter")
    read = rrulestr(text, dtstart=start_at)
    if not isinstance(read, rrule):
        raise RefusedRowError(f"{uid}: RRULE", "an event has one rule", "leave one")
    read.__class__ = _Followed  # rrulestr makes its own class alone
    followed: Any = read
    followed.uid = uid
    if followed._interval < 1:
        raise RefusedRowError(f"{uid}: INTERVAL={followed._interval}", "an interval is 1 or more", "correct it")
    if followed._freq > HOURLY:
        raise RefusedRowError(f"{uid}: RRULE", "windows recur every hour at most", "write one window that lasts")
    return read


def starts_of(series: rruleset, rules: list[rrule], until: datetime | None, most: int) -> Iterator[datetime]:
    """The starts of a series in order, at most so many, and none after `until`."""
    for count, start_at in enumerate(series, start=1):
        if until is not None and start_at > until:
            return
        yield start_at
        if count == most:
            return
        for rule in rules:
            if isinstance(rule, _Followed):
                rule.steps = 0
