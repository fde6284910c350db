"""The history of an account as a whole: its contract and money, and its link; the two rooms meet here, in time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from keizoku.billing.accounts.history import AccountHistory, account_history
from keizoku.billing.rules.account_event import Event, in_order, known
from keizoku.link.services.history import link_story
from keizoku.link.services.views import link_as_it_is

if TYPE_CHECKING:
    from keizoku.db.session import Session
    from keizoku.link.services.views import LinkView
    from keizoku.terms.rules import Rules

__all__ = ["account_story", "link_of"]


def account_story(
    session: Session, rules: Rules, account: str, *, until: datetime, known_at: datetime
) -> AccountHistory:
    """The account's history with what happened to its link. Raises as `account_history`."""
    story = account_history(session, rules, account, until=until, known_at=known_at)
    of_link = [
        Event(each.at, each.known_at, each.kind, each.clause, each.facts) for each in link_story(session, account)
    ]
    return replace(story, events=tuple(in_order([*story.events, *known(of_link, until, known_at)])))


def link_of(session: Session, account: str, at: datetime) -> LinkView | None:
    """The account's link as it is at `at`, by what is known now; None: it was never linked."""
    found = link_as_it_is(session, account, at)
    return None if found.state == "none" else found
