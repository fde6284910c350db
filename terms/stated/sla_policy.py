"""What an availability promise can say, as data: any SLA is one `SlaPolicy`, written as one TOML.

    outage?      predicate (share of a population) · unknown     which moments count as an outage, how heavily
    counted    duration · exclusions, in the order listed      which of its seconds are left
    measured   period · denominator · metric                   one figure per period, or one per incident
    owed       tiers · cap                                     a share of the fee, or days of service
    asked for  claim · eligibility · settlement                until when, by whom, how it is paid

Always holds: every number is exact (text or whole, never a float); nothing changes after reading; a model
that can be read need not be sensible: gaps, overlaps and the like are for `keizoku.terms.stated.sla_lint` to find.
`keizoku.sla.policies.engine` evaluates a policy; `keizoku.terms.stated.sla_periods` knows its periods and deadlines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from difflib import get_close_matches
from enum import StrEnum
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)

from keizoku.terms.files import FOLDER, BadTermsError, read_toml
from keizoku.terms.money import fraction_text
from keizoku.terms.policy import Count, SecondOfDay, Share

PUBLIC = FOLDER / "public"
_EXACT = re.compile(r"-?\d{1,20}(\.\d{1,20}|/\d{1,20})?")


class OutageCause(StrEnum):
    """Why an outage happened, strongest first: where causes overlap the first one named here holds."""

    FAULT = "fault"  # the provider's own systems, or nobody named another cause
    PARTNER = "partner"  # a supplier of the provider
    SYSTEM_UPDATE = "system_update"  # the provider's maintenance
    FORCE_MAJEURE = "force_majeure"  # beyond anyone's reasonable control
    CUSTOMER = "customer"  # the customer's own act, equipment or connection
    USER_ENVIRONMENT = "user_environment"  # depends on the users' own environment


def _exact(value: object) -> Fraction:
    if isinstance(value, Fraction):
        return value
    text = str(value) if type(value) is int else value
    if not isinstance(text, str) or not _EXACT.fullmatch(text) or text.endswith("/0"):
        raise ValueError(f'a number is whole or text, such as "99.9": {value!r}')
    return Fraction(text)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"no time zone is called {name!r}; write it as Asia/Tokyo or UTC") from None
    return name


Exact = Annotated[Fraction, BeforeValidator(_exact), PlainSerializer(fraction_text)]
Positive = Annotated[Fraction, BeforeValidator(_exact), PlainSerializer(fraction_text), Field(gt=0)]
Zone = Annotated[str, AfterValidator(_zone)]


class _Stated(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Source(_Stated):
    """Where the numbers come from."""

    name: str
    address: str | None = None
    last_checked_on: date
    notes: tuple[str, ...] = ()  # where the statement here departs from the text, or the text says nothing


class Subject(_Stated):
    """Whose availability is measured, by which signal, on which part of the service."""

    of: str  # all users, one domain, one server, ...
    signal: str  # server errors, no connectivity, ...
    slices: tuple[str, ...] = ()  # parts that are alternatives: an outage of any of them is an outage


class Predicate(_Stated):
    """The affected share of the population at which a moment is an outage: `share comparator threshold`."""

    comparator: Literal[">", ">="]
    threshold: Share
    population: str

    def holds(self, share: Fraction) -> bool:
        """Whether so large a share of the population makes an outage; nobody affected never does."""
        return share > 0 and (share > self.threshold or (self.comparator == ">=" and share == self.threshold))

    def needed(self, population: int) -> int:
        """The fewest of a population that make an outage."""
        share = self.threshold * population
        return max(1, ceil(share) if self.comparator == ">=" else floor(share) + 1)


class Duration(_Stated):
    """How long an outage has to last."""

    minimum_seconds: Count = 0  # shorter ones do not count; exactly so long ones do
    judged: Literal["whole_stop", "after_exclusions"] = "whole_stop"
    step_seconds: Annotated[int, Field(ge=1)] = 1  # a run counts in whole steps: 60 drops partial minutes


class Recurring(_Stated):
    """Time of day, on some days of the week or all, in one zone; may run over midnight."""

    kind: Literal["recurring"]
    name: str
    from_second: SecondOfDay
    to_second: SecondOfDay  # equal to from_second: the whole day
    zone: Zone
    weekdays: tuple[Annotated[int, Field(ge=1, le=7)], ...] = (1, 2, 3, 4, 5, 6, 7)  # 1: Monday
    clause: str = ""


class Announced(_Stated):
    """Windows that were announced early enough; only inside them, within a yearly budget if there is one."""

    kind: Literal["announced"]
    name: str
    clear_days: Count | None = None  # published by 00:00 so many days before the day it starts
    notice_seconds: Count | None = None  # or so long before it starts
    causes: tuple[OutageCause, ...] = ()  # only outages of these causes; none named: of every cause
    yearly_seconds: Count | None = None  # no more than this in a calendar year
    clause: str = ""

    @model_validator(mode="after")
    def _one_notice(self) -> Self:
        if (self.clear_days is None) == (self.notice_seconds is None):
            raise ValueError("an announced exclusion states either clear_days or notice_seconds")
        return self


class ByCause(_Stated):
    """Stops of certain causes, and seconds that people ruled to be of such a cause."""

    kind: Literal["cause"]
    name: str
    causes: tuple[OutageCause, ...] = Field(min_length=1)
    clause: str = ""


class ByContract(_Stated):
    """Interruptions that the contract allows, as people recorded them with a ground."""

    kind: Literal["contract"]
    name: str
    clause: str = ""


Exclusion = Annotated[Recurring | Announced | ByCause | ByContract, Field(discriminator="kind")]


class PeriodRule(_Stated):
    """What is measured at a time, in whose days."""

    kind: Literal["month", "quarter", "billing_cycle"]
    zone: Zone


class Denominator(_Stated):
    """The time that makes 100 percent: the period as long as it is, or fixed hours."""

    kind: Literal["actual", "fixed"] = "actual"
    hours: Count | None = None

    @model_validator(mode="after")
    def _hours_if_fixed(self) -> Self:
        if (self.kind == "fixed") != bool(self.hours):
            raise ValueError("a fixed denominator states its hours, an actual one does not")
        return self


class Range(_Stated):
    """Figures between two bounds, each inclusive (at_least, at_most) or exclusive (above, below)."""

    above: Exact | None = None
    at_least: Exact | None = None
    below: Exact | None = None
    at_most: Exact | None = None

    @model_validator(mode="after")
    def _a_bound_of_one_kind(self) -> Self:
        if self.above is not None and self.at_least is not None:
            raise ValueError("a range states above or at_least, not both")
        if self.below is not None and self.at_most is not None:
            raise ValueError("a range states below or at_most, not both")
        if all(bound is None for bound in (self.above, self.at_least, self.below, self.at_most)):
            raise ValueError("a range states a bound: above, at_least, below or at_most")
        return self

    def takes(self, figure: Fraction | int) -> bool:
        """Whether the figure lies in the range."""
        return (
            (self.above is None or figure > self.above)
            and (self.at_least is None or figure >= self.at_least)
            and (self.below is None or figure < self.below)
            and (self.at_most is None or figure <= self.at_most)
        )

    def text(self) -> str:
        """The range in signs: "99 <= u < 99.9"."""
        low, high = self.at_least if self.above is None else self.above, self.at_most
        high = self.below if high is None else high
        left = "" if low is None else f"{fraction_text(low)} {'<=' if self.above is None else '<'} "
        right = "" if high is None else f" {'<=' if self.below is None else '<'} {fraction_text(high)}"
        return f"{left}u{right}"


class Metric(_Stated):
    """The figure that tiers are about: seconds down in the period, percent available, seconds of one incident."""

    kind: Literal["seconds", "percent", "per_incident"]
    promised: Range  # figures that keep the promise
    clock: Literal["start", "known"] = "start"  # per incident: counted from its start, or since it was known


class Step(_Stated):
    """A share of the fee."""

    kind: Literal["step"]
    rate: Share


class PerUnit(_Stated):
    """A share of the fee for each unit by which the figure misses `beyond`."""

    kind: Literal["per_unit"]
    rate: Share
    unit: Positive  # in the metric's own unit: seconds or percentage points
    beyond: Exact
    count: Literal["started", "complete"] = "started"


class MultipleOfProRata(_Stated):
    """So many times the share of the fee that falls on the time down."""

    kind: Literal["multiple_of_pro_rata"]
    times: Positive


class Days(_Stated):
    """Days of service added to the term."""

    kind: Literal["days"]
    days: Count


CreditRule = Annotated[Step | PerUnit | MultipleOfProRata | Days, Field(discriminator="kind")]


class CreditTier(Range):
    """What is owed for figures in a range."""

    credit: CreditRule
    clause: str = ""


class Cap(_Stated):
    """The most that one period brings, and what several incidents in it come to."""

    rate: Share | None = None
    days: Count | None = None
    stacking: Literal["highest", "sum"] = "highest"


class ClaimRule(_Stated):
    """Until when a credit has to be asked for; the last day belongs to the time allowed."""

    kind: Literal["end_of_month", "day_of_month", "days", "end_of_cycle", "automatic", "unstated"]
    after: int = 0  # so many months, days or cycles after
    day: Annotated[int, Field(ge=1, le=31)] | None = None  # of day_of_month; clamped to short months
    since: Literal["period", "incident"] = "period"  # counted from the period's end or from the incident
    grace_hours: Count = 0  # an outage of the claim form in these hours before moves it by as long

    @model_validator(mode="after")
    def _day_if_day_of_month(self) -> Self:
        if (self.kind == "day_of_month") != (self.day is not None):
            raise ValueError("a claim by day_of_month states its day, another does not")
        return self


class Eligibility(_Stated):
    """Who can claim at all; an empty list leaves nobody out."""

    methods: tuple[str, ...] = ()
    plans: tuple[str, ...] = ()


class Settlement(_Stated):
    """How the credit reaches the customer."""

    kind: Literal["later_invoice", "invoice_or_refund", "days_added"]
    fee: str  # the fee that a rate applies to
    months_after: Count | None = None  # earliest invoice, counted from the period (or the claim)
    counted_from: Literal["period", "claim"] = "period"


class SlaPolicy(_Stated):
    """One SLA."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    title: str
    example: bool = False  # a statement of somebody's public text, to show the form; nobody's contract here
    source: Source
    subject: Subject
    predicate: Predicate
    weight: Literal["binary", "affected_ratio", "user_minutes"]
    duration: Duration = Duration()
    exclusions: tuple[Exclusion, ...] = ()
    unknown: Literal["up", "down", "excluded"]  # time without evidence
    period: PeriodRule
    denominator: Denominator = Denominator()
    metric: Metric
    tiers: tuple[CreditTier, ...] = Field(min_length=1)
    cap: Cap = Cap()
    claim: ClaimRule
    eligibility: Eligibility = Eligibility()
    settlement: Settlement

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [exclusion.name for exclusion in self.exclusions]
        if len(set(names)) < len(names) or set(names) & {"too_short", "partial_step", "counted"}:
            raise ValueError("each exclusion has a name of its own, other than too_short, partial_step, counted")
        return self

    def tier(self, figure: Fraction | int) -> CreditTier | None:
        """The first tier that takes the figure; None where the text owes nothing."""
        return next((tier for tier in self.tiers if tier.takes(figure)), None)


class UnknownPolicyError(LookupError):
    """No example has this name."""


def parse_policy(stated: Mapping[str, Any], source: str) -> SlaPolicy:
    """The policy that parsed TOML states. Raises BadTermsError naming the source and each mistake."""
    try:
        return SlaPolicy.model_validate(dict(stated))
    except ValidationError as error:
        mistakes = "; ".join(
            f"{'.'.join(str(part) for part in one['loc']) or 'policy'}: {one['msg'].removeprefix('Value error, ')}"
            for one in error.errors()
        )
        raise BadTermsError(f"{source}: {mistakes}") from None


def read_policy(path: Path) -> SlaPolicy:
    """The policy in a file. Raises BadTermsError."""
    return parse_policy(read_toml(path), path.name)


def public_policies() -> tuple[SlaPolicy, ...]:
    """The examples that come with this package, by name."""
    return tuple(read_policy(path) for path in sorted(PUBLIC.glob("*.toml")))


def public_policy(name: str) -> SlaPolicy:
    """The example of this name. Raises UnknownPolicyError, naming the nearest; BadTermsError."""
    known = {policy.name: policy for policy in public_policies()}
    if name not in known:
        near = get_close_matches(name, known, n=3)
        remedy = "`keizoku terms policies` lists them"
        raise UnknownPolicyError(f"no policy {name!r}; nearest: {', '.join(near) or 'none'} ({remedy})")
    return known[name]


def stated_policy(file_or_name: str) -> SlaPolicy:
    """A policy in a file (its name ends with .toml), or the example of this name.

    Raises BadTermsError, UnknownPolicyError.
    """
    return read_policy(Path(file_or_name)) if file_or_name.endswith(".toml") else public_policy(file_or_name)
