"""Random lives of links: whatever happens in whatever order, also a process that dies in the middle of a call.

Held in every life: an order goes out once, and never after its link has ended; no token is used after its end; a field
that is not designated is stored nowhere; what a dead process left behind is finished by the next.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keizoku.db.tables.link.grants import link_grant, link_secret, link_token, link_use
from keizoku.link.partner.port import OrderAnswer, TokenAnswer
from keizoku.link.partner.simulated import SimulatedPartner
from keizoku.link.rules.orders import Listed, OrderRequest
from keizoku.link.services.link_service import LinkService
from keizoku.terms.refusal import Refused
from tests.worlds.link_world import BY, NOW, admit, confirmed_order, designate, everything_in, grant, service_on

SOAK = int(os.environ.get("KEIZOKU_TEST_SOAK", "0"))
"""How many lives, and then longer ones; 0: the few of every test run."""
HIDDEN = "undesignated-sentinel"
NUMBERS = count(1)
ACTS = (
    "grant",
    "renew",
    "fetch",
    "order",
    "send",
    "settle",
    "night",
    "revoke",
    "base_account_closed",
    "partner_ended",
    "again",
)
MISHAPS = (
    "",
    "",
    "",
    "loses_answer",
    "lapses",
    "gives_no_number",
    "unavailable",
    "lists_late",
    "dies_before",
    "dies_after",
)


class KilledError(BaseException):
    """The process is gone."""


class Watched(SimulatedPartner):
    """The simulated partner, which dies with its caller where it is told to, and watches who calls it when."""

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__(engine)
        self.dies = ""
        self.ended: set[str] = set()
        self.wrong: list[str] = []

    def _call(self, what: str, account: str, call: Callable[[], Any]) -> Any:
        if account in self.ended and what != "revoke":
            self.wrong.append(f"{what} after the end")
        dies, self.dies = self.dies, ""
        if dies == "dies_before":
            raise KilledError
        found = call()
        if dies == "dies_after":
            raise KilledError
        return found

    def refresh(self, refresh_token: str) -> TokenAnswer:
        account = self._account(refresh_token)
        found: TokenAnswer = self._call("refresh", account, lambda: SimulatedPartner.refresh(self, refresh_token))
        return found

    def revoke(self, token: str) -> None:
        self._call("revoke", self._account(token), lambda: SimulatedPartner.revoke(self, token))

    def fetch(self, kind: str, access: str) -> Any:
        return self._call("fetch", self._account(access), lambda: SimulatedPartner.fetch(self, kind, access))

    def send_order(self, wanted: OrderRequest, reference: str, good_until: str | None, access: str) -> OrderAnswer:
        def send() -> OrderAnswer:
            return SimulatedPartner.send_order(self, wanted, reference, good_until, access)

        found: OrderAnswer = self._call("order", self._account(access), send)
        return found

    def list_orders(self, access: str) -> Sequence[Listed]:
        found: Sequence[Listed] = self._call(
            "list", self._account(access), lambda: SimulatedPartner.list_orders(self, access)
        )
        return found


@pytest.fixture(scope="module")
def world(own_database_of_module: sa.Engine) -> Iterator[tuple[sa.Engine, Watched]]:
    partner = Watched(own_database_of_module)
    with own_database_of_module.connect() as session:
        designate(service_on(session, partner))
    yield own_database_of_module, partner
    with own_database_of_module.connect() as session:
        assert HIDDEN not in everything_in(session)


def act(link: LinkService, partner: Watched, account: str, what: str, orders: list[int], now: datetime) -> None:
    """One act; what is refused is refused."""
    if what == "grant":
        grant(link, account, "orders", now)
    elif what == "again":
        link.record_fact(account, "base_account_opened", by="desk", now=now)
        link.record_fact(account, "partner_resumed", by="desk", now=now)
        partner.ended.discard(account)
    elif what == "order":
        orders.append(confirmed_order(link, account, now=now))
    elif what in ("send", "settle") and orders:
        (link.send_order if what == "send" else link.settle_order)(orders[-1], now=now)
    elif what == "fetch":
        link.show(account, ["positions"], now=now)
    elif what == "renew":
        link.renew(account, now=now)
    elif what == "revoke":
        partner.ended.add(account)
        link.revoke(account, now=now, **BY)
    elif what in ("base_account_closed", "partner_ended"):
        partner.ended.add(account)
        link.record_fact(account, what, by="desk", now=now)
    elif what == "night":
        link.end_all_due(now=now)
        link.revoke_left(now=now)
        link.renew_due(now=now)
        link.look_up_orders(now=now)


@given(
    life=st.lists(
        st.tuples(st.sampled_from(ACTS), st.sampled_from(MISHAPS), st.integers(1, 1_200)), max_size=30 if SOAK else 9
    )
)
@settings(
    max_examples=SOAK or 12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_in_every_life_an_order_goes_out_once_and_nothing_is_used_after_its_end(
    world: tuple[sa.Engine, Watched], life: list[tuple[str, str, int]]
) -> None:
    engine, partner = world
    account, now, orders = f"life{next(NUMBERS)}", NOW, list[int]()
    partner.data[account] = {"positions": [{"Symbol": "1", "Valuation": HIDDEN}]}
    session = engine.connect()
    admit(service_on(session, partner), account)
    for what, mishap, seconds in [("grant", "", 1), ("order", "", 1), *life, ("night", "", 700), ("night", "", 700)]:
        now += timedelta(seconds=seconds)
        if mishap.startswith("dies"):
            partner.dies = mishap
        elif mishap:
            setattr(partner.mishaps[account], mishap, 1)
        try:
            act(service_on(session, partner), partner, account, what, orders, now)
        except Refused:
            session.rollback()
            if what == "revoke":  # it had ended before, or lives on: the records say which
                partner.ended.discard(account)
                partner.ended |= _ended(session, account)
        except KilledError:
            session.close()
            session = engine.connect()
        partner.dies = ""
    assert partner.wrong == []
    assert [reference for reference, times in Counter(partner.sent).items() if times > 1] == []
    _nothing_is_left(session, account)
    session.close()


def _ended(session: sa.Connection, account: str) -> set[str]:
    living = sa.select(link_grant.c.id).where(link_grant.c.account == account, link_grant.c.ended_at.is_(None))
    found = session.execute(living).first()
    session.rollback()
    return {account} if found is None else set()


def _nothing_is_left(session: sa.Connection, account: str) -> None:
    """After two nights no secret of an ended grant is there, and no renewal is still under way."""
    secrets = (
        sa.select(sa.func.count())
        .select_from(link_secret)
        .join(link_token, link_token.c.id == link_secret.c.token_id)
        .join(link_grant, link_grant.c.id == link_token.c.grant_id)
        .where(link_grant.c.account == account, link_grant.c.ended_at.is_not(None), link_secret.c.sealed.is_not(None))
    )
    assert session.scalar(secrets) == 0
    open_uses = sa.select(sa.func.count()).where(
        link_use.c.account == account, link_use.c.purpose == "refresh", link_use.c.outcome.is_(None)
    )
    assert session.scalar(open_uses) == 0
    session.rollback()
