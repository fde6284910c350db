"""The numbers of the contract and the readings chosen, per terms version; which version holds on which day.

    Terms.load("premium").at(date(2026, 4, 10)).sla.quorum_share  ==  Fraction(1, 20)

Always holds: a day has exactly one version or `at` raises UncoveredDateError; every number names an existing
clause; every reading has one of its choices; nothing changes after loading (`with_readings` returns other
Terms).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from fractions import Fraction
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)

from keizoku.terms.calendar import Month, jst_day
from keizoku.terms.clauses import Clause, read_clauses
from keizoku.terms.files import BadTermsError, VersionFiles, one_line, read_versions
from keizoku.terms.money import fraction_text
from keizoku.terms.readings import Reading, read_readings


class UncoveredDateError(LookupError):
    """No version of the terms is in force on this day."""


class UnknownReadingError(LookupError):
    """No reading has this name, or it has no such choice."""


def _share(bound_seconds: int, month: Month) -> int:
    """A tier's bound for a month of its own length, rounded down: above it is above the exact bound."""
    return bound_seconds * month.days // TIER_DAYS


def _exact(value: object) -> Fraction:
    if not isinstance(value, str | Fraction):
        raise ValueError(f'a rate is written as text, such as "0.05": {value!r}')
    if isinstance(value, str) and not RATE.fullmatch(value):
        raise ValueError(f'a rate is written as "0.05" or "1/20": {value!r:.60}')
    return Fraction(value)


def _second_of_day(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError(f"a time of day is written as 06:00: {value!r}")
    return int(value[:2]) * 3600 + int(value[3:]) * 60


RATE = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,18})?|-?[0-9]{1,9}/[1-9][0-9]{0,8}")
TIER_DAYS = 30
"""The month whose 0.5 % and 1 % are 3.6 and 7.2 hours: the bounds of the tiers as the text has them."""

Share = Annotated[Fraction, BeforeValidator(_exact), PlainSerializer(fraction_text), Field(ge=0, le=1)]
SecondOfDay = Annotated[int, BeforeValidator(_second_of_day), Field(ge=0, lt=86_400)]
Count = Annotated[int, Field(ge=0)]


class _Numbers(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Tier(_Numbers):
    """One step of the reduction: recognised seconds over one bound, up to and including the next."""

    over_seconds: Count
    up_to_seconds: Count | None  # None: no upper bound
    rate: Share  # of the monthly fee
    clause: str

    def takes(self, seconds: int) -> bool:
        """Whether this tier is the one of so many seconds."""
        return self.over_seconds < seconds and (self.up_to_seconds is None or seconds <= self.up_to_seconds)


class Sla(_Numbers):
    """Article 9: the promise and what follows when it is missed."""

    guaranteed_share: Share  # of the time
    quorum_share: Share  # of all users; strictly more than this
    night_from_second: SecondOfDay  # JST
    night_to_second: SecondOfDay
    minimum_outage_seconds: Count  # shorter outages do not count
    announce_clear_days: Count
    claim_months_after: Count  # claims arrive by the end of the month so many after
    claim_form_grace_hours: Count  # before the deadline; an outage of our form in them moves it
    eligible_method: str
    tiers: tuple[Tier, ...] = Field(min_length=1)

    def tier(self, seconds: int) -> Tier | None:
        """The tier of so many recognised seconds; None at or under the first threshold."""
        return next((tier for tier in self.tiers if tier.takes(seconds)), None)

    @model_validator(mode="after")
    def _tiers_join(self) -> Self:
        for lower, upper in pairwise(self.tiers):
            if lower.up_to_seconds != upper.over_seconds or lower.rate >= upper.rate:
                raise ValueError(f"tier {upper.clause} must begin where {lower.clause} ends, at a higher rate")
        if self.tiers[-1].up_to_seconds is not None:
            raise ValueError("the last tier has no upper bound")
        if self.night_from_second >= self.night_to_second:
            raise ValueError("the night begins before it ends, within one day")
        return self


class LateInterest(_Numbers):
    """Article 5.2."""

    rate: Share  # a year


class Tax(_Numbers):
    """The invoice note under the articles. Prices include the tax."""

    rate: Share
    # None: no document calls itself a qualified invoice
    registration_number: str | None = Field(pattern=r"^T\d{13}$")


class Backup(_Numbers):
    """Article 10: how the operator keeps data; backups are checked against these."""

    copies: Count
    every_days: Count
    longest_pause_days: Count
    restore_about_days: Count


class Liability(_Numbers):
    """Article 12.2: damages are capped by the fees received in the time before the event."""

    lookback_years: Count


@lru_cache(maxsize=64)
def _by_name(chosen: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    """Made once for each version: some rules ask for a reading of every line of a file."""
    return MappingProxyType(dict(chosen))


class Policy(_Numbers):
    """One version of the terms, as it is passed to everything that decides."""

    contract: str
    version: str
    sla: Sla
    late_interest: LateInterest
    tax: Tax
    backup: Backup
    liability: Liability
    numbers: tuple[tuple[str, str, str], ...]  # as written: path, value, clause
    chosen: tuple[tuple[str, str], ...]  # reading, choice

    @property
    def readings(self) -> Mapping[str, str]:
        """name -> choice, for every reading of this version."""
        return _by_name(self.chosen)

    def in_month(self, month: Month) -> Policy:
        """The policy as it measures one month: tiers follow its length where the reading month_length says so."""
        if self.readings.get("month_length") != "share_of_month" or month.days == TIER_DAYS:
            return self
        tiers = tuple(
            tier.model_copy(
                update={
                    "over_seconds": _share(tier.over_seconds, month),
                    "up_to_seconds": None if tier.up_to_seconds is None else _share(tier.up_to_seconds, month),
                }
            )
            for tier in self.sla.tiers
        )
        return self.model_copy(update={"sla": self.sla.model_copy(update={"tiers": tiers})})

    def sources(self) -> list[tuple[str, str, str]]:
        """(path, value as written, clause) of every number; "" for a value that the contract leaves blank."""
        return list(self.numbers)


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a contract with all that its files say."""

    contract: str
    version: str
    in_force_from: date
    in_force_until: date | None  # the first day on which it is in force no more
    title: str
    last_checked_on: date
    clauses: Mapping[str, Clause]
    readings: Mapping[str, Reading]
    numbers: tuple[tuple[str, str, str], ...]  # as written: path, value, clause
    policy: Policy | None  # None: another contract's, whose numbers have a model of their own

    def covers(self, day: date) -> bool:
        """Whether it is in force on that day."""
        return self.in_force_from <= day and (self.in_force_until is None or day < self.in_force_until)


@dataclass(frozen=True, slots=True)
class Terms:
    """All versions of one contract, in order, with the readings chosen."""

    contract: str
    versions: tuple[Version, ...]

    @classmethod
    def load(cls, contract: str = "premium", folder: Path | None = None) -> Terms:
        """Read a contract's folder (default: this package's). Raises BadTermsError: gap, overlap, bad file."""
        return _of_package(contract) if folder is None else _read(contract, folder)

    def version_at(self, day: date) -> Version:
        """The version in force on a JST day (or at an instant). Raises UncoveredDateError."""
        day = jst_day(day) if isinstance(day, datetime) else day
        for version in self.versions:
            if version.covers(day):
                return version
        raise UncoveredDateError(
            f"no version of the {self.contract} terms is in force on {day}; they cover {self._covered()}. "
            f"Add the TOML of the version that held then to terms/{self.contract}/"
        )

    def at(self, day: date) -> Policy:
        """The policy in force on a JST day (or at an instant). Raises UncoveredDateError."""
        return _policy_of(self.version_at(day))

    def of_month(self, month: Month) -> Policy:
        """The policy in force in a month: on its first day, or on its last where the terms begin within it.

        Raises UncoveredDateError for a month that no version reaches.
        """
        try:
            return self.at(month.first_on).in_month(month)
        except UncoveredDateError:
            return self.at(month.end_on - timedelta(days=1)).in_month(month)

    def with_readings(self, choices: Mapping[str, str]) -> Terms:
        """The same terms under another reading, in every version that has it. Raises UnknownReadingError."""
        for name, choice in choices.items():
            holders = [version.readings[name] for version in self.versions if name in version.readings]
            if not holders:
                known = sorted({known for version in self.versions for known in version.readings})
                near = get_close_matches(name, known, n=3, cutoff=0.4)
                raise UnknownReadingError(f"no reading {name!r}; nearest: {', '.join(near) or 'none'}")
            for reading in holders:
                names = [one.name for one in reading.choices]
                if choice not in names:
                    raise UnknownReadingError(
                        f"the reading {name!r} has no choice {choice!r}; it has {', '.join(names)}"
                    )
        return replace(self, versions=tuple(_read_otherwise(version, choices) for version in self.versions))

    def _covered(self) -> str:
        first, last = self.versions[0], self.versions[-1]
        until = f"until {last.in_force_until} (exclusive)" if last.in_force_until else "with no end"
        return f"{first.in_force_from} on, {until}"


@cache  # the package's own files stay as they are while a program runs
def _of_package(contract: str) -> Terms:
    return _read(contract, None)


def _read(contract: str, folder: Path | None) -> Terms:
    return Terms(contract, tuple(make_version(files) for files in read_versions(contract, folder)))


def _policy_of(version: Version) -> Policy:
    if version.policy is None:
        raise BadTermsError(f"the {version.contract} terms {version.version} carry no numbers of the premium service")
    return version.policy


def _read_otherwise(version: Version, choices: Mapping[str, str]) -> Version:
    if version.policy is None:
        return version
    chosen = tuple((name, choices.get(name, choice)) for name, choice in version.policy.chosen)
    return replace(version, policy=version.policy.model_copy(update={"chosen": chosen}))


def policy_flaws(files: VersionFiles) -> list[tuple[str, str]]:
    """(path, what is wrong) of every number that is missing, unknown or out of its bounds."""
    try:
        values, numbers = _numbers(files.numbers)
        Policy(contract=files.contract, version=files.version, numbers=tuple(numbers), chosen=(), **values)
    except ValidationError as error:
        return [(".".join(str(part) for part in flaw["loc"]), flaw["msg"]) for flaw in error.errors()]
    except BadTermsError:
        return []
    return []


def make_version(files: VersionFiles) -> Version:
    """A version as its files say it. Raises BadTermsError."""
    source = f"{files.contract}/{files.version}.toml"
    known = read_clauses(files.contract, files.clauses, f"{files.version}.clauses.toml")
    readings = read_readings(files.readings, f"{files.version}.readings.toml")
    values, numbers = _numbers(files.numbers)
    named = [(path, clause) for path, _, clause in numbers]
    named += [(reading.name, reading.clause) for reading in readings.values()]
    for name, clause in named:
        if clause not in known:
            raise BadTermsError(
                f"{source}: {name} names the clause {clause!r}, which is not in {files.version}.clauses.toml"
            )
    try:
        title, last_checked_on = str(files.about["title"]), files.about["last_checked_on"]
        if type(last_checked_on) is not date:
            raise BadTermsError(f"{source}: last_checked_on is a day such as 2026-11-22, not {last_checked_on!r:.60}")
        policy = (
            Policy(
                contract=files.contract,
                version=files.version,
                numbers=tuple(numbers),
                chosen=tuple((reading.name, reading.default) for reading in readings.values()),
                **values,
            )
            if values and files.about.get("policy", "premium") == "premium"
            else None
        )
    except KeyError as missing:
        raise BadTermsError(f"{source}: [contract] needs {missing}") from None
    except ValidationError as error:
        raise BadTermsError(f"{source}: {one_line(error)}") from None
    return Version(
        contract=files.contract,
        version=files.version,
        in_force_from=files.in_force_from,
        in_force_until=files.in_force_until,
        title=title,
        last_checked_on=last_checked_on,
        clauses=known,
        readings=readings,
        numbers=tuple(numbers),
        policy=policy,
    )


def _numbers(tables: Mapping[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str, str]]]:
    """Part each `{ value, clause }` into the plain value for the models and its source."""
    values: dict[str, Any] = {}
    sources: list[tuple[str, str, str]] = []
    for section, table in tables.items():
        if not isinstance(table, dict):
            raise BadTermsError(f"{section}: write it as a table, [{section}], of numbers with their clauses")
        values[section] = {}
        for name, entry in table.items():
            path = f"{section}.{name}"
            if isinstance(entry, list):
                if not all(isinstance(row, dict) for row in entry):
                    raise BadTermsError(f"{path}: write each row as a table, [[{path}]]")
                values[section][name] = tuple({"up_to_seconds": None, **row} for row in entry)
                for place, row in enumerate(entry, 1):
                    clause = str(row.get("clause"))
                    cells = {key: value for key, value in row.items() if key != "clause"}
                    sources += [(f"{path}.{place}.{key}", str(value), clause) for key, value in cells.items()]
            elif isinstance(entry, dict) and "clause" in entry and set(entry) <= {"value", "clause"}:
                values[section][name] = entry.get("value")
                sources.append((path, str(entry.get("value", "")), str(entry["clause"])))
            else:
                raise BadTermsError(f"{path}: write a number as {{ value = …, clause = … }}")
    return values, sources
