"""What an act would change, found by doing it and taking it back: no second home for what it does.

    before ──> the act, in a transaction ──> after ──> rolled back
                                               │
                       what is new in the account's story, what its state and its month would be

An act that asks the gateway, or runs as a job, cannot be taken back; it is not tried.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from keizoku.billing.accounts.history import AccountHistory, account_history
from keizoku.billing.gateway.port import Gateway
from keizoku.db.act_keys import rehearsal
from keizoku.sla.months.budget import budget_of
from keizoku.terms.calendar import Month, jst_day
from keizoku.terms.policy import UncoveredDateError
from keizoku.terms.refusal import Refused
from keizoku.web.calls.answering import jsonable
from keizoku.web.calls.call import Call
from keizoku.web.pages.shared.blocks import Block

if TYPE_CHECKING:
    from fastapi import Request

    from keizoku.terms.rendering import Lang
    from keizoku.web.calls.operation import Operation
    from keizoku.web.door import Door

__all__ = ["Effects", "effects_of"]

_SOON: Final = timedelta(seconds=1)
_STATES: Final = (
    "state", "access", "method", "ended_on", "unpaid_yen", "interest_yen", "credit_yen", "deposit_yen",
    "suspends_on", "terminates_on",
)  # fmt: skip


class _NotTriedError(Exception):
    """The act asks somebody outside."""


class _Nobody:
    """A gateway of which nothing can be asked; under which name the bank shows its payouts is a setting."""

    def __init__(self, bank_names: tuple[str, ...]) -> None:
        self.bank_names = bank_names

    def __getattr__(self, name: str) -> Any:
        raise _NotTriedError(name)


@dataclass(frozen=True, slots=True)
class Effects:
    """What an act would change. `tried` False: it cannot be known before."""

    tried: bool = True
    answer: Mapping[str, Any] = field(default_factory=dict)
    sentences: tuple[tuple[str, str], ...] = ()
    """(what would be new in the account's story, its clause)."""
    changes: tuple[tuple[str, Any, Any], ...] = ()
    """(the name of a value, what it is, what it would be)."""
    blocks: Sequence[Block] = ()
    """What these pages show of it besides."""


@dataclass(frozen=True, slots=True)
class _Seen:
    story: AccountHistory | None
    months: Mapping[str, tuple[int, int, str | None]]


def effects_of(
    door: Door,
    operation: Operation,
    request: Request,
    arguments: dict[str, Any],
    lang: Lang,
    preview: Callable[[Call, Mapping[str, Any]], Sequence[Block]] | None = None,
) -> Effects:
    """Do an act, look at what it changed, and take it back. Raises what the act raises.

    `preview`: what is shown of its answer besides, while it is done and can be asked about.
    """
    if operation.repeat == "again" or operation.real_gateway or operation.then is not None:
        return Effects(tried=False)
    principal, role = request.state.admitted
    with door.services(role, acts=False) as services:
        outside = replace(services, gateway=cast("Gateway", _Nobody(door.settings.processor_bank_names)))
        call = Call(principal, role, door.clock(), outside, door.settings, door.jobs, approver=principal.name)
        before = _seen(call, arguments)
        try:
            with rehearsal(services.session):
                answer = jsonable(operation.handler(call, **arguments))
                found = _compared(answer, before, _seen(call, arguments), lang)
                return found if preview is None else replace(found, blocks=preview(call, found.answer))
        except _NotTriedError:
            return Effects(tried=False)


def _seen(call: Call, arguments: Mapping[str, Any]) -> _Seen:
    account = arguments.get("account")
    story = None
    if isinstance(account, str):
        soon = call.now + _SOON
        try:
            story = account_history(call.session, call.rules, account, until=soon, known_at=soon)
        except Refused:  # an account that the act itself makes known
            story = None
    return _Seen(story, _months(call, arguments))


def _months(call: Call, arguments: Mapping[str, Any]) -> dict[str, tuple[int, int, str | None]]:
    """month -> (unusable seconds, unknown ones, the share of a fee that is reached), where the act's period lies."""
    from_at, to_at = arguments.get("from_at"), arguments.get("to_at")
    if not isinstance(from_at, datetime) or not isinstance(to_at, datetime) or to_at <= from_at:
        return {}
    found: dict[str, tuple[int, int, str | None]] = {}
    for at in (from_at, to_at):
        month = Month.of(jst_day(at))
        if month.first_on <= call.today:
            try:
                budget = budget_of(call.session, call.rules, month, call.now + _SOON)
            except (UncoveredDateError, LookupError):
                continue
            reached = [each["rate"] for each in budget.to_json()["tiers"] if each["reached"]]
            found[str(month)] = budget.unusable, budget.unknown, reached[-1] if reached else None
    return found


def _compared(answer: Any, before: _Seen, after: _Seen, lang: Lang) -> Effects:
    changes: list[tuple[str, Any, Any]] = []
    sentences: list[tuple[str, str]] = []
    if after.story is not None:
        known = list(before.story.sentences(lang)) if before.story is not None else []
        for each in after.story.sentences(lang):
            if each in known:
                known.remove(each)
            else:
                sentences.append((each[1], each[2]))
        was = before.story.state if before.story is not None else None
        for name in _STATES:
            old, new = jsonable(was[name]) if was is not None else None, jsonable(after.story.state[name])
            if old != new:
                changes.append((name, old, new))
    for month, (unusable, unknown, rate) in after.months.items():
        old_unusable, old_unknown, old_rate = before.months.get(month, (None, None, None))
        if old_unusable != unusable:
            changes.append((f"unusable_seconds {month}", old_unusable, unusable))
        if old_unknown != unknown:
            changes.append((f"unknown_seconds {month}", old_unknown, unknown))
        if old_rate != rate:
            changes.append((f"claim_rate {month}", old_rate, rate))
    return Effects(True, answer if isinstance(answer, Mapping) else {}, tuple(sentences), tuple(changes))
