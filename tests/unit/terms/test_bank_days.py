"""Business days of banks, against another library's calendar and against known years."""

from datetime import date, timedelta

import jpholiday
import pytest

from keizoku.terms.bank_days import is_bank_day, next_bank_day


@pytest.mark.parametrize(
    ("day", "paid_on"),
    [
        ("2026-05-03", "2026-05-07"),  # Sunday, two holidays, the substitute one
        ("2026-05-01", "2026-05-01"),
        ("2026-05-02", "2026-05-07"),
        ("2026-09-21", "2026-09-24"),  # Monday, a day between two holidays, the equinox
        ("2025-12-31", "2026-01-05"),
        ("2026-01-03", "2026-01-05"),
        ("2024-02-29", "2024-02-29"),
        ("2019-04-27", "2019-05-07"),  # ten days at the accession
    ],
)
def test_5_2__a_day_on_which_banks_are_closed_moves_to_the_next_on_which_they_are_open(day: str, paid_on: str) -> None:
    assert next_bank_day(date.fromisoformat(day)) == date.fromisoformat(paid_on)


def test_5_2__every_day_of_27_years_is_as_another_calendar_has_it() -> None:
    day, differing = date(2024, 1, 1), []
    while day < date(2051, 1, 1):
        at_turn = (day.month, day.day) in {(12, 31), (1, 1), (1, 2), (1, 3)}
        if is_bank_day(day) != (day.weekday() < 5 and not at_turn and not jpholiday.is_holiday(day)):
            differing.append(day)
        day += timedelta(days=1)
    assert differing == []


def test_5_2__after_the_last_year_that_is_known_weekends_and_the_turn_of_the_year_are_still_closed() -> None:
    assert [is_bank_day(date(2150, 1, 5)), is_bank_day(date(2150, 1, 2)), is_bank_day(date(2150, 1, 10))] == [
        True,
        False,
        False,
    ]
