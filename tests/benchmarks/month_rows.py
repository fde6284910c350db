"""Rows of a generated month on their way into the real tables: collected per table, written by COPY in chunks.

Keys are drawn here, so that nothing is read back; `finish` sets the tables' own sequences behind them. Entries come
from the journal's rules, those of the gateway's fees from the rule that books them in earnest.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from keizoku.billing.gateway.books import Movement
from keizoku.billing.gateway.events import movement_postings
from keizoku.billing.rules.books.journal_rules import Entry, journal
from keizoku.db.session import Session, copy_rows
from keizoku.db.tables import metadata
from keizoku.terms.calendar import day_start_at, jst_day

COLUMNS: dict[str, str] = {
    "account": "id created_at",
    "contract": "id account plan method applied_at approved_at anchor_on renews_on recorded_at",
    "term": "id contract_id account seq starts_on ends_on follows_on starts_at method plan interval price_yen "
    "terms_version recorded_at",
    "invoice": "id term_id contract_id account method total_yen credit_yen tax_yen issued_on due_on issued_at state "
    "open_yen paid_on",
    "payment_attempt": "id invoice_id account key yen wanted_on started_on started_at outcome code gateway_id "
    "settled_on settled_at answer_recorded_at",
    "settlement": "invoice_id account kind yen settled_on source_id recorded_at",
    "receipt": "id account yen via received_on received_at costs_yen recorded_at",
    "allocation": "receipt_id account kind invoice_id yen allocated_on",
    "claim": "id account month received_at author recorded_at",
    "claim_decision": "claim_id revision outcome seconds rate reasoning_id term_ids decided_on decided_at "
    "evidence_hash review_id",
    "award": "id account month revision claim_id decision_revision rate seconds term_ids term_prices fee_basis "
    "usable_from decided_on decided_at",
    "credit": "id award_id account month total_yen granted_yen granted_on usable_from available_yen recorded_at",
    "credit_application": "credit_id invoice_id yen applied_on recorded_at",
    "credit_refund": "id credit_id attempt_id account key yen requested_on requested_at outcome gateway_id "
    "settled_on settled_at answer_recorded_at",
    "store_report": "term_id account store gross_yen fee_yen fee_tax_yen reported_at",
    "store_payout": "term_id payout_id paid_out_on yen recorded_at",
    "user_notice": "account contract_id kind occasion written_on written_at body_ja body_en",
    "entry": "id posted_on event event_key clause account recorded_at",
    "line": "entry_id seq code yen",
    "manual_entry": "entry_id author ground recorded_at",
    "balance_transaction": "id kind amount fee fee_tax net currency source payment our_key happened_at available_at "
    "recorded_at",
    "gateway_payout": "payout amount currency state automatic happened_at arrives_at recorded_at",
    "payout_movement": "movement payout recorded_at",
    "gateway_dispute": "dispute number payment attempt_id amount returned held fee currency state happened_at "
    "recorded_at",
    "bank_line": "id source line paid_on yen payer reference nth recorded_at",
    "bank_act": "line_id kind change account receipt_id author recorded_at",
    "review_task": "kind subject opened_at detail",
}
"""What is written, table by table, in the order in which keys want it."""
CHUNK = 2_000
"""Contracts that are collected before they are written: the same memory for any size."""
_STARTS: dict[date, datetime] = {}


def instant(on: date, seconds: int) -> datetime:
    """An instant of a JST day."""
    start = _STARTS.get(on)
    if start is None:
        start = _STARTS[on] = day_start_at(on)
    return start + timedelta(seconds=seconds)


class Rows:
    """Rows collected for their tables."""

    def __init__(self, session: Session, learned_at: datetime) -> None:
        self._session = session
        self._learned_at = learned_at  # when the gateway's and the bank's rows were taken
        self._waiting: dict[str, list[tuple[object, ...]]] = {table: [] for table in COLUMNS}
        self._last: Counter[str] = Counter()
        self.written: Counter[str] = Counter()
        self.net_yen: Counter[date] = Counter()  # what the movements of a day leave for its payout
        self.moved = 0  # movements so far, of all days

    def number(self, table: str) -> int:
        """The next key of a table."""
        self._last[table] += 1
        return self._last[table]

    def put(self, table: str, *values: object) -> None:
        """One row, in the order of its columns."""
        self._waiting[table].append(values)

    def post(self, event: str, key: str, on: date, account: str | None = None, **amounts: int) -> int:
        """An entry by the journal's rules; its number."""
        return self.post_entry(_journal(event, tuple(amounts.items())), key, on, account)

    def post_entry(self, made: Entry, key: str, on: date, account: str | None = None) -> int:
        """An entry as it is."""
        entry_id = self.number("entry")
        self.put("entry", entry_id, on, made.event, key, made.clause, account, instant(on, 43_200))
        for seq, each in enumerate(made.lines, start=1):
            self.put("line", entry_id, seq, each.account, each.yen)
        return entry_id

    def move(
        self,
        kind: str,
        amount: int,
        at: datetime,
        *,
        fee: int = 0,
        fee_tax: int = 0,
        currency: str = "jpy",
        source: str | None = None,
        payment: str | None = None,
        our_key: str | None = None,
        booked_tax: int | None = None,
        payout: str | None = "",
        named: str = "",
    ) -> str:
        """A balance transaction with the entries of its fee; its id.

        `payout`: the one that pays it out, the day's own if empty, none if None. `booked_tax`: the tax that our books
        have for its fee, where that is wrong.
        """
        self.moved += 1
        found = Movement(
            named or f"txn_{self.moved:08d}", kind, amount, fee, fee_tax, amount - fee, currency, source, payment,
            our_key, at, at + timedelta(days=2),
        )  # fmt: skip
        self.put(
            "balance_transaction", found.id, kind, amount, fee, fee_tax, amount - fee, currency, source, payment,
            our_key, at, found.available_at, self._learned_at,
        )  # fmt: skip
        booked = found if booked_tax is None else replace(found, fee_tax=booked_tax)
        for each in movement_postings(booked):
            self.post(each.event, each.key, each.posted_on, each.account, **each.amounts)
        on = jst_day(at)
        if currency == "jpy" and payout == "":
            self.net_yen[on] += found.net
            payout = payout_of(on)
        if payout:
            self.put("payout_movement", found.id, payout, self._learned_at)
        return found.id

    def write(self) -> None:
        """Copy what waits, and commit."""
        for table, rows in self._waiting.items():
            if rows:
                copy_rows(self._session, metadata.tables[table], COLUMNS[table].split(), rows)
                self.written[table] += len(rows)
                rows.clear()
        self._session.commit()

    def finish(self) -> None:
        """Write the rest, and set the tables' sequences behind the keys that were drawn here."""
        self.write()
        for table in self._last:
            if metadata.tables[table].c.keys()[0] == "id":
                self._session.execute(
                    sa.text("SELECT setval(CAST(:sequence AS regclass), :last)"),
                    {"sequence": f"{table}_id_seq", "last": self._last[table]},
                )
        self._session.commit()


def payout_of(on: date) -> str:
    """The automatic payout of a day's movements."""
    return f"po_{on:%Y%m%d}"


@lru_cache(maxsize=100_000)
def _journal(event: str, amounts: tuple[tuple[str, Any], ...]) -> Entry:
    return journal(event, **dict(amounts))
