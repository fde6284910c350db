"""Stops and changes (api_link/10.4, 11.2), security events and disclosures (5.7), findings about load (9.2)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from keizoku.db.review_tasks import close_task
from keizoku.db.tables.link.grants import link_use
from keizoku.db.tables.link.stops import (
    link_announcement,
    link_disclosure,
    link_load_ruling,
    link_security_event,
    link_stop,
    link_stop_end,
)
from keizoku.link.records.customers import ensure_account, lock_account
from keizoku.link.rules.security import SecurityEvent, disclosure_flaw
from keizoku.link.services.base import Desk
from keizoku.terms.calendar import iso_jst
from keizoku.terms.refusal import Refused

__all__ = ["StopDesk"]


class StopDesk(Desk):
    """What the operator or the partner stops, and what people do about leaks, misuse and load."""

    def stop(
        self,
        *,
        whose: Literal["partner", "operator"],
        scope: Literal["all", "data", "orders"] = "all",
        clause: str = "10.4",
        kind: Literal["stop", "change"] = "stop",
        what: str,
        account: str | None = None,
        from_at: datetime | None = None,
        by: str,
        ground: str,
        now: datetime,
    ) -> int:
        """Record a stop or a change, of one customer or of all, from an instant on; its number.

        By 11.2 (the partner's service stopped or changed) it wants an announcement; by 5.7 the partner stops after a
        security event; by 10.4 it is for a time and needs none.
        """
        short = clause.removeprefix("api_link/")
        if short not in ("5.7", "10.4", "11.2"):
            raise Refused("link.clause", f"{clause!r}: a stop is by 5.7, 10.4 or 11.2")
        if kind == "change" and short != "11.2":
            raise Refused("link.clause", f"a change is by 11.2, not by {short}")
        if short == "11.2" and account is not None:
            raise Refused("link.clause", "by 11.2 it is for every customer: it is announced on the site")
        if short == "5.7" and whose != "partner":
            raise Refused("link.clause", "by 5.7 it is the partner that stops its API; ours is by 10.4")
        self._want_signed("a stop", by, ground)
        if not what.strip():
            raise Refused("act.incomplete", "a stop says what is stopped or changed, and how")
        if account is not None:
            ensure_account(self.session, account, now)
        stop_id: int = self.session.execute(
            sa.insert(link_stop)
            .values(
                kind=kind,
                whose=whose,
                scope=scope,
                account=account,
                clause=short,
                what=what,
                from_at=from_at or now,
                author=by,
                ground=ground,
                recorded_at=now,
            )
            .returning(link_stop.c.id)
        ).scalar_one()
        self.session.commit()
        return stop_id

    def lift(self, stop_number: int, *, ended_at: datetime | None = None, by: str, now: datetime) -> None:
        """A stop is over from an instant on."""
        row = self._stop(stop_number)
        over = ended_at or now
        self._want_past(f"the end of stop {stop_number}", over, now)
        if over < row.from_at:
            raise Refused("fact.period", f"stop {stop_number}: it begins at {iso_jst(row.from_at)}, after its end")
        if not by.strip():
            raise Refused("act.unsigned", f"stop {stop_number}: who lifts it?")
        known = sa.select(link_stop_end.c.stop_id).where(link_stop_end.c.stop_id == stop_number)
        if self.session.execute(known).first() is not None:
            self.session.rollback()
            raise Refused("link.stop_over", f"stop {stop_number} was lifted before")
        self.session.execute(
            sa.insert(link_stop_end).values(stop_id=stop_number, ended_at=over, author=by, recorded_at=now)
        )
        self.session.commit()

    def announce(
        self,
        stop_number: int,
        *,
        place: str,
        announced_at: datetime | None = None,
        by: str,
        ground: str | None = None,
        now: datetime,
    ) -> None:
        """It was announced on the site; after its beginning only where it could not be helped, with the ground."""
        row = self._stop(stop_number)
        told = announced_at or now
        self._want_past(f"the announcement of stop {stop_number}", told, now)
        if not place.strip() or not by.strip():
            raise Refused("act.incomplete", "an announcement names its place and who records it")
        if row.clause == "11.2" and told > row.from_at and not (ground or "").strip():
            raise Refused(
                "link.announced_late",
                f"stop {stop_number} began at {iso_jst(row.from_at)}: announced afterwards, it needs a ground",
            )
        self.session.execute(
            sa.insert(link_announcement).values(
                stop_id=stop_number, place=place, announced_at=told, author=by, ground=ground, recorded_at=now
            )
        )
        close_task(self.session, "link_announcement", f"stop {stop_number}", by, f"announced: {place}", now)
        self.session.commit()

    def security_event(
        self,
        kind: Literal["leak", "feared_leak", "misuse", "feared_misuse"],
        what: str,
        *,
        account: str | None = None,
        occurred_at: datetime | None = None,
        by: str,
        ground: str,
        now: datetime,
    ) -> int:
        """People say that data leaked or were misused, or that they fear it; its number."""
        if kind not in ("leak", "feared_leak", "misuse", "feared_misuse"):
            raise Refused("link.event", f"{kind!r} is none of leak, feared_leak, misuse, feared_misuse")
        self._want_signed("a security event", by, ground)
        if not what.strip():
            raise Refused("act.incomplete", "a security event says what happened; never the data themselves")
        happened = occurred_at or now
        self._want_past("a security event", happened, now)
        if account is not None:
            ensure_account(self.session, account, now)
        event_id: int = self.session.execute(
            sa.insert(link_security_event)
            .values(
                kind=kind, account=account, what=what, occurred_at=happened, author=by, ground=ground, recorded_at=now
            )
            .returning(link_security_event.c.id)
        ).scalar_one()
        self.session.commit()
        return event_id

    def disclose(
        self,
        event_number: int,
        account: str,
        what: str,
        *,
        recipient: str,
        occurred_at: datetime | None = None,
        by: str,
        ground: str,
        now: datetime,
    ) -> int:
        """Data of a customer went to the partner because of an event (5.7): name the kinds of data, never the data."""
        self._want_signed("a disclosure", by, ground)
        if not what.strip() or not recipient.strip():
            raise Refused("act.incomplete", "a disclosure names its recipient and the kinds of data")
        told = occurred_at or now
        self._want_past("a disclosure", told, now)
        lock_account(self.session, account)
        row = self.session.execute(
            sa.select(link_security_event).where(link_security_event.c.id == event_number)
        ).first()
        event = None if row is None else SecurityEvent(row.kind, row.account, row.occurred_at)
        flaw = disclosure_flaw(event, account, told)
        if flaw is not None:
            self.session.rollback()
            raise Refused("link.disclosure", f"account {account}: nothing is disclosed: {flaw}")
        disclosure_id: int = self.session.execute(
            sa.insert(link_disclosure)
            .values(
                event_id=event_number,
                account=account,
                recipient=recipient,
                what=what,
                occurred_at=told,
                author=by,
                ground=ground,
                recorded_at=now,
            )
            .returning(link_disclosure.c.id)
        ).scalar_one()
        self.session.commit()
        return disclosure_id

    def rule_on_load(
        self,
        account: str,
        outcome: Literal["forbidden", "allowed"],
        *,
        from_at: datetime,
        to_at: datetime,
        by: str,
        ground: str,
        now: datetime,
    ) -> int:
        """People find whether a customer's fetches of a time load the system (9.2); the fetches of it, as counted."""
        if outcome not in ("forbidden", "allowed"):
            raise Refused("link.load", f"{outcome!r} is neither forbidden nor allowed")
        self._want_signed("a finding about load", by, ground)
        if from_at >= to_at:
            raise Refused("fact.period", f"account {account}: the time ends before it begins")
        lock_account(self.session, account)
        fetches: int = self.session.execute(
            sa.select(sa.func.count()).where(
                link_use.c.account == account,
                link_use.c.purpose == "fetch",
                link_use.c.begun_at >= from_at,
                link_use.c.begun_at < to_at,
            )
        ).scalar_one()
        self.session.execute(
            sa.insert(link_load_ruling).values(
                account=account,
                outcome=outcome,
                from_at=from_at,
                to_at=to_at,
                fetches=fetches,
                author=by,
                ground=ground,
                recorded_at=now,
            )
        )
        self.session.commit()
        return fetches

    def _stop(self, stop_number: int) -> sa.Row[tuple[object, ...]]:
        row = self.session.execute(sa.select(link_stop).where(link_stop.c.id == stop_number)).first()
        if row is None:
            self.session.rollback()
            raise Refused("link.stop_unknown", f"there is no stop {stop_number}", "`keizoku link stops` lists them")
        return row
