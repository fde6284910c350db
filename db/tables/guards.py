"""What a table definition cannot say: balanced entries, closed months, and rows that nobody rewrites.

Each guard is plain SQL, run after the tables are made and by the migrations; functions live in the schema of the
tables, so every scenario's schema has its own. They name each table with the schema of the one that fired them, and
look nowhere else (`search_path`): a temporary table of the same name stands in no guard's way.
"""

from collections.abc import Mapping, Sequence
from itertools import chain

from sqlalchemy import DDL, event

from keizoku.db.tables.base import metadata
from keizoku.db.tables.changing import SET_ONCE

APPEND_ONLY = (
    "account",
    "plan",
    "entry",
    "line",
    "revenue_posting",
    "term_closure",
    "contract_fact",
    "price",
    "offer",
    "offer_shown",
    "consent",
    "screening",
    "operator_act",
    "account_read",
    "member_file",
    "account_hold",
    "account_hold_end",
    "terms_announcement",
    "receipt",
    "allocation",
    "deposit_use",
    "money_import",
    "money_import_undone",
    "bank_statement",
    "payer_rule",
    "bank_line",
    "bank_act",
    "store_payout",
    "store_order",
    "transfer_order",
    "transfer_file",
    "transfer_act",
    "code",
    "code_end",
    "code_sale",
    "settlement",
    "interest_checkpoint",
    "interest_booking",
    "demand",
    "user_notice",
    "letter",
    "mailing",
    "issued_document",
    "issued_addressee",
    "handover",
    "credit_application",
    "credit_extinguishment",
    "store_report",
    "certificate",
    "night_word",
    "test_clock",
    "incident",
    "unknown_time",
    "unknown_ruling",
    "maintenance_notice",
    "notice_issue",
    "notice_publication",
    "notice_sighting",
    "interruption",
    "environment_ruling",
    "observation",
    "observation_arrival",
    "unable_at_midnight",
    "measured_day",
    "population",
    "claim_form_outage",
    "evidence_import",
    "outage_count",
    "month_to_review",
    "month_review",
    "alternative_consent",
    "alternative_outcome",
    "claim_late_grant",
    "claim",
    "claim_ruling",
    "claim_withdrawal",
    "claim_reasoning",
    "claim_decision",
    "award",
    "gateway_customer",
    "saved_card",
    "card_end",
    "gateway_event",
    "balance_transaction",
    "gateway_binding",
    "gateway_payout",
    "payout_movement",
    "gateway_dispute",
    "dispute_choice",
    "refund_look",
    "schema_release",
    "backup_copy",
    "month_act",
    "manual_entry",
    "exception_resolution",
    "reconciliation_result",
    "task_snooze",
    "simulated_charge",
    "simulated_dispute",
    "restoration",
    "restoration_end",
    "link_adoption",
    "restored_act",
    "restored_act_end",
    "api_key",
    "event_batch",
    "api_key_end",
    "sign_in_link",
    "http_request",
    "job_state",
    "webhook_delivery",
    "webhook_endpoint",
    "webhook_secret",
    "webhook_setting",
    "proposal",
    "proposal_decision",
    "act_key",
    "link_fact",
    "link_ruling",
    "link_authorization",
    "link_authorization_end",
    "link_designation",
    "link_text",
    "link_order",
    "link_order_event",
    "link_stop",
    "link_stop_end",
    "link_announcement",
    "link_security_event",
    "link_disclosure",
    "link_load_ruling",
)
"""Tables whose rows are only ever added (rule 6 of docs/explanation/rules.md)."""

_BALANCE_FUNCTION = """
CREATE OR REPLACE FUNCTION keizoku_entry_balances() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $guard$
DECLARE bad bigint; off_by numeric;
BEGIN
  -- numbered 1, 2, … within the statement: lines that come later would have to be numbered from 1 too, and the primary
  -- key refuses that, also of two transactions at once
  SELECT entry_id, sum(yen) INTO bad, off_by FROM new_lines GROUP BY entry_id
  HAVING sum(yen) <> 0 OR min(seq) <> 1 OR max(seq) <> count(*) LIMIT 1;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  IF off_by <> 0 THEN
    RAISE EXCEPTION 'journal entry % does not balance', bad USING ERRCODE = 'check_violation';
  END IF;
  RAISE EXCEPTION 'journal entry % has lines already, or they are not numbered from 1', bad
    USING ERRCODE = 'check_violation';
END
$guard$
"""

_APPEND_ONLY_FUNCTION = """
CREATE OR REPLACE FUNCTION keizoku_append_only() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $guard$
BEGIN
  RAISE EXCEPTION 'rows of % are only ever added: a correction is a new row', TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation';
END
$guard$
"""

_SET_ONCE_FUNCTION = """
CREATE OR REPLACE FUNCTION keizoku_set_once() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $guard$
BEGIN
  RAISE EXCEPTION '% of % is set once, and for good', TG_ARGV[0], TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$guard$
"""

_CLOSED_FUNCTION = """
CREATE OR REPLACE FUNCTION keizoku_day_is_open() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $guard$
DECLARE first_open date; bad date;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(hashtextextended(concat('keizoku/', TG_TABLE_SCHEMA, '/close'), 0));
  EXECUTE format('SELECT open_from FROM %I.month_act ORDER BY id DESC LIMIT 1', TG_TABLE_SCHEMA) INTO first_open;
  IF first_open IS NULL THEN RETURN NULL; END IF;
  SELECT posted_on INTO bad FROM new_entries WHERE posted_on < first_open LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'the books are closed before %: nothing is posted on %', first_open, bad
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NULL;
END
$guard$
"""

_CLOSED_TRIGGER = """
CREATE TRIGGER entry_day_is_open AFTER INSERT ON entry
REFERENCING NEW TABLE AS new_entries FOR EACH STATEMENT EXECUTE FUNCTION keizoku_day_is_open()
"""

_ARRIVAL_FUNCTION = """
CREATE OR REPLACE FUNCTION keizoku_observations_arrive() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $guard$
BEGIN
  -- with the rows themselves, whoever adds them: what was measured of a day holds for these arrivals and no others
  EXECUTE format('INSERT INTO %I.observation_arrival (day, observations, recorded_at) '
    'SELECT (started_at AT TIME ZONE INTERVAL ''9 hours'')::date AS on_day, count(*), recorded_at FROM new_rows '
    'GROUP BY on_day, recorded_at ORDER BY on_day', TG_TABLE_SCHEMA);
  RETURN NULL;
END
$guard$
"""

_ARRIVAL_TRIGGER = """
CREATE TRIGGER observation_arrives AFTER INSERT ON observation
REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION keizoku_observations_arrive()
"""

_BALANCE_TRIGGER = """
CREATE TRIGGER line_balances AFTER INSERT ON line
REFERENCING NEW TABLE AS new_lines FOR EACH STATEMENT EXECUTE FUNCTION keizoku_entry_balances()
"""


SHARED_REFERENCES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "claim_decision": {"reasoning_id": ("claim_reasoning", "id"), "review_id": ("month_to_review", "id")},
    "line": {"entry_id": ("entry", "id")},
    "receipt": {"account": ("account", "id")},
    "allocation": {"receipt_id": ("receipt", "id"), "invoice_id": ("invoice", "id")},
    "settlement": {"invoice_id": ("invoice", "id")},
    "interest_checkpoint": {"invoice_id": ("invoice", "id")},
    "bank_act": {"line_id": ("bank_line", "id"), "receipt_id": ("receipt", "id")},
}
"""References that are looked at once for each value in a statement, not by a foreign key: {table: {column: (table,
its column)}}.

A month's decisions are hundreds of thousands, and each chunk of them refers to one review and, mostly, to few
reasonings; a bank's file is a million lines, each with a receipt, its parts and its entry. A foreign key asks for every
row, and locks the row that it refers to, which is written for it. All these tables are in APPEND_ONLY, or in KEPT if
others refer to them, so what is there when the trigger looks stays, and no row comes to refer to another later. What a
foreign key does beyond that, refuse a restore in which something is missing, the proof of a backup does
(`scheduler/backup/proof.py`).
"""

KEPT: Mapping[str, str] = {"invoice": "id"}
"""Tables to whose rows others refer in this way, and which have columns that change (`changing.py`): their rows stay
all the same, and keep what they are referred to by."""

_KEPT_FUNCTION = """
CREATE OR REPLACE FUNCTION keizoku_kept() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $guard$
BEGIN
  RAISE EXCEPTION 'rows of % stay, and keep their %: others refer to them', TG_TABLE_NAME, TG_ARGV[0]
    USING ERRCODE = 'restrict_violation';
END
$guard$
"""


def _kept_triggers(table: str, key: str) -> tuple[str, str]:
    """Refuses that a row goes, or is called otherwise; costs nothing where neither is asked for."""
    stays = f"FOR EACH STATEMENT EXECUTE FUNCTION keizoku_kept('{key}')"
    return (
        f"CREATE TRIGGER {table}_stays BEFORE DELETE OR TRUNCATE ON {table} {stays}",
        f"CREATE TRIGGER {table}_keeps_{key} BEFORE UPDATE OF {key} ON {table} {stays}",
    )


def _shared_references(table: str, columns: Mapping[str, tuple[str, str]]) -> tuple[str, str]:
    """The function that refuses rows which refer to nothing, and its trigger.

    EXECUTE plans each time: a plan kept from when a table had five rows would read all of it for every chunk. An array
    of the values is looked up in one walk of the index; joined, a table that has just grown might be read whole.
    """
    looks = "".join(
        f"""
  EXECUTE format('WITH given AS MATERIALIZED (SELECT DISTINCT {column} FROM new_rows WHERE {column} IS NOT NULL) '
    'SELECT (SELECT count(*) FROM given) <> '
    '(SELECT count(*) FROM %I.{of} WHERE {key} = ANY (ARRAY(SELECT {column} FROM given)))', TG_TABLE_SCHEMA)
    INTO lacks;
  IF lacks THEN
    EXECUTE format('SELECT {column} FROM new_rows WHERE {column} NOT IN (SELECT {key} FROM %I.{of}) LIMIT 1',
      TG_TABLE_SCHEMA) INTO bad;
    RAISE EXCEPTION '{column} % of {table} is no row of {of}', bad USING ERRCODE = 'foreign_key_violation';
  END IF;"""  # noqa: S608 - our own names
        for column, (of, key) in columns.items()
    )
    function = f"""
CREATE OR REPLACE FUNCTION keizoku_{table}_refers() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $guard$
DECLARE bad text; lacks boolean;
BEGIN{looks}
  RETURN NULL;
END
$guard$
"""
    trigger = (
        f"CREATE TRIGGER {table}_refers AFTER INSERT ON {table} "
        f"REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION keizoku_{table}_refers()"
    )
    return function.strip(), trigger


def _append_only_trigger(table: str) -> str:
    return (
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION keizoku_append_only()"
    )


def _set_once_trigger(table: str, group: Sequence[str]) -> str:
    """Refuses a second value of a group, and a part of it before its first column.

    The server looks at WHEN by itself and queues nothing where it does not hold: a row of a night costs no call.
    """
    first = group[0]
    old, new = (", ".join(f"{row}.{column}" for column in group) for row in ("OLD", "NEW"))
    return (
        f"CREATE TRIGGER {table}_{first}_once AFTER UPDATE OF {', '.join(group)} ON {table} FOR EACH ROW "
        f"WHEN ((OLD.{first} IS NOT NULL OR NEW.{first} IS NULL) AND ROW({old}) IS DISTINCT FROM ROW({new})) "
        f"EXECUTE FUNCTION keizoku_set_once('{first}')"
    )


GUARDS: tuple[str, ...] = (
    _BALANCE_FUNCTION.strip(),
    _APPEND_ONLY_FUNCTION.strip(),
    _SET_ONCE_FUNCTION.strip(),
    _BALANCE_TRIGGER.strip(),
    _CLOSED_FUNCTION.strip(),
    _CLOSED_TRIGGER.strip(),
    _ARRIVAL_FUNCTION.strip(),
    _ARRIVAL_TRIGGER.strip(),
    *chain.from_iterable(_shared_references(*each) for each in SHARED_REFERENCES.items()),
    _KEPT_FUNCTION.strip(),
    *chain.from_iterable(_kept_triggers(*each) for each in KEPT.items()),
    *(_append_only_trigger(table) for table in APPEND_ONLY),
    *(_set_once_trigger(table, group) for table, groups in SET_ONCE.items() for group in groups),
)

for _statement in GUARDS:
    event.listen(metadata, "after_create", DDL(_statement.replace("%", "%%")))
