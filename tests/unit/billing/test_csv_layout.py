"""Files of banks and stores, and payment references: read as they are written, and what cannot be used says why."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keizoku.billing.receivables.bank.csv_statement import read_bank_csv
from keizoku.billing.receivables.csv_layout import (
    BadValueError,
    Layout,
    day_of,
    read_layout,
    read_money_file,
    text_of,
    yen_of,
)
from keizoku.billing.rules.payment_reference import ACCOUNT, INVOICE, Reference, references_in
from keizoku.terms.refusal import Refused

COLUMNS = ("date", "amount", "payer", "reference")
NEEDED = ("date", "amount", "payer")
references = st.builds(Reference, st.sampled_from([ACCOUNT, INVOICE]), st.integers(1, 10**9))


@pytest.mark.parametrize(
    "written",
    [
        *("2025-04-30", "2025/4/30", "20250430", "２０２５年４月３０日", "2025 / 04 / 30"),
        *("2025.04.30", "R7.4.30", "令和7年4月30日", "2025/04/30 12:00", "2025-04-30 12:00"),
    ],
)
def test_days_are_read_as_banks_write_them(written: str) -> None:
    assert day_of(written) == date(2025, 4, 30)


@pytest.mark.parametrize("written", ["2025-02-29", "30-04-2025", "2025-04", "", "2025-04-30 25:00", "0000-01-01"])
def test_what_is_no_day_is_refused(written: str) -> None:
    with pytest.raises(BadValueError, match="it is not a day"):
        day_of(written)


def test_yen_are_read_as_banks_and_stores_write_them() -> None:
    written = ["5300", "5,300", "¥5,300", "５３００円", "5300.00", "-5300", "\\5,300"]
    assert [yen_of(each) for each in written] == [5300, 5300, 5300, 5300, 5300, -5300, 5300]
    for wrong in ("5300.50", "5,30", "5300 USD", "", "1e3", "9" * 16):
        with pytest.raises(BadValueError, match="not an amount of whole yen"):
            yen_of(wrong)


def test_texts_are_made_even_and_held_to_a_length() -> None:
    assert text_of("  ﾔﾏﾀﾞ　 ﾀﾛｳ ") == "ヤマダ タロウ"
    for wrong in ("a" * 201, "a\x00b"):
        with pytest.raises(BadValueError):
            text_of(wrong)


def test_a_bank_s_own_columns_are_named_by_a_layout(tmp_path: Path) -> None:
    layout_file, file = tmp_path / "bank.toml", tmp_path / "bank.csv"
    layout_file.write_text(
        'skip_lines = 1\n[columns]\ndate = "取引日"\namount = "入金額"\npayer = "摘要"\n[ignore]\npayer = ["カード"]\n',
        encoding="utf-8",
    )
    file.write_text(
        "口座 1234567\n取引日,出金額,入金額,摘要\n2025/4/1,,500,ヤマダ\n2025/4/2,,900,カードガイシャ\n\n2025/4/3,x\n",
        encoding="cp932",
    )
    read = read_money_file(file, COLUMNS, NEEDED, read_layout(layout_file, COLUMNS))
    assert read.rows == ((3, {"date": "2025/4/1", "amount": "500", "payer": "ヤマダ"}),)
    assert (read.passed_over, [(each.line, each.rule) for each in read.findings]) == (
        1,
        [(6, "the header has 4 columns, this row 2")],
    )


def test_a_file_that_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    file = tmp_path / "bank.csv"
    for raw, layout, rule in (
        (b"date,amount\n", Layout(), "the header lacks it: date, amount"),
        (b"", Layout(), "the file is empty"),
        (b"date,amount,payer\n2026-04-01,5,\0\n", Layout(), "the file is not UTF-8 or cp932"),
        (b"date,date,amount,payer\n", Layout(), "the header has it 2 times"),
        (b"\xff\xfe\x81", Layout(), "the file is not UTF-8 or cp932"),
        ("date,amount,payer\n2025-04-01,5,ヤ\n".encode("cp932"), Layout(encoding="utf-8"), "the file is not utf-8"),
        (b'date,amount,payer\n2025-04-01,5,"a\n', Layout(), "rows are CSV"),
    ):
        file.write_bytes(raw)
        read = read_money_file(file, COLUMNS, NEEDED, layout)
        assert (read.rows, [each.rule for each in read.findings][:1]) == ((), [rule])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[columns]\namont = 'x'", "amont is no column of ours; did you mean amount"),
        ("encoding = 'latin'", "encoding: Input should be 'auto', 'utf-8' or 'cp932'"),
        ("delimiter = ';;'", "delimiter: String should have at most 1 character"),
        ("[", "not TOML"),
    ],
)
def test_a_layout_that_cannot_be_used_says_why(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "layout.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(Refused, match=message):
        read_layout(file, COLUMNS)
    with pytest.raises(Refused, match="No such file"):
        read_layout(tmp_path / "none.toml", COLUMNS)


def test_5_2__a_reference_is_found_in_what_a_payer_writes() -> None:
    # 1000042 and 98 - 100004200 mod 97 (= 13): 85
    own, invoice = Reference(ACCOUNT, 42), Reference(INVOICE, 7)
    assert str(own) == "100004285"
    assert references_in("100004285 ﾔﾏﾀﾞ ﾀﾛｳ") == ((own,), False)
    assert references_in("ﾔﾏﾀﾞ 1000-042-85") == ((own,), False)
    assert references_in(f"１００００４２８５ {invoice} {own}") == ((own, invoice), False)
    assert references_in("100004286") == ((), True)
    assert references_in("1000042 TEL 0312345678") == ((), False)


@given(references, st.integers(0, 30), st.sampled_from("0123456789"))
def test_5_2__one_wrong_digit_of_a_reference_is_no_other_reference(reference: Reference, at: int, digit: str) -> None:
    written = str(reference)
    at %= len(written)
    mistyped = written[:at] + digit + written[at + 1 :]
    found, _ = references_in(mistyped)
    assert found == ((reference,) if mistyped == written else ())


@given(references, st.integers(0, 30))
def test_5_2__two_digits_beside_each_other_that_changed_places_are_seen(reference: Reference, at: int) -> None:
    written = str(reference)
    at %= len(written) - 1
    mistyped = written[:at] + written[at + 1] + written[at] + written[at + 2 :]
    found, _ = references_in(mistyped)
    assert found == ((reference,) if mistyped == written else ())


def test_a_mapping_finds_its_header_below_a_preamble_and_passes_notes_by(tmp_path: Path) -> None:
    file = tmp_path / "bank.csv"
    file.write_text(
        "口座番号,1234567\n\n日付,お引出金額,お預入金額,お取引内容\n2025.04.01,-,500,ﾔﾏﾀﾞ\n2025.04.02,,△300,ｻﾄｳ\n"
        "合計,,200,\n※残高は照会時点のものです。\n2025.04\n",
        encoding="cp932",
    )
    layout = Layout(columns={"date": "日付", "amount": "お預入金額", "payer": "お取引内容"})
    read = read_money_file(file, COLUMNS, NEEDED, layout)
    assert [(line, row["date"], row["amount"]) for line, row in read.rows] == [
        (4, "2025.04.01", "500"),
        (5, "2025.04.02", "△300"),
    ]
    assert (read.notes, [(each.line, each.rule) for each in read.findings]) == (
        3,
        [(8, "the header has 4 columns, this row 1")],
    )


def test_a_day_may_stand_in_three_columns_and_names_and_ignored_payers_have_any_width(tmp_path: Path) -> None:
    layout_file, file = tmp_path / "bank.toml", tmp_path / "bank.csv"
    layout_file.write_text(
        '[columns]\ndate = ["操作日(年)", "操作日(月)", "操作日(日)"]\namount = "お預り金額"\npayer = "摘要"\n'
        '[ignore]\npayer = ["ストライプ"]\n',
        encoding="utf-8",
    )
    rows = "2025,4,1,500,ﾔﾏﾀﾞ\n2025年,4月,2日,900,ｽﾄﾗｲﾌﾟｼﾞﾔﾊﾟﾝ(ｶ\n"
    file.write_text(f"操作日（年）,操作日（月）,操作日（日）,お預り金額,摘要\n{rows}", encoding="utf-8")
    read = read_money_file(file, COLUMNS, NEEDED, read_layout(layout_file, COLUMNS))
    assert [(row["date"], row["payer"]) for _, row in read.rows] == [("2025-4-1", "ﾔﾏﾀﾞ")]
    assert (read.passed_over, read.findings) == (1, ())


def test_a_payment_out_below_zero_is_no_money_received_unless_a_balance_says_so(tmp_path: Path) -> None:
    file = tmp_path / "bank.csv"
    named = Layout(columns={"date": "d", "amount": "in", "amount_out": "out", "payer": "p"})
    file.write_text("d,in,out,p,残高\n2026-11-05,500,,A,\n2026-11-06,,-330,B,\n2026-11-07,,-30,C,1030\n", "utf-8")
    read = read_bank_csv(file, named, date(2026, 12, 1))
    assert [each.signed for each in read.statements[0].lines] == [500, 30]
    assert [(each.line, each.value) for each in read.all_findings] == [(3, "-330")]
