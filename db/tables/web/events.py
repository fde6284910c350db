"""The log of events: what happened, for host applications, in the transaction in which it happened.

Statement triggers on the tables that facts are written to add one row for each kind of event of a statement, however
many rows that statement had: a night of 200,000 renewals adds some hundreds. No writer can forget it.

    INSERT INTO invoice … (1,000 rows) ──> event_batch (invoice.issued, [[account, subject, when], …1,000])

Order. Ids are drawn under a shared lock whose key is the last id drawn before; a reader goes no further than the
lowest such key that is held (`HORIZON`), so nothing that commits later appears before a cursor that was handed out.
What happens to one account is written under that account's lock, so its order is exact.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from sqlalchemy import DDL, CheckConstraint, Column, Table, event
from sqlalchemy.dialects.postgresql import JSONB

from keizoku.db.tables.base import identity, instant, metadata, text

__all__ = ["EVENTS", "EVENT_TRIGGERS", "EVENT_TYPES", "EventSource", "event_batch"]

event_batch = Table(
    "event_batch",
    metadata,
    identity(),
    text("type"),
    Column("items", JSONB, nullable=False),
    instant("recorded_at"),
    CheckConstraint("jsonb_typeof(items) = 'array' AND items <> '[]'", name="items_are_some"),
)
"""Events of one kind that one statement wrote: each [account or null, subject, when]."""


class EventSource(NamedTuple):
    """Where an event comes from: rows `n` of a table, inserted, or updated from `o`, which meet a condition."""

    type: str
    subject: str = "n.id"
    account: str = "n.account"
    at: str = "n.recorded_at"
    recorded: str = ""
    """When it was recorded; empty: as `at`."""
    where: str = "true"
    join: str = ""


def _became(column: str) -> str:
    return f"o.{column} IS NULL AND n.{column} IS NOT NULL"


_ANSWERED: Final = _became("outcome")
_PAID: Final = "n.paid_on::timestamp AT TIME ZONE 'Asia/Tokyo'"
_LETTER: Final = "'N' || n.id"

EVENTS: Final[Mapping[tuple[str, str], tuple[EventSource, ...]]] = {
    ("contract", "INSERT"): (EventSource("contract.applied", at="n.applied_at", recorded="n.recorded_at"),),
    ("contract", "UPDATE"): (
        EventSource("contract.approved", at="n.approved_at", where=_became("approved_at")),
        EventSource("contract.rejected", at="n.rejected_at", where=_became("rejected_at")),
        EventSource("contract.ended", at="n.ended_at", recorded="n.end_recorded_at", where=_became("ended_at")),
        EventSource("access.changed", at="n.approved_at", where=_became("approved_at")),
        EventSource("access.changed", at="n.ended_at", recorded="n.end_recorded_at", where=_became("ended_at")),
    ),
    ("term", "INSERT"): (
        EventSource(
            "contract.renewed", "n.contract_id", at="n.starts_at", recorded="n.recorded_at",
            where="n.follows_on IS NOT NULL",
        ),
    ),
    ("contract_fact", "INSERT"): (
        EventSource(
            "end_of_use.requested", "n.contract_id", at="n.occurred_at", recorded="n.recorded_at",
            where="n.kind = 'end_of_use'",
        ),
        EventSource(
            "end_of_use.withdrawn", "n.contract_id", at="n.occurred_at", recorded="n.recorded_at",
            where="n.kind = 'withdraw_end_of_use'",
        ),
    ),
    ("suspension", "INSERT"): (
        EventSource("access.changed", "n.contract_id", at="n.from_at", recorded="n.recorded_at"),
    ),
    ("suspension", "UPDATE"): (
        EventSource(
            "access.changed", "n.contract_id", at="n.lifted_at", recorded="n.lift_recorded_at",
            where=_became("lifted_at"),
        ),
    ),
    ("invoice", "INSERT"): (EventSource("invoice.issued", at="n.issued_at"),),
    ("invoice", "UPDATE"): (
        EventSource("invoice.paid", at=_PAID, where="o.state <> 'paid' AND n.state = 'paid'"),
        EventSource("invoice.void", at="now()", where="o.state <> 'void' AND n.state = 'void'"),
    ),
    ("payment_attempt", "INSERT"): (
        EventSource(
            "charge.failed", at="n.settled_at", recorded="n.answer_recorded_at",
            where="n.outcome IS NOT NULL AND n.outcome <> 'succeeded'",
        ),
    ),
    ("payment_attempt", "UPDATE"): (
        EventSource(
            "charge.failed", at="n.settled_at", recorded="n.answer_recorded_at",
            where=f"{_ANSWERED} AND n.outcome <> 'succeeded'",
        ),
    ),
    ("user_notice", "INSERT"): (
        EventSource("notice.written", _LETTER, at="n.written_at"),
        EventSource("invoice.overdue", _LETTER, at="n.written_at", where="n.kind = 'overdue'"),
    ),
    ("letter", "INSERT"): (EventSource("notice.written", "'L' || n.id", at="n.written_at"),),
    ("card_end", "INSERT"): (
        EventSource(
            "card.needed",
            "n.card_id",
            "s.account",
            at="n.ended_at",
            recorded="n.recorded_at",
            join="JOIN {schema}.saved_card s ON s.id = n.card_id",
        ),
    ),
    ("demand", "INSERT"): (EventSource("notice.written", "'D' || n.id", at="n.written_at"),),
    **{
        (table, "UPDATE"): (
            EventSource(
                "refund.made", at="n.settled_at", recorded="n.answer_recorded_at",
                where=f"{_ANSWERED} AND n.outcome = 'succeeded'",
            ),
            EventSource(
                "refund.failed", at="n.settled_at", recorded="n.answer_recorded_at",
                where=f"{_ANSWERED} AND n.outcome <> 'succeeded'",
            ),
            EventSource(
                "refund.failed", at="n.failed_at", recorded="n.failure_recorded_at",
                where=_became("failure_recorded_at"),
            ),
        )
        for table in ("credit_refund", "overpayment_refund")
    },
    ("gateway_dispute", "INSERT"): tuple(
        EventSource(
            f"dispute.{kind}", "n.dispute", "p.account", at="n.happened_at", recorded="n.recorded_at", where=where,
            join="LEFT JOIN {schema}.payment_attempt p ON p.id = n.attempt_id",
        )
        for kind, where in (
            (
                "opened",
                "NOT EXISTS (SELECT FROM {schema}.gateway_dispute b WHERE b.dispute = n.dispute AND b.id < n.id)",
            ),
            ("won", "n.state = 'won'"),
            ("lost", "n.state = 'lost'"),
        )
    ),
    ("claim", "INSERT"): (EventSource("claim.received", at="n.received_at", recorded="n.recorded_at"),),
    ("claim_decision", "INSERT"): (
        EventSource(
            "claim.decided", "n.claim_id", "c.account", at="n.decided_at",
            join="JOIN {schema}.claim c ON c.id = n.claim_id",
        ),
    ),
    ("award", "INSERT"): (EventSource("award.granted", at="n.decided_at"),),
    ("credit_application", "INSERT"): (
        EventSource(
            "credit.applied", "n.credit_id", "c.account", join="JOIN {schema}.credit c ON c.id = n.credit_id",
        ),
    ),
    ("month_act", "INSERT"): (
        EventSource("month.closed", "n.month", "NULL", where="n.kind = 'closed'"),
        EventSource("month.reopened", "n.month", "NULL", where="n.kind <> 'closed'"),
    ),
    ("month_to_review", "INSERT"): (EventSource("month.changed", "n.month"),),
    ("review_task", "INSERT"): (
        EventSource("task.opened", "'T' || n.id", "NULL", at="n.opened_at"),
        EventSource(
            "charge.unknown", "substr(n.subject, 9)", "n.detail ->> 'account'", at="n.opened_at",
            where="n.kind = 'attempt_unknown'",
        ),
    ),
    ("review_task", "UPDATE"): (
        EventSource("task.closed", "'T' || n.id", "NULL", at="n.closed_at", where=_became("closed_at")),
    ),
}  # fmt: skip
"""(table, what was done to its rows) -> the events that it is."""

_NIGHT: Final = "night.completed"
EVENT_TYPES: Final = tuple(dict.fromkeys([*(each.type for found in EVENTS.values() for each in found), _NIGHT]))
"""Every type of event."""


_NIGHT_FUNCTION: Final = """
CREATE OR REPLACE FUNCTION keizoku_event_night() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $event$
BEGIN
  EXECUTE format('INSERT INTO %1$I.event_batch (type, items, recorded_at) SELECT $1, $2, $3 WHERE NOT EXISTS ('
    'SELECT FROM %1$I.certificate WHERE business_date = $4 AND state = $5 AND id < $6)', TG_TABLE_SCHEMA)
    USING 'night.completed', jsonb_build_array(jsonb_build_array(NULL, NEW.business_date::text, NEW.issued_at)),
      NEW.issued_at, NEW.business_date, NEW.state, NEW.id;
  RETURN NULL;
END
$event$
""".strip()
_NIGHT_TRIGGER: Final = (
    "CREATE TRIGGER certificate_event AFTER INSERT ON certificate FOR EACH ROW EXECUTE FUNCTION keizoku_event_night()"
)
"""A quiet night writes this row and little else: it is planned at once. A night that runs again tells nothing new."""


def _function(table: str, verb: str, sources: tuple[EventSource, ...]) -> str:
    rows = "new_rows n" if verb == "INSERT" else "new_rows n JOIN old_rows o ON o.id = n.id"
    parts = " UNION ALL ".join(
        f"SELECT '{each.type}' AS type, {place} AS place, ({each.account})::text AS account, "  # noqa: S608 - our names
        f"({each.subject})::text AS subject, {each.at} AS at, {each.recorded or each.at} AS recorded "
        f"FROM {rows} {each.join} WHERE {each.where}"
        for place, each in enumerate(sources)
    )
    into = "INSERT INTO {schema}.event_batch (type, items, recorded_at) "
    grouped = "SELECT type, jsonb_agg(jsonb_build_array(account, subject, at)), coalesce(max(recorded), now()) FROM"
    statement = f"{into}{grouped} ({parts}) found GROUP BY type ORDER BY min(place)"
    quoted = statement.replace("%", "%%").replace("'", "''").replace("{schema}", "%1$I")
    return f"""
CREATE OR REPLACE FUNCTION keizoku_event_{table}_{verb.lower()}() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $event$
BEGIN
  EXECUTE format('{quoted}', TG_TABLE_SCHEMA);
  RETURN NULL;
END
$event$
""".strip()


def _trigger(table: str, verb: str) -> str:
    old = " OLD TABLE AS old_rows" if verb == "UPDATE" else ""
    return (
        f"CREATE TRIGGER {table}_event_{verb.lower()} AFTER {verb} ON {table} "
        f"REFERENCING{old} NEW TABLE AS new_rows FOR EACH STATEMENT "
        f"EXECUTE FUNCTION keizoku_event_{table}_{verb.lower()}()"
    )


_HORIZON_FUNCTION: Final = """
CREATE OR REPLACE FUNCTION keizoku_event_horizon() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $event$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(
    hashtext(concat('keizoku/', TG_TABLE_SCHEMA, '/events')) & 2147483647,
    (coalesce(pg_sequence_last_value(format('%I.event_batch_id_seq', TG_TABLE_SCHEMA)::regclass), 0)
      & 2147483647)::integer);
  RETURN NULL;
END
$event$
""".strip()

_HORIZON_TRIGGER: Final = (
    "CREATE TRIGGER event_batch_horizon BEFORE INSERT ON event_batch "
    "FOR EACH STATEMENT EXECUTE FUNCTION keizoku_event_horizon()"
)

EVENT_TRIGGERS: Final[tuple[str, ...]] = (
    _HORIZON_FUNCTION,
    _HORIZON_TRIGGER,
    _NIGHT_FUNCTION,
    _NIGHT_TRIGGER,
    *(
        statement
        for (table, verb), sources in EVENTS.items()
        for statement in (_function(table, verb, sources), _trigger(table, verb))
    ),
)

for _statement in EVENT_TRIGGERS:
    event.listen(metadata, "after_create", DDL(_statement.replace("%", "%%")))
