"""What can happen between two nights of a random life: each act is a method, and what its keywords may be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from random import Random
from typing import Any, TypeVar

from keizoku.scheduler.app import Services
from keizoku.terms.refusal import Refused

ONE_DAY = timedelta(days=1)
ACCOUNTS = ("hanako", "jiro", "taro")
STARTS = ("2024-12-30", "2025-01-29", "2026-03-31", "2027-12-30", "2028-02-27")  # around what is odd in a calendar


Fact = Callable[[Random], Any]
"""What a keyword of an act may be: drawn by a seed."""


def pick(*values: Any) -> Fact:
    """One of these; what is named twice comes twice as often."""
    return lambda random: random.choice(values)


def number(least: int, most: int) -> Fact:
    """A whole number of these, both included."""
    return lambda random: random.randint(least, most)


accounts = pick(*ACCOUNTS)
minutes = number(1, 600)

ACTS: dict[str, dict[str, Fact]] = {}
"""A method of the life, and what its keywords may be."""

OFTEN: dict[str, int] = {}
"""Acts that come more often than others, by what every life should see of them."""

T = TypeVar("T", bound=Callable[..., None])


def act(often: int = 1, /, **facts: Fact) -> Callable[[T], T]:
    """The method is one of the ACTS."""

    def keep(method: T) -> T:
        ACTS[method.__name__] = facts
        OFTEN[method.__name__] = often
        return method

    return keep


def drawn_act(random: Random) -> tuple[str, dict[str, Any]]:
    """An act and its keywords."""
    name = random.choices(list(ACTS), [OFTEN[each] for each in ACTS])[0]
    return name, {key: drawn(random) for key, drawn in ACTS[name].items()}


class Acting:
    """What the acts of a life stand on: `now`, the services, and how the desk is asked."""

    services: Services
    now: datetime
    first_on: date

    def after(self, passed: int) -> datetime:
        """The instant so many minutes later; a night that comes in between runs before."""
        raise NotImplementedError

    def look(self) -> None:
        """Every invariant, now."""
        raise NotImplementedError

    def days_pass_on_which_something_is_due(self, count: int) -> None:
        """So many nights on which something is due."""
        raise NotImplementedError

    def ask(self, passed: int, method: str, account: str, *facts: Any, **more: Any) -> str | None:
        """One act at the desk, which may say no: then the code of the refusal."""
        return self.asked(passed, self.services.billing, method, account, *facts, **more)

    def asked(self, passed: int, desk: object, method: str, *facts: Any, **more: Any) -> str | None:
        """The same at one of the two desks."""
        at = self.after(passed)
        try:
            getattr(desk, method)(*facts, now=at, **more)
        except Refused as refused:
            self.services.session.rollback()
            self.look()
            return refused.code
        self.look()
        return None
