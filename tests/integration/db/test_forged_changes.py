"""What a login could forge: any column, what is set once, guards led astray, rows that no night could read."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import date

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from keizoku.db.migrate import upgrade
from keizoku.db.roles import NAMES, apply_roles, privileges
from keizoku.db.session import Session
from keizoku.db.tables import metadata
from keizoku.db.tables.changing import CACHES, LOCKED, SET_ONCE, changing_columns
from keizoku.db.tables.guards import APPEND_ONLY

NEVER = [
    (table.name, column.name)
    for table in metadata.sorted_tables
    for column in table.columns
    if column.name not in changing_columns(table.name)
]
"""Every column but the few that may change."""

_TRY_ALL = """
DO $try$
DECLARE forged record; done text := '';
BEGIN
  FOR forged IN SELECT * FROM unnest(string_to_array('{tables}', ','), string_to_array('{columns}', ',')) AS f (t, c)
  LOOP
    BEGIN
      EXECUTE format('UPDATE {schema}.%%I SET %%I = %%I', forged.t, forged.c, forged.c);
      done := done || ' ' || forged.t || '.' || forged.c;
    EXCEPTION WHEN insufficient_privilege OR restrict_violation THEN NULL;
    END;
  END LOOP;
  IF done <> '' THEN RAISE EXCEPTION 'changed:%%', done; END IF;
END
$try$
"""


@pytest.fixture
def roles(engine_for_schema: Callable[[], sa.Engine]) -> Iterator[tuple[sa.Engine, dict[str, str]]]:
    """A schema with tables, and the roles on it by their short names; they go away with the test."""
    engine = engine_for_schema()
    prefix = f"k{uuid.uuid4().hex[:10]}"
    with engine.connect() as session:
        upgrade(session)
        made = dict(zip(NAMES, apply_roles(session, (), prefix), strict=True))
    yield engine, made
    with engine.connect() as session:
        for role in made.values():
            session.exec_driver_sql(f"DROP OWNED BY {role}")
            session.exec_driver_sql(f"DROP ROLE {role}")
        session.commit()


@pytest.mark.parametrize("role", NAMES)
def test_no_role_changes_a_column_that_never_changes(roles: tuple[sa.Engine, dict[str, str]], role: str) -> None:
    engine, made = roles
    assert len(NEVER) > 400
    tables, columns = (",".join(names) for names in zip(*NEVER, strict=True))
    with engine.connect() as session:
        schema = session.exec_driver_sql("SELECT current_schema()").scalar_one()  # a role may not even look into it
        session.exec_driver_sql(f"SET ROLE {made[role]}")
        session.exec_driver_sql(_TRY_ALL.format(schema=schema, tables=tables, columns=columns))
        session.rollback()


@pytest.mark.parametrize("role", ["finance", "support"])
def test_only_the_worker_changes_anything_at_all(role: str) -> None:
    assert not privileges()[role]["UPDATE"]


def test_the_list_of_what_may_change_fits_the_tables() -> None:
    for table in {*CACHES, *SET_ONCE}:
        assert table not in APPEND_ONLY
        assert set(changing_columns(table)) <= set(metadata.tables[table].columns.keys())
    assert set(LOCKED) <= set(APPEND_ONLY)  # to lock is not to change
    assert {*CACHES, *SET_ONCE, *APPEND_ONLY} == set(metadata.tables)


WORDS = {
    "contract.method": "card",
    "term.method": "card",
    "term.interval": "month",
    "suspension.set_by": "people",
    "store_refund.access": "kept",
    "invoice.state": "open",
    "code_batch.kind": "coupon",
    "payment_attempt.outcome": "succeeded",
    "credit_refund.outcome": "succeeded",
    "overpayment_refund.outcome": "succeeded",
    "link_grant.scopes": "data",
    "link_grant.ended_cause": "refused",
    "link_token.fingerprint": "0" * 64,
    "link_token.ended_cause": "renewed",
    "link_secret.kind": "access",
    "link_use.purpose": "refresh",
    "link_use.outcome": "answered",
    "web_session.kind": "staff",
    "web_session.digest": "0" * 64,
    "web_session.begun_by": "1" * 64,
}
NUMBERS = {"link_token.expires_in": 86_400, "code_batch.yen": 0, "invoice.credit_yen": 0, "invoice.tax_yen": 0}
DAYS = {
    "term.ends_on": date(2026, 4, 2),
    "invoice.due_on": date(2026, 4, 1),
    "link_token.expires_at": date(2026, 4, 2),
    "link_kept.keep_until": date(2026, 4, 2),
    "web_session.expires_at": date(2026, 4, 2),
}
ALSO: dict[str, dict[str, object]] = {
    "link_secret": {"token_id": 1, "key_id": "k1", "sealed": b"x"},
    "link_kept": {"content": {}},
    "web_session": {"roles": ["support"]},
}
"""Columns that may be empty and are not, as long as nothing is destroyed."""
WITH: dict[str, dict[str, object]] = {
    "link_secret": {"key_id": None, "sealed": None},
    "link_kept": {"content": sa.null()},
}
"""What changes with what is set once."""
OTHER = {"x": "y", "succeeded": "abandoned", "refused": "lapsed", "renewed": "lapsed", "answered": "refused", 1: 2}


def _value(table: str, column: sa.Column[object], day: date) -> object:
    """Something that the column may hold."""
    name = f"{table}.{column.name}"
    if isinstance(column.type, sa.Date | sa.DateTime):
        return DAYS.get(name, day)
    if isinstance(column.type, sa.BigInteger | sa.Integer):
        return NUMBERS.get(name, 1)
    if isinstance(column.type, sa.LargeBinary | sa.Boolean):
        return b"x" if isinstance(column.type, sa.LargeBinary) else True
    return {} if isinstance(column.type, sa.JSON) else WORDS.get(name, "x")


@pytest.mark.parametrize(
    ("table", "group"), [(table, group) for table, groups in SET_ONCE.items() for group in groups], ids=str
)
def test_what_is_set_once_is_never_set_again_by_anybody(session: Session, table: str, group: tuple[str, ...]) -> None:
    rows = metadata.tables[table]
    row = {each.name: _value(table, each, date(2026, 4, 1)) for each in rows.columns if not each.nullable}
    row |= ALSO.get(table, {})
    known = {name: _value(table, rows.columns[name], date(2026, 4, 1)) for name in group}
    if group[0] == "failure_recorded_at":  # what failed had succeeded
        known |= {name: _value(table, rows.columns[name], date(2026, 4, 1)) for name in SET_ONCE[table][0]}
    session.exec_driver_sql("SET LOCAL session_replication_role = replica")  # what it refers to is not there
    session.execute(sa.insert(rows).values(**(row | ({"id": 1} if "id" in rows.columns else {}))))
    whole = {**known, **WITH.get(table, {})}
    session.commit()
    for name in group[1:]:
        with (
            pytest.raises(IntegrityError, match=r"set once|violates (check|foreign key)"),
            session.begin_nested(),
        ):  # not by itself
            session.execute(sa.update(rows).values({name: known[name]}))
    session.exec_driver_sql("SET LOCAL session_replication_role = replica")
    session.execute(sa.update(rows).values(**whole))
    session.commit()
    session.execute(sa.update(rows).values(**whole))  # the same again changes nothing
    session.commit()
    for name in group:
        other = OTHER.get(known[name], date(2026, 4, 2))
        for value in (other, None):
            with pytest.raises(IntegrityError, match=r"set once|violates (check|foreign key)"), session.begin_nested():
                session.execute(sa.update(rows).values({name: value}))


def test_no_temporary_table_stands_in_a_guards_way(roles: tuple[sa.Engine, dict[str, str]]) -> None:
    engine, made = roles
    entry = (
        "INSERT INTO entry (posted_on, event, event_key, clause, recorded_at) "
        "VALUES ('2026-03-15', 'x', 'forged', 'x', '2026-05-01')"
    )
    with engine.connect() as session:
        session.exec_driver_sql(
            "INSERT INTO month_act (month, kind, to_on, open_from, entries, content, previous, hash, author, ground, "
            "recorded_at) VALUES ('2026-03', 'closed', '2026-04-01', '2026-04-01', 0, '', '', 'h', 'sato', '', "
            "'2026-04-02')"
        )
        session.commit()
        for astray in (
            "CREATE TEMPORARY TABLE month_act (id bigint, open_from date)",
            "CREATE TEMPORARY TABLE incident (incident_id text)",
            "CREATE TEMPORARY TABLE claim_reasoning (id bigint)",
        ):
            session.exec_driver_sql(f"SET ROLE {made['worker']}")
            session.exec_driver_sql(astray)
            with pytest.raises(IntegrityError, match="the books are closed before 2026-04-01"):
                session.exec_driver_sql(entry)
            session.rollback()


GOOD_WINDOW = '[[1775200000, "2026-04-03", 1775200000, 1775203600, false]]'


def issue(occurrences: str, recurrence: str | None) -> str:
    """An INSERT of an event of a calendar with these windows, and which occurrence of its series it is about."""
    about = "NULL" if recurrence is None else f"'{recurrence}'"
    return (
        "INSERT INTO notice_issue (object, place, uid, calendar, recurrence, sequence, published_at, published_from, "
        "is_series, withdrawn, occurrences, from_at, to_at, author, recorded_at) VALUES "
        f"(repeat('a', 64), 0, 'u', '', {about}, 0, '2026-04-01', 'CREATED', false, false, '{occurrences}', "
        "'2026-04-03', '2026-04-04', 'sato', '2026-05-01')"
    )


NO_ROWS = {
    "windows that are none": "INSERT INTO claim (id, account, month, windows, received_at, recorded_at) "
    """VALUES ('c1', 'a', '2026-04', '[["x","y"]]', '2026-05-01', '2026-05-01')""",
    "a window that ends before it begins": "INSERT INTO claim (id, account, month, windows, received_at, recorded_at) "
    "VALUES ('c1', 'a', '2026-04', "
    """'[["2026-04-10T09:00:00+09:00", "2026-04-10T08:00:00+09:00"]]', '2026-05-01', '2026-05-01')""",
    "a window on a day that is none": "INSERT INTO claim (id, account, month, windows, received_at, recorded_at) "
    "VALUES ('c1', 'a', '2026-04', "
    """'[["2026-02-30T09:00:00+09:00", "2026-04-10T08:00:00+09:00"]]', '2026-05-01', '2026-05-01')""",
    "a ruling on no stop": "INSERT INTO environment_ruling (incident_id, windows, author, ground, recorded_at) "
    "VALUES ('s9', '[]', 'sato', 'x', '2026-05-01')",
    "a month of long ago": "INSERT INTO month_to_review (month, why, recorded_at) "
    "VALUES ('0001-01', 'x', '2026-05-01')",
    "a month that never comes": "INSERT INTO month_to_review (month, why, recorded_at) "
    "VALUES ('9999-12', 'x', '2026-05-01')",
    "an instant that no calendar has": "INSERT INTO population (from_at, users, author, recorded_at) "
    "VALUES ('infinity', 5, 'sato', '2026-05-01')",
    "a stop of eight thousand years": "INSERT INTO interruption (from_at, to_at, ground, approved_by, author, "
    "recorded_at) VALUES ('2026-04-01', '9999-12-31', 'x', 'y', 'z', '2026-05-01')",
    "a year before Christ": "INSERT INTO observation (user_id, symptom, started_at, recorded_at) "
    "VALUES ('x', 'site', '0044-03-15 BC', '2026-05-01')",
    **{
        f"an event whose {what}": issue(occurrences, recurrence)
        for what, occurrences, recurrence in (
            ("windows are words", '["x"]', None),
            ("window ends before it begins", '[[1775200000, "2026-04-03", 1775200009, 1775200000, false]]', None),
            ("window is in the year 5138", '[[1775200000, "2026-04-03", 1775200000, 99999999999, false]]', None),
            ("window has no end", '[[1775200000, "2026-04-03", 1775200000]]', None),
            ("window begins within a second", '[[1775200000, "2026-04-03", 1775200000.5, 1775200009, false]]', None),
            ("occurrence is none", GOOD_WINDOW, "[1]"),
            ("occurrence has words for days", GOOD_WINDOW, '[1775200000, "a day", false, false, false]'),
        )
    },
    "a calendar of ours whose windows are words": "INSERT INTO notice_publication (sha256, windows, author, "
    """recorded_at) VALUES (repeat('a', 64), '[["x", "y"]]', 'sato', '2026-05-01')""",
}


@pytest.mark.parametrize("what", NO_ROWS)
def test_what_no_night_could_read_is_never_written(roles: tuple[sa.Engine, dict[str, str]], what: str) -> None:
    engine, made = roles
    with engine.connect() as session:
        session.exec_driver_sql(f"SET ROLE {made['support']}")
        with pytest.raises(IntegrityError):
            session.exec_driver_sql(NO_ROWS[what].replace("%", "%%"))
        session.rollback()


def test_an_event_of_a_calendar_is_written(roles: tuple[sa.Engine, dict[str, str]]) -> None:
    engine, made = roles
    with engine.connect() as session:
        session.exec_driver_sql(f"SET ROLE {made['support']}")
        session.exec_driver_sql(issue(GOOD_WINDOW, '[1775200000, "2026-04-03", false, true, false]'))
        session.rollback()
