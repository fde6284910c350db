"""The story of a link: in the history of its account, step by step, each with its sentence; and a grant replaced."""

from __future__ import annotations

from contextlib import suppress

import sqlalchemy as sa

from keizoku.db.tables.link.grants import FACTS, GRANT_ENDS, link_grant, link_secret, link_token, link_use
from keizoku.db.tables.link.orders import FOLLOWS
from keizoku.db.tables.money import review_task
from keizoku.link.partner.simulated import SimulatedPartner
from keizoku.link.services.figures import open_tasks_for_people
from keizoku.link.services.link_service import LinkService
from keizoku.scheduler.reports.account_story import account_story, link_of
from keizoku.terms.calendar import jst_day
from keizoku.terms.refusal import Refused
from keizoku.terms.rendering import templates
from tests.worlds.link_world import BY, NOW, admit, confirmed_order, grant, later, rows

House = tuple[LinkService, SimulatedPartner]


def test_a_grant_that_was_replaced_is_not_revoked_at_the_partner_which_would_void_the_new_one(house: House) -> None:
    link, partner = house
    admit(link, "replaced")
    grant(link, "replaced", "data")
    old = list(partner.issued["replaced"])
    grant(link, "replaced", "orders", later(60))
    assert partner.mishaps["replaced"].voided.isdisjoint(old)
    assert [use.purpose for use in rows(link, link_use, "replaced")] == []
    first, second = rows(link, link_grant, "replaced")
    assert (first.ended_cause, second.ended_at) == ("replaced", None)
    sealed = sa.select(sa.func.count()).where(
        link_secret.c.token_id.in_(sa.select(link_token.c.id).where(link_token.c.grant_id == first.id)),
        link_secret.c.sealed.is_not(None),
    )
    assert link.session.scalar(sealed) == 0


def test_the_history_of_an_account_tells_its_link(house: House) -> None:
    link, partner = house
    admit(link, "told")
    grant(link, "told", "orders")
    partner.mishaps["told"].loses_answer = 1
    number = confirmed_order(link, "told")
    link.send_order(number, now=later(10))
    link.settle_order(number, now=later(20))
    link.stop(whose="partner", what="upkeep", account="told", from_at=later(30), now=later(30), **BY)
    link.security_event("feared_leak", what="a lost phone", account="told", now=later(40), **BY)
    link.record_fact("told", "partner_ended", by="desk", now=later(50))
    story = account_story(link.session, link.rules, "told", until=later(60), known_at=later(60))
    assert [(event.kind, event.clause) for event in story.events] == [
        ("link_partner_account_opened", "api_link/4.1"),
        ("link_rules_consented", "api_link/4.2"),
        *((("link_ruled_met", f"api_link/{clause}")) for clause in ("4.3", "4.4", "4.5")),
        ("link_granted_orders", "api_link/4.2"),
        ("link_order_drafted_buy", "api_link/6.3"),
        ("link_order_confirmed", "api_link/6.4"),
        ("link_order_sent", "api_link/1.3"),
        ("link_order_unknown", "api_link/6.5"),
        ("link_order_accepted", "api_link/6.5"),
        ("link_stopped_by_partner", "api_link/10.4"),
        ("link_feared_leak", "api_link/5.7.1"),
        ("link_partner_ended", "api_link/12.2.2"),
        ("link_ended_partner_ended", "api_link/12.2.2"),
    ]
    assert [text for _, text, _ in story.sentences("en")][-1] == "The link ended: the partner ended its service."
    assert len(story.sentences("ja")) == len(story.events)
    now = link_of(link.session, "told", later(60))
    assert now is not None
    assert (now.state, now.ended_cause, now.ended_at) == ("ended", "partner_ended", later(50))
    before = link_of(link.session, "told", later(25))
    assert before is not None
    assert before.state == "active"
    assert link_of(link.session, "nobody", later(60)) is None
    assert [each.kind for each in account_story(
        link.session, link.rules, "told", until=later(60), known_at=later(9)
    ).events] == [event.kind for event in story.events[:8]]  # fmt: skip
    link.session.rollback()


def test_every_step_of_a_link_has_its_sentence() -> None:
    kinds = [
        *(f"link_{kind}" for kind in FACTS),
        *(f"link_ended_{cause}" for cause in GRANT_ENDS),
        *(f"link_order_{kind}" for kind in FOLLOWS),
        *(f"link_granted_{scope}{end}" for scope in ("data", "orders") for end in ("", "_until")),
        *(f"link_{kind}" for kind in ("leak", "feared_leak", "misuse", "feared_misuse", "disclosed", "stop_lifted")),
        *(f"link_load_{outcome}" for outcome in ("forbidden", "allowed")),
        *(f"link_stopped_by_{whose}" for whose in ("partner", "operator")),
        *(f"link_order_drafted_{side}" for side in ("buy", "sell")),
        "link_ruled_met",
        "link_ruled_unmet",
    ]
    assert {f"diary.{kind}" for kind in kinds} == {key for key in templates() if key.startswith("diary.link_")}


def test_9_3_3__what_missed_nights_did_not_look_at_is_looked_at_by_the_next(house: House) -> None:
    link, partner = house
    for account in ("busy", "hit1", "hit2", "fine"):
        admit(link, account)
        grant(link, account, "data")

    def fetch(account: str, day: int, minute: int, failing: bool) -> None:
        partner.mishaps[account].unavailable = int(failing)
        with suppress(Refused):
            link.renew(account, now=later(days=day, minutes=minute))  # a token of that day
            partner.mishaps[account].unavailable = int(failing)
            link.show(account, ["positions"], now=later(days=day, minutes=minute))
        partner.mishaps[account].unavailable = 0

    for minute in range(0, 13, 4):
        fetch("hit1", 2, minute, failing=True)
        fetch("hit2", 2, minute, failing=minute == 8)
        fetch("fine", 2, minute, failing=False)
    for minute in range(5):
        fetch("busy", 4, minute, failing=False)
    tasks = sa.select(review_task.c.kind, review_task.c.detail).where(
        review_task.c.kind.in_(("link_load", "link_outage"))
    )
    assert open_tasks_for_people(link.session, 4, jst_day(later(days=5)), later(days=6)) == 0
    assert open_tasks_for_people(link.session, 4, jst_day(NOW), later(days=6)) == 2
    found = {row.kind: row.detail for row in link.session.execute(tasks)}
    assert (found["link_load"]["account"], found["link_load"]["fetches"]) == ("busy", 5)
    assert (found["link_outage"]["affected"], found["link_outage"]["total"]) == (2, 3)
    assert open_tasks_for_people(link.session, 4, jst_day(NOW), later(days=6)) == 0
    link.session.rollback()
