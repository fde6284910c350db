"""Keys of new rows, drawn from the table's own sequence before the rows are written."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from keizoku.db.session import PreparedQuery, Session

DRAW_KEYS: Final = (
    "SELECT array_agg(nextval(CAST(:sequence AS regclass))) AS ids FROM generate_series(1, CAST(:count AS integer))"
)
"""`ids`: as one array, for a row for each key costs more than the key. Wants the values of `draws`."""

_DRAW: Final = PreparedQuery(sa.text(DRAW_KEYS))


def draws(table: sa.Table | str, count: int) -> dict[str, str]:
    """The values that DRAW_KEYS wants: as many keys of this table."""
    return {"sequence": f"{table if isinstance(table, str) else table.name}_id_seq", "count": str(count)}


def next_ids(session: Session, table: sa.Table | str, count: int) -> Sequence[int]:
    """Draw `count` keys from the table's own sequence."""
    if not count:
        return ()
    [row] = _DRAW.rows(session, draws(table, count))
    drawn: list[int] = row["ids"]
    return drawn
