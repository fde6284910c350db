"""Stage 3 of the night, claims: adjudicate what can be decided, and award.

    for facts in due(session, rules, business_date, now):      a chunk of accounts of one month
        save(session, decide(facts), now)                      committed whole, in order

Due: months that are over by the business date and about which something was recorded since they were last
decided. A claim for the running month waits. Killed between two chunks, the next run goes on where it
stopped; run twice, the second finds nothing. (Stage 1, evidence, needs no work of its own here: the services
record evidence as it comes, and the month is computed from it once, when one of its claims is due.)

Unknown time (no sample, and nobody has decided) is neither down nor up. An account is decided only if the answer
is the same with all of it up and with all of it down; else its claims wait until people have decided.

Behind a fence, what fails is set aside: an account of a month ("account u1 2026-04"), or a month, where the fault is
not one account's. Its review stays open, so the next night tries again; all others are decided.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial

from keizoku.db.act_keys import is_rehearsed
from keizoku.db.fence import Fence, in_halves, is_of_item
from keizoku.db.session import Session
from keizoku.db.writer import BackgroundWriter, Write
from keizoku.gc_pause import gc_paused
from keizoku.sla.claims.claim_store import ClaimantFacts, all_due_accounts, due_accounts, load_claimants
from keizoku.sla.claims.decision_json import evidence_hash, service_hash
from keizoku.sla.claims.decision_store import DecidedClaim, KnownReasonings, save_decided
from keizoku.sla.months.month_facts import load_month_facts
from keizoku.sla.review_queue import OpenReview, open_reviews, policy_of
from keizoku.sla.rules.claim_decision import MonthDecision
from keizoku.sla.rules.claims import Assessor, adjudicate_month
from keizoku.sla.rules.unusable_time import if_unknown_was_down, service_month
from keizoku.terms.calendar import Month
from keizoku.terms.policy import Policy
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
    session: Session,
    rules: Rules,
    business_date: date,
    now: datetime,
    chunk_accounts: int = CHUNK_ACCOUNTS,
    *,
    fence: Fence | None = None,
) -> Iterator[int]:
    """Decide and write all that is due; the rows of each chunk. With several, one is written while the next is decided.

    Chunks are of different accounts or months, so no chunk is made of what the one before writes. The collector waits
    until all are done: let in between two chunks it would look through all that is under way.

    With a fence, a month or an account that this fails for is set aside; without one, that is raised (`due`).
    """
    with gc_paused(), ExitStack() as stack:
        writer: BackgroundWriter | None = None
        for review in open_reviews(session, Month.of(business_date), now):
            month = _ReviewedMonth(rules, review, now, chunk_accounts)
            try:
                for facts in month.due(session):
                    work = month.written(facts)
                    if writer is None and not facts.closes and not is_rehearsed(session):
                        writer = stack.enter_context(BackgroundWriter(session))
                    yield work(session) if writer is None else writer.submit(work)
                if writer is not None:
                    yield writer.wait()  # what comes next is read after it, and an error of it is this month's
            except Exception as error:
                if fence is None or not is_of_item(error):
                    raise
                session.rollback()
                if writer is not None:
                    stack.close()
                    writer = None
                yield month.account_by_account(session, fence, error)


def due(
    session: Session, rules: Rules, business_date: date, now: datetime, chunk_accounts: int = CHUNK_ACCOUNTS
) -> Iterator[DueClaims]:
    """Chunks of claims to decide; they have to be saved in order.

    Raises NoPopulationError when there is a claim and evidence, and nobody said how many users there are, and
    UncoveredDateError for a claim of a month that no terms reach.
    """
    for review in open_reviews(session, Month.of(business_date), now):
        yield from _ReviewedMonth(rules, review, now, chunk_accounts).due(session)


@dataclass(slots=True)
class _ReviewedMonth:
    """A month under review: what its chunks share."""

    rules: Rules
    review: OpenReview
    now: datetime
    chunk_accounts: int
    assessors: tuple[Assessor, Assessor | None] | None = None

    def due(self, session: Session) -> Iterator[DueClaims]:
        """Chunk after chunk of the month's claims."""
        reasonings = KnownReasonings()
        after = ""
        closes = False
        while not closes:
            accounts = due_accounts(session, self.review, after, self.chunk_accounts)
            closes = len(accounts) < self.chunk_accounts
            yield self.chunk(session, accounts, reasonings, closes=closes)
            after = accounts[-1] if accounts else after

    def chunk(
        self, session: Session, accounts: Sequence[str], reasonings: KnownReasonings, *, closes: bool
    ) -> DueClaims:
        """These accounts' claims. A month of which nobody claims anything needs no terms that cover it."""
        if not accounts:
            return DueClaims(self.review, None, None, (), reasonings, closes)
        policy = policy_of(self.rules, self.review.month)
        claimants = load_claimants(session, self.review, policy, accounts)
        if claimants and self.assessors is None:
            self.assessors = self._assessors(session, policy)
        assessor, if_down = self.assessors if claimants and self.assessors else (None, None)
        return DueClaims(self.review, assessor, if_down, tuple(claimants), reasonings, closes)

    def _assessors(self, session: Session, policy: Policy) -> tuple[Assessor, Assessor | None]:
        """For the month, and for it if all of its unknown time was down, where there is any."""
        month, resolution = self.review.month, self.rules.discretion.resolution_seconds
        facts = load_month_facts(session, policy, month, self.now)
        assessor = Assessor(service_month(facts, policy, resolution), policy)
        if not facts.unknown:
            return assessor, None
        return assessor, Assessor(service_month(if_unknown_was_down(facts), policy, resolution), policy)

    def written(self, facts: DueClaims) -> Write:
        """The chunk decided, to be written."""
        return partial(save, decisions=decide(facts), now=self.now)

    def account_by_account(self, session: Session, fence: Fence, error: Exception) -> int:
        """After a chunk that failed: every account that can be decided is, and the review stays open; the rows written.

        Where the month itself is at fault, it is set aside whole.
        """
        month = self.review.month
        accounts = list(all_due_accounts(session, self.review, self.chunk_accounts))
        try:
            if accounts and self.assessors is None:
                self.assessors = self._assessors(session, policy_of(self.rules, month))
        except Exception as of_month:
            session.rollback()
            if not is_of_item(of_month):
                raise
            fence.aside("month", month, of_month)
            return 0
        of_accounts = Fence()

        def of_some(session: Session, some: Sequence[str]) -> int:
            facts = self.chunk(session, some, KnownReasonings(), closes=False)
            return self.written(facts)(session)

        try:
            written = in_halves(session, of_accounts, "account", accounts, of_some)
        except Exception as of_all:
            if not is_of_item(of_all):
                raise
            fence.aside("month", month, of_all)
            return 0
        for each in of_accounts.items.values():
            fence.take(replace(each, month=str(month)))
        if not of_accounts.items:  # what failed was the review as a whole
            fence.aside("month", month, error)
        return written


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
