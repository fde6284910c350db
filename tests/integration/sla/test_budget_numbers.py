"""What a monitor is told of the running month is what measuring it anew would find, whatever became known and when."""

import random
from datetime import timedelta

import pytest

from keizoku.db.session import Session
from keizoku.scheduler.worker import budget_numbers
from keizoku.scheduler.worker.budget_numbers import BudgetNumbers
from keizoku.sla.months.budget import budget_of
from keizoku.terms.calendar import Month, parse_instant
from tests.worlds.evidence_files import outage_with_expected_end, service_of_thousand
from tests.worlds.sla_world import RULES


@pytest.mark.parametrize("seed", range(4))
def test_9_2__what_is_told_is_what_measuring_anew_finds(
    session: Session, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(budget_numbers, "MEASURED_HOLDS", 0)
    chance, service, now = random.Random(seed), service_of_thousand(session), parse_instant("2026-04-20 00:00")  # noqa: S311
    numbers, measured, steps = BudgetNumbers(), 0, 60
    numbers.leads, numbers.clock = lambda: True, lambda: now
    for _ in range(steps):
        now += timedelta(minutes=chance.choice((1, 7, 60, 1_440)))  # over the month's end, too
        if chance.random() < 0.4:
            start = now + timedelta(minutes=chance.randint(-20_000, 90))
            end = start + timedelta(minutes=chance.choice((5, 10, 45, 300)))
            affected = chance.choice((50, 51, 1_000))
            if end > now:
                outage_with_expected_end(session, start, end, affected, now)
            else:
                service.record_outage(start, end, affected, now=now)
        if chance.random() < 0.2:
            start = now - timedelta(minutes=chance.randint(0, 5_000))
            values = (start, start + timedelta(minutes=30), chance.choice((10, 900)), 1_000)
            assert service.counts([values], now=now) == []
        measured += numbers.measure(session, RULES, now) is not None
        anew = budget_of(session, RULES, Month.of(now), now)
        told = {
            (family.name, *sample.labels.values()): sample.value
            for family in numbers.collect()
            for sample in family.samples
        }
        expected: dict[tuple[str, ...], float] = {
            ("keizoku_sla_unusable_seconds",): anew.unusable,
            ("keizoku_sla_unknown_seconds",): anew.unknown,
        }
        for place, each in enumerate(anew.tiers, 1):
            expected["keizoku_sla_seconds_to_tier", str(place)] = each.tier.over_seconds - each.used
            expected["keizoku_sla_budget_used_ratio", str(place)] = each.used / each.tier.over_seconds
        assert told == expected
    assert 0 < measured < steps  # and not each time
