"""Days, months, boundaries of terms and deadlines, in Japan.

The dates follow the readings term_rule and claim_deadline in docs/reference/readings.md.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keizoku.terms.calendar import (
    DAY_SECONDS,
    Interval,
    Month,
    TermRule,
    boundary,
    claim_deadline_at,
    day_start_at,
    epoch,
    epoch_up,
    from_epoch,
    iso_jst,
    jst_day,
    notice_deadline_at,
    parse_instant,
    whole_years_and_rest,
)

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "billing.json").read_text(encoding="utf-8"))

days = st.dates(min_value=date(1990, 1, 1), max_value=date(2190, 1, 1))
instants = st.datetimes(
    min_value=datetime(1990, 1, 1),  # noqa: DTZ001
    max_value=datetime(2190, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
intervals = st.sampled_from(["month", "year"])
rules = st.sampled_from(["anchored", "civil_code"])


def d(text: str) -> date:
    return date.fromisoformat(text)


# ── terms ──────────────────────────────────────────────────────────────────────────────────────────────


ANCHORED_MONTHS = {
    "2022-12-31": (
        "2023-01-31 2023-02-28 2023-03-31 2023-04-30 2023-05-31 2023-06-30 2023-07-31 2023-08-31 "
        "2023-09-30 2023-10-31 2023-11-30 2023-12-31 2024-01-31 2024-02-29 2024-03-31"
    ),
    "2024-01-30": "2024-02-29 2024-03-30 2024-04-30 2024-05-30",
    "2012-05-31": "2012-06-30 2012-07-31 2012-08-31 2012-09-30",
    "2026-01-31": "2026-02-28 2026-03-31 2026-04-30",
    "2026-04-01": "2026-05-01 2026-06-01 2026-07-01",
}
ANCHORED_YEARS = {
    "2028-02-29": "2029-02-28 2030-02-28 2031-02-28 2032-02-29",
    "2026-04-10": "2027-04-10 2028-04-10",
}
CIVIL_MONTHS = {
    "2026-01-31": "2026-03-01 2026-04-01 2026-05-01",
    "2026-01-29": "2026-03-01 2026-04-01",
    "2028-01-29": "2028-02-29 2028-03-29",
    "2026-03-31": "2026-05-01 2026-06-01",
    "2026-04-10": "2026-05-10 2026-06-10",
}
CIVIL_YEARS = {"2028-02-29": "2029-03-01 2030-03-01 2031-03-01 2032-03-01", "2026-04-10": "2027-04-10"}


@pytest.mark.parametrize(
    ("rule", "interval", "anchor", "boundaries"),
    [
        (rule, interval, anchor, boundaries.split())
        for rule, interval, cases in (
            ("anchored", "month", ANCHORED_MONTHS),
            ("anchored", "year", ANCHORED_YEARS),
            ("civil_code", "month", CIVIL_MONTHS),
            ("civil_code", "year", CIVIL_YEARS),
        )
        for anchor, boundaries in cases.items()
    ],
)
def test_3_3__terms_begin_on_these_days(rule: TermRule, interval: Interval, anchor: str, boundaries: list[str]) -> None:
    counted = [boundary(d(anchor), interval, n, rule).isoformat() for n in range(len(boundaries) + 1)]
    assert counted == [anchor, *boundaries]


def test_3_3__a_leap_day_comes_back_every_fourth_year() -> None:
    anchor = d("2020-02-29")
    assert [boundary(anchor, "year", n) for n in (3, 4, 10)] == [
        d("2023-02-28"),
        d("2024-02-29"),
        d("2030-02-28"),
    ]


def _starts(case: dict[str, Any]) -> list[str]:
    """The first days of the terms of a case, and the day after the last."""
    if "next" in case:
        return [case["start"], *case["next"]]
    assert all(end == start for (_, end), (start, _) in pairwise(case["periods"]))
    return [case["periods"][0][0], *(end for _, end in case["periods"])]


@pytest.mark.parametrize("case", VECTORS["anchor_monthly"], ids=lambda case: case["id"])
def test_3_3__monthly_terms_begin_where_those_of_other_engines_do(case: dict[str, Any]) -> None:
    starts = _starts(case)
    assert [boundary(d(starts[0]), "month", n).isoformat() for n in range(len(starts))] == starts


@pytest.mark.parametrize("case", VECTORS["anchor_annual"], ids=lambda case: case["id"])
def test_3_3__yearly_terms_begin_where_those_of_other_engines_do(case: dict[str, Any]) -> None:
    start = d(case["start"])
    years = [d(billed).year - start.year for billed in case["billed_on"]]
    assert [boundary(start, "year", n).isoformat() for n in years] == case["billed_on"]


@pytest.mark.parametrize("case", VECTORS["timezone"], ids=lambda case: case["id"])
def test_3_3__the_day_of_an_approval_is_the_japanese_one_as_in_other_engines(case: dict[str, Any]) -> None:
    assert jst_day(parse_instant(case["instant"])).day == case["billing_day"]


@given(days, intervals, st.integers(min_value=0, max_value=60), rules)
def test_terms_follow_each_other_and_none_is_empty(anchor: date, interval: Interval, n: int, rule: TermRule) -> None:
    this, after = boundary(anchor, interval, n, rule), boundary(anchor, interval, n + 1, rule)
    length = (after - this).days
    assert 28 <= length <= 31 if interval == "month" else 365 <= length <= 366


@given(days, st.integers(min_value=0, max_value=600))
def test_an_anchored_term_keeps_its_day_or_ends_the_month(anchor: date, n: int) -> None:
    on = boundary(anchor, "month", n)
    assert on.day == min(anchor.day, Month.of(on).days)
    assert Month.of(on) == Month.of(anchor).shift(n)


@given(days, intervals, st.integers(min_value=0, max_value=60))
def test_the_civil_code_is_never_shorter_than_the_anchor(anchor: date, interval: Interval, n: int) -> None:
    assert boundary(anchor, interval, n, "civil_code") >= boundary(anchor, interval, n, "anchored")


def test_terms_are_not_counted_backwards() -> None:
    with pytest.raises(ValueError, match="counted from the anchor forward"):
        boundary(d("2026-04-10"), "month", -1)


# ── months ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_month_knows_its_edges_in_japan() -> None:
    april = Month.parse("2026-04")
    assert (april.first_on, april.end_on, april.days) == (d("2026-04-01"), d("2026-05-01"), 30)
    assert april.start_at == datetime(2026, 3, 31, 15, tzinfo=UTC)
    assert april.end_at == datetime(2026, 4, 30, 15, tzinfo=UTC)
    assert (str(april), str(april.next()), str(april.previous())) == ("2026-04", "2026-05", "2026-03")
    assert Month(2026, 12).next() == Month(2027, 1)
    assert Month(2026, 12) < Month(2027, 1)


def test_the_month_of_an_instant_is_the_japanese_one() -> None:
    assert Month.of(datetime(2026, 4, 30, 15, tzinfo=UTC)) == Month(2026, 5)
    assert Month.of(datetime(2026, 4, 30, 14, 59, 59, tzinfo=UTC)) == Month(2026, 4)
    assert Month.of(d("2026-04-30")) == Month(2026, 4)


@pytest.mark.parametrize("text", ["2026", "2026-4", "26-04", "2026-13", "2026-00", "April", "2026-04-01", ""])
def test_text_that_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="month"):
        Month.parse(text)


@given(days, st.integers(min_value=-600, max_value=600))
def test_months_shift_back_and_forth(day: date, months: int) -> None:
    month = Month.of(day)
    assert month.shift(months).shift(-months) == month
    assert Month.parse(str(month)) == month
    assert (month.end_at - month.start_at) == timedelta(days=month.days)


@given(days, st.integers(-3, 40))
def test_months_are_counted_and_walked_through(day: date, months: int) -> None:
    first = Month.of(day)
    last = first.shift(months)
    assert last.since(first) == months
    assert list(first.through(last)) == [first.shift(each) for each in range(months + 1)]


# ── instants ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "moment",
    [
        "2026-04-10 09:00",
        "2026-04-10T09:00:00",
        " 2026-04-10T09:00:00+09:00 ",
        "2026-04-10T00:00:00Z",
        datetime(2026, 4, 10, 9),  # noqa: DTZ001
        datetime(2026, 4, 10, tzinfo=UTC),
    ],
)
def test_a_time_without_an_offset_is_japanese(moment: str | datetime) -> None:
    assert parse_instant(moment) == datetime(2026, 4, 10, tzinfo=UTC)
    assert parse_instant(moment).tzinfo is UTC
    assert iso_jst(parse_instant(moment)) == "2026-04-10T09:00:00+09:00"


def test_a_day_stands_for_its_midnight() -> None:
    assert parse_instant(d("2026-04-10")) == parse_instant("2026-04-10") == day_start_at(d("2026-04-10"))
    assert day_start_at(d("2026-04-10")) == datetime(2026, 4, 9, 15, tzinfo=UTC)


def test_text_that_is_no_time_says_how_to_write_one() -> None:
    with pytest.raises(ValueError, match="not a time: 'tomorrow'; write it as 2026-04-10 09:00"):
        parse_instant("tomorrow")


def test_an_instant_needs_its_offset() -> None:
    naive = datetime(2026, 4, 10)  # noqa: DTZ001
    for ask in (jst_day, iso_jst, epoch, epoch_up):
        with pytest.raises(ValueError, match="needs its offset"):
            ask(naive)


@given(days)
def test_a_day_begins_at_its_start_and_lasts_86400_seconds(day: date) -> None:
    assert jst_day(day_start_at(day)) == day
    assert jst_day(day_start_at(day) - timedelta(microseconds=1)) == day - timedelta(days=1)
    assert epoch(day_start_at(day + timedelta(days=1))) - epoch(day_start_at(day)) == DAY_SECONDS


@given(instants)
def test_9_3__fractions_of_a_second_go_outward(instant: datetime) -> None:
    start, end = epoch(instant), epoch_up(instant)
    assert from_epoch(start) <= instant <= from_epoch(end)
    assert end - start == (0 if instant.microsecond == 0 else 1)
    assert parse_instant(iso_jst(instant)) == instant


# ── deadlines ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("month", "deadline"),
    [
        ("2026-02", "2026-04-01 00:00"),  # 31 March 24:00 JST
        ("2026-04", "2026-06-01 00:00"),  # 31 May is a Sunday: it does not move
        ("2026-11", "2027-01-01 00:00"),  # nor does New Year's Eve
    ],
)
def test_9_5__claims_end_with_the_next_month(month: str, deadline: str) -> None:
    assert claim_deadline_at(Month.parse(month), 1) == parse_instant(deadline)


@pytest.mark.parametrize(
    ("starts", "published_by"),
    [
        ("2025-04-10 02:00", "2025-04-05 00:00"),
        ("2025-04-10 00:00", "2025-04-05 00:00"),
        ("2025-04-09 23:59:59", "2025-04-04 00:00"),
        ("2028-03-02 12:00", "2028-02-26 00:00"),
    ],
)
def test_9_4_4__five_clear_days_lie_between(starts: str, published_by: str) -> None:
    assert notice_deadline_at(parse_instant(starts), 5) == parse_instant(published_by)


@pytest.mark.parametrize(
    ("due", "paid", "years", "common_days", "leap_days"),
    [
        ("2025-04-30", "2025-04-30", 0, 0, 0),
        ("2025-04-30", "2025-05-01", 0, 1, 0),
        ("2025-04-30", "2025-05-30", 0, 30, 0),
        ("2024-01-31", "2024-03-31", 0, 0, 60),
        ("2023-03-01", "2024-03-01", 1, 0, 0),
        ("2027-02-28", "2028-02-29", 1, 0, 0),
        ("2027-12-30", "2028-01-02", 0, 1, 2),
        ("2028-02-28", "2029-02-27", 0, 58, 307),  # from 02-29, one day short of the year
        ("2028-02-28", "2029-02-28", 1, 0, 0),  # no counterpart: the year ends with the month
        ("2028-02-28", "2032-02-28", 4, 0, 0),
        ("2022-12-31", "2025-02-01", 2, 32, 0),
    ],
)
def test_5_2__days_are_whole_years_and_a_rest(
    due: str, paid: str, years: int, common_days: int, leap_days: int
) -> None:
    cut = whole_years_and_rest(d(due) + timedelta(days=1), d(paid))
    assert cut == (years, common_days, leap_days)


@given(days, st.integers(min_value=-1, max_value=4_000))
def test_a_cut_period_has_all_its_days_and_less_than_a_year_left(first: date, length: int) -> None:
    last = first + timedelta(days=length)
    years, common_days, leap_days = whole_years_and_rest(first, last)
    rest_days = common_days + leap_days
    assert 0 <= rest_days <= 365
    assert 365 * years <= (length + 1) - rest_days <= 366 * years
    if years > 1:  # with one year the earlier end may lie before the first day
        earlier = whole_years_and_rest(first, last - timedelta(days=366))
        assert earlier.years in (years - 1, years - 2)


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match="ends before it begins"):
        whole_years_and_rest(d("2026-04-10"), d("2026-04-08"))
