"""Which rows of which table are one member's: those that name the account, and the rows of those rows.

The member's file (premium/10.4) is made of it, and what a member sees in a browser (`views.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from keizoku.db.tables import metadata

__all__ = ["LEFT_OUT", "of_member"]

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
            "act_key", "backup_copy", "certificate", "form_sighting",
            "gateway_cursor", "job_state", "night_range", "restoration", "restoration_end",
            "link_adoption", "night_word",
            "schema_release", "stage_run",
            "api_key", "api_key_end",
            "webhook_endpoint", "webhook_setting", "webhook_secret", "webhook_place", "webhook_waiting",
            "webhook_delivery",
        ),
        _MACHINE,
    ),
    **dict.fromkeys(("web_session", "sign_in_link"), "is how somebody signed in; what they asked is in http_request"),
    **dict.fromkeys(("code", "code_batch", "code_sale", "code_end"), _OF_CODES),
    **dict.fromkeys(("simulated_card", "simulated_charge", "simulated_refund", "simulated_dispute"), _PRETENDED),
    "test_clock": _PRETENDED,
    "gateway_binding": "names our own account at the gateway",
}  # fmt: skip
"""Tables without a row of a member, each with its reason; every other table is in the file (a test compares)."""


@cache
def of_member() -> Mapping[str, sa.ColumnElement[bool]]:
    """Table -> which of its rows are of the member that the parameter `account` names."""
    tables = metadata.tables
    named = {
        **_found_by_their_parents(),
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


def _found_by_their_parents() -> dict[str, sa.ColumnElement[bool]]:
    """Tables without an index on the account: the way over their parents reads as few rows, and no other's."""
    tables = metadata.tables
    contracts = _ids(tables["contract"])
    invoice, settlement, fact = tables["invoice"], tables["settlement"], tables["contract_fact"]
    bill = invoice.alias("bill")
    bills = sa.select(bill.c.id).where(bill.c.contract_id == contracts)
    report, terms = tables["store_report"], _ids(tables["term"])
    refund, used, credits_ = tables["credit_refund"], tables["credit_application"], _ids(tables["credit"])
    handover = tables["handover"]
    sent = handover.alias("sent")
    letters = [
        sa.select(sent.c.id)
        .join(tables[name], tables[name].c.id == sent.c[key])
        .where(tables[name].c.account == _ACCOUNT)
        for name, key in (("user_notice", "notice_id"), ("demand", "demand_id"), ("letter", "letter_id"))
    ]
    return {
        "invoice": sa.and_(invoice.c.account == _ACCOUNT, invoice.c.contract_id == contracts),
        "contract_fact": sa.and_(fact.c.account == _ACCOUNT, fact.c.contract_id == contracts),
        "settlement": sa.and_(
            settlement.c.account == _ACCOUNT, settlement.c.invoice_id == sa.any_(sa.func.array(bills.scalar_subquery()))
        ),
        "store_report": sa.and_(report.c.account == _ACCOUNT, report.c.term_id == terms),
        "credit_refund": sa.and_(refund.c.account == _ACCOUNT, refund.c.credit_id == credits_),
        "credit_application": used.c.credit_id == credits_,
        "handover": handover.c.id.in_(sa.union_all(*letters)),
        "line": tables["line"].c.entry_id == _ids(tables["entry"]),  # it has no foreign key: guards.SHARED_REFERENCES
    }


def _ids(of: sa.Table) -> sa.CollectionAggregate[Any]:
    """Any id of the account's rows."""
    owned = of.alias(f"owned_{of.name}")
    return sa.any_(sa.func.array(sa.select(owned.c.id).where(owned.c.account == _ACCOUNT).scalar_subquery()))


def _lines_of_theirs() -> sa.Select[int]:
    """Lines of the bank that are the account's as things stand; one that was another's after all has his name in it."""
    act = metadata.tables["bank_act"]
    later = act.alias("later")
    changed = sa.exists().where(later.c.line_id == act.c.line_id, later.c.id > act.c.id)
    return sa.select(act.c.line_id).where(act.c.account == _ACCOUNT, ~changed)
