"""Every bank's own file, recognised by its columns and read in both directions, with its account and balances."""

from datetime import date

import pytest

from keizoku.billing.rules.bank.statement import Direction, LineState
from keizoku.billing.rules.payment_reference import references_in
from keizoku.billing.statements.presets import formats, presets
from keizoku.billing.statements.recognise import read_statements
from tests.unit.billing.statements import shapes

NOTES = {"mizuho": 7, "yucho": 7}


@pytest.mark.parametrize("encoding", ["cp932", "utf-8", "utf-8-sig"])
@pytest.mark.parametrize("name", sorted(shapes.BANKS))
def test_a_bank_s_own_file_is_recognised_and_read_whole(name: str, encoding: str) -> None:
    raw = shapes.BANKS[name].replace("〜", "～").replace("\n", "\r\n").encode(encoding)
    read = read_statements("meisai.csv", raw, today=date(2026, 11, 30))
    (statement,) = read.statements
    assert (read.findings, statement.preset, statement.skipped) == ((), name, NOTES.get(name, 0))
    first, second = statement.lines[:2]
    assert (first.booked_on, first.direction, first.amount, first.currency) == (
        *(date(2026, 11, 5), Direction.IN, 500, "JPY"),
    )
    assert (second.booked_on, second.direction, second.amount) == (date(2026, 11, 6), Direction.OUT, 330)
    stated, mistyped = references_in(f"{first.reference} {first.payer}")
    assert ([str(each) for each in stated], mistyped) == (["100000114"], False)
    if first.balance is not None:
        assert statement.opening is not None
        assert (statement.opening.amount, first.balance, second.balance) == (1000000, 1000500, 1000170)


def test_the_account_is_the_one_that_the_file_names_else_its_bank() -> None:
    accounts = {
        name: read_statements("x.csv", shapes.BANKS[name].encode()).statements[0].account for name in shapes.BANKS
    }
    assert accounts == {
        "mufg": "0005",
        "mufg_bizstation": "0005-001-1-1234567",
        "mufg_bizstation_all": "0005-001-1-1234567",
        "smbc": "0009",
        "mizuho": "0001-本店-1-1234567",
        "rakuten": "0036",
        "paypay": "0033",
        "sbi": "0038",
        "sbi_shinsei": "0397",
        "gmo_aozora": "0310",
        "yucho": "9900-10190-12345671",
        "yucho_direct": "9900",
        "anser": "本店 普通 1234567",
        "zengin_csv": "",
        "zengin_records": "0005-001-1-1234567",
        "ours": "",
    }
    stated = read_statements("x.csv", shapes.MUFG.encode(), account="0005-001-1-7654321")
    assert {each.account for each in stated.statements} == {"0005-001-1-7654321"}
    assert {each.account for each in stated.statements[0].lines} == {"0005-001-1-7654321"}


def test_what_is_not_cleared_or_taken_back_is_a_line_that_says_so() -> None:
    mufg = read_statements("x.csv", shapes.MUFG.encode()).statements[0].lines
    notice = read_statements("x.csv", shapes.ZENGIN_DEPOSIT_CSV.encode()).statements[0].lines
    assert [each.state for each in mufg] == [LineState.BOOKED, LineState.BOOKED, LineState.PENDING]
    assert [(each.booked_on.day, each.amount, each.state) for each in notice] == [
        (5, 500, LineState.BOOKED),
        (6, 700, LineState.CANCELLED),
    ]


def test_dollars_are_no_yen_and_a_currency_is_a_statement_of_its_own() -> None:
    read = read_statements("x.csv", shapes.WISE.encode())
    assert [
        (each.currency, line.amount, line.payer, line.bank_id) for each in read.statements for line in each.lines
    ] == [
        ("USD", 500, "Jane Roe", "TRANSFER-1"),
        ("JPY", 500, "Sato", "TRANSFER-2"),
    ]


def test_a_preset_can_be_forced_and_another_bank_s_file_is_then_a_finding() -> None:
    forced = read_statements("x.csv", shapes.SBI_SHINSEI.encode(), preset="sbi_shinsei")
    wrong = read_statements("x.csv", shapes.SMBC.encode(), preset="mufg")
    assert (forced.statements[0].preset, forced.findings) == ("sbi_shinsei", ())
    assert (wrong.statements, [each.rule for each in wrong.findings]) == (
        (),
        ["no line of the file has the columns of mufg"],
    )
    with pytest.raises(ValueError, match="no format 'mufgg'"):
        read_statements("x.csv", b"", preset="mufgg")


def test_a_row_that_cannot_be_used_is_a_finding_and_the_others_go_on() -> None:
    text = """年月日,お引出し,お預入れ,お取り扱い内容,残高
2026/11/5,,500,ｱ,1000500
2026/11/31,,500,ｲ,1001000
2026/11/6,100,200,ｳ,1001000
2026/11/7,,5x0,ｴ,1001000
2026/11
2026/11/8,,△700,ｵ,999800
2026/11/9,-,－,ｶ,999800
合計,100,1900,,
※ 以上
2027/01/01,,500,ｷ,1001000
"""
    read = read_statements("smbc.csv", text.encode("cp932"), today=date(2026, 11, 30))
    (statement,) = read.statements
    assert [(each.line, each.signed) for each in statement.lines] == [(2, 500), (7, -700)]
    assert statement.skipped == 3
    assert [(each.line, each.rule) for each in read.all_findings] == [
        (3, "it is not a day"),
        (4, "a line is money in or money out"),
        (5, "it is no amount"),
        (6, "the header has 5 columns, this row 1"),
        (11, "it lies ahead"),
    ]


def test_a_file_of_no_bank_names_its_columns_and_the_remedy() -> None:
    read = read_statements("x.csv", b"a,b\n1,2\n")
    (finding,) = read.findings
    assert (finding.value, finding.rule) == ("a,b", "the file has no header that a preset knows")
    assert finding.remedy == "name its columns in a mapping (--mapping), or see `keizoku bank formats`"
    assert [each.value for each in read_statements("x.csv", b"").findings] == ["no header"]


def test_another_preset_or_account_makes_it_another_file() -> None:
    raw = shapes.MUFG.encode()
    digests = {
        read_statements("x.csv", raw, preset=preset, account=account).digest
        for preset, account in (("mufg", ""), ("mufg", "a"), ("ours", ""))
    }
    assert len(digests) == 3
    assert read_statements("y.csv", raw).digest == read_statements("x.csv", raw, preset="mufg").digest


def test_the_list_of_formats_names_each_once_in_both_languages() -> None:
    listed = formats()
    assert len({each.name for each in listed}) == len(listed) == len(presets()) + 6
    assert all(each.ja and each.en and each.shape for each in listed)


@pytest.mark.parametrize(
    ("row", "next_row", "told"),
    [
        ("-330", '"2026/11/07","振込","","200","1,000,370",""', [500, -330, 200]),  # the sign says the way again
        ("-330", '"2026/11/07","振込","","200","1,001,030",""', [500, 330, 200]),  # taken back, and the balance rises
    ],
)
def test_an_amount_below_zero_in_a_column_of_one_way_is_what_the_balances_say(
    row: str, next_row: str, told: list[int]
) -> None:
    after = "1,000,170" if told[1] < 0 else "1,000,830"
    text = (
        '"日付","内容","出金金額(円)","入金金額(円)","残高(円)","メモ"\n"2026/11/05","振込","","500","1,000,500","-"\n'
        f'"2026/11/06","振込手数料","{row}","","{after}","-"\n{next_row}\n'
    )
    read = read_statements("sbi.csv", text.encode("cp932"))
    assert ([each.signed for each in read.statements[0].lines], read.all_findings) == (told, ())


def test_an_amount_below_zero_that_no_balance_explains_is_a_finding_and_never_money_received() -> None:
    text = "取引日,摘要,出金金額,入金金額,残高,メモ\n2026/11/05,ﾔﾏﾀﾞ,,500,,\n2026/11/06,振込手数料,-330,,,\n"
    read = read_statements("shinsei.csv", text.encode("cp932"))
    assert [each.signed for each in read.statements[0].lines] == [500]
    assert [(each.line, each.value) for each in read.all_findings] == [(3, "-330")]
    assert read.all_findings[0].rule.startswith("an amount below zero in a column of money in or out")


@pytest.mark.parametrize("encoding", ["shift_jis", "Windows-31J", "euc-jp", "UTF-16", "utf-8"])
def test_camt_is_read_in_the_letters_that_its_first_line_names(encoding: str) -> None:
    entry = (
        '<Ntry><Amt Ccy="JPY">500</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-11-05</Dt>'
        "</BookgDt><AddtlNtryInf>振込ﾔﾏﾀﾞ</AddtlNtryInf></Ntry>"
    )
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">'
        f"<BkToCstmrStmt><Stmt><Acct><Id><Othr><Id>1234567</Id></Othr></Id></Acct>{entry}</Stmt></BkToCstmrStmt></Document>"
    )
    raw = text.encode("cp932" if encoding == "Windows-31J" else encoding)
    (statement,) = read_statements("camt.xml", raw).statements
    assert [(each.signed, each.kind_text or each.payer) for each in statement.lines] == [(500, "振込ヤマダ")]
    wrong = read_statements("camt.xml", text.replace(f'"{encoding}"', '"x-none"').encode("utf-8"))
    assert [each.rule for each in wrong.all_findings] == ["a file is written in the letters that its first line names"]
