"""A claim that people took back is shown as withdrawn in every view; a row that is no text is a finding."""

from datetime import date

import pytest
import sqlalchemy as sa

from keizoku.billing.accounts.contract_history import contract_events
from keizoku.billing.documents import letter_stage
from keizoku.billing.documents.outbox import waiting
from keizoku.billing.documents.written_documents import documents_view
from keizoku.scheduler.reports.claim_page import claim_page, explain_claim
from keizoku.scheduler.reports.claim_states import claim_states
from keizoku.sla.claims.claim_views import claim_explanation, claim_list
from keizoku.sla.claims.explanation import claim_sentences
from keizoku.terms.calendar import Month, parse_instant
from keizoku.terms.refusal import Refused
from tests.worlds.world import open_world, services_on

RECORDED_AT = parse_instant("2026-04-20 12:00")
WITHDRAWN_AT = parse_instant("2026-06-02 12:00")


def test_9_2__a_withdrawn_claim_is_marked_wherever_claims_are_shown(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        open_world(services)
        services.billing.approve("u1", "monthly", "card", now=parse_instant("2026-03-26 12:00"))
        for claim in ("c1", "c2"):
            services.sla.claim(id=claim, account="u1", month=Month(2026, 4), now=RECORDED_AT)
        services.sla.withdraw_claim("c1", "support", "of somebody else", now=WITHDRAWN_AT)
        listed = {each.id: each.outcome for each in claim_list(services.session, WITHDRAWN_AT)}
        assert listed == {"c1": "withdrawn", "c2": "pending"}
        before = {each.id: each.outcome for each in claim_list(services.session, RECORDED_AT)}
        assert before == {"c1": "pending", "c2": "pending"}
        explained = claim_explanation(services.session, "c1", WITHDRAWN_AT)
        assert (explained.status.outcome, explained.status.waits_for) == ("withdrawn", None)
        [(clause, told)] = claim_sentences(explained, "en")
        assert (clause, told.partition(",")[0]) == ("premium/9.2", "It was withdrawn as recorded by mistake")
        page = explain_claim(services.session, services.rules, "c1", WITHDRAWN_AT)  # it raised ValueError: nobody's
        assert (page.decision, page.decisive, page.explanation.status.outcome) == (None, None, "withdrawn")
        assert "withdrawn as recorded by mistake" in claim_page(page, ("en",))
        states = claim_states(services.session, Month(2026, 4), WITHDRAWN_AT)
        assert {claim: state.outcome for claim, (_, state) in states.items()} == listed
        told_of = [each.kind for each in contract_events(services.session, "u1") if each.kind.startswith("claim_")]
        assert told_of == ["claim_received", "claim_received", "claim_withdrawn"]


def test_9_2__a_claim_by_which_a_remedy_stands_is_not_taken_back_and_one_taken_back_bears_none(
    engine: sa.Engine,
) -> None:
    with services_on(engine) as services:
        open_world(services)
        sla, now = services.sla, WITHDRAWN_AT
        services.billing.approve("u1", "monthly", "card", now=parse_instant("2026-03-26 12:00"))
        for claim in ("c1", "c2"):
            sla.claim(id=claim, account="u1", month=Month(2026, 4), now=now)
        sla.consent_alternative("c1", "a book", now=now)
        with pytest.raises(Refused, match="another remedy is agreed for 2026-04 by this claim"):
            sla.withdraw_claim("c1", "sato", "wrong account", now=now)
        services.session.rollback()
        sla.withdraw_claim("c2", "sato", "twice", now=now)  # the month's remedy hangs on the other one
        sla.withdraw_alternative("c1", now=now)
        with pytest.raises(Refused, match="taken back as recorded by mistake"):
            sla.consent_alternative("c2", "a pen", now=now)
        services.session.rollback()
        sla.consent_alternative("c1", "a pen", now=now)
        sla.perform_alternative("c1", now=now)
        with pytest.raises(Refused, match="another remedy is agreed"):
            sla.withdraw_claim("c1", "sato", "wrong account", now=now)


def test_an_observation_of_a_user_whose_id_is_half_a_letter_is_a_finding_and_the_others_are_taken(
    engine: sa.Engine,
) -> None:
    times = ("2026-04-10 10:00", "2026-04-10 11:00")
    with services_on(engine) as services:
        open_world(services)
        rows = [["\udcff", "site", *times], ["u1", "site", *times], ["名", "site", *times]]
        [finding] = services.sla.observations(rows=rows, by="x", now=WITHDRAWN_AT)
        assert finding.rule == "an id has 1 to 200 printable letters"
        users = services.session.scalars(sa.text('SELECT user_id FROM observation ORDER BY user_id COLLATE "C"'))
        assert users.all() == ["u1", "名"]


def test_9_5__the_letter_about_a_claim_s_receipt_bears_the_day_of_receipt(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        open_world(services)
        services.billing.approve("u1", "monthly", "card", now=parse_instant("2026-03-26 12:00"))
        received_at = parse_instant("2026-04-19 23:59:59")
        services.sla.claim(id="c1", account="u1", month=Month(2026, 4), received_at=received_at, now=RECORDED_AT)
        letter_stage.save(services.session, services.rules, parse_instant("2026-04-21 02:30"))
        [written] = waiting(services.session, account="u1", kinds=["claim_received"])
        assert written.written_at == "2026-04-21T02:30:00+09:00"  # which is when it could be handed over first
        assert [each.date for each in written.page("ja").letters] == ["2026年4月19日", "19 April 2026"]
        assert documents_view(services.session, "u1")[-1].on == date(2026, 4, 19)
