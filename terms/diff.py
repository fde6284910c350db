"""Two versions of one contract side by side: clauses added, removed and changed, numbers, readings.

    compare(old, new).changed  ==  (ClauseChange("api_link/1.1", {"gist_en": ("…", "…")}), …)

Gists are ours: a clause counts as changed if what we say of it differs. Pure: versions in, values out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keizoku.terms.clauses import Clause
from keizoku.terms.policy import Version

Sides = tuple[str | None, str | None]  # as the old version says it, as the new one does; None: not at all


@dataclass(frozen=True, slots=True)
class VersionDiff:
    """What differs; nothing that is the same on both sides is listed."""

    contract: str
    old: str
    new: str
    about: Mapping[str, Sides]  # title and days in force
    added: tuple[Clause, ...]
    removed: tuple[Clause, ...]
    changed: Mapping[str, Mapping[str, Sides]]  # clause -> field -> sides
    numbers: Mapping[str, Sides]  # path -> sides
    readings: Mapping[str, Sides]  # name -> default on both sides

    def to_json(self) -> dict[str, Any]:
        """For --json: sides as {"old": …, "new": …}."""
        return {
            "contract": self.contract,
            "old": self.old,
            "new": self.new,
            "about": _named(self.about),
            "added": [clause.model_dump() for clause in self.added],
            "removed": [clause.model_dump() for clause in self.removed],
            "changed": {clause: _named(fields) for clause, fields in self.changed.items()},
            "numbers": _named(self.numbers),
            "readings": _named(self.readings),
        }


def compare(old: Version, new: Version) -> VersionDiff:
    """What the new version says differently from the old. ValueError for versions of two contracts."""
    if old.contract != new.contract:
        raise ValueError(f"{old.contract}/{old.version} and {new.contract}/{new.version} are two contracts")
    shared = [name for name in new.clauses if name in old.clauses]
    changed = {name: _sides(_described(old.clauses[name]), _described(new.clauses[name])) for name in shared}
    return VersionDiff(
        contract=new.contract,
        old=old.version,
        new=new.version,
        about=_sides(_about(old), _about(new)),
        added=tuple(clause for name, clause in new.clauses.items() if name not in old.clauses),
        removed=tuple(clause for name, clause in old.clauses.items() if name not in new.clauses),
        changed={name: fields for name, fields in changed.items() if fields},
        numbers=_sides(_values(old), _values(new)),
        readings=_sides(
            {name: reading.default for name, reading in old.readings.items()},
            {name: reading.default for name, reading in new.readings.items()},
        ),
    )


def _about(version: Version) -> dict[str, str]:
    until = version.in_force_until
    return {
        "title": version.title,
        "in_force_from": version.in_force_from.isoformat(),
        "in_force_until": "" if until is None else until.isoformat(),
    }


def _described(clause: Clause) -> dict[str, str]:
    return {name: value for name, value in clause.model_dump().items() if name != "id"}


def _values(version: Version) -> dict[str, str]:
    return {path: value for path, value, _ in version.numbers}


def _sides(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, Sides]:
    return {name: (old.get(name), new.get(name)) for name in {**old, **new} if old.get(name) != new.get(name)}


def _named(sides: Mapping[str, Sides]) -> dict[str, dict[str, str | None]]:
    return {name: {"old": old, "new": new} for name, (old, new) in sides.items()}
