"""Rows of one account in tables that are found by their contract or invoice.

They bear the account too, but an index on it would be written by every night for what few questions ask: the way over
the account's contracts reads as few rows. `account` is an id, or what an id may be (`sa.any_`).
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from keizoku.db.tables.contracts import contract
from keizoku.db.tables.money import credit, invoice

__all__ = ["of_contracts", "of_credits", "of_invoices"]

_Of = str | sa.ColumnElement[Any]


def of_contracts(table: sa.FromClause, account: _Of) -> sa.ColumnElement[bool]:
    """Rows of `table`, which has `contract_id` and `account`, of this account."""
    return sa.and_(table.c.contract_id == _any(sa.select(contract.c.id), contract, account), table.c.account == account)


def of_invoices(table: sa.FromClause, account: _Of) -> sa.ColumnElement[bool]:
    """Rows of `table`, which has `invoice_id` and `account`, of this account."""
    bill = invoice.alias("bill_of_account")
    query = sa.select(bill.c.id).where(of_contracts(bill, account))
    return sa.and_(table.c.invoice_id == sa.any_(sa.func.array(query.scalar_subquery())), table.c.account == account)


def of_credits(table: sa.FromClause, account: _Of) -> sa.ColumnElement[bool]:
    """Rows of `table`, which has `credit_id` and `account`, of this account."""
    return sa.and_(table.c.credit_id == _any(sa.select(credit.c.id), credit, account), table.c.account == account)


def _any(query: sa.Select[Any], of: sa.FromClause, account: _Of) -> sa.ColumnElement[Any]:
    found = query.where(of.c.account == account).correlate_except(of)
    return sa.any_(sa.func.array(found.scalar_subquery()))
