"""The numbers of the linked service's terms, per version, and which version holds on which day.

    link_policy(date(2025, 2, 3)).partner_name  ==  "三菱UFJ eスマート証券"

Always holds: a day has exactly one version, or UncoveredDateError is raised; a change of names between versions
touches no grant, because grants name no version.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Final

from keizoku.terms.files import BadTermsError
from keizoku.terms.policy import Terms, Version

__all__ = ["CONTRACT", "LinkPolicy", "link_policy", "policy_of"]

CONTRACT: Final = "api_link"


@dataclass(frozen=True, slots=True)
class LinkPolicy:
    """One version of the terms, as it is passed to everything that decides about a link."""

    version: str
    partner_name: str
    partner_service: str
    fee_yen: int  # what a link costs: whole yen


def link_policy(day: date) -> LinkPolicy:
    """The policy in force on a day in Japan (or at an instant). Raises UncoveredDateError."""
    return policy_of(_terms().version_at(day))


def policy_of(version: Version) -> LinkPolicy:
    """The policy of a version. Raises BadTermsError for a number that is missing or none."""
    values = {path: value for path, value, _ in version.numbers}
    try:
        return LinkPolicy(
            version.version, values["partner.name"], values["partner.service"], int(values["fees.link_yen"])
        )
    except KeyError as missing:
        raise BadTermsError(f"{CONTRACT}/{version.version}.toml: it needs {missing}") from None
    except ValueError as error:
        raise BadTermsError(f"{CONTRACT}/{version.version}.toml: fees.link_yen: {error}") from None


@cache
def _terms() -> Terms:
    return Terms.load(CONTRACT)
