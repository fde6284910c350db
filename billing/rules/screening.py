"""Screening of applications (premium/3.5): by people, or by a rule that the operator writes.

A rule is a Python function that takes an Applicant and returns a Ruling; it is named by the setting `screening` as
`module:function`, or by an entry point of the group `keizoku.screening`. It decides nothing that people could not:
approve, reject with a ground, or refer to people. The grounds are the operator's list (setting `screening_grounds`;
the base terms that name them are not at hand); NO_DUTY is the one ground that these terms give by themselves.

    from keizoku.billing.rules.screening import Applicant, Ruling, approve, refer, reject

    def screen(applicant: Applicant) -> Ruling:
        if applicant.owed_yen:
            return refer("an earlier contract is unpaid")
        return approve()

Facts in, a ruling out. Amounts are whole yen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from importlib import import_module
from importlib.metadata import entry_points
from typing import Literal

PEOPLE = "people"
NO_DUTY = "no_duty"
"""The operator never has to approve (premium/3.5, second sentence)."""
ENTRY_POINTS = "keizoku.screening"


@dataclass(frozen=True, slots=True)
class EarlierContract:
    """A contract that the account had before."""

    approved_at: datetime
    ended_on: date
    reason: str


@dataclass(frozen=True, slots=True)
class Applicant:
    """The facts of an application that a rule sees."""

    account: str
    plan: str
    method: str
    applied_at: datetime
    months: int | None
    fallback: str | None
    consents: tuple[str, ...]  # terms/version
    earlier: tuple[EarlierContract, ...]
    rejections: int  # applications of the account that were turned down before
    owed_yen: int  # unpaid fees of earlier contracts


@dataclass(frozen=True, slots=True)
class ScreeningRuling:
    """What becomes of an application; a ground for every outcome but an approval."""

    outcome: Literal["approved", "rejected", "referred"]
    ground: str | None = None

    def __post_init__(self) -> None:
        if self.outcome != "approved" and not (self.ground or "").strip():
            raise ValueError(f"an application is {self.outcome} on a ground; state it")


Rule = Callable[[Applicant], ScreeningRuling]


def approve() -> ScreeningRuling:
    """The contract is formed."""
    return ScreeningRuling("approved")


def reject(ground: str) -> ScreeningRuling:
    """The application is turned down."""
    return ScreeningRuling("rejected", ground)


def refer(why: str) -> ScreeningRuling:
    """People decide."""
    return ScreeningRuling("referred", why)


class NoRuleError(ValueError):
    """The setting names no rule that can be used."""


def load_rule(named: str) -> Rule | None:
    """The rule that the setting `screening` names; None: people screen. Raises NoRuleError."""
    if named == PEOPLE:
        return None
    found = next((point for point in entry_points(group=ENTRY_POINTS) if point.name == named), None)
    place = found.value if found is not None else named
    module, colon, function = place.partition(":")
    if not colon:
        raise NoRuleError(f"screening={named}: write people, module:function, or an entry point of {ENTRY_POINTS}")
    try:
        rule = getattr(import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise NoRuleError(f"screening={named}: {error}") from None
    if not callable(rule):
        raise NoRuleError(f"screening={named}: {function} is no function")
    return rule  # type: ignore[no-any-return]


def apply_rule(rule: Rule, applicant: Applicant, grounds: Sequence[str]) -> ScreeningRuling:
    """The rule's ruling; whatever goes wrong inside it, or a ground that is not on the list, refers to people."""
    try:
        ruling: object = rule(applicant)
    except Exception as error:  # the operator's code: its mistakes must not stop the registration
        return refer(f"the rule failed: {type(error).__name__}")
    if not isinstance(ruling, ScreeningRuling):
        return refer(f"the rule returned a {type(ruling).__name__}, not a Ruling")
    if ruling.outcome == "rejected" and (wrong := unlisted(ruling.ground or "", grounds)) is not None:
        return refer(f"the rule would reject: {wrong}")
    return ruling


def unlisted(ground: str, grounds: Sequence[str]) -> str | None:
    """Why a ground cannot be taken, or None. Written `GROUND` or `GROUND: what is known`; no list: any."""
    if not ground.strip():
        return "a rejection needs its ground (premium/3.5)"
    if not grounds or ground.partition(":")[0].strip() in (*grounds, NO_DUTY):
        return None
    return f"the ground {ground!r} is not on the list (screening_grounds): {', '.join((*grounds, NO_DUTY))}"
