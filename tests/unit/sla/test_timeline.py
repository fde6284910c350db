"""The picture of a month: all outages are drawn, said in words, and told apart by more than colour."""

import re
from datetime import date
from xml.etree import ElementTree

import pytest

from keizoku.sla.pictures.on_pages import month_on_page
from keizoku.sla.pictures.timeline import CLAUSES, LOOKS, NARROW, Lang, month_svg
from keizoku.sla.rules.intervals import Spans
from keizoku.sla.rules.outages import Cause, Outage
from keizoku.sla.rules.unusable_time import (
    CLAIMANT_BUCKETS,
    SERVICE_BUCKETS,
    Claimant,
    MonthFacts,
    ServiceMonth,
    claimant_month,
    service_month,
)
from keizoku.terms.calendar import Month, epoch, parse_instant
from keizoku.terms.policy import Terms

POLICY = Terms.load().at(date(2026, 4, 1))
SVG = "{http://www.w3.org/2000/svg}"


def outage(start: str, end: str) -> Outage:
    return Outage(epoch(parse_instant(start)), epoch(parse_instant(end)), Cause.FAULT, "incident <7>")


def april(*outages: Outage) -> ServiceMonth:
    return service_month(MonthFacts(Month(2026, 4), outages), POLICY, 0)


OVER_NIGHT = april(
    outage("2026-04-10 20:00", "2026-04-11 14:00"),
    outage("2026-04-15 12:00:00", "2026-04-15 12:00:10"),
    outage("2026-04-30 23:00", "2026-05-01 01:00"),
)


def drawn(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314  (our own picture)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in drawn(svg).iter(f"{SVG}text")]


def bars(svg: str) -> list[tuple[str, str, str, str]]:
    """Bucket, x, y and width of every outage, in the order in which they are drawn."""
    found = []
    for group in drawn(svg).iter(f"{SVG}g"):
        rect = group.find(f"{SVG}rect")
        assert rect is not None
        bucket = rect.attrib["fill"].removeprefix("url(#kz-").removesuffix(")")
        found.append((bucket, rect.attrib["x"], rect.attrib["y"], rect.attrib["width"]))
    return found


def test_9_4__a_stop_over_midnight_is_drawn_on_both_days() -> None:
    assert bars(month_svg(OVER_NIGHT, POLICY)) == [
        ("short_stop", "510.00", "418", "1.50"),
        ("night", "114.00", "326", "180.00"),
        ("unusable", "798.00", "303", "144.00"),
        ("unusable", "78.00", "326", "36.00"),
        ("unusable", "294.00", "326", "288.00"),
        ("unusable", "906.00", "763", "36.00"),
    ]


def test_9_4__each_bar_says_from_to_and_clause() -> None:
    told = [element.text for element in drawn(month_svg(OVER_NIGHT, POLICY, "en")).iter(f"{SVG}title")]
    assert told == [
        "Service outages in April 2026",
        "night (9.4.1)",
        "2026-04-15 12:00:00–12:00:10 JST, 10 s: short outage (9.4.2)",
        "2026-04-11 01:00:00–06:00:00 JST, 5 h: night (9.4.1)",
        "2026-04-10 20:00:00–2026-04-11 01:00:00 JST, 5 h: unusable time (9.3)",
        "2026-04-10 20:00:00–2026-04-11 01:00:00 JST, 5 h: unusable time (9.3)",
        "2026-04-11 06:00:00–14:00:00 JST, 8 h: unusable time (9.3)",
        "2026-04-30 23:00:00–2026-05-01 00:00:00 JST, 1 h: unusable time (9.3)",
    ]


@pytest.mark.parametrize(
    ("lang", "expected"),
    [
        (
            "en",
            [
                "Service outages in April 2026",
                "stopped 19 h 10 s, unusable time 14 h, 40% of the monthly fee",
                "Fri 10",
                "short outage (9.4.2)",
                "10 s",
                "18,000 s = 5 h",
                "50,400 s = 14 h",
            ],
        ),
        (
            "ja",
            [
                "2026年4月 サービス停止状態",
                "停止 19時間10秒、使用不能時間 14時間、月額利用料金の40%",
                "10日(金)",
                "短い停止(9.4.2)",
                "10秒",
                "18,000秒 = 5時間",
                "50,400秒 = 14時間",
            ],
        ),
    ],
)
def test_9_4__the_words_and_the_seconds_stay_text(lang: Lang, expected: list[str]) -> None:
    assert set(expected) <= set(texts(month_svg(OVER_NIGHT, POLICY, lang)))


def test_9_4__a_row_for_each_day_of_the_month() -> None:
    for month, days in ((Month(2026, 2), 28), (Month(2026, 4), 30), (Month(2026, 8), 31)):
        svg = month_svg(service_month(MonthFacts(month, ()), POLICY, 0), POLICY)
        assert len([text for text in texts(svg) if re.fullmatch(r"\d+日\(.\)", text)]) == days


def test_9_2__a_claimants_picture_has_all_eleven_buckets() -> None:
    nothing: Spans = ()
    own = claimant_month(OVER_NIGHT, Claimant(OVER_NIGHT.gross, nothing, OVER_NIGHT.gross, nothing, nothing, None))
    svg = month_svg(OVER_NIGHT, POLICY, "en", own)
    assert {bucket for bucket, *_ in bars(svg)} == {"short_stop", "night", "not_claimed"}
    assert [text for text in texts(svg) if re.fullmatch(r".+ \(\d[\d.]*\)", text)] == [
        f"{LOOKS[bucket].en} ({CLAUSES[bucket]})" for bucket in CLAIMANT_BUCKETS
    ]


def test_9_4__no_two_buckets_of_a_picture_look_alike_even_without_colour() -> None:
    assert set(LOOKS) == set(CLAUSES) == {*SERVICE_BUCKETS, *CLAIMANT_BUCKETS}
    for buckets in (tuple(SERVICE_BUCKETS), CLAIMANT_BUCKETS):
        assert len({(LOOKS[bucket].fill, LOOKS[bucket].pattern) for bucket in buckets}) == len(buckets)
    assert len({LOOKS[bucket].pattern for bucket in SERVICE_BUCKETS}) == len(SERVICE_BUCKETS)


def test_9_4__the_same_month_is_the_same_picture() -> None:
    assert month_svg(OVER_NIGHT, POLICY) == month_svg(OVER_NIGHT, POLICY)


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_a_page_has_the_month_for_a_desk_and_for_a_phone_in_its_language(lang: Lang) -> None:
    both = month_on_page(OVER_NIGHT, POLICY, lang, claimed=OVER_NIGHT.gross, ids="m")
    desk, phone = (f"<svg{each}" for each in both.split("<svg")[1:])
    assert [drawn(each).get("class") for each in (desk, phone)] == ["keizoku-month desk", "keizoku-month phone"]
    assert [int(drawn(each).get("width", "")) for each in (desk, phone)] == [1060, 378]
    assert len(list(drawn(desk).iter(f"{SVG}g"))) == len(list(drawn(phone).iter(f"{SVG}g"))) == 6
    ids = [each.get("id") for picture in (desk, phone) for each in drawn(picture).iter(f"{SVG}pattern")]
    assert len(set(ids)) == len(ids) == 12
    other = r"[\u3040-\u30ff\u4e00-\u9fff]" if lang == "en" else r"[a-z]{2,}"
    told = [*texts(desk), *texts(phone), *(each.text or "" for each in drawn(phone).iter(f"{SVG}title"))]
    assert [text for text in told if re.search(other, text)] == []
    assert not any(re.search("[秒s]$", text) for text in texts(phone)[-14:])  # sums stand in the table beside it


def test_9_4__on_a_phone_a_pixel_is_six_minutes() -> None:
    svg = month_svg(OVER_NIGHT, POLICY, frame=NARROW)
    assert [(bucket, x, width) for bucket, x, _, width in bars(svg)] == [
        ("short_stop", "174.00", "1.50"),
        ("night", "64.00", "50.00"),
        ("unusable", "254.00", "40.00"),
        ("unusable", "54.00", "10.00"),
        ("unusable", "114.00", "80.00"),
        ("unusable", "284.00", "10.00"),
    ]


def test_a_picture_takes_the_colours_of_its_page_and_is_dark_on_white_alone() -> None:
    svg = month_svg(OVER_NIGHT, POLICY)
    assert 'class="p" width="1060"' in svg
    for words in ("fill:#333;fill:var(--ink,#333)", "fill:#fff;fill:var(--paper,#fff)"):
        assert words in svg
    assert svg.index('class="p"') < svg.index('class="t"')
