"""How much of unused product keys may be paid back: the limits that bind an issuer of prepaid means. Pure.

    the business is given up (Act 20 I)      all of it; public notice and 60 days for claims are people's
    hardship of the holder (Order 42 iii)    as people find it
    small (Order 42 i, ii)                   of the half year, up to 20 % of what was sold in the half before it,
                                             or up to 5 % of what was unused on the last base date

All else is forbidden (Payment Services Act 20 V; 前払式支払手段に関する内閣府令 42). Half years end on the base dates,
31 March and 30 September. A reading for counsel to confirm: the greater of the two limits holds, for each is a case of
its own; what was paid back because the business was given up counts against neither. Whole yen.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final

SMALL, ABOLISHED, HARDSHIP = "small", "abolished", "hardship"
CASES: Final = (SMALL, ABOLISHED, HARDSHIP)
BASE_DATES: Final = ((3, 31), (9, 30))
OF_SOLD_PERCENT: Final = 20
OF_UNUSED_PERCENT: Final = 5


@dataclass(frozen=True, slots=True)
class HalfYear:
    """What the limits are taken of: sold in the half before, unused on the last base date, paid back since."""

    sold_before_yen: int
    unused_yen: int
    refunded_yen: int

    @property
    def limit_yen(self) -> int:
        """What may be paid back as small in the whole half year."""
        return max(self.sold_before_yen * OF_SOLD_PERCENT // 100, self.unused_yen * OF_UNUSED_PERCENT // 100)

    @property
    def left_yen(self) -> int:
        """What of it is left."""
        return max(0, self.limit_yen - self.refunded_yen)


def last_base_date(day: date) -> date:
    """The newest base date before a day: the half year in which the day lies begins after it."""
    if day > date(day.year, 9, 30):
        return date(day.year, 9, 30)
    return date(day.year, 3, 31) if day > date(day.year, 3, 31) else date(day.year - 1, 9, 30)
