"""Renewal: each token gets its next generation ahead of its end, one renewer at a time, at the partner's pace.

    due ──lock the grant──> begun, committed ──> the partner answers ─┬─> next generation; the old one is destroyed
                                                                      ├─> invalid_grant: the grant has ended
                                                                      └─> busy, down, no answer: due as before

The partner's answer is the only truth: it need not tell us of anything else. An answer that was lost may have voided
the token that we hold; it is tried again all the same, and a refusal then is a refusal. Answers are committed as they
come, so that a process that dies loses no more than the calls that were under way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Final

import sqlalchemy as sa

from keizoku.db.locks import leader_lock
from keizoku.db.session import Session
from keizoku.link.grants.context import Link
from keizoku.link.grants.generations import CLIENT_REFUSED, Begun, Found, Renewal, begin_all, finish_all
from keizoku.link.partner.port import PartnerError, PartnerRefusesUsError
from keizoku.link.records import uses
from keizoku.link.records.customers import load_customer
from keizoku.link.records.grant_locks import let_go
from keizoku.terms.refusal import Refused

__all__ = ["RenewalCounts", "Renewals", "renew"]

CHUNK: Final = 500
WORST_ROW: Final = 20
"""So many calls in a row without a success end the stage: the partner is down, and asking on helps nobody."""
TOGETHER_SECONDS: Final = 0.005
"""Answers that come within so short a time are written together."""
LOCK: Final = "link-renewals"
"""Whoever renews all that is due holds it: two of them would ask at twice the partner's pace."""


@dataclass(slots=True)
class RenewalCounts:
    """What became of all that were due. `busy`: another process is renewing them, and nothing was done here."""

    renewed: int = 0
    refused: int = 0
    ended: int = 0
    failed: int = 0
    skipped: int = 0
    partner_down: bool = False
    busy: bool = False
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

    @property
    def done(self) -> int:
        """Grants with a new token, or with an end."""
        return self.renewed + self.refused + self.ended


def _due(session: Session, ahead: int, since: datetime, at: datetime, after: _Place) -> list[_Place]:
    """Living grants whose token is due for renewal at `at`, those that end first before the others.

    Of those that a run which began at `since` has not renewed itself: a run ends however short the tokens live.
    """
    values = {"at": at, "ahead": ahead, "since": since, "after_at": after[0], "after": after[1], "limit": CHUNK}
    found = [(row.expires_at, row.grant_id) for row in session.execute(_DUE, values)]
    session.rollback()
    return found


_Place = tuple[datetime | str, int]
_DUE: Final = sa.text("""
    SELECT expires_at, grant_id FROM link_token
    WHERE ended_at IS NULL AND renewable AND asked_at < :since
    AND (expires_at, grant_id) > (CAST(:after_at AS timestamptz), CAST(:after AS bigint))
    AND expires_at <= CAST(:at AS timestamptz) + make_interval(secs => :ahead)
    AND expires_at - make_interval(secs => least(:ahead, expires_in / 2.0)) <= :at
    ORDER BY expires_at, grant_id LIMIT :limit
""")


def renew(link: Link, account: str, now: datetime, *, only_if_due: bool = True) -> Renewal:
    """Renew the account's living grant now; commits. `only_if_due`: else also one that has time left."""
    customer = load_customer(link.session, account)
    link.session.rollback()
    grant = customer.grant
    if grant is None or grant.ended_at is not None:
        return Renewal(0, "ended")
    clock = uses.Elapsing(now)
    begun, others = begin_all(link, [grant.id], clock, only_if_due=only_if_due)
    if not begun:
        return others[0]
    return finish_all(link, [(begun[0], _ask(link, begun[0].refresh))], clock)[0]


class Renewals:
    """A run through all that is due, step by step: whoever iterates may stop between two steps, and nothing is lost.

    What is renewed is due no more, so the next run goes on where this one was stopped. Where the partner answers
    nothing for a while the rest is left to that one. `at_once`: calls under way at the same time. Raises Refused where
    the partner refuses our own client.
    """

    def __init__(self, link: Link, now: datetime, *, at_once: int) -> None:
        self.counts = RenewalCounts()
        self._link, self._now, self._at_once = link, now, at_once
        self._failed_in_a_row = 0

    def __iter__(self) -> Generator[int]:
        """After each step, how many grants it has dealt with."""
        with leader_lock(self._link.session, LOCK) as mine:
            if not mine:
                self.counts.busy = True
                return
            yield from self._steps(uses.Elapsing(self._now))
        if any(each.code == CLIENT_REFUSED for each in self.counts.failures):
            raise Refused(
                "link.client_refused",
                "the partner refuses our client",
                "mend its id, its key, its scopes, or this machine's clock",
            )

    def _steps(self, clock: uses.Elapsing) -> Iterator[int]:
        ahead = self._link.rules.discretion.link_renew_ahead_seconds
        after: _Place = ("-infinity", 0)
        with ThreadPoolExecutor(self._at_once, "link-renewal") as pool:
            while due := _due(self._link.session, ahead, self._now, clock.at(), after):
                after = due[-1]
                for done in self._through([grant_id for _, grant_id in due], clock, pool):
                    self._count(done)
                    yield len(done)
                if self.counts.partner_down:
                    return

    def _through(
        self, due: Sequence[int], clock: uses.Elapsing, pool: ThreadPoolExecutor
    ) -> Iterator[Sequence[Renewal]]:
        """Ask for some at a time, and write what has come; what is under way is written even where all else ends."""
        link, waiting, under_way = self._link, iter(due), deque[tuple[Begun, Future[Found]]]()
        try:
            while True:
                room = self._at_once - len(under_way)
                few = 2 * room >= self._at_once and not self.counts.partner_down  # half of them at a time
                if more := list(islice(waiting, room)) if few else []:
                    begun, others = begin_all(link, more, clock)
                    under_way += ((each, pool.submit(_ask, link, each.refresh)) for each in begun)
                    if others:
                        yield others
                elif not under_way:
                    return
                if under_way:
                    calls = [asked for _, asked in under_way]
                    wait(calls, return_when=FIRST_COMPLETED)
                    wait(calls, TOGETHER_SECONDS)
                    come = [pair for pair in under_way if pair[1].done()]
                    taken = {each.grant_id for each, _ in come}
                    under_way = deque(pair for pair in under_way if pair[0].grant_id not in taken)
                    yield self._finish(come, clock)
        finally:
            if under_way:
                self._count(self._finish(list(under_way), clock))

    def _finish(self, come: Sequence[tuple[Begun, Future[Found]]], clock: uses.Elapsing) -> list[Renewal]:
        """Write these answers. What failed as no partner can fail is raised when the others are written."""
        errors = [error for _, asked in come if (error := asked.exception()) is not None]
        answered = [(each, asked.result()) for each, asked in come if asked.exception() is None]
        try:
            done = finish_all(self._link, answered, clock) if answered else []
        finally:
            if errors:
                let_go(self._link.session, [each.grant_id for each, asked in come if asked.exception() is not None])
        if errors:
            self._count(done)
            raise errors[0]
        return done

    def _count(self, done: Sequence[Renewal]) -> None:
        for each in done:
            self.counts.take(each)
            self._failed_in_a_row = self._failed_in_a_row + 1 if each.outcome == "failed" else 0
            self.counts.partner_down |= self._failed_in_a_row >= WORST_ROW or each.code == CLIENT_REFUSED


def _ask(link: Link, refresh: str) -> Found:
    try:
        return link.partner.refresh(refresh)
    except (PartnerError, PartnerRefusesUsError) as error:
        return error
