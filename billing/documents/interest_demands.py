"""Demands for late interest as documents: listed, shown as they were sent, written as a page for the user.

Read only: text and workings were fixed when the demand was made. The page is Japanese and English, with every debt's
workings in a table; what comes from outside is escaped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from jinja2 import Environment, StrictUndefined, Template

from keizoku.db.session import Session
from keizoku.db.tables.money import demand
from keizoku.terms.read_model import ReadModel
from keizoku.terms.refusal import Refused
from keizoku.terms.words import day, percent

_PAGE = Path(__file__).parent / "demand.html.j2"


@dataclass(frozen=True, slots=True, eq=False)
class DemandRow(ReadModel):
    """A demand of a list: what was new in it, and the whole that is owed; whole yen."""

    id: int
    account: str
    demanded_on: date
    new_yen: int
    total_yen: int
    occasion: str


def demand_count(session: Session, account: str | None = None) -> int:
    """How many demands `demands` has in all."""
    query = sa.select(sa.func.count()).select_from(demand)
    return session.scalar(query.where(demand.c.account == account) if account is not None else query) or 0


def demands(
    session: Session, account: str | None = None, *, limit: int | None = None, after: int = 0
) -> list[DemandRow]:
    """Every demand (of one account, or all) in the order in which they were made: what is new in it, and the whole.

    At most `limit`, behind the demand `after`.
    """
    query = sa.select(demand).where(demand.c.id > after).order_by(demand.c.id).limit(limit)
    if account is not None:
        query = query.where(demand.c.account == account)
    return [
        DemandRow(
            id=row.id,
            account=row.account,
            demanded_on=row.demanded_on,
            new_yen=row.interest_yen,
            total_yen=row.total_yen,
            occasion=row.occasion,
        )
        for row in session.execute(query)
    ]


@dataclass(frozen=True, slots=True, eq=False)
class Demand(ReadModel):
    """A demand as it was sent: what was new in it, the whole, its text, and the workings as they were kept."""

    id: int
    account: str
    demanded_on: date
    interest_yen: int
    total_yen: int
    occasion: str
    written_at: datetime
    body_ja: str
    body_en: str
    details: Sequence[Mapping[str, Any]]
    calculation: Mapping[str, Any]


def demand_of(session: Session, demand_id: int) -> Demand:
    """One demand: account, day, text in both languages, workings. Raises Refused where there is none."""
    row = session.execute(sa.select(demand).where(demand.c.id == demand_id)).one_or_none()
    if row is None:
        raise Refused("demand.unknown", f"demand {demand_id}: there is none", "see `keizoku demand list`")
    return Demand(**row._mapping)


def demand_html(found: Demand) -> str:
    """The document of a demand as `demand_of` returns it."""
    return _page().render(demand=found, workings=found.calculation)


@cache
def _page() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["yen"] = lambda amount: f"{amount:,}"
    environment.filters["day_ja"] = lambda on: day(on, True)
    environment.filters["day_en"] = lambda on: day(on, False)
    environment.filters["percent"] = lambda rate: percent(rate, True)
    return environment.from_string(_PAGE.read_text(encoding="utf-8"))
