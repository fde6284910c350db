"""Renewal: each token gets its next generation ahead of its end, one renewer at a time, at the partner's pace.

    due ──lock the grant──> begun, committed ──> the partner answers ─┬─> next generation; the old one is destroyed
                                                                      ├─> invalid_grant: the grant has ended
                                                                      └─> busy, down, no answer: due as before

The partner's answer is the only truth: it need not tell us of anything else. An answer that was lost may have voided
the token that we hold; it is tried again all the same, and a refusal then is a refusal. Each answer is committed by
itself, so that a process that dies loses no more than the calls that were under way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

import sqlalchemy as sa

from keizoku.db.session import Session, release_leader_lock, try_leader_lock
from keizoku.db.tables.link.grants import link_grant, link_token
from keizoku.link.grants.context import Link
from keizoku.link.grants.ending import end_grant, end_if_due, revoke_left
from keizoku.link.partner.port import PartnerError, PartnerRefusesUsError, TokenAnswer
from keizoku.link.records import secrets, uses
from keizoku.link.records.customers import load_customer, lock_account
from keizoku.link.rules.ends import CLAUSES, LinkEnd
from keizoku.link.rules.facts import Customer
from keizoku.link.rules.stops import stopped
from keizoku.link.rules.tokens import grant_end, renewal_due_at
from keizoku.link.sealing.seals import SealingError
from keizoku.terms.refusal import Refused

__all__ = ["Renewal", "RenewalCounts", "due_grants", "renew", "renew_due", "store_token"]

Outcome = Literal["renewed", "refused", "ended", "not_due", "busy", "stopped", "no_secret", "failed"]
CHUNK: Final = 200
WORST_ROW: Final = 20
"""So many calls in a row without a success end the stage: the partner is down, and asking on helps nobody."""
CLIENT_REFUSED: Final = "client_refused"


@dataclass(frozen=True, slots=True)
class Renewal:
    """What became of one grant's renewal."""

    grant_id: int
    outcome: Outcome
    code: str | None = None


@dataclass(slots=True)
class RenewalCounts:
    """What became of all that were due."""

    renewed: int = 0
    refused: int = 0
    ended: int = 0
    failed: int = 0
    skipped: int = 0
    partner_down: bool = False
    failures: list[Renewal] = field(default_factory=list)

    def take(self, renewal: Renewal) -> None:
        """Count one."""
        if renewal.outcome in ("renewed", "refused", "ended"):
            setattr(self, renewal.outcome, getattr(self, renewal.outcome) + 1)
        elif renewal.outcome in ("failed", "no_secret"):
            self.failed += 1
            self.failures.append(renewal)
        else:
            self.skipped += 1


_Found = TokenAnswer | PartnerError | PartnerRefusesUsError


@dataclass(frozen=True, slots=True)
class _Begun:
    grant_id: int
    account: str
    token_id: int
    generation: int
    use_id: int
    asked_at: datetime
    refresh: str = field(repr=False)


def due_grants(session: Session, ahead_seconds: int, at: datetime, after: int = 0, limit: int = CHUNK) -> Sequence[int]:
    """Living grants whose token is due for renewal at `at`, in the order of their ids. The rule decides again."""
    rows = session.execute(sa.text(_DUE), {"at": at, "ahead": ahead_seconds, "after": after, "limit": limit})
    found = rows.scalars().all()
    session.rollback()
    return found


_DUE: Final = """
    SELECT link_token.grant_id FROM link_token
    WHERE link_token.ended_at IS NULL AND link_token.renewable AND link_token.grant_id > :after
    AND expires_at <= CAST(:at AS timestamptz) + make_interval(secs => :ahead)
    AND expires_at - make_interval(secs => least(:ahead, expires_in / 2.0)) <= :at
    ORDER BY link_token.grant_id LIMIT :limit
"""


def renew(link: Link, account: str, now: datetime, *, only_if_due: bool = True) -> Renewal:
    """Renew the account's living grant now; commits. `only_if_due`: else also one that has time left."""
    customer = load_customer(link.session, account)
    link.session.rollback()
    grant = customer.grant
    if grant is None or grant.ended_at is not None:
        return Renewal(0, "ended")
    clock = uses.Elapsing(now)
    begun = _begin(link, grant.id, clock, only_if_due=only_if_due)
    if isinstance(begun, Renewal):
        return begun
    try:
        return _finish(link, begun, clock, _ask(link, begun.refresh))
    finally:
        _let_go(link.session, grant.id)


def renew_due(
    link: Link,
    now: datetime,
    *,
    at_once: int = 4,
    progress: Callable[[int], None] | None = None,
) -> RenewalCounts:
    """Renew all that is due; commits each. `at_once`: calls under way at the same time; `progress`: after each answer.

    What is renewed is due no more, so a run that was stopped goes on where it was. Where the partner answers nothing
    for a while the rest is left to the next run.
    """
    clock, counts, after, failed_in_a_row = uses.Elapsing(now), RenewalCounts(), 0, 0
    ahead = link.rules.discretion.link_renew_ahead_seconds
    with ThreadPoolExecutor(at_once, "link-renewal") as pool:
        while due := due_grants(link.session, ahead, clock.at(), after):
            after = due[-1]
            for done in _renewed(link, due, clock, counts, pool, at_once):
                counts.take(done)
                failed_in_a_row = failed_in_a_row + 1 if done.outcome == "failed" else 0
                counts.partner_down |= failed_in_a_row >= WORST_ROW or done.code == CLIENT_REFUSED
                if progress is not None:
                    progress(1)
            if counts.partner_down:
                break
    if any(each.code == CLIENT_REFUSED for each in counts.failures):
        raise Refused(
            "link.client_refused", "the partner refuses our client", "mend its id, its key or its scopes at the partner"
        )
    return counts


def _renewed(
    link: Link, due: Sequence[int], clock: uses.Elapsing, counts: RenewalCounts, pool: ThreadPoolExecutor, at_once: int
) -> Iterator[Renewal]:
    """Ask for some at a time, and write each answer; what is under way is written even where all else ends."""
    under_way: deque[tuple[_Begun, Future[_Found]]] = deque()
    waiting = deque(due)
    try:
        while waiting or under_way:
            while waiting and len(under_way) < at_once and not counts.partner_down:
                begun = _begin(link, waiting.popleft(), clock)
                if isinstance(begun, Renewal):
                    yield begun
                else:
                    under_way.append((begun, pool.submit(_ask, link, begun.refresh)))
            if not under_way:
                return
            yield _written(link, *under_way.popleft(), clock)
    finally:
        while under_way:
            _written(link, *under_way.popleft(), clock)


def _written(link: Link, begun: _Begun, answer: Future[_Found], clock: uses.Elapsing) -> Renewal:
    try:
        return _finish(link, begun, clock, answer.result())
    finally:
        _let_go(link.session, begun.grant_id)


def _begin(link: Link, grant_id: int, clock: uses.Elapsing, *, only_if_due: bool = True) -> _Begun | Renewal:
    """Lock the grant, look again, and write that its token is about to be renewed; commits. A Renewal: it is not."""
    session = link.session
    if not try_leader_lock(session, f"link/{grant_id}"):
        session.rollback()
        return Renewal(grant_id, "busy")
    try:
        found = _look_again(link, grant_id, clock, only_if_due=only_if_due)
    except BaseException:
        _let_go(session, grant_id)
        raise
    if isinstance(found, Renewal):
        _let_go(session, grant_id)
    return found


def _look_again(link: Link, grant_id: int, clock: uses.Elapsing, *, only_if_due: bool) -> _Begun | Renewal:
    session = link.session
    uses.settle_lost_renewals(session, [grant_id], clock.at())
    row = session.execute(
        sa.select(link_token.c.id, link_token.c.account, link_token.c.generation)
        .join(link_grant, link_grant.c.id == link_token.c.grant_id)
        .where(link_token.c.grant_id == grant_id, link_token.c.ended_at.is_(None), link_grant.c.ended_at.is_(None))
    ).first()
    if row is None:
        session.commit()
        return Renewal(grant_id, "ended")
    customer = load_customer(session, row.account)
    at = clock.at()
    refused = _why_not(link, customer, at, only_if_due=only_if_due)
    if refused is not None:
        session.commit()
        if refused == "ended":
            end_if_due(session, row.account, at)
            revoke_left(link, grant_id, clock)
        return Renewal(grant_id, refused)
    try:
        refresh = secrets.open_secret(session, link.ring, row.id, "refresh")
    except SealingError as error:
        session.rollback()
        return Renewal(grant_id, "no_secret", error.sentence)
    if refresh is None:
        session.commit()
        return Renewal(grant_id, "no_secret")
    use = uses.Use(grant_id, row.id, row.account, "refresh", link.author)
    [use_id] = uses.begin(session, [use], at)
    session.commit()
    return _Begun(grant_id, row.account, row.id, row.generation, use_id, at, refresh)


def _why_not(link: Link, customer: Customer, at: datetime, *, only_if_due: bool) -> Outcome | None:
    grant, token = customer.grant, customer.token
    if grant is None or token is None or grant_end(customer, grant, at) is not None:
        return "ended"
    due_at = renewal_due_at(token, link.rules.discretion.link_renew_ahead_seconds)
    if due_at is None or (only_if_due and at < due_at):
        return "not_due"
    if all(stopped(customer, scope, at) is not None for scope in ("data", "orders")):
        return "stopped"
    return None


def _ask(link: Link, refresh: str) -> _Found:
    try:
        return link.partner.refresh(refresh)
    except (PartnerError, PartnerRefusesUsError) as error:
        return error


def _finish(link: Link, begun: _Begun, clock: uses.Elapsing, found: _Found) -> Renewal:
    """Write what the partner answered; commits."""
    session, at = link.session, clock.at()
    if isinstance(found, PartnerRefusesUsError):
        uses.answer(session, begun.use_id, at, "unavailable", CLIENT_REFUSED)
        session.commit()
        return Renewal(begun.grant_id, "failed", CLIENT_REFUSED)
    if isinstance(found, PartnerError):
        if found.failure != "refused":
            uses.answer_error(session, begun.use_id, found, at)
            session.commit()
            return Renewal(begun.grant_id, "failed", found.code)
        lock_account(session, begun.account)
        uses.answer_error(session, begun.use_id, found, at)
        end_grant(session, begun.account, begun.grant_id, LinkEnd(at, "refused", CLAUSES["refused"]), at)
        secrets.destroy_of(session, [begun.token_id], at)
        session.commit()
        return Renewal(begun.grant_id, "refused", found.code)
    lock_account(session, begun.account)
    uses.answer(session, begun.use_id, at)
    lives = session.execute(
        sa.select(link_grant.c.id).where(link_grant.c.id == begun.grant_id, link_grant.c.ended_at.is_(None))
    ).first()
    session.execute(
        sa.update(link_token)
        .where(link_token.c.id == begun.token_id, link_token.c.ended_at.is_(None))
        .values(ended_at=begun.asked_at, ended_cause="renewed", end_recorded_at=at)
    )
    secrets.destroy_of(session, [begun.token_id], at)
    store_token(
        link,
        begun.grant_id,
        begun.account,
        begun.generation + 1,
        found,
        begun.asked_at,
        ended_at=None if lives else at,
    )
    session.commit()
    if not lives:  # it ended while the partner was asked: what came is revoked and destroyed
        revoke_left(link, begun.grant_id, clock)
        return Renewal(begun.grant_id, "ended")
    return Renewal(begun.grant_id, "renewed")


def store_token(
    link: Link,
    grant_id: int,
    account: str,
    generation: int,
    answer: TokenAnswer,
    asked_at: datetime,
    *,
    ended_at: datetime | None = None,
) -> int:
    """Write a generation and seal what belongs to it; its id. Does not commit."""
    session = link.session
    dead = {"ended_at": ended_at, "ended_cause": "grant_ended", "end_recorded_at": ended_at} if ended_at else {}
    token_id: int = session.execute(
        sa.insert(link_token)
        .values(
            grant_id=grant_id,
            account=account,
            generation=generation,
            follows=generation - 1 or None,
            asked_at=asked_at,
            expires_in=answer.expires_in,
            expires_at=asked_at + timedelta(seconds=answer.expires_in),
            fingerprint=link.ring.fingerprint(answer.access),
            renewable=answer.refresh is not None,
            recorded_at=asked_at,
            **dead,
        )
        .returning(link_token.c.id)
    ).scalar_one()
    texts: dict[secrets.Kind, str] = {"access": answer.access}
    if answer.refresh is not None:
        texts["refresh"] = answer.refresh
    secrets.put(session, link.ring, token_id, texts, asked_at)
    return token_id


def _let_go(session: Session, grant_id: int) -> None:
    if session.closed or session.invalidated:
        return
    with suppress(sa.exc.SQLAlchemyError):
        session.rollback()
        release_leader_lock(session, f"link/{grant_id}")
        session.commit()
