"""Saves what was decided about claims, one chunk per transaction.

A decision made of the same facts as the last one is not written again; an award is written only when it is
worth more than the one before, and where it is worth less people are told.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from hashlib import sha256

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from db.session import CopyText, Session, copy_rows
from db.tables.claims import award, claim_decision, claim_reasoning
from db.tables.money import people_task
from sla.claim_decision import MonthDecision, Verdict
from sla.claim_json import DecisionTexts, encode
from sla.intervals import as_iso
from sla.review import OpenReview, close_review, decided_on
from sla.store import ClaimantFacts
from terms.money import fraction_text

_DRAW_IDS = sa.text("SELECT nextval(pg_get_serial_sequence(:table, 'id')) FROM generate_series(1, :count)")
_AWARD_COLUMNS = (
    *("account", "month", "revision", "claim_id", "rate", "seconds", "windows", "fee_basis"),
    *("term_ids", "term_prices", "usable_from", "decided_on", "decided_at", "decision_id"),
)
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
    texts = DecisionTexts()
    changes, decision_ids = _save_decisions(session, review, decided, now, texts)
    changes += _save_awards(session, decided, decision_ids, now, texts)
    changes += _note_falls(session, decided, now)
    if closes:
        close_review(session, review.month, review.up_to_id, now)
        changes += 1
    session.commit()
    return changes


def _save_decisions(
    session: Session, review: OpenReview, decided: Sequence[Decided], now: datetime, texts: DecisionTexts
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
    verdicts = {id(made.verdict): made.verdict for made, _, _ in fresh}
    reasonings = _save_reasonings(session, verdicts, texts)
    waterfalls = {key: CopyText(encode(verdict.waterfall)) for key, verdict in verdicts.items()}
    rates = {key: verdict.tier and fraction_text(verdict.tier.rate) for key, verdict in verdicts.items()}
    drawn = _drawn(session, "claim_decision", len(fresh))
    on, at = CopyText(decided_on(now)), CopyText(now.isoformat())
    ids |= {made.claim_id: row_id for row_id, (made, _, _) in zip(drawn, fresh, strict=True)}

    def rows() -> Iterator[tuple[object, ...]]:  # made while the server takes those before
        for row_id, (made, revision, made_of) in zip(drawn, fresh, strict=True):
            verdict, key = made.verdict, id(made.verdict)
            yield (
                *(row_id, made.claim_id, revision, verdict.outcome, verdict.reason, verdict.seconds, rates[key]),
                *(waterfalls[key], CopyText(texts.own_part(made)), reasonings[key]),
                *(on, at, made_of, review.up_to_id),
            )

    return copy_rows(session, claim_decision, _DECISION_COLUMNS, rows()), ids


def _save_reasonings(session: Session, verdicts: Mapping[int, Verdict], texts: DecisionTexts) -> dict[int, int]:
    """The row of every verdict, by the verdict's identity; what is not there yet is written."""
    told = {key: (texts.grounds(verdict), texts.steps(verdict)) for key, verdict in verdicts.items()}
    hashes = {key: sha256("".join(parts).encode()).hexdigest() for key, parts in told.items()}
    wanted = {hashes[key]: parts for key, parts in told.items()}
    known = session.execute(
        sa.select(claim_reasoning.c.sha256, claim_reasoning.c.id).where(
            claim_reasoning.c.sha256 == sa.any_(sa.literal(list(wanted), sa.ARRAY(sa.Text)))
        )
    )
    ids: dict[str, int] = {row.sha256: row.id for row in known}
    missing = [each for each in wanted if each not in ids]
    ids |= zip(missing, _drawn(session, "claim_reasoning", len(missing)), strict=True)
    rows = ((ids[each], each, *map(CopyText, wanted[each])) for each in missing)
    copy_rows(session, claim_reasoning, ("id", "sha256", "grounds", "steps"), rows)
    return {key: ids[each] for key, each in hashes.items()}


def _drawn(session: Session, table: str, count: int) -> list[int]:
    """Ids for as many new rows."""
    return list(session.execute(_DRAW_IDS, {"table": table, "count": count}).scalars()) if count else []


def _save_awards(
    session: Session, decided: Sequence[Decided], decision_ids: dict[str, int], now: datetime, texts: DecisionTexts
) -> int:
    rises = []
    for each in decided:
        new, last = each.decision.award, each.facts.last_award
        if new is not None and (last is None or new.rests_on.worth > last.worth):
            rises.append((each.facts.among, new, last.revision + 1 if last else 1))
    if not rises:
        return 0
    alike: dict[int, tuple[object, ...]] = {}  # by verdict: what its awards have in common
    for _, new, _ in rises:
        verdict = new.rests_on.verdict
        if verdict.tier is not None and id(verdict) not in alike:
            windows = CopyText(encode(as_iso(verdict.recognised)))
            alike[id(verdict)] = fraction_text(verdict.tier.rate), verdict.seconds, windows, str(verdict.fee)
    month, on, at = str(rises[0][0].month), CopyText(decided_on(now)), CopyText(now.isoformat())
    rows = (
        (
            *(among.account, month, revision, new.claim_id),
            *alike[id(new.rests_on.verdict)],
            CopyText("{" + ",".join(map(str, new.rests_on.term_ids)) + "}"),
            CopyText(texts.terms(new.rests_on)),
            *(CopyText(new.usable_from), on, at, decision_ids[new.rests_on.claim_id]),
        )
        for among, new, revision in rises
    )
    return copy_rows(session, award, _AWARD_COLUMNS, rows)


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
