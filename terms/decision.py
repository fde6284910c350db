"""What a deciding function returns: an outcome, the clauses that made it, and every step on the way.

    facts ──deciding function──> Decision ──to_json──> stored, append-only
                                    └──────render────> sentences in Japanese or English

Facts are JSON: instants become text in JST, days ISO text, fractions decimal text ("0.2"), so that a stored
decision read back equals the one that was made. A float is refused. One step renders to one sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from typing import Any, TypeVar

from keizoku.terms.calendar import Month, iso_jst
from keizoku.terms.money import fraction_text
from keizoku.terms.rendering import Lang, sentence

Facts = Mapping[str, Any]  # JSON once it is inside a Step or a Decision

_Function = TypeVar("_Function", bound=Callable[..., Any])
_homes: dict[str, list[str]] = {}


class PlainList(list[Any]):
    """A list that already holds JSON values, as its maker vouches: used in a step as it is."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was settled on the way: by which clause, as which sentence, from which facts."""

    clause: str
    key: str  # of its sentence in terms/sentences
    facts: Facts = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "facts", _plain_facts(self.facts))

    def to_json(self) -> dict[str, Any]:
        """The step as JSON values."""
        return {"clause": self.clause, "key": self.key, "facts": dict(self.facts)}


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome for one subject, with all that made it."""

    subject: str  # what was decided about, e.g. "claim c-17"
    outcome: str
    clauses: tuple[str, ...]
    terms: str  # version of the terms, e.g. "2024-12-02"
    readings: Mapping[str, str]  # those that mattered: name -> choice
    facts: Facts = field(default_factory=dict)
    steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "clauses", tuple(self.clauses))
        object.__setattr__(self, "readings", dict(self.readings))
        object.__setattr__(self, "facts", _plain_facts(self.facts))
        object.__setattr__(self, "steps", tuple(self.steps))

    def to_json(self, first_steps: int | None = None) -> dict[str, Any]:
        """The decision as JSON values, for a jsonb column or --json; `first_steps`: with only so many steps."""
        return {
            "subject": self.subject,
            "outcome": self.outcome,
            "clauses": list(self.clauses),
            "terms": self.terms,
            "readings": dict(self.readings),
            "facts": dict(self.facts),
            "steps": [step.to_json() for step in self.steps[:first_steps]],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Decision:
        """The decision that `to_json` wrote. KeyError if a field is missing."""
        return cls(
            subject=stored["subject"],
            outcome=stored["outcome"],
            clauses=tuple(stored["clauses"]),
            terms=stored["terms"],
            readings=stored["readings"],
            facts=stored["facts"],
            steps=tuple(Step(step["clause"], step["key"], step["facts"]) for step in stored["steps"]),
        )

    def render(self, lang: Lang) -> list[str]:
        """One sentence per step, in the order of the steps; a sentence may use the decision's facts too.

        Raises UnknownSentenceError or MissingFactError (keizoku.terms.rendering) when words and steps do not fit.
        """
        return [sentence(step.key, lang, {**self.facts, **step.facts}) for step in self.steps]


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with one row of input, and what to do about it."""

    source: str  # file, table or step of a scenario
    line: int | None
    value: str  # what was found
    rule: str  # what was expected
    remedy: str

    def __str__(self) -> str:
        where = self.source if self.line is None else f"{self.source}:{self.line}"
        return " ".join(f"{where}: {self.value}: {self.rule}; {self.remedy}".split())


def decides(*clauses: str) -> Callable[[_Function], _Function]:
    """Name the clauses that a function decides. A test, not the import, checks that they exist."""

    def register(function: _Function) -> _Function:
        home = f"{function.__module__}.{function.__qualname__}"
        for clause in clauses:
            names = _homes.setdefault(clause, [])
            if home not in names:
                names.append(home)
        return function

    return register


def homes() -> dict[str, tuple[str, ...]]:
    """clause -> qualified names of the functions that decide it, of the modules imported so far."""
    return {clause: tuple(sorted(names)) for clause, names in sorted(_homes.items())}


_PLAIN_TYPES = frozenset({type(None), str, int, bool, PlainList})
_Unknown = Callable[[str, object], Any]


def plain(value: object, name: str = "", unknown: _Unknown | None = None) -> Any:
    """A value as JSON: instants in JST, days and months as text, fractions as decimal text, lists and mappings of them.

    What it does not know goes to `unknown` with the name of the fact; without it TypeError, a float too.
    """
    kind = type(value)
    if kind is list or kind is tuple:  # the most common, and the deepest
        return [inner if type(inner) in _PLAIN_TYPES else plain(inner, name, unknown) for inner in value]  # type: ignore[attr-defined]
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, datetime):
        return iso_jst(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Month):
        return str(value)
    if isinstance(value, Fraction):
        return fraction_text(value)
    if isinstance(value, Mapping):
        return {
            str(key): inner if type(inner) in _PLAIN_TYPES else plain(inner, f"{name}.{key}", unknown)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [inner if type(inner) in _PLAIN_TYPES else plain(inner, name, unknown) for inner in value]
    if unknown is not None:
        return unknown(name, value)
    raise TypeError(
        f"the fact {name!r} is a {type(value).__name__}; facts are whole numbers, text, times, lists of them"
    )


def _plain_facts(facts: Facts) -> dict[str, Any]:
    return {
        str(name): value if type(value) in _PLAIN_TYPES else plain(value, str(name)) for name, value in facts.items()
    }
