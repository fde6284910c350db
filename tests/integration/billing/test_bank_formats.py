"""Files of banks in their own formats, through `bank import` to the books: what was read, as what, of which account."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from keizoku.billing.accounts.account_views import journal_view
from keizoku.billing.receivables.bank.bank_list import statement_lines
from keizoku.billing.receivables.csv_layout import Layout
from keizoku.billing.receivables.import_log import MoneyImport
from keizoku.scheduler.app import Services
from keizoku.terms.calendar import parse_instant
from keizoku.terms.refusal import Refused
from tests.unit.billing.statements import shapes, writers
from tests.unit.billing.statements.writers import Movement
from tests.worlds.world import open_world, services_on

NOW = parse_instant("2026-11-30 10:00")
SEVERAL = [
    Movement(writers.FIRST_ON, 500, "ｻﾄｳ ﾊﾅｺ", 1),
    Movement(writers.FIRST_ON, 500, "ｻﾄｳ ﾊﾅｺ", 2),
    Movement(writers.LAST_ON, -330, "ﾃｽｳﾘﾖｳ", 3),
]


def take(services: Services, folder: Path, raw: bytes, **wanted: object) -> MoneyImport:
    file = folder / "meisai"
    file.write_bytes(raw)
    return services.billing.import_bank(file, author="keiri", now=NOW, **wanted)  # type: ignore[arg-type]


def bank(services: Services) -> object:
    found = journal_view(services.session, ["1110"])["balances"]
    assert isinstance(found, dict)
    return found["1110"]


@pytest.mark.parametrize("name", sorted(writers.FILES))
def test_a_file_of_each_format_is_booked_line_by_line_and_once(engine: sa.Engine, tmp_path: Path, name: str) -> None:
    with services_on(engine) as services:
        open_world(services)
        done = take(services, tmp_path, writers.FILES[name](SEVERAL))
        assert (done.preset, done.rows_new, done.rows_passed_over, done.findings) == (name, 2, 1, ())
        assert bank(services) == 670
        assert [(each.direction, each.amount) for each in statement_lines(services.session)] == [
            ("in", 500),
            ("in", 500),
            ("out", 330),
        ]
        again = take(services, tmp_path, writers.FILES[name](SEVERAL))
        assert (again.again, bank(services)) == (True, 670)


def test_equal_payments_of_two_banks_are_two_also_by_mappings(engine: sa.Engine, tmp_path: Path) -> None:
    with services_on(engine) as services:
        open_world(services)
        mufg = shapes.MUFG.splitlines()[0] + '\n"2026/11/5","振込１","ｻﾄｳ ﾕｳｺ","","500","","","","入金"\n'
        smbc = shapes.SMBC.splitlines()[0] + '\n2026/11/5,,500,"ｻﾄｳ ﾕｳｺ",,"",\n'
        of_mufg = Layout(columns={"date": "日付", "amount": "預かり金額", "payer": "摘要内容"})
        of_smbc = Layout(columns={"date": "年月日", "amount": "お預入れ", "payer": "お取り扱い内容"})
        first = take(services, tmp_path, mufg.encode("cp932"), layout=of_mufg)
        second = take(services, tmp_path, smbc.encode("cp932"), layout=of_smbc)
        assert (first.rows_new, second.rows_new) == (1, 1)
        by_preset = take(services, tmp_path, mufg.encode("cp932"))  # the same line by another way is known
        assert (by_preset.preset, by_preset.rows_new, by_preset.rows_known) == ("mufg", 0, 1)


def test_a_mapping_that_only_ignores_goes_with_any_format_whatever_the_width(engine: sa.Engine, tmp_path: Path) -> None:
    with services_on(engine) as services:
        open_world(services)
        raw = writers.FILES["zengin"]([Movement(writers.FIRST_ON, 48_200, "ｽﾄﾗｲﾌﾟｼﾞﾔﾊﾟﾝ(ｶ", 1), *SEVERAL[1:]])
        done = take(services, tmp_path, raw, layout=Layout(ignore={"payer": ("ストライプ",)}))
        assert (done.rows_new, done.rows_passed_over) == (1, 2)
        assert bank(services) == 500 - 330


def test_a_bad_file_is_findings_and_the_good_rows_go_on(engine: sa.Engine, tmp_path: Path) -> None:
    with services_on(engine) as services:
        open_world(services)
        raw = writers.zengin(SEVERAL).replace(b"8000002", b"8000003")
        done = take(services, tmp_path, raw)
        assert (done.rows_new, [each.rule for each in done.findings]) == (
            2,
            ["the trailer counts 3 of 1000 yen"],
        )
        unread = take(services, tmp_path, b"<?xml version='1.0'?><!DOCTYPE a><a/>")
        assert (unread.rows_new, [each.value for each in unread.findings]) == (0, ["a DTD or an entity"])


def test_a_preset_is_one_that_there_is_and_stands_alone(engine: sa.Engine, tmp_path: Path) -> None:
    with services_on(engine) as services:
        open_world(services)
        with pytest.raises(Refused, match="no preset 'mufgg'") as unknown:
            take(services, tmp_path, shapes.MUFG.encode(), preset="mufgg")
        columns = Layout(columns={"date": "日付"})
        with pytest.raises(Refused) as both:
            take(services, tmp_path, shapes.MUFG.encode(), preset="mufg", layout=columns)
        assert (unknown.value.code, both.value.code) == ("preset.unknown", "preset.and_mapping")
        forced = take(services, tmp_path, shapes.MUFG.encode(), preset="mufg", account="0005-001-1-1234567")
        assert (forced.preset, forced.rows_new) == ("mufg", 1)
        assert {each.bank_account for each in statement_lines(services.session)} == {"0005-001-1-1234567"}
