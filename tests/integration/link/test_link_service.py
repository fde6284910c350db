"""The linked service on its tables, with the simulated partner: each act does what its clause says, and no more."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from keizoku.db.tables.letters import letter
from keizoku.db.tables.link.grants import link_grant, link_kept, link_secret, link_token, link_use
from keizoku.db.tables.link.orders import link_order_event, link_text
from keizoku.db.tables.money import review_task
from keizoku.link.partner.simulated import LIFE_SECONDS, SimulatedPartner, code_of
from keizoku.link.sealing.seals import KeyRing
from keizoku.link.services.link_service import LinkService
from keizoku.terms.refusal import Refused
from tests.worlds.link_world import (
    BACK,
    BY,
    NOW,
    RING,
    admit,
    confirmed_order,
    everything_in,
    grant,
    later,
    linked_house,
    rows,
    service_on,
)

House = tuple[LinkService, SimulatedPartner]


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(Refused) as error:
        act()
    return error.value.code


def test_api_link_4_1__without_an_account_at_the_partner_nobody_is_sent_there(house: House) -> None:
    link, _ = house
    admit(link, "closed")
    link.record_fact("closed", "partner_account_closed", by="desk", now=later(60))
    assert refused(lambda: link.begin("closed", "data", BACK, now=later(60))) == "link.closed"
    assert link.may_use("closed", "data", now=later(60)).render("en") == [
        "This is about showing the customer's data at 三菱UFJ eスマート証券.",
        "The account at the partner was closed at 1 April 2026 10:01 JST.",
        "People ruled that it is met (from 1 April 2026 10:00 JST on).",
        "People ruled that it is met (from 1 April 2026 10:00 JST on).",
        "People ruled that it is met (from 1 April 2026 10:00 JST on).",
        "The customer agreed to the API rules (2026-01) at 1 April 2026 10:00 JST.",
        "Access has not been granted.",
    ]


def test_api_link_4_3__a_ruling_of_people_opens_and_closes(house: House) -> None:
    link, _ = house
    admit(link, "ruled")
    grant(link, "ruled")
    assert link.may_use("ruled", "data", now=NOW).outcome == "open"
    link.rule("ruled", "api_link/4.3", met=False, now=later(60), **BY)
    assert [link.may_use("ruled", "data", now=at).outcome for at in (later(59), later(60))] == ["open", "closed"]
    assert refused(lambda: link.rule("ruled", "4.1", met=True, now=NOW, **BY)) == "link.clause"
    assert refused(lambda: link.rule("ruled", "4.3", met=True, by="desk", ground=" ", now=NOW)) == "act.unsigned"


def test_api_link_1_1__a_token_is_renewed_without_its_customer_and_each_generation_is_kept_as_a_fingerprint(
    house: House,
) -> None:
    link, _ = house
    admit(link, "renewed")
    grant(link, "renewed")
    assert link.renew("renewed", only_if_due=True, now=later(LIFE_SECONDS // 2 - 1)).outcome == "not_due"
    assert link.renew("renewed", only_if_due=True, now=later(LIFE_SECONDS // 2)).outcome == "renewed"
    first, second = rows(link, link_token, "renewed")
    assert (first.generation, first.ended_cause, first.ended_at) == (1, "renewed", later(LIFE_SECONDS // 2))
    assert (second.generation, second.ended_at, second.expires_at) == (2, None, later(LIFE_SECONDS * 1.5))
    assert first.fingerprint != second.fingerprint
    secrets = link.session.execute(
        sa.select(link_secret.c.token_id, link_secret.c.kind, link_secret.c.sealed.is_(None).label("gone"))
        .where(link_secret.c.token_id.in_([first.id, second.id]))
        .order_by(link_secret.c.id)
    ).all()
    assert [(row.token_id == first.id, row.kind, row.gone) for row in secrets] == [
        (True, "access", True),
        (True, "refresh", True),
        (False, "access", False),
        (False, "refresh", False),
    ]
    uses = rows(link, link_use, "renewed")
    assert [(use.purpose, use.outcome, use.token_id) for use in uses] == [("refresh", "answered", first.id)]


def test_api_link_4_2__a_refused_renewal_ends_the_grant_and_its_customer_is_written_to(house: House) -> None:
    link, partner = house
    admit(link, "refused")
    grant(link, "refused")
    partner.mishaps["refused"].refuses_renewal = True
    assert link.renew("refused", now=later(900)).outcome == "refused"
    [ended] = rows(link, link_grant, "refused")
    assert (ended.ended_cause, ended.ended_at) == ("refused", later(900))
    assert [(each.kind, each.facts["cause"]) for each in rows(link, letter, "refused")] == [("link_ended", "refused")]
    assert link.may_use("refused", "data", now=later(901)).outcome == "closed"
    assert refused(lambda: link.show("refused", ["positions"], now=later(901))) == "link.closed"


def test_what_the_partner_does_not_answer_leaves_the_token_due(house: House) -> None:
    link, partner = house
    admit(link, "waits")
    grant(link, "waits")
    partner.mishaps["waits"].unavailable = 1
    assert link.renew("waits", now=later(900)).outcome == "failed"
    assert link.renew("waits", now=later(901)).outcome == "renewed"
    assert [use.outcome for use in rows(link, link_use, "waits")] == ["unavailable", "answered"]


def test_api_link_6_2__only_designated_fields_are_shown_and_nothing_of_them_is_stored(house: House) -> None:
    link, partner = house
    admit(link, "shown")
    grant(link, "shown")
    partner.data["shown"] = {
        "positions": [{"Symbol": "7203", "LeavesQty": 300, "Valuation": "9876543", "SymbolName": "secret-name"}],
        "balance": {"StockAccountWallet": "50000", "AuJbnStockAccountWallet": "123456789"},
    }
    found = link.show("shown", ["positions", "balance", "orders"], now=later(5))
    assert [(each.kind, each.content, each.dropped) for each in found] == [
        ("positions", [{"Symbol": "7203", "LeavesQty": 300}], 2),
        ("balance", {"StockAccountWallet": "50000"}, 1),
    ]
    uses = rows(link, link_use, "shown")
    assert [(use.purpose, use.kinds, use.outcome, use.dropped) for use in uses] == [
        ("fetch", "positions", "answered", 2),
        ("fetch", "balance", "answered", 1),
    ]
    stored = everything_in(link.session)
    assert [word for word in ("7203", "9876543", "secret-name", "123456789") if word in stored] == []
    assert rows(link, link_kept, "shown") == []
    assert refused(lambda: link.show("shown", ["orders"], now=later(6))) == "link.nothing_designated"
    assert refused(lambda: link.show("shown", ["cards"], now=later(6))) == "link.kind"


def test_api_link_6_2__what_may_be_kept_is_kept_for_its_time_and_destroyed_after(
    own_database_of_module: sa.Engine, house: House
) -> None:
    _, partner = house
    with own_database_of_module.connect() as session:
        link = service_on(session, partner, link_keep_seconds=60)
        admit(link, "kept")
        grant(link, "kept")
        partner.data["kept"] = {"balance": {"StockAccountWallet": "777000", "AuKCStockAccountWallet": "1"}}
        for seconds in (1, 60, 61):
            assert link.show("kept", ["balance"], now=later(seconds))[0].content == {"StockAccountWallet": "777000"}
        assert [use.purpose for use in rows(link, link_use, "kept")] == ["fetch", "fetch"]
        assert link.destroy_kept(now=later(61)) == 1
        assert [row.content for row in rows(link, link_kept, "kept")] == [None, {"StockAccountWallet": "777000"}]
        link.revoke("kept", now=later(62), **BY)
        assert [row.content for row in rows(link, link_kept, "kept")] == [None, None]


def test_api_link_6_3__only_a_designated_product_can_be_ordered_and_only_by_a_grant_for_orders(house: House) -> None:
    link, _ = house
    admit(link, "orders")
    grant(link, "orders", "data")
    assert refused(lambda: link.draft_order("orders", "1306", "buy", 10, now=NOW)) == "link.closed"
    grant(link, "orders", "orders", later(1))
    assert [row.ended_cause for row in rows(link, link_grant, "orders")] == ["replaced", None]
    assert refused(lambda: link.draft_order("orders", "9999", "buy", 10, now=later(2))) == "link.product"
    assert refused(lambda: link.draft_order("orders", "1306", "buy", 0, now=later(2))) == "link.order_content"
    number = link.draft_order("orders", "1306", "sell", 10, limit_price="2840.5", now=later(2))
    assert link.order(number).state == "drafted"


def test_api_link_6_4__what_was_shown_is_kept_and_nothing_else_can_be_confirmed(house: House) -> None:
    link, _ = house
    admit(link, "reads")
    grant(link, "reads", "orders")
    number = link.draft_order("reads", "1306", "buy", 10, now=NOW)
    assert refused(lambda: link.confirm_order(number, "0" * 64, now=NOW)) == "link.text_differs"
    assert refused(lambda: link.send_order(number, now=NOW)) == "link.order_state"
    text = link.order_texts(number, now=NOW)["en"]
    assert text.content.splitlines() == [
        "Order for 三菱UFJ eスマート証券: buy 10 of 1306, price at the market.",
        "The product is one of 三菱UFJ eスマート証券, not one of ours.",
        "We pass the order on and have no power to conclude a contract for 三菱UFJ eスマート証券.",
        "Passing it on costs 0 yen; 三菱UFJ eスマート証券 may charge fees of its own.",
        "Once it is accepted it can be neither changed nor cancelled here; turn to 三菱UFJ eスマート証券.",
    ]
    link.confirm_order(number, text.digest, now=later(1))
    kept = link.session.scalars(sa.select(link_text.c.content).where(link_text.c.digest == text.digest)).one()
    assert kept == text.content


def test_api_link_6_5__an_order_goes_out_once_and_is_not_changed_here_after(house: House) -> None:
    link, partner = house
    admit(link, "once")
    grant(link, "once", "orders")
    number = confirmed_order(link, "once")
    sent = link.send_order(number, now=later(1))
    assert (sent.state, sent.fee_yen) == ("accepted", 0)
    assert sent.partner_id is not None
    assert refused(lambda: link.send_order(number, now=later(2))) == "link.order_state"
    with pytest.raises(Refused, match=r"turn to 三菱UFJ eスマート証券; here it cannot be done. \(api_link/6.5\)"):
        link.withdraw_order(number, now=later(2))
    assert partner.sent.count(sent.reference) == 1
    with pytest.raises(IntegrityError):
        link.session.execute(
            sa.insert(link_order_event).values(
                order_id=number, account="once", kind="sent", follows="confirmed", occurred_at=NOW, recorded_at=NOW,
                use_id=link.session.scalar(sa.select(sa.func.max(link_use.c.id))),
            )
        )  # fmt: skip
    link.session.rollback()
    number = confirmed_order(link, "once", now=later(3))
    link.withdraw_order(number, now=later(4))
    assert refused(lambda: link.send_order(number, now=later(5))) == "link.order_state"


def test_api_link_6_5__an_answer_that_was_lost_is_looked_up_and_never_sent_again(house: House) -> None:
    link, partner = house
    admit(link, "lost")
    grant(link, "lost", "orders")
    mishaps = partner.mishaps["lost"]
    mishaps.loses_answer, mishaps.lists_late = 1, 0
    number = confirmed_order(link, "lost")
    assert link.send_order(number, now=later(1)).state == "unknown"
    twin = confirmed_order(link, "lost", now=later(2))
    assert refused(lambda: link.send_order(twin, now=later(2))) == "link.order_unclear"
    mishaps.lists_late = 1
    assert link.settle_order(number, now=later(3)).state == "unknown"
    settled = link.settle_order(number, now=later(4))
    assert (settled.state, settled.partner_id is not None) == ("accepted", True)
    assert partner.sent.count(settled.reference) == 1
    assert link.send_order(twin, now=later(5)).state == "accepted"


def test_api_link_6_5__what_is_never_found_is_left_to_people(house: House) -> None:
    link, partner = house
    admit(link, "silent")
    grant(link, "silent", "orders")
    partner.mishaps["silent"].loses_answer = 1
    number = confirmed_order(link, "silent")
    order = link.send_order(number, now=later(1))
    link.session.execute(sa.text("DELETE FROM simulated_link_order WHERE reference = :r"), {"r": order.reference})
    link.session.commit()  # it was lost on its way
    assert link.settle_order(number, now=later(600)).state == "unknown"
    task = sa.select(review_task.c.closed_at).where(review_task.c.subject == f"order {number}")
    assert link.session.execute(task).all() == []
    link.settle_order(number, now=later(602))
    assert link.session.execute(task).scalars().all() == [None]
    link.order_never_arrived(number, now=later(700), **BY)
    assert link.order(number).state == "never_arrived"
    assert link.session.execute(task).scalars().all() == [later(700)]
    link.session.rollback()


def test_api_link_6_5__accepted_without_a_number_and_accepted_then_void(house: House) -> None:
    link, partner = house
    admit(link, "odd")
    grant(link, "odd", "orders")
    partner.mishaps["odd"].gives_no_number = 1
    partner.mishaps["odd"].lapses = 1
    number = confirmed_order(link, "odd")
    sent = link.send_order(number, now=later(1))
    assert (sent.state, sent.partner_id) == ("accepted", None)
    settled = link.settle_order(number, now=later(2))
    assert (settled.state, settled.partner_id is not None) == ("lapsed", True)
    partner.mishaps["odd"].refuses_order = "100217"
    again = link.send_order(confirmed_order(link, "odd", now=later(3)), now=later(3))
    assert (again.state, again.code) == ("refused", "100217")


def test_api_link_10_4__a_stop_closes_what_it_covers_for_its_time(house: House) -> None:
    link, _ = house
    admit(link, "stopped")
    grant(link, "stopped", "orders")
    number = link.stop(
        whose="partner", scope="orders", what="upkeep", account="stopped", from_at=later(10), now=NOW, **BY
    )
    said = [
        (at, scope, link.may_use("stopped", scope, now=later(at)).outcome)
        for at in (9, 10)
        for scope in ("data", "orders")
    ]
    assert said == [(9, "data", "open"), (9, "orders", "open"), (10, "data", "open"), (10, "orders", "closed")]
    link.lift(number, ended_at=later(20), by="desk", now=later(30))
    assert [link.may_use("stopped", "orders", now=later(at)).outcome for at in (19, 20)] == ["closed", "open"]
    assert refused(lambda: link.lift(number, by="desk", now=later(40))) == "link.stop_over"


def test_api_link_11_2__a_change_is_announced_and_afterwards_only_with_a_ground(house: House) -> None:
    link, _ = house
    number = link.stop(whose="partner", kind="change", clause="11.2", what="balances by the minute", now=NOW, **BY)
    late = lambda: link.announce(number, place="site", by="desk", now=later(60))  # noqa: E731
    assert refused(late) == "link.announced_late"
    link.announce(number, place="site", by="desk", ground="the partner told us late", now=later(60))
    one: dict[str, Any] = {"clause": "11.2", "what": "x", "account": "x", "now": NOW, **BY}
    assert refused(lambda: link.stop(whose="partner", **one)) == "link.clause"


def test_api_link_12_2_1__the_link_ends_when_the_bank_account_was_closed_whenever_that_is_learned(house: House) -> None:
    link, partner = house
    admit(link, "leaves")
    grant(link, "leaves", "orders")
    number = confirmed_order(link, "leaves")
    closed_at = later(hours=1)
    learned_at = closed_at + timedelta(hours=3)
    link.record_fact("leaves", "base_account_closed", occurred_at=closed_at, by="bank", now=learned_at)
    [ended] = rows(link, link_grant, "leaves")
    assert (ended.ended_at, ended.ended_cause, ended.end_recorded_at) == (closed_at, "base_account_closed", learned_at)
    [token] = rows(link, link_token, "leaves")
    left = link.session.scalars(sa.select(link_secret.c.sealed).where(link_secret.c.token_id == token.id)).all()
    assert left == [None, None]
    assert [use.purpose for use in rows(link, link_use, "leaves")] == ["revoke"]
    assert len(partner.mishaps["leaves"].voided) == 1
    assert refused(lambda: link.send_order(number, now=learned_at)) == "link.closed"
    assert refused(lambda: link.begin("leaves", "data", BACK, now=learned_at)) == "link.closed"
    assert link.may_use("leaves", "data", now=closed_at - timedelta(seconds=1)).clauses[0] == "api_link/1.2"


def test_api_link_12_2_2__the_partner_ends_its_service_for_a_customer(house: House) -> None:
    link, partner = house
    admit(link, "dropped")
    grant(link, "dropped")
    partner.mishaps["dropped"].unavailable = 1  # it no longer answers for this customer
    link.record_fact("dropped", "partner_ended", by="desk", now=later(60))
    [ended] = rows(link, link_grant, "dropped")
    assert (ended.ended_cause, ended.ended_at) == ("partner_ended", later(60))
    tasks = sa.select(review_task.c.kind).where(review_task.c.subject == f"grant {ended.id}")
    assert link.session.scalars(tasks).all() == ["link_revocation"]
    assert [each.facts["cause"] for each in rows(link, letter, "dropped")] == ["partner_ended"]


def test_api_link_5_7__data_are_disclosed_only_because_of_an_event_about_this_customer(house: House) -> None:
    link, _ = house
    admit(link, "leaked")
    event = link.security_event("feared_leak", "a lost phone", account="leaked", now=NOW, **BY)
    told: dict[str, Any] = {"recipient": "the partner", "now": later(60), **BY}
    assert link.disclose(event, "leaked", "name, kind of device", **told) > 0
    admit(link, "other")
    assert refused(lambda: link.disclose(event, "other", "name", **told)) == "link.disclosure"
    assert refused(lambda: link.disclose(10**6, "leaked", "name", **told)) == "link.disclosure"
    assert refused(lambda: link.security_event("theft", "x", now=NOW, **BY)) == "link.event"  # type: ignore[arg-type]


def test_api_link_9_2__people_find_and_the_figures_are_kept(house: House) -> None:
    link, _ = house
    admit(link, "often")
    grant(link, "often")
    for second in range(3):
        link.show("often", ["balance"], now=later(second))
    counted = link.rule_on_load("often", "forbidden", from_at=NOW, to_at=later(3600), now=later(4000), **BY)
    assert counted == 3


def test_a_state_is_used_once_and_a_code_is_exchanged_once(house: House) -> None:
    link, _ = house
    admit(link, "twice")
    begun = link.begin("twice", "data", BACK, now=NOW)
    with pytest.raises(Refused, match="gave no token"):
        link.finish(begun.state, "wrong", now=NOW)
    assert refused(lambda: link.finish(begun.state, code_of("twice"), now=NOW)) == "link.state_used"
    begun = link.begin("twice", "data", BACK, now=NOW)
    assert refused(lambda: link.finish(begun.state, code_of("twice"), now=later(minutes=15))) == "link.state_expired"
    assert refused(lambda: link.finish("guessed", code_of("twice"), now=NOW)) == "link.state_unknown"
    assert refused(lambda: link.begin("twice", "data", "http://elsewhere.example", now=NOW)) == "link.redirect"


def test_secrets_are_sealed_anew_under_another_key_and_the_old_one_is_then_not_needed(
    own_database: Callable[[], AbstractContextManager[sa.Engine]],
) -> None:
    with own_database() as engine, linked_house(engine) as (link, partner):
        admit(link, "rotated")
        grant(link, "rotated")
        both = KeyRing("k2", {"k2": b"2" * 32, **RING.keys})
        with engine.connect() as session:
            assert service_on(session, partner, both).seal_anew() == 2
            assert service_on(session, partner, both).seal_anew() == 0
            alone = service_on(session, partner, KeyRing("k2", {"k2": b"2" * 32}))
            assert alone.renew("rotated", now=later(10)).outcome == "renewed"
        assert link.renew("rotated", now=later(20)).outcome == "no_secret"  # this process has the old key alone
