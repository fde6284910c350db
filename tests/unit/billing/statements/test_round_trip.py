"""A statement that is written in any format reads back as itself: lines, order, ways, names, balances, account."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keizoku.billing.statements.recognise import read_statements
from keizoku.billing.statements.values import even
from tests.unit.billing.statements import writers
from tests.unit.billing.statements.writers import FIRST_ON, LAST_ON, OPENING, Movement

ACCOUNT = "0005-001-1-1234567"
names = st.text("ｱｲｳｴｵｶｷｸｹｺｻｼｽｾｿﾀﾁﾂﾃﾄﾊﾋﾌﾍﾎﾏﾐﾑﾒﾓﾔﾕﾖﾗﾘﾙﾚﾛﾜﾝﾞﾟ()ABCXYZ0123456789 ", min_size=1, max_size=30).filter(
    lambda name: bool(name.strip()) and not name.strip().startswith(("(", "*")) and even(name) == even(name.strip())
)
movements = st.lists(
    st.builds(
        Movement,
        st.integers(0, 29).map(lambda days: FIRST_ON + timedelta(days=days)),
        st.integers(1, 10**9).flatmap(lambda yen: st.sampled_from([yen, -yen])),
        names,
        st.integers(1, 99_999_999),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda each: each.id,
).map(lambda several: sorted(several, key=lambda each: each.on))


@pytest.mark.parametrize("name", sorted(writers.FILES))
@settings(max_examples=40)
@given(movements)
def test_what_is_written_in_a_format_reads_back_equal(name: str, several: list[Movement]) -> None:
    read = read_statements("file", writers.FILES[name](several), today=LAST_ON)
    (statement,) = read.statements
    assert (read.findings, statement.preset, statement.skipped) == ((), name, 0)
    found = [(each.booked_on, each.signed, each.payer) for each in statement.lines]
    assert found == [(each.on, each.yen, even(each.name)) for each in several]
    assert statement.closing is not None
    assert statement.closing.amount == OPENING + sum(each.yen for each in several)
    if name != "ofx":
        assert statement.opening is not None
        assert statement.opening.amount == OPENING
    if name not in writers.TABLES:
        assert statement.account == ACCOUNT
        assert statement.closing.on == LAST_ON
    if name in ("zengin", "camt", "mt940", "ofx", "paypay", "yucho"):
        assert [int(each.bank_id) for each in statement.lines] == [each.id for each in several]


@settings(max_examples=30)
@given(movements)
def test_records_are_read_without_line_ends_and_where_somebody_saved_them_as_utf_8(several: list[Movement]) -> None:
    ways = [
        writers.zengin(several),
        writers.zengin(several, b""),
        writers.zengin(several, b"\n") + b"\x1a",
        writers.zengin(several).decode("cp932").encode(),
    ]
    read = [read_statements("file", raw) for raw in ways]
    assert all(not each.findings for each in read)
    assert len({tuple((line.signed, line.payer) for line in each.statements[0].lines) for each in read}) == 1


@pytest.mark.parametrize("version", ["053.001.02", "053.001.04", "053.001.06", "053.001.08", "053.001.13"])
def test_camt_is_read_in_every_version(version: str) -> None:
    several = [Movement(date(2026, 11, 5), 500, "ﾔﾏﾀﾞ", 1), Movement(date(2026, 11, 6), -330, "ﾃｽｳﾘﾖｳ", 2)]
    read = read_statements("file", writers.camt(several, version))
    assert read.findings == ()
    assert [(each.signed, each.payer) for each in read.statements[0].lines] == [(500, "ヤマダ"), (-330, "テスウリヨウ")]


@settings(max_examples=30)
@given(movements)
def test_newest_first_reads_as_oldest_first(several: list[Movement]) -> None:
    head, *rows = writers.TABLES["mizuho"](several).splitlines(keepends=True)
    forward = read_statements("file", b"".join([head, *rows])).statements[0]
    backward = read_statements("file", b"".join([head, *reversed(rows)])).statements[0]
    assert [each.digest for each in forward.lines] == [each.digest for each in backward.lines]
    assert (forward.opening, forward.closing) == (backward.opening, backward.closing)
