"""A sandbox: a database of its own with simulated cards, and a clock that stands still until it is moved.

    keizoku serve --sandbox ──> its database (marked by its clock), a seed the first time, test keys
    POST /v1/test/clock     ──> the nights in between, each at its hour ──> the clock stands at the new instant

A live database has no such clock: `open_sandbox` refuses one with accounts, and `keizoku serve` refuses a sandbox.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.contracts import account
from keizoku.db.tables.simulated import test_clock
from keizoku.db.tables.web import api_key, api_key_end
from keizoku.scheduler.cli.shared.output import UserError
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.run_log import last_night
from keizoku.scheduler.night.schedule import last_night_due, night_at
from keizoku.scheduler.simulator import Simulator
from keizoku.terms.calendar import Month, iso_jst, parse_instant
from keizoku.terms.refusal import Refused
from keizoku.web.identity.keys import end_key, new_key
from keizoku.web.identity.principal import ROLES

if TYPE_CHECKING:
    from keizoku.scheduler.app import Services
    from keizoku.scheduler.settings import Settings
    from keizoku.web.door import Door

__all__ = [
    "BEGINS", "SEEDS", "Sandbox", "fresh_keys", "is_sandbox", "open_sandbox",
    "outside_of_nothing", "sandbox_settings",
]  # fmt: skip

BEGINS: Final = parse_instant("2026-04-01 09:00")
"""Where a new sandbox's clock stands."""
_BY: Final = "sandbox"


@dataclass
class Sandbox:
    """The clock of a sandbox, for one process; it moves forward only."""

    now: datetime
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self) -> datetime:
        """The instant at which the clock stands."""
        return self.now

    def move(self, door: Door, to: datetime, *, by: str) -> dict[str, Any]:
        """Put the clock forward; every night in between runs at its own hour. Killed in between, it stands there.

        Refused for an instant behind it.
        """
        with self._lock, door.services("worker", acts=True) as services:
            if to < self.now:
                raise Refused("clock.behind", f"the clock stands at {iso_jst(self.now)}", "it only moves forward")
            nights = []
            for on in _nights(services.session, self.now, to):
                self._put(services.session, max(self.now, night_at(on)), by)
                done = run_night(services, on, self.now)
                nights.append({"business_date": on, "certificate": done.certificate, "set_aside": list(done.set_aside)})
            self._put(services.session, to, by)
            return {"now": iso_jst(self.now), "nights": nights}

    def _put(self, session: Session, now: datetime, by: str) -> None:
        if now > self.now:
            _stand(session, now, by)
            self.now = now


def _nights(session: Session, start: datetime, end: datetime) -> list[date]:
    """The business dates whose hour comes after `start` and by `end`, and those that were left before."""
    ran = last_night(session)
    session.rollback()
    done = last_night_due(start) if ran is None else ran
    return [done + timedelta(days=day) for day in range(1, (last_night_due(end) - done).days + 1)]


def _stand(session: Session, now: datetime, by: str) -> None:
    session.execute(sa.insert(test_clock).values(now=now, author=by, recorded_at=datetime.now(UTC)))
    session.commit()


def is_sandbox(session: Session) -> bool:
    """Whether this database is a sandbox's."""
    found = session.execute(sa.select(test_clock.c.id).limit(1)).first() is not None
    session.rollback()
    return found


def open_sandbox(services: Services, seed: str, begins: datetime = BEGINS) -> Sandbox:
    """The sandbox of this database; a new one begins with a seed. UserError for a database that is in use otherwise."""
    session = services.session
    now = session.execute(sa.select(sa.func.max(test_clock.c.now))).scalar_one()
    if now is None:
        if session.execute(sa.select(account.c.id).limit(1)).first() is not None:
            raise UserError("this database has accounts and is no sandbox: nothing was touched")
        _stand(session, begins, _BY)
        now = SEEDS[seed](services, begins)
        if now > begins:
            _stand(session, now, _BY)
    session.rollback()
    return Sandbox(now)


def sandbox_settings(settings: Settings) -> Settings:
    """The settings under which a sandbox works: a database of its own, simulated cards, nothing outside."""
    from keizoku.db.embedded import default_data_dir

    if settings.database_url is None:
        own: dict[str, Any] = {"data_dir": Path(settings.data_dir or default_data_dir()) / "sandbox"}
    else:
        own = {"database_schema": f"{settings.database_schema}_sandbox"}
    partner = "none" if settings.link_partner == "none" else "simulated"
    return outside_of_nothing(settings, {"link_partner": partner, **own})


def outside_of_nothing(settings: Settings, own: Mapping[str, Any]) -> Settings:
    """These settings, so that nothing leaves this machine: simulated cards, a simulated partner, no mail."""
    changes: dict[str, Any] = {
        "gateway": "simulated", "mail_host": "", "stripe_webhook_secret_file": None, "link_authorize_url": None,
        "link_token_url": None, "link_revoke_url": None, "link_api_base": None, "link_partner": "simulated", **own,
    }  # fmt: skip
    return settings.model_copy(update=changes)


def fresh_keys(session: Session, now: datetime) -> dict[str, str]:
    """A new test key for each role, with every scope; those of the start before are ended."""
    living = sa.select(api_key.c.id).where(
        api_key.c.created_by == _BY, ~sa.exists().where(api_key_end.c.key_id == api_key.c.id)
    )
    for key_id in session.scalars(living).all():
        end_key(session, key_id, by=_BY, ground="the sandbox was started anew", now=now)
    return {role: new_key(session, f"sandbox-{role}", role, ["*"], test=True, by=_BY, now=now).key for role in ROLES}


def _plans(services: Services, now: datetime) -> datetime:
    """Two plans with their prices, and 1,000 users of the service."""
    services.sla.population(now, 1_000, now=now)
    for plan, interval, yen in (("monthly", "month", 500), ("yearly", "year", 5_300)):
        services.billing.add_plan(plan, interval, now=now)
        first = date(now.year, now.month, 1)
        services.billing.price(
            plan, yen, announced=first, for_new_from=first, for_renewals_from=first, initial=True, ground="seed",
            proof="seed", now=now,
        )  # fmt: skip
    return now


_JOIN: Final = (("aoi", "card", 0), ("sora", "card", 0), ("yui", "card", 0), ("mei", "other", 20), ("ren", "card", 25))
"""Members of the seed: their method, and the day on which they sign up."""


def _month(services: Services, now: datetime) -> datetime:
    """The plans, and forty days of five members: three who pay, one late by transfer, one refused; a stop, a claim."""
    _plans(services, now)
    Simulator(services).cards.set_card("ren", "insufficient_funds")
    for day in range(41):
        on = (now + timedelta(days=day)).date()
        at = night_at(on) if day else now
        if day:
            run_night(services, on, at)
        for name, method, joins in _JOIN:
            if joins == day:
                services.billing.register(name, "monthly", method, now=at)
                services.billing.approve(name, by=_BY, now=at)
        if day == 15:
            began, ended = at + timedelta(hours=6), at + timedelta(hours=14)
            services.sla.record_outage(from_at=began, to_at=ended, affected=500, now=ended)
        if day == 31:
            services.sla.claim(id="seed-1", account="aoi", month=Month.of(now.date()), now=at)
    return at + timedelta(hours=7)


def _nothing(_: Services, now: datetime) -> datetime:
    """No row."""
    return now


SEEDS: Final[Mapping[str, Callable[[Services, datetime], datetime]]] = {
    "plans": _plans,
    "month": _month,
    "nothing": _nothing,
}
"""What a new sandbox begins with; each returns where the clock stands then."""
