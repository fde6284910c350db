"""After a restore: which act of the gateway's is which row of ours, and what waits until people have seen it.

The acts that the restored rows do not know are written as the restore's reading of the gateway would write them.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import pytest
import sqlalchemy as sa

from keizoku.billing.accounts.account_views import credit_view
from keizoku.billing.gateway import restored
from keizoku.billing.gateway.keys import key_prefix
from keizoku.billing.gateway.port import Answer, RefundRequest, RefundResult
from keizoku.billing.gateway.simulated import SimulatedGateway
from keizoku.billing.receivables.transfers_out import transfers
from keizoku.billing.statements.transfer_file import BankAccount, payer_of
from keizoku.db.tables.money import credit_refund
from keizoku.scheduler.app import Services
from keizoku.scheduler.backup.restore_mark import RestoreMark
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.scheduler.simulator import Simulator
from keizoku.terms.calendar import Month, parse_instant
from keizoku.terms.policy import Terms
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules
from tests.worlds.world import open_world, services_on

RENEWED = date(2026, 4, 26)
LEFT = date(2026, 5, 6)
NEXT = LEFT + timedelta(days=1)


class SilentGateway(SimulatedGateway):
    """Makes a refund and never says so."""

    def refund(self, request: RefundRequest, at: datetime) -> RefundResult:
        super().refund(request, at)
        return RefundResult(request.key, Answer.UNKNOWN)


@pytest.fixture
def owing(engine: sa.Engine) -> Iterator[Services]:
    """Owes a former user 200 yen, which the night of 6 May gives back to the card."""
    gateway = SilentGateway(engine)
    with engine.connect() as session:
        services = Services(session, Rules(Terms.load("premium")), gateway)
        open_world(services)
        services.billing.approve("jiro", "monthly", "card", now=parse_instant("2026-03-26 10:00"))
        stopped = [parse_instant(f"2026-04-16 {hour}:00") for hour in (12, 20, 21)]
        services.sla.record_outage(from_at=stopped[0], to_at=stopped[1], affected=60_000, now=stopped[2])
        services.sla.claim(id="c", account="jiro", month=Month(2026, 4), now=parse_instant("2026-05-04 10:00"))
        run_night(services, date(2026, 5, 5), night_at(date(2026, 5, 5)))
        services.billing.leave_service("jiro", now=parse_instant("2026-05-05 10:00"))
        yield services
    gateway.close()


def read_since(services: Services, taken_at: datetime, now: datetime) -> None:
    """A restore whose reading of the gateway is over."""
    RestoreMark("keizoku-test", taken_at, now, drill=False).write(services.session)
    services.session.execute(
        sa.text("INSERT INTO restoration_end SELECT id, 'read', 'keizoku', 'read', :now FROM restoration"), {"now": now}
    )
    services.session.commit()


def act(services: Services, gateway_id: str, account: str, yen: int, at: datetime, charge: str | None = None) -> None:
    """What the gateway did before the loss."""
    services.session.execute(
        sa.text(
            "INSERT INTO restored_act (restoration_id, kind, gateway_id, key, account, charge_gateway_id, yen, "
            "happened_at, recorded_at) SELECT min(id), :kind, :id, :key, :who, :charge, :yen, :at, :at FROM restoration"
        ),
        {
            "kind": "refund" if charge else "charge",
            "id": gateway_id,
            "key": f"keizoku-{gateway_id}",
            "who": account,
            "charge": charge,
            "yen": yen,
            "at": at,
        },
    )
    services.session.commit()


def last_charge(services: Services) -> str:
    """The gateway's id of the newest charge, which a credit goes back to first."""
    query = sa.text("SELECT gateway_id FROM payment_attempt WHERE outcome = 'succeeded' ORDER BY id DESC LIMIT 1")
    return str(services.session.scalar(query))


def refunds(services: Services) -> list[tuple[str | None, str | None]]:
    rows = services.session.execute(sa.select(credit_refund.c.outcome, credit_refund.c.gateway_id))
    return [(row.outcome, row.gateway_id) for row in rows]


def unexplained(services: Services) -> list[str]:
    return [each.gateway_id for each in restored.unexplained(services.session)]


def test_9_2__of_several_refunds_made_before_the_loss_the_one_of_the_same_sum_is_found(owing: Services) -> None:
    """It used to stop at the first that was not the same, so that people paid it again."""
    read_since(owing, night_at(date(2026, 5, 5)), night_at(LEFT) - timedelta(hours=1))
    charge, before = last_charge(owing), night_at(LEFT) - timedelta(minutes=50)
    act(owing, "sim_re_801", "jiro", 70, before, charge)
    act(owing, "sim_re_802", "jiro", 200, before, charge)
    assert run_night(owing, LEFT, night_at(LEFT)).certificate == "ok"
    assert refunds(owing) == [("succeeded", "sim_re_802")]
    assert unexplained(owing) == ["sim_re_801"]
    assert credit_view(owing.session, "jiro") == {"available": 0, "applied": 0, "refunded": 200}
    assert owing.session.scalar(sa.text("SELECT count(*) FROM simulated_refund")) == 0  # nothing was asked for again


def test_9_2__a_refund_under_way_at_the_backup_is_not_taken_for_another_of_the_same_sum(owing: Services) -> None:
    """It is looked up under its own key: the other one is another, and stays before people."""
    run_night(owing, LEFT, night_at(LEFT))  # asked for, made, and not answered: so the backup has it
    read_since(owing, night_at(LEFT), night_at(NEXT) - timedelta(hours=2))
    act(owing, "sim_re_900", "jiro", 200, night_at(NEXT) - timedelta(hours=1), last_charge(owing))
    assert run_night(owing, NEXT, night_at(NEXT)).certificate == "ok"
    [(outcome, gateway_id)] = refunds(owing)
    assert outcome == "succeeded"
    assert gateway_id != "sim_re_900"
    assert unexplained(owing) == ["sim_re_900"]


def test_5_4__an_attempt_without_an_answer_is_not_sent_again_for_an_account_that_waits_for_people(
    engine: sa.Engine,
) -> None:
    renewal = night_at(RENEWED)
    with services_on(engine) as services:
        open_world(services)
        services.billing.approve("u1", "monthly", "card", now=parse_instant("2026-03-26 10:00"))
        Simulator(services).cards.set_card("u1", "timeout_before")
        run_night(services, RENEWED, renewal)
        read_since(services, renewal, renewal + timedelta(hours=1))
        act(services, "sim_ch_900", "u1", 700, renewal + timedelta(minutes=10))  # for something that nobody can tell
        Simulator(services).cards.set_card("u1", "ok")

        def charged() -> int:
            return int(services.session.scalar(sa.text("SELECT count(*) FROM simulated_charge")) or 0)

        run_night(services, RENEWED, renewal + timedelta(hours=5))
        assert charged() == 1  # that of the first month
        restored.release_act(services.session, "sim_ch_900", "kato", "given back", renewal + timedelta(hours=6))
        run_night(services, RENEWED, renewal + timedelta(hours=7))
        assert charged() == 2


def test_5_4__one_charge_that_cannot_be_adopted_leaves_the_others_adopted(engine: sa.Engine) -> None:
    renewal = night_at(RENEWED)
    with services_on(engine) as services:
        open_world(services)
        for account in ("u1", "u2", "u3"):
            services.billing.approve(account, "monthly", "card", now=parse_instant("2026-03-26 10:00"))
        charged = "SELECT count(*) FROM simulated_charge"
        before = services.session.scalar(sa.text(charged))
        read_since(services, renewal - timedelta(days=1), renewal - timedelta(hours=1))
        for number, account in enumerate(("u1", "u2", "u3")):
            act(services, f"sim_ch_90{number}", account, 500, renewal - timedelta(minutes=10 - number))
        services.session.execute(
            sa.text(
                "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.account = 'u1' THEN "
                "RAISE EXCEPTION 'poison' USING ERRCODE = 'check_violation'; END IF; RETURN NEW; END $$; "
                "CREATE TRIGGER poison BEFORE INSERT ON payment_attempt FOR EACH ROW EXECUTE FUNCTION poison()"
            )
        )
        services.session.commit()
        result = run_night(services, RENEWED, renewal)
        assert (result.certificate, result.set_aside) == ("ok", ())
        assert unexplained(services) == ["sim_ch_900"]
        task = "SELECT subject FROM review_task WHERE kind = 'restored_act' AND closed_at IS NULL"
        assert services.session.scalars(sa.text(task)).all() == ["sim_ch_900"]
        assert services.session.scalar(sa.text(charged)) == before  # u1 is held, the others' fees are paid
        adopted = "SELECT account FROM payment_attempt WHERE gateway_id LIKE 'sim_ch_90%' ORDER BY account"
        assert services.session.scalars(sa.text(adopted)).all() == ["u2", "u3"]
        assert key_prefix(services.session).startswith("keizoku-r")


def test_9_2__a_refund_that_nobody_asks_for_again_is_a_task_with_its_sum_and_its_ids(owing: Services) -> None:
    """It used to wait without a word: people who had asked for it before the loss never heard of it again."""
    taken_at, charge = night_at(LEFT), last_charge(owing)
    run_night(owing, LEFT, taken_at)
    read_since(owing, taken_at, taken_at + timedelta(hours=2))
    act(owing, "sim_re_950", "jiro", 70, taken_at + timedelta(hours=1), charge)
    assert run_night(owing, NEXT, night_at(NEXT)).certificate == "ok"
    task = "SELECT subject, detail FROM review_task WHERE kind = 'restored_act' AND closed_at IS NULL"
    [(subject, detail)] = owing.session.execute(sa.text(task)).all()
    assert (subject, detail["account"], detail["what"], detail["yen"]) == ("sim_re_950", "jiro", "refund", 70)
    assert detail["charge"] == charge
    restored.release_act(owing.session, "sim_re_950", "sato", "asked for by mail", night_at(NEXT))
    assert owing.session.execute(sa.text(task)).all() == []


def test_a_transfer_that_was_approved_before_the_restore_is_not_sent_again(engine: sa.Engine) -> None:
    """The file that sent it since the backup is not known: it used to be written once more, and paid twice."""
    now, ground = parse_instant("2026-04-20 10:00"), "the payer asked"
    payer = payer_of("1234567890/0005-001-1-7654321/カ）ケイゾク")
    to = BankAccount("0009", "001", "1", "1234567", "ヤマダ タロウ")
    with services_on(engine) as services:
        billing = services.billing
        open_world(services)
        for account in ("taro", "hanako"):
            billing.approve(account, "monthly", "other", now=parse_instant("2026-04-01 10:00"))
            billing.pay(account, 1300, now=parse_instant("2026-04-01 11:00"))
        number = billing.propose_transfer("taro", 800, to, by="kato", ground=ground, now=now)
        billing.decide_transfer(number, approve=True, by="sato", ground=ground, now=now)
        RestoreMark("keizoku-test", now, now + timedelta(hours=1), drill=False).write(services.session)
        later = now + timedelta(hours=2)
        with pytest.raises(Refused) as refused:
            billing.send_transfers(payer, date(2026, 4, 21), by="kato", now=later)
        assert refused.value.code == "transfer_out.before_restore"
        other = billing.propose_transfer("hanako", 500, to, by="kato", ground=ground, now=later)
        billing.decide_transfer(other, approve=True, by="sato", ground=ground, now=later)
        sent = billing.send_transfers(payer, date(2026, 4, 21), by="kato", now=later)
        services.session.commit()
        assert (sent.transfers, sent.yen) == (1, 500)
        on = date(2026, 4, 21)
        run_night(services, on, night_at(on))
        task = "SELECT subject, detail FROM review_task WHERE kind = 'restored_act' AND closed_at IS NULL"
        [(subject, detail)] = services.session.execute(sa.text(task)).all()
        assert (subject, detail["account"], detail["yen"]) == (f"transfer {number}", "taro", 800)
        billing.decide_transfer(number, approve=False, by="sato", ground="the bank paid it", now=night_at(on))
        assert services.session.execute(sa.text(task)).all() == []
        assert [each.state for each in transfers(services.session)] == ["rejected", "sent"]
