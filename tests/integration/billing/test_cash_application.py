"""Money that meets debts: what is settled, booked and left over, whatever the money is (premium/5.2)."""

from datetime import date

import sqlalchemy as sa

from keizoku.billing.receivables import customer_deposits
from keizoku.billing.receivables.cash_application import AppliedMoney, apply_money
from keizoku.billing.receivables.open_items import OpenItem, load_open_items, open_items_on
from keizoku.billing.receivables.receipts import Payment, receive
from keizoku.db.tables.books import entry
from keizoku.db.tables.money import interest_booking, interest_checkpoint, settlement
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.terms.calendar import jst_day, parse_instant
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules
from tests.worlds.world import open_world, services_on

NOW = parse_instant("2026-05-02 09:00")


def debtor(services: Services) -> None:
    """Owes 5,300 since 30 March 2026; the night of 1 May demands 32 days: 67.84."""
    open_world(services)
    services.billing.approve("taro", "yearly", "other", now=parse_instant("2026-03-16 10:00"))
    assert run_night(services, date(2026, 5, 1), parse_instant("2026-05-01 02:30")).certificate == "ok"


def items(services: Services) -> list[OpenItem]:
    return load_open_items(services.session, services.rules, jst_day(NOW), account="taro", with_accrued=True)


def rows_of(services: Services, applied: AppliedMoney) -> tuple[object, ...]:
    """What the database has under the application's own ids: settlements, bookings, checkpoints, entries."""
    session, occasion = services.session, applied.occasion
    settled = session.execute(
        sa.select(*(settlement.c[name] for name in ("invoice_id", "account", "kind", "yen", "settled_on", "source_id")))
        .where(settlement.c.source_id == applied.source_id, settlement.c.kind == applied.source.kind)
        .order_by(settlement.c.id)
    ).all()  # fmt: skip
    booked = dict(
        session.execute(
            sa.select(interest_booking.c.occasion, interest_booking.c.yen).where(
                interest_booking.c.occasion.in_((occasion, f"{occasion}:corrected"))
            )
        ).all()
    )
    counted = session.scalars(
        sa.select(interest_checkpoint.c.checkpoint_on).where(interest_checkpoint.c.occasion == occasion)
    ).all()
    assert session.scalars(sa.select(entry.c.event_key).where(entry.c.id.in_(applied.entry_ids))).all()[0] == occasion
    assert tuple(map(tuple, settled)) == tuple(map(tuple, applied.settled))
    assert booked.get(occasion, 0) == applied.undemanded_yen
    assert -booked.get(f"{occasion}:corrected", 0) == applied.corrected_yen
    return tuple(counted)


def test_5_2__a_receipt_says_what_it_settled_booked_and_left_over(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        debtor(services)
        [item] = items(services)
        applied = receive(services.session, services.rules, Payment("taro", 6_000), NOW)
        # 33 days: 69.96, of which 67 were demanded
        assert (applied.used_yen, applied.left_yen, applied.undemanded_yen, applied.corrected_yen) == (5_369, 631, 2, 0)
        assert [(each.invoice_id, each.yen) for each in applied.settled] == [(item.invoice_id, 5_300)]
        assert rows_of(services, applied) == (date(2026, 5, 2),)
        assert items(services) == []


def test_5_2__money_that_counts_from_an_earlier_day_gives_interest_back(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        debtor(services)
        earlier = Payment("taro", 2_000, received_on=date(2026, 4, 9))
        applied = receive(services.session, services.rules, earlier, NOW)
        # ten days: 21.2; what is left, 3,321, bears 23 days: 30.55; 67 were demanded
        assert (applied.application.on, applied.used_yen, applied.left_yen) == (date(2026, 4, 9), 2_000, 0)
        assert (applied.undemanded_yen, applied.corrected_yen) == (0, 67 - 21 - 30)
        assert [each.settled_on for each in applied.settled] == [date(2026, 4, 9)]
        assert rows_of(services, applied) == (date(2026, 4, 9),)
        assert open_items_on(services.session, services.rules, "taro", jst_day(NOW)) == items(services)
        # as of the evening before, by what was known then, nothing had been paid
        [then] = open_items_on(
            services.session, services.rules, "taro", date(2026, 5, 1), known_at=parse_instant("2026-05-01 23:59")
        )
        assert (then.open_yen, then.accrues_after) == (5_300, date(2026, 3, 30))


def test_5_2__a_deposit_goes_the_same_way_and_what_meets_nothing_writes_nothing(engine: sa.Engine) -> None:
    kept = Rules(Terms.load("premium").with_readings({"deposit_use": "kept_until_asked"}))
    with services_on(engine, kept) as services:
        open_world(services)
        services.billing.approve("taro", "monthly", "other", now=parse_instant("2026-03-16 10:00"))
        receive(services.session, services.rules, Payment("taro", 2_000), parse_instant("2026-03-16 10:00"))
        assert run_night(services, date(2026, 5, 1), parse_instant("2026-05-01 02:30")).certificate == "ok"
        held_yen = customer_deposits.deposit_of(services.session, "taro").sent_yen
        open_yen = sum(each.open_yen for each in items(services))
        deposit = customer_deposits.SentDeposit("keiri", "asked")
        applied = apply_money(services.session, services.rules, "taro", deposit, on=jst_day(NOW), now=NOW)
        assert applied is not None
        assert applied.used_yen + applied.left_yen == held_yen
        assert sum(each.yen for each in applied.settled) == open_yen > 0
        assert rows_of(services, applied) == (date(2026, 5, 2),)
        assert customer_deposits.deposit_of(services.session, "taro").sent_yen == applied.left_yen
        assert apply_money(services.session, services.rules, "taro", deposit, on=jst_day(NOW), now=NOW) is None
