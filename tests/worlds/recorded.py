"""The rows of a database as they stand, each table read once, however many ask: what a recomputation begins with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from keizoku.db.session import Session


class Recorded:
    """Every row of each table that is asked for, in the order of recording."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._tables: dict[str, Sequence[Any]] = {}

    def __getitem__(self, table: str) -> Sequence[Any]:
        if table not in self._tables:
            order = {"claim": "recorded_at, id", "claim_decision": "claim_id, revision"}.get(table, "id")
            query = sa.text(f"SELECT * FROM {table} ORDER BY {order}")
            self._tables[table] = self._session.execute(query).all()
        return self._tables[table]

    def of(self, table: str, account: str) -> list[Any]:
        """The rows of one account."""
        return [row for row in self[table] if row.account == account]

    def by_id(self, table: str) -> dict[Any, Any]:
        """id -> row."""
        return {row.id: row for row in self[table]}

    def only(self, table: str, holds: Callable[[Any], bool]) -> list[Any]:
        """The rows of which something holds."""
        return [row for row in self[table] if holds(row)]
