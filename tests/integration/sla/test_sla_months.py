"""A month over time, on a real database: what was known when, what if, what stays above what would be found."""

import csv
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import pypdf
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from keizoku.db.session import Session, one_snapshot
from keizoku.db.tables.contracts import account, contract
from keizoku.db.tables.money import review_task
from keizoku.scheduler.reports.claim_page import claim_page, claim_picture, explain_claim
from keizoku.scheduler.reports.claim_states import ClaimState
from keizoku.scheduler.reports.reading_differences import award_differences
from keizoku.scheduler.reports.replay import ALL_THAT_IS_KNOWN, replay
from keizoku.scheduler.reports.review_log import Review, reviews_of
from keizoku.scheduler.reports.sentences import not_lowered_text, review_text, row_text, windows_text
from keizoku.scheduler.reports.sla_report import month_report, report_csv, write_report
from keizoku.scheduler.reports.sla_report_pdf import report_pdf
from keizoku.sla.months.history import history_of
from keizoku.sla.months.month_facts import NoPopulationError
from keizoku.sla.services.sla_service import SlaService
from keizoku.terms.calendar import Month
from keizoku.terms.cells import cell
from keizoku.terms.policy import UncoveredDateError, UnknownReadingError
from tests.conftest import OwnDatabase
from tests.worlds.looks import FEWEST_LINES
from tests.worlds.month_world import live
from tests.worlds.sla_world import APRIL, RULES, at, night
from tests.worlds.world import rows

FIRST = ClaimState("granted", None, 14_820, "0.2")
RAISED = ClaimState("granted", None, 32_820, "0.4")


@pytest.fixture(scope="module")
def lived(own_database: OwnDatabase) -> Iterator[Session]:
    """That April once for all tests that only read."""
    with own_database() as engine, engine.connect() as session:
        yield live(session)


def test_9_2__a_claims_page_explains_itself_in_both_languages(lived: Session) -> None:
    explained = explain_claim(lived, RULES, "c1", ALL_THAT_IS_KNOWN)
    assert explained.decisive_sentences("en") == [
        "Without the exclusion night (9.4.1), 8 h 7 min would be recognised: 40% of the monthly fee."
    ]
    assert explained.decisive_sentences("ja") == [
        "夜間(9.4.1)の除外がなければ、認められる使用不能時間は8時間7分で、月額利用料金の40%の段階でした。"
    ]
    page = claim_page(explained, ("ja", "en"))
    for words in ("減額・返金 20%", "granted 20%", "c1 · hanako", "一度お認めした額は減らしません", "is not lowered"):
        assert words in page
    assert "夜間(9.4.1)の除外" in page
    assert "Without the exclusion night (9.4.1)" in page
    only_ja = claim_page(explained, ("ja",))
    assert "夜間(9.4.1)の除外" in only_ja
    assert 'lang="en"' not in only_ja
    picture = ElementTree.fromstring(claim_picture(explained, "ja"))  # noqa: S314  (our own picture)
    texts = [each.text for each in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {
        "停止時間の合計",
        "−4時間",
        "4時間7分",
        "次の段階との差 3時間5分",
        "3時間36分超: 20%",
        "申請された時間",
    } <= set(texts)
    ids = [each.attrib["id"] for each in picture.iter() if "id" in each.attrib]
    assert len(ids) == len(set(ids))


def test_9_6__of_a_claim_under_a_store_the_method_decided(lived: Session) -> None:
    told = explain_claim(lived, RULES, "c3", ALL_THAT_IS_KNOWN).decisive_sentences("en")
    assert told == [
        "Without the exclusion not paid by card (9.6), 4 h 7 min would be recognised: 20% of the monthly fee."
    ]


def test_9_5__of_a_late_claim_the_deadline_decided_and_a_pending_one_waits(session: Session) -> None:
    lived = live(session)
    service = SlaService(lived, RULES)
    service.claim("late", "hanako", APRIL, now=at("2026-08-10 09:00"))
    pending = explain_claim(lived, RULES, "late", ALL_THAT_IS_KNOWN)
    assert (pending.decision, pending.decisive_sentences("ja")) == (None, [])
    assert "判定前" in claim_page(pending, ("ja",))
    report = month_report(lived, RULES, APRIL, ALL_THAT_IS_KNOWN, at("2026-08-10 12:00"))
    assert [each.key for each in report.waits] == ["night", "claims", "finance"]
    night(lived, "2026-08-11")
    assert explain_claim(lived, RULES, "late", ALL_THAT_IS_KNOWN).decisive_sentences("en") == ["The deadline decided."]


def test_9_4__the_months_report_names_every_window_its_clause_and_evidence(lived: Session, tmp_path: Path) -> None:
    report = month_report(lived, RULES, APRIL, ALL_THAT_IS_KNOWN, at("2026-08-03"))
    html, sheet, values, printed = paths = write_report(report, tmp_path / "new", ("ja", "en"))
    assert [each.name for each in paths] == [f"sla-2026-04.{ending}" for ending in ("html", "csv", "json", "pdf")]
    assert printed.read_bytes() == report_pdf(report, ("ja", "en"))
    rows_of = list(csv.DictReader(sheet.read_text(encoding="utf-8-sig").splitlines()))
    assert [
        (row["from"][5:16], row["to"][5:16], row["seconds"], row["bucket"], row["clause"], row["evidence"])
        for row in rows_of
        if row["kind"] == "window"
    ] == [
        ("04-10T09:00", "04-10T12:37", "13020", "unusable", "premium/9.3", "incident s1"),
        ("04-12T00:30", "04-12T01:00", "1800", "unusable", "premium/9.3", "incident s2"),
        ("04-12T01:00", "04-12T05:00", "14400", "night", "premium/9.4.1", "incident s2"),
    ]
    sums = {row["bucket"]: int(row["seconds"]) for row in rows_of if row["kind"] == "bucket"}
    assert sums == report.service.waterfall()
    assert sum(sums.values()) == int(next(row["seconds"] for row in rows_of if row["kind"] == "gross")) == 29_220
    read = json.loads(values.read_text(encoding="utf-8"))
    assert (read["final"], read["gross_seconds"], read["unusable_seconds"], read["awarded_yen"]) == (
        False,
        29_220,
        14_820,
        377,
    )
    assert [each["what"] for each in read["waits_for"]] == ["finance"]
    assert [(each["outcome"], each["reason"], each["rate"], each["claims"]) for each in read["claims"]] == [
        ("granted", None, "0.2", 2),
        ("rejected", "method", None, 1),
    ]
    page = html.read_text(encoding="utf-8")
    assert "<b>audit</b>" not in page
    assert "&lt;b&gt;audit&lt;/b&gt;" in page
    assert [each["author"] for each in read["evidence"] if each["kind"] == "incident"][-1] == "<b>audit</b>"


def test_9_3__the_report_says_how_it_was_counted_on_paper_too(lived: Session) -> None:
    report = month_report(lived, RULES, APRIL, ALL_THAT_IS_KNOWN, at("2026-08-03"))
    method = report.method("en")
    order = "short outage, night, announced update, interruption under the terms, users' environment, unusable time"
    assert method[2:8] == [
        "An outage of less than 10 min does not count (9.4.2).",
        "Outages with a gap between them are separate.",
        f"Every second of an outage is in one bucket only, the first that takes it, in this order: {order}.",
        "Time without a sample counts as neither down nor up; it is shown apart until people decide.",
        "Unusable time of more than 3 h 36 min brings 20% (9.2), whatever the length of the month.",
        "Unusable time of more than 7 h 12 min brings 40% (9.2), whatever the length of the month.",
    ]
    assert method[0].startswith(
        "A second is an outage where more than 5% of all registered users are unable in it (9.3)."
    )
    assert len(method) == 8 + len(report.readings("en"))
    whole = "the whole outage, before anything is carved or clipped"
    assert f"On which length are the 10 minutes measured? {whole} (9.4.2)." in method
    assert not any("_" in each for each in (*method, *report.method("ja")))  # words, no codes
    assert report.to_json()["method"][6]["en"] == method[6]
    pages = [page.extract_text() for page in pypdf.PdfReader(BytesIO(report_pdf(report, ("en",)))).pages]
    assert min(len(page.splitlines()) for page in pages) >= FEWEST_LINES
    text = " ".join(" ".join(pages).split())
    questions = [question for question, *_ in report.readings("en")]
    for said in (
        *report.counted("en"),
        *questions,
        "13,020",
        "14,400",
        "incident s2",
        "Awarded: 377 yen (2 accounts)",
        "29,220",
    ):
        assert " ".join(said.split()) in text


def test_9_2__a_running_month_waits_and_an_empty_one_is_final(lived: Session) -> None:
    running = month_report(lived, RULES, Month(2026, 8), ALL_THAT_IS_KNOWN, at("2026-08-03"))
    assert [each.key for each in running.waits] == ["month", "deadline"]
    empty = month_report(lived, RULES, Month(2026, 5), ALL_THAT_IS_KNOWN, at("2026-08-03"))
    assert (empty.final, report_csv(empty, "en").splitlines()[-1]) == (True, "final,2026-05,,,,,,,,")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_a_cell_is_never_a_formula(text: str) -> None:
    assert cell(text) == f"'{text}"
    assert (cell("a=b"), cell(-1), cell("")) == ("a=b", -1, "")


def told(reviews: list[Review]) -> list[tuple[object, ...]]:
    return [(each.gross_seconds, each.unusable_seconds, each.first, len(each.changed), each.yen) for each in reviews]


def test_9_2__history_tells_what_was_known_when_and_what_it_changed(lived: Session) -> None:
    pieces = history_of(lived, RULES, APRIL, ALL_THAT_IS_KNOWN)
    assert [(f"{each.recorded_at:%m-%d}", each.kind, each.subject, each.author, each.ground) for each in pieces] == [
        ("12-31", "population", "", "people", ""),  # 1 January in Japan
        ("04-10", "incident", "s1", "ops", "log"),
        ("04-11", "incident", "s2", "people", ""),
        ("04-18", "notice", "n1", "people", ""),
        ("05-02", "claim", "c1", "hanako", ""),
        ("05-02", "claim", "c2", "taro", ""),
        ("05-02", "claim", "c3", "jiro", ""),
        ("07-10", "incident", "s3", "people", ""),
        ("08-01", "incident", "s3", "<b>audit</b>", "=a false alarm"),
    ]
    assert row_text(pieces[3], "en").endswith("too late (by 15 April 2026 00:00 JST), excludes nothing")
    assert row_text(pieces[8], "ja") == "障害報告(第2版)、影響 0人、原因 障害"
    assert (windows_text(pieces[1], "en"), windows_text(pieces[4], "ja")) == (
        "10 April 2026 09:00–12:37 JST",
        "月の全て",
    )

    reviews = reviews_of(lived, RULES, APRIL, ALL_THAT_IS_KNOWN)
    assert [each.whys for each in reviews] == [
        ("notice n1", "stop s1", "stop s2", "claim c1", "claim c2", "claim c3"),
        ("stop s3",),
        ("stop s3 corrected",),
    ]
    assert told(reviews) == [
        (29_220, 14_820, 3, 0, 100 + 89),
        (47_220, 32_820, 0, 2, 100 + 88),  # 200 - 100, 177 - 89; jiro's store pays nothing either way
        (29_220, 14_820, 0, 2, 0),
    ]
    assert [(each.claim_id, each.before, each.after) for each in reviews[1].changed][:2] == [
        ("c1", FIRST, RAISED),
        ("c2", FIRST, RAISED),
    ]
    assert [not_lowered_text(each, "en") for each in reviews[2].not_lowered] == [
        "hanako: 200 yen was awarded, 100 yen would be found now; it is not lowered",
        "taro: 177 yen was awarded, 89 yen would be found now; it is not lowered",
    ]
    assert review_text(reviews[1], "ja").endswith("初めての判定 0件、変わった判定 2件、減額の追加 188円")


def test_9_2__awards_above_what_would_be_found_are_shown_with_the_reason(lived: Session) -> None:
    found = award_differences(lived, RULES, APRIL, ALL_THAT_IS_KNOWN)
    assert [(each.account, each.awarded_yen, each.would_be_yen, each.above_yen, each.rates) for each in found] == [
        ("hanako", 200, 100, 100, ("0.4", "0.2")),
        ("taro", 177, 89, 88, ("0.4", "0.2")),
    ]
    assert found[0].seconds == {"recognised": (32_820, 14_820)}
    assert found[0].since == ("stop s3 corrected",)
    assert (found[0].claim_id, found[0].awarded_at, found[0].settled_by) == ("c1", at("2026-07-11 02:30"), "")
    assert award_differences(lived, RULES, Month(2026, 5), ALL_THAT_IS_KNOWN) == []
    assert award_differences(lived, RULES, None, at("2026-07-31")) == []


def test_9_2__a_difference_says_who_has_dealt_with_it(session: Session) -> None:
    lived = live(session)
    closed = {"closed_at": at("2026-08-03"), "closed_by": "finance", "closed_ground": "noted"}
    lived.execute(sa.update(review_task).where(review_task.c.subject.startswith("hanako")).values(**closed))
    lived.commit()
    assert [each.settled_by for each in award_differences(lived, RULES, None, ALL_THAT_IS_KNOWN)] == ["finance", ""]


def test_9_2__a_replay_as_known_before_the_late_evidence_saves_nothing(lived: Session) -> None:
    before = rows(lived)
    found = replay(lived, RULES, APRIL, as_known_at=at("2026-07-20"), readings={"credit_rounding": "down"})
    assert rows(lived) == before
    assert {bucket: pair for bucket, pair in found.buckets().items() if pair[0] != pair[1]} == {
        "gross": (29_220, 47_220),
        "unusable": (14_820, 32_820),
    }
    assert [(each.claim_id, each.current, each.replayed) for each in found.changed_results()] == [
        ("c1", FIRST, RAISED),
        ("c2", FIRST, RAISED),
    ]
    assert [each.claim_id for each in found.changed_claims] == ["c1", "c2"]
    assert (found.current_yen, found.replayed_yen) == (377, 376)  # 176 2/3 down
    assert [(each.account, each.current_yen, each.replayed_yen) for each in found.changed_yen] == [("taro", 177, 176)]


def test_9_2__a_replay_before_a_claim_came_does_not_know_it(lived: Session) -> None:
    found = replay(lived, RULES, APRIL, as_known_at=at("2026-05-02 09:02"))
    assert (found.claims, found.claims_replayed, found.not_yet_received) == (3, 2, 1)
    assert [(each.claim_id, each.replayed) for each in found.changed_claims] == [("c3", None)]
    assert found.to_json()["yen"] == {
        "stands": 377,
        "replayed": 189,
        "difference": -188,
        "accounts": [
            {"account": "hanako", "stands": 200, "replayed": 100, "difference": -100},
            {"account": "taro", "stands": 177, "replayed": 89, "difference": -88},
        ],
    }


def test_9_2__a_replay_of_what_stands_changes_only_what_was_not_lowered(lived: Session) -> None:
    found = replay(lived, RULES, APRIL)
    assert (found.changed_claims, found.current_yen, found.replayed_yen) == ((), 377, 189)


def test_9_2__a_replay_forgets_what_ended_or_was_lifted_later(session: Session) -> None:
    """Taro left on 26 April, which we learn in August, as we do of an outage on the 28th: it is not his."""
    lived = live(session)
    lived.execute(
        sa.update(contract)
        .where(contract.c.account == "taro")
        .values(
            ended_on=date(2026, 4, 27),
            ended_at=at("2026-04-26 12:00"),
            ended_reason="leave_service",
            end_recorded_at=at("2026-08-04 12:00"),
        )
    )
    lived.commit()
    service = SlaService(lived, RULES)
    service.record_outage(at("2026-04-28 09:00"), at("2026-04-28 14:00"), 60_000, id="s4", now=at("2026-08-04 09:00"))
    night(lived, "2026-08-06")
    assert replay(lived, RULES, APRIL).changed_claims == ()
    # by the outage, before the end was known, he would have had it too
    before_the_end = replay(lived, RULES, APRIL, as_known_at=at("2026-08-04 10:00"))
    assert [(each.claim_id, each.current, each.replayed) for each in before_the_end.changed_results()] == [
        ("c2", FIRST, RAISED)
    ]


def test_what_a_replay_cannot_do(lived: Session) -> None:
    with pytest.raises(UnknownReadingError, match="nearest: short_stop"):
        replay(lived, RULES, APRIL, readings={"short_stops": "x"})
    with pytest.raises(UnknownReadingError, match=r"term_rule.*changes nothing here"):
        replay(lived, RULES, APRIL, readings={"term_rule": "civil_code"})
    with pytest.raises(UncoveredDateError):
        replay(lived, RULES, Month(2024, 11))
    empty = replay(lived, RULES, Month(2026, 6), as_known_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert (empty.claims, empty.buckets()["gross"], empty.current_yen) == (0, (0, 0), 0)


def test_a_snapshot_refuses_to_write(lived: Session) -> None:
    with pytest.raises(DBAPIError, match="read-only transaction"), one_snapshot(lived):
        lived.execute(sa.insert(account).values(id="x", created_at=at("2026-08-05")))
    lived.execute(sa.insert(account).values(id="x", created_at=at("2026-08-05")))
    lived.rollback()


def test_9_3__without_a_number_of_users_history_still_tells(session: Session) -> None:
    service = SlaService(session, RULES)
    service.record_outage(at("2026-04-10 09:00"), at("2026-04-10 12:37"), 60_000, id="s1", now=at("2026-04-10 14:00"))
    night(session, "2026-05-03")  # no claim: nothing is asked of the month
    (review,) = reviews_of(session, RULES, APRIL, ALL_THAT_IS_KNOWN)
    assert (review.gross_seconds, review.unusable_seconds, review.yen) == (None, None, 0)
    assert "stopped —" in review_text(review, "en")
    with pytest.raises(NoPopulationError):
        replay(session, RULES, APRIL)
