"""Whether a change of the terms was announced as it has to be (Civil Code 548-4).

A change becomes part of running contracts without anybody's consent only if it was made known: what changes, and from
which day. One that is not wholly to the users' benefit has to be announced before that day; for a beneficial one, later
will do.

    new version from 2030-04-01, announced 2030-01-15 for that day      nothing found
    announced 2030-04-01, or for another day, or not at all             refused

Pure: versions and announcements in, findings out. Days are JST dates.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from keizoku.terms.decision import Finding
from keizoku.terms.diff import compare
from keizoku.terms.policy import Version


@dataclass(frozen=True, slots=True)
class TermsAnnouncement:
    """A version of some terms as it was made known: when, where, from which day it holds; `beneficial`: wholly so."""

    version: str
    published_on: date
    effective_on: date
    place: str
    beneficial: bool


def unannounced(source: str, versions: Sequence[Version], announced: Iterable[TermsAnnouncement]) -> list[Finding]:
    """What keeps each version after the first from binding those who agreed to the one before it."""
    from_on = {each.version: each.in_force_from for each in versions}
    return [
        Finding(
            source,
            None,
            f"{version}, from {from_on[version]}",
            f"{why}: a change not wholly to the users' benefit is announced before its day (Civil Code 548-4)",
            f"announce it, and record that: `keizoku terms announce {version}`; or let it begin later",
        )
        for version, why in not_binding(versions, announced).items()
    ]


def not_binding(versions: Sequence[Version], announced: Iterable[TermsAnnouncement]) -> dict[str, str]:
    """version -> why it does not bind those who agreed to an earlier one: a change, not announced as it has to be."""
    by_version: dict[str, list[TermsAnnouncement]] = {}
    for each in announced:
        by_version.setdefault(each.version, []).append(each)
    reasons = {}
    for before, version in pairwise(versions):
        found = compare(before, version)
        if not (found.added or found.removed or found.changed or found.numbers or found.readings):
            continue
        why = _why_not(version, by_version.get(version.version, []))
        if why is not None:
            reasons[version.version] = why
    return reasons


def _why_not(version: Version, announced: Sequence[TermsAnnouncement]) -> str | None:
    if not announced:
        return "no announcement is recorded"
    of_day = [each for each in announced if each.effective_on == version.in_force_from]
    if not of_day:
        return f"it was announced for {announced[-1].effective_on}"
    if any(each.beneficial or each.published_on < version.in_force_from for each in of_day):
        return None
    return f"it was announced on {min(each.published_on for each in of_day)}"
