"""Rates that the law sets, by day; a day before the first row is an error."""

from datetime import date
from fractions import Fraction

import pytest

from keizoku.terms.law.rates import rate_on
from keizoku.terms.policy import UncoveredDateError


def test_5_2__the_statutory_rate_and_the_ceiling_are_dated() -> None:
    assert rate_on("civil_code_404", date(2020, 4, 1)) == Fraction(3, 100)
    assert rate_on("civil_code_404", date(2026, 11, 30)) == Fraction(3, 100)
    assert rate_on("consumer_contract_act_9", date(2024, 12, 2)) == Fraction(146, 1000)
    with pytest.raises(UncoveredDateError, match="civil_code_404 is known for 2020-03-31"):
        rate_on("civil_code_404", date(2020, 3, 31))
