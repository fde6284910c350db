"""The value that every reader of bank files hands on."""

from datetime import date

import pytest

from keizoku.billing.rules.bank.statement import (
    Direction,
    Statement,
    StatementFile,
    StatementLine,
    digest_of,
    file_digest,
)
from keizoku.terms.decision import Finding


def test_a_line_moves_the_balance_by_its_direction_and_an_amount_has_no_sign() -> None:
    line = StatementLine("a", 2, date(2026, 11, 5), Direction.OUT, 330)
    assert (line.signed, line.currency) == (-330, "JPY")
    with pytest.raises(ValueError, match="above zero"):
        StatementLine("a", 2, date(2026, 11, 5), Direction.IN, -330)


def test_a_digest_is_of_the_line_and_of_the_file_with_its_mapping() -> None:
    assert digest_of("a\x1fb") == digest_of(["a", "b"]) != digest_of(["ab", ""])
    assert file_digest("00", "mufg") == file_digest("00", "mufg") != file_digest("00", "smbc")


def test_findings_of_a_file_and_its_statements_come_by_line() -> None:
    late, early = Finding("f", 9, "x", "r", "m"), Finding("f", 2, "x", "r", "m")
    file = StatementFile("f", "00", "01", (Statement("a", (), findings=(late,)),), (early,))
    assert file.all_findings == (early, late)
