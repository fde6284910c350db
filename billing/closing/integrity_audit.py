"""The checks behind the certificate: values are derived again from contracts and events and compared with the rows.

Each check is a query that counts what should not be; each sum is computed twice, from the journal and from the
rows that it was posted from (`audit_questions.py`, `derived_balances.py`). Nothing here repairs anything.

    base: an earlier audit without differences ──> its floors (ids), and what the rows up to them summed to
    this audit: rows above the floors, the rows that they touch, what is open; plus what was carried
    without a base: everything

Rows up to a floor are of tables that the database lets nobody change (db/tables/guards.py), or final (an attempt with
its answer). What changes all the same is asked for whole: open fees, running contracts, days to come.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from keizoku.billing.closing.audit_questions import (
    ASKED_IF,
    CARRIED,
    CHECKS,
    COUNTED,
    COUNTS,
    FLOORS,
    parts_to_ask,
    question,
)
from keizoku.billing.closing.derived_balances import CARRIED_INTO, SUMS
from keizoku.db.session import Session

_MARGIN = timedelta(days=1)
"""Clocks of several machines differ, and what is recorded during a night bears the time of its beginning."""


@dataclass(frozen=True, slots=True)
class AuditBaseline:
    """An audit without differences on which the next one builds; the default is that of an empty database."""

    floors: Mapping[str, int] = field(default_factory=dict)  # rows up to these ids need not be looked at again
    carried: Mapping[str, int] = field(default_factory=dict)  # what they summed to (yen, rows)
    sums: Mapping[str, int] = field(default_factory=dict)  # the journal's balances at its floor (yen)
    issued_at: datetime | None = None

    @property
    def whole(self) -> bool:
        """Whether the next audit can build on it; one written by an earlier release may lack figures."""
        return self.floors.keys() >= {*FLOORS, "payment_attempt"} and self.carried.keys() >= CARRIED.keys()


FULL_AUDIT = AuditBaseline()


@dataclass(frozen=True, slots=True)
class Audit:
    """Counts, sums (yen), every difference found, as sentences, and the base for the next audit."""

    counts: Mapping[str, int]
    sums: Mapping[str, int]
    differences: tuple[str, ...]
    floors: Mapping[str, int]
    carried: Mapping[str, int]


def audit(
    session: Session,
    business_date: date,
    *,
    recognised_to: date,
    base: AuditBaseline = FULL_AUDIT,
    ask_first: bool = True,
) -> Audit:
    """Check as of the business date what came since `base`; revenue is recognised for the days before `recognised_to`.

    Counts and sums are those of everything, whatever the base. Without one every row is looked at. Parts that a first
    statement finds nothing for are left out; without `ask_first` every part is asked, with the same result.
    """
    values = _asked(business_date, recognised_to, base)
    [found] = question("first").rows(session, values)
    for part in parts_to_ask(found, base.floors) if ask_first else ASKED_IF:
        [row] = question(part).rows(session, values)
        for name, value in row.items():
            found[name] = found.get(name, 0) + value if name.startswith("sum ") else value
    moved: Mapping[str, int] = found.get("moved", {})
    balances = {code: base.sums.get(code, 0) + int(moved.get(code, 0)) for code in sorted({*base.sums, *moved})}
    now, carried = (
        {name: int(found.get(f"{kind} {name}", base.carried.get(name, 0))) for name in CARRIED}
        for kind in ("now", "carried")
    )
    differences = [f"{found[f'check {at}']} {what}" for at, what in enumerate(CHECKS) if found.get(f"check {at}")]
    for code in SUMS:
        stands_at, rows_say = balances.get(code, 0), _rows_say(code, found, now)
        if stands_at != rows_say:
            differences.append(f"account {code} stands at {stands_at} yen, its rows say {rows_say}")
    if sum(balances.values()):
        differences.append(f"the trial balance is off by {sum(balances.values())} yen")
    counts = {name: int(found[name]) for name in COUNTS}
    counts |= {f"{table}s": now[f"{table}_rows"] for table in COUNTED if table != "entry"}
    counts |= {"entries": now["entry_rows"], "last_term_id": found["floor term"]}
    floors = {table: int(found[f"floor {table}"]) for table in (*FLOORS, "payment_attempt")}
    return Audit(counts, balances, tuple(differences), floors, carried)


def _rows_say(code: str, found: Mapping[str, Any], now: Mapping[str, int]) -> int:
    """The balance of an account by the rows that it was posted from."""
    of_rows = int(found.get(f"sum {code}", 0))
    by_people = int((found.get("by_people") or {}).get(code, 0))
    return of_rows + by_people + sum(sign * now[name] for name, sign in CARRIED_INTO.get(code, {}).items())


def _asked(business_date: date, recognised_to: date, base: AuditBaseline) -> dict[str, Any]:
    since = datetime(1, 1, 1, tzinfo=UTC) if base.issued_at is None else base.issued_at - _MARGIN
    return {
        "business_date": business_date,
        "day_after": recognised_to,
        "since": since,
        **{table: base.floors.get(table, 0) for table in (*FLOORS, "payment_attempt")},
        **{name: base.carried.get(name, 0) for name in CARRIED},
    }
