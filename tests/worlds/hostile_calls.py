"""Hostile calls of every library act: arguments of the right types, made from the real signatures, that nobody means.

    signature ──> a strategy for each argument ──> the call ──> fine, or Refused; nothing else, and no hang

Arguments have the types that a checker of types demands, in all their range: empty, huge and broken texts, numbers
beyond any column, years 1 and 9999, times without a zone, files that are none; among them what the world really has,
so that calls get beyond the first check.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import types
import typing
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import strategies as st

from keizoku.billing.services.billing_service import BillingService
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.sla.evidence import observation_store
from keizoku.sla.services.sla_service import SlaService
from keizoku.terms.calendar import Month
from keizoku.terms.refusal import Refused
from tests.worlds import hostile_values

TODAY = date(2026, 5, 6)
NOW = night_at(TODAY) + timedelta(hours=7)
LONGEST_SECONDS = 20
"""No act takes as long on so small a world: a call that does hangs."""
NOT_CALLED = frozenset({"begin_card", "finish_card", "cards", "detach_card"})
"""They ask a real gateway, which has tests of its own."""

KNOWN = (
    "u00", "u01", "u02", "u05", "u06", "u08", "u09", "coupon", "key", "newcomer", "monthly", "yearly", "card", "other",
    "app_store", "coupon", "product_key", "c0", "c1", "fault", "system_update", "up", "down", "excluded", "month",
    "2026-04", "2026-05", "bank", "claim_stays", "sale_void", "lost", "won", "N1", "D1", "refund 1", "sim_dp_1",
)  # fmt: skip


@dataclass
class Found:
    """What came of the calls."""

    calls: int = 0
    fine: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)  # by code
    wrong: dict[str, str] = field(default_factory=dict)  # act and error -> the first call of it
    nights: int = 0
    differences: list[str] = field(default_factory=list)


def acts(services: Services) -> dict[str, Callable[..., object]]:
    """billing.pay, sla.record_outage, …: every public act of both services."""
    found: dict[str, Callable[..., object]] = {}
    for room, kind, service in (
        ("billing", BillingService, services.billing),
        ("sla", SlaService, services.sla),
    ):
        for name, _ in inspect.getmembers(kind, inspect.isfunction):
            if not name.startswith("_") and name not in NOT_CALLED:
                found[f"{room}.{name}"] = getattr(service, name)
    return found


def arguments_of(act: Callable[..., object]) -> st.SearchStrategy[dict[str, Any]]:
    """Values for every argument of an act, by its type; those with a default are left out now and then."""
    hints = typing.get_type_hints(act, localns={"observation_store": observation_store})
    needed: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for name, parameter in inspect.signature(act).parameters.items():
        known = parameter.default is inspect.Parameter.empty
        (needed if known else optional)[name] = _value(act, name, hints)
    return st.fixed_dictionaries(needed, optional=optional)


def _value(act: Callable[..., object], name: str, hints: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    if name == "now":
        return _now()
    if act.__name__ == "counts" and name == "rows":  # its type says less than its text: from, to, affected, total
        return st.lists(st.tuples(_INSTANT, _INSTANT, _INTEGER, _INTEGER), max_size=3)
    return _of(hints[name])


def _now() -> st.SearchStrategy[datetime]:
    """Mostly the present: a host's clock is right as a rule."""
    later = st.integers(0, 3_600).map(lambda seconds: NOW + timedelta(seconds=seconds))
    return st.one_of(later, later, later, _of(datetime))


def _of(hint: Any) -> st.SearchStrategy[Any]:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or hint is object:
        return _TEXT
    if hint in _PLAIN:
        return _PLAIN[hint]
    if origin in (typing.Union, types.UnionType):
        return st.one_of([_of(each) for each in inner])
    if origin is typing.Literal:
        return st.sampled_from(inner)
    if origin is typing.Annotated:
        return _of(inner[0])
    if origin is tuple:
        if inner[-1:] == (Ellipsis,):
            return st.lists(_of(inner[0]), max_size=3).map(tuple)
        return st.tuples(*map(_of, inner))
    if origin is not None and inspect.isclass(origin) and issubclass(origin, Mapping):
        return st.dictionaries(_of(inner[0]), _of(inner[1]), max_size=3)
    if origin is not None and inspect.isclass(origin) and issubclass(origin, Callable):  # type: ignore[arg-type]
        return st.none()
    if origin in (frozenset, set):
        return st.lists(_of(inner[0]), max_size=3).map(origin)
    if origin is not None:  # Sequence, Iterable, list
        return st.lists(_of(inner[0]), max_size=3)
    if inspect.isclass(hint) and issubclass(hint, enum.Enum):
        return st.sampled_from(list(hint))
    if inspect.isclass(hint) and dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        given = {each.name: _of(hints[each.name]) for each in dataclasses.fields(hint) if each.init}
        return st.builds(hint, **given)
    if inspect.isclass(hint) and issubclass(hint, tuple) and hasattr(hint, "_fields"):
        return st.builds(hint, **{name: _of(each) for name, each in typing.get_type_hints(hint).items()})
    if inspect.isclass(hint) and all(
        each.default is not inspect.Parameter.empty for each in inspect.signature(hint).parameters.values()
    ):
        return st.builds(hint)
    raise TypeError(f"no strategy for {hint}")


_HOSTILE = (*hostile_values.TEXTS, *hostile_values.TEXTS_OF_NO_COMMAND)
_TEXT = st.one_of(st.sampled_from(KNOWN), st.sampled_from(KNOWN), st.sampled_from(_HOSTILE), st.text(max_size=20))
_INTEGER = st.one_of(
    st.sampled_from((0, 1, 2, 3, -1, 500, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 10**30)), st.integers(0, 2_000)
)
_DAY = st.one_of(
    st.sampled_from((date.min, date.max, date(1969, 12, 31), date(2026, 2, 28), date(2200, 1, 1))),
    st.dates(date(2026, 3, 20), date(2026, 6, 1)),
)
_INSTANT = st.one_of(
    st.sampled_from(
        (
            datetime.min.replace(tzinfo=UTC),
            datetime.max.replace(tzinfo=UTC),
            datetime(2026, 4, 1),  # noqa: DTZ001 - without a zone: hostile
            datetime(1969, 12, 31, tzinfo=UTC),
            datetime(2999, 12, 31, 23, 59, tzinfo=UTC),
            datetime(3000, 1, 1, tzinfo=UTC),
        )
    ),
    st.datetimes(datetime(2026, 3, 20), datetime(2026, 5, 6), timezones=st.just(UTC)),  # noqa: DTZ001
)
_PATHS: list[Path] = []
_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: _TEXT,
    int: _INTEGER,
    bool: st.booleans(),
    float: st.floats(),
    date: _DAY,
    datetime: _INSTANT,
    type(None): st.none(),
    Month: st.builds(Month, st.sampled_from((2026, 2026, 1, 9999)), st.integers(1, 12)),
    Path: st.deferred(lambda: st.sampled_from(_PATHS)),
}


def write_files(folder: Path) -> None:
    """Files that no reader wants, and a folder in place of one: what acts are given from now on."""
    _PATHS[:] = hostile_values.write_files(folder)


def hostile_calls(
    services: Services, calls: int, seed: int, told: Callable[[], None] = lambda: None, *, night_every: int = 100
) -> Found:
    """Call acts at random, with a night now and then; what was refused, what else was raised, what nights found."""
    found = Found()
    listed = sorted(acts(services).items())
    strategies = {name: arguments_of(act) for name, act in listed}
    services.session.exec_driver_sql("SET statement_timeout = '15s'")
    services.session.commit()

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=calls,
        deadline=None,
        database=None,
        derandomize=False,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(st.data())
    def one(data: st.DataObject) -> None:
        name, act = data.draw(st.sampled_from(listed))
        given = data.draw(strategies[name])
        _call(found, name, act, given, services)
        told()
        if found.calls % night_every == 0:
            _night(services, found)

    one()
    _night(services, found)
    return found


def _call(found: Found, name: str, act: Callable[..., object], given: Mapping[str, Any], services: Services) -> None:
    found.calls += 1
    try:
        with hostile_values.no_longer_than(LONGEST_SECONDS):
            act(**given)
        found.fine[name] += 1
    except Refused as refused:
        found.refused[refused.code] += 1
    except Exception as error:
        found.wrong.setdefault(f"{name}: {type(error).__name__} {_place(error)}", _as_call(name, given, error))
    finally:
        services.session.rollback()


def _night(services: Services, found: Found) -> None:
    on = TODAY + timedelta(days=found.nights + 1)
    found.nights += 1
    try:
        result = run_night(services, on, night_at(on), whole_audit=True)
    except Exception as error:
        services.session.rollback()
        found.differences.append(f"night {on}: {type(error).__name__} {_place(error)} {str(error)[:200]}")
        return
    found.differences += [f"night {on}: {each}" for each in result.differences]


def _place(error: BaseException) -> str:
    from traceback import extract_tb

    ours = [each for each in extract_tb(error.__traceback__) if "/tests/" not in each.filename]
    rooms = [each for each in ours if "site-packages" not in each.filename and "/lib/python" not in each.filename]
    last = rooms[-1] if rooms else None
    return f"in {Path(last.filename).name}:{last.name}" if last else ""


def _as_call(name: str, given: Mapping[str, Any], error: BaseException) -> str:
    arguments = ", ".join(f"{key}={_short(value)}" for key, value in given.items())
    return f"{name}({arguments}): {' '.join(str(error).split())[:160]}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:40]}…({len(text):,} letters)"


def described(found: Found) -> Sequence[str]:
    """Each wrong answer and each difference, one a line."""
    return [*(f"{kind}\n    {call}" for kind, call in sorted(found.wrong.items())), *found.differences]
