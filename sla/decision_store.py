"""Saves what was decided about claims, one chunk per transaction.

A decision made of the same facts as the last one is not written again; an award is written only when it is
worth more than the one before, and where it is worth less people are told.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from functools import cache
from hashlib import sha256

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from db.session import Session, copy_rows
from db.tables.claims import award, claim_decision
from db.tables.money import people_task
from sla.claims import AccountMonth, MonthDecision, term_json
from sla.intervals import as_iso
from sla.review import OpenReview, close_review, decided_on
from sla.store import ClaimantFacts
from sla.unusable import ServiceMonth
from terms.calendar import iso_jst
from terms.money import fraction_text
from terms.policy import Policy

_DRAW_DECISION_IDS = sa.text(
    "SELECT nextval(pg_get_serial_sequence('claim_decision', 'id')) FROM generate_series(1, :count)"
)


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided now on an account's month, what it was made of, and what stood before."""

    facts: ClaimantFacts
    decision: MonthDecision
    evidence_hash: str


def evidence_hash(service_hash: str, among: AccountMonth) -> str:
    """What an account's decision was made of, as one number; `service_hash` stands for what all share."""
    return _hash(
        (
            service_hash,
            [(claim.claim_id, claim.received_at, claim.windows) for claim in among.claims],
            [(t.term_id, t.start, t.end, t.method, t.interval, t.price_yen) for t in among.terms],
            [(ruling.claim_id, ruling.windows) for ruling in among.rulings],
            (among.suspended, among.environment, among.form_outages),
        )
    )


def service_hash(service: ServiceMonth, policy: Policy) -> str:
    """The month as it holds for everyone, with the terms and readings it is decided by, as one number."""
    return _hash((service.gross, dict(service.buckets), policy.version, dict(policy.readings)))


def _hash(made_of: object) -> str:
    written = json.dumps(made_of, sort_keys=True, default=iso_jst)
    return sha256(written.encode()).hexdigest()


def save_decided(
    session: Session, review: OpenReview, decided: Sequence[Decided], now: datetime, *, closes: bool
) -> int:
    """Write what is new of one chunk and commit; the number of rows written. `closes`: the month is done."""
    changes, decision_ids = _save_decisions(session, review, decided, now)
    changes += _save_awards(session, decided, decision_ids, now)
    changes += _note_falls(session, decided, now)
    if closes:
        close_review(session, review.month, review.up_to_id, now)
        changes += 1
    session.commit()
    return changes


def _save_decisions(
    session: Session, review: OpenReview, decided: Sequence[Decided], now: datetime
) -> tuple[int, dict[str, int]]:
    """Write decisions that differ from the last; the newest decision's row of every claim."""
    ids: dict[str, int] = {}
    fresh = []
    for each in decided:
        for made in each.decision.claims:
            last = each.facts.last_decisions.get(made.claim_id)
            if last is not None and last.evidence_hash == each.evidence_hash:
                ids[made.claim_id] = last.decision_id
            else:
                fresh.append((made, last.revision + 1 if last else 1, each.evidence_hash))
    if not fresh:
        return 0, ids
    drawn = session.execute(_DRAW_DECISION_IDS, {"count": len(fresh)}).scalars()
    rows = []
    for row_id, (made, revision, made_of) in zip(drawn, fresh, strict=True):
        ids[made.claim_id] = row_id
        rows.append(
            {
                "id": row_id,
                "claim_id": made.claim_id,
                "revision": revision,
                "outcome": made.outcome,
                "reason": made.reason,
                "seconds": made.seconds,
                "rate": fraction_text(made.rate) if made.rate is not None else None,
                "waterfall": made.waterfall,
                "decision": made.decision.to_json(),
                "decided_on": decided_on(now),
                "decided_at": now,
                "evidence_hash": made_of,
                "review_id": review.up_to_id,
            }
        )
    columns = list(rows[0])
    return copy_rows(session, claim_decision, columns, (list(row.values()) for row in rows)), ids


def _save_awards(session: Session, decided: Sequence[Decided], decision_ids: dict[str, int], now: datetime) -> int:
    windows_of = cache(as_iso)  # most accounts share their windows
    rows = []
    for each in decided:
        new, last = each.decision.award, each.facts.last_award
        if new is None or new.rests_on.rate is None or (last is not None and new.rests_on.worth <= last.worth):
            continue
        rows.append(
            {
                "account": each.facts.among.account,
                "month": str(each.facts.among.month),
                "revision": last.revision + 1 if last else 1,
                "claim_id": new.claim_id,
                "rate": fraction_text(new.rests_on.rate),
                "seconds": new.rests_on.seconds,
                "windows": windows_of(new.rests_on.recognised),
                "term_ids": list(new.rests_on.term_ids),
                "term_prices": [term_json(each_term) for each_term in new.rests_on.terms],
                "fee_basis": str(new.rests_on.monthly_fee),
                "usable_from": new.usable_from,
                "decided_on": decided_on(now),
                "decided_at": now,
                "decision_id": decision_ids[new.rests_on.claim_id],
            }
        )
    return copy_rows(session, award, list(rows[0]), (list(row.values()) for row in rows)) if rows else 0


def _note_falls(session: Session, decided: Sequence[Decided], now: datetime) -> int:
    """An award is never lowered: what is now worth less than was awarded is shown to finance, once."""
    rows = []
    for each in decided:
        last, new = each.facts.last_award, each.decision.award
        worth = new.rests_on.worth if new else Fraction(0)
        if last is not None and worth < last.worth:
            among = each.facts.among
            rows.append(
                {
                    "kind": "award_above_finding",
                    "subject": f"{among.account} {among.month}: {last.worth} -> {worth}",
                    "opened_at": now,
                    "detail": {
                        "account": among.account,
                        "month": str(among.month),
                        "awarded_yen_exact": str(last.worth),
                        "found_yen_exact": str(worth),
                    },
                }
            )
    if not rows:
        return 0
    noted = session.execute(insert(people_task).values(rows).on_conflict_do_nothing().returning(people_task.c.id))
    return len(noted.all())
