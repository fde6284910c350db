"""People's acts against a contract, the documents that they and the night write, and the limit of damages."""

from collections.abc import Callable
from datetime import date, datetime

import pytest
import sqlalchemy as sa

from keizoku.billing.accounts.account_list import account_list
from keizoku.billing.accounts.history import account_history
from keizoku.billing.accounts.liability_explanation import explain_liability
from keizoku.billing.documents import outbox
from keizoku.billing.documents.rendering import letter_pdf
from keizoku.billing.dunning import delinquency_stage
from keizoku.billing.rules.documents.issuer import Issuer
from keizoku.db.tables.contracts import contract_fact
from keizoku.db.tables.gateway import gateway_dispute
from keizoku.db.tables.money import payment_attempt
from keizoku.scheduler.app import Services
from keizoku.scheduler.simulator import Simulator
from keizoku.terms.calendar import jst_day, parse_instant
from keizoku.terms.refusal import Refused
from tests.worlds.world import open_world, services_on


def at(text: str) -> datetime:
    return parse_instant(text)


def documents(services: Services) -> list[tuple[str, str]]:
    return [(each.kind, each.account) for each in outbox.waiting(services.session)]


def test_7_1_1__a_ground_that_people_find_to_hold_accelerates_and_every_act_is_told(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        open_world(services)
        service = services.billing
        for account in ("found", "looked-into"):
            service.approve(account, "yearly", "other", now=at("2026-04-10 09:00"))
        service.suspend("looked-into", "調査中", by="sato", now=at("2026-04-12 09:00"))
        service.suspend("found", "虚偽の登録", by="sato", accelerates=True, now=at("2026-04-12 09:00"))
        rows = account_list(services.session, services.rules, at("2026-04-13 09:00"), limit=10)
        assert [(row["account"], row["state"], row["days_overdue"], row["suspends_on"]) for row in rows] == [
            ("found", "suspended", 1, date(2026, 4, 22)),
            ("looked-into", "suspended", 0, date(2026, 5, 4)),
        ]
        overdue = account_list(services.session, services.rules, at("2026-04-13 09:00"), overdue=True, limit=10)
        assert [row["account"] for row in overdue] == ["found"]
        assert account_list(services.session, services.rules, at("2026-04-13 09:00"), state="active", limit=10) == []
        service.resume("found", "誤解でした", by="sato", now=at("2026-04-13 09:00"))
        assert documents(services) == [
            ("suspension", "looked-into"),
            ("suspension", "found"),
            ("acceleration", "found"),
            ("resumption", "found"),
        ]
        facts = services.session.execute(
            sa.select(contract_fact.c.kind, contract_fact.c.author, contract_fact.c.ground).order_by(contract_fact.c.id)
        ).all()
        assert [tuple(fact) for fact in facts] == [
            ("suspend", "sato", "調査中"),
            ("suspend", "sato", "虚偽の登録"),
            ("resume", "sato", "誤解でした"),
        ]
        now = at("2026-04-14 09:00")
        refused: list[Callable[[], object]] = [
            lambda: service.resume("found", "もう一度", by="sato", now=now),
            lambda: service.suspend("found", " ", by="sato", now=now),
            lambda: service.terminate("found", "虚偽の登録", by="", now=now),
            lambda: service.suspend("looked-into", "再調査", by="sato", now=now),
            lambda: service.set_off("found", by="sato", ground=" ", now=now),
        ]
        for act in refused:
            with pytest.raises(Refused):
                act()
        services.session.rollback()
        assert len(services.session.execute(sa.select(contract_fact)).all()) == 3


def test_7_1_2__who_pays_between_the_look_and_the_deed_is_not_terminated(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        open_world(services)
        service, rules = services.billing, services.rules
        for account in ("pays", "leaves", "stays"):
            service.approve(account, "yearly", "other", now=at("2026-04-10 09:00"))
        night = at("2026-06-03 02:30")  # 40 days after 04-24
        rulings = delinquency_stage.decide(
            rules, delinquency_stage.due(services.session, rules, jst_day(night)), jst_day(night)
        )
        assert [(ruling.case.account, ruling.terminates) for ruling in rulings] == [
            ("pays", True),
            ("leaves", True),
            ("stays", True),
        ]
        service.pay("pays", 6_000, now=at("2026-06-03 02:31"))
        service.leave_service("leaves", now=at("2026-06-03 02:31"))
        assert delinquency_stage.save(services.session, rules, rulings, night) > 0
        states = {row["account"]: row["state"] for row in account_list(services.session, rules, night, limit=10)}
        assert states == {"pays": "active", "leaves": "ended", "stays": "ended"}
        assert documents(services) == [
            ("overdue", "leaves"),
            ("overdue", "stays"),
            ("termination", "stays"),
            ("demand", "stays"),
        ]
        again = delinquency_stage.decide(
            rules, delinquency_stage.due(services.session, rules, jst_day(night)), jst_day(night)
        )
        assert delinquency_stage.save(services.session, rules, again, night) == 0


def test_7_1__a_document_waits_until_it_is_handed_over_once(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        open_world(services)
        service = services.billing
        service.approve("<b>hanako</b>", "monthly", "other", now=at("2026-04-10 09:00"))
        service.suspend("<b>hanako</b>", "<script>", by="sato", now=at("2026-04-12 09:00"))
        (waiting,) = outbox.waiting(services.session)
        assert (waiting.id, waiting.written_at, waiting.handed_over_at) == ("N1", "2026-04-12T09:00:00+09:00", None)
        page = waiting.html("ja")
        assert "&lt;script&gt;" in page
        assert "<script>" not in page
        assert page.index("サービス提供停止のお知らせ") < page.index("Your access is suspended")
        assert waiting.html("en", Issuer("継続株式会社", "港区"), "Hanako & Co").count("継続株式会社<br>港区") == 1
        drawn = letter_pdf(waiting.page("ja", Issuer("継続株式会社"), "山田 花子"))
        assert drawn == letter_pdf(waiting.page("ja", Issuer("継続株式会社"), "山田 花子"))
        assert (drawn[:5], drawn.count(b"/Type /Page\n")) == (b"%PDF-", 2)
        now = at("2026-04-12 10:00")
        for wrong in ("N2", "D1", "12", "N", "N9999999999999999999", "N-1"):
            with pytest.raises(Refused):
                service.hand_over(wrong, by="mailer", now=now)
        for handed_at in ("2026-04-12 08:59", "2026-04-12 10:01"):
            with pytest.raises(Refused, match="cannot have been handed over"):
                service.hand_over("N1", by="mailer", handed_at=at(handed_at), now=now)
        assert service.hand_over("n1", by="mailer", handed_at=at("2026-04-12 09:30"), now=now)
        assert not service.hand_over("N1", by="mailer", handed_at=at("2026-04-12 09:30"), now=now)
        with pytest.raises(Refused, match="that stays"):
            service.hand_over("N1", by="mailer", handed_at=at("2026-04-12 09:31"), now=now)
        assert outbox.waiting(services.session) == []
        (sent,) = outbox.waiting(
            services.session, also_handed_over=True, kinds=("suspension",), account="<b>hanako</b>"
        )
        assert (sent.handed_over_at, sent.handed_over_by) == ("2026-04-12T09:30:00+09:00", "mailer")


def test_12_2__the_limit_counts_what_was_received_and_reaches_over_a_leap_day(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        open_world(services)
        service = services.billing
        service.approve("hanako", "yearly", "card", now=at("2027-02-28 12:00"))
        service.approve("key", "monthly", "product_key", months=3, now=at("2027-03-01 12:00"))
        Simulator(services).cards.set_card("jiro", "lost_card")
        service.approve("jiro", "yearly", "card", now=at("2027-03-01 12:00"))
        service.pay("jiro", 1_000, now=at("2027-03-31 12:00"))

        def limit(account: str, event: str) -> int:
            return explain_liability(services.session, services.rules, account, at(event)).cap.yen

        assert limit("hanako", "2028-02-29 00:00") == 5_300  # from 2027-02-28 on
        assert limit("hanako", "2028-03-01 00:00") == 0  # from 2027-03-01 on
        assert limit("hanako", "2027-02-28 00:00") == 0
        assert limit("hanako", "2027-02-28 12:01") == 5_300
        assert limit("key", "2027-03-02 00:00") == 1_500
        # 30 days on 5,300 = 63.6 of interest, which is no fee
        assert limit("jiro", "2027-04-01 00:00") == 937
        story = explain_liability(services.session, services.rules, "jiro", at("2027-04-01 00:00"), damage_yen=2_000)
        assert story.still_due_yen == 937
        assert story.sentences("en") == [
            (
                "The event is of 1 April 2027 00:00 JST. "
                "Counted are the fees actually received in the year before it, from 1 April 2026 00:00 JST until then."
            ),
            "31 March 2027 12:00 JST: 937 yen by bank transfer (receipt 1)",
            "Together 937 yen: the limit of damages. Unpaid fees, late interest and costs are not in it.",
            "Of a damage of 2,000 yen, less the credit of 0 yen and within the limit, 937 yen is to be paid.",
            (
                "Whether there is damage, how much, and our fault are judged by people. "
                "The limit does not hold for intent or gross negligence."
            ),
        ]
        assert len(story.sentences("ja")) == 5
        payment = services.session.execute(
            sa.select(payment_attempt.c.gateway_id).where(payment_attempt.c.account == "hanako")
        ).scalar_one()
        stood = (("open", at("2027-03-05 09:00")), ("lost", at("2028-03-05 09:00")))
        for number, (state, when) in enumerate(stood, start=1):
            dispute = {"dispute": "dp_1", "payment": payment, "amount": 5_300, "fee": 0, "state": state}
            dispute |= {"number": number, "returned": 0, "held": 0, "currency": "jpy"}
            services.session.execute(sa.insert(gateway_dispute).values(**dispute, happened_at=when, recorded_at=when))
            assert limit("hanako", "2028-02-29 00:00") == (5_300 if state == "open" else 0)
        diary = account_history(
            services.session, services.rules, "hanako", until=at("2028-03-06"), known_at=at("2028-03-06")
        )
        assert [text for _, text, _ in diary.sentences("en")][-2:] == [
            f"The cardholder disputes 5,300 yen (invoice {diary.events[-1].facts['invoice']}, dp_1).",
            f"The dispute dp_1 of 5,300 yen was lost (invoice {diary.events[-1].facts['invoice']}).",
        ]
        for account, event in (("nobody", "2027-04-01"), ("jiro", "2020-01-01")):
            with pytest.raises(Refused):
                limit(account, event)
