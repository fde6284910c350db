"""The month while it runs: seconds so far, what is left, which exclusions carry it."""

import re
from xml.etree import ElementTree

import pytest

from keizoku.db.session import Session
from keizoku.scheduler.reports.budget_page import budget_page
from keizoku.sla.months.budget import budget_of, newest_evidence
from keizoku.sla.services.sla_service import SlaService
from keizoku.terms.calendar import parse_instant
from keizoku.terms.refusal import Refused
from tests.worlds.evidence_files import LATER, outage_with_expected_end, service_of_thousand
from tests.worlds.sla_world import APRIL, RULES


def stop(service: SlaService, start: str, end: str, **more: str) -> None:
    span = (parse_instant(start), parse_instant(end))
    service.record_outage(*span, 1_000, now=span[1], **more)  # type: ignore[arg-type]


def test_9_2__the_budget_of_a_month_falls_and_names_what_carries_it(session: Session) -> None:
    service = service_of_thousand(session)
    stop(service, "2026-04-10 09:00", "2026-04-10 11:30")
    stop(service, "2026-04-11 02:00", "2026-04-11 05:00")
    stop(service, "2026-04-12 12:00", "2026-04-12 12:05")
    at = parse_instant("2026-04-20 00:00")
    found = budget_of(session, RULES, APRIL, at)
    assert found.to_json() == {
        "month": "2026-04",
        "as_known_at": "2026-04-20T00:00:00+09:00",
        "terms": "2024-12-02",
        "unusable_seconds": 9_000,
        "unknown_seconds": 0,
        "unusable_seconds_if_unknown_was_down": 9_000,
        "tiers": [
            {
                "rate": "0.2",
                "clause": "premium/9.2.1",
                "over_seconds": 12_960,
                "left_seconds": 3_960,
                "percent_used": 69,
                "reached": False,
            },
            {
                "rate": "0.4",
                "clause": "premium/9.2.2",
                "over_seconds": 25_920,
                "left_seconds": 16_920,
                "percent_used": 34,
                "reached": False,
            },
        ],
        "exclusions": [
            {
                "bucket": "short_stop",
                "clause": "premium/9.4.2",
                "seconds": 300,
                "unusable_seconds_without": 9_300,
                "carries": False,
            },
            {
                "bucket": "night",
                "clause": "premium/9.4.1",
                "seconds": 10_800,
                "unusable_seconds_without": 19_800,
                "carries": True,
            },
        ],
    }
    stop(service, "2026-04-21 09:00", "2026-04-21 10:06")
    assert [each.left for each in budget_of(session, RULES, APRIL, LATER).tiers] == [0, 12_960]
    stop(service, "2026-04-22 09:00", "2026-04-22 10:00")
    assert [each.left for each in budget_of(session, RULES, APRIL, LATER).tiers] == [None, 9_360]


def test_9_2__only_what_is_past_counts_of_an_outage_whose_end_is_expected(session: Session) -> None:
    """Nobody can record one any more; a row that says so counts until now all the same."""
    service = service_of_thousand(session)
    began, expected = parse_instant("2026-04-10 09:00"), parse_instant("2026-04-10 14:00")
    with pytest.raises(Refused) as refused:
        service.record_outage(began, expected, 1_000, now=began)
    assert refused.value.code == "fact.not_over"
    outage_with_expected_end(session, began, expected, 1_000, began)
    seen = {
        at: (found.unusable, found.goes_on, {each.bucket: each.seconds for each in found.exclusions})
        for at in ("2026-04-10 09:05", "2026-04-10 09:10", "2026-04-10 12:36", "2026-04-10 12:37", "2026-04-10 15:00")
        for found in (budget_of(session, RULES, APRIL, parse_instant(at)),)
    }
    assert seen == {
        "2026-04-10 09:05": (0, True, {"short_stop": 300}),
        "2026-04-10 09:10": (600, True, {}),
        "2026-04-10 12:36": (12_960, True, {}),
        "2026-04-10 12:37": (13_020, True, {}),
        "2026-04-10 15:00": (18_000, False, {}),
    }


def test_evidence_is_new_once_it_is_known_and_only_for_its_month(session: Session) -> None:
    service = service_of_thousand(session)
    before, at = parse_instant("2026-04-09 00:00"), parse_instant("2026-04-20 00:00")
    first = newest_evidence(session, APRIL, before)
    stop(service, "2026-03-10 09:00", "2026-03-10 11:30")
    assert newest_evidence(session, APRIL, at) == first
    stop(service, "2026-04-10 09:00", "2026-04-10 11:30")
    assert newest_evidence(session, APRIL, before) == first
    assert newest_evidence(session, APRIL, at) > first


@pytest.mark.parametrize(
    ("lang", "words"), [("ja", ("到達", "支えている", "3時間36分")), ("en", ("reached", "carries"))]
)
def test_9_2__the_budget_has_a_page_that_says_what_the_command_says(
    session: Session, lang: str, words: tuple[str, ...]
) -> None:
    service = service_of_thousand(session)
    stop(service, "2026-04-10 09:00", "2026-04-10 12:40")
    stop(service, "2026-04-11 02:00", "2026-04-11 06:30", cause="user_environment", ground="<script>x</script>")
    stop(service, "2026-04-12 01:00", "2026-04-12 06:00")
    found = budget_of(session, RULES, APRIL, parse_instant("2026-04-20 00:00"))
    page = budget_page(found, (lang,))
    assert [word for word in words if word not in page] == []
    assert ("<script" in page, "http-equiv" in page) == (False, False)
    assert re.findall(r"(?:src|href)=\"[^#]", page) == []  # it asks for nothing else
    pictures = [ElementTree.fromstring(each) for each in re.findall(r"<svg xmlns.*?</svg>", page, re.DOTALL)]  # noqa: S314
    assert [each.get("class") for each in pictures] == ["keizoku-month desk", "keizoku-month phone"]
    days = [(f"{day.on:%m-%d}", day.gross, day.unusable) for day in found.days]
    assert days == [("04-10", 13_200, 13_200), ("04-11", 16_200, 0), ("04-12", 18_000, 0)]
