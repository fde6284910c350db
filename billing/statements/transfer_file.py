"""総合振込: the file of 120 bytes a record by which a bank is told to pay out; written, and read back.

    1 header: who pays, on which day, from which account    2 one transfer    8 count and sum    9 end

Layout: 全銀協 規定形式, as banks' manuals print it (looked up 2026-11). Names of banks and branches come from
`zengin-code`, by their codes: an unknown code is no transfer. Names of people are kana, Latin letters and digits in
half width, small kana made large, as the standard allows them; anything else is refused, never dropped.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from keizoku.billing.statements.values import BadValueError
from keizoku.extras import naming_the_extra

__all__ = [
    "BankAccount",
    "Payer",
    "Transfer",
    "bank_and_branch",
    "in_kana",
    "payer_of",
    "read_transfers",
    "write_transfers",
]

RECORD: Final = 120
MOST_YEN: Final = 9_999_999_999
KINDS: Final = {"1": "普通", "2": "当座", "4": "貯蓄", "9": "その他"}
_SMALL = str.maketrans("ァィゥェォッャュョヮヵヶ", "アイウエオツヤユヨワカケ")
_STROKES = str.maketrans(dict.fromkeys("ー－‐−–—―", "-"))
_HALF = {unicodedata.normalize("NFKC", chr(code)): chr(code) for code in range(0xFF66, 0xFF9E)}
_MARKS = {"\u3099": "ﾞ", "\u309a": "ﾟ", "゛": "ﾞ", "゜": "ﾟ", "「": "｢", "」": "｣"}
_ALLOWED = frozenset(" ()/,.-\\｢｣0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZﾞﾟ") | frozenset(_HALF.values())


@dataclass(frozen=True, slots=True)
class BankAccount:
    """An account at a Japanese bank: its codes, kind (1, 2, 4, 9), number of seven digits, and holder in kana."""

    bank: str
    branch: str
    kind: str
    number: str
    holder: str


@dataclass(frozen=True, slots=True)
class Payer:
    """Who pays, from which account; `code` is the 委託者コード that the bank gave them."""

    code: str
    account: BankAccount


@dataclass(frozen=True, slots=True)
class Transfer:
    """One transfer out; `key` is ours, up to twenty digits or letters, and comes back with the file."""

    to: BankAccount
    yen: int
    key: str = ""


def in_kana(name: str, longest: int) -> str:
    """A name as the standard writes it. Raises BadValueError for a sign that it does not know, or a name too long."""
    wide = unicodedata.normalize("NFKC", name).upper()
    wide = "".join(chr(ord(each) + 0x60) if "ぁ" <= each <= "ゖ" else each for each in wide)
    wide = wide.translate(_SMALL).translate(_STROKES)
    made = ""
    for each in unicodedata.normalize("NFD", " ".join(wide.split())):
        made += _HALF.get(each, _MARKS.get(each, each))
    for each in made:
        if each not in _ALLOWED:
            raise BadValueError(each, "a transfer's names are kana, Latin letters and digits", "write the name in kana")
    if not made or len(made) > longest:
        raise BadValueError(made[:40] or "no name", f"a name has 1 to {longest} letters in half width", "shorten it")
    return made


def payer_of(written: str) -> Payer:
    """The account that pays, as its setting writes it: CODE/BANK-BRANCH-KIND-NUMBER/NAME. Raises ValueError."""
    parts = written.split("/", 2)
    account = parts[1].split("-") if len(parts) == 3 else []
    if len(account) != 4 or account[2] not in KINDS or not all(each.isdigit() for each in (parts[0], *account)):
        raise ValueError("it is code/bank-branch-kind-number/name: 1234567890/0005-001-1-1234567/ｶ)ｹｲｿﾞｸ")
    in_kana(parts[2], 40)
    return Payer(parts[0], BankAccount(account[0], account[1], account[2], account[3], parts[2]))


def bank_and_branch(bank: str, branch: str) -> tuple[str, str]:
    """The names of a bank and of its branch in kana. Raises BadValueError for a code that there is not."""
    with naming_the_extra():
        from zengin_code import Bank
    known = Bank.all.get(bank)
    if known is None:
        raise BadValueError(bank, "no bank has this code", "look the code up with the bank")
    found = known.branches.get(branch)
    if found is None:
        raise BadValueError(f"{bank}-{branch}", "the bank has no branch of this code", "look the code up with the bank")
    return in_kana(known.kana, 200)[:15], in_kana(found.kana, 200)[:15]


def write_transfers(payer: Payer, on: date, transfers: Sequence[Transfer]) -> bytes:
    """The file, JIS with line ends. Raises BadValueError for what no bank would take."""
    own = payer.account
    records = [
        _record(
            *(("1", 1), ("21", 2), ("0", 1), (_digits(payer.code, 10), 10), (in_kana(own.holder, 40), 40)),
            *((f"{on:%m%d}", 4), *_place(own), (own.kind, 1), (_digits(own.number, 7), 7)),
        )
    ]
    for each in transfers:
        if not 0 < each.yen <= MOST_YEN:
            raise BadValueError(str(each.yen), f"a transfer is of 1 to {MOST_YEN:,} yen", "divide it")
        if each.to.kind not in KINDS:
            raise BadValueError(each.to.kind, "an account is 1 普通, 2 当座, 4 貯蓄 or 9 その他", "correct it")
        if len(each.key) > 20 or not each.key.isascii():
            raise BadValueError(each.key, "a key has at most 20 Latin letters and digits", "shorten it")
        records.append(
            _record(
                *(("2", 1), *_place(each.to), ("0000", 4), (each.to.kind, 1), (_digits(each.to.number, 7), 7)),
                *((in_kana(each.to.holder, 30), 30), (f"{each.yen:010}", 10), ("0", 1), (each.key, 20), ("7", 1)),
            )
        )
    total = sum(each.yen for each in transfers)
    records += [_record(("8", 1), (f"{len(transfers):06}", 6), (f"{total:012}", 12)), _record(("9", 1))]
    return b"\r\n".join(records) + b"\r\n"


def read_transfers(raw: bytes) -> tuple[Transfer, ...]:
    """The transfers of such a file. Raises BadValueError if its count or sum is not that of its records."""
    found = []
    counted: tuple[int, int] | None = None
    for number, record in enumerate(raw.rstrip(b"\x1a\r\n").replace(b"\r\n", b"\n").split(b"\n"), start=1):
        if len(record) != RECORD:
            raise BadValueError(f"record {number}: {len(record)} bytes", f"a record has {RECORD} bytes", "get it again")
        text = record.decode("cp932")
        try:
            if text[0] == "2":
                to = BankAccount(text[1:5], text[20:23], text[42], text[43:50], text[50:80].strip())
                found.append(Transfer(to, int(text[80:90]), text[91:111].strip()))
            elif text[0] == "8":
                counted = int(text[1:7]), int(text[7:19])
        except ValueError:
            raise BadValueError(f"record {number}", "counts and amounts are digits", "get it again") from None
    if counted != (len(found), sum(each.yen for each in found)):
        value = f"{len(found)} of {sum(each.yen for each in found)} yen"
        raise BadValueError(value, f"the trailer counts {counted}", "the file is not whole: get it again")
    return tuple(found)


def _place(account: BankAccount) -> tuple[tuple[str, int], ...]:
    bank, branch = bank_and_branch(account.bank, account.branch)
    return (account.bank, 4), (bank, 15), (account.branch, 3), (branch, 15)


def _digits(written: str, width: int) -> str:
    if not (written.isascii() and written.isdigit() and len(written) <= width):
        raise BadValueError(written, f"it has up to {width} digits", "correct it")
    return written.rjust(width, "0")


def _record(*fields: tuple[str, int]) -> bytes:
    made = b"".join(value.encode("cp932").ljust(width) for value, width in fields)
    if len(made) > RECORD:
        raise BadValueError(made.decode("cp932")[:40], f"a record has {RECORD} bytes", "shorten its names")
    return made.ljust(RECORD)
