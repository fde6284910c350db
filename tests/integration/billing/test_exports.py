"""Every format is written from a ledger that has every event in it, read back, and sums to the ledger."""

import csv
import io
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from pathlib import Path

import pytest

from keizoku.billing.closing import export_files
from keizoku.billing.closing.export_files import Exported, balances_before, export_month, month_sums
from keizoku.billing.closing.exports.mapping import FORMATS, mapping_for
from keizoku.billing.closing.exports.packages import FREEE_HEADER, MONEYFORWARD_HEADER
from keizoku.billing.closing.exports.summary import SUMMARIES
from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.rules.books.chart import CHART
from keizoku.billing.rules.books.journal_rules import RULES
from keizoku.db.session import Session
from keizoku.terms.calendar import Month, parse_instant
from tests.conftest import OwnDatabase

APRIL = Month(2026, 4)
CODES = {account.ja: account.code for account in CHART}
TAX_OF = {"sale": "2170", "return": "2170", "bad_debt": "2170", "purchase": "1180"}
DAYS = (date(2026, 3, 31), date(2026, 4, 1), date(2026, 4, 30), date(2026, 5, 1))
USER = '=x"\\\n😀〜\\'
NOW = parse_instant("2026-05-01 02:30")


def book(session: Session) -> None:
    """Each event of the journal three times: at the end of March, on the first and on the last day of April."""
    postings = []
    for number, rule in enumerate(RULES):
        names = {word for side in (rule.debit, rule.credit) for leg in side.split(";") for word in leg.split()[1:]}
        names -= {"+", "-"}
        amounts = dict.fromkeys(names, 97 + 13 * number)
        if "tax_yen" in amounts:
            amounts["tax_yen"] = 7 + number
        if "tax_adjustment_yen" in amounts:
            amounts["tax_adjustment_yen"] = 1
        postings += [Posting(rule.event, f"{rule.event}:{on}", on, amounts, USER) for on in DAYS]
    post(session, postings, NOW)
    session.commit()


@pytest.fixture(scope="module")
def booked(own_database: OwnDatabase) -> Iterator[Session]:
    """One ledger for all of them: an export writes nothing."""
    with own_database() as engine, engine.connect() as session:
        book(session)
        yield session


def written(session: Session, form: str, folder: Path, summary: str = "entry") -> tuple[Exported, Path]:
    file = folder / f"april.{form}"
    return export_month(session, APRIL, mapping_for(form), file, summary=summary), file


def sums_of(rows: Iterable[tuple[int, str, int, str, int]], form: str) -> dict[str, int]:
    """What a package books of rows of (sign, account's name, amount, tax class, tax)."""
    classes = {word: name for name, word in mapping_for(form).tax_words.items()}
    sums: dict[str, int] = {}
    for sign, name, yen, tax_class, tax_yen in rows:
        if not name:
            continue
        sums[CODES[name]] = sums.get(CODES[name], 0) + sign * (yen - tax_yen)
        if tax_yen:
            code = TAX_OF[classes[tax_class.removesuffix("適格")]]  # how 弥生 names a purchase's invoice
            sums[code] = sums.get(code, 0) + sign * tax_yen
    return {code: yen for code, yen in sums.items() if yen}


def lines_of(file: Path, encoding: str) -> io.StringIO:
    return io.StringIO(file.read_bytes().decode(encoding), newline="")


def ledger(session: Session) -> dict[str, int]:
    return {code: yen for code, yen in month_sums(session, APRIL).items() if yen}


def balanced(entries: dict[str, list[int]]) -> bool:
    return all(sum(amounts) == 0 for amounts in entries.values())


def read_sides(
    rows: list[list[str]], number: int, day: int, debit: tuple[int, int, int, int], credit: tuple[int, int, int, int]
) -> tuple[list[tuple[int, str, int, str, int]], dict[str, list[int]]]:
    """The lines of a package's file by the places of (account, amount, tax class, tax); and the amounts by entry."""
    lines, entries = [], dict[str, list[int]]()
    for row in rows:
        for sign, (name, yen, word, tax) in ((1, debit), (-1, credit)):
            if row[name]:
                lines.append((sign, row[name], int(row[yen]), row[word], int(row[tax])))
                entries.setdefault(f"{row[number]} {row[day]}", []).append(sign * int(row[yen]))
    return lines, entries


def test_money_forward_is_read_back_and_sums_to_the_ledger(booked: Session, tmp_path: Path) -> None:
    exported, file = written(booked, "moneyforward", tmp_path)
    header, *rows = csv.reader(lines_of(file, "utf-8"))
    assert tuple(header) == MONEYFORWARD_HEADER
    lines, entries = read_sides(rows, 0, 1, (2, 8, 6, 9), (10, 16, 14, 17))
    assert sums_of(lines, "moneyforward") == ledger(booked)
    assert balanced(entries)
    assert len(entries) == exported.entries
    assert {row[1] for row in rows} == {"2026/04/01", "2026/04/30"}
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)


def test_freee_is_read_back_and_sums_to_the_ledger(booked: Session, tmp_path: Path) -> None:
    exported, file = written(booked, "freee", tmp_path)
    header, *rows = csv.reader(lines_of(file, "utf-8"))
    assert tuple(header) == FREEE_HEADER
    assert {row[0] for row in rows} == {"[明細行]"}
    lines, entries = read_sides(rows, 2, 1, (4, 15, 16, 17), (18, 29, 30, 31))
    assert sums_of(lines, "freee") == ledger(booked)
    assert balanced(entries)
    assert len(entries) == exported.entries
    assert {CODES[row[at]] == row[at + 1] for row in rows for at in (4, 18) if row[at]} == {True}


def test_yayoi_is_read_back_and_sums_to_the_ledger(booked: Session, tmp_path: Path) -> None:
    exported, file = written(booked, "yayoi", tmp_path)
    raw = file.read_bytes()
    assert raw.count(b"\r\n") == raw.count(b"\n") > 0
    rows = list(csv.reader(raw.decode("cp932").split("\r\n")[:-1]))
    assert {len(row) for row in rows} == {25}
    lines, entries = read_sides(rows, 1, 3, (4, 8, 7, 9), (10, 14, 13, 15))
    assert sums_of(lines, "yayoi") == ledger(booked)
    assert balanced(entries)
    flags = "".join({"2000": "s", "2110": "a", "2100": "m", "2101": "z"}[row[0]] for row in rows)
    assert len(re.findall("s|am*z", flags)) == exported.entries
    assert re.fullmatch("(s|am*z)*", flags)


PLACES = {
    "moneyforward": (0, 1, (2, 8, 6, 9), (10, 16, 14, 17)),
    "freee": (2, 1, (4, 15, 16, 17), (18, 29, 30, 31)),
    "yayoi": (1, 3, (4, 8, 7, 9), (10, 14, 13, 15)),
}


@pytest.mark.parametrize("summary", SUMMARIES)
@pytest.mark.parametrize("form", sorted(PLACES))
def test_a_summary_sums_to_the_ledger_in_every_package(
    booked: Session, tmp_path: Path, form: str, summary: str
) -> None:
    exported, file = written(booked, form, tmp_path, summary)
    rows = list(csv.reader(lines_of(file, mapping_for(form).encoding)))[form != "yayoi" :]
    lines, entries = read_sides(rows, *PLACES[form])
    assert sums_of(lines, form) == ledger(booked)
    assert balanced(entries)
    kinds = sum(1 for rule in RULES if rule.debit)
    days = {"entry": 2, "document": 2, "day": 2, "month": 1}
    assert (exported.entries, len(entries)) == (2 * kinds, days[summary] * kinds)


def test_plain_csv_is_read_back_and_sums_to_the_ledger(booked: Session, tmp_path: Path) -> None:
    exported, file = written(booked, "csv", tmp_path)
    rows = list(csv.DictReader(lines_of(file, "utf-8-sig")))
    sums: dict[str, int] = {}
    for row in rows:
        sums[row["code"]] = sums.get(row["code"], 0) + int(row["debit"] or 0) - int(row["credit"] or 0)
    assert {code: yen for code, yen in sums.items() if yen} == ledger(booked)
    assert len(rows) == exported.lines
    assert exported.debit_yen == exported.credit_yen == sum(int(row["debit"] or 0) for row in rows)
    assert {row["user"] for row in rows} == {"'=x\"\\\n😀〜\\"}


def test_bean_check_passes_and_beancount_has_the_ledgers_balances(booked: Session, tmp_path: Path) -> None:
    from beancount import loader
    from beancount.core.data import Transaction

    _, file = written(booked, "beancount", tmp_path)
    checked = subprocess.run(
        [str(Path(sys.executable).with_name("bean-check")), str(file)], capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    directives, errors, _ = loader.load_file(str(file))
    assert errors == []
    sums: dict[str, int] = {}
    for each in directives:
        if isinstance(each, Transaction):
            for posting in each.postings:
                code = posting.account.partition(":")[2][:4]
                assert posting.units is not None
                sums[code] = sums.get(code, 0) + int(posting.units.number or 0)
    assert sums == balances_before(booked, APRIL.next())
    spoilt = tmp_path / "spoilt.beancount"
    text = file.read_text(encoding="utf-8").replace("balance Assets:1110-Bank  ", "balance Assets:1110-Bank  1")
    spoilt.write_text(text, encoding="utf-8")
    assert loader.load_file(str(spoilt))[1] != []  # the assertions can fail


def test_a_month_without_entries_is_a_file_without_rows(booked: Session, tmp_path: Path) -> None:
    sizes = {}
    for form in FORMATS:
        file = tmp_path / form
        exported = export_month(booked, Month(2026, 2), mapping_for(form), file)
        sizes[form] = (exported.entries, len(file.read_text(encoding=mapping_for(form).encoding).splitlines()))
    assert sizes == {
        "moneyforward": (0, 1), "freee": (0, 1), "yayoi": (0, 0), "csv": (0, 1),
        "beancount": (0, 2 + 1 + 1 + 2 * len(CHART) + 1 + len(CHART)),
    }  # fmt: skip


def test_what_does_not_sum_to_the_ledger_is_not_written(
    booked: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, file = written(booked, "csv", tmp_path)
    before = file.read_bytes()
    whole: Callable[..., object] = export_files.month_entries
    monkeypatch.setattr(export_files, "month_entries", lambda *facts: list(whole(*facts))[1:])  # type: ignore[call-overload]
    with pytest.raises(RuntimeError, match="the export of 2026-04 does not sum to the ledger"):
        written(booked, "csv", tmp_path)
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("april.csv", before)]
