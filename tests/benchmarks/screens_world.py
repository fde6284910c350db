"""A world for the screens: some forty lives of five months, lived by the real nights, and then each so many times over.

    regular lives   cards that are charged each month: 97 in 100 contracts, from other days each time
    troubled lives  overdue, suspended, ended, disputed, with claims, paid to the bank or by a store: the rest
    tied up lives   what waits for people: a few hundred of each, however large the world

The copies are made by INSERT … SELECT from the rows of the life: every number that names a row moves by so many
strides, every name of an account gets the copy's number. Nothing of it has to be known for a new table with an account.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from keizoku.billing.closing.issue_run import issue_month
from keizoku.billing.closing.month_close import close_month
from keizoku.billing.contracts.code_batches import BatchOrder
from keizoku.billing.documents.issued_documents import Issuing
from keizoku.billing.rules.documents.issuer import Issuer
from keizoku.db.embedded import EmbeddedServer
from keizoku.db.migrate import upgrade
from keizoku.db.roles import apply_roles
from keizoku.db.session import Session, make_engine
from keizoku.db.tables import metadata
from keizoku.scheduler.app import Services
from keizoku.terms.calendar import Month, parse_instant
from keizoku.terms.refusal import Refused
from tests.worlds.role_walk import leave_unanswered
from tests.worlds.world import acts, live, open_world, services_on

__all__ = ["NOW", "PREFIX", "TODAY", "WORLD", "make_screens_world"]

WORLD: Final = "screens"
PREFIX: Final = "benchmark"
TODAY: Final = date(2026, 7, 7)
NOW: Final = parse_instant("2026-07-07 09:00")
REGULAR: Final = tuple(f"n{number:02d}" for number in range(10))
TIED_UP: Final = ("waits1", "waits2", "waits3", "u03")
STRIDE: Final = 10_000
"""Ids of the life are below it."""
LEFT_OPEN: Final = 100
"""Of what waits for people, however large the world: lines that nobody knows, applications, failed refunds."""
DAYS_APART: Final = 28
_SERVER: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "4GB",
                  "wal_level": "minimal", "max_wal_senders": "0"}  # fmt: skip
"""While it is made; whoever looks at it starts the server as it is delivered."""
_NOT_COPIED: Final = frozenset({
    "web_session", "sign_in_link", "api_key", "stage_run", "certificate", "gateway_binding", "proposal",
    "simulated_card", "simulated_charge", "simulated_refund", "simulated_dispute", "simulated_link_order",
    "payer_rule", "bank_act", "restoration", "gateway_cursor", "credit_refund", "gateway_dispute",
})  # fmt: skip
_NUMBERED: Final = "'^([a-z_]+:)([0-9]+)(.*)$'"
"""A name that begins with a kind and the number of a row: term:12."""


def make_screens_world(folder: Path, size: Mapping[str, int]) -> None:
    """The database WORLD with `contracts` contracts; one that is there already is left."""
    with EmbeddedServer(folder, _SERVER) as server:
        with make_engine(server.url).connect().execution_options(isolation_level="AUTOCOMMIT") as session:
            if session.exec_driver_sql(f"SELECT 1 FROM pg_database WHERE datname = '{WORLD}'").first():
                return
            session.exec_driver_sql(f"CREATE DATABASE {WORLD}")
        engine = make_engine(server.url.set(database=WORLD))
        with engine.connect() as session:
            upgrade(session)
        with services_on(engine) as services:
            _live(services)
            multiply(services.session, size["contracts"])
        with engine.connect() as session:
            apply_roles(session, (), PREFIX)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as session:
            session.exec_driver_sql("VACUUM ANALYZE")
            session.exec_driver_sql("CHECKPOINT")
        engine.dispose()


def _live(services: Services) -> None:
    """Everybody of the small world, ten regular members, and what people and the bank do beside it."""
    open_world(services)
    billing, at = services.billing, parse_instant("2026-03-26 10:00")
    for number, account in enumerate(REGULAR):
        joined = at + timedelta(hours=9 * number)
        billing.approve(account, "yearly" if number == len(REGULAR) - 1 else "monthly", "card", now=joined)
    assert acts()[-1][0] < NOW
    live(services, TODAY)
    for account in ("waits1", "waits2", "waits3"):
        billing.register(account, "monthly", "app_store", now=NOW)
    billing.approve("store1", "monthly", "app_store", now=NOW)
    billing.approve("payer", "monthly", "other", now=NOW)
    billing.pay("payer", 5_000, now=NOW)
    leave_unanswered(services.session)
    order = BatchOrder("shops", "product_key", "monthly", 2, 3, date(2027, 3, 31), sold=3)
    billing.issue_codes(order, lambda _: None, by="sales", now=NOW)
    issuing = Issuing(Issuer("Example KK"), "finance", NOW, None)
    for month in (Month(2026, 4), Month(2026, 5)):
        issue_month(services.session, services.rules, month, issuing)
        services.session.commit()
    for month in (Month(2026, 3), Month(2026, 4), Month(2026, 5)):
        with suppress(Refused):
            close_month(services.session, services.gateway, month, "finance", NOW)
    services.session.rollback()


def multiply(session: Session, contracts: int) -> None:
    """Copies of the lives, until there are about so many contracts; indexes are made again at the end."""
    dropped = _without_indexes(session)
    session.exec_driver_sql("SET session_replication_role = replica")
    session.exec_driver_sql("SET work_mem = '256MB'")
    session.exec_driver_sql("SET maintenance_work_mem = '1GB'")
    session.exec_driver_sql("CREATE TEMPORARY TABLE life (account text PRIMARY KEY, times bigint, apart int)")
    found = [str(each) for each in session.scalars(sa.text("SELECT id FROM account"))]
    troubled = [each for each in found if each not in REGULAR and each not in TIED_UP]
    regular_times = contracts * 97 // 100 // len(REGULAR)
    troubled_times = contracts * 3 // 100 // len(troubled)
    for account in found:
        times = regular_times if account in REGULAR else troubled_times if account in troubled else LEFT_OPEN
        session.execute(
            sa.text("INSERT INTO life VALUES (:account, :times, :apart)"),
            {"account": account, "times": min(times, contracts // 10), "apart": DAYS_APART * (account in REGULAR)},
        )
    for table in _in_order():
        session.exec_driver_sql(_copy(table))
    for table in metadata.sorted_tables:
        for column in table.columns:
            if column.identity is not None:
                name = f"pg_get_serial_sequence('{table.name}', '{column.name}')"
                most = f"greatest((SELECT max({column.name}) FROM {table.name}), 1)"
                session.exec_driver_sql(f"SELECT setval({name}, {most}) WHERE {name} IS NOT NULL")
    _beside(session, contracts)
    session.exec_driver_sql("SET session_replication_role = origin")
    for statement in dropped:
        session.exec_driver_sql(statement)
    session.commit()


def _without_indexes(session: Session) -> list[str]:
    """Drop every index that no constraint rests on; what makes them again."""
    rows = session.exec_driver_sql(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index i "
        "JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = current_schema()::regnamespace "
        "AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid)"
    ).all()
    for name, _ in rows:
        session.exec_driver_sql(f"DROP INDEX {name}")
    return [made for _, made in rows]


def _in_order() -> list[sa.Table]:
    return [each for each in metadata.sorted_tables if each.name not in _NOT_COPIED and _owner(each)]


def _owner(table: sa.Table, seen: tuple[str, ...] = ()) -> str:
    """The SQL of the account of a row `r` of this table, by its own column or by the row that it belongs to."""
    if table.name == "account":
        return "r.id"
    if "account" in table.columns:
        return "r.account"
    for column in table.columns:
        for key in column.foreign_keys:
            above = key.column.table
            if above.name in seen or above.name == table.name or above.name in _NOT_COPIED:
                continue
            of_above = _owner(above, (*seen, table.name))
            if of_above:
                inner = of_above.replace("r.", f"{above.name}_.")
                return f"(SELECT {inner} FROM {above.name} {above.name}_ WHERE {above.name}_.{key.column.name} = r.{column.name})"  # noqa: E501
    return ""


def _copy(table: sa.Table) -> str:
    """INSERT … SELECT of the copies of a table's rows."""
    values = [_value(table, column) for column in table.columns if column.computed is None]
    names = ", ".join(column.name for column in table.columns if column.computed is None)
    return (
        f"INSERT INTO {table.name} ({names}) OVERRIDING SYSTEM VALUE SELECT {', '.join(values)} FROM {table.name} r "
        f"JOIN life ON life.account = {_owner(table)} CROSS JOIN LATERAL generate_series(1, life.times) AS n "
        f"WHERE true ORDER BY n"
    )


def _value(table: sa.Table, column: sa.Column[object]) -> str:
    name, kind = f"r.{column.name}", column.type
    target = next(iter(column.foreign_keys)).column.table.name if column.foreign_keys else ""
    if column.name == "account" or (table.name == "account" and column.name == "id"):
        return f"{name} || '-' || n"
    if target and target not in {each.name for each in _in_order()}:
        return name
    if column.name == "reasoning_id":  # one for all that were decided alike
        return name
    if isinstance(kind, sa.BigInteger) and (target or column.name in ("id", "number") or column.name.endswith("_id")):
        return f"{name} + n * {STRIDE}"
    if isinstance(kind, sa.Date):
        return f"{name} - CASE WHEN apart > 0 THEN mod(n, apart)::int ELSE 0 END"
    if isinstance(kind, sa.DateTime):
        return f"{name} - CASE WHEN apart > 0 THEN mod(n, apart) ELSE 0 END * interval '1 day'"
    if (table.name, column.name) == ("letter", "occasion"):  # of the others, the account tells one from another
        return f"{name} || '-' || n"
    if column.name == "event_key":
        return (
            f"CASE WHEN {name} ~ {_NUMBERED} THEN (regexp_match({name}, {_NUMBERED}))[1] || "
            f"((regexp_match({name}, {_NUMBERED}))[2]::bigint + n * {STRIDE}) || (regexp_match({name}, {_NUMBERED}))[3]"
            f" ELSE {name} || ':' || n END"
        )
    if isinstance(kind, sa.Text) and (target or column.primary_key or column.name in _NAMES):
        return f"{name} || '-' || n"
    return name


_NAMES: Final = frozenset({"key", "gateway_id", "claim_id", "payment_method_id", "customer_id", "setup_id"})
"""Texts that name one thing, without a foreign key."""


_BESIDE: Final = (
    # one member in twenty pays by transfer: lines of four months that were matched, and some that nobody knows
    """INSERT INTO bank_line (source, line, paid_on, yen, payer, reference, nth, recorded_at, bank_account, direction,
                              currency, state, line_digest, file_digest, posts)
       OVERRIDING SYSTEM VALUE
       SELECT 'made', n, DATE '2026-07-06' - (n % 120)::int, 500 + n % 7, 'PAYER ' || n % 50000, 'ref' || n, 1,
              TIMESTAMPTZ '2026-07-06 09:00+09' - (n % 120) * interval '1 day', 'main', 'in', 'JPY', 'booked',
              md5(n::text), md5((n % 120)::text), true
       FROM generate_series(1, :contracts / 5) AS n""",
    """INSERT INTO bank_act (line_id, kind, change, account, author, ground, recorded_at)
       SELECT id, 'other', -1, NULL, 'finance', 'known by its reference', recorded_at FROM bank_line
       WHERE id > :left_open""",
    # each member was told of a renewal; what was written goes out the next day, but for what waits today
    """INSERT INTO user_notice (account, contract_id, kind, occasion, written_on, written_at, body_ja, body_en)
       SELECT account, id, 'renewal', 'renewal:' || id, DATE '2026-05-01' + (id % 60)::int,
              TIMESTAMPTZ '2026-05-01 02:30+09' + (id % 60) * interval '1 day', 'ja', 'en'
       FROM contract WHERE approved_at IS NOT NULL AND id >= :stride""",
    """INSERT INTO handover (notice_id, handed_at, author, recorded_at)
       SELECT id, written_at + interval '1 hour', 'mailer', written_at + interval '1 hour' FROM user_notice
       WHERE written_on < '2026-07-07' ORDER BY id""",
    """INSERT INTO handover (letter_id, handed_at, author, recorded_at)
       SELECT id, written_at + interval '1 hour', 'mailer', written_at + interval '1 hour' FROM letter
       WHERE written_on < '2026-07-07' ORDER BY id""",
    """INSERT INTO handover (demand_id, handed_at, author, recorded_at)
       SELECT id, written_at + interval '1 hour', 'mailer', written_at + interval '1 hour' FROM demand
       WHERE demanded_on < '2026-07-07' ORDER BY id""",
    """INSERT INTO saved_card (account, customer_id, payment_method_id, setup_id, recorded_at)
       SELECT account, 'cus_' || id, 'pm_' || id, 'seti_' || id, applied_at FROM contract WHERE method = 'card'""",
    """INSERT INTO credit_refund (credit_id, attempt_id, account, key, yen, requested_on, requested_at, outcome,
                                  gateway_id, settled_on, settled_at, answer_recorded_at)
       SELECT DISTINCT ON (credit.id) credit.id, attempt.id, credit.account, 'refund-' || credit.id, 1,
              DATE '2026-06-01', TIMESTAMPTZ '2026-06-01 02:30+09', 'succeeded', 're_' || credit.id, DATE '2026-06-01',
              TIMESTAMPTZ '2026-06-01 02:30+09', TIMESTAMPTZ '2026-06-01 02:30+09'
       FROM credit JOIN payment_attempt AS attempt ON attempt.account = credit.account WHERE credit.id >= :stride""",
    """INSERT INTO review_task (kind, subject, detail, opened_at)
       SELECT 'refund_failed', 'refund ' || n, jsonb_build_object('account', 'n00-' || n, 'yen', 100, 'code', 'x'),
              TIMESTAMPTZ '2026-07-01 02:30+09' + n * interval '1 minute' FROM generate_series(10, :left_open) AS n""",
    """INSERT INTO review_task (kind, subject, detail, opened_at, closed_at, closed_by, closed_ground)
       SELECT 'refund_failed', 'done ' || n, '{}', TIMESTAMPTZ '2026-06-01 02:30+09', TIMESTAMPTZ '2026-06-02 02:30+09',
              'finance', 'paid out' FROM generate_series(1, :contracts / 50) AS n""",
    """INSERT INTO observation (user_id, symptom, started_at, ended_at, recorded_at)
       SELECT 'n00-' || n, 'login', TIMESTAMPTZ '2026-06-10 12:00+09' + n % 600 * interval '1 second',
              TIMESTAMPTZ '2026-06-10 12:30+09' + n % 600 * interval '1 second', TIMESTAMPTZ '2026-06-11 02:30+09'
       FROM generate_series(1, :contracts / 10) AS n""",
    """INSERT INTO event_batch (type, items, recorded_at)
       SELECT 'invoice.issued', jsonb_build_array(jsonb_build_array('n00-' || n, n::text, '2026-07-01T00:00+00:00')),
              TIMESTAMPTZ '2026-07-01 00:00+09' + n * interval '1 second'
       FROM generate_series(1, :contracts / 5) AS n""",
    """INSERT INTO account_read (account, question, reader)
       SELECT 'n00-' || 1 + n % 1000, 'account show', 'support' FROM generate_series(1, :contracts / 5) AS n""",
    """INSERT INTO http_request (received_at, principal, role, method, route, account, status, act, milliseconds)
       SELECT TIMESTAMPTZ '2026-07-07 08:00+09' - n * interval '1 second', 'host', 'support', 'GET',
              '/v1/accounts/{account}/access', 'n00-' || 1 + n % 1000, 200, false, 3
       FROM generate_series(1, :contracts / 5) AS n""",
)


def _beside(session: Session, contracts: int) -> None:
    """What belongs to no account: the bank's lines, events, the log of calls."""
    for statement in _BESIDE:
        session.execute(sa.text(statement), {"contracts": contracts, "left_open": LEFT_OPEN, "stride": STRIDE})
