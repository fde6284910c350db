"""Where the contract leaves a question open: how we read it, what else could be chosen, and why.

Clear text is followed; real doubt goes to the user. A reading with one choice is documented, but has no
alternative built.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from terms.files import BadTerms


class Choice(BaseModel):
    """One answer to the question of a reading."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_min_length=1)

    name: str
    ja: str
    en: str


class Reading(BaseModel):
    """An open question of the contract and its answers."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_min_length=1)

    name: str
    clause: str
    question_ja: str
    question_en: str
    default: str
    choices: tuple[Choice, ...]
    reason_ja: str
    reason_en: str

    @model_validator(mode="after")
    def _default_is_a_choice(self) -> Self:
        names = [choice.name for choice in self.choices]
        if len(set(names)) != len(names):
            raise ValueError("a choice is listed twice")
        if self.default not in names:
            raise ValueError(f"the default {self.default!r} is none of its choices {names}")
        return self

    @property
    def alternatives(self) -> tuple[Choice, ...]:
        """The choices that are not the default."""
        return tuple(choice for choice in self.choices if choice.name != self.default)


def read_readings(tables: Mapping[str, Any], source: str) -> dict[str, Reading]:
    """The readings of a parsed TOML file, whose tables are named by reading. Raises BadTerms."""
    found: dict[str, Reading] = {}
    for name, table in tables.items():
        try:
            found[name] = Reading(name=name, **table)
        except (ValidationError, TypeError) as error:
            raise BadTerms(f"{source}: reading {name!r}: {error}") from None
    return found
