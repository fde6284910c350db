"""Reads the TOML of one contract's versions from its folder.

    premium/2024-12-02.toml            since when, and the numbers, each with its clause
    premium/2024-12-02.clauses.toml    every clause
    premium/2024-12-02.readings.toml   how open questions are read (may be missing)

No floats: a rate is text ("0.146"). Versions follow each other without gap or overlap; only the last may be
open-ended.
Errors: BadTermsError names the file, what is wrong there and what to write instead.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from keizoku.terms.inputs.input_files import read_whole

FOLDER = Path(__file__).parent


class BadTermsError(ValueError):
    """The terms as written cannot be used."""


def one_line(error: ValidationError) -> str:
    """What a model refuses, as one line: each place and what is wrong there."""
    return "; ".join(f"{'.'.join(str(part) for part in flaw['loc']) or 'it'}: {flaw['msg']}" for flaw in error.errors())


@dataclass(frozen=True, slots=True)
class VersionFiles:
    """The parsed TOML of one version."""

    contract: str
    version: str
    in_force_from: date
    in_force_until: date | None  # the first day on which it is in force no more; None: still in force
    about: dict[str, Any]
    numbers: dict[str, Any]
    clauses: dict[str, Any]
    readings: dict[str, Any]


def read_versions(contract: str, folder: Path | None = None) -> tuple[VersionFiles, ...]:
    """All versions of a contract in order. `folder` holds one folder per contract. Raises BadTermsError."""
    home = (folder or FOLDER) / contract
    mains = sorted(path for path in home.glob("*.toml") if "." not in path.stem)
    if not mains:
        raise BadTermsError(f"no terms of a contract {contract!r}: {home.name}/ holds no TOML of a version")
    versions = sorted((read_version(contract, path) for path in mains), key=lambda version: version.in_force_from)
    for version in versions:
        if version.in_force_until is not None and version.in_force_until <= version.in_force_from:
            raise BadTermsError(f"{contract} {version.version}: in_force_until must lie after in_force_from")
    for earlier, later in pairwise(versions):
        _check_succession(earlier, later)
    return tuple(versions)


def read_version(contract: str, path: Path) -> VersionFiles:
    """The files of one version, from its main file. Raises BadTermsError."""
    main = _read(path)
    about = main.pop("contract", {})
    if not isinstance(about, dict):
        raise BadTermsError(
            f"{path.name}: [contract] is a table with name, version, title and in_force_from, not {about!r:.60}"
        )
    name, version, since = about.get("name"), about.get("version"), about.get("in_force_from")
    until = about.get("in_force_until")
    if name != contract or version != path.stem:
        raise BadTermsError(
            f"{path.name}: [contract] says {name} {version}; folder and file name say {contract} {path.stem}"
        )
    if type(since) is not date or not (until is None or type(until) is date):
        raise BadTermsError(
            f"{path.name}: [contract] needs in_force_from, a day such as 2024-12-02 (in_force_until likewise)"
        )
    beside = {part: path.with_name(f"{path.stem}.{part}.toml") for part in ("clauses", "readings")}
    return VersionFiles(
        contract=contract,
        version=version,
        in_force_from=since,
        in_force_until=until,
        about=about,
        numbers=main,
        clauses=_read(beside["clauses"]),
        readings=_read(beside["readings"]) if beside["readings"].exists() else {},
    )


def _check_succession(earlier: VersionFiles, later: VersionFiles) -> None:
    names = f"{earlier.contract}: {earlier.version} and {later.version}"
    if earlier.in_force_until is None or earlier.in_force_until > later.in_force_from:
        raise BadTermsError(f"{names} overlap from {later.in_force_from}; end the earlier one there (in_force_until)")
    if earlier.in_force_until < later.in_force_from:
        raise BadTermsError(
            f"{names} leave a gap from {earlier.in_force_until} to {later.in_force_from}; every day needs one"
        )


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file without floats. Raises BadTermsError: not there, not readable, no TOML, a float in it."""

    def refuse(number: str) -> NoReturn:
        raise BadTermsError(f'{path.name}: {number} would be a float; write it as text, "{number}"')

    try:
        return tomllib.loads(read_whole(path).decode(), parse_float=refuse)
    except OSError as error:
        raise BadTermsError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadTermsError(f"{path.name}: {error}") from None
    except RecursionError:
        raise BadTermsError(f"{path.name}: its lists are nested too deep; terms are tables of numbers") from None


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise BadTermsError(f"{path.name} is missing beside its version's TOML")
    return read_toml(path)
