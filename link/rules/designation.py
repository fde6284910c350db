"""Which data are shown and which products can be ordered (api_link/1.2, 6.2; 1.3, 1.6, 6.3): what we designate.

    what the partner answers ──designated fields of the day──> what may be shown      all else is dropped at once

A field is named by its kind and its path, `positions.Symbol`, `orders.Details.RecType`: lists are walked through, and
only values at a designated path remain. Nothing is designated until people designate it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

from keizoku.link.rules.facts import Scope
from keizoku.terms.api_link.link_policy import LinkPolicy
from keizoku.terms.decision import Step, decides

__all__ = ["KINDS", "Designation", "Shown", "designated", "filter_fields", "may_be_ordered", "scope_of"]

KINDS: Final = ("positions", "balance", "orders")
"""What is fetched for a customer; a kind without a designated field is not even asked for."""


@dataclass(frozen=True, slots=True)
class Designation:
    """That a field or a product is designated, or no longer, from a day on."""

    kind: Literal["field", "product"]
    name: str
    is_designated: bool
    holds_from: date


@dataclass(frozen=True, slots=True)
class Shown:
    """What may be shown of an answer, and how many values of it were dropped."""

    content: Any
    dropped: int


def designated(rows: Iterable[Designation], kind: str, day: date) -> frozenset[str]:
    """The names that are designated on a day: of each name, the last row recorded with the latest day holds."""
    newest: dict[str, Designation] = {}
    for row in rows:
        if row.kind != kind or row.holds_from > day:
            continue
        known = newest.get(row.name)
        if known is None or known.holds_from <= row.holds_from:
            newest[row.name] = row
    return frozenset(name for name, row in newest.items() if row.is_designated)


@decides("api_link/1.2", "api_link/6.2")
def filter_fields(kind: str, answer: Any, fields: frozenset[str]) -> Shown:
    """The designated values of an answer, in its own shape, and the number of values left out."""
    content, dropped = _kept(answer, kind, fields)
    return Shown(content, dropped)


def _kept(value: Any, path: str, fields: frozenset[str]) -> tuple[Any, int]:
    if isinstance(value, Mapping):
        kept, dropped = {}, 0
        for name, inner in value.items():
            found, left_out = _kept(inner, f"{path}.{name}", fields)
            dropped += left_out
            if found is not _NOTHING:
                kept[str(name)] = found
        return (kept if kept else _NOTHING), dropped
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        items = [_kept(each, path, fields) for each in value]
        return [found for found, _ in items if found is not _NOTHING], sum(left_out for _, left_out in items)
    return (value, 0) if path in fields else (_NOTHING, 1)


class _Nothing:
    """Stands for a value of which nothing is designated."""


_NOTHING: Final = _Nothing()


@decides("api_link/1.3", "api_link/1.6", "api_link/6.3")
def may_be_ordered(product: str, products: frozenset[str]) -> bool:
    """Whether an order of this product is passed on: only what we designate, among what the partner takes."""
    return product in products


def scope_of(scope: Scope, policy: LinkPolicy) -> Step:
    """What the customer asks for, in words."""
    clause = "api_link/1.2" if scope == "data" else "api_link/1.3"
    return Step(clause, f"link.scope_{scope}", {"partner": policy.partner_name})
