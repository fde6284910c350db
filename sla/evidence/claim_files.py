"""Reader of claims as other systems hand them over: id, account, month, received_at, windows, as CSV.

`windows` holds FROM/TO joined by `;`; empty: every window of the month. What is wrong with a row is a Finding
with its line; nothing of it is recorded then.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from keizoku.sla.evidence.incident_files import Read, RefusedRowError, id_in, instant, period, read_table
from keizoku.sla.review_queue import policy_of
from keizoku.sla.rules.intervals import Spans, normalise
from keizoku.terms.calendar import Month
from keizoku.terms.policy import UncoveredDateError
from keizoku.terms.rules import Rules

CLAIM_COLUMNS = ("id", "account", "month", "received_at", "windows")


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """One claim as it came; no windows: all of the month."""

    id: str
    account: str
    month: Month
    received_at: datetime
    windows: Spans | None


def read_claims(path: Path, rules: Rules, now: datetime) -> Read[ClaimRow]:
    """The claims of a file that can be taken at `now`."""

    def claim(row: Mapping[str, str]) -> ClaimRow:
        name, account = id_in(row), id_in(row, "account")
        month = _month(row["month"], rules)
        received_at = instant(row["received_at"])
        if received_at > now:
            raise RefusedRowError(f"received {row['received_at']}", "it lies ahead", "correct the time")
        if month > Month.of(received_at):
            raise RefusedRowError(str(month), "the month had not begun", "claim once there was an outage in it")
        return ClaimRow(name, account, month, received_at, _windows(row["windows"]))

    return read_table(path, CLAIM_COLUMNS, claim)


def _month(written: str, rules: Rules) -> Month:
    try:
        month = Month.parse(written)
    except ValueError:
        raise RefusedRowError(repr(written), "not a month", "write it as 2026-04") from None
    try:
        policy_of(rules, month)
    except UncoveredDateError as uncovered:
        raise RefusedRowError(str(month), str(uncovered), "add that version of the terms") from None
    return month


def _windows(written: str) -> Spans | None:
    """FROM/TO;FROM/TO as a set of seconds; None for an empty text."""
    if not written:
        return None
    spans = []
    for pair in written.split(";"):
        start, slash, end = pair.partition("/")
        if not slash:
            remedy = "write FROM/TO, several joined by ;"
            raise RefusedRowError(f"window {pair.strip()!r}", "a window has a start and an end", remedy)
        spans.append(period(start.strip(), end.strip()))
    return normalise(spans)
