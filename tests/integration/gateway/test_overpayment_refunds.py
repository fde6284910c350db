"""A card that paid what was paid already gets it back by itself, once; what no gateway answers goes to people."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

import pytest
import sqlalchemy as sa

from keizoku.billing.accounts.account_views import refunds_view, trial_balance
from keizoku.billing.accounts.money_history import money_events
from keizoku.billing.accounts.read_models import CountAndYen
from keizoku.billing.cards.overpayment_refund_stage import NOTHING_HELD
from keizoku.billing.gateway.port import Answer, ChargeRequest, ChargeResult, RefundRequest, RefundResult
from keizoku.billing.gateway.refunds import unknown_refunds
from keizoku.billing.gateway.simulated import SimulatedGateway
from keizoku.billing.receivables.customer_deposits import SentBack
from keizoku.billing.rules.account_event import event_sentence, in_order
from keizoku.db.review_tasks import TaskKind, open_task
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import NightResult, run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.terms.calendar import parse_instant
from keizoku.terms.policy import Terms
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules
from tests.worlds.world import open_world

RENEWED = date(2026, 4, 26)
TASKS = sa.text("SELECT kind, subject, closed_by FROM review_task ORDER BY id")


class VeiledGateway(SimulatedGateway):
    """Does what it is asked for and, behind its veil, says nothing of it."""

    veiled, refunds_veiled, refund_made, asked = True, False, True, 0

    def charge_many(self, requests: Sequence[ChargeRequest], at: datetime) -> Iterator[ChargeResult]:
        veiled, self.veiled = self.veiled, False
        results = list(super().charge_many(requests, at))
        self.veiled = veiled
        for result in results:
            yield ChargeResult(result.key, Answer.UNKNOWN) if veiled else result

    def find_charges(self, requests: Sequence[ChargeRequest], at: datetime) -> Mapping[str, ChargeResult]:
        if self.veiled:
            return {each.key: ChargeResult(each.key, Answer.UNKNOWN) for each in requests}
        return super().find_charges(requests, at)

    def refund(self, request: RefundRequest, at: datetime) -> RefundResult:
        self.asked += 1
        made = super().refund(request, at) if self.refund_made else None
        return RefundResult(request.key, Answer.UNKNOWN) if self.refunds_veiled or made is None else made

    def find_refund(self, request: RefundRequest, at: datetime) -> RefundResult | None:
        return RefundResult(request.key, Answer.UNKNOWN) if self.refunds_veiled else super().find_refund(request, at)


@pytest.fixture
def gateway(engine: sa.Engine) -> Iterator[VeiledGateway]:
    gateway = VeiledGateway(engine)
    yield gateway
    gateway.close()


@pytest.fixture
def services(engine: sa.Engine, gateway: VeiledGateway) -> Iterator[Services]:
    """A first fee whose charge succeeds unseen, and that the user then pays by bank; seen again from the 29th on."""
    with engine.connect() as session:
        services = Services(session, Rules(Terms.load("premium")), gateway)
        open_world(services)
        services.billing.approve("hanako", "monthly", "card", now=parse_instant("2026-03-26 10:00"))
        services.billing.pay("hanako", 500, now=parse_instant("2026-03-26 18:00"))
        yield services


def _night(services: Services, day: int) -> NightResult:
    on = date(2026, 3, day)
    return run_night(services, on, night_at(on))


def _tasks(services: Services) -> list[tuple[str, str, str | None]]:
    return [tuple(row) for row in services.session.execute(TASKS)]


def _refund_fails(services: Services, gateway: VeiledGateway) -> None:
    """What the card paid too much does not go back to it: two tasks, which one more night leaves as they are."""
    gateway.veiled = False
    gateway.set_refund_fails("hanako")
    for _ in range(2):
        assert _night(services, 27).certificate == "ok"
    assert gateway.asked == 1
    assert _tasks(services) == [("charged_too_much", "attempt 1", None), ("refund_failed", "overcharge 1", None)]


def test_5_2__a_lookup_that_never_answers_reaches_people_and_a_late_success_goes_back(
    services: Services, gateway: VeiledGateway
) -> None:
    assert _night(services, 28).certificate == "ok"
    assert _tasks(services) == [("attempt_unknown", "attempt 1", None)]
    gateway.veiled = False
    night = _night(services, 29)
    assert (night.certificate, night.differences) == ("ok", ())
    assert _tasks(services) == [
        ("attempt_unknown", "attempt 1", "keizoku"),
        ("charged_too_much", "attempt 1", "keizoku"),
    ]
    assert (gateway.asked, refunds_view(services.session, "hanako")) == (1, CountAndYen(1, 500))
    balances = trial_balance(services.session)
    assert {code: balances.get(code, 0) for code in ("1110", "1131", "1140", "2140")} == {
        "1110": 500,
        "1131": 0,
        "1140": 0,
        "2140": 0,
    }
    assert _night(services, 29).changes == 0
    assert gateway.asked == 1


def test_5_2__a_refund_that_fails_is_left_to_people_who_close_it(services: Services, gateway: VeiledGateway) -> None:
    _refund_fails(services, gateway)
    now = parse_instant("2026-03-27 10:00")
    with pytest.raises(Refused, match="through card or bank, not 'cash'"):
        services.billing.refund_deposit("hanako", by="keiri", ground="?", now=now, through="cash")
    assert services.billing.refund_deposit(
        "hanako", by="keiri", ground="a transfer", now=now, through="bank"
    ) == SentBack(by_bank_yen=500, to_card_yen=0)
    assert _tasks(services) == [("charged_too_much", "attempt 1", "keiri"), ("refund_failed", "overcharge 1", "keiri")]
    assert _night(services, 28).certificate == "ok"
    assert gateway.asked == 1
    balances = trial_balance(services.session)
    assert {code: balances[code] for code in ("1110", "1131", "1140", "2140")} == {
        "1110": 0,  # what was sent by bank went back by bank
        "1131": 500,  # and what the card was charged stays with the gateway
        "1140": 0,
        "2140": 0,
    }


def test_5_2__what_goes_back_tells_its_way_and_ends_the_tasks_about_it_alone(
    services: Services, gateway: VeiledGateway
) -> None:
    _refund_fails(services, gateway)
    now = parse_instant("2026-03-27 10:00")
    services.billing.pay("hanako", 500, now=now)
    others: list[tuple[TaskKind, str, str]] = [
        ("refund_failed", "refund 7", "hanako"),
        ("charged_too_much", "attempt 9", "jiro"),
        ("refund_failed", "overcharge 9", "jiro"),
    ]
    for kind, subject, account in others:
        open_task(services.session, kind, subject, {"account": account}, now)
    services.session.commit()
    about_it = [("charged_too_much", "attempt 1"), ("refund_failed", "overcharge 1")]

    def ended() -> list[tuple[str, str]]:
        return [(kind, subject) for kind, subject, closed_by in _tasks(services) if closed_by]

    def sent_back(yen: int | None, through: str) -> SentBack:
        return services.billing.refund_deposit("hanako", yen, by="keiri", ground="asked", now=now, through=through)

    assert sent_back(700, "card") == SentBack(by_bank_yen=500, to_card_yen=200)
    assert ended() == []
    assert sent_back(None, "bank") == SentBack(by_bank_yen=300, to_card_yen=0)
    assert ended() == about_it
    events = [each for each in in_order(money_events(services.session, "hanako")) if each.kind == "deposit_refunded"]
    assert [(each.facts["yen"], each.facts["through"]) for each in events] == [
        (500, "bank"),
        (200, "card"),
        (300, "bank"),
    ]
    assert [event_sentence(each, "ja") for each in events[1:]] == [
        "預り金200円を返しました(カードへの返金)。 担当: keiri、理由: asked。",
        "預り金300円を返しました(銀行振込)。 担当: keiri、理由: asked。",
    ]
    assert [event_sentence(each, "en").partition(" By ")[0] for each in events[1:]] == [
        "200 yen of the deposit was sent back (to the card).",
        "300 yen of the deposit was sent back (by bank).",
    ]


def test_5_2__the_tasks_of_a_refund_that_failed_end_when_the_last_of_the_cards_money_goes_back_by_itself(
    services: Services, gateway: VeiledGateway
) -> None:
    """Two charges too much: the refund of one has failed, and people send it back while the other's is under way."""
    _refund_fails(services, gateway)
    services.session.execute(sa.text("UPDATE simulated_card SET refund_fails = false"))
    services.session.commit()
    gateway.veiled = True
    assert run_night(services, RENEWED, night_at(RENEWED)).certificate == "ok"
    services.billing.pay("hanako", 500, now=parse_instant("2026-04-27 18:00"))
    gateway.veiled, gateway.refunds_veiled = False, True
    on = RENEWED + timedelta(days=1)
    assert run_night(services, on, parse_instant("2026-04-27 23:00")).certificate == "ok"
    now = parse_instant("2026-04-27 23:30")
    assert services.billing.refund_deposit("hanako", by="keiri", ground="asked", now=now, through="bank").yen == 500
    tasks = [
        ("charged_too_much", "attempt 1"),
        ("refund_failed", "overcharge 1"),
        ("charged_too_much", "attempt 2"),
    ]
    assert _tasks(services) == [(*each, None) for each in tasks]
    gateway.refunds_veiled = False
    on += timedelta(days=1)
    assert run_night(services, on, night_at(on)).certificate == "ok"
    assert _tasks(services) == [(*each, "keizoku") for each in tasks]
    grounds = services.session.scalars(sa.text("SELECT closed_ground FROM review_task ORDER BY id")).all()
    assert grounds == [NOTHING_HELD, NOTHING_HELD, "given back: keizoku-overcharge-2"]
    assert run_night(services, on, night_at(on)).changes == 0


def test_5_2__a_refund_without_an_answer_is_never_sent_twice_and_people_can_say_that_it_was_not_made(
    services: Services, gateway: VeiledGateway
) -> None:
    gateway.veiled, gateway.refunds_veiled, gateway.refund_made = False, True, False
    assert _night(services, 27).certificate == "ok"
    with pytest.raises(Refused, match="500 of it on its way back to the card"):
        services.billing.refund_deposit("hanako", by="keiri", ground="?", now=night_at(date(2026, 3, 27)))
    assert _night(services, 28).certificate == "ok"
    assert gateway.asked == 1  # looked up only: "unknown" is no reason to send again
    assert _tasks(services)[1] == ("refund_unknown", "overcharge 1", None)
    (waiting,) = unknown_refunds(services.session)
    assert (waiting["key"], waiting["of"], waiting["yen"]) == ("keizoku-overcharge-1", "overcharge", 500)
    now = night_at(date(2026, 3, 28)) + timedelta(hours=8)
    services.billing.nothing_refunded("keizoku-overcharge-1", by="keiri", ground="not on the page", now=now)
    with pytest.raises(Refused, match="not waiting for an answer"):
        services.billing.nothing_refunded("keizoku-overcharge-1", by="keiri", ground="again", now=now)
    gateway.refunds_veiled, gateway.refund_made = False, True
    assert _night(services, 29).certificate == "ok"
    assert refunds_view(services.session, "hanako") == {"count": 1, "yen": 500}
    assert [row[2] for row in _tasks(services)] == ["keizoku", "keiri"]
