"""The claim form's own health record: when it could not be used, a deadline shortly after moves (premium/9.5).

    every 30 s:  the form's page answers as a member would see it ──> `form_sighting.seen_at`
                 it was not seen for more than two minutes ──> an outage of the form from then to now, once it is back

Several servers share the record: the form is down only when none of them answers it.
"""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from keizoku.db.tables.web import form_sighting
from keizoku.scheduler.reports.claim_worth import measured_month
from keizoku.sla.months.month_facts import NoPopulationError
from keizoku.terms.calendar import Month, jst_day
from keizoku.terms.policy import UncoveredDateError
from keizoku.web.identity.principal import MEMBER

if TYPE_CHECKING:
    from keizoku.web.door import Door

__all__ = ["AUTHOR", "EVERY_S", "LAPSE", "FormHealth"]

EVERY_S: Final = 30
LAPSE: Final = timedelta(minutes=2)
"""A form that was seen within this time was not down: a slow check or a restart is none."""
AUTHOR: Final = "keizoku serve"
GROUND: Final = "the claim form did not answer its own check"
_NAME: Final = "claim form"
_log = logging.getLogger("keizoku.web")


class FormHealth:
    """The check of a door's claim form, in a thread of its own."""

    def __init__(self, door: Door, every_s: float = EVERY_S) -> None:
        self._door = door
        self._every_s = every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="form-health", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """No check begins any more."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(self._every_s)

    def look(self) -> None:
        """One check. Raises whatever keeps the form from answering; then nothing is written."""
        now = self._door.clock()
        self._answer(now)
        with self._door.services("worker", acts=False) as services:
            session = services.session
            seen_at = session.execute(sa.select(form_sighting.c.seen_at).with_for_update()).scalar_one_or_none()
            row = insert(form_sighting).values(name=_NAME, seen_at=now)
            later = sa.func.greatest(form_sighting.c.seen_at, row.excluded.seen_at)
            session.execute(row.on_conflict_do_update(index_elements=["name"], set_={"seen_at": later}))
            if seen_at is not None and now - seen_at > LAPSE:  # it commits: of two servers one says it
                services.sla.claim_form_down(seen_at, now, now=now, by=AUTHOR, ground=GROUND)
            session.commit()

    def _answer(self, now: datetime) -> None:
        """What the form shows first, read as a member reads it."""
        with self._door.services(MEMBER, acts=False) as services:
            try:
                measured_month(services.session, services.rules, Month.of(jst_day(now)), now)
            except (NoPopulationError, UncoveredDateError):
                return  # it says so on the page, and a claim can be made

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self.look()
            except Exception as error:
                _log.warning("the claim form does not answer: %s", type(error).__name__)
            self._ended.wait(self._every_s)
