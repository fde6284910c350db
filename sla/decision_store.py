"""Saves what was decided about claims, one chunk per transaction.

A decision made of the same facts as the last one is not written again; an award is written only when it is
worth more than the one before, and where it is worth less people are told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from functools import lru_cache
from hashlib import sha256

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from db.session import JsonText, Session, copy_rows
from db.tables.claims import award, claim_decision, claim_reasoning
from db.tables.money import people_task
from sla.claim_decision import MonthDecision, Verdict, term_json
from sla.claim_json import DecisionTexts, encode
from sla.intervals import Spans, as_iso
from sla.review import OpenReview, close_review, decided_on
from sla.store import ClaimantFacts
from terms.money import fraction_text

_DRAW_IDS = sa.text("SELECT nextval(pg_get_serial_sequence(:table, 'id')) FROM generate_series(1, :count)")
_DECISION_COLUMNS = (
    *("id", "claim_id", "revision", "outcome", "reason", "seconds", "rate"),
    *("waterfall", "decision", "reasoning_id", "decided_on", "decided_at", "evidence_hash", "review_id"),
)


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided now on an account's month, what it was made of, and what stood before."""

    facts: ClaimantFacts
    decision: MonthDecision
    evidence_hash: str


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
    texts = DecisionTexts()
    verdicts = {id(made.verdict): made.verdict for made, _, _ in fresh}
    reasonings = _save_reasonings(session, verdicts, texts)
    waterfalls = {key: JsonText(encode(verdict.waterfall)) for key, verdict in verdicts.items()}
    rates = {key: verdict.tier and fraction_text(verdict.tier.rate) for key, verdict in verdicts.items()}
    drawn = _drawn(session, "claim_decision", len(fresh))
    on = decided_on(now)
    rows = []
    for row_id, (made, revision, made_of) in zip(drawn, fresh, strict=True):
        ids[made.claim_id] = row_id
        verdict, key = made.verdict, id(made.verdict)
        rows.append(
            (
                *(row_id, made.claim_id, revision, verdict.outcome, verdict.reason, verdict.seconds, rates[key]),
                *(waterfalls[key], JsonText(texts.own_part(made)), reasonings[key]),
                *(on, now, made_of, review.up_to_id),
            )
        )
    return copy_rows(session, claim_decision, _DECISION_COLUMNS, rows), ids


def _save_reasonings(session: Session, verdicts: Mapping[int, Verdict], texts: DecisionTexts) -> dict[int, int]:
    """The row of every verdict's steps, by the verdict's identity; steps that are not there yet are written."""
    steps = {key: JsonText(texts.steps(verdict)) for key, verdict in verdicts.items()}
    hashes = {key: sha256(text.encode()).hexdigest() for key, text in steps.items()}
    wanted = {hashes[key]: text for key, text in steps.items()}
    known = session.execute(
        sa.select(claim_reasoning.c.sha256, claim_reasoning.c.id).where(
            claim_reasoning.c.sha256 == sa.any_(sa.literal(list(wanted), sa.ARRAY(sa.Text)))
        )
    )
    ids: dict[str, int] = {row.sha256: row.id for row in known}
    missing = [each for each in wanted if each not in ids]
    ids |= zip(missing, _drawn(session, "claim_reasoning", len(missing)), strict=True)
    rows = ((ids[each], each, wanted[each]) for each in missing)
    copy_rows(session, claim_reasoning, ("id", "sha256", "steps"), rows)
    return {key: ids[each] for key, each in hashes.items()}


def _drawn(session: Session, table: str, count: int) -> list[int]:
    """Ids for as many new rows."""
    return list(session.execute(_DRAW_IDS, {"table": table, "count": count}).scalars()) if count else []


def _save_awards(session: Session, decided: Sequence[Decided], decision_ids: dict[str, int], now: datetime) -> int:
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
                "windows": _windows_text(new.rests_on.recognised),
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


@lru_cache(maxsize=10_000)
def _windows_text(windows: Spans) -> JsonText:
    return JsonText(encode(as_iso(windows)))  # most accounts share theirs


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
