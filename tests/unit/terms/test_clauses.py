"""The lists of clauses and of readings, held against the contract's text and the table of readings."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from keizoku.terms.clauses import UnknownClauseError, clause_named, clauses
from keizoku.terms.files import BadTermsError
from keizoku.terms.policy import Terms

SHARED = Path(__file__).parents[4] / "shared"
CONTRACT = SHARED / "terms" / "premium-2024-12-02.ja.txt"
INTERPRETATIONS = SHARED / "interpretations.md"
SUB_ITEMS = dict(zip("アイウエオ", "abcde", strict=True))


def parsed_ids(text: str) -> list[str]:
    """The ids of all clauses in the contract's text, in order."""
    ids: list[str] = []
    article = paragraph = item = ""
    for line in text.splitlines():
        if heading := re.match(r"第(\d+)条\(", line):
            article = paragraph = heading[1]
            ids.append(article)
        elif line.startswith("<"):
            article = ""
            ids.append("tax")
        elif re.match(r"\d+年\d+月\d+日 制定", line):
            ids.append("history")
        elif not article:
            ids += [] if ids else ["preamble"]
        elif numbered := re.match(r"(\d+)\. ", line):
            paragraph = f"{article}.{numbered[1]}"
            ids.append(paragraph)
        elif listed := re.match(r"\((\d+)\) ", line):
            item = f"{paragraph}.{listed[1]}"
            ids.append(item)
        elif line[:1] in SUB_ITEMS and line[1:2] == " ":
            ids.append(f"{item}.{SUB_ITEMS[line[0]]}")
    return [f"premium/{one}" for one in ids]


def test_the_parser_reads_articles_paragraphs_items_and_sub_items() -> None:
    lines = ["題", "前文", "第1条(甲)", "1. 一", "(1) 号", "ア 目", "イ 目", "(2) 号", "続き", "2. 二"]
    text = "\n".join([*lines, "第2条(乙)", "本文", "<注>", "注記", "2016年1月1日 制定"])
    assert parsed_ids(text) == [
        f"premium/{one}"
        for one in [
            "preamble",
            "1",
            "1.1",
            "1.1.1",
            "1.1.1.a",
            "1.1.1.b",
            "1.1.2",
            "1.2",
            "2",
            "tax",
            "history",
        ]
    ]


@pytest.mark.skipif(not CONTRACT.exists(), reason="the contract's text is not beside this checkout")
def test_the_list_holds_every_clause_of_the_contract_and_no_other() -> None:
    parsed = parsed_ids(CONTRACT.read_text(encoding="utf-8"))
    assert len(parsed) == len(set(parsed)) > 75
    assert list(clauses("premium")) == parsed


@pytest.mark.skipif(not CONTRACT.exists(), reason="the contract's text is not beside this checkout")
def test_no_gist_carries_a_sentence_of_the_contract() -> None:
    text = CONTRACT.read_text(encoding="utf-8")
    length = 20
    carried = {
        clause.id: gist[start : start + length]
        for clause in clauses("premium").values()
        for gist in [clause.gist_ja]
        for start in range(len(gist) - length + 1)
        if gist[start : start + length] in text
    }
    assert carried == {}


def test_every_clause_has_a_short_gist_in_both_languages_and_a_reason() -> None:
    for clause in clauses("premium").values():
        assert 1 < len(clause.gist_ja) <= 70, clause.id
        assert 1 < len(clause.gist_en) <= 140, clause.id
        assert clause.why, clause.id
        assert clause.gist("ja") == clause.gist_ja
        assert clause.gist("en") == clause.gist_en


def test_every_article_with_paragraphs_is_only_a_heading() -> None:
    known = clauses("premium")
    for clause in known.values():
        if clause.why == "A heading":
            assert clause.status == "informational", clause.id
            assert f"{clause.id}.1" in known, clause.id


@pytest.mark.parametrize("wanted", ["premium/8.1", "8.1"])
def test_a_clause_is_found_with_or_without_its_contract(wanted: str) -> None:
    assert clause_named(clauses("premium"), wanted).status == "by_people"


def test_an_unknown_clause_names_the_nearest() -> None:
    with pytest.raises(UnknownClauseError) as unknown:
        clause_named(clauses("premium"), "premium/9.44")
    assert unknown.value.nearest[0].startswith("premium/9.4")
    assert str(unknown.value).startswith("no clause 'premium/9.44'; nearest: premium/9.4")
    with pytest.raises(UnknownClauseError, match=r"^no clause 'zzz'$"):
        clause_named(clauses("premium"), "zzz")


def test_an_unknown_version_names_those_that_exist() -> None:
    assert list(clauses("premium", "2024-12-02")) == list(clauses("premium"))
    with pytest.raises(BadTermsError, match="premium has no version '2020-01-01'; it has 2024-12-02"):
        clauses("premium", "2020-01-01")


# ── readings ───────────────────────────────────────────────────────────────────────────────────────────

ROWS = {
    "1": ["unusable_time_of_claimant"],
    "2": ["quorum_base", "quorum_of_overlapping_incidents", "unknown_time"],
    "3": ["symptoms"],
    "3a": ["sub_second"],
    "4": ["partner_data"],
    "5": ["night_hours"],
    "6": ["short_stop"],
    "7": ["flapping"],
    "8": ["update_window"],
    "9": ["announcement_days", "announcement_edits"],
    "10": ["user_environment"],
    "11": ["interruption"],
    "12": ["month_length"],
    "13": ["partial_recognition"],
    "14": ["part_of_month"],
    "15": ["claim_within_month"],
    "16": ["claim_deadline"],
    "17": ["eligible_payment"],
    "18": ["monthly_fee"],
    "19": ["annual_fee"],
    "20": ["credit_rounding"],
    "21": ["repeated_claims"],
    "22": ["credit_invoice"],
    "23": ["credit_over_invoice"],
    "24": ["credit_left_over"],
    "25": ["credit_in_arrears"],
    "26": ["other_remedy"],
    "27": ["liability_cap", "liability_window", "liability_received"],
    "28": ["terms_version"],
}
"""Row of the table of Article 9 -> our readings."""
OTHERS = [
    "late_interest_day_count",
    "late_interest_scope",
    "late_interest_ceiling",
    "late_interest_days",
    "late_interest_base",
    "late_interest_rounding",
    "late_interest_demand",
    "late_interest_fault_days",
    "due_date",
    "due_on_holiday",
    "allocation_order",
    "deposit_use",
    "set_off_effect",
    "card_charge_allocation",
    "what_is_overdue",
    "contract_start",
    "offer_accepted",
    "term_rule",
    "end_of_use_request",
    "end_by_method",
    "mid_term_end",
    "leaving_service",
    "suspended_term",
    "terminated_term_fee",
    "price_of_term",
    "price_announcement",
    "method_change",
    "delinquency_schedule",
    "default_of_contract",
    "acceleration",
    "acceleration_lasts",
    "acceleration_by_people",
    "suspension_lifted",
    "credit_prescription",
    "late_refund_interest",
    "terms_change_in_month",
    "unannounced_terms",
    "refund_while_owing",
    "prepaid_instruments",
]


def test_every_reading_is_listed_once_in_order() -> None:
    readings = Terms.load("premium").version_at(date(2026, 4, 10)).readings
    assert list(readings) == [name for names in ROWS.values() for name in names] + OTHERS


@pytest.mark.skipif(not INTERPRETATIONS.exists(), reason="the table of readings is not beside this checkout")
def test_every_row_of_the_table_has_its_reading() -> None:
    text = INTERPRETATIONS.read_text(encoding="utf-8")
    article_9 = text.partition("## Article 9")[2].partition("\n## ")[0]
    assert re.findall(r"^\| (\d+a?) \|", article_9, re.MULTILINE) == list(ROWS)
