"""Files that are wrong, cut, mixed or hostile end in findings with a place and a remedy, never in an exception."""

import random
from datetime import date

import pytest

from keizoku.billing.statements.presets import formats
from keizoku.billing.statements.recognise import read_statements
from tests.unit.billing.statements import shapes, writers
from tests.unit.billing.statements.writers import Movement

SEVERAL = [Movement(date(2026, 11, 5), 500, "ﾔﾏﾀﾞ", 1), Movement(date(2026, 11, 6), -330, "ﾃｽｳﾘﾖｳ", 2)]
RULE = "the file has a statement of an account"
DOCTYPE = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd"><!ENTITY y "yyyyyyyyyy">]>'
CAMT = b'<?xml version="1.0"?>%s<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"><BkToCstmrStmt><Stmt>'


def _rules(raw: bytes) -> list[tuple[int | None, str]]:
    return [(each.line, each.rule) for each in read_statements("file", raw).all_findings]


def test_all_details_that_do_not_fit_their_end_record_are_findings_and_the_good_ones_are_read() -> None:
    whole = shapes.MUFG_BIZSTATION_ALL
    assert _rules(whole.encode("cp932")) == []
    found = _rules(whole.replace("2,2026.11.6,手数料,振込手数料,330,0,1000170\n", "").encode("cp932"))
    assert found == [
        (4, "the end record counts 1 of 330 yen"),
        (4, "the closing balance is 1000170 yen"),
    ]
    assert _rules(whole[: whole.index("8\n")].encode()) == [(3, "9 is the last record")]
    assert _rules(whole.replace("2026.11.6", "2026.11.31").encode())[0][0] == 2
    assert _rules(whole.replace("2,2026.11.6,手数料", "3,2026.11.6,手数料").encode()) == [
        (2, "a record begins with 1, 2, 8 or 9")
    ]
    assert _rules(whole.replace(",0,500,1000500", ",330,500,1000500").encode()) == [
        (3, "a line is money in or money out")
    ]


def test_a_trailer_that_does_not_fit_is_a_finding_and_the_good_records_go_on() -> None:
    raw = writers.zengin(SEVERAL).replace(b"8000001" + b"0000000000500", b"8000002" + b"0000000001000")
    read = read_statements("file", raw)
    assert [each.amount for each in read.statements[0].lines] == [500, 330]
    assert [(each.line, each.value, each.rule) for each in read.findings] == [
        (4, "in: 1 of 500 yen", "the trailer counts 2 of 1000 yen")
    ]
    closing = writers.zengin(SEVERAL).replace(b"00000001000170", b"00000001000171")
    assert _rules(closing) == [(4, "the closing balance is 1000171 yen")]


def test_a_cut_or_shortened_file_of_records_says_where() -> None:
    raw = writers.zengin(SEVERAL)
    assert _rules(raw[:404]) == [(2, "8 comes after the last movement"), (2, "9 is the last record")]
    assert (3, "a record has 200 bytes") in _rules(raw[:500])
    assert _rules(raw.replace(b"2000000020811", b"2000000020813")) == [
        (3, "it is no day of 令和 (YYMMDD)"),
        (4, "the trailer counts 1 of 330 yen"),
    ]
    lines = raw.split(b"\r\n")
    assert (3, "8 comes after the last movement") in _rules(b"\r\n".join([lines[0], lines[1], lines[4]]))
    assert _rules(b"\r\n".join([lines[0].replace(b"1030", b"1031", 1), *lines[1:]]))[0] == (
        1,
        "the file is in JIS (code 0)",
    )
    assert (6, "9 is the last record") in _rules(raw + lines[1])


def test_entities_of_a_camt_file_are_refused_unread() -> None:
    for raw in (CAMT % DOCTYPE + b"<Id>&x;</Id></Stmt></BkToCstmrStmt></Document>", DOCTYPE + b"<Document/>"):
        assert _rules(raw) == [(None, "a bank's file declares no entities and no DTD")]
    assert _rules(writers.ofx(SEVERAL).replace(b"<OFX>", DOCTYPE + b"<OFX>")) == [
        (None, "a bank's file declares no entities and no DTD")
    ]


def test_a_camt_file_that_stops_or_does_not_sum_is_a_finding() -> None:
    whole = writers.camt(SEVERAL)
    assert read_statements("file", whole[:-30]).findings[0].value == "no XML"
    assert _rules(whole.replace(b">500.00<", b">600.00<")) == [(None, "the closing balance is 1000170")]
    assert _rules(whole.replace(b"CRDT</CdtDbtInd><Sts>", b"X</CdtDbtInd><Sts>")) == [(None, "it is CRDT or DBIT")]
    assert (
        read_statements("file", b"<?xml version='1.0'?><html/>").findings[0].rule
        == "the file has a statement of an account"
    )


@pytest.mark.parametrize(
    ("stated", "value"),
    [
        ("<TxsSummry><TtlCdtNtries><Sum>many</Sum></TtlCdtNtries></TxsSummry>", "TtlCdtNtries many"),
        (
            "<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt>1.5</Amt><Dt><Dt>2026-04-15</Dt></Dt></Bal>",
            "balance CLBD 1.5",
        ),
    ],
)
def test_a_sum_or_balance_of_camt_that_is_no_amount_is_a_finding(stated: str, value: str) -> None:
    raw = CAMT % b"" + f"<Acct><Ccy>JPY</Ccy></Acct>{stated}</Stmt></BkToCstmrStmt></Document>".encode()
    file = read_statements("file", raw)
    assert ([each.value for each in file.findings], [each.currency for each in file.statements]) == ([value], ["JPY"])


def test_a_batch_that_is_not_divided_is_nobody_s_of_those_in_it() -> None:
    one = "<TxDtls><RltdPties><Dbtr><Nm>%s</Nm></Dbtr></RltdPties><RmtInf><Ustrd>%s</Ustrd></RmtInf></TxDtls>"
    entry = '<Ntry><Amt Ccy="JPY">1000</Amt><CdtDbtInd>CRDT</CdtDbtInd><BookgDt><Dt>2026-04-15</Dt></BookgDt><NtryDtls>'

    def lines(*parts: str) -> list[tuple[int, str, str]]:
        raw = CAMT % b"" + f"{entry}{''.join(parts)}</NtryDtls></Ntry></Stmt></BkToCstmrStmt></Document>".encode()
        return [(each.amount, each.payer, each.reference) for each in read_statements("file", raw).statements[0].lines]

    assert lines(one % ("SATO", "KZ1")) == [(1_000, "SATO", "KZ1")]
    assert lines(one % ("SATO", "KZ1"), one % ("KATO", "KZ2")) == [(1_000, "", "")]


def test_fields_of_mt940_that_do_not_fit_are_findings_with_their_lines() -> None:
    whole = writers.mt940(SEVERAL)
    assert _rules(whole.replace(b":61:261106", b":61:26XX06")) == [
        (8, "a movement is a day, D or C, an amount and a kind")
    ]
    assert _rules(whole.replace(b":61:2611061106", b":61:2613061306")) == [(8, "it is not a day")]
    assert _rules(whole.replace(b"JPY1000170,", b"JPY1000171,")) == [(None, "the closing balance is 1000171")]


def test_an_ofx_file_without_a_statement_or_with_a_broken_line_is_a_finding() -> None:
    assert _rules(b"OFXHEADER:100\n\n<OFX><A><B>x</A>") == [(None, "the file has a statement of an account")]
    read = read_statements("file", writers.ofx(SEVERAL).replace(b"<TRNAMT>500", b"<TRNAMT>5x0"))
    assert [each.value for each in read.findings] == ["transaction 1: 5x0"]
    assert [each.amount for each in read.statements[0].lines] == [330]


def test_mixed_letters_are_a_finding_with_the_line() -> None:
    head, *rows = shapes.SMBC.splitlines()
    mixed = "\n".join([head, rows[0]]).encode("cp932") + "\n2026/11/7,,1,ﾔﾏﾀﾞ,1,,あ\n".encode() + b"\xff\n"
    read = read_statements("file", mixed)
    assert (read.statements, [each.value for each in read.findings]) == ((), ["its letters"])
    assert read.findings[0].line is not None


@pytest.mark.parametrize(
    "raw", [b"", b"\0" * 500, b"PK\x03\x04", b"%PDF-1.7", b"{}", b"<", b"1", b"103", b":20:", b"\xff\xfe"]
)
def test_what_is_no_statement_at_all_is_a_finding(raw: bytes) -> None:
    read = read_statements("file", raw)
    assert read.all_findings
    assert not any(each.lines for each in read.statements)


def test_every_format_survives_damage_at_random_places() -> None:
    chance = random.Random(20261130)  # noqa: S311 - damage, no secret
    names = [each.name for each in formats()]
    files = [write(SEVERAL) for write in writers.FILES.values()] + [text.encode() for text in shapes.BANKS.values()]
    for _ in range(1500):
        raw = bytearray(chance.choice(files))
        for _ in range(chance.randint(1, 8)):
            at = chance.randrange(len(raw))
            raw[at : at + chance.randint(0, 3)] = bytes(
                chance.choices(b'0129,"<>:/\r\n-\xb1\xff\0', k=chance.randint(0, 3))
            )
        preset = chance.choice(["", "", *names])
        read = read_statements("file", bytes(raw), preset=preset, today=date(2026, 11, 30))
        assert all(each.rule and each.remedy and "Traceback" not in str(each) for each in read.all_findings)


def test_a_file_that_nests_without_end_ends_in_findings_or_nothing() -> None:
    deep = 20_000
    entry = b'<Ntry><Amt Ccy="JPY">5</Amt>' + b"<a>" * deep + b"</a>" * deep + b"</Ntry>"
    camt = CAMT % b"" + entry + b"</Stmt></BkToCstmrStmt></Document>"
    assert [each.rule for each in read_statements("file", camt).findings] == ["it is CRDT or DBIT"]
    ofx = writers.ofx(SEVERAL).replace(b"<TRNTYPE>", b"<A>" * deep + b"</A>" * deep + b"<TRNTYPE>")
    assert not read_statements("file", ofx).findings
    assert read_statements("file", b"<OFX>" * deep).findings
