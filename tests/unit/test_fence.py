"""Whose fault an error is: of one item, which is set aside, or of the world, which ends the night."""

import psycopg
import pytest
import sqlalchemy as sa

from keizoku.db.fence import is_of_item


@pytest.mark.parametrize(
    ("error", "of_item"),
    [
        (KeyError("plan"), True),
        (sa.exc.NoResultFound("no row"), True),
        (sa.exc.MultipleResultsFound("two rows"), True),
        (sa.exc.StatementError("a value", "SELECT", {}, TypeError("no bytes")), True),
        (sa.exc.DataError("SELECT", {}, psycopg.errors.NumericValueOutOfRange("22003")), True),
        (sa.exc.IntegrityError("INSERT", {}, psycopg.errors.CheckViolation("23514")), True),
        (sa.exc.OperationalError("SELECT", {}, psycopg.OperationalError("the connection is gone")), False),
        (sa.exc.ProgrammingError("SELECT", {}, psycopg.errors.UndefinedTable("42P01")), False),
        (sa.exc.InvalidRequestError("a closed transaction"), False),
        (MemoryError(), False),
        (OSError("disk"), False),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Exception) else "",
)
def test_what_is_the_fault_of_one_item(error: Exception, of_item: bool) -> None:
    assert is_of_item(error) is of_item
