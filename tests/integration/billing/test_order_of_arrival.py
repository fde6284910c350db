"""A payment counts from the day on which it reached us, in whatever order payments are recorded (premium/5.2)."""

from collections.abc import Callable
from datetime import date, timedelta
from itertools import permutations
from pathlib import Path

import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from keizoku.billing.accounts.account_views import owed_view
from keizoku.billing.closing.month_close import _digest
from keizoku.billing.receivables.bank import bank_transfers
from keizoku.billing.receivables.receipts import Payment, receive
from keizoku.db.tables.books import entry, line
from keizoku.db.tables.closing import month_act
from keizoku.db.tables.money import user_notice
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.simulator import Simulator
from keizoku.terms.calendar import parse_instant
from keizoku.terms.discretion import Discretion
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules
from tests.worlds.arrivals import RULES, arrivals
from tests.worlds.world import balances, open_world, services_on

JULY_6 = parse_instant("2026-07-06 10:00")


def owes_36_500(services: Services) -> str:
    """An account that owes 36,500 yen since 15 June 2026; the reference of the account."""
    open_world(services)
    at, first = parse_instant("2025-01-01 00:00"), date(2025, 1, 1)
    services.billing.add_plan("dear", "month", now=at)
    services.billing.price(
        "dear", 36_500, announced=first, for_new_from=first, for_renewals_from=first, initial=True, now=at
    )
    services.billing.approve("a", "dear", "other", now=parse_instant("2026-06-01 10:00"))
    return str(bank_transfers.references_of(services.session, "a")[0]["reference"])


def take(services: Services, folder: Path, rows: str, now: object) -> None:
    file = folder / "bank.csv"
    file.write_text("date,amount,payer,reference\n" + rows, encoding="utf-8")
    services.billing.import_bank(file, author="keiri", now=now)  # type: ignore[arg-type]


def test_5_2__an_older_payment_matched_later_stops_interest_on_its_own_day(engine: sa.Engine, tmp_path: Path) -> None:
    with services_on(engine) as services:
        reference = owes_36_500(services)
        take(services, tmp_path, "2026-06-25,20000,A,\n", parse_instant("2026-06-26 10:00"))
        take(services, tmp_path, f"2026-06-30,20000,A,{reference}\n", parse_instant("2026-07-01 10:00"))
        before = owed_view(services.session, services.rules, "a", JULY_6)
        assert (before["principal"], before["interest"]) == (16_719, 40)
        services.billing.match_payment(1, "a", by="keiri", ground="told by phone", now=JULY_6)
        # 25 June: ten days, 146; 30 June: five days of 16,646, 33.29
        after = owed_view(services.session, services.rules, "a", JULY_6)
        assert (after["principal"], after["interest"], after["deposit"]) == (0, 0, 3_321)
        assert balances(services, "1110", "1140", "1150", "2140", "2145", "7110") == [40_000, 0, 0, -3_321, 0, -179]
        query = sa.select(user_notice.c.body_en, user_notice.c.details).where(user_notice.c.kind == "recalculation")
        [told] = services.session.execute(query)
        assert "Your payment of 20,000 yen counts from 25 June 2026" in told.body_en
        assert [(each["en"], each["yen"]) for each in told.details] == [
            ("Unpaid fees", 0),
            ("Late interest", 0),
            ("Kept for you", 3_321),
        ]


def test_5_2__a_transfer_that_was_there_before_the_card_was_charged_bears_interest_to_its_own_day(
    engine: sa.Engine, tmp_path: Path
) -> None:
    with services_on(engine) as services:
        owes_36_500(services)
        Simulator(services).cards.set_card("b", "insufficient_funds")
        services.billing.approve("b", "dear", "card", now=parse_instant("2026-05-01 10:00"))
        own = bank_transfers.references_of(services.session, "b")[0]["reference"]
        Simulator(services).cards.set_card("b", "ok")
        services.billing.new_card("b", now=parse_instant("2026-05-26 10:00"))
        before = owed_view(services.session, services.rules, "b", parse_instant("2026-05-26 11:00"))
        assert (before["principal"], before["interest"]) == (0, 365)  # 25 days
        now = parse_instant("2026-05-27 10:00")
        take(services, tmp_path, f"2026-05-11,36646,B,{own}\n", now)
        after = owed_view(services.session, services.rules, "b", now)
        assert (after["principal"], after["interest"], after["deposit"]) == (0, 0, 36_500)  # ten days: 146
        assert balances(services, "1110", "1131", "1150", "2140", "7110") == [36_646, 36_500, 0, -36_500, -146]
        take(services, tmp_path, f"2026-05-06,10000,B,{own}\n", now)  # five days: 73; five of the rest, 26,573: 53
        after = owed_view(services.session, services.rules, "b", now)
        assert (after["principal"], after["interest"], after["deposit"]) == (0, 0, 46_520)


def test_5_2__closed_months_stay_as_they_are_and_what_changes_names_its_month(
    engine: sa.Engine, tmp_path: Path
) -> None:
    with services_on(engine) as services:
        reference = owes_36_500(services)
        take(services, tmp_path, f"2026-06-30,20000,A,{reference}\n", parse_instant("2026-07-01 10:00"))
        services.session.execute(
            sa.insert(month_act).values(
                month="2026-06", kind="closed", from_on=None, to_on=date(2026, 7, 1), open_from=date(2026, 7, 1),
                entries=0, content="", previous="", hash="x", author="keiri", ground="", recorded_at=JULY_6,
            )
        )  # fmt: skip
        services.session.commit()
        closed = _digest(services.session, None, date(2026, 7, 1))
        take(services, tmp_path, f"2026-06-25,20000,A,{reference}\n", JULY_6)
        assert _digest(services.session, None, date(2026, 7, 1)) == closed
        new = services.session.execute(sa.select(entry).where(entry.c.recorded_at == JULY_6)).all()
        assert {(each.posted_on, each.belongs_to) for each in new} == {(date(2026, 7, 1), "2026-06")}
        assert balances(services, "1110", "1140", "1150", "2140", "2145", "7110") == [40_000, 0, 0, -3_321, 0, -179]


def test_5_2__receipts_matches_and_a_set_off_beside_a_card_s_charge_end_the_same_in_any_order(
    engine: sa.Engine, tmp_path: Path
) -> None:
    """Six orders; `make soak` lives more facts in up to 24 orders (tests/worlds/arrivals.py)."""
    with services_on(engine, RULES) as services:
        done = arrivals(services, 3, tmp_path)
        assert (done.orders, {fact.kind for fact in done.facts}, done.differences) == (6, {"receipt", "set_off"}, [])


PATIENT = Discretion(suspend_after_days=80, terminate_after_days=90)
Receipts = list[tuple[int, int]]  # days after 10 June, yen


@given(
    receipts=st.lists(st.tuples(st.integers(0, 24), st.integers(50, 40_000)), min_size=2, max_size=3),
    known=st.integers(0, 3),
)
@settings(
    max_examples=3,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.generate],
)
@example(receipts=[(0, 50), (0, 50), (0, 15_166)], known=1)
@example(receipts=[(15, 20_000), (20, 20_000), (5, 39_000)], known=2)
def test_5_2__receipts_recorded_in_any_order_end_in_the_same_debts_deposits_and_books(
    engine_with_tables: Callable[[], sa.Engine], receipts: Receipts, known: int
) -> None:
    """Some are known before the night on which a deposit pays the next fee, the others after it."""
    with services_on(engine_with_tables(), Rules(Terms.load("premium"), PATIENT)) as services:
        owes_36_500(services)
        orders = {f"p{n}": order for n, order in enumerate(permutations(receipts))}
        for account in orders:
            services.billing.approve(account, "dear", "other", now=parse_instant("2026-06-01 11:00"))

        def record(part: slice, at: str) -> None:
            for account, order in orders.items():
                for n, (days, yen) in enumerate(order[part]):
                    payment = Payment(account, yen, received_on=date(2026, 6, 10) + timedelta(days))
                    receive(services.session, services.rules, payment, parse_instant(at) + timedelta(minutes=n))

        run_night(services, date(2026, 7, 1), parse_instant("2026-07-01 02:30"))
        record(slice(known), "2026-07-06 10:00")
        run_night(services, date(2026, 7, 15), parse_instant("2026-07-15 02:30"))
        record(slice(known, None), "2026-07-20 10:00")
        night = run_night(services, date(2026, 8, 1), parse_instant("2026-08-01 02:30"))  # it demands what is owed
        assert night.certificate == "ok"
        ends = {}
        for account in orders:
            view = owed_view(services.session, services.rules, account, parse_instant("2026-08-01 10:00"))
            lines = services.session.execute(
                sa.select(line.c.code, sa.func.sum(line.c.yen)).join(entry, entry.c.id == line.c.entry_id)
                .where(entry.c.account == account).group_by(line.c.code).order_by(line.c.code)
            ).all()  # fmt: skip
            left = [tuple(row) for row in lines if row[1]]
            ends[account] = (view["principal"], view["interest"], view["deposit"], *left)
        assert len(set(ends.values())) == 1, ends
