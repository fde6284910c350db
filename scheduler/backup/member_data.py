"""What is held about a member: every row of an account, and of each other table why it has none.

    member_rows      all of it: rows that name the account, rows of those rows, and what they were decided from
    write_member     as CSV (premium/10.4): the rows that name the account, one file a table

None of these rows contains ids of other members.
Cells that a spreadsheet would take for a formula are disarmed with a leading apostrophe. Folder and files are the
caller's alone (0700, 0600).
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables import metadata
from keizoku.scheduler.files import whole_file
from keizoku.terms.cells import cell_text
from keizoku.terms.decision import decides

_ACCOUNT: Final[sa.BindParameter[str]] = sa.bindparam("account", type_=sa.Text)
_NOT_A_MEMBERS: Final = "is about the service, no single user"
_CATALOGUE: Final = "is the catalogue, the same for everybody"
_EVIDENCE: Final = "is evidence about the service; what it meant for a claim is in claim_reasoning"
_WHOLE: Final = "is about the books or the bank as a whole"
_MACHINE: Final = "is a run of the machine"
_OF_CODES: Final = "would help to guess codes; what a member redeemed is in code_redemption"
_PRETENDED: Final = "is the memory of the simulated gateway, which stands for a company outside"

LEFT_OUT: Final[Mapping[str, str]] = {
    **dict.fromkeys(("plan", "price", "link_designation"), _CATALOGUE),
    "event_batch": "tells hosts of what the other tables hold",
    "link_secret": "is a sealed token of the linked service, for the role tokens alone",
    **dict.fromkeys(
        (
            "incident", "interruption", "maintenance_notice", "notice_issue", "notice_publication", "notice_sighting",
            "outage_count", "population", "unknown_ruling", "unknown_time", "evidence_import", "claim_form_outage",
            "month_review", "terms_announcement", "measured_day", "observation_arrival", "unable_at_midnight",
        ),
        _EVIDENCE,
    ),
    **dict.fromkeys(
        (
            "balance_transaction", "bank_statement", "gateway_payout", "payout_movement", "money_import",
            "money_import_undone", "month_act", "reconciliation_result", "exception_resolution", "revenue_posting",
            "transfer_file", "refund_look", "gateway_event", "dispute_choice",
        ),
        _WHOLE,
    ),
    **dict.fromkeys(
        (
            "act_key", "backup_copy", "certificate", "gateway_cursor", "night_range", "restoration", "restoration_end",
            "link_adoption",
            "schema_release", "stage_run",
        ),
        _MACHINE,
    ),
    **dict.fromkeys(("api_key", "api_key_end"), _MACHINE),
    **dict.fromkeys(
        (
            "webhook_endpoint", "webhook_setting", "webhook_secret", "webhook_place", "webhook_waiting",
            "webhook_delivery",
        ),
        _MACHINE,
    ),
    **dict.fromkeys(("web_session", "sign_in_link"), "is how somebody signed in; what they asked is in http_request"),
    **dict.fromkeys(("code", "code_batch", "code_sale", "code_end"), _OF_CODES),
    **dict.fromkeys(("simulated_card", "simulated_charge", "simulated_refund", "simulated_dispute"), _PRETENDED),
    "gateway_binding": "names our own account at the gateway",
}  # fmt: skip
"""Tables without a row of a member, each with its reason; every other table is in the file (a test compares)."""

NOT_THEIRS = frozenset({"simulated_card", "simulated_charge", "simulated_refund", "saved_card", "gateway_customer"})
"""Ids that only the gateway understands."""


@decides("premium/10.4")
def tables_of_members() -> Mapping[str, sa.Column[str]]:
    """The tables whose rows belong to an account, and the column that names it."""
    found = {table.name: table.c["account"] for table in metadata.sorted_tables if "account" in table.c}
    return {"account": metadata.tables["account"].c.id, **found}


@cache
def of_member() -> Mapping[str, sa.ColumnElement[bool]]:
    """Table -> which of its rows are of the member that the parameter `account` names."""
    tables = metadata.tables
    named = {
        "account": tables["account"].c.id == _ACCOUNT,
        "bank_line": tables["bank_line"].c.id.in_(_lines_of_theirs()),
        "claim_reasoning": tables["claim_reasoning"].c.id.in_(
            sa.select(tables["claim_decision"].c.reasoning_id).where(
                tables["claim_decision"].c.claim_id.in_(
                    sa.select(tables["claim"].c.id).where(tables["claim"].c.account == _ACCOUNT)
                )
            )
        ),
        "offer": tables["offer"].c.digest.in_(
            sa.select(tables["offer_shown"].c.digest).where(tables["offer_shown"].c.account == _ACCOUNT)
        ),
        "link_text": tables["link_text"].c.digest.in_(
            sa.select(tables["link_order_event"].c.text_digest).where(tables["link_order_event"].c.account == _ACCOUNT)
        ),
        "observation": tables["observation"].c.user_id == _ACCOUNT,
        "review_task": tables["review_task"].c.detail["account"].astext == _ACCOUNT,
        "task_snooze": tables["task_snooze"].c.task.in_(
            sa.select(sa.func.concat("T", tables["review_task"].c.id)).where(
                tables["review_task"].c.detail["account"].astext == _ACCOUNT
            )
        ),
    }
    found: dict[str, sa.ColumnElement[bool]] = {}
    for table in metadata.sorted_tables:
        if table.name in LEFT_OUT:
            continue
        if table.name in named:
            found[table.name] = named[table.name]
        elif "account" in table.c:
            found[table.name] = table.c.account == _ACCOUNT
        elif parents := [
            key.parent.in_(sa.select(key.column).where(found[key.column.table.name]))
            for key in table.foreign_keys
            if key.column.table.name in found
        ]:
            found[table.name] = sa.or_(*parents)
    return found


def member_rows(session: Session, account: str) -> Iterator[tuple[sa.Table, Sequence[sa.Row[Any]]]]:
    """Every table with rows of the account, with those rows in the order of their keys."""
    for name, theirs in of_member().items():
        table = metadata.tables[name]
        query = sa.select(table).where(theirs).order_by(*table.primary_key.columns)
        if rows := session.execute(query, {"account": account}).all():
            yield table, rows


def write_csv(folder: Path, name: str, columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    """Write rows as NAME.csv, for its owner alone."""
    with (
        whole_file(folder / f"{name}.csv") as partial,
        open(partial, "w", encoding="utf-8", newline="", opener=_private) as out,
    ):
        lines = csv.writer(out)
        lines.writerow(columns)
        lines.writerows([_cell(value) for value in row] for row in rows)


def _lines_of_theirs() -> sa.Select[int]:
    """Lines of the bank that are the account's as things stand; one that was another's after all has his name in it."""
    act = metadata.tables["bank_act"]
    later = act.alias("later")
    changed = sa.exists().where(later.c.line_id == act.c.line_id, later.c.id > act.c.id)
    return sa.select(act.c.line_id).where(act.c.account == _ACCOUNT, ~changed)


def write_member(session: Session, account: str, folder: Path) -> dict[str, int]:
    """Write the account's rows into `folder`, one CSV a table; rows per file, empty tables left out."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    written: dict[str, int] = {}
    for name, column in tables_of_members().items():
        table = metadata.tables[name]
        if name in NOT_THEIRS:
            continue
        key = list(table.primary_key.columns)
        rows = session.execute(sa.select(table).where(column == account).order_by(*key)).all()
        if rows:
            write_csv(folder, name, table.c.keys(), rows)
            written[name] = len(rows)
    session.rollback()
    return written


def _private(name: str, flags: int) -> int:
    """Open a file that nobody else may read, whatever the umask; one that is there becomes so before it is written."""
    opened = os.open(name, flags, 0o600)
    os.fchmod(opened, 0o600)
    return opened


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value.isoformat() if hasattr(value, "isoformat") else cell_text(value)
