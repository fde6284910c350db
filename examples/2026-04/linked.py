"""The linked service in the example month: who links, what is shown and ordered, and how each link ends."""

from collections.abc import Sequence
from typing import Any


def links(contracts: Sequence[Any], busy: set[str]) -> list[tuple[str, str, str, str]]:
    """(account, at, act, detail) of the linked service: three members and a user without a premium contract.

    The first orders twice, and the answer to the second order is lost; the partner refuses the second after a while;
    the third closes the bank account, which ends premium, too; the fourth looks at data and revokes.
    """
    free = (
        each.account
        for each in contracts[::10]  # a quick run plays every tenth contract
        if each.method == "card" and each.plan == "premium-monthly" and each.account not in busy
    )
    orders, refused, closed = next(free), next(free), next(free)
    reader = "linked-only"
    rows = [
        ("", "2026-04-01 09:00:00", "designate_field", "positions.Symbol"),
        ("", "2026-04-01 09:00:00", "designate_field", "positions.LeavesQty"),
        ("", "2026-04-01 09:00:00", "designate_field", "balance.StockAccountWallet"),
        ("", "2026-04-01 09:00:00", "designate_product", "1306"),
        (orders, "2026-04-02 10:00:00", "link", "orders"),
        (orders, "2026-04-02 10:05:00", "show", "positions"),
        (orders, "2026-04-03 09:10:00", "order", "buy 1306 10"),
        (refused, "2026-04-06 12:00:00", "link", "data"),
        (closed, "2026-04-07 20:00:00", "link", "orders"),
        (closed, "2026-04-08 09:30:00", "order", "buy 1306 100"),
        (reader, "2026-04-09 21:00:00", "link", "data"),
        (reader, "2026-04-09 21:01:00", "show", "balance"),
        (orders, "2026-04-10 09:30:00", "partner", "loses_answer"),
        (orders, "2026-04-10 09:30:00", "order", "sell 1306 5"),
        (closed, "2026-05-12 11:00:00", "bank_account_closed", "the customer asked for it"),
        (refused, "2026-05-20 00:00:00", "partner", "refuses_renewal"),
        (orders, "2026-05-25 12:00:00", "show", "positions"),
        (reader, "2026-06-01 08:00:00", "revoke", "the customer asked for it"),
    ]
    return sorted(rows, key=lambda row: row[1])
