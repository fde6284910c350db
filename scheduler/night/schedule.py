"""When a night runs: 02:30 in Japan, for the business date that has begun; and which one is due at an instant."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from keizoku.terms.calendar import JST, jst_day

NIGHT_AT: Final = time(2, 30)
"""When a night runs, JST."""


def night_at(business_date: date) -> datetime:
    """02:30 JST of a business date."""
    return datetime.combine(business_date, NIGHT_AT, JST).astimezone(UTC)


def last_night_due(now: datetime) -> date:
    """The latest business date whose hour has come by `now`."""
    today = jst_day(now)
    return today if now >= night_at(today) else today - timedelta(days=1)
