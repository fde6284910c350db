"""Consent to the terms: which versions an application agrees to, and whether they are those in force.

Decides premium/3.2: who registers has agreed to these terms and to those related to them. An application may name the
versions that its applicant saw; one that names none agrees, by registering, to the versions in force on that day.

    in force   premium/2024-12-02, base/2025-04-01      (base: the setting `related_terms`)
    named      premium/2024-12-02                       refused: base/2025-04-01 is missing
    named      nothing                                  both, as `stated = False`

Facts in, consents or a finding out. Days are JST dates.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from keizoku.terms.decision import decides


@dataclass(frozen=True, slots=True)
class Consent:
    """A version of some terms that an application agrees to; `stated` if the applicant named it."""

    terms: str
    version: str
    stated: bool


class ConsentError(ValueError):
    """What was consented to is not what is in force."""


def related_in_force(related: Sequence[str], on: date) -> dict[str, str]:
    """name -> version of the related terms in force on a day; each is written name/day in force from."""
    found: dict[str, str] = {}
    for written in sorted(related):
        name, _, version = written.partition("/")
        if date.fromisoformat(version) <= on:
            found[name] = version
    return found


@decides("premium/3.2")
def consents(named: Sequence[str], in_force: Mapping[str, str]) -> tuple[Consent, ...]:
    """The consents of an application; `named` are written terms/version, none: all that is in force.

    Raises ConsentError where a named version is not the one in force, is unknown, or one in force is missing.
    """
    if not named:
        return tuple(Consent(name, version, stated=False) for name, version in in_force.items())
    asked = ", ".join(f"{name}/{version}" for name, version in in_force.items())
    versions: dict[str, str] = {}
    for written in named:
        name, _, version = written.partition("/")
        if in_force.get(name) != version or versions.get(name, version) != version:
            raise ConsentError(f"consent to {written!r} is not consent to what is in force: {asked} (premium/3.2)")
        versions[name] = version
    missing = [f"{name}/{version}" for name, version in in_force.items() if name not in versions]
    if missing:
        raise ConsentError(f"consent to {', '.join(missing)} is missing; in force: {asked} (premium/3.2)")
    return tuple(Consent(name, versions[name], stated=True) for name in in_force)


def outdated(given: Mapping[str, str], in_force: Mapping[str, str]) -> list[str]:
    """What is in force now and was not agreed to: an approval on it would form another contract than applied for."""
    return [f"{name}/{version}" for name, version in in_force.items() if given.get(name) != version]
