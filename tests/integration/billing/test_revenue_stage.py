"""Revenue in the books where it is easily wrong: nights missed across a change of the tax, a payment taken back."""

from dataclasses import replace
from datetime import date
from fractions import Fraction
from pathlib import Path

import sqlalchemy as sa

from keizoku.billing.receivables import bank_transfers
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.terms.calendar import parse_instant
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules
from tests.worlds.world import open_world, services_on

MAY = parse_instant("2026-05-01 02:30")


def with_another_tax_before(day: date, rate: Fraction) -> Rules:
    """The rules, with another rate of tax until a day."""
    (version,) = Terms.load("premium").versions
    assert version.policy is not None
    tax = version.policy.tax.model_copy(update={"rate": rate})
    before = replace(version, in_force_until=day, policy=version.policy.model_copy(update={"tax": tax}))
    return Rules(Terms("premium", (before, replace(version, in_force_from=day))))


def test_tax__nights_caught_up_across_a_change_of_the_rate_take_the_rate_of_each_term(engine: sa.Engine) -> None:
    with services_on(engine, with_another_tax_before(date(2026, 4, 1), Fraction(8, 100))) as services:
        open_world(services)
        services.billing.approve("taro", "monthly", "app_store", now=parse_instant("2026-03-28 10:00"))
        assert run_night(services, date(2026, 5, 1), MAY).certificate == "ok"
        revenue = services.session.execute(sa.text("SELECT sum(yen), sum(tax_yen) FROM revenue_posting")).one()
        # 28 March to 27 April: 500 at 8 %, 37; three of 30 days of the next term: 50 at 10 %, 4
        assert tuple(revenue) == (550, 41)
        assert run_night(services, date(2026, 5, 1), MAY).changes == 0


def test_6_3__a_fee_that_stands_open_again_after_it_was_earned_is_written_off_as_revenue(
    engine: sa.Engine, tmp_path: Path
) -> None:
    with services_on(engine) as services:
        open_world(services)
        service = services.billing
        service.approve("taro", "yearly", "other", now=parse_instant("2026-04-10 10:00"))
        service.leave_service("taro", now=parse_instant("2026-04-12 10:00"))
        file = tmp_path / "bank.csv"
        reference = bank_transfers.references_of(services.session, "taro")[1]["reference"]
        file.write_text(f"date,amount,payer,reference\n2026-04-13,5300,X,{reference}\n", encoding="utf-8")
        service.import_bank(file, author="keiri", now=parse_instant("2026-04-14 10:00"))
        assert run_night(services, date(2026, 5, 1), MAY).certificate == "ok"  # all of it is earned
        service.unmatch_payment(1, by="keiri", ground="another's", now=parse_instant("2026-05-01 09:00"))
        service.write_off("taro", date(2026, 4, 10), by="keiri", ground="gone", now=parse_instant("2026-05-01 10:00"))
        night = run_night(services, date(2026, 5, 2), parse_instant("2026-05-02 02:30"))
        assert (night.certificate, night.differences) == ("ok", ())
        balances = services.session.execute(
            sa.text("SELECT code, sum(yen) FROM line WHERE code IN ('1140', '2120') GROUP BY 1 ORDER BY 1")
        ).all()
        assert [tuple(row) for row in balances] == [("1140", 0), ("2120", 0)]
