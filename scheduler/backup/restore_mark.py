"""What a restored database knows of itself: which backup it is, from when, and whether it is a drill's copy."""

import getpass
from dataclasses import dataclass
from datetime import datetime

from psycopg import sql

from keizoku.db.schemas import schema_of
from keizoku.db.session import Session
from keizoku.db.tables.restoration import restoration


@dataclass(frozen=True, slots=True)
class RestoreMark:
    """What a restored database is told about itself."""

    backup: str
    taken_at: datetime
    restored_at: datetime
    drill: bool

    def statement(self, schema: str) -> str:
        """The INSERT of its row, whatever the search path."""
        by = f" ({getpass.getuser()})"
        values = [self.backup, self.taken_at, self.restored_at, self.drill, by]
        listed = sql.SQL(", ").join(sql.Literal(each) for each in values)
        return (
            sql.SQL(
                "INSERT INTO {} (backup, taken_at, restored_at, drill, by) SELECT given.backup, given.taken_at, "
                "given.restored_at, given.drill, pg_catalog.concat(session_user, given.by) "
                "FROM (VALUES ({})) AS given (backup, taken_at, restored_at, drill, by)"
            )
            .format(sql.Identifier(schema, restoration.name), listed)
            .as_string()
        )

    def write(self, session: Session) -> None:
        """Add the row; commits."""
        session.exec_driver_sql(self.statement(schema_of(session)).replace("%", "%%"))
        session.commit()
