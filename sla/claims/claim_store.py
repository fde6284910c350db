"""Loads the facts of claims, in chunks of accounts: claims, terms, suspensions, rulings, past decisions.

One account and month is one unit: it is loaded, decided and committed whole. A chunk costs a handful of
queries, however many claims are in it. Spans are epoch seconds, cut to the month.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from fractions import Fraction
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from keizoku.db.session import Session, texts
from keizoku.db.tables.claims import award, claim, claim_decision, claim_late_grant, claim_ruling
from keizoku.db.tables.contracts import contract, suspension, term
from keizoku.db.tables.evidence import environment_ruling, month_to_review
from keizoku.sla.claims.claim_views import withdrawn
from keizoku.sla.evidence.form_outages import form_outages
from keizoku.sla.months.month_facts import read_spans
from keizoku.sla.review_queue import OpenReview, rows_known
from keizoku.sla.rules.claim_facts import AccountMonth, Claim, ClaimRuling, LateGrant, TermFact, TermKind
from keizoku.sla.rules.intervals import NOTHING, Span, Spans, clip, normalise, union
from keizoku.terms.calendar import Month, day_start_at, epoch, epoch_up
from keizoku.terms.policy import Policy


def _as_text(*dates: sa.ColumnElement[Any]) -> list[sa.Cast[str]]:
    """Instants and days as texts, which are read and compared in less time; only a few of them differ."""
    return [sa.cast(each, sa.Text) for each in dates]


_DATES = _as_text(term.c.starts_at, term.c.ends_on, term.c.closed_on, term.c.closed_at)
_DATES += _as_text(contract.c.ended_at, contract.c.end_recorded_at)


class LastDecision(NamedTuple):
    """The newest decision of a claim: its revision, what it was made of, up to which review."""

    revision: int
    evidence_hash: str
    review_id: int


class LastAward(NamedTuple):
    """The newest award of an account and month, and the exact yen it is worth."""

    revision: int
    worth: Fraction


class ClaimantFacts(NamedTuple):
    """An account's month, with what was decided on it before."""

    among: AccountMonth
    last_decisions: dict[str, LastDecision]
    last_award: LastAward | None


def due_accounts(session: Session, review: OpenReview, after: str, limit: int) -> list[str]:
    """The next accounts, in order, whose claims of the month have to be looked at."""
    asked = rows_known(review)
    everyone = sa.select(sa.exists().where(*asked, month_to_review.c.account.is_(None)))
    if session.execute(everyone).scalar_one():
        query = sa.select(claim.c.account).where(claim.c.month == str(review.month), ~withdrawn(None))
        column: sa.Column[str] = claim.c.account
    else:
        column = month_to_review.c.account
        query = sa.select(column).where(*asked, column.is_not(None))
        standing = sa.exists().where(claim.c.month == str(review.month), claim.c.account == column, ~withdrawn(None))
        query = query.where(standing)
    query = query.where(column > after).distinct().order_by(column).limit(limit)
    return list(session.execute(query).scalars())


def all_due_accounts(session: Session, review: OpenReview, at_once: int) -> Iterator[str]:
    """Every account whose claims of the month have to be looked at, in order."""
    after = ""
    while accounts := due_accounts(session, review, after, at_once):
        yield from accounts
        after = accounts[-1]


def load_claimants(
    session: Session, review: OpenReview, policy: Policy, accounts: Sequence[str]
) -> list[ClaimantFacts]:
    """Facts of these accounts' month, in a few queries; without those already decided for this review."""
    month = review.month
    claims, last_decisions = _claims(session, month, accounts), _last_decisions(session, month, accounts)
    if last_decisions:
        claims = {
            account: own
            for account, own in claims.items()
            if any(
                each.claim_id not in last_decisions or last_decisions[each.claim_id].review_id < review.up_to_id
                for each in own
            )
        }
    last_awards = _last_awards(session, month, list(claims)) if last_decisions else {}  # no award without a decision
    none: dict[str, LastDecision] = {}
    return [
        ClaimantFacts(
            among,
            {each.claim_id: last_decisions[each.claim_id] for each in among.claims if each.claim_id in last_decisions}
            if last_decisions
            else none,
            last_awards.get(among.account),
        )
        for among in _account_months(session, month, policy, claims, None)
    ]


def load_account_months(
    session: Session, month: Month, policy: Policy, accounts: Sequence[str], at: datetime
) -> list[AccountMonth]:
    """The month of these accounts as known at an instant, whatever was decided; none for one without a claim."""
    claims = _claims(session, month, accounts, at)
    return _account_months(session, month, policy, claims, at)


def load_account_month(session: Session, month: Month, policy: Policy, account: str, at: datetime) -> AccountMonth:
    """The month of an account as known at an instant, with or without a claim."""
    claims = _claims(session, month, [account], at)
    (among,) = _account_months(session, month, policy, {account: claims.get(account, ())}, at)
    return among


def _account_months(
    session: Session, month: Month, policy: Policy, claims: Mapping[str, Sequence[Claim]], at: datetime | None
) -> list[AccountMonth]:
    accounts = list(claims)
    if not accounts:
        return []
    terms = load_terms(session, month, accounts, at)
    suspended = _suspensions(session, month, accounts, at)
    rulings = _rulings(session, month, accounts, at)
    environments = _environments(session, month, accounts, at)
    outages = form_outages(session, month, policy, at)
    return [
        AccountMonth(
            account=account,
            month=month,
            claims=tuple(own),
            terms=tuple(terms.get(account, ())),
            suspended=suspended.get(account, NOTHING),
            rulings=tuple(rulings.get(account, ())),
            environment=environments.get(account, NOTHING),
            form_outages=outages,
        )
        for account, own in claims.items()
    ]


def load_terms(
    session: Session, month: Month, accounts: Sequence[str], at: datetime | None = None
) -> dict[str, list[TermFact]]:
    """The terms of each account that run in the month, as long as they really ran, cut to the month.

    `at`: as known then; an end that came later had not come.
    """
    rows = session.execute(
        sa.select(
            term.c.id,
            term.c.account,
            term.c.method,
            term.c.interval,
            term.c.price_yen,
            *_DATES,
        )
        .join(contract, contract.c.id == term.c.contract_id)
        .where(
            _is_of(term.c.account, accounts),
            term.c.starts_at < month.end_at,
            term.c.ends_on > month.first_on,
            _known(term.c.recorded_at, at),
        )
        .order_by(term.c.starts_at, term.c.id)
    )
    found: dict[str, list[TermFact]] = defaultdict(list)
    first, last = _span(month)
    kinds: dict[tuple[Any, ...], TermKind] = {}
    read: Sequence[tuple[Any, ...]] = [tuple(row) for row in rows]
    for row in read:
        as_read = row[2:]
        kind = kinds.get(as_read)
        if kind is None:
            ran_from, ran_to = _ran(as_read[3:], at)
            kind = kinds[as_read] = TermKind(max(ran_from, first), min(ran_to, last), *as_read[:3])
        if kind.start < kind.end:
            found[row[1]].append(TermFact(row[0], kind))
    return found


def _claims(
    session: Session, month: Month, accounts: Sequence[str], at: datetime | None = None
) -> dict[str, list[Claim]]:
    mine = sa.and_(
        claim.c.month == str(month), _is_of(claim.c.account, accounts), _known(claim.c.recorded_at, at), ~withdrawn(at)
    )
    claims: dict[str, list[Claim]] = defaultdict(list)
    late = _late_grants(session, month, at)
    asked = sa.select(claim.c.id, claim.c.account, claim.c.received_at, claim.c.windows).where(mine)
    rows = session.execute(asked.order_by(claim.c.account, claim.c.received_at, claim.c.id))
    for claim_id, account, received_at, windows in rows.all():
        spans = None if windows is None else read_spans(windows)
        claims[account].append(Claim(claim_id, received_at, spans, late.get(claim_id)))
    return claims


def _late_grants(session: Session, month: Month, at: datetime | None) -> dict[str, LateGrant]:
    """By claim; few, if any: those of the whole month."""
    grant = claim_late_grant.c
    query = sa.select(grant.claim_id, grant.ground, grant.approved_by).join(claim, claim.c.id == grant.claim_id)
    rows = session.execute(query.where(claim.c.month == str(month), _known(grant.recorded_at, at)))
    return {row.claim_id: LateGrant(row.ground, row.approved_by) for row in rows}


def _last_decisions(session: Session, month: Month, accounts: Sequence[str]) -> dict[str, LastDecision]:
    newest = session.execute(
        sa.select(
            claim_decision.c.claim_id,
            claim_decision.c.revision,
            claim_decision.c.evidence_hash,
            claim_decision.c.review_id,
        )
        .join(claim, claim.c.id == claim_decision.c.claim_id)
        .where(claim.c.month == str(month), _is_of(claim.c.account, accounts))
        .ext(distinct_on(claim_decision.c.claim_id))
        .order_by(claim_decision.c.claim_id, claim_decision.c.revision.desc())
    )
    return {row.claim_id: LastDecision(row.revision, row.evidence_hash, row.review_id) for row in newest}


def _suspensions(session: Session, month: Month, accounts: Sequence[str], at: datetime | None) -> dict[str, Spans]:
    start, end = _span(month)
    rows = session.execute(
        sa.select(
            suspension.c.account, suspension.c.from_at, suspension.c.lifted_at, suspension.c.lift_recorded_at
        ).where(
            _is_of(suspension.c.account, accounts),
            suspension.c.from_at < month.end_at,
            sa.or_(suspension.c.lifted_at.is_(None), suspension.c.lifted_at > month.start_at),
            _known(suspension.c.recorded_at, at),
        )
    )
    spans: dict[str, list[Span]] = defaultdict(list)
    for row in rows:
        lifted_at = row.lifted_at if _was_known(row.lift_recorded_at, at) else None
        spans[row.account].append((epoch(row.from_at), epoch_up(lifted_at) if lifted_at else end))
    return {account: clip(normalise(own), start, end) for account, own in spans.items()}


def _rulings(
    session: Session, month: Month, accounts: Sequence[str], at: datetime | None
) -> dict[str, list[ClaimRuling]]:
    rows = session.execute(
        sa.select(claim.c.account, claim_ruling.c.claim_id, claim_ruling.c.windows)
        .join(claim, claim.c.id == claim_ruling.c.claim_id)
        .where(claim.c.month == str(month), _is_of(claim.c.account, accounts), _known(claim_ruling.c.recorded_at, at))
        .where(~withdrawn(at))
        .order_by(claim_ruling.c.id)
    )
    found: dict[str, list[ClaimRuling]] = defaultdict(list)
    for row in rows:
        found[row.account].append(ClaimRuling(row.claim_id, read_spans(row.windows)))
    return found


def _environments(session: Session, month: Month, accounts: Sequence[str], at: datetime | None) -> dict[str, Spans]:
    """Seconds ruled to be the account's own environment; an empty ruling takes earlier ones back."""
    rows = session.execute(
        sa.select(claim.c.account, environment_ruling.c.claim_id, environment_ruling.c.windows)
        .join(claim, claim.c.id == environment_ruling.c.claim_id)
        .where(
            claim.c.month == str(month),
            _is_of(claim.c.account, accounts),
            _known(environment_ruling.c.recorded_at, at),
            ~withdrawn(at),
        )
        .order_by(environment_ruling.c.id)
    )
    by_claim: dict[tuple[str, str], Spans] = {}
    for row in rows:
        key = (row.account, row.claim_id)
        by_claim[key] = union(by_claim.get(key, NOTHING), read_spans(row.windows)) if row.windows else NOTHING
    found: dict[str, Spans] = defaultdict(lambda: NOTHING)
    for (account, _), spans in by_claim.items():
        found[account] = union(found[account], spans)
    return found


def _last_awards(session: Session, month: Month, accounts: Sequence[str]) -> dict[str, LastAward]:
    rows = session.execute(
        sa.select(award.c.account, award.c.revision, award.c.rate, award.c.fee_basis)
        .where(award.c.month == str(month), _is_of(award.c.account, accounts))
        .ext(distinct_on(award.c.account))
        .order_by(award.c.account, award.c.revision.desc())
    )
    return {row.account: LastAward(row.revision, Fraction(row.rate) * Fraction(row.fee_basis)) for row in rows}


def _ran(dates: Sequence[Any], at: datetime | None) -> Span:
    """[approval or first day, end): an early end counts from its instant, where one is known (by `at`).

    `dates`: those of `_DATES`.
    """
    starts_at, ends_on, closed_on, *known = dates
    closed_at, ended_at, end_recorded_at = [each and datetime.fromisoformat(each) for each in known]
    start, end = epoch(datetime.fromisoformat(starts_at)), _day_start(ends_on)
    if _was_known(end_recorded_at, at):
        if closed_on is not None:
            closed = closed_at or ended_at
            end = min(end, epoch_up(closed) if closed else _day_start(closed_on))
        elif ended_at is not None:
            end = min(end, epoch_up(ended_at))
    return start, max(start, end)


def _day_start(day: str) -> int:
    return epoch(day_start_at(date.fromisoformat(day)))


def _known(recorded_at: sa.ColumnElement[Any], at: datetime | None) -> sa.ColumnElement[bool]:
    return sa.true() if at is None else recorded_at <= at


def _was_known(recorded_at: datetime | None, at: datetime | None) -> bool:
    """Whether what was set once on a row had been recorded by `at`."""
    return at is None or recorded_at is None or recorded_at <= at


def _is_of(column: sa.ColumnElement[str], accounts: Sequence[str]) -> sa.ColumnElement[bool]:
    return column == sa.any_(texts(accounts))


def _span(month: Month) -> Span:
    return epoch(month.start_at), epoch(month.end_at)
