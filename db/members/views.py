"""What a member sees of the database: views in a schema of their own, under the names of the tables.

    public.invoice   every invoice      public_member.invoice   those of one account, for the role NAME_member

The role has no right on any table. A read model that asks for `invoice` finds the view, because the search path of
such a session is that schema alone. Whose rows they are says no argument of a call: the connection is told the hash of
a session's token, and a function looks up the account of that session while it lives. Without it there are no rows.

Row-level security on the tables themselves would refuse COPY to the worker, which writes by it every night; only
whoever may bypass it would be free of that, which no administrator of a hosted server can give.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.dialects import postgresql

from keizoku.db.members.rows import of_member
from keizoku.db.session import Session, driver_cursor
from keizoku.db.tables import metadata
from keizoku.limits import LONGEST_SCHEMA_NAME

__all__ = ["MEMBER_SEES", "SEEN_BY_ALL", "drop_member_views", "member_schema", "member_view_statements", "show_rows_of"]

MEMBER_SEES: Final = frozenset({
    "account", "allocation", "award", "card_end", "claim", "claim_decision", "claim_late_grant", "claim_reasoning",
    "claim_ruling", "claim_withdrawal", "contract", "contract_fact", "credit", "credit_application",
    "credit_refund", "demand", "deposit_use", "environment_ruling", "gateway_dispute", "handover",
    "interest_booking", "interest_checkpoint", "invoice", "issued_document", "letter", "link_announcement",
    "link_authorization", "link_fact", "link_grant", "link_order", "link_order_event", "link_ruling", "link_stop",
    "link_stop_end", "link_token", "link_use", "payment_attempt", "receipt", "saved_card", "settlement", "store_report",
    "suspension", "term", "user_notice",
})  # fmt: skip
"""Tables of which a member sees their own rows: those that their questions read."""
SEEN_BY_ALL: Final = frozenset({
    "claim_form_outage", "incident", "interruption", "maintenance_notice", "notice_issue", "observation_arrival",
    "outage_count", "plan", "population", "price", "unknown_ruling", "unknown_time",
})  # fmt: skip
"""Tables that are the same for everybody, and of which a member's questions need all rows."""
_SETTING: Final = "keizoku.member"
_END: Final = "_member"
_PLACE: Final = "an account of nobody"


def member_schema(schema: str) -> str:
    """The schema of the views over the tables of a schema."""
    return schema[: LONGEST_SCHEMA_NAME - len(_END)] + _END


def member_view_statements(schema: str, role: str) -> Iterator[sql.Composed]:
    """The views and the right to read them, however often; the schema is there, and it is the session's owner's."""
    there, who = sql.Identifier(member_schema(schema)), sql.Identifier(role)
    yield sql.SQL("SET LOCAL search_path TO {}").format(sql.Identifier(schema))
    yield sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA {} FROM {}").format(there, who)
    yield sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(there, who)
    account = sql.Identifier(member_schema(schema), "keizoku_account")
    yield sql.SQL(
        "CREATE OR REPLACE FUNCTION {}() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER "
        "SET search_path = pg_catalog, pg_temp AS {}"
    ).format(
        account,
        sql.Literal(
            f"SELECT account FROM \"{schema}\".web_session WHERE kind = 'member' AND ended_at IS NULL "  # noqa: S608
            f"AND digest = current_setting('{_SETTING}', true)"
        ),
    )
    yield sql.SQL("REVOKE ALL ON FUNCTION {}() FROM PUBLIC").format(account)
    yield sql.SQL("GRANT EXECUTE ON FUNCTION {}() TO {}").format(account, who)
    names = sorted(MEMBER_SEES | SEEN_BY_ALL)
    for table in names:
        head = sql.SQL("CREATE OR REPLACE VIEW {} WITH (security_barrier) AS ").format(
            sql.Identifier(member_schema(schema), table)
        )
        yield head + _rows(table, account)
    listed = sql.SQL(", ").join(sql.Identifier(member_schema(schema), table) for table in names)
    yield sql.SQL("GRANT SELECT ON {} TO {}").format(listed, who)


def _rows(table: str, account: sql.Identifier) -> sql.Composed:
    """The rows of a view: by the condition of `of_member`, of the account that the function says, once for a query."""
    query = sa.select(metadata.tables[table])
    if table in MEMBER_SEES:
        theirs = of_member()[table]
        everybody = _of_everybody().get(table)
        if everybody is not None:
            theirs = theirs | everybody
        query = query.where(theirs).params(account=_PLACE)
    dialect = postgresql.dialect()
    text = str(query.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    before, *after = text.split(f"'{_PLACE}'")
    parts: list[sql.Composable] = [sql.SQL(before)]
    for part in after:
        parts += [sql.SQL("(SELECT {}())").format(account), sql.SQL(part)]
    return sql.Composed(parts)


def _of_everybody() -> dict[str, sa.ColumnElement[bool]]:
    """Table -> its rows that are about no member in particular, and so about each of them."""
    stop = metadata.tables["link_stop"].alias("stop_of_all")
    of_all = sa.select(stop.c.id).where(stop.c.account.is_(None))
    return {
        "environment_ruling": metadata.tables["environment_ruling"].c.claim_id.is_(None),  # of a whole outage
        "link_stop": metadata.tables["link_stop"].c.account.is_(None),
        "link_stop_end": metadata.tables["link_stop_end"].c.stop_id.in_(of_all),
        "link_announcement": metadata.tables["link_announcement"].c.stop_id.in_(of_all),
    }


def drop_member_views(session: Session, schema: str) -> None:
    """Before the tables change; `keizoku db roles` makes them anew. In the session's own transaction."""
    there = member_schema(schema)
    names = session.execute(
        sa.text("SELECT viewname FROM pg_views WHERE schemaname = :schema"), {"schema": there}
    ).scalars()
    with driver_cursor(session) as cursor:
        for name in names:
            cursor.execute(sql.SQL("DROP VIEW {}").format(sql.Identifier(there, name)))


def show_rows_of(session: Session, digest: str) -> None:
    """The rows of the session whose token has this hash; "" shows none. Commits: it holds until it is said anew."""
    session.execute(sa.select(sa.func.set_config(_SETTING, digest, False)))
    session.commit()
