"""A whole April 2026 in the real tables, made from its size alone, with faults planted in it.

Of a hundred contracts 90 are paid by card each month, 5 through an app store, 4 by bank transfer, one by card for a
year; they begin on the days 2 to 28. Every charge has a fee in it and others beside it (network, scheme, screening), so
that a contract has about five movements. A fifth had a term in March. Some cards are refused, some never pay; credits
are applied or refunded; disputes are opened and won; what a day moved is paid out on the next, and the bank has it on
the working day after. Every entry that all this makes is there, revenue is recognised by the night's own stage, and the
audit has nothing to say.

    planted = write_month(session, rules, contracts=2_000, transactions=10_000, faults=90)

Nothing here is drawn by chance: a number makes the contract, so the same size is the same month.
"""

from __future__ import annotations

import sqlalchemy as sa

from keizoku.billing.closing import revenue_stage
from keizoku.billing.closing.integrity_audit import audit
from keizoku.db.session import Session
from keizoku.db.tables.claims import claim_reasoning
from keizoku.db.tables.contracts import plan
from keizoku.db.tables.evidence import month_to_review
from keizoku.scheduler.night import run_log
from keizoku.terms.rules import Rules
from tests.benchmarks.month_faults import Expected, plant, planted_at
from tests.benchmarks.month_lives import LAST_NIGHT, LONG_AGO, MONTH, NOW, GeneratedMonth
from tests.benchmarks.month_rows import CHUNK, Rows

__all__ = ["MONTH", "NOW", "write_month"]


def write_month(session: Session, rules: Rules, contracts: int, transactions: int, faults: int) -> list[Expected]:
    """Fill a database that has its tables and nothing in them; what a reconciliation of April has to find. Commits."""
    for code, interval in (("monthly", "month"), ("yearly", "year")):
        session.execute(sa.insert(plan).values(code=code, interval=interval, recorded_at=LONG_AGO))
    bare: dict[str, object] = {
        "grounds": {},
        "facts": {},
        "waterfall": {},
        "recognised": [],
        "arrival": [],
        "steps": [],
    }
    session.execute(sa.insert(claim_reasoning).values(id=1, sha256="0" * 64, **bare))
    session.execute(sa.insert(month_to_review).values(id=1, month="2026-03", why="claims", recorded_at=LONG_AGO))
    month = GeneratedMonth(Rows(session, NOW))
    places = planted_at(contracts, faults)
    planted = []
    for number in range(contracts):
        fault = places.get(number)
        if fault is None:
            month.live(number)
        else:
            planted.append(plant(month, number, *fault))
        if number % CHUNK == CHUNK - 1:
            month.rows.write()
    month.screening(transactions)
    month.payouts()
    month.rows.finish()
    _nights(session, rules)
    return sorted(planted)


def _nights(session: Session, rules: Rules) -> None:
    """Revenue of the month, and the certificate of its last night."""
    revenue_stage.save(session, revenue_stage.due(session, rules, LAST_NIGHT), NOW)
    session.execute(sa.text("ANALYZE"))
    session.commit()
    found = audit(session, LAST_NIGHT, recognised_to=LAST_NIGHT)
    assert found.differences == (), found.differences
    run_log.certify(session, LAST_NIGHT, found, (), NOW)
