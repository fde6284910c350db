"""What of sold, unused keys the Payment Services Act lets be paid back (Act 20 V, Cabinet Office Order 42)."""

from datetime import date, datetime

import pytest
import sqlalchemy as sa

from keizoku.billing.contracts.code_batches import BatchOrder
from keizoku.billing.contracts.prepaid_report import half_year
from keizoku.billing.rules.prepaid_refunds import HalfYear, last_base_date
from keizoku.scheduler.app import Services
from keizoku.terms.calendar import parse_instant
from keizoku.terms.discretion import Discretion
from keizoku.terms.policy import Terms
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules
from tests.worlds.world import open_world, services_on

MARCH, APRIL = parse_instant("2026-03-26 10:00"), parse_instant("2026-04-10 10:00")
BY = {"by": "keiri", "ground": "it is asked for"}


def sold(services: Services, name: str, keys: int, now: datetime, expires_on: date = date(2027, 4, 30)) -> None:
    order = BatchOrder(name, "product_key", "monthly", 2, keys, expires_on, yen=1_000_000, sold=keys)
    services.billing.issue_codes(order, lambda _: None, by="keiri", now=now)


def revoked(services: Services, name: str, now: datetime, case: str = "small") -> int:
    return services.billing.revoke_batch(name, "product_key", now=now, case=case, **BY)


def noted(services: Services) -> list[tuple[object, ...]]:
    rows = services.session.execute(
        sa.text(
            "SELECT name, code_sale.codes, allowed_as FROM code_sale JOIN code_batch ON code_batch.id = batch_id "
            "WHERE code_sale.kind = 'refunded' ORDER BY code_sale.id"
        )
    )
    return [tuple(row) for row in rows]


def test_the_half_year_of_a_day_begins_after_the_last_base_date() -> None:
    days = [date(2026, 3, 31), date(2026, 4, 1), date(2026, 9, 30), date(2026, 10, 1), date(2027, 1, 1)]
    before = [date(2025, 9, 30), date(2026, 3, 31), date(2026, 3, 31), date(2026, 9, 30), date(2026, 9, 30)]
    assert [last_base_date(day) for day in days] == before
    assert [HalfYear(999, 0, 0).limit_yen, HalfYear(0, 1_999, 0).limit_yen, HalfYear(100, 500, 30).left_yen] == [
        199, 99, 0,
    ]  # fmt: skip


def test_5_1_1_b__above_the_threshold_refunds_of_keys_keep_to_the_limits_of_the_law(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        open_world(services)
        sold(services, "spring", 13, MARCH)
        sold(services, "early", 4, MARCH)
        assert revoked(services, "early", MARCH) == 4  # on no base date so far more than 10,000,000 were unused
        for name, keys in (("a", 2), ("b", 1)):
            sold(services, name, keys, APRIL)
        sold(services, "short", 5, APRIL, date(2026, 10, 10))
        assert half_year(services.session, date(2026, 4, 10)) == HalfYear(17_000_000, 13_000_000, 0)
        with pytest.raises(Refused) as refused:
            revoked(services, "spring", APRIL)
        assert refused.value.code == "key.refund_limit"
        assert str(refused.value).startswith(
            "batch 'spring': 13,000,000 yen of sold keys cannot be paid back: the law allows 3,400,000 yen in this "
            "half year (20% of 17,000,000 sold in the half before, or 5% of 13,000,000 unused on 2026-03-31), of which "
            "3,400,000 are left"
        )
        assert revoked(services, "a", APRIL) == 2
        sold(services, "c", 2, APRIL)
        with pytest.raises(Refused, match="1,400,000 are left"):
            revoked(services, "c", APRIL)
        with pytest.raises(Refused, match="'kind' is no case of the law; there are small, abolished, hardship"):
            revoked(services, "c", APRIL, "kind")
        assert revoked(services, "c", APRIL, "hardship") == 2
        assert revoked(services, "short", APRIL) == 5  # for six months at most: not of the Act
        assert revoked(services, "spring", APRIL, "abolished") == 13
        with pytest.raises(Refused, match="of which 0 are left"):
            revoked(services, "b", APRIL)
        assert noted(services) == [
            ("early", 4, None), ("a", 2, "small"), ("c", 2, "hardship"), ("short", 5, None),
            ("spring", 13, "abolished"),
        ]  # fmt: skip


def test_5_1_1_b__an_issuer_who_has_notified_is_bound_at_once_and_keys_are_sold_when_somebody_says_so(
    engine: sa.Engine,
) -> None:
    with services_on(engine, Rules(Terms.load("premium"), Discretion(prepaid_issuer="notified"))) as services:
        open_world(services)
        order = BatchOrder("spring", "product_key", "monthly", 2, 3, date(2027, 4, 30), yen=800)
        services.billing.issue_codes(order, lambda _: None, by="keiri", now=MARCH)
        assert services.billing.sell_keys("spring", 1, by="keiri", now=MARCH) == 800  # made is not sold
        with pytest.raises(Refused, match="the law allows 0 yen in this half year"):
            revoked(services, "spring", MARCH)
