"""Files of a bank in a small world, and payouts at the gateway, as tests of the bank's book take them."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from keizoku.billing.receivables.bank.bank_list import statement_lines
from keizoku.billing.receivables.csv_layout import Layout
from keizoku.db.tables.gateway import balance_transaction, gateway_payout
from keizoku.scheduler.app import Services
from keizoku.terms.calendar import parse_instant

NOW = parse_instant("2026-04-20 10:00")
MUFG = '"日付","摘要","摘要内容","支払い金額","預かり金額","差引残高","メモ","未資金化区分","入払区分"\n'
BY_MUFG = {"date": "日付", "amount": "預かり金額", "payer": "摘要内容"}


def take(
    services: Services, folder: Path, text: str, columns: dict[str, str], *, ignore: str = "", account: str = ""
) -> tuple[int, ...]:
    file = folder / "bank.csv"
    file.write_text(text, encoding="cp932")
    layout = Layout(columns=columns, ignore={"payer": (ignore,)} if ignore else {})
    done = services.billing.import_bank(file, layout=layout, author="keiri", now=NOW, account=account)
    return done.rows_new, done.rows_known, done.rows_passed_over, done.rows_refused


def states(services: Services) -> list[tuple[str, int, str, str]]:
    return [(each.direction, each.amount, each.currency, each.state) for each in statement_lines(services.session)]


def payout(services: Services, name: str, yen: int, on: str) -> None:
    """A payout at the gateway, with the movement that books it, as its books would tell them."""
    from keizoku.billing.gateway.books import Movement
    from keizoku.billing.gateway.events import movement_postings
    from keizoku.billing.ledger.posting import post

    at = parse_instant(f"{on} 09:00")
    row = {"amount": yen, "currency": "jpy", "state": "paid", "automatic": False, "recorded_at": NOW}
    services.session.execute(sa.insert(gateway_payout).values(payout=name, happened_at=at, arrives_at=at, **row))
    moved = Movement(f"txn_{name}", "payout", -yen, 0, 0, -yen, "jpy", name, None, None, at, at)
    values = {field: getattr(moved, field) for field in Movement.__slots__}
    services.session.execute(sa.insert(balance_transaction).values(**values, recorded_at=NOW))
    post(services.session, movement_postings(moved), NOW)
    services.session.commit()
