"""How an amount of late interest came about, debt by debt: what a preview shows and a demand carries (premium/5.2).

    debts ── work_out ──> Workings ── to_json ──> kept with a demand
                                         └────────> sentences in Japanese and English

Decides nothing: the days, the shares of a year and the rounding are late_interest's. Days are JST dates, amounts
whole yen; exact amounts are written as decimals that end, else as mixed fractions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from keizoku.billing.rules.late_interest import (
    Debt,
    InterestRate,
    Run,
    accrued_of,
    ceiling,
    interest_runs,
    total_interest,
)
from keizoku.terms.money import fraction_text, mixed_text
from keizoku.terms.rendering import Lang, sentence

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class OpenDebt:
    """A debt and what a person needs to recognise it."""

    debt: Debt
    term_on: date
    due_on: date


@dataclass(frozen=True, slots=True)
class Working:
    """One debt's interest: the days that bear it, the exact amount, and its whole yen of the total."""

    of: OpenDebt
    runs: tuple[tuple[Run, Fraction], ...]
    exact: Fraction
    yen: int
    yearly: Fraction  # the rate a year that this debt bears
    ceiling: Fraction  # the most that the law lets the days since the last allocation cost

    @property
    def days(self) -> int:
        """Days that bear interest since the due date or the last allocation."""
        return sum((run.last_on - run.first_on).days + 1 for run, _ in self.runs)


@dataclass(frozen=True, slots=True)
class Workings:
    """Late interest of one account on a day: rounded down once, after all debts are summed."""

    account: str
    on: date
    rate: InterestRate
    debts: tuple[Working, ...]
    exact: Fraction
    total_yen: int
    demanded_yen: int  # of the total, what was demanded before and is not paid

    @property
    def new_yen(self) -> int:
        """What a demand of this day would ask for."""
        return max(0, self.total_yen - self.demanded_yen)

    def to_json(self) -> dict[str, Any]:
        """JSON values, for a jsonb column, `--json` and `told`."""
        return {
            "account": self.account,
            "on": self.on.isoformat(),
            "rate": fraction_text(self.rate.yearly),
            "day_count": self.rate.day_count,
            "ceiling_rate": fraction_text(self.rate.ceiling),
            "debts": [_debt_json(each) for each in self.debts],
            "exact": mixed_text(self.exact),
            "total_yen": self.total_yen,
            "demanded_yen": self.demanded_yen,
            "new_yen": self.new_yen,
        }


def work_out(account: str, debts: Sequence[OpenDebt], on: date, rate: InterestRate, demanded_yen: int) -> Workings:
    """The interest that an account's debts, in the order in which they fall due, have accrued through a day."""
    total = total_interest([each.debt for each in debts], on, rate)
    workings = []
    for each, yen in zip(debts, total.per_debt_yen, strict=True):
        debt = each.debt
        yearly = rate.yearly if debt.yearly is None else debt.yearly
        runs = tuple(
            (run, debt.principal_yen * yearly * run.year_share)
            for run in interest_runs(debt.accrues_after, on, rate.day_count, debt.excluded)
            if debt.principal_yen
        )
        exact = debt.accrued_unpaid_yen + accrued_of(debt, on, rate)
        most = ceiling(debt.principal_yen, debt.accrues_after, on, rate, debt.excluded)
        workings.append(Working(each, runs, exact, yen, yearly, most))
    return Workings(account, on, rate, tuple(workings), total.exact, total.total_yen, demanded_yen)


def interest_sentences(workings: Mapping[str, Any], lang: Lang) -> list[str]:
    """The workings, as `to_json` wrote them, in sentences: every debt, then the total."""
    lines: list[str] = []
    for debt in workings["debts"]:
        lines.append(sentence("interest.debt", lang, debt))
        if debt["accrued_unpaid_yen"]:
            lines.append(sentence("interest.carried", lang, debt))
        lines += [sentence("interest.run", lang, {"rate": workings["rate"], **debt, **run}) for run in debt["runs"]]
        lines += [
            sentence("interest.free_days", lang, {"first_on": first_on, "last_on": last_on})
            for first_on, last_on in debt["free"]
        ]
    if not workings["debts"]:
        lines.append(sentence("interest.nothing", lang, workings))
    lines.append(sentence("interest.total", lang, workings))
    lines.append(sentence("interest.new", lang, workings))
    return lines


def ceiling_sentences(workings: Mapping[str, Any], lang: Lang) -> list[str]:
    """For every debt with days that bear interest: the most that the law lets them cost, and whether it was reached."""
    return [
        sentence(
            "interest.ceiling_reached" if debt["capped"] else "interest.ceiling",
            lang,
            {**debt, "ceiling_rate": workings["ceiling_rate"]},
        )
        for debt in workings["debts"]
        if debt["days"]
    ]


def _debt_json(working: Working) -> dict[str, Any]:
    debt = working.of.debt
    return {
        "invoice": debt.invoice_id,
        "term_on": working.of.term_on.isoformat(),
        "principal_yen": debt.principal_yen,
        "due_on": working.of.due_on.isoformat(),
        "accrues_after_on": debt.accrues_after.isoformat(),
        "accrued_unpaid_yen": debt.accrued_unpaid_yen,
        "days": working.days,
        "runs": [
            {
                "first_on": run.first_on.isoformat(),
                "last_on": run.last_on.isoformat(),
                "days": (run.last_on - run.first_on).days + 1,
                "years": run.years,
                "common_days": run.common_days,
                "leap_days": run.leap_days,
                "of_a_year": _part_of_a_year(run),
                "exact": mixed_text(exact),
            }
            for run, exact in working.runs
        ],
        "free": [
            [max(first_on, debt.accrues_after + _ONE_DAY).isoformat(), (end_on - _ONE_DAY).isoformat()]
            for first_on, end_on in debt.excluded
            if end_on > debt.accrues_after + _ONE_DAY
        ],
        "exact": mixed_text(working.exact),
        "yen": working.yen,
        "rate": fraction_text(working.yearly),
        "ceiling": mixed_text(working.ceiling),
        "capped": sum((exact for _, exact in working.runs), Fraction(0)) > working.ceiling,
    }


def _part_of_a_year(run: Run) -> str:
    """1 + 3/366: whole years, days of common years, days of leap years."""
    parts = [str(run.years)] if run.years else []
    parts += [f"{run.common_days}/365"] if run.common_days else []
    parts += [f"{run.leap_days}/366"] if run.leap_days else []
    return " + ".join(parts) or "0"
