"""The files that Japanese accounting packages import: Money Forward Cloud 仕訳帳, freee 仕訳, 弥生.

Pure: entries in, rows of text out, one entry after another. A compound entry has several rows, which repeat its number
and date, debits beside credits; amounts are tax-inclusive with the tax beside them. A cell is never a formula.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date

from keizoku.billing.closing.exports.entries import OUT_OF_SCOPE, BookEntry, TaxLine, sides
from keizoku.billing.closing.exports.mapping import ExportMapping
from keizoku.terms.cells import cell_text

Row = list[str]

_MF_SIDE = ("勘定科目", "補助科目", "部門", "取引先", "税区分", "インボイス", "金額(円)", "税額")
MONEYFORWARD_HEADER: tuple[str, ...] = (
    "取引No", "取引日",
    *(f"借方{name}" for name in _MF_SIDE),
    *(f"貸方{name}" for name in _MF_SIDE),
    "摘要", "仕訳メモ", "タグ", "MF仕訳タイプ", "決算整理仕訳", "作成日時", "作成者", "最終更新日時", "最終更新者",
)  # fmt: skip
_FREEE_SIDE = (
    "勘定科目", "科目コード", "補助科目", "取引先", "取引先コード", "部門", "品目", "メモタグ",
    "セグメント1", "セグメント2", "セグメント3", "金額", "税区分", "税額",
)  # fmt: skip
FREEE_HEADER: tuple[str, ...] = (
    "[表題行]", "日付", "伝票番号", "決算整理仕訳",
    *(f"借方{name}" for name in _FREEE_SIDE),
    *(f"貸方{name}" for name in _FREEE_SIDE),
    "摘要",
)  # fmt: skip
YAYOI_COLUMNS = 25
YAYOI_NUMBERS = 999_999
"""弥生 has six digits for a slip's number; rows of one entry belong together by their flags."""
_YAYOI_SINGLE, _YAYOI_SLIP = "0", "3"
"""タイプ: an entry of one row is 仕訳, one of several rows is a slip, 振替伝票."""
_RATE = re.compile(r"\d+%$")
_YAYOI_MEMO = 64
"""The most bytes of 摘要 in 弥生."""


def moneyforward_rows(entry: BookEntry, mapping: ExportMapping) -> Iterator[Row]:
    """An entry as rows of 27 columns."""
    for debit, credit in sides(mapping.fold(entry)):
        yield [
            str(entry.id),
            f"{entry.posted_on:%Y/%m/%d}",
            *_mf_side(debit, entry.posted_on, mapping),
            *_mf_side(credit, entry.posted_on, mapping),
            cell_text(mapping.memo(entry)),
            cell_text(_origin(entry)),
            *[""] * 7,
        ]


def freee_rows(entry: BookEntry, mapping: ExportMapping) -> Iterator[Row]:
    """An entry as rows of 33 columns."""
    for debit, credit in sides(mapping.fold(entry)):
        yield [
            "[明細行]",
            f"{entry.posted_on:%Y/%m/%d}",
            str(entry.id),
            "",
            *_freee_side(debit, entry.posted_on, mapping),
            *_freee_side(credit, entry.posted_on, mapping),
            cell_text(mapping.memo(entry)),
        ]


def yayoi_rows(entry: BookEntry, mapping: ExportMapping) -> Iterator[Row]:
    """An entry as rows of 25 columns, flagged single, or first, middle and last."""
    paired = sides(mapping.fold(entry))
    for at, (debit, credit) in enumerate(paired):
        yield [
            _flag(at, len(paired)),
            str((entry.id - 1) % YAYOI_NUMBERS + 1),
            "",
            f"{entry.posted_on:%Y/%m/%d}",
            *_yayoi_side(debit, entry.posted_on, mapping),
            *_yayoi_side(credit, entry.posted_on, mapping),
            _short(cell_text(_in_cp932(mapping.memo(entry)))),
            "",
            "",
            _YAYOI_SINGLE if len(paired) == 1 else _YAYOI_SLIP,
            "",
            cell_text(_in_cp932(_origin(entry))),
            "0",
            "0",
            "no",
        ]


ROWS: Mapping[str, Callable[[BookEntry, ExportMapping], Iterator[Row]]] = {
    "moneyforward": moneyforward_rows,
    "freee": freee_rows,
    "yayoi": yayoi_rows,
}
HEADERS: Mapping[str, tuple[str, ...]] = {"moneyforward": MONEYFORWARD_HEADER, "freee": FREEE_HEADER}
"""弥生 wants none."""


def _mf_side(line: TaxLine | None, on: date, mapping: ExportMapping) -> Row:
    if line is None:
        return [""] * len(_MF_SIDE)
    account = mapping.accounts[line.code]
    return [
        cell_text(account.name),
        cell_text(account.sub),
        "",
        "",
        mapping.tax_words[line.tax_class],
        mapping.invoice_word(line, on),
        str(abs(line.yen)),
        str(abs(line.tax_yen)),
    ]


def _freee_side(line: TaxLine | None, on: date, mapping: ExportMapping) -> Row:
    if line is None:
        return [""] * len(_FREEE_SIDE)
    account = mapping.accounts[line.code]
    return [
        cell_text(account.name),
        cell_text(account.code),
        cell_text(account.sub),
        *[""] * 8,
        str(abs(line.yen)),
        _RATE.sub(rf"{mapping.invoice_word(line, on)}\g<0>", mapping.tax_words[line.tax_class]),
        str(abs(line.tax_yen)),
    ]


def _yayoi_side(line: TaxLine | None, on: date, mapping: ExportMapping) -> Row:
    """Account, sub-account, department, tax class, amount, tax; the empty side of a compound row is out of scope."""
    if line is None:
        return ["", "", "", mapping.tax_words[OUT_OF_SCOPE], "0", "0"]
    account = mapping.accounts[line.code]
    return [
        cell_text(account.name),
        cell_text(account.sub),
        "",
        mapping.tax_words[line.tax_class] + mapping.invoice_word(line, on),
        str(abs(line.yen)),
        str(abs(line.tax_yen)),
    ]


def _flag(at: int, rows: int) -> str:
    """A row of one, the first, the last, or one between."""
    if rows == 1:
        return "2000"
    return {0: "2110", rows - 1: "2101"}.get(at, "2100")


def _origin(entry: BookEntry) -> str:
    """Where in our journal it is."""
    named = f"entry {entry.id}" if entry.first_id in (None, entry.id) else f"entries {entry.first_id}-{entry.id}"
    return " ".join(part for part in (named, entry.event, entry.clause) if part)


_KIN = str.maketrans({"〜": "～", "−": "－", "—": "―", "‖": "∥", "¥": "￥", "¢": "￠", "£": "￡"})
"""Signs that Shift_JIS writes by another code than Unicode's."""


def _in_cp932(text: str) -> str:
    """Text that can be written in cp932: what it has no character for is shown by 〓, as printers did."""
    kin = text.translate(_KIN)
    return kin if _fits(kin) else "".join(each if _fits(each) else "〓" for each in kin)


def _fits(text: str) -> bool:
    try:
        text.encode("cp932")
    except UnicodeEncodeError:
        return False
    return True


def _short(text: str) -> str:
    """As much of a memo as 弥生 takes."""
    while len(text.encode("cp932")) > _YAYOI_MEMO:
        text = text[:-1]
    return text
