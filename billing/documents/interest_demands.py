"""Demands for late interest as documents: listed, shown as they were sent, written as a page for the user.

Read only: text and workings were fixed when the demand was made. The page is Japanese and English, with every debt's
workings in a table; what comes from outside is escaped.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from jinja2 import Environment, StrictUndefined, Template

from keizoku.db.session import Session
from keizoku.db.tables.money import demand
from keizoku.terms.refusal import Refused
from keizoku.terms.words import day, percent

_PAGE = Path(__file__).parent / "demand.html.j2"


def demand_count(session: Session, account: str | None = None) -> int:
    """How many demands `demands` has in all."""
    query = sa.select(sa.func.count()).select_from(demand)
    return session.scalar(query.where(demand.c.account == account) if account is not None else query) or 0


def demands(
    session: Session, account: str | None = None, *, limit: int | None = None, after: int = 0
) -> list[dict[str, Any]]:
    """Every demand (of one account, or all) in the order in which they were made: what is new in it, and the whole.

    At most `limit`, behind the demand `after`.
    """
    query = sa.select(demand).where(demand.c.id > after).order_by(demand.c.id).limit(limit)
    if account is not None:
        query = query.where(demand.c.account == account)
    return [
        {
            "id": row.id,
            "account": row.account,
            "demanded_on": row.demanded_on,
            "new_yen": row.interest_yen,
            "total_yen": row.total_yen,
            "occasion": row.occasion,
        }
        for row in session.execute(query)
    ]


def demand_of(session: Session, demand_id: int) -> dict[str, Any]:
    """One demand: account, day, text in both languages, workings. Raises Refused where there is none."""
    row = session.execute(sa.select(demand).where(demand.c.id == demand_id)).one_or_none()
    if row is None:
        raise Refused("demand.unknown", f"demand {demand_id}: there is none", "see `keizoku demand list`")
    return dict(row._mapping)


def demand_html(found: Mapping[str, Any]) -> str:
    """The document of a demand as `demand_of` returns it."""
    return _page().render(demand=found, workings=found["calculation"])


@cache
def _page() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["yen"] = lambda amount: f"{amount:,}"
    environment.filters["day_ja"] = lambda on: day(on, True)
    environment.filters["day_en"] = lambda on: day(on, False)
    environment.filters["percent"] = lambda rate: percent(rate, True)
    return environment.from_string(_PAGE.read_text(encoding="utf-8"))
