"""The linked service over real HTTP, against a partner of the tests' own: real failures, and what is left of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.link.grants import link_grant, link_token, link_use
from keizoku.link.partner.port import PartnerError
from keizoku.link.services.link_service import LinkService
from keizoku.terms.refusal import Refused
from tests.worlds.link_double import Memory
from tests.worlds.link_over_http import House, house_over_http, http_partner
from tests.worlds.link_world import admit, confirmed_order, everything_in, later, service_on


@pytest.fixture(scope="module")
def house(own_database_of_module: sa.Engine) -> Iterator[House]:
    """One house and one partner for the file; each test has a customer of its own."""
    with house_over_http(own_database_of_module) as house:
        yield house


@pytest.fixture
def linked(house: House, request: pytest.FixtureRequest) -> Iterator[str]:
    """A customer with a grant for orders, and a partner that behaves again afterwards."""
    account = request.node.name[:40]
    admit(house.link, account)
    house.grant(account)
    yield account
    fresh = Memory()
    for name in ("status", "token_status", "drops_token_answer", "drops_order_answer", "no_number", "lists_late"):
        setattr(house.memory, name, getattr(fresh, name))


def test_api_link_1_1__the_code_flow_with_pkce_and_a_renewal(house: House, linked: str) -> None:
    assert house.link.renew(linked, now=later(900)).outcome == "renewed"
    assert [(row.generation, row.expires_in) for row in house.of(linked, link_token)] == [(1, 1800), (2, 1800)]
    [found] = house.link.show(linked, ["positions"], now=later(901))
    assert (found.content, found.dropped) == ([{"Symbol": "7203", "LeavesQty": 300}], 3)


def test_no_token_is_in_the_database_in_clear_or_in_a_log(
    house: House, linked: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    house.link.renew(linked, now=later(900))
    house.link.show(linked, ["positions"], now=later(901))
    house.memory.status = [403]
    with pytest.raises(Refused) as refused:
        house.link.show(linked, ["positions"], now=later(902))
    of_double = ("authlib.oauth2.rfc6749.grants", "werkzeug")  # the server's own words are not ours
    logged = [record.getMessage() for record in caplog.records if not record.name.startswith(of_double)]
    written = everything_in(house.link.session) + "\n".join(logged) + str(refused.value)
    issued = [text for token in house.memory.tokens for text in (token.access, token.refresh)]
    assert len(issued) >= 4
    assert [text for text in issued if text in written] == []


def test_one_live_token_and_the_morning_logout(house: House, linked: str) -> None:
    house.memory.log_out()
    [found] = house.link.show(linked, ["positions"], now=later(10))
    assert found.kind == "positions"
    uses = [(use.purpose, use.outcome, use.code) for use in house.of(linked, link_use)]
    assert uses == [("fetch", "unauthorized", "4001009"), ("refresh", "answered", None), ("fetch", "answered", None)]


@pytest.mark.parametrize(("status", "outcome", "code"), [(429, "too_many", "4001006"), (503, "unavailable", "503"),
                                                         (403, "refused", "403")])  # fmt: skip
def test_what_the_partner_answers_instead(house: House, linked: str, status: int, outcome: str, code: str) -> None:
    house.memory.status = [status]
    with pytest.raises(Refused, match=f"{outcome}: {code}"):
        house.link.show(linked, ["positions"], now=later(10))
    assert [(use.outcome, use.code) for use in house.of(linked, link_use)] == [(outcome, code)]


def test_a_renewal_whose_answer_was_lost_is_tried_again_and_the_partners_word_holds(house: House, linked: str) -> None:
    house.memory.drops_token_answer = 1
    assert house.link.renew(linked, now=later(900)).outcome == "failed"
    house.memory.token_status = [503]
    assert house.link.renew(linked, now=later(901)).outcome == "failed"
    assert house.link.renew(linked, now=later(902)).outcome == "refused"  # its refresh token was taken once
    assert [use.outcome for use in house.of(linked, link_use)] == ["no_answer", "unavailable", "refused"]
    assert [row.ended_cause for row in house.of(linked, link_grant)] == ["refused"]


def test_the_partners_wall_clock_is_never_asked(house: House, linked: str) -> None:
    house.memory.clock_seconds = 86_400 * 400
    assert house.link.renew(linked, now=later(900)).outcome == "renewed"
    assert house.of(linked, link_token)[-1].expires_at == later(2_700)
    house.memory.clock_seconds = 0


def test_api_link_6_5__an_order_whose_answer_was_lost_is_found_by_what_was_not_there_before(
    house: House, linked: str
) -> None:
    link, memory = house.link, house.memory
    first = link.send_order(confirmed_order(link, linked), now=later(1))
    assert first.state == "accepted"
    memory.drops_order_answer = 1
    number = confirmed_order(link, linked, now=later(2))
    assert link.send_order(number, now=later(3)).state == "unknown"
    memory.lists_late = 1
    assert link.settle_order(number, now=later(4)).state == "unknown"
    found = link.settle_order(number, now=later(5))
    assert (found.state, found.partner_id) == ("accepted", memory.orders[linked][1]["ID"])
    assert len(memory.orders[linked]) == 2


def test_api_link_6_5__accepted_without_a_number_then_void(house: House, linked: str) -> None:
    house.memory.no_number = house.memory.expires_orders = 1
    number = confirmed_order(house.link, linked, limit_price="2840.5")
    assert house.link.send_order(number, now=later(1)).partner_id is None
    found = house.link.settle_order(number, now=later(2))
    assert (found.state, found.partner_id) == ("lapsed", house.memory.orders[linked][0]["ID"])
    assert house.memory.orders[linked][0]["Price"] == 2840.5


def test_api_link_6_5__an_order_that_was_answered_with_503_is_unknown_and_one_with_429_is_not(
    house: House, linked: str
) -> None:
    for status, state in ((429, "refused"), (503, "unknown")):
        number = confirmed_order(house.link, linked)
        house.memory.order_status = [status]
        assert house.link.send_order(number, now=later(1)).state == state
    assert house.memory.orders.get(linked, []) == []


def test_api_link_12_2__an_end_revokes_at_the_partner(house: House, linked: str) -> None:
    house.link.record_fact(linked, "base_account_closed", by="bank", now=later(60))
    assert house.memory.calls["revoke"] >= 1
    assert {token.revoked for token in house.memory.tokens if token.user == linked} == {True}
    with pytest.raises(Refused, match="The bank account was closed"):
        house.link.show(linked, ["positions"], now=later(61))


def test_many_renewers_at_once_renew_once(house: House, linked: str) -> None:
    def renew(_: int) -> str:
        with house.engine.connect() as session:
            return service(session, house).renew(linked, only_if_due=True, now=later(900)).outcome

    before = house.memory.calls["token"]
    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(renew, range(6)))
    assert outcomes.count("renewed") == 1
    assert set(outcomes) <= {"renewed", "busy", "not_due"}
    assert house.memory.calls["token"] == before + 1
    assert len(house.of(linked, link_token)) == 2


def test_our_client_is_refused_in_one_line(house: House, linked: str) -> None:
    with house.engine.connect() as session:
        link = service_on(session, http_partner(house.address, "another secret"))
        with pytest.raises(Refused, match="refuses our client"):
            link.renew_due(now=later(900))
    assert house.link.renew(linked, now=later(901)).outcome == "renewed"


def test_a_partner_that_is_not_there_leaves_everything_as_it_was(house: House, linked: str) -> None:
    gone = http_partner("http://127.0.0.1:9")
    with pytest.raises(PartnerError, match="no_connection"):
        gone.fetch("positions", "x")
    with house.engine.connect() as session:
        link = service_on(session, gone)
        assert link.renew(linked, now=later(900)).outcome == "failed"


def service(session: Session, house: House) -> LinkService:
    return service_on(session, house.partner)
