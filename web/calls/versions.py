"""Versions of what two people could act on: a contract, a claim, a task, a month (RFC 9110: ETag, If-Match).

A question about one of them answers with its ETag. An act that says `If-Match` is done if it still is so, else it gets
412 and nothing is done. Acts on one thing over HTTP wait for each other, so of two at once the second sees what the
first did; acts on a contract wait for those of commands and of the night too. A version is drawn from the rows
themselves, so it changes with each of them, also where the answer comes back to what it was.
"""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from keizoku.billing.receivables.open_items import lock_accounts
from keizoku.db.locks import take_turn, turn
from keizoku.db.tables import metadata
from keizoku.web.calls.problems import ProblemError

if TYPE_CHECKING:
    from keizoku.db.session import Session
    from keizoku.web.calls.call import Call

__all__ = ["CLAIM", "CONTRACT", "MONTH", "TASK", "Versioned", "check_version", "held", "tag_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Versioned:
    """A kind of thing that has versions: the name in the path that names it, and what its version is drawn from."""

    word: str
    in_path: str
    rows: sa.Select[Any]
    """Texts that are otherwise whenever a row of it is; `:name` is what the path names."""


def tag_of(session: Session, kind: Versioned, name: str) -> str:
    """The ETag of a thing as it is now."""
    found = session.execute(kind.rows, {"name": name}).scalars().all()
    return f'"{hashlib.sha256("|".join([kind.word, *map(str, found)]).encode()).hexdigest()[:32]}"'


def held(session: Session, kind: Versioned, name: str) -> AbstractContextManager[None]:
    """Acts on the same thing wait, over several transactions: for an act that commits on the way."""
    return turn(session, _lock_of(kind, name))


def check_version(call: Call, kind: Versioned, name: str, wanted: str | None) -> None:
    """Wait for acts on the same thing, then hold it against `If-Match`. Raises ProblemError 412."""
    take_turn(call.session, _lock_of(kind, name))
    if wanted is None or wanted.strip() == "*":
        return
    if kind is CONTRACT:
        lock_accounts(call.session, [name])
    now = tag_of(call.session, kind, name)
    if now not in {each.strip() for each in wanted.split(",")}:
        raise ProblemError(
            412,
            "changed",
            "It was changed since you looked.",
            f"If-Match {wanted[:100]}: {kind.word} {name} is at {now}",
            "look again, and act on what there is now",
            headers={"ETag": now},
        )


def _lock_of(kind: Versioned, name: str) -> str:
    return f"version/{kind.word}/{name}"


def _contract() -> sa.Select[Any]:
    contract = metadata.tables["contract"]
    own = sa.select(contract.c.id).where(contract.c.account == sa.bindparam("name")).scalar_subquery()
    tables = [metadata.tables[each] for each in ("contract_fact", "suspension", "term")]
    parts = [_text(each, each.c.contract_id.in_(own)) for each in tables]
    return _joined(_text(contract, contract.c.account == sa.bindparam("name")), *parts)


def _claim() -> sa.Select[Any]:
    claim = metadata.tables["claim"]
    of_claim = [each for each in metadata.sorted_tables if "claim_id" in each.c]
    parts = [_text(each, each.c.claim_id == sa.bindparam("name")) for each in of_claim]
    return _joined(_text(claim, claim.c.id == sa.bindparam("name")), *parts)


def _task() -> sa.Select[Any]:
    task, snooze = metadata.tables["review_task"], metadata.tables["task_snooze"]
    number = sa.func.substring(sa.bindparam("name", type_=sa.Text), sa.literal_column("'^T([1-9][0-9]{0,17})$'"))
    return _joined(
        _text(task, task.c.id == sa.cast(number, sa.BigInteger)),
        _text(snooze, snooze.c.task == sa.bindparam("name")),
    )


def _month() -> sa.Select[Any]:
    acts, found = metadata.tables["month_act"], metadata.tables["reconciliation_result"]
    resolved = metadata.tables["exception_resolution"]
    return _joined(
        _text(acts, acts.c.month == sa.bindparam("name")),
        _text(found, found.c.month == sa.bindparam("name")),
        _text(resolved, sa.true()),
    )


def _text(table: sa.Table, where: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """How many rows there are, and the newest transactions that wrote them."""
    xmin = sa.cast(sa.cast(sa.literal_column(f"{table.name}.xmin"), sa.Text), sa.BigInteger)
    colon: sa.ColumnElement[str]
    name: sa.ColumnElement[str]
    colon, name = sa.literal_column("':'"), sa.literal_column(f"'{table.name}'")
    told = sa.func.concat_ws(colon, name, sa.func.count(), sa.func.max(xmin), sa.func.sum(xmin))
    return sa.select(told.label("told")).select_from(table).where(where)


def _joined(*parts: sa.Select[Any]) -> sa.Select[Any]:
    every = sa.union_all(*parts).subquery()
    return sa.select(every.c.told).order_by(every.c.told)


CONTRACT: Final = Versioned("contract", "account", _contract())
CLAIM: Final = Versioned("claim", "claim", _claim())
TASK: Final = Versioned("task", "task", _task())
MONTH: Final = Versioned("month", "month", _month())
