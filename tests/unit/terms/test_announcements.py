"""A change of the terms binds running contracts only if it was announced as the law asks (Civil Code 548-4)."""

from dataclasses import replace
from datetime import date

import pytest

from keizoku.terms.law.announcements import TermsAnnouncement, unannounced
from keizoku.terms.policy import Terms, Version

DAY = date(2030, 4, 1)
OLD = Terms.load().versions[-1]


def changed() -> Version:
    clauses = {**OLD.clauses}
    del clauses["premium/11.1"]
    return replace(OLD, version="2030-04-01", in_force_from=DAY, clauses=clauses)


def told(published_on: date, effective_on: date = DAY, *, beneficial: bool = False) -> TermsAnnouncement:
    return TermsAnnouncement("2030-04-01", published_on, effective_on, "a page", beneficial)


@pytest.mark.parametrize(
    ("announced", "says"),
    [
        ([], "no announcement is recorded"),
        ([told(DAY)], "it was announced on 2030-04-01"),
        ([told(date(2030, 1, 15), date(2030, 5, 1))], "it was announced for 2030-05-01"),
        ([told(date(2030, 1, 15))], None),
        ([told(DAY), told(date(2030, 3, 31))], None),
        ([told(date(2030, 4, 20), beneficial=True)], None),
    ],
)
def test_4_3__a_version_is_announced_before_its_day(announced: list[TermsAnnouncement], says: str | None) -> None:
    found = unannounced("terms", [OLD, changed()], announced)
    assert [each.value for each in found] == ([] if says is None else ["2030-04-01, from 2030-04-01"])
    assert says is None or found[0].rule.startswith(f"{says}: a change not wholly to the users' benefit")


def test_4_3__a_version_that_changes_nothing_needs_no_announcement() -> None:
    assert unannounced("terms", [OLD, replace(OLD, version="2030-04-01", in_force_from=DAY)], []) == []
    assert unannounced("terms", [OLD], []) == []
