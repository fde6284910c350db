"""What is decided years and versions later is decided by the terms of the outage's month."""

from datetime import date, datetime
from fractions import Fraction
from pathlib import Path

import pytest
import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.claims import award, claim_decision, claim_reasoning
from keizoku.db.tables.contracts import plan, term
from keizoku.sla.claims import claim_stage
from keizoku.sla.services.sla_service import SlaService
from keizoku.terms.calendar import Month, day_start_at
from keizoku.terms.own_versions import with_own_versions
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules
from tests.worlds.sla_world import at, member

PREMIUM = Path(__file__).parents[3] / "terms" / "premium"
OLD, NEW = "2024-12-02", "2027-04-01"
MARCH, APRIL = Month(2027, 3), Month(2027, 4)


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Rules:
    """From April 2027 a tier of 30 % instead of 20 %, over one hour instead of 3.6."""
    folder = tmp_path_factory.mktemp("terms")
    for path in PREMIUM.glob(f"{OLD}*.toml"):
        text = path.read_text(encoding="utf-8")
        for before, after in (
            (f"in_force_from = {OLD}", f"in_force_from = {NEW}"),
            (f'version = "{OLD}"', f'version = "{NEW}"'),
            ('rate = "0.2"', 'rate = "0.3"'),
            ("12_960", "3_600"),
        ):
            text = text.replace(before, after)
        (folder / path.name.replace(OLD, NEW)).write_text(text, encoding="utf-8")
    terms, findings = with_own_versions(Terms.load(), folder)
    assert findings == []
    assert [version.version for version in terms.versions] == [OLD, NEW]
    return Rules(terms)


def night(session: Session, rules: Rules, on: str) -> None:
    business_date = date.fromisoformat(on)
    for _ in claim_stage.adjudicate_due(session, rules, business_date, day_start_at(business_date)):
        pass


def last(session: Session, claim_id: str) -> tuple[str, str | None, str | None, str]:
    query = (
        sa.select(claim_decision, claim_reasoning.c.grounds)
        .join(claim_reasoning, claim_reasoning.c.id == claim_decision.c.reasoning_id)
        .where(claim_decision.c.claim_id == claim_id)
        .order_by(claim_decision.c.revision)
    )
    *_, row = session.execute(query)
    return row.outcome, row.reason, row.rate, row.grounds["terms"]


def test_9_2__each_month_is_judged_by_its_own_version_however_late(session: Session, rules: Rules) -> None:
    long_ago = at("2025-01-01")
    session.execute(sa.insert(plan).values(code="monthly", interval="month", recorded_at=long_ago))
    session.commit()
    member(
        session, "hanako", interval="year", price_yen=6_000, ends_on="2027-03-20"
    )  # one term, 2026-03-20 to 2027-03-20
    member(session, "taro", interval="year", price_yen=6_000, ends_on="2027-03-20")
    session.execute(sa.update(term).values(ends_on=date(2027, 6, 20)))  # it reaches beyond both months here
    session.commit()
    service = SlaService(session, rules)
    service.population(long_ago, 1_000_000, now=long_ago)

    def stop(month: str, name: str, now: datetime) -> None:
        assert service.record_outage(at(f"{month}-10 09:00"), at(f"{month}-10 12:37"), 60_000, id=name, now=now) == []

    stop("2027-04", "april", at("2027-04-10 14:00"))
    assert service.claim("m1", "hanako", MARCH, now=at("2027-04-30 23:00")) == []
    assert service.claim("a1", "hanako", APRIL, now=at("2027-05-30 23:00")) == []
    night(session, rules, "2027-06-01")
    assert last(session, "m1") == ("rejected", "threshold", None, OLD)
    assert last(session, "a1") == ("granted", None, "0.3", NEW)

    # two years later March's stop becomes known, and a claim for it arrives
    stop("2027-03", "march", at("2029-05-01 09:00"))
    assert service.claim("t1", "taro", MARCH, now=at("2029-05-01 10:00")) == []
    night(session, rules, "2029-05-02")
    assert last(session, "m1") == ("granted", None, "0.2", OLD)
    assert last(session, "t1") == ("rejected", "deadline", None, OLD)
    assert last(session, "a1") == ("granted", None, "0.3", NEW)
    awards = session.execute(sa.select(award.c.account, award.c.month, award.c.rate).order_by(award.c.month)).all()
    assert [(each.account, each.month, Fraction(each.rate)) for each in awards] == [
        ("hanako", "2027-03", Fraction(1, 5)),
        ("hanako", "2027-04", Fraction(3, 10)),
    ]
