"""Stage 3 of the night, claims: adjudicate what can be decided, and award.

    for facts in due(session, rules, business_date, now):      a chunk of accounts of one month
        save(session, decide(facts), now)                      committed whole, in order

Due: months that are over by the business date and about which something was recorded since they were last
decided. A claim for the running month waits. Killed between two chunks, the next run goes on where it
stopped; run twice, the second finds nothing. (Stage 1, evidence, needs no work of its own here: the services
record evidence as it comes, and the month is computed from it once, when one of its claims is due.)

Unknown time (no sample, and nobody has decided) is neither down nor up. An account is decided only if the answer
is the same with all of it up and with all of it down; else its claims wait until people have decided.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial

from keizoku.db.session import Session
from keizoku.db.writer import BackgroundWriter
from keizoku.sla.claims.claim_store import ClaimantFacts, due_accounts, load_claimants
from keizoku.sla.claims.decision_json import evidence_hash, service_hash
from keizoku.sla.claims.decision_store import DecidedClaim, KnownReasonings, save_decided
from keizoku.sla.claims.gc_pause import gc_paused
from keizoku.sla.months.month_facts import load_month_facts
from keizoku.sla.review_queue import OpenReview, open_reviews, policy_of
from keizoku.sla.rules.claim_decision import MonthDecision
from keizoku.sla.rules.claims import Assessor, adjudicate_month
from keizoku.sla.rules.unusable_time import if_unknown_was_down, service_month
from keizoku.terms.calendar import Month
from keizoku.terms.rules import Rules

CHUNK_ACCOUNTS = 10_000


@dataclass(frozen=True, slots=True)
class DueClaims:
    """A chunk of accounts of one month; `closes`: the last of the month. No assessor: no claimants.

    `if_down`: for the month if all of its unknown time was down, where there is any. All chunks of a month have the
    same assessors and know the same reasonings: what was worked out for one account holds for all accounts alike.
    """

    review: OpenReview
    assessor: Assessor | None
    if_down: Assessor | None
    claimants: tuple[ClaimantFacts, ...]
    reasonings: KnownReasonings
    closes: bool


@dataclass(frozen=True, slots=True)
class DecidedClaims:
    """The same chunk, decided."""

    review: OpenReview
    decided: tuple[DecidedClaim, ...]
    reasonings: KnownReasonings
    closes: bool


def adjudicate_due(
    session: Session, rules: Rules, business_date: date, now: datetime, chunk_accounts: int = CHUNK_ACCOUNTS
) -> Iterator[int]:
    """Decide and write all that is due; the rows of each chunk. With several, one is written while the next is decided.

    Chunks are of different accounts or months, so no chunk is made of what the one before writes. The collector waits
    until all are done: let in between two chunks it would look through all that is under way.
    """
    with gc_paused(), ExitStack() as stack:
        writer: BackgroundWriter | None = None
        for facts in due(session, rules, business_date, now, chunk_accounts):
            work = partial(save, decisions=decide(facts), now=now)
            if writer is None and not facts.closes:
                writer = stack.enter_context(BackgroundWriter(session))
            yield work(session) if writer is None else writer.submit(work)
        if writer is not None:
            yield writer.wait()


def due(
    session: Session, rules: Rules, business_date: date, now: datetime, chunk_accounts: int = CHUNK_ACCOUNTS
) -> Iterator[DueClaims]:
    """Chunks of claims to decide; they have to be saved in order.

    Raises NoPopulationError when there is a claim and evidence, and nobody said how many users there are.
    """
    for review in open_reviews(session, Month.of(business_date), now):
        policy = policy_of(rules, review.month)
        assessor: Assessor | None = None
        if_down: Assessor | None = None
        reasonings = KnownReasonings()
        after = ""
        closes = False
        while not closes:
            accounts = due_accounts(session, review, after, chunk_accounts)
            closes = len(accounts) < chunk_accounts
            claimants = load_claimants(session, review, policy, accounts) if accounts else []
            if claimants and assessor is None:
                facts = load_month_facts(session, policy, review.month, now)
                resolution = rules.discretion.resolution_seconds
                assessor = Assessor(service_month(facts, policy, resolution), policy)
                if facts.unknown:
                    if_down = Assessor(service_month(if_unknown_was_down(facts), policy, resolution), policy)
            yield DueClaims(review, assessor, if_down, tuple(claimants), reasonings, closes)
            after = accounts[-1] if accounts else after


def decide(facts: DueClaims) -> DecidedClaims:
    """Adjudicate every account of the chunk; those whose answer depends on unknown time are left out."""
    assessor, other = facts.assessor, facts.if_down
    if assessor is None:
        return DecidedClaims(facts.review, (), facts.reasonings, facts.closes)
    shared = service_hash(assessor.service, assessor.policy)
    decided = []
    for claimant in facts.claimants:
        made = adjudicate_month(claimant.among, assessor)
        if other is None or is_same_answer(made, adjudicate_month(claimant.among, other)):
            decided.append(DecidedClaim(claimant, made, evidence_hash(shared, claimant.among)))
    return DecidedClaims(facts.review, tuple(decided), facts.reasonings, facts.closes)


def is_same_answer(one: MonthDecision, other: MonthDecision) -> bool:
    """Whether two decisions on an account's month come to the same for the user: outcomes, reasons, worth."""

    def answer(made: MonthDecision) -> object:
        each = [(claim.claim_id, claim.outcome, claim.reason, claim.rate) for claim in made.claims]
        return each, made.award and made.award.rests_on.worth

    return answer(one) == answer(other)


def save(session: Session, decisions: DecidedClaims, now: datetime) -> int:
    """Write and commit one chunk; the number of rows written."""
    known = decisions.reasonings
    return save_decided(session, decisions.review, decisions.decided, now, known, closes=decisions.closes)
