"""The settings of nights: what one may write before a person looks at it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Literal

from pydantic import BaseModel, Field, field_validator

from keizoku.terms.decision import Finding
from keizoku.terms.refusal import Refused

__all__ = ["FIGURES", "FIGURES_IN_YEN", "Limit", "NightSettings", "limit_of"]

FIGURES_IN_YEN: Final = (
    "terms.terms", "credits.credits", "credits.refunds", "invoices.invoices", "payments.charges", "payments.refunds",
    "delinquency.demands", "revenue.recognised",
)  # fmt: skip
FIGURES: Final = (
    *FIGURES_IN_YEN, "claims.awards", "delinquency.suspensions", "delinquency.letters",
    "delinquency.notices.renewal", "delinquency.notices.price", "delinquency.notices.overdue",
    "delinquency.notices.suspension", "delinquency.notices.resumption", "delinquency.notices.termination",
    "delinquency.notices.acceleration", "delinquency.notices.set_off", "delinquency.notices.write_off",
    "delinquency.notices.recalculation",
)  # fmt: skip
"""What of a night is counted (`night/figures.py`), by the names that limits are set for."""

LIMIT: Final = re.compile(r"(?P<name>[a-z]+\.[a-z_.]+)=(?P<most>\d{1,15})(?P<yen>yen)?|odd", re.ASCII)


@dataclass(frozen=True, slots=True)
class Limit:
    """The most that a night may write of a kind before a person looks at it; without a name: nothing odd."""

    name: str
    most: int
    of: Literal["number", "yen"]


def limit_of(written: str) -> Limit:
    """A limit as it is set: payments.charges=500, payments.charges=1000000yen, odd. Raises ValueError, Refused."""
    found = LIMIT.fullmatch(written)
    if found is None:
        raise ValueError(f"{written!r} has to be payments.charges=500, payments.charges=1000000yen or odd")
    if found["name"] is None:
        return Limit("", 0, "number")
    known = FIGURES_IN_YEN if found["yen"] else FIGURES
    if found["name"] not in known:
        near = get_close_matches(found["name"], known, n=1)
        rule = f"a limit {'in yen ' if found['yen'] else ''}is set for one of {', '.join(known)}"
        remedy = f"did you mean {near[0]}?" if near else "take the name of what `keizoku night --forecast` shows"
        raise Refused.of("settings.unknown_name", (Finding("KEIZOKU_NIGHT_LIMITS", None, written, rule, remedy),))
    return Limit(found["name"], int(found["most"]), "yen" if found["yen"] else "number")


class NightSettings(BaseModel):
    """The part of the settings that is about nights."""

    night_limits: tuple[str, ...] = Field(
        default=(),
        description="what a night may write before its charges and refunds wait for a person, each "
        "payments.charges=500 or payments.charges=1000000yen; odd: nothing beyond the last 30 nights; empty: none",
    )

    @field_validator("night_limits")
    @classmethod
    def _readable(cls, limits: tuple[str, ...]) -> tuple[str, ...]:
        for written in limits:
            limit_of(written)
        return limits

    def limits_of_nights(self) -> tuple[Limit, ...]:
        """The limits, read."""
        return tuple(map(limit_of, self.night_limits))
