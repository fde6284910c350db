"""What a publication of an update says, as the service takes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Announcement:
    """A publication of an update; `cancelled`: it withdraws the earlier ones of its id. `ground`: where it was."""

    id: str
    published_at: datetime
    from_at: datetime
    to_at: datetime
    cancelled: bool = False
    calendar: str = ""
    ground: str | None = None
