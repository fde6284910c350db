"""Limits have one home: texts, ids, years, columns; the database and the page of limits have the same numbers."""

import inspect
import re
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

from keizoku import limits
from keizoku.billing.services.billing_service import BillingService
from keizoku.db.tables import metadata
from keizoku.limits import LONGEST_ID, LONGEST_STORED_ID, LONGEST_TEXT, id_flaw, name_flaw, readable, text_flaw
from keizoku.sla.services.imports import ImportService
from keizoku.sla.services.sla_service import SlaService
from keizoku.terms.calendar import Month, parse_day, parse_instant
from keizoku.terms.cells import cell
from keizoku.terms.inputs.arguments import guard_acts
from keizoku.terms.inputs.input_files import BrokenRecord, csv_records, header_findings, read_whole
from keizoku.terms.refusal import Refused

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "limits.md"


@pytest.mark.parametrize(
    "text", ["", " ", "a\x1b[2J", "a\nb", "a\u202eb", "a\x85", "x" * (LONGEST_ID + 1), "a\0", "\udcff"]
)
def test_what_is_no_id(text: str) -> None:
    assert id_flaw(text) is not None


@pytest.mark.parametrize("text", ["u1", "shop:a:17", "山田 花子", "𠮷" * LONGEST_ID])
def test_what_is_an_id(text: str) -> None:
    assert id_flaw(text) is None


def test_texts_and_names() -> None:
    assert text_flaw("二行\nの理由\t") is None
    assert text_flaw("x" * LONGEST_TEXT) is None
    assert text_flaw("x" * (LONGEST_TEXT + 1)) == "a text has at most 2,000 letters"
    assert text_flaw("a\0") == "a NUL is no text"
    assert text_flaw("\udcff") == "half a letter is no text"
    assert name_flaw("山田　花子") is None
    assert name_flaw("a\x1b]52;c;aGk=\x07") == "a name has no control letters"


def test_what_steers_a_terminal_is_written_out() -> None:
    assert readable("a\x1b[2J\x9b\r\x07\x7f\u202e\udcff") == r"a\x1b[2J\x9b\x0d\x07\x7f\u202e\udcff"
    assert readable("日本語\n\t é :a:") == "日本語\n\t é :a:"


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", " ="])
def test_a_cell_is_never_a_formula(sign: str) -> None:
    assert cell(f"{sign}1+1") == f"'{sign}1+1"


@pytest.mark.parametrize("year", ["0001", "1969", "3000", "9999"])
def test_days_and_months_lie_between_1970_and_2999(year: str) -> None:
    with pytest.raises(ValueError, match="years go from 1970 to 2999"):
        Month.parse(f"{year}-01")
    with pytest.raises(ValueError, match="years go from 1970 to 2999"):
        parse_day(f"{year}-12-31")


def test_the_last_month_has_an_end_and_the_first_a_beginning() -> None:
    assert Month.parse("2999-12").end_on == date(3000, 1, 1)
    assert Month.parse("1970-01").start_at.year == 1969
    with pytest.raises(ValueError, match="no such time"):
        parse_instant(date(1, 1, 1))


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_lines_end_as_they_like(end: str) -> None:
    assert [tuple(values) for _, values in csv_records(f'a,b{end}"x{end}y",2{end}3,4')] == [  # type: ignore[arg-type]
        ("a", "b"),
        (f"x{end}y", "2"),
        ("3", "4"),
    ]


def test_a_broken_record_stops_no_other() -> None:
    read = list(csv_records('a,b\n"x"y,2\n' + "z" * 200_000 + ",1\n3,4\n"))
    assert [isinstance(values, BrokenRecord) for _, values in read] == [False, True, True, False]
    assert read[-1] == (4, ["3", "4"])


def test_of_very_many_columns_few_are_named() -> None:
    found = header_findings("f.csv", ["id"], [f"c{n % 50_000}" for n in range(100_000)])
    assert len(found) == limits.MOST_NAMED + 2
    assert max(len(str(each)) for each in found) < 500


def test_only_files_are_read(tmp_path: Path) -> None:
    for place in (Path("/dev/zero"), tmp_path):
        with pytest.raises(OSError, match="is "):
            read_whole(place)
    (tmp_path / "f").write_bytes(b"12345")
    with pytest.raises(OSError, match="is larger"):
        read_whole(tmp_path / "f", 4)


def test_acts_refuse_texts_that_nothing_holds() -> None:
    @guard_acts()
    class Acts:
        def act(self, account: str, *, by: str = "x", ground: str = "") -> str:
            return account + by + ground

    assert Acts().act("u1", ground="y") == "u1xy"
    for arguments in ({"account": "a\x1b"}, {"account": "u1", "by": "a\x1b"}, {"account": "u1", "ground": "x" * 2_001}):
        with pytest.raises(Refused, match="letters"):
            Acts().act(**arguments)


@pytest.mark.parametrize("service", [BillingService, SlaService, ImportService])
def test_every_act_has_one_guard(service: type) -> None:
    acts = {name: act for name, act in inspect.getmembers(service, inspect.isfunction) if not name.startswith("_")}
    wrappers = {name: _wrappers(act) for name, act in acts.items()}
    assert wrappers == dict.fromkeys(acts, 1)


def _wrappers(act: object) -> int:
    inner = getattr(act, "__wrapped__", None)
    return 0 if inner is None else 1 + _wrappers(inner)


def test_the_database_has_the_same_lengths() -> None:
    checks = {
        f"{table.name}: {check.sqltext}"
        for table in metadata.sorted_tables
        for check in table.constraints
        if isinstance(check, sa.CheckConstraint) and str(check.name).endswith("_length")
    }
    assert {
        f"account: length(id) <= {LONGEST_ID}",
        f"claim: length(id) <= {LONGEST_STORED_ID}",
        f"claim: length(account) <= {LONGEST_ID}",
        f"maintenance_notice: length(uid) <= {LONGEST_STORED_ID}",
        f"observation: length(user_id) <= {LONGEST_ID}",
        f"plan: length(code) <= {LONGEST_ID}",
        f"bank_line: length(reference) <= {limits.LONGEST_NAME}",
        f"interruption: length(ground) <= {LONGEST_TEXT}",
    } <= checks
    with_author = {table.name for table in metadata.sorted_tables if "author" in table.c}
    assert {name for name in with_author if f"{name}: length(author) <= {limits.LONGEST_NAME}" in checks} == with_author


def test_the_page_has_the_same_numbers() -> None:
    told = dict(re.findall(r"^\| `([A-Z_]+)` \| ([\d,]+)", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    numbers = {name: value for name in limits.__all__ if isinstance(value := getattr(limits, name), int)}
    assert {name: int(value.replace(",", "")) for name, value in told.items()} == numbers
