"""The steps from all outages to what counts: every bucket's bar begins where the last one left off."""

from xml.etree import ElementTree

from keizoku.sla.pictures.on_pages import waterfall_on_page
from keizoku.sla.pictures.timeline import Lang
from keizoku.sla.pictures.waterfall import stacked, waterfall_svg
from keizoku.sla.rules.outages import Cause, Outage
from keizoku.sla.rules.unusable_time import MonthFacts, ServiceMonth, service_month
from keizoku.terms.calendar import Month, epoch, parse_instant
from keizoku.terms.policy import Terms

APRIL = Month(2026, 4)
POLICY = Terms.load().of_month(APRIL)
SVG = "{http://www.w3.org/2000/svg}"


def april(*outages: tuple[str, str]) -> ServiceMonth:
    seconds = tuple(
        Outage(epoch(parse_instant(start)), epoch(parse_instant(end)), Cause.FAULT, "<s>") for start, end in outages
    )
    return service_month(MonthFacts(APRIL, seconds), POLICY, 0)


def drawn(service: ServiceMonth, lang: Lang = "en") -> ElementTree.Element:
    return ElementTree.fromstring(waterfall_svg(service.buckets, POLICY, lang))  # noqa: S314  (our own picture)


def texts(root: ElementTree.Element) -> list[str]:
    return [each.text or "" for each in root.iter(f"{SVG}text")]


def bars(root: ElementTree.Element) -> list[tuple[str, str]]:
    return [(each.attrib["x"], each.attrib["width"]) for each in root.iter(f"{SVG}rect") if each.get("x")]


def test_9_4__each_clause_takes_from_where_the_last_left_off() -> None:
    # 18 h: 5 h of it night; 62,000 hundredths of a pixel are 64,800 s
    root = drawn(april(("2026-04-10 20:00", "2026-04-11 14:00")))
    assert bars(root) == [("250.00", "620.00"), ("697.77", "172.22"), ("250.00", "447.77")]
    assert texts(root) == [
        "over 3 h 36 min: 20%",
        "over 7 h 12 min: 40%",
        "all outages",
        "18 h",
        "night (9.4.1)",
        "−5 h",
        "unusable time (9.3)",
        "13 h",
    ]


def test_9_2__how_far_it_is_to_the_next_tier_is_told_and_above_the_last_nothing_is() -> None:
    short = texts(drawn(april(("2026-04-10 09:00", "2026-04-10 12:36")), "ja"))
    assert short[-1] == "次の段階との差 0秒"  # exactly 3.6 hours: nothing yet
    second = texts(drawn(april(("2026-04-10 09:00", "2026-04-10 12:36:01"))))
    assert second[-1] == "3 h 35 min 59 s short of the next tier"


def test_9_2__a_month_without_stops_is_drawn_too() -> None:
    root = drawn(april())
    assert bars(root) == [("250.00", "0.00"), ("250.00", "0.00")]
    assert texts(root)[-1] == "3 h 36 min short of the next tier"


def test_pictures_are_stacked_without_overlap() -> None:
    picture = waterfall_svg(april().buckets, POLICY, "en")
    inner = [each for each in ElementTree.fromstring(stacked([picture, picture])) if each.tag == f"{SVG}svg"]  # noqa: S314
    assert [int(each.attrib["y"]) for each in inner] == [0, int(inner[0].attrib["height"]) + 12]


def test_9_4__on_a_phone_the_words_stand_above_the_bars() -> None:
    picture = waterfall_on_page(april(("2026-04-10 20:00", "2026-04-11 14:00")).buckets, POLICY, "ja")
    desk, phone = (ElementTree.fromstring(f"<svg{each}") for each in picture.split("<svg")[1:])  # noqa: S314
    assert [each.get("class") for each in (desk, phone)] == ["keizoku-month desk steps", "keizoku-month phone steps"]
    assert texts(desk) == texts(phone)
    assert bars(phone) == [("6.00", "348.00"), ("257.33", "96.66"), ("6.00", "251.33")]
