"""A service with one plan and a million users, its members, its outages, and the claims stage of a night."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.claims import award
from keizoku.db.tables.contracts import account, contract, plan, term
from keizoku.sla.claims import claim_stage
from keizoku.sla.claims.claim_views import claim_status
from keizoku.sla.services.sla_service import SlaService
from keizoku.terms.calendar import Month, day_start_at, parse_instant
from keizoku.terms.discretion import Discretion
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules

RULES = Rules(Terms.load("premium"), Discretion())
APRIL = Month(2026, 4)
LONG_AGO = parse_instant("2025-01-01")


def at(text: str) -> datetime:
    return parse_instant(text)


def open_service(session: Session) -> SlaService:
    """A desk of a service with a million users and one plan."""
    session.execute(sa.insert(plan).values(code="monthly", interval="month", recorded_at=LONG_AGO))
    session.commit()
    service = SlaService(session, RULES)
    assert service.population(LONG_AGO, 1_000_000, now=LONG_AGO) == []
    return service


def member(
    session: Session,
    name: str,
    *,
    method: str = "card",
    starts_at: str = "2026-03-20 10:00",
    ends_on: str = "2026-05-20",
    price_yen: int = 500,
    interval: str = "month",
    **ended: Any,
) -> int:
    """An account with one term, as the contract stage would have written it; the contract's id."""
    first = at(starts_at)
    if not session.execute(sa.select(account.c.id).where(account.c.id == name)).all():
        session.execute(sa.insert(account).values(id=name, created_at=first))
    values = {
        "account": name,
        "plan": "monthly",
        "method": method,
        "applied_at": first,
        "approved_at": first,
        "anchor_on": first.date(),
        "recorded_at": first,
        **ended,
    }
    inserted = session.execute(sa.insert(contract).values(**values).returning(contract.c.id))
    contract_id = int(inserted.scalar_one())
    session.execute(
        sa.insert(term).values(
            contract_id=contract_id,
            account=name,
            seq=1,
            starts_on=(first + timedelta(hours=9)).date(),
            ends_on=date.fromisoformat(ends_on),
            starts_at=first,
            closed_on=ended.get("ended_on"),
            method=method,
            plan="monthly",
            interval=interval,
            price_yen=price_yen,
            terms_version="2024-12-02",
            recorded_at=first,
        )
    )
    session.commit()
    return contract_id


def night(session: Session, on: str, chunk_accounts: int = claim_stage.CHUNK_ACCOUNTS) -> int:
    """The claims stage of a business date, at 02:30."""
    business_date = date.fromisoformat(on)
    now = day_start_at(business_date) + timedelta(hours=2, minutes=30)
    return sum(claim_stage.adjudicate_due(session, RULES, business_date, now, chunk_accounts))


def seen(session: Session, claim_id: str, when: str = "2026-12-31") -> dict[str, Any]:
    return claim_status(session, claim_id, at(when)).to_json()


def awards(session: Session) -> Sequence[sa.Row[Any]]:
    return session.execute(sa.select(award).order_by(award.c.id)).all()


def windows(*pairs: tuple[str, str]) -> list[tuple[datetime, datetime]]:
    return [(at(start), at(end)) for start, end in pairs]


def three_outages(service: SlaService) -> None:
    """April's outages of the first example: 29,220 s gross, 14,820 s unusable."""
    for start, end, affected, known in (
        ("2026-04-10 09:00", "2026-04-10 12:37", 60_000, "2026-04-10 14:00"),
        ("2026-04-12 00:30", "2026-04-12 05:00", 900_000, "2026-04-12 05:30"),
        ("2026-04-15 09:00", "2026-04-15 09:50", 50_000, "2026-04-15 10:00"),
    ):
        assert service.record_outage(at(start), at(end), affected, now=at(known)) == []


def long_outage(service: SlaService, hours: int = 4, **more: Any) -> None:
    noon = at("2026-04-10 12:00")
    assert (
        service.record_outage(noon, noon + timedelta(hours=hours), 60_000, now=noon + timedelta(hours=9), **more) == []
    )
