"""What a night wrote, by stage: how many of each kind, and how many yen; and what of it is odd beside other nights.

    marks (the newest ids before it) ──> rows above them that carry the night's instant ──> figures ──> certificate

Counted from the rows themselves, by one statement, for a night that ran and for one that is only rehearsed: so the
two cannot differ in what they call a charge or an invoice. A night that was killed and run again counts what its last
run wrote.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from keizoku.db.session import PreparedQuery, Session
from keizoku.terms.read_model import Shown

__all__ = ["MARKS", "NIGHTS", "Figure", "OddFigure", "as_rows", "figures_of", "last_figures", "odd_among"]

NIGHTS: Final = 30
"""A night is compared with so many before it."""
LEAST_NIGHTS: Final = 10
"""With fewer nights before it, nothing is called odd."""
_TIMES: Final = 5


class _Rows(NamedTuple):
    """Rows of a table that are one kind of what a stage writes: their instant, their yen; `kind` splits them."""

    stage: str
    what: str
    table: str
    at: str
    yen: str = "0"
    kind: str = ""


_KINDS: Final = (
    _Rows("terms", "terms", "term", "recorded_at", "price_yen"),
    _Rows("claims", "awards", "award", "decided_at"),
    _Rows("credits", "credits", "credit", "recorded_at", "granted_yen"),
    _Rows("credits", "refunds", "credit_refund", "requested_at", "yen"),
    _Rows("invoices", "invoices", "invoice", "issued_at", "total_yen"),
    _Rows("payments", "charges", "payment_attempt", "started_at", "yen"),
    _Rows("payments", "refunds", "overpayment_refund", "requested_at", "yen"),
    _Rows("delinquency", "demands", "demand", "written_at", "interest_yen"),
    _Rows("delinquency", "suspensions", "suspension", "recorded_at"),
    _Rows("delinquency", "notices", "user_notice", "written_at", kind="kind"),
    _Rows("delinquency", "letters", "letter", "written_at"),
)
_BY_NUMBER: Final = tuple(dict.fromkeys(each.table for each in _KINDS))

_NEWEST: Final = ", ".join(
    f"'{table}', coalesce((SELECT max(id) FROM {table}), 0)"  # noqa: S608 - our own names
    for table in _BY_NUMBER
)
MARKS: Final = f"jsonb_build_object({_NEWEST})"
"""SQL of the newest id of each table that is counted."""


def _counted(rows: _Rows) -> str:
    what = f"'{rows.what}'" if not rows.kind else f"'{rows.what}.' || {rows.kind}"
    return (
        f"SELECT '{rows.stage}' AS stage, {what} AS what, count(*) AS number, "  # noqa: S608 - our own names
        f"coalesce(sum({rows.yen}), 0)::bigint AS yen FROM {rows.table} "
        f"WHERE id > (CAST(:marks AS jsonb) ->> '{rows.table}')::bigint AND {rows.at} = CAST(:now AS timestamptz) "
        f"GROUP BY 1, 2"
    )


_RECOGNISED: Final = (
    "SELECT 'revenue', 'recognised', count(*), coalesce(sum(yen), 0)::bigint FROM revenue_posting "
    "WHERE recorded_at = CAST(:now AS timestamptz) HAVING count(*) > 0"
)
_FIGURES: Final = PreparedQuery(
    sa.text(
        " UNION ALL ".join(
            [
                *map(_counted, _KINDS),
                _RECOGNISED,
            ]
        )
    ).bindparams(sa.bindparam("marks", type_=sa.Text()), sa.bindparam("now", type_=sa.Text()))
)


@dataclass(frozen=True, slots=True)
class Figure(Shown):
    """So many of a kind that a stage wrote, and what they come to in whole yen (0 where they have none)."""

    stage: str
    what: str
    number: int
    yen: int

    @property
    def name(self) -> str:
        """`payments.charges`"""
        return f"{self.stage}.{self.what}"


@dataclass(frozen=True, slots=True)
class OddFigure(Shown):
    """A figure unlike those of the nights before: which value, and their median, least and most."""

    name: str
    of: str  # number, yen
    value: int
    median: int
    least: int
    most: int
    nights: int


def figures_of(session: Session, marks: Mapping[str, int], now: datetime) -> list[Figure]:
    """What was written at `now` above the marks, in the order of the stages; kinds without a row are left out."""
    rows = _FIGURES.rows(session, {"marks": json.dumps(dict(marks)), "now": now.isoformat()})
    return [Figure(row["stage"], row["what"], row["number"], int(row["yen"])) for row in rows]


def last_figures(session: Session, before: date) -> list[dict[str, tuple[int, int]]]:
    """What each of the last nights before a business date wrote, the newest first: name -> (number, yen).

    A night that another caught up has no figures of its own: that other one wrote them.
    """
    nights = sa.text(
        "SELECT night.business_date, coalesce(jsonb_agg(c.wrote) FILTER (WHERE c.wrote IS NOT NULL), '[]') AS wrote "
        "FROM (SELECT business_date FROM stage_run WHERE stage = 'payments' AND business_date < :before "
        "      AND finished_at IS NOT NULL ORDER BY business_date DESC LIMIT :nights) AS night "
        "LEFT JOIN certificate c ON c.business_date = night.business_date GROUP BY 1 ORDER BY 1 DESC"
    )
    found: list[dict[str, tuple[int, int]]] = []
    for row in session.execute(nights, {"before": before, "nights": NIGHTS}):
        total: dict[str, tuple[int, int]] = {}
        for stage, what, number, yen in (each for written in row.wrote for each in written):
            had = total.get(f"{stage}.{what}", (0, 0))
            total[f"{stage}.{what}"] = (had[0] + number, had[1] + yen)
        found.append(total)
    return found


def odd_among(figures: Iterable[Figure], nights: Sequence[Mapping[str, tuple[int, int]]]) -> list[OddFigure]:
    """Figures unlike those of the nights before, also those that are missing; empty with fewer than 10 nights.

    Odd is what lies outside of all of them, and further from their median than five times the larger of: a tenth of
    the median, one and a half times the median distance from it (whole numbers, rounded down).
    """
    if len(nights) < LEAST_NIGHTS:
        return []
    now = {each.name: (each.number, each.yen) for each in figures}
    names = dict.fromkeys([*now, *(name for night in nights for name in night)])
    found = []
    for name in names:
        for place, of in enumerate(("number", "yen")):
            value = now.get(name, (0, 0))[place]
            before = sorted(night.get(name, (0, 0))[place] for night in nights)
            median = _median(before)
            reach = _TIMES * max(median // 10, _median(sorted(abs(each - median) for each in before)) * 3 // 2)
            if not before[0] <= value <= before[-1] and abs(value - median) > reach:
                found.append(OddFigure(name, of, value, median, before[0], before[-1], len(before)))
    return found


def _median(values: Sequence[int]) -> int:
    """The lower one of the two in the middle of sorted values."""
    return values[(len(values) - 1) // 2]


def as_rows(figures: Iterable[Figure]) -> list[list[Any]]:
    """As a certificate keeps them."""
    return [[each.stage, each.what, each.number, each.yen] for each in figures]
