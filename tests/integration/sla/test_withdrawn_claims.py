"""A claim that people took back is shown as withdrawn in every view; a row that is no text is a finding."""

import sqlalchemy as sa

from keizoku.billing.accounts.contract_history import contract_events
from keizoku.scheduler.reports.claim_page import claim_page, explain_claim
from keizoku.scheduler.reports.claim_states import claim_states
from keizoku.sla.claims.claim_views import claim_explanation, claim_list
from keizoku.sla.claims.explanation import claim_sentences
from keizoku.terms.calendar import Month, parse_instant
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
