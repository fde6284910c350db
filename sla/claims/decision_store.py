"""Saves what was decided about claims, one chunk per transaction.

A decision made of the same facts as the last one is not written again; an award is written only when it is
worth more than the one before; where it is worth less, finance gets a task (award_falls).
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from fractions import Fraction
from typing import NamedTuple

import sqlalchemy as sa

from keizoku.db.keys import next_ids
from keizoku.db.session import Session, copy_rows, text_array, texts
from keizoku.db.tables.claims import claim_reasoning
from keizoku.sla.claims.award_falls import AwardFall, note_falls
from keizoku.sla.claims.claim_store import ClaimantFacts
from keizoku.sla.claims.decision_json import Reasoning, ReasoningTexts, price_json
from keizoku.sla.review_queue import OpenReview, close_review
from keizoku.sla.rules.claim_decision import ClaimDecision, ClaimVerdict, Deadline, MonthDecision
from keizoku.sla.rules.claims import VERDICTS_KEPT
from keizoku.terms.calendar import jst_day
from keizoku.terms.money import fraction_text

_DECISION_COLUMNS = (
    *("claim_id", "revision", "outcome", "reason", "seconds", "rate", "reasoning_id"),
    *("term_ids", "united", "decided_on", "decided_at", "evidence_hash", "review_id"),
)
_AWARD_COLUMNS = (
    *("account", "month", "revision", "claim_id", "decision_revision", "rate", "seconds", "term_ids"),
    *("term_prices", "fee_basis", "usable_from", "decided_on", "decided_at"),
)


class DecidedClaim(NamedTuple):
    """What was decided now on an account's month, what it was made of, and what stood before."""

    facts: ClaimantFacts
    decision: MonthDecision
    evidence_hash: str


def save_decided(
    session: Session,
    review: OpenReview,
    decided: Sequence[DecidedClaim],
    now: datetime,
    known: "KnownReasonings",
    *,
    closes: bool,
) -> int:
    """Write what is new of one chunk and commit; the number of rows written. `closes`: the month is done."""
    changes, revisions = _save_decisions(session, review, decided, now, known)
    changes += _save_awards(session, decided, revisions, now)
    changes += _note_falls(session, decided, now)
    if closes:
        close_review(session, review, now)
        changes += 1
    session.commit()
    return changes


def _save_decisions(
    session: Session, review: OpenReview, decided: Sequence[DecidedClaim], now: datetime, known: "KnownReasonings"
) -> tuple[int, dict[str, int]]:
    """Write decisions that differ from the last; rows written, and the revisions of claims beyond their first."""
    revisions: dict[str, int] = {}
    fresh: list[tuple[ClaimDecision, int, str]] = []
    for facts, decision, made_of in decided:
        for made in decision.claims:
            last = facts.last_decisions.get(made.claim.claim_id)
            revision = 1
            if last is not None:
                is_new = last.evidence_hash != made_of
                revision = revisions[made.claim.claim_id] = last.revision + is_new
                if not is_new:
                    continue
            fresh.append((made, revision, made_of))
    if not fresh:
        return 0, revisions
    reasonings = known.save(session, [made for made, _, _ in fresh])
    alike: dict[int, tuple[object, ...]] = {}  # by verdict: what its decisions have in common
    for made, _, _ in fresh:
        verdict = made.verdict
        if id(verdict) not in alike:
            rate = verdict.tier and fraction_text(verdict.tier.rate)
            alike[id(verdict)] = verdict.outcome, verdict.reason, verdict.seconds, rate, reasonings[id(verdict)]
    on, at, review_id = jst_day(now).isoformat(), now.isoformat(), review.up_to_id

    def rows() -> Iterator[tuple[object, ...]]:  # made while the server takes those before
        for (claim, _, _, united, _, terms, verdict), revision, made_of in fresh:
            ids = "{" + ",".join([str(term.term_id) for term in terms]) + "}"
            together = text_array([each.claim_id for each in united]) if len(united) > 1 else None
            yield claim.claim_id, revision, *alike[id(verdict)], ids, together, on, at, made_of, review_id

    return copy_rows(session, "claim_decision", _DECISION_COLUMNS, rows()), revisions


class KnownReasonings:
    """The rows of the reasonings that were written or found for a month, by verdict and deadline.

    Both are kept, so that their identity stays theirs. Who has one for all chunks of a month saves them in order and
    begins anew after a chunk that was not committed.
    """

    def __init__(self) -> None:
        self._texts = ReasoningTexts()
        self._rows: dict[tuple[int, int], tuple[ClaimVerdict, Deadline, int]] = {}

    def save(self, session: Session, decisions: Iterable[ClaimDecision]) -> dict[int, int]:
        """The row of every verdict, by the verdict's identity; what is not there yet is written.

        A chunk has one deadline: it is of one month, and read at once.
        """
        one_of_each = {(id(made.verdict), id(made.deadline)): made for made in decisions}
        if len(self._rows) + len(one_of_each) > VERDICTS_KEPT:
            self._rows.clear()
        new = {key: made for key, made in one_of_each.items() if key not in self._rows}
        if new:
            ids = self._written(session, [self._texts.of(made) for made in new.values()])
            for (key, made), row in zip(new.items(), ids, strict=True):
                self._rows[key] = made.verdict, made.deadline, row
        return {key[0]: self._rows[key][2] for key in one_of_each}

    def _written(self, session: Session, reasonings: Sequence[Reasoning]) -> list[int]:
        """The row of each, in order."""
        hashes = [reasoning.sha256 for reasoning in reasonings]
        wanted = dict(zip(hashes, reasonings, strict=True))
        known = session.execute(
            sa.select(claim_reasoning.c.sha256, claim_reasoning.c.id).where(
                claim_reasoning.c.sha256 == sa.any_(texts(wanted))
            )
        )
        ids: dict[str, int] = {row.sha256: row.id for row in known}
        missing = [each for each in wanted if each not in ids]
        ids |= zip(missing, next_ids(session, "claim_reasoning", len(missing)), strict=True)
        rows = ((ids[each], each, *wanted[each]) for each in missing)
        copy_rows(session, "claim_reasoning", ("id", "sha256", *Reasoning._fields), rows)
        return [ids[each] for each in hashes]


def _save_awards(session: Session, decided: Sequence[DecidedClaim], revisions: dict[str, int], now: datetime) -> int:
    rises = []
    for facts, decision, _ in decided:
        new, last = decision.award, facts.last_award
        if new is not None and (last is None or new.rests_on.worth > last.worth):
            rises.append((facts.among.account, new, last.revision + 1 if last else 1))
    if not rises:
        return 0
    alike: dict[int, tuple[str, int, str]] = {}  # by verdict: what its awards have in common
    for _, new, _ in rises:
        verdict = new.rests_on.verdict
        if verdict.tier is not None and id(verdict) not in alike:
            alike[id(verdict)] = fraction_text(verdict.tier.rate), verdict.seconds, str(verdict.fee)
    month, on, at = str(decided[0].facts.among.month), jst_day(now).isoformat(), now.isoformat()

    def rows() -> Iterator[tuple[object, ...]]:
        for account, new, revision in rises:
            terms = new.rests_on.terms
            rate, seconds, fee = alike[id(new.rests_on.verdict)]
            ids = "{" + ",".join([str(term.term_id) for term in terms]) + "}"
            prices = ",".join([f'{{"term_id":{term_id},{price_json(kind)[1:]}' for term_id, kind in terms])
            usable_from = new.usable_from.isoformat()
            of_decision = new.claim_id, revisions.get(new.claim_id, 1)  # all claims in time have the same verdict
            yield account, month, revision, *of_decision, rate, seconds, ids, f"[{prices}]", fee, usable_from, on, at

    return copy_rows(session, "award", _AWARD_COLUMNS, rows())


def _note_falls(session: Session, decided: Sequence[DecidedClaim], now: datetime) -> int:
    """An award is never lowered: what is now worth less than was awarded is shown to finance, once."""
    falls = []
    for each in decided:
        last, new = each.facts.last_award, each.decision.award
        worth = new.rests_on.worth if new else Fraction(0)
        if last is not None and worth < last.worth:
            among = each.facts.among
            falls.append(AwardFall(among.account, among.month, last.worth, worth))
    return note_falls(session, falls, now)
