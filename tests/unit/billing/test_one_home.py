"""What has one home is written nowhere else: settlements, keys, the way in which money meets debts."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ROOMS = ("billing", "db", "link", "scheduler", "sla", "terms", "web")
WRITES = ("copy_rows", "insert", "Rows")
"""What writes rows of the table that is among its arguments."""


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for room in ROOMS:
        for file in sorted((ROOT / room).rglob("*.py")):
            yield file.relative_to(ROOT).as_posix(), ast.parse(file.read_text(encoding="utf-8"))


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _names(argument: ast.expr) -> str:
    return argument.id if isinstance(argument, ast.Name) else str(getattr(argument, "value", ""))


def _writers(table: str) -> set[str]:
    return {
        name
        for name, module in _modules()
        for node in ast.walk(module)
        if (isinstance(node, ast.Call) and _called(node) in WRITES and table in map(_names, node.args))
        or (isinstance(node, ast.Constant) and f"INSERT INTO {table} " in str(node.value))
    }


@pytest.mark.parametrize(
    ("table", "homes"),
    [
        ("settlement", {"billing/receivables/settlement.py"}),
        (
            "allocation",  # one receipt, many at once, what is taken back
            {f"billing/receivables/rework/{name}.py" for name in ("received_money", "together", "reversal")},
        ),
        ("deposit_use", {"billing/receivables/customer_deposits.py", "billing/receivables/rework/reversal.py"}),
        ("bank_act", {"billing/ledger/bank_acts.py"}),
        ("interest_booking", {"billing/receivables/interest_bookings.py"}),
    ],
)
def test_a_table_is_written_from_its_home_alone(table: str, homes: set[str]) -> None:
    assert _writers(table) == homes


def test_keys_are_drawn_in_one_place() -> None:
    drawing = {
        name
        for name, module in _modules()
        for node in ast.walk(module)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "nextval(" in node.value
    }
    assert drawing == {"db/keys.py"}


def test_money_meets_debts_in_one_function() -> None:
    """Whoever divides money over debts is a source of `apply_money`; a card's charge settles its own fee alone."""
    dividing = {
        name
        for name, module in _modules()
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and _called(node) in ("allocate", "allocate_back")
    }
    applying = {
        name
        for name, module in _modules()
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and _called(node) == "apply_money"
    }
    sources = {"billing/receivables/customer_deposits.py", "billing/receivables/rework/set_offs.py"}
    through = {"billing/dunning/write_off.py", "billing/receivables/rework/in_order.py"}  # people's act, and receipts
    assert applying == sources | through
    assert dividing == sources | {"billing/receivables/rework/received_money.py", "billing/rules/payment_allocation.py"}


def test_a_year_has_twelve_months_in_one_place() -> None:
    counting = {
        name
        for name, module in _modules()
        for node in ast.walk(module)
        if isinstance(node, ast.Dict)
        and {"month", "year"} <= {key.value for key in node.keys if isinstance(key, ast.Constant)}
        and [each.value for each in node.values if isinstance(each, ast.Constant)] == [1, 12]
    }
    assert counting == {"terms/calendar.py"}
