"""The outcome of a scenario: passed, or every expectation and step that failed, with expected and actual.

All values in a Failure are JSON: days and months as text, instants in JST, rates as decimal text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keizoku.terms import decision


@dataclass(frozen=True, slots=True)
class Failure:
    """One line of a scenario that did not come true."""

    at: str  # a day or an instant in JST, as the scenario states it; for a document its line
    check: str  # the check, the action of a step, "night" or "document"
    expected: Any
    actual: Any

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        return {"at": self.at, "check": self.check, "expected": self.expected, "actual": self.actual}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one file."""

    file: str
    title: str
    failures: tuple[Failure, ...]
    valid: bool = True  # False: the document itself is wrong and nothing ran
    schema: str = ""  # where its rows are, if they were kept
    refusals: tuple[str, ...] = ()  # requests of users that were refused
    crash: Exception | None = None  # what stopped it half-way, for a traceback

    @property
    def passed(self) -> bool:
        """Whether everything came true."""
        return not self.failures

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        outcome: dict[str, Any] = {
            "file": self.file,
            "title": self.title,
            "passed": self.passed,
            "failures": [failure.to_json() for failure in self.failures],
        }
        return {**outcome, "schema": self.schema} if self.schema else outcome


def plain(value: object) -> Any:
    """A value as JSON; what it does not know it shows as text."""
    return decision.plain(value, unknown=lambda _, other: str(other))
