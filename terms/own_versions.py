"""A host's own versions of the premium terms: read beside those that come with the release, and checked before use.

    FOLDER/2027-04-01.toml, 2027-04-01.clauses.toml, 2027-04-01.readings.toml

    released  2024-12-02 ─────────────────┐ (open-ended)
    own                       2027-04-01  └────────────>   the released one ends where the own one begins

An own version replaces no logic: it can change numbers, choose readings, add clauses that people decide. So every
clause that the engine computes has to be in it, every number that the engine reads, every reading that it asks for,
each with a choice that is built. What is wrong is a Finding with file, value, rule and remedy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from keizoku.terms.clauses import Clause
from keizoku.terms.decision import Finding
from keizoku.terms.files import BadTermsError, VersionFiles, read_version
from keizoku.terms.policy import Terms, Version, make_version, policy_flaws
from keizoku.terms.readings import Reading

CONTRACT = "premium"


def with_own_versions(released: Terms, path: Path) -> tuple[Terms, list[Finding]]:
    """The released terms followed by those in a folder (or one file), and what keeps them from being used."""
    findings: list[Finding] = []
    own: list[Version] = []
    for file in _mains(path):
        try:
            files = read_version(CONTRACT, file)
        except BadTermsError as error:
            findings.append(Finding(str(file), None, file.name, str(error), "correct the file"))
            continue
        wrong = list(_flaws(file, files, released.versions[-1]))
        findings += wrong
        if not wrong:
            own.append(make_version(files))
    if not own and not findings:
        findings.append(
            Finding(str(path), None, path.name, "no version of the premium terms is here", "put VERSION.toml into it")
        )
    merged = _joined(released.versions, sorted(own, key=lambda version: version.in_force_from))
    findings += _succession(path, merged)
    return replace(released, versions=merged), findings


def _mains(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    home = path / CONTRACT if (path / CONTRACT).is_dir() else path
    return sorted(file for file in home.glob("*.toml") if "." not in file.stem)


def _joined(released: tuple[Version, ...], own: list[Version]) -> tuple[Version, ...]:
    """All in order; an open-ended released version ends where the first own one begins."""
    last = released[-1]
    if own and last.in_force_until is None and own[0].in_force_from > last.in_force_from:
        released = (*released[:-1], replace(last, in_force_until=own[0].in_force_from))
    return (*released, *own)


def _succession(path: Path, versions: tuple[Version, ...]) -> Iterator[Finding]:
    """Days that no version covers, and days that two cover."""
    for version in versions:
        if version.in_force_until is not None and version.in_force_until <= version.in_force_from:
            rule = "in_force_until lies after in_force_from"
            yield Finding(str(path), None, version.version, rule, "correct the days in [contract]")
    for earlier, later in pairwise(versions):
        names, end = f"{earlier.version} and {later.version}", earlier.in_force_until
        if end is None or end > later.in_force_from:
            rule = f"two versions cover {later.in_force_from}"
            yield Finding(str(path), None, names, rule, f"end {earlier.version} there (in_force_until)")
        elif end < later.in_force_from:
            rule = f"no version covers the days from {end} to {later.in_force_from} (exclusive)"
            yield Finding(str(path), None, names, rule, "every day needs one version: let them meet")
    if versions[-1].in_force_until is not None:
        rule = f"no version covers the days from {versions[-1].in_force_until} on"
        yield Finding(str(path), None, versions[-1].version, rule, "leave in_force_until out of the last version")


def _flaws(file: Path, files: VersionFiles, known: Version) -> Iterator[Finding]:
    """What keeps one version from being used by an engine that was built for `known`."""
    try:
        version = make_version(files)
    except BadTermsError as error:
        flaws = policy_flaws(files)
        for where, what in flaws:
            yield Finding(str(file), None, where, what, f"state it as terms/premium/{known.version}.toml does")
        if not flaws:
            yield Finding(str(file), None, files.version, str(error), "correct the file")
        return
    if version.policy is None:
        yield Finding(str(file), None, files.version, "the premium terms carry numbers", "leave `computed` out")
        return
    yield from _clause_flaws(file, version.clauses, known.clauses)
    yield from _reading_flaws(file, version.readings, known.readings)


def _clause_flaws(file: Path, stated: Mapping[str, Clause], known: Mapping[str, Clause]) -> Iterator[Finding]:
    source = str(file.with_name(f"{file.stem}.clauses.toml"))
    for name, clause in known.items():
        if clause.status != "computed":
            continue
        if name not in stated:
            yield Finding(source, None, name, "the engine decides by this clause, but it is missing", "list it")
        elif stated[name].status != "computed":
            remedy = "leave it computed; a ruling of people is recorded by other means"
            yield Finding(source, None, name, f"the engine decides it, not {stated[name].status}", remedy)
    for name, clause in stated.items():
        if clause.status == "computed" and (name not in known or known[name].status != "computed"):
            rule = "nothing in the engine decides this clause"
            yield Finding(source, None, name, rule, "say by_people or informational, or correct the id")


def _reading_flaws(file: Path, stated: Mapping[str, Reading], known: Mapping[str, Reading]) -> Iterator[Finding]:
    source = str(file.with_name(f"{file.stem}.readings.toml"))
    for name, reading in known.items():
        built = [choice.name for choice in reading.choices]
        if name not in stated:
            yield Finding(source, None, name, "the engine asks for this reading, but it is missing", "state it")
            continue
        for choice in stated[name].choices:
            if choice.name not in built:
                rule = f"no such choice is built; there are {', '.join(built)}"
                yield Finding(source, None, f"{name}: {choice.name}", rule, "leave it out")
    for name in stated:
        if name not in known:
            yield Finding(source, None, name, "nothing in the engine asks for this reading", "leave it out")
