"""References that a trigger holds and no foreign key: as strong by COPY, by INSERT, by every role, and for good."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa
from psycopg.errors import ForeignKeyViolation, RestrictViolation
from sqlalchemy.exc import IntegrityError

from keizoku.billing.receivables.bank import taking
from keizoku.billing.receivables.csv_layout import Layout
from keizoku.billing.rules.payment_reference import ACCOUNT, Reference
from keizoku.db.migrate import upgrade
from keizoku.db.roles import NAMES, apply_roles, privileges
from keizoku.db.session import Session, copy_rows
from keizoku.db.tables import metadata
from keizoku.db.tables.changing import changing_columns
from keizoku.db.tables.guards import APPEND_ONLY, KEPT, SHARED_REFERENCES
from keizoku.terms.calendar import parse_instant
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules
from tests.benchmarks.case_payments import open_fees
from tests.conftest import OwnDatabase

NOW = parse_instant("2026-05-20 10:00")
OF_A_FILE = {table: columns for table, columns in SHARED_REFERENCES.items() if table != "claim_decision"}
EACH = [(table, column) for table, columns in OF_A_FILE.items() for column in columns]
DISTINCT = {"settlement": "source_id", "bank_act": "line_id"}
"""What may not come twice, where the key is not drawn by the table."""


@pytest.fixture(scope="module")
def written(own_database: OwnDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    """A database in which a bank's file of twelve payments was taken, so that every one of the tables has rows."""
    with own_database("template0") as engine:
        with engine.connect() as session:
            upgrade(session)
            open_fees(session, 12)
            file = tmp_path_factory.mktemp("bank") / "bank.csv"
            rows = [f"{date(2026, 4, 20)},500,ﾔﾏﾀﾞ,{Reference(ACCOUNT, number)}" for number in range(1, 13)]
            file.write_text("date,amount,payer,reference\n" + "\n".join(rows) + "\n", encoding="utf-8")
            done = taking.import_bank(session, Rules(Terms.load("premium")), file, Layout(), "keiri", NOW)
            assert len(done.matched) == 12
        yield engine


def poisoned(session: Session, table: str, column: str, count: int) -> tuple[Sequence[str], list[tuple[Any, ...]]]:
    """Rows as the table has them, under new keys, and among them one that refers to nothing."""
    found = session.execute(sa.text(f"SELECT * FROM {table} LIMIT 1")).mappings().one()
    row = {name: value for name, value in found.items() if name != "id"}
    nothing = "nobody" if isinstance(row[column], str) else -1
    if table == "line":  # an entry balances, or another guard speaks first
        return tuple(row), [(nothing, place, "1110", (-1) ** place) for place in range(1, 2 * count + 1)]
    rows = [{**row, **({DISTINCT[table]: 900 + place} if table == "settlement" else {})} for place in range(count)]
    rows[count // 2][column] = nothing
    return tuple(row), [tuple(each.values()) for each in rows]


@pytest.mark.parametrize(("table", "column"), EACH, ids=[f"{table}.{column}" for table, column in EACH])
@pytest.mark.parametrize("count", [2, 40], ids=["by INSERT", "by COPY"])
def test_a_row_that_refers_to_nothing_is_refused_among_good_ones(
    written: sa.Engine, table: str, column: str, count: int
) -> None:
    of, _ = SHARED_REFERENCES[table][column]
    with written.connect() as session:
        before = session.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one()
        columns, rows = poisoned(session, table, column, count)
        with pytest.raises(ForeignKeyViolation, match=rf"{column} (-1|nobody) of {table} is no row of {of}"):
            copy_rows(session, metadata.tables[table], columns, rows)
        session.rollback()
        assert session.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one() == before


def test_a_row_of_another_transaction_that_has_not_committed_is_none(written: sa.Engine) -> None:
    values = {"yen": 5, "via": "bank", "received_on": date(2026, 5, 1), "received_at": NOW, "costs_yen": 0}
    receipt, account = metadata.tables["receipt"], metadata.tables["account"]
    with written.connect() as first, written.connect() as second:
        first.execute(sa.insert(account).values(id="late", number=900, created_at=NOW))
        with pytest.raises(IntegrityError, match="account late of receipt is no row of account"):
            second.execute(sa.insert(receipt).values(account="late", recorded_at=NOW, **values))
        second.rollback()
        first.execute(sa.insert(receipt).values(account="late", recorded_at=NOW, **values))  # its own is seen
        first.rollback()


def test_every_role_that_writes_is_held_to_them(written: sa.Engine) -> None:
    prefix, refused = f"k{uuid.uuid4().hex[:10]}", set()
    with written.connect() as session:
        roles = dict(zip(NAMES, apply_roles(session, (), prefix), strict=True))
        try:
            for name, role in roles.items():
                for table, column in EACH:
                    of, key = SHARED_REFERENCES[table][column]
                    given = privileges()[name]
                    if table not in given["INSERT"]:
                        continue
                    seen = given["SELECT"].get(of)
                    assert seen in ((), None) or key in seen, (name, of)
                    assert seen is not None, (name, of)  # or it could not look
                    columns, rows = poisoned(session, table, column, 12)
                    session.exec_driver_sql(f"SET ROLE {role}")
                    with pytest.raises(ForeignKeyViolation, match=f"of {table} is no row of {of}"):
                        copy_rows(session, metadata.tables[table], columns, rows)
                    session.rollback()
                    session.exec_driver_sql("RESET ROLE")
                    session.commit()
                    refused.add((name, table, column))
        finally:
            session.rollback()
            session.exec_driver_sql("RESET ROLE")
            for role in roles.values():
                session.exec_driver_sql(f"DROP OWNED BY {role}")
                session.exec_driver_sql(f"DROP ROLE {role}")
            session.commit()
    assert {("worker", *each) for each in EACH} <= refused


def test_what_is_referred_to_stays_and_keeps_its_key(written: sa.Engine) -> None:
    """Or what the trigger saw could go: as append-only, or as kept, whoever asks, the owner of the tables too."""
    parents = {of for columns in SHARED_REFERENCES.values() for of, _ in columns.values()}
    assert parents <= {*APPEND_ONLY, *KEPT}
    assert {*SHARED_REFERENCES} <= set(APPEND_ONLY)  # and no row comes to refer to another
    with written.connect() as session:
        for table, key in KEPT.items():
            assert key not in changing_columns(table)
            for statement in (f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE", f"UPDATE {table} SET {key} = {key}"):
                with pytest.raises((IntegrityError, RestrictViolation), match=f"rows of {table} stay|only ever added"):
                    session.exec_driver_sql(statement)
                session.rollback()
