"""Generations of tokens as rows: renewals are begun, and their answers written, many in few statements.

    lock the grants ──> look again ──> opened, begun, committed ──> (the partner) ──> written, committed, locks let go

All that has been answered is written in one transaction; where that fails, each answer by itself, so that one bad row
costs no other customer a token that only we still know.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

import sqlalchemy as sa

from keizoku.db.session import Session, numbers
from keizoku.db.tables.link.grants import link_grant, link_secret, link_token
from keizoku.link.grants.context import Link
from keizoku.link.grants.ending import end_grant, end_if_due, revoke_left
from keizoku.link.partner.port import PartnerError, PartnerRefusesUsError, TokenAnswer
from keizoku.link.records import secrets, uses
from keizoku.link.records.customers import load_customers, lock_accounts
from keizoku.link.records.grant_locks import let_go, try_locks
from keizoku.link.rules.ends import CLAUSES, LinkEnd
from keizoku.link.rules.facts import Customer
from keizoku.link.rules.stops import stopped
from keizoku.link.rules.tokens import grant_end, renewal_due_at
from keizoku.link.sealing.seals import SealingError

__all__ = [
    "CLIENT_REFUSED",
    "Begun",
    "Found",
    "NewToken",
    "Renewal",
    "begin_all",
    "finish_all",
    "store_tokens",
]

Outcome = Literal["renewed", "refused", "ended", "not_due", "busy", "stopped", "no_secret", "failed"]
Found = TokenAnswer | PartnerError | PartnerRefusesUsError
"""What the partner answered to a renewal."""
CLIENT_REFUSED: Final = "client_refused"


@dataclass(frozen=True, slots=True)
class Renewal:
    """What became of one grant's renewal."""

    grant_id: int
    outcome: Outcome
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """A renewal that is written down and not answered; this session holds the lock of its grant."""

    grant_id: int
    account: str
    token_id: int
    generation: int
    use_id: int
    asked_at: datetime
    refresh: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewToken:
    """A generation to be written. `ended_at`: its grant ended while it was asked for."""

    grant_id: int
    account: str
    generation: int
    answer: TokenAnswer
    asked_at: datetime
    ended_at: datetime | None = None


def begin_all(
    link: Link, grant_ids: Sequence[int], clock: uses.Elapsing, *, only_if_due: bool = True
) -> tuple[list[Begun], list[Renewal]]:
    """Lock these grants, look again, and write that their tokens are about to be renewed; commits.

    Returns those that are begun, and what became of the others.
    """
    session = link.session
    got = try_locks(session, grant_ids)
    settled = [Renewal(each, "busy") for each in grant_ids if each not in got]
    try:
        begun, others = _look_again(link, sorted(got), clock, only_if_due=only_if_due)
    except BaseException:
        let_go(session, got)
        raise
    let_go(session, [each.grant_id for each in others])
    for each in others:
        if each.outcome == "ended":
            revoke_left(link, each.grant_id, clock)
    return begun, [*settled, *others]


def _look_again(
    link: Link, grant_ids: Sequence[int], clock: uses.Elapsing, *, only_if_due: bool
) -> tuple[list[Begun], list[Renewal]]:
    session, at = link.session, clock.at()
    uses.settle_lost_renewals(session, grant_ids, at)
    rows = session.execute(_TOKENS, {"grants": list(grant_ids)}).all()
    customers = load_customers(session, [row.account for row in rows])
    others: list[Renewal] = [Renewal(each, "ended") for each in set(grant_ids) - {row.grant_id for row in rows}]
    opened: list[tuple[sa.Row[tuple[int, ...]], str]] = []
    ended: list[str] = []
    for row in rows:
        refused = _why_not(link, customers[row.account], at, only_if_due=only_if_due)
        if refused is not None:
            others.append(Renewal(row.grant_id, refused))
            ended += [row.account] if refused == "ended" else []
            continue
        if row.sealed is None:
            others.append(Renewal(row.grant_id, "no_secret"))
            continue
        try:
            text = secrets.opened(link.ring, row.id, "refresh", row.key_id, row.sealed)
        except SealingError as error:
            others.append(Renewal(row.grant_id, "no_secret", error.sentence))
            continue
        opened.append((row, text))
    wanted = [uses.Use(row.grant_id, row.id, row.account, "refresh", link.author) for row, _ in opened]
    ids = uses.begin(session, wanted, at) if wanted else []
    session.commit()
    for account in ended:
        end_if_due(session, account, at)
    return [
        Begun(row.grant_id, row.account, row.id, row.generation, use_id, at, text)
        for (row, text), use_id in zip(opened, ids, strict=True)
    ], others


_TOKENS: Final = sa.text("""
    SELECT link_token.id, link_token.grant_id, link_token.account, link_token.generation,
           link_secret.key_id, link_secret.sealed
    FROM link_token JOIN link_grant ON link_grant.id = link_token.grant_id
    LEFT JOIN link_secret ON link_secret.token_id = link_token.id AND link_secret.kind = 'refresh'
         AND link_secret.destroyed_at IS NULL
    WHERE link_token.grant_id = ANY(CAST(:grants AS bigint[])) AND link_token.ended_at IS NULL
          AND link_grant.ended_at IS NULL
    ORDER BY link_token.grant_id
""")


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


def finish_all(link: Link, answered: Sequence[tuple[Begun, Found]], clock: uses.Elapsing) -> list[Renewal]:
    """Write what the partner answered, and let the grants go; commits. Raises where an answer cannot be written."""
    try:
        if len(answered) > 1:
            with suppress(sa.exc.SQLAlchemyError):
                return _written(link, answered, clock)
            link.session.rollback()  # then each by itself
        done, failure = [], None
        for each in answered:
            try:
                done += _written(link, [each], clock)
            except sa.exc.SQLAlchemyError as error:
                failure = error
                link.session.rollback()
        if failure is not None:
            raise failure
        return done
    finally:
        let_go(link.session, [begun.grant_id for begun, _ in answered])


def _written(link: Link, answered: Sequence[tuple[Begun, Found]], clock: uses.Elapsing) -> list[Renewal]:
    session, at = link.session, clock.at()
    if any(isinstance(found, TokenAnswer) or _is_final(found) for _, found in answered):
        lock_accounts(session, [begun.account for begun, _ in answered])
    done = [_failed(session, begun, found, at) for begun, found in answered if not isinstance(found, TokenAnswer)]
    renewed = [(begun, found) for begun, found in answered if isinstance(found, TokenAnswer)]
    ended = _renewed(link, renewed, at) if renewed else set[int]()
    session.commit()
    for begun, _ in renewed:
        if begun.grant_id in ended:  # it ended while the partner was asked: what came is revoked and destroyed
            revoke_left(link, begun.grant_id, clock)
        done.append(Renewal(begun.grant_id, "ended" if begun.grant_id in ended else "renewed"))
    return done


def _is_final(found: Found) -> bool:
    return isinstance(found, PartnerError) and found.failure == "refused"


def _failed(session: Session, begun: Begun, found: PartnerError | PartnerRefusesUsError, at: datetime) -> Renewal:
    if isinstance(found, PartnerRefusesUsError):
        uses.answer(session, begun.use_id, at, "unavailable", CLIENT_REFUSED)
        return Renewal(begun.grant_id, "failed", CLIENT_REFUSED)
    uses.answer_error(session, begun.use_id, found, at)
    if not _is_final(found):
        return Renewal(begun.grant_id, "failed", found.code)
    end_grant(session, begun.account, begun.grant_id, LinkEnd(at, "refused", CLAUSES["refused"]), at)
    secrets.destroy_of(session, [begun.token_id], at)
    return Renewal(begun.grant_id, "refused", found.code)


def _renewed(link: Link, renewed: Sequence[tuple[Begun, TokenAnswer]], at: datetime) -> set[int]:
    """Write the next generations; the grants that have ended meanwhile. Does not commit."""
    session = link.session
    grants = numbers(begun.grant_id for begun, _ in renewed)
    living = sa.select(link_grant.c.id).where(link_grant.c.id == sa.any_(grants), link_grant.c.ended_at.is_(None))
    lives = set(session.scalars(living))
    uses.answer_all(session, [begun.use_id for begun, _ in renewed], at)
    for asked_at in {begun.asked_at for begun, _ in renewed}:
        ids = numbers(begun.token_id for begun, _ in renewed if begun.asked_at == asked_at)
        session.execute(
            sa.update(link_token)
            .where(link_token.c.id == sa.any_(ids), link_token.c.ended_at.is_(None))
            .values(ended_at=asked_at, ended_cause="renewed", end_recorded_at=at)
        )
    secrets.destroy_of(session, [begun.token_id for begun, _ in renewed], at)
    store_tokens(
        link,
        [
            NewToken(
                begun.grant_id,
                begun.account,
                begun.generation + 1,
                found,
                begun.asked_at,
                None if begun.grant_id in lives else at,
            )
            for begun, found in renewed
        ],
    )
    return {begun.grant_id for begun, _ in renewed} - lives


def store_tokens(link: Link, tokens: Sequence[NewToken]) -> None:
    """Write generations and seal what belongs to them. Does not commit."""
    session = link.session
    rows = [
        {
            "grant_id": token.grant_id,
            "account": token.account,
            "generation": token.generation,
            "follows": token.generation - 1 or None,
            "asked_at": token.asked_at,
            "expires_in": token.answer.expires_in,
            "expires_at": token.asked_at + timedelta(seconds=token.answer.expires_in),
            "fingerprint": link.ring.fingerprint(token.answer.access),
            "renewable": token.answer.refresh is not None,
            "recorded_at": token.asked_at,
            "ended_at": token.ended_at,
            "ended_cause": None if token.ended_at is None else "grant_ended",
            "end_recorded_at": token.ended_at,
        }
        for token in tokens
    ]
    added = sa.insert(link_token).returning(link_token.c.id, sort_by_parameter_order=True)
    ids = session.scalars(added, rows)
    sealed = [
        secrets.sealed_row(link.ring, token_id, kind, text, token.asked_at)
        for token_id, token in zip(ids, tokens, strict=True)
        for kind, text in (("access", token.answer.access), ("refresh", token.answer.refresh))
        if text is not None
    ]
    session.execute(sa.insert(link_secret), sealed)
