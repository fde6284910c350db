"""Rates that the law sets, by day: the statutory rate of interest, and the ceiling on damages for lateness.

    rate_on("civil_code_404", date(2026, 5, 1))             3 %
    rate_on("consumer_contract_act_9", date(2026, 5, 1))    14.6 %

Days are JST dates, rates exact fractions a year. A day before the first row is an error, never a fallback.
"""

import tomllib
from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Final, Literal

from keizoku.terms.policy import UncoveredDateError

Law = Literal["civil_code_404", "consumer_contract_act_9"]

_FILE: Final = Path(__file__).parent / "rates.toml"


def rate_on(law: Law, on: date) -> Fraction:
    """The rate a year that a law sets on a day. Raises UncoveredDateError before its first row."""
    held = [rate for from_on, rate in _rows()[law] if from_on <= on]
    if not held:
        raise UncoveredDateError(f"no rate of {law} is known for {on}; add it to terms/law/rates.toml")
    return held[-1]


@cache
def _rows() -> Mapping[str, tuple[tuple[date, Fraction], ...]]:
    written = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return {law: tuple(sorted((row["from"], Fraction(row["rate"])) for row in rows)) for law, rows in written.items()}
