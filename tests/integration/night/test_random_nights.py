"""A sample of what `make soak` runs at length: nights with a gateway that fails at random, over real HTTP."""

import os

import sqlalchemy as sa

from tests.worlds.random_nights import random_nights
from tests.worlds.stripe_proxy import FAULTS
from tests.worlds.stripe_running import running_proxy

NIGHTS = int(os.environ.get("KEIZOKU_SOAK_NIGHTS", "20"))
SEED = int(os.environ.get("KEIZOKU_SOAK_SEED", "5"))


def test_5_2__after_random_nights_each_invoice_was_charged_once_or_not_at_all_with_a_reason(engine: sa.Engine) -> None:
    with running_proxy() as proxy:
        weather = random_nights(engine, proxy, SEED, NIGHTS)
    assert set(weather.faults) == {*FAULTS, "wrong key"}
    assert min(weather.payouts["paid"], weather.payouts["failed"], weather.inquiries) > 0
    assert weather.invoices["charged once"] > NIGHTS // 2
    assert weather.invoices["paid otherwise, a late success given back"] > 0
