"""kill -9 anywhere in the work on links: at every statement, commit and call to the partner, in a process of its own.

The partner lives on, over real HTTP, and takes each refresh token once. What must hold after the next nights: no order
went out twice; a token that the partner replaced is ours, or its grant has ended as refused and its customer was
written to; of what has ended nothing is left; nobody is half linked.

KEIZOKU_TEST_KILLS=all kills at every moment; otherwise some of them, spread over the whole act.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa

from keizoku.db.session import Session, make_engine
from keizoku.db.tables.letters import letter
from keizoku.db.tables.link.grants import link_grant, link_secret, link_token, link_use
from keizoku.db.tables.money import review_task
from keizoku.link.partner.http_partner import HttpPartner
from keizoku.link.records import secrets
from keizoku.link.services.link_service import LinkService
from tests.worlds.forked import Child, Told
from tests.worlds.link_over_http import House, house_over_http, http_partner
from tests.worlds.link_world import RING, admit, confirmed_order, later, service_on

ALL = os.environ.get("KEIZOKU_TEST_KILLS") == "all"
SOME = 5
NUMBERS = count(1)
CALLS = ("exchange", "refresh", "revoke", "fetch", "send_order", "list_orders")


@dataclass
class Dice:
    """Counts the moments of an act, and ends the process at one of them."""

    at: int
    told: Told
    lock: threading.Lock = field(default_factory=threading.Lock)

    def moment(self, *_: object, **__: object) -> None:
        """Perhaps the last thing that this process does."""
        with self.lock:
            self.told.moments += 1
            if self.told.moments == self.at:
                os.kill(os.getpid(), signal.SIGKILL)


class Mortal:
    """The partner as the mortal process calls it: each call has a moment before it and one after its answer."""

    def __init__(self, partner: HttpPartner, dice: Dice) -> None:
        self._partner, self._dice = partner, dice

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._partner, name)
        if name not in CALLS:
            return found

        def call(*given: Any) -> Any:
            self._dice.moment()
            try:
                return found(*given)
            finally:
                self._dice.moment()

        return call


@pytest.fixture(scope="module")
def house(own_database_of_module: sa.Engine) -> Iterator[House]:
    """One house and one partner for the file; each kill has customers of its own."""
    with house_over_http(own_database_of_module) as house:
        yield house


Act = Callable[[LinkService], object]


def killed(house: House, act: Act, at: int) -> int:
    """Do the act in a process that dies at its moment `at`; 0: it lives. How many moments it had."""
    url = house.engine.url
    schema = str(house.link.session.exec_driver_sql("SELECT current_schema()").scalar_one())
    house.link.session.rollback()

    def work(told: Told) -> str:
        dice, engine = Dice(at, told), make_engine(url, schema)
        sa.event.listen(engine, "before_cursor_execute", dice.moment)
        sa.event.listen(engine, "commit", dice.moment)
        with engine.connect() as session:
            mortal: Any = Mortal(http_partner(house.address), dice)
            act(service_on(session, mortal))
        return "done"

    child = Child(work)
    child.begin()
    child.end()
    free = sa.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()")
    for _ in range(500):  # its session ends when the server notices
        left = house.link.session.scalar(free)
        house.link.session.rollback()
        if not left:
            break
        time.sleep(0.01)
    return child.moments


def moments(house: House, act: Act) -> list[int]:
    """At which moments it is killed: all of them, or some, spread over the act."""
    whole = killed(house, act, 0)
    assert whole > 5
    if ALL:
        return list(range(1, whole + 1))
    return sorted({1 + (whole - 1) * step // (SOME - 1) for step in range(SOME)})


def nights(house: House, seconds: float) -> None:
    """Two nights of the link."""
    for number in range(2):
        at = later(seconds + number)
        house.link.end_all_due(now=at)
        house.link.revoke_left(now=at)
        house.link.renew_due(now=at)
        house.link.look_up_orders(now=at)


def linked(house: House, wanted: str = "orders") -> str:
    account = f"mortal{next(NUMBERS)}"
    admit(house.link, account)
    house.grant(account, wanted)
    return account


def rows(session: Session, query: sa.Select[Any]) -> list[Any]:
    found = list(session.execute(query).all())
    session.rollback()
    return found


def ours(house: House, account: str) -> str | None:
    """The access token that we hold of an account; None: none."""
    session = house.link.session
    living = sa.select(link_token.c.id).where(link_token.c.account == account, link_token.c.ended_at.is_(None))
    token_id = session.scalar(living)
    text = None if token_id is None else secrets.open_secret(session, RING, token_id, "access")
    session.rollback()
    return text


def nothing_is_left(house: House, account: str) -> None:
    session = house.link.session
    sealed = (
        sa.select(link_secret.c.id)
        .join(link_token, link_token.c.id == link_secret.c.token_id)
        .join(link_grant, link_grant.c.id == link_token.c.grant_id)
        .where(link_grant.c.account == account, link_grant.c.ended_at.is_not(None), link_secret.c.sealed.is_not(None))
    )
    assert rows(session, sealed) == []
    half = sa.select(link_grant.c.id).where(
        link_grant.c.account == account,
        link_grant.c.ended_at.is_(None),
        ~sa.exists().where(link_token.c.grant_id == link_grant.c.id, link_token.c.ended_at.is_(None)),
    )
    assert rows(session, half) == []
    waiting = sa.select(link_use.c.id).where(
        link_use.c.account == account, link_use.c.purpose == "refresh", link_use.c.outcome.is_(None)
    )
    assert rows(session, waiting) == []


def test_api_link_1_1__a_renewal_killed_anywhere_keeps_the_token_or_says_that_it_is_lost(house: House) -> None:
    def due() -> list[str]:
        return [linked(house) for _ in range(3)]

    def act(link: LinkService) -> object:
        return link.renew_due(now=later(900))

    due()
    for at in moments(house, act):
        accounts = due()
        killed(house, act, at)
        nights(house, 905)
        for account in accounts:
            issued = [token for token in house.memory.tokens if token.user == account]
            mine = ours(house, account)
            kinds = [
                row.kind
                for row in rows(house.link.session, sa.select(letter.c.kind).where(letter.c.account == account))
            ]
            if mine is None:  # the partner had replaced it, and the answer died with the process
                assert (len(issued), kinds) == (2, ["link_ended"]), at
            else:
                assert (issued[-1].access, len(issued), kinds) == (mine, 2, []), at
            nothing_is_left(house, account)


def test_api_link_6_5__an_order_killed_anywhere_goes_out_once_and_is_found(house: House) -> None:
    def act_on(number: int) -> Act:
        return lambda link: link.send_order(number, now=later(2))

    def order() -> tuple[str, int]:
        account = linked(house)
        return account, confirmed_order(house.link, account)

    for at in moments(house, act_on(order()[1])):
        account, number = order()
        killed(house, act_on(number), at)
        nights(house, 5)
        arrived = len(house.memory.orders.get(account, ()))
        state = house.link.order(number).state
        assert (arrived, state) in ((1, "accepted"), (0, "confirmed"), (0, "unknown")), at
        if state == "confirmed":
            assert house.link.send_order(number, now=later(10)).state == "accepted"
        if state == "unknown":
            nights(house, 700)
            asked = sa.select(review_task.c.id).where(
                review_task.c.kind == "link_order_unknown", review_task.c.subject == f"order {number}"
            )
            assert len(rows(house.link.session, asked)) == 1
        assert len(house.memory.orders.get(account, ())) == (0 if state == "unknown" else 1), at


def test_api_link_12_2__an_end_killed_anywhere_is_revoked_and_destroyed(house: House) -> None:
    def act_on(account: str) -> Act:
        return lambda link: link.record_fact(account, "base_account_closed", by="bank", now=later(60))

    for at in moments(house, act_on(linked(house))):
        account = linked(house)
        killed(house, act_on(account), at)
        nights(house, 65)
        ends = rows(house.link.session, sa.select(link_grant.c.ended_at).where(link_grant.c.account == account))
        if ends[0].ended_at is None:  # it died before the fact was written: it is recorded again
            act_on(account)(house.link)
            nights(house, 70)
        nothing_is_left(house, account)
        assert {token.revoked for token in house.memory.tokens if token.user == account} == {True}, at
        found = rows(house.link.session, sa.select(link_grant.c.ended_at).where(link_grant.c.account == account))
        assert found[0].ended_at == later(60), at


def test_api_link_4_2__a_new_authorisation_killed_anywhere_leaves_one_grant_or_none(house: House) -> None:
    def fresh() -> tuple[str, Act]:
        account = linked(house, "data")
        state, code = house.back(account)
        return account, lambda link: link.finish(state, code, now=later(1))

    for at in moments(house, fresh()[1]):
        account, act = fresh()
        killed(house, act, at)
        nights(house, 5)
        nothing_is_left(house, account)
        mine = ours(house, account)
        if mine is None or house.memory.living(mine) is None:  # the customer authorises once more
            assert house.link.may_use(account, "orders", now=later(6)).outcome == "closed"
            state, code = house.back(account)
            house.link.finish(state, code, now=later(6))
            mine = ours(house, account)
            nights(house, 10)
            nothing_is_left(house, account)
        assert mine is not None
        assert ours(house, account) == mine
        living = sa.select(link_grant.c.id).where(link_grant.c.account == account, link_grant.c.ended_at.is_(None))
        assert len(rows(house.link.session, living)) == 1
