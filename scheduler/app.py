"""The composition root: one session, the rules, a gateway, and the services of billing and sla.

with services_on(engine, settings) as services:            the host's engine; docs/how-to/embed.md shows a shop
    services.billing.approve("hanako", now=now)        an act: one call, committed
    owed_view(services.session, services.rules, "hanako", now)
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, TypeVar, cast

from keizoku.billing.gateway.port import Gateway
from keizoku.billing.gateway.restored import is_drill
from keizoku.billing.gateway.simulated import SimulatedGateway
from keizoku.billing.services.billing_service import BillingService
from keizoku.db.account_reads import reads_kept
from keizoku.db.act_keys import once
from keizoku.db.session import DatabaseError, Session, check_server, make_engine
from keizoku.db.standing import check_current
from keizoku.extras import naming_the_extra
from keizoku.scheduler.clock import ClockName, HeldActs, HeldClock, database_now
from keizoku.scheduler.linking import link_setup_of
from keizoku.terms.calendar import Month
from keizoku.terms.refusal import Refused
from keizoku.terms.rendering import saying
from keizoku.terms.rules import Rules

if TYPE_CHECKING:
    from datetime import datetime

    import sqlalchemy as sa

    from keizoku.billing.closing.month_close import Closed
    from keizoku.billing.gateway.stripe_calls import StripeCalls
    from keizoku.link.services.base import LinkSetup
    from keizoku.link.services.link_service import LinkService
    from keizoku.scheduler.night_settings import Limit
    from keizoku.scheduler.settings import Settings
    from keizoku.sla.services.sla_service import SlaService

DRILL = (
    "this database is the copy of a restore drill, and the key is of the live account: nothing is asked of Stripe; "
    "use a test key, or `keizoku backup restore` without --drill for a database that is to work"
)

Made = TypeVar("Made")

__all__ = ["Services", "engine_of", "gateway_of", "services_on", "stripe_calls_of"]


@dataclass(frozen=True)
class Services:
    """Everything that a command, the worker or a scenario needs, put together once."""

    session: Session
    rules: Rules
    gateway: Gateway
    clock: HeldClock | None = None
    """The second clock that every `now` is held against; None: the caller plays another time than the wall's."""
    night_limits: tuple[Limit, ...] = ()
    """What a night may write before a person looks at it."""
    link_setup: Callable[[], LinkSetup] | None = None
    """How the partner of the linked service is reached; None: it is not."""

    @cached_property
    def billing(self) -> BillingService:
        """Acts on contracts and money."""
        return self._held(BillingService(self.session, self.rules, self.gateway))

    @cached_property
    def sla(self) -> SlaService:
        """Facts about outages and claims."""
        from keizoku.sla.services.sla_service import SlaService

        return self._held(SlaService(self.session, self.rules))

    @cached_property
    def link(self) -> LinkService:
        """Acts on links. Raises MissingExtraError where the extra is not installed."""
        with naming_the_extra():
            from keizoku.link.services.base import LinkSetup
            from keizoku.link.services.link_service import LinkService

        setup = self.link_setup() if self.link_setup is not None else LinkSetup()
        return self._held(LinkService(self.session, self.rules, setup))

    def _held(self, service: Made) -> Made:
        return service if self.clock is None else cast("Made", HeldActs(service, self.clock))

    def close_base_account(self, account: str, *, by: str, ground: str, now: datetime) -> None:
        """The bank account is closed: premium (6.2, 13) and link (api_link/12.2(1)) end at one instant, in one go.

        An account without a running premium contract ends its link alone.
        """
        if self.clock is not None:
            self.clock.check(now)

        def do() -> None:
            try:
                self.billing.delete_user(account, now=now)
            except Refused as refused:
                if refused.code not in ("contract.none", "contract.not_running"):
                    raise
                self.session.rollback()
            self.link.record_fact(account, "base_account_closed", by=by, ground=ground, revoke=False, now=now)

        content = {"account": account, "by": by, "ground": ground}
        once(self.session, f"base-{secrets.token_hex(12)}", "base_account_closed", content, do, now)
        self.link.revoke_ended(account, now=now)

    def close_month(self, month: Month, *, by: str, now: datetime, bank_accounts: Sequence[str] = ()) -> Closed:
        """Close a month's books; Refused, with what has to be mended, where a check fails.

        `bank_accounts`: our accounts at banks, where each has to have statements.
        """
        from keizoku.billing.closing.month_close import close_month

        if self.clock is not None:
            self.clock.check(now)
        closed = close_month(self.session, self.gateway, month, by, now, bank_accounts=bank_accounts)
        if not closed.ok:
            failed = "; ".join(f"{each.name}: {each.found}" for each in closed.checks if not each.ok)
            raise Refused("close.check_failed", f"{month} is not closed: {failed}")
        return closed


@contextmanager
def services_on(
    engine: sa.Engine, settings: Settings, *, clock: ClockName = "real", reader: str | None = ""
) -> Iterator[Services]:
    """The services on a host's own engine, for one piece of work: what was not committed at the end is lost.

    It has a connection of its own from the engine; its time zone does not matter, its search path says where the
    tables are. Raises DatabaseError where the engine does not speak to PostgreSQL through psycopg 3, its search path
    leads to another schema than the one that is set, or the tables are not those of this release (db.migrate.upgrade
    makes them), and SettingsError for a setting that cannot be used.

    An act whose `now` is ahead of the database's clock is Refused (clock.ahead); with the clock "given" it is not: for
    tests and trials that play another time than the wall's.

    `reader`: who asks, for the record of who read which account; empty: the login of the database; None: no record.
    """
    if (engine.dialect.name, engine.dialect.driver) != ("postgresql", "psycopg"):
        spoken = f"{engine.dialect.name}+{engine.dialect.driver}"
        raise DatabaseError(f"the engine speaks {spoken}; Keizoku needs postgresql+psycopg (psycopg 3)")
    rules = settings.rules()
    with saying(settings.own_letters()), engine.connect() as session, reads_kept(session, reader):
        check_server(session)
        check_current(session, settings.database_schema if "database_schema" in settings.model_fields_set else None)
        held = None
        if clock == "real":
            held = HeldClock(database_now(session), timedelta(seconds=settings.clock_ahead_seconds))
            session.rollback()
        refused = _drill_refuses(session, settings)
        with gateway_of(settings, engine, refused=refused) as gateway:
            setup = partial(link_setup_of, settings, engine)
            limits = settings.limits_of_nights()
            yield Services(session, rules, gateway, link_setup=setup, clock=held, night_limits=limits)


def engine_of(settings: Settings) -> sa.Engine:
    """An engine on the server and the schema that the settings name: what the command line sees, the library sees.

    Its connections are not pooled. Raises DatabaseError where no server is named: the embedded one is the command
    line's (keizoku.db.embedded starts it).
    """
    if settings.database_url is None:
        raise DatabaseError("no server is named: set KEIZOKU_DATABASE_URL=postgresql://user@host/database")
    return make_engine(settings.database_url.get_secret_value(), settings.database_schema)


def _drill_refuses(session: Session, settings: Settings) -> str | None:
    """Why a gateway may not be asked: a key of the live account in the copy of a drill."""
    if settings.gateway != "stripe" or not settings.stripe_key().startswith(("sk_live_", "rk_live_")):
        return None
    drill = is_drill(session)
    session.rollback()
    return DRILL if drill else None


def stripe_calls_of(settings: Settings, *, refused: str | None = None) -> StripeCalls:
    """Calls to Stripe by the settings, bound to no database. Raises SettingsError for a key that cannot be read."""
    with naming_the_extra():
        from keizoku.billing.gateway.stripe_calls import StripeCalls

    return StripeCalls.to(
        settings.stripe_key(),
        api_base=settings.stripe_api_base,
        per_second=settings.stripe_calls_per_second,
        per_endpoint=settings.stripe_calls_per_second_endpoint,
        timeout_seconds=settings.stripe_timeout_seconds,
        refused=refused,
    )


@contextmanager
def gateway_of(settings: Settings, engine: sa.Engine, *, refused: str | None = None) -> Iterator[Gateway]:
    """Who charges cards, by the settings; let go at the end. Raises SettingsError for a key that cannot be read.

    `refused`: why nothing may be asked of a real one; every call then raises GatewayRefusesUsError with it.
    """
    if settings.gateway == "simulated":
        simulated = SimulatedGateway(engine, settings.simulated_fee_per_mille)
        simulated.bank_names = settings.processor_bank_names
        try:
            yield simulated
        finally:
            simulated.close()
        return
    with naming_the_extra():
        from keizoku.billing.gateway.stripe_gateway import StripeGateway

    calls = stripe_calls_of(settings, refused=refused)
    stripe = StripeGateway(engine, calls, concurrent=settings.stripe_calls_at_once)
    stripe.bank_names = settings.processor_bank_names
    try:
        yield stripe
    finally:
        stripe.close()
