"""What only a simulated world can do stands beside the services, and is refused where real cards are charged."""

from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from keizoku.billing.services.billing_service import BillingService
from keizoku.scheduler.app import Services
from keizoku.scheduler.simulator import Simulator
from keizoku.terms.refusal import Refused

NOW = datetime(2026, 4, 1, tzinfo=UTC)


def test_the_services_have_no_act_that_only_a_simulated_world_can_do() -> None:
    acts = [name for name in vars(Simulator) if not name.startswith("_") and name not in ("services", "close_month")]
    assert sorted(acts) == ["cards", "dispute", "refund_fails"]
    assert [name for name in ("dispute", "refund_fails") if hasattr(BillingService, name)] == []
    assert not hasattr(Services, "cards")


def test_where_real_cards_are_charged_everything_is_refused() -> None:
    real = Simulator(Services(cast(Any, None), cast(Any, None), cast(Any, SimpleNamespace(name="stripe"))))
    with pytest.raises(TypeError, match="not with stripe"):
        _ = real.cards
    with pytest.raises(Refused, match="come from stripe itself"):
        real.dispute("hanako", date(2026, 4, 1), "lost", decided_on=date(2026, 4, 2), now=NOW)
    with pytest.raises(Refused, match="come from stripe itself"):
        real.refund_fails("hanako", now=NOW)
