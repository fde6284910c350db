"""Who sits at a browser in tests: whoever the test names, whose forms carry a word that it knows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from fastapi import Request

from keizoku.db.locks import try_leader_lock
from keizoku.web.calls.problems import ProblemError
from keizoku.web.identity.principal import Principal, Role
from keizoku.web.jobs import Job, Jobs, night_job
from keizoku.web.pages.shared.addresses import segment

if TYPE_CHECKING:
    from keizoku.web.calls.operation import Operation
    from tests.integration.web.conftest import House

__all__ = [
    "HOSTILE",
    "KNOWN",
    "TOKEN",
    "Sitting",
    "addresses_of",
    "fill",
    "night_under_way",
    "staff_of",
    "tiles",
    "walked",
]

TOKEN = "the-word-of-the-test"  # noqa: S105 - of no session


def staff_of(role: Role, name: str = "") -> Principal:
    """A person of the staff with one role."""
    return Principal("staff", name or f"{role}@example.jp", (role,))


@dataclass
class Sitting:
    """Whoever sits there, or nobody."""

    who: Principal | None = None

    def principal(self, request: Request) -> Principal | None:
        """Whoever it is."""
        del request
        return self.who

    def token(self, request: Request) -> str:
        """The word."""
        del request
        return TOKEN

    def check(self, request: Request, token: str) -> None:
        """The same word, or 403."""
        del request
        if token != TOKEN:
            raise ProblemError(403, "session.form", "The form is not one that we gave you.", "", "open it anew")


HOSTILE: Final = """"><img src=x onerror=alert(1)><svg onload=alert(2)>{{7*7}}' --"""
"""What would run, if a page let it: an account, a payer, a ground, a batch."""

KNOWN: Final[Mapping[str, str]] = {
    "reading": "short_stop",
    "account": HOSTILE, "claim": HOSTILE, "letter": "N1", "month": "2026-04", "task": "documents overdue",
    "payment": "1", "kind": "product_key", "batch": HOSTILE, "code": "1140", "contract": "premium",
    "version": "2024-12-02", "name": "5.2", "on": "2026-05-07", "incident": HOSTILE, "number": "1",
    "refund": "refund-1",
}  # fmt: skip
"""What stands in the paths of screens, in the world of tests/worlds/role_walk.py and what `fill` adds."""


def fill(house: House) -> None:
    """Hostile names on every screen: an account that applied and was approved, a claim, an outage, money, codes.

    All is done by another person than `staff_of`.
    """
    house.door.settings = house.door.settings.model_copy(update={"issuer_name": "Example KK"})
    plan = {"plan": "monthly", "method": "app_store"}
    outage = {"from_at": "2026-04-20T10:00:00+09:00", "to_at": "2026-04-20T12:00:00+09:00", "affected": 90_000}
    named = quote(HOSTILE, safe="")
    calls: list[tuple[str, Mapping[str, object]]] = [
        ("/v1/applications", {"account": HOSTILE, **plan}),
        (f"/v1/applications/{named}/approve", {"ground": HOSTILE}),
        (f"/v1/accounts/{named}/suspend", {"ground": HOSTILE}),
        ("/v1/ledger/entries", {"lines": {"1110": 1, "7110": -1}, "ground": HOSTILE}),
        ("/v1/claims", {"account": HOSTILE, "month": "2026-04", "claim": HOSTILE, "ground": HOSTILE}),
        ("/v1/incidents", {"incident": HOSTILE, "ground": HOSTILE, **outage}),
        (
            "/v1/code-batches",
            {"kind": "product_key", "batch": HOSTILE, "plan": "monthly", "months": 1, "count": 2,
             "expires": "2027-04-01", "yen": 500},
        ),
        ("/v1/months/2026-04/issue-documents", {}),
        ("/v1/operator-acts/service-change", {"what": HOSTILE, "ground": HOSTILE}),
    ]  # fmt: skip
    for path, body in calls:
        status, told = house.act(path, body)
        assert status < 300 or told["type"].rpartition("/")[2] in DONE_BEFORE, (path, told)
    payer = HOSTILE.replace('"', '""')
    lines = f'date,amount,payer,reference\n2026-05-01,71,"{payer}",\n2026-05-02,500,YAMADA,"{payer}"\n'
    assert house.upload("/v1/bank-imports?name=bank.csv", lines.encode())[0] == 200


DONE_BEFORE: Final = frozenset({"application.none_waiting", "contract.exists"})
"""What an application that was screened at once refuses."""


@contextmanager
def night_under_way(jobs: Jobs, on: date) -> Iterator[Job]:
    """A night of this door that the test moves on, as the door's own thread would."""
    name, holder = night_job(on), jobs._place.connection()
    try:
        assert try_leader_lock(holder, f"job {name}")
        holder.commit()
        job = Job(name, lambda _: "ok", holder, jobs._tell, partial(jobs._kept.room, name))
        job.tell(job)
        yield job
    finally:
        holder.close()


def tiles(page: str) -> dict[str, str]:
    """The figures of a page by their label, without marks: value and note."""
    found = re.findall(r'<div class="key"><dt>(.*?)</dt>(.*?)</div>', page, re.DOTALL)
    return {label: " ".join(re.sub("<[^>]*>", " ", rest).split()) for label, rest in found}


def walked(screens: Sequence[Operation]) -> list[Operation]:
    """The screens that the world has something for: an endpoint wants a public address, a job begins by an act."""
    return [screen for screen in screens if screen.name not in ("console.endpoint", "console.job")]


def addresses_of(screens: Sequence[Operation]) -> list[str]:
    """An address of every screen."""
    return [re.sub(r"\{(\w+)\}", lambda part: segment(KNOWN[part[1]]), each.path) for each in walked(screens)]
