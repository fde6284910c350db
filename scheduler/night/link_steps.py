"""The steps of the night's stage `link`: ends, notices, tokens, orders, and what people have to look at.

    link_ends ─> link_notices ─> link_tokens ─> link_orders ─> link_figures

Ends and notices need neither the partner nor a key. What cannot be renewed for one customer is set aside and tried
again; where the partner, the keys or the role for tokens are missing, the step is set aside as a whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from keizoku.db.fence import Item
from keizoku.db.probes import NOW
from keizoku.db.roles import may_add
from keizoku.db.session import DatabaseError
from keizoku.db.tables.link.grants import link_grant, link_secret
from keizoku.link.records import probes
from keizoku.scheduler.night import run_log
from keizoku.terms.calendar import jst_day
from keizoku.terms.refusal import Refused

if TYPE_CHECKING:
    from datetime import datetime

    from keizoku.link.services.link_service import LinkService
    from keizoku.scheduler.app import Services
    from keizoku.scheduler.night.stages import Work

__all__ = ["LINK_PROBES", "LINK_STEPS", "renew_by_day"]

TOLD_AT_ONCE: Final = 500
"""Renewals are shown by so many."""


def _ends(work: Work) -> Iterator[int]:
    yield work.services.link.end_all_due(now=work.now)


def _notices(work: Work) -> Iterator[int]:
    from keizoku.link.grants.notices import write_due

    yield write_due(work.session, work.rules.discretion.link_lapse_notice_days, work.now)


def _tokens(work: Work) -> Iterator[int]:
    if not _is_any(work, probes.anything_linked()):
        return
    link = _with_tokens(work)
    yield link.destroy_kept(now=work.now)
    yield link.revoke_left(now=work.now)
    run, told = link.renewals(now=work.now), 0
    with closing(iter(run)) as steps:
        for _ in steps:  # after each, whoever runs the night may stop it
            enough = run.counts.done - told >= TOLD_AT_ONCE
            yield run.counts.done - told if enough else 0
            told = run.counts.done if enough else told
    for failed in run.counts.failures:
        of = sa.select(link_grant.c.account).where(link_grant.c.id == failed.grant_id)
        account = str(work.session.scalar(of))
        why = f"its token was not renewed: {failed.code or failed.outcome}"
        work.fence.take(Item("account", account, why, "renew_due", account=account))
    work.session.rollback()
    yield run.counts.done - told


def _orders(work: Work) -> Iterator[int]:
    if not _is_any(work, probes.anything_ordered()):
        return
    yield _with_tokens(work).look_up_orders(now=work.now).changes


def _figures(work: Work) -> Iterator[int]:
    from keizoku.link.services.figures import open_tasks_for_people

    yesterday = jst_day(work.now) - timedelta(days=1)
    since = min(run_log.last_night(work.session) or yesterday, yesterday)  # that night looked at the day before its own
    yield open_tasks_for_people(work.session, work.rules.discretion.link_fetches_an_hour, since, work.now)


def renew_by_day(services: Services, now: datetime, going: Callable[[], bool]) -> dict[str, object]:
    """What the worker does between the nights: ends, revocations, tokens that are due, orders without an answer.

    Counts of what was done; `why` where the partner, the keys, the role or an adoption are missing. Nothing is set
    aside here: what still is due is the next turn's, and the night's.
    """
    session = services.session
    linked = session.scalar(sa.select(probes.anything_linked()), {NOW.key: now})
    session.rollback()
    if not linked:
        return {}
    link, done = services.link, Counter[str]()
    try:
        done["ended"] = link.end_all_due(now=now)
        done["destroyed"] = link.destroy_kept(now=now)
        done["revoked"] = link.revoke_left(now=now)
        run = link.renewals(now=now)
        with closing(iter(run)) as steps:
            for _ in steps:
                if not going():
                    break
        done |= {"renewed": run.counts.renewed, "refused": run.counts.refused, "failed": run.counts.failed}
        if going():
            looked_up = link.look_up_orders(only_unanswered=True, now=now)
            done |= {"orders": looked_up.changes, "to_people": len(looked_up.to_people)}
    except (Refused, DatabaseError) as refused:
        session.rollback()
        return {**+done, "why": str(refused)}
    return dict(+done)


def _is_any(work: Work, probe: sa.ColumnElement[bool]) -> bool:
    """Asked again where a night runs without its probes: a house without links needs neither partner nor keys."""
    found = work.session.execute(sa.select(probe), {NOW.key: work.now}).scalar()
    work.session.rollback()
    return bool(found)


def _with_tokens(work: Work) -> LinkService:
    """The service, for a login that may use tokens. Raises Refused, which sets the step aside."""
    if not may_add(work.session, link_secret):
        work.session.rollback()
        raise Refused("link.no_role", "the night's login lacks the role for tokens", "grant it keizoku_tokens")
    work.session.rollback()
    return work.services.link


LINK_STEPS: Final[Mapping[str, Callable[[Work], Iterator[int]]]] = {
    "link_ends": _ends,
    "link_notices": _notices,
    "link_tokens": _tokens,
    "link_orders": _orders,
    "link_figures": _figures,
}
LINK_PROBES: Final[Mapping[str, sa.ColumnElement[bool]]] = {
    "link_ends": probes.anything_linked(),
    "link_notices": probes.anything_linked(),
    "link_tokens": probes.anything_linked(),
    "link_orders": probes.anything_ordered(),
    "link_figures": probes.anything_to_look_at(),
}
