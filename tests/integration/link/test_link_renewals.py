"""Many tokens renewed in one run: stopped, at once, with a bad one among them; by day, and after a restore."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
import structlog

from keizoku.db.locks import release_leader_lock, try_leader_lock
from keizoku.db.session import Session
from keizoku.db.tables.letters import letter
from keizoku.db.tables.link.grants import link_grant, link_token, link_use
from keizoku.db.tables.restoration import restoration
from keizoku.link.grants.renewing import LOCK
from keizoku.link.partner.port import PartnerError, TokenAnswer
from keizoku.link.partner.simulated import LIFE_SECONDS, SimulatedPartner
from keizoku.link.records import uses
from keizoku.link.sealing.seals import KeyRing
from keizoku.link.services.base import LinkSetup
from keizoku.link.services.link_service import LinkService
from keizoku.scheduler.night.link_steps import renew_by_day
from keizoku.scheduler.worker.worker import Worker
from keizoku.terms.refusal import Refused
from tests.worlds.link_world import BY, NOW, RING, admit, confirmed_order, designate, grant, later, service_on

DUE = later(LIFE_SECONDS - 900)


class Counting(SimulatedPartner):
    """Counts the renewals that it is asked for, of each account; `broken` fails in a way that no partner can."""

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__(engine)
        self.asked: Counter[str] = Counter()
        self.broken = ""
        self.life: dict[str, int] = {}

    def refresh(self, refresh_token: str) -> TokenAnswer:
        account = self._account(refresh_token)
        self.asked[account] += 1
        if account == self.broken:
            raise ZeroDivisionError
        found = super().refresh(refresh_token)
        return TokenAnswer(found.access, found.refresh, self.life.get(account, found.expires_in))


House = tuple[LinkService, Counting]


@pytest.fixture
def house(own_database_of_module: sa.Engine) -> Iterator[House]:
    """A service whose earlier customers have all ended."""
    partner = Counting(own_database_of_module)
    with own_database_of_module.connect() as session:
        link = service_on(session, partner)
        yield link, partner
        session.rollback()
        living = session.scalars(sa.select(link_grant.c.account).where(link_grant.c.ended_at.is_(None))).all()
        for account in living:
            link.revoke(account, now=later(LIFE_SECONDS * 3), **BY)


def linked(link: LinkService, name: str, number: int, now: datetime = NOW) -> list[str]:
    accounts = [f"{name}{each}" for each in range(number)]
    for account in accounts:
        admit(link, account, now)
        grant(link, account, now=now)
    return accounts


def generations(session: Session) -> dict[str, int]:
    living = sa.select(link_token.c.account, link_token.c.generation).where(link_token.c.ended_at.is_(None))
    found = {row.account: row.generation for row in session.execute(living)}
    session.rollback()
    return found


def test_api_link_1_1__a_run_that_is_stopped_writes_what_is_under_way_and_the_next_goes_on(house: House) -> None:
    link, partner = house
    accounts = linked(link, "stopped", 19)
    run = link.renewals(now=DUE)
    with closing(iter(run)) as steps:
        next(steps)
    begun = sum(partner.asked.values())
    assert run.counts.renewed == begun == Counter(generations(link.session).values())[2] > 0
    counts = link.renew_due(now=DUE)
    assert (counts.renewed, counts.failed, counts.busy) == (19 - begun, 0, False)
    assert generations(link.session) == dict.fromkeys(accounts, 2)
    assert partner.asked == dict.fromkeys(accounts, 1)
    assert link.renew_due(now=DUE).done == 0


def test_one_process_renews_all_that_is_due_and_a_second_one_says_so(
    house: House, own_database_of_module: sa.Engine
) -> None:
    link, partner = house
    linked(link, "busy", 1)
    with own_database_of_module.connect() as other:
        assert try_leader_lock(other, LOCK)
        counts = link.renew_due(now=DUE)
        assert (counts.busy, counts.done, partner.asked) == (True, 0, {})
        release_leader_lock(other, LOCK)
        other.commit()
    assert link.renew_due(now=DUE).renewed == 1


def test_a_run_ends_however_short_the_tokens_live(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    link, partner = house
    accounts = linked(link, "short", 3)
    partner.life = dict.fromkeys(accounts, 2)
    seconds = iter(range(0, 10_000, 10))
    monkeypatch.setattr(uses, "awake_or_not", lambda: float(next(seconds)))
    assert link.renew_due(now=DUE).renewed == 3
    assert partner.asked == dict.fromkeys(accounts, 1)


def test_tokens_that_end_first_are_renewed_first(house: House) -> None:
    link, partner = house
    linked(link, "late", 9, later(60))
    [first] = linked(link, "early", 1)
    with closing(iter(link.renewals(now=later(LIFE_SECONDS)))) as steps:
        next(steps)
    assert first in partner.asked


def test_what_goes_wrong_with_one_costs_no_other_its_token(house: House) -> None:
    link, partner = house
    good, broken, long, other_key = linked(link, "bad", 4)
    linked(link, "good", 3)
    partner.broken, partner.life = broken, {long: 10**11}  # no column holds that
    lost = sa.text(
        "UPDATE link_secret SET key_id = 'gone' FROM link_token WHERE link_token.id = token_id AND account = :a"
    )
    link.session.execute(lost, {"a": other_key})
    link.session.commit()
    with pytest.raises((ZeroDivisionError, Refused)):
        link.renew_due(now=DUE)
    partner.broken, partner.life = "", {}
    counts = link.renew_due(now=DUE)
    assert [(each.outcome, "gone" in str(each.code)) for each in counts.failures] == [("no_secret", True)]
    found = generations(link.session)
    assert found.pop(other_key) == 1
    assert set(found.values()) == {2}
    assert partner.asked[good] == 1
    assert max(partner.asked.values()) == 2  # of the two whose answers could not be written
    link.session.execute(sa.text("UPDATE link_secret SET key_id = 'k1' WHERE key_id = 'gone'"))
    link.session.commit()


def test_a_partner_that_is_down_is_left_alone_and_a_refusal_of_our_client_is_one_line(house: House) -> None:
    link, partner = house
    accounts = linked(link, "down", 40)
    for account in accounts:
        partner.mishaps[account].unavailable = 1
    counts = link.renew_due(now=DUE)
    assert counts.partner_down
    assert 20 <= counts.failed < 40
    assert sum(partner.asked.values()) == counts.failed
    open_uses = sa.select(sa.func.count()).where(link_use.c.outcome.is_(None))
    assert link.session.scalar(open_uses) == 0
    link.session.rollback()


def test_the_worker_renews_by_day_while_it_leads(house: House) -> None:
    link, partner = house
    accounts = linked(link, "day", 3)
    now = [DUE]
    leadership: Any = SimpleNamespace(leads=True, reachable=True, connect=None, let_in=lambda session: None, taken=1)
    services: Any = SimpleNamespace(session=link.session, link=link, clock=None)
    worker = Worker(lambda: nullcontext(services), leadership, structlog.get_logger(), clock=lambda: now[0])
    worker.renew_tokens()  # nobody set a partner
    worker.linking = renew_by_day
    leadership.leads = False
    worker.renew_tokens()
    assert partner.asked == {}
    leadership.leads = True
    worker.renew_tokens()
    assert generations(link.session) == dict.fromkeys(accounts, 2)
    assert renew_by_day(services, now[0], lambda: True) == {}
    designate(link, now=now[0])
    partner.mishaps[accounts[0]].refuses_renewal = True
    link.record_fact(accounts[1], "partner_ended", by="desk", now=now[0])
    now[0] = later(LIFE_SECONDS * 2 - 900)
    assert renew_by_day(services, now[0], lambda: True) == {"renewed": 1, "refused": 1}
    assert generations(link.session) == {accounts[2]: 3}


def test_an_order_without_an_answer_is_looked_up_by_day(house: House) -> None:
    link, partner = house
    designate(link)
    admit(link, "asked")
    grant(link, "asked", "orders")
    partner.mishaps["asked"].loses_answer = 1
    number = confirmed_order(link, "asked")
    assert link.send_order(number, now=later(1)).state == "unknown"
    services: Any = SimpleNamespace(session=link.session, link=link, clock=None)
    assert renew_by_day(services, later(61), lambda: False) == {}
    assert renew_by_day(services, later(61), lambda: True) == {"orders": 1}
    assert link.order(number).state == "accepted"


class Unasked:
    """A partner that nobody may reach."""

    name = "unasked"

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the partner was asked: {name}")


def restored(session: Session, at: datetime, *, drill: bool = False) -> None:
    session.execute(
        sa.insert(restoration).values(
            backup=f"b{at:%H%M%S}", taken_at=NOW, restored_at=at, drill=drill, by="restore (root)"
        )
    )
    session.commit()


def test_after_a_restore_nothing_is_asked_until_people_adopt_and_a_token_of_before_is_refused(house: House) -> None:
    link, partner = house
    designate(link)
    stale, fresh = "stale", "fresh"
    for account in (stale, fresh):
        admit(link, account)
        grant(link, account, "orders")
    order = confirmed_order(link, fresh)
    drafted = link.draft_order(fresh, "1306", "sell", 3, now=NOW)
    restored(link.session, later(60))
    # another database had renewed it since the backup: at the partner our token is void
    partner.mishaps[stale].voided |= set(partner.issued[stale])
    unasked: Any = Unasked()
    held = service_on(link.session, unasked)
    for act in (
        lambda: held.renew_due(now=DUE),
        lambda: held.renew(fresh, now=DUE),
        lambda: held.show(fresh, ["positions"], now=later(61)),
        lambda: held.send_order(order, now=later(61)),
        lambda: held.look_up_orders(now=later(61)),
        lambda: held.begin(fresh, "data", "https://app.example/", now=later(61)),
    ):
        with pytest.raises(Refused) as refused:
            act()
        assert refused.value.code == "link.restored"
    services: Any = SimpleNamespace(session=held.session, link=held, clock=None)
    assert "keizoku link adopt" in str(renew_by_day(services, DUE, lambda: True)["why"])
    held.record_fact(fresh, "rules_withdrawn", by="desk", now=later(62))
    held.record_fact(fresh, "rules_consented", rules_version="2026-01", by="desk", now=later(63))
    assert link.adopt(now=later(64), **BY) == 1
    with pytest.raises(Refused, match="no restore waits"):
        link.adopt(now=later(64), **BY)
    assert [each.outcome for each in (link.renew(stale, now=DUE), link.renew(fresh, now=DUE))] == ["refused", "renewed"]
    told = sa.select(letter.c.kind).where(letter.c.account == stale)
    assert link.session.scalars(told).all() == ["link_ended"]
    link.session.rollback()
    of_before: tuple[Callable[[], object], ...] = (
        lambda: link.send_order(order, now=later(65)),
        lambda: link.confirm_order(drafted, link.order_texts(drafted, now=later(65))["ja"].digest, now=later(65)),
    )
    for each in of_before:
        with pytest.raises(Refused) as refused:
            each()
        assert refused.value.code == "link.order_restored"
    link.withdraw_order(order, now=later(66))
    assert partner.sent == []


def test_the_copy_of_a_drill_never_asks_the_partner_and_is_never_adopted(own_database: Any) -> None:
    unasked: Any = Unasked()
    with own_database() as engine, engine.connect() as session:
        link = LinkService(session, service_on(session, unasked).rules, LinkSetup(lambda: unasked, lambda: RING))
        restored(session, NOW, drill=True)
        for act in (lambda: link.renew_due(now=DUE), lambda: link.adopt(now=DUE, **BY)):
            with pytest.raises(Refused) as refused:
                act()
            assert refused.value.code == "link.drill"


def test_a_customer_may_revoke_where_neither_partner_nor_keys_are_there(house: House) -> None:
    link, partner = house
    [account] = linked(link, "gone", 1)
    bare = LinkService(link.session, link.rules, LinkSetup())
    assert bare.revoke(account, now=later(1), **BY) is False
    assert generations(link.session) == {}
    assert link.revoke_left(now=later(2)) == 1
    assert partner.issued[account][1] in partner.mishaps[account].voided


def test_a_key_ring_without_the_key_says_so_and_asks_nobody(house: House) -> None:
    link, partner = house
    linked(link, "key", 2)
    other = service_on(link.session, partner, KeyRing("k9", {"k9": bytes(32)}))
    counts = other.renew_due(now=DUE)
    assert [each.outcome for each in counts.failures] == ["no_secret", "no_secret"]
    assert partner.asked == {}
    with pytest.raises(PartnerError):
        partner.refresh("nobody's")
