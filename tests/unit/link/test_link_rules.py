"""The rules of the linked service, each at its bounds."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keizoku.db.tables.link import grants
from keizoku.link.rules.designation import Designation, designated, filter_fields, may_be_ordered
from keizoku.link.rules.eligibility import may_be_granted, ruling_of, use_of_service
from keizoku.link.rules.ends import ended_by_itself, is_closed
from keizoku.link.rules.facts import Customer, Fact, Grant, Ruling, Scope, Stop, Token
from keizoku.link.rules.load import Load, loads
from keizoku.link.rules.orders import (
    Listed,
    OrderRequest,
    afterwards,
    listed_digest,
    match_listed,
    order_fee_yen,
    order_text,
    people_are_asked,
    state_of,
)
from keizoku.link.rules.security import SecurityEvent, disclosure_flaw, item_of
from keizoku.link.rules.stops import announcements_due, stopped
from keizoku.link.rules.tokens import grant_end, grant_state, is_usable, lapses_at, notices_due, renewal_due_at
from keizoku.terms.api_link.link_discretion import RULED
from keizoku.terms.api_link.link_policy import link_policy
from keizoku.terms.calendar import parse_instant

AT = parse_instant("2026-04-01 10:00")
POLICY = link_policy(date(2026, 4, 1))


def after(seconds: float = 0, **more: float) -> datetime:
    return AT + timedelta(seconds=seconds, **more)


GRANT = Grant(1, ("data", "orders"), AT)
TOKEN = Token(1, AT, after(1800), renewable=True)
FACTS = (Fact("partner_account_opened", AT), Fact("rules_consented", AT, "2026-01"))
LINKED = Customer("u1", FACTS, (), (GRANT,), TOKEN)


def outcome(customer: Customer, scope: Scope = "data", at: datetime = AT, needed: tuple[str, ...] = ()) -> str:
    return use_of_service(customer, scope, needed, POLICY, at).outcome


def test_api_link_2__the_service_is_open_where_every_condition_is_met() -> None:
    assert [outcome(LINKED, scope) for scope in ("data", "orders")] == ["open", "open"]
    decision = use_of_service(LINKED, "orders", (), POLICY, AT)
    assert (decision.subject, decision.terms) == ("link u1 orders", "2025-02-03")
    assert decision.clauses == ("api_link/1.3", "api_link/4.1", "api_link/4.2")
    for lang in ("ja", "en"):
        assert len(decision.render(lang)) == 4


def test_api_link_4_1__the_account_at_the_partner_counts_from_its_instant() -> None:
    assert [outcome(LINKED, at=after(seconds)) for seconds in (-1, 0)] == ["closed", "open"]
    gone = replace(LINKED, facts=(*FACTS, Fact("partner_account_closed", after(60))))
    assert [outcome(gone, at=after(seconds)) for seconds in (59, 60)] == ["open", "closed"]
    back = replace(gone, facts=(*gone.facts, Fact("partner_account_opened", after(120))))
    assert outcome(back, at=after(120)) == "open"


def test_api_link_4_2__consent_and_access_have_to_be_there_and_valid() -> None:
    withdrawn = replace(LINKED, facts=(*FACTS, Fact("rules_withdrawn", after(60))))
    assert [outcome(withdrawn, at=after(seconds)) for seconds in (59, 60)] == ["open", "closed"]
    assert outcome(replace(LINKED, grants=(), token=None)) == "closed"
    assert outcome(replace(LINKED, grants=(replace(GRANT, scopes=("data",)),)), "orders") == "closed"
    lapsing = replace(LINKED, grants=(replace(GRANT, consent_until=after(days=90)),))
    assert [outcome(lapsing, at=after(seconds, days=90)) for seconds in (-1, 0)] == ["open", "closed"]
    ended = replace(LINKED, grants=(replace(GRANT, ended_at=after(60), ended_cause="refused"),))
    assert [outcome(ended, at=after(seconds)) for seconds in (59, 60)] == ["open", "closed"]


def test_api_link_4_4__a_ruling_that_is_waited_for_closes_until_people_rule() -> None:
    assert outcome(LINKED, needed=("4.4",)) == "closed"
    met = replace(LINKED, rulings=(Ruling("4.4", True, AT),))
    assert outcome(met, needed=("4.4",)) == "open"
    undone = replace(LINKED, rulings=(*met.rulings, Ruling("4.4", False, after(5))))
    assert [outcome(undone, at=after(seconds), needed=("4.4",)) for seconds in (4, 5)] == ["open", "closed"]
    assert outcome(replace(LINKED, rulings=(Ruling("5.6", False, AT),))) == "closed"  # not waited for, but ruled on
    assert ruling_of((), "4.4", AT) is None
    assert may_be_granted(replace(met, grants=()), ("4.4",), POLICY, AT).outcome == "open"
    assert RULED == grants.RULED


def test_api_link_1_1__a_token_is_used_until_it_ends_and_not_a_second_longer() -> None:
    assert [is_usable(TOKEN, GRANT, after(seconds)) for seconds in (-1, 0, 1799, 1800)] == [False, True, True, False]
    assert not is_usable(replace(TOKEN, ended_at=after(60)), GRANT, after(60))
    assert not is_usable(TOKEN, replace(GRANT, ended_at=after(60)), after(60))
    assert not is_usable(TOKEN, replace(GRANT, consent_until=after(60)), after(60))


@pytest.mark.parametrize(("ahead", "due"), [(900, 900), (60, 1740), (86_400, 900)])
def test_api_link_1_1__it_is_renewed_ahead_of_its_end_at_most_half_its_life(ahead: int, due: int) -> None:
    assert renewal_due_at(TOKEN, ahead) == after(due)
    assert renewal_due_at(replace(TOKEN, renewable=False), ahead) is None


def test_api_link_1_1__the_state_of_a_grant_as_people_see_it() -> None:
    def state(customer: Customer, at: datetime = AT, *, renewing: bool = False) -> str:
        return grant_state(customer, at, renewing=renewing)

    assert state(replace(LINKED, grants=())) == "none"
    assert (state(LINKED), state(LINKED, renewing=True)) == ("active", "renewing")
    assert state(LINKED, after(days=3)) == "active"  # its token has ended, but it can still be renewed
    fixed = replace(LINKED, token=replace(TOKEN, renewable=False))
    assert [state(fixed, after(seconds)) for seconds in (1799, 1800)] == ["active", "lapsed"]
    for cause, name in (("refused", "refused"), ("revoked", "revoked"), ("lapsed", "lapsed"), ("replaced", "ended")):
        ended = replace(LINKED, grants=(replace(GRANT, ended_at=after(5), ended_cause=cause),))
        assert (state(ended, after(4)), state(ended, after(5))) == ("active", name)
    halted = replace(LINKED, stops=(Stop(1, "stop", "partner", "all", None, "10.4", "upkeep", AT),))
    assert state(halted) == "stopped"
    one = replace(halted, stops=(replace(halted.stops[0], scope="orders"),))
    assert state(one) == "active"


def test_api_link_4_2__notices_come_before_the_end_and_collapse_into_the_nearest() -> None:
    lapses, days = after(days=90), (30, 7, 1)
    assert lapses_at(replace(LINKED, grants=(replace(GRANT, consent_until=lapses),))) == lapses
    assert lapses_at(LINKED) is None
    found = [notices_due(lapses, AT, days, after(days=day)) for day in (59, 60, 82, 83, 88, 89, 90)]
    assert found == [None, 30, 30, 7, 7, 1, None]
    assert notices_due(after(days=20), AT, days, after(days=1)) is None  # 30 days before lies before the grant
    assert notices_due(lapses, AT, (), after(days=89)) is None


@pytest.mark.parametrize("kind", ["base_account_closed", "partner_ended"])
def test_api_link_12_2__the_first_event_ends_the_link_at_its_instant(kind: str) -> None:
    ended = replace(LINKED, facts=(*FACTS, Fact(kind, after(60)), Fact("base_account_closed", after(90))))
    assert ended_by_itself(ended, GRANT, after(59)) is None
    end = ended_by_itself(ended, GRANT, after(300))
    assert end is not None
    assert (end.at, end.cause) == (after(60), kind)
    assert end.clause == ("api_link/12.2.1" if kind == "base_account_closed" else "api_link/12.2.2")
    assert grant_end(ended, GRANT, after(300)) == end


def test_api_link_12_2_1__what_was_closed_before_the_grant_and_learned_after_ends_it_at_the_grant() -> None:
    closed = replace(LINKED, facts=(*FACTS, Fact("base_account_closed", after(-60))))
    end = ended_by_itself(closed, GRANT, AT)
    assert end is not None
    assert (end.at, end.cause) == (AT, "base_account_closed")
    opened = replace(LINKED, facts=(*FACTS, Fact("base_account_closed", after(-60)), Fact("base_account_opened", AT)))
    assert (ended_by_itself(opened, GRANT, AT), is_closed(opened, AT)) == (None, None)


def test_api_link_12_2_1__the_deletion_of_the_user_ends_it_too() -> None:
    deleted = replace(LINKED, user_deleted_at=after(60))
    end = ended_by_itself(deleted, GRANT, after(60))
    assert end is not None
    assert (end.at, end.cause, end.clause) == (after(60), "user_deleted", "api_link/12.2.1")
    assert is_closed(deleted, after(59)) is None
    assert is_closed(deleted, after(60)) == end


def test_api_link_10_4__a_stop_covers_its_scope_its_customer_and_its_time() -> None:
    one = Stop(1, "stop", "operator", "orders", "u1", "10.4", "upkeep", after(10), ended_at=after(20))
    halted = replace(LINKED, stops=(one,))
    assert [stopped(halted, "orders", after(at)) is None for at in (9, 10, 19, 20)] == [True, False, False, True]
    assert stopped(halted, "data", after(15)) is None
    assert stopped(replace(halted, account="u2"), "orders", after(15)) is None
    assert stopped(replace(halted, stops=(replace(one, kind="change"),)), "orders", after(15)) is None


def test_api_link_11_2__a_stop_or_change_with_the_partner_wants_its_announcement() -> None:
    change = Stop(1, "change", "partner", "all", None, "11.2", "fewer fields", after(10))
    due = announcements_due((change, replace(change, id=2, clause="10.4", kind="stop")), AT)
    assert [(each.stop.id, each.late) for each in due] == [(1, False)]
    assert [each.late for each in announcements_due((change,), after(10))] == [True]
    assert announcements_due((replace(change, announced_at=AT),), AT) == ()


def test_api_link_5_7_1__an_event_falls_under_its_item_and_a_disclosure_needs_one() -> None:
    kinds = ("leak", "feared_leak", "misuse", "feared_misuse")
    assert [item_of(kind)[-1] for kind in kinds] == ["1", "1", "2", "2"]
    event = SecurityEvent("leak", "u1", AT)
    assert disclosure_flaw(event, "u1", AT) is None
    assert disclosure_flaw(None, "u1", AT) == "no security event with this number is recorded"
    assert disclosure_flaw(event, "u2", AT) == "the event is about u1"
    assert disclosure_flaw(event, "u1", after(-1)) == "it lies before the event"
    assert disclosure_flaw(SecurityEvent("leak", None, AT), "u2", AT) is None


def test_api_link_6_2__what_is_not_designated_is_dropped_at_any_depth() -> None:
    answer = [{"ID": "1", "Details": [{"RecType": 8, "Price": "1.5"}], "Symbol": "7203"}, {"ID": "2", "Details": []}]
    shown = filter_fields("orders", answer, frozenset({"orders.Symbol", "orders.Details.RecType"}))
    assert shown.content == [{"Details": [{"RecType": 8}], "Symbol": "7203"}, {"Details": []}]
    assert shown.dropped == 3


JSON = st.recursive(
    st.integers() | st.text(max_size=3) | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=12,
)


@given(answer=JSON, fields=st.frozensets(st.sampled_from(["k.a", "k.b", "k.a.b", "k.c.d", "k"])))
def test_api_link_1_2__only_values_at_designated_paths_remain_whatever_comes(
    answer: object, fields: frozenset[str]
) -> None:
    def paths(value: object, path: str) -> list[str]:
        if isinstance(value, dict):
            return [found for name, inner in value.items() for found in paths(inner, f"{path}.{name}")]
        if isinstance(value, list):
            return [found for inner in value for found in paths(inner, path)]
        return [path]

    shown = filter_fields("k", answer, fields)
    kept = paths(shown.content, "k") if isinstance(shown.content, dict | list) else []
    everything = paths(answer, "k")
    if isinstance(answer, dict | list):
        assert sorted(kept) == sorted(path for path in everything if path in fields)
        assert len(kept) + shown.dropped == len(everything)


def test_api_link_1_6__designations_hold_by_day_and_the_last_one_recorded_wins() -> None:
    def row(name: str, day: int, holds: bool = True) -> Designation:
        return Designation("product", name, holds, date(2026, 4, day))

    rows = (row("1306", 1), row("1306", 10, False), row("1321", 5), row("1321", 5, False), row("1321", 5))
    assert [sorted(designated(rows, "product", date(2026, 4, day))) for day in (1, 4, 5, 10)] == [
        ["1306"],
        ["1306"],
        ["1306", "1321"],
        ["1321"],
    ]
    assert designated(rows, "field", date(2026, 4, 5)) == frozenset()


def test_api_link_1_3__an_order_of_another_product_is_not_passed_on() -> None:
    assert [may_be_ordered(name, frozenset({"1306"})) for name in ("1306", "1307")] == [True, False]


def test_api_link_6_4__the_text_names_whose_product_it_is_in_the_version_of_its_day() -> None:
    wanted = OrderRequest("1306", "sell", 5, "2840.5")
    old, new = (order_text(wanted, link_policy(day), "ja") for day in (date(2025, 2, 2), date(2025, 2, 3)))
    assert "auカブコム証券のもの" in old.content
    assert "三菱UFJ eスマート証券のもの" in new.content
    assert old.digest != new.digest
    assert len(new.content.splitlines()) == len(order_text(wanted, POLICY, "en").content.splitlines()) == 5


def test_api_link_6_6__it_costs_nothing_in_either_version() -> None:
    assert [order_fee_yen(link_policy(day)) for day in (date(2024, 7, 1), date(2025, 2, 3))] == [0, 0]


def test_api_link_6_5__what_can_be_done_about_an_order_depends_on_whether_it_was_sent() -> None:
    keys = {state: afterwards(state, POLICY).key.rpartition(".")[2] for state in ("drafted", "confirmed", "sent",
            "unknown", "accepted", "refused", "lapsed", "finished", "withdrawn", "never_arrived")}  # fmt: skip
    assert keys == {
        **dict.fromkeys(("drafted", "confirmed"), "before"),
        **dict.fromkeys(("sent", "unknown", "accepted"), "at_partner"),
        **dict.fromkeys(("refused", "lapsed", "finished", "withdrawn", "never_arrived"), "over"),
    }
    assert state_of(["drafted", "confirmed", "sent", "unknown", "accepted"]) == "accepted"


def test_api_link_6_5__an_order_is_recognised_by_our_reference_or_by_what_was_not_there_before() -> None:
    wanted = OrderRequest("1306", "buy", 10, "100.0")

    def match(*listed: Listed, before: tuple[str, ...] = (), taken: tuple[str, ...] = ()) -> object:
        digests = frozenset(listed_digest("r1", number) for number in before)
        found = match_listed("r1", wanted, listed, digests, frozenset(taken))
        return found if isinstance(found, str) else found.partner_id

    same, other = OrderRequest("1306", "buy", 10, "100"), OrderRequest("1306", "buy", 11, "100")
    assert match(Listed("a", other, "working", "r1")) == "a"
    assert match(Listed("a", same, "working")) == "a"
    assert match(Listed("a", other, "working")) == "not_found"
    assert match(Listed("a", same, "working"), before=("a",)) == "not_found"
    assert match(Listed("a", same, "working"), taken=("a",)) == "not_found"
    assert match(Listed("a", same, "working"), Listed("b", same, "lapsed")) == "unclear"
    assert match(Listed("a", same, "working", "r2")) == "not_found"
    assert [people_are_asked(AT, 600, after(seconds)) for seconds in (599, 600)] == [False, True]


def test_api_link_9_2__fetches_are_counted_by_account_and_hour() -> None:
    fetches = [("u1", after(seconds)) for seconds in (0, 5, 3599, 3600)] + [("u2", AT)]
    assert loads(fetches, 2) == (
        Load("u1", AT, 3, True),
        Load("u1", after(3600), 1, False),
        Load("u2", AT, 1, False),
    )


def test_api_link_5_5__no_column_could_hold_a_customers_own_credentials() -> None:
    from keizoku.db.tables import metadata

    ours = [table for name, table in metadata.tables.items() if name.startswith("link_")]
    words = ("password", "login", "pin", "credential", "user_name")
    assert len(ours) > 15
    assert [
        f"{each.name}.{column.name}" for each in ours for column in each.c if any(word in column.name for word in words)
    ] == []
