"""A statement written in each format, as its own specification has it: what the readers are tested against.

Knows nothing of the readers. A movement is (day, yen: below zero went out, name, id); names are what half-width kana
can write, so that every format can carry them.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from itertools import accumulate
from typing import NamedTuple
from xml.sax.saxutils import escape

OPENING = 1_000_000
FIRST_ON, LAST_ON = date(2026, 11, 1), date(2026, 11, 30)


class Movement(NamedTuple):
    """One movement of an account."""

    on: date
    yen: int
    name: str
    id: int


class Span(NamedTuple):
    """What a file is of: what the account held before, its days, the account's key (bank-branch-kind-number)."""

    opening: int = OPENING
    first_on: date = FIRST_ON
    last_on: date = LAST_ON
    account: str = "0005-001-1-1234567"


SPAN = Span()


def _reiwa(on: date) -> str:
    return f"{on.year - 2018:02}{on:%m%d}"


def _fields(*parts: tuple[object, int]) -> bytes:
    """Digits right with zeros, words left with spaces, in their bytes; the rest of the record is spaces."""
    made = b"".join(
        str(value).rjust(width, "0").encode() if isinstance(value, int) else str(value).encode("cp932").ljust(width)
        for value, width in parts
    )
    assert len(made) <= 200
    return made.ljust(200)


def zengin(movements: Sequence[Movement], end: bytes = b"\r\n", span: Span = SPAN) -> bytes:
    """全銀 入出金取引明細."""
    came = [each.yen for each in movements if each.yen > 0]
    went = [-each.yen for each in movements if each.yen < 0]
    closing = span.opening + sum(came) - sum(went)
    bank, branch, kind, number = span.account.split("-")
    records = [
        _fields(
            *(
                ("1", 1),
                ("03", 2),
                ("0", 1),
                (_reiwa(span.last_on), 6),
                (_reiwa(span.first_on), 6),
                (_reiwa(span.last_on), 6),
            ),
            *((bank, 4), ("ﾐﾂﾋﾞｼUFJ", 15), (branch, 3), ("ﾎﾝﾃﾝ", 15), ("000", 3), (kind, 1), (int(number), 10)),
            *(("ｶ)ｹｲｿﾞｸ", 40), ("1", 1), ("1", 1), (span.opening, 14)),
        ),
        *(
            _fields(
                *(
                    ("2", 1),
                    (each.id, 8),
                    (_reiwa(each.on), 6),
                    (_reiwa(each.on), 6),
                    ("1" if each.yen > 0 else "2", 1),
                ),
                *(("11", 2), (abs(each.yen), 12), (0, 12), (0, 6), (0, 6), ("0", 1), (0, 7), (0, 3), (0, 10)),
                *((each.name, 48), ("ﾐﾂｲｽﾐﾄﾓ", 15), ("ｼﾌﾞﾔ", 15), ("", 20), ("", 20)),
            )
            for each in movements
        ),
        _fields(
            *(
                ("8", 1),
                (len(came), 6),
                (sum(came), 13),
                (len(went), 6),
                (sum(went), 13),
                ("1" if closing >= 0 else "2", 1),
            ),
            *((abs(closing), 14), (len(movements), 7)),
        ),
        _fields(("9", 1), (len(movements) + 3, 10), (1, 5)),
    ]
    return end.join(records) + end


def camt(movements: Sequence[Movement], version: str = "053.001.08", span: Span = SPAN) -> bytes:
    """ISO 20022 camt.053."""
    named = "{0}" if version < "053.001.08" else "<Pty>{0}</Pty>"
    entries = "".join(
        f'<Ntry><Amt Ccy="JPY">{abs(each.yen)}.00</Amt><CdtDbtInd>{"CRDT" if each.yen > 0 else "DBIT"}</CdtDbtInd>'
        + ("<Sts>BOOK</Sts>" if version < "053.001.07" else "<Sts><Cd>BOOK</Cd></Sts>")
        + f"<BookgDt><Dt>{each.on}</Dt></BookgDt><ValDt><Dt>{each.on}</Dt></ValDt><AcctSvcrRef>{each.id}</AcctSvcrRef>"
        + "<NtryDtls><TxDtls><RltdPties>"
        + "<{0}>{1}</{0}>".format("Dbtr" if each.yen > 0 else "Cdtr", named.format(f"<Nm>{escape(each.name)}</Nm>"))
        + "</RltdPties></TxDtls></NtryDtls></Ntry>"
        for each in movements
    )
    closing = span.opening + sum(each.yen for each in movements)

    def balance(code: str, yen: int, on: date) -> str:
        way = "CRDT" if yen >= 0 else "DBIT"
        return (
            f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="JPY">{abs(yen)}</Amt>'
            f"<CdtDbtInd>{way}</CdtDbtInd><Dt><Dt>{on}</Dt></Dt></Bal>"
        )

    return (
        f'<?xml version="1.0" encoding="UTF-8"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.{version}">'
        "<BkToCstmrStmt><GrpHdr><MsgId>1</MsgId></GrpHdr><Stmt><Id>1</Id>"
        f"<Acct><Id><Othr><Id>{span.account}</Id></Othr></Id><Ccy>JPY</Ccy></Acct>"
        + balance("OPBD", span.opening, span.first_on)
        + balance("CLBD", closing, span.last_on)
        + entries
        + "</Stmt></BkToCstmrStmt></Document>"
    ).encode()


def mt940(movements: Sequence[Movement], span: Span = SPAN) -> bytes:
    """SWIFT MT940."""
    closing = span.opening + sum(each.yen for each in movements)
    lines = ["{1:F01BOTKJPJTXXXX0000000000}{2:I940X}{4:", ":20:1", f":25:{span.account}", ":28C:1/1"]
    lines.append(f":60F:{'C' if span.opening >= 0 else 'D'}{span.first_on:%y%m%d}JPY{abs(span.opening)},")
    for each in movements:
        way = "C" if each.yen > 0 else "D"
        lines += [f":61:{each.on:%y%m%d}{each.on:%m%d}{way}{abs(each.yen)},NTRFNONREF//{each.id}", f":86:{each.name}"]
    lines += [f":62F:{'C' if closing >= 0 else 'D'}{span.last_on:%y%m%d}JPY{abs(closing)},", "-}"]
    return "\r\n".join(lines).encode()


def ofx(movements: Sequence[Movement], span: Span = SPAN) -> bytes:
    """OFX 1.02, as SGML."""
    bank, branch, kind, number = span.account.split("-")
    closing = span.opening + sum(each.yen for each in movements)
    rows = "".join(
        f"<STMTTRN><TRNTYPE>OTHER<DTPOSTED>{each.on:%Y%m%d}000000[+9:JST]<TRNAMT>{each.yen}<FITID>{each.id}"
        f"<NAME>{escape(each.name)}</STMTTRN>\r\n"
        for each in movements
    )
    return (
        "OFXHEADER:100\r\nDATA:OFXSGML\r\nVERSION:102\r\nSECURITY:NONE\r\nENCODING:UTF-8\r\nCHARSET:CSUNICODE\r\n\r\n"
        "<OFX><BANKMSGSRSV1><STMTTRNRS><TRNUID>0<STATUS><CODE>0<SEVERITY>INFO</STATUS><STMTRS><CURDEF>JPY"
        f"<BANKACCTFROM><BANKID>{bank}<BRANCHID>{branch}<ACCTID>{kind}-{number}<ACCTTYPE>SAVINGS</BANKACCTFROM>"
        "<BANKTRANLIST>"
        f"<DTSTART>{span.first_on:%Y%m%d}<DTEND>{span.last_on:%Y%m%d}{rows}</BANKTRANLIST><LEDGERBAL><BALAMT>{closing}"
        f"<DTASOF>{span.last_on:%Y%m%d}000000[+9:JST]</LEDGERBAL></STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>"
    ).encode()


class Table(NamedTuple):
    """A bank's CSV: its header, and a row of it for a movement and the balance after it."""

    header: str
    row: Callable[[Movement, int], str]

    def __call__(self, movements: Sequence[Movement]) -> bytes:
        """The file, with the balances that the movements make."""
        balances = list(accumulate((each.yen for each in movements), initial=OPENING))[1:]
        rows = [self.row(each, balance) for each, balance in zip(movements, balances, strict=True)]
        return self.of(rows)

    def of(self, rows: Sequence[str]) -> bytes:
        """The file of rows that are written already."""
        return ("\r\n".join([self.header, *rows]) + "\r\n").encode("cp932")


def _two(yen: int, out_first: bool = True) -> str:
    out, came = (f'"{-yen:,}"', "") if yen < 0 else ("", f'"{yen:,}"')
    return f"{out},{came}" if out_first else f"{came},{out}"


TABLES: Mapping[str, Table] = {
    "mufg": Table(
        '"日付","摘要","摘要内容","支払い金額","預かり金額","差引残高","メモ","未資金化区分","入払区分"',
        lambda m, b: f'{m.on.year}/{m.on.month}/{m.on.day},振込１,"{m.name}",{_two(m.yen)},"{b:,}",,,振込',
    ),
    "smbc": Table(
        "年月日,お引出し,お預入れ,お取り扱い内容,残高,メモ,ラベル",
        lambda m, b: f'R{m.on.year - 2018}.{m.on.month}.{m.on.day},{_two(m.yen)},"{m.name}",{b},,',
    ),
    "mizuho": Table(
        "明細通番,日付,お引出金額,お預入金額,残高,お取引内容",
        lambda m, b: f'{m.id},{m.on:%Y.%m.%d},{_two(m.yen)},{b},"{m.name}"',
    ),
    "rakuten": Table("取引日,入出金(円),残高(円),入出金先内容", lambda m, b: f'{m.on:%Y%m%d},{m.yen},{b},"{m.name}"'),
    "sbi": Table(
        '"日付","内容","出金金額(円)","入金金額(円)","残高(円)","メモ"',
        lambda m, b: f'"{m.on:%Y/%m/%d}","{m.name}",{_two(m.yen)},"{b:,}","-"',
    ),
    "gmo_aozora": Table(
        '"日付","摘要","入金金額","出金金額","残高","メモ"',
        lambda m, b: f'"{m.on:%Y%m%d}","{m.name}",{_two(m.yen, out_first=False)},"{b:,}",""',
    ),
    "paypay": Table(
        "操作日(年),操作日(月),操作日(日),操作時刻(時),操作時刻(分),操作時刻(秒),取引順番号,摘要,お支払金額,お預り金額,残高,メモ",
        lambda m, b: f'{m.on.year},{m.on.month},{m.on.day},9,5,0,{m.id},"{m.name}",{_two(m.yen)},{b},-',
    ),
    "yucho": Table(
        "取引日,入出金明細ＩＤ,受入金額（円）,払出金額（円）,詳細１,詳細２,現在（貸付）高,",
        lambda m, b: f'{m.on:%Y%m%d},{m.id},{_two(m.yen, out_first=False)},送金,"{m.name}",{b},',
    ),
}
FILES: Mapping[str, Callable[[Sequence[Movement]], bytes]] = {
    **{name: each.__call__ for name, each in TABLES.items()},
    "zengin": zengin,
    "camt": camt,
    "mt940": mt940,
    "ofx": ofx,
}
