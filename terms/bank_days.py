"""Business days of Japanese banks: a payment that falls due on another day may be made on the next one.

Banks are closed on Saturdays, Sundays, national holidays (the law's substitute holidays and days between two holidays
among them) and from 31 December to 3 January (Order for Enforcement of the Banking Act, 5). The holidays come from the
library `holidays`, which knows them until 2099; after that only weekends and the turn of the year are known.
"""

from datetime import date, timedelta
from functools import lru_cache
from typing import Final

_TURN_OF_YEAR: Final = frozenset({(12, 31), (1, 1), (1, 2), (1, 3)})
_SATURDAY: Final = 5


def is_bank_day(day: date) -> bool:
    """Whether banks in Japan are open on this day."""
    return day.weekday() < _SATURDAY and (day.month, day.day) not in _TURN_OF_YEAR and day not in _holidays(day.year)


def next_bank_day(day: date) -> date:
    """This day if banks are open on it, else the next day on which they are."""
    while not is_bank_day(day):
        day += timedelta(days=1)
    return day


@lru_cache(maxsize=100)
def _holidays(year: int) -> frozenset[date]:
    from holidays import country_holidays  # a third of a second, and most nights have no payment but by card

    return frozenset(country_holidays("JP", years=year))
