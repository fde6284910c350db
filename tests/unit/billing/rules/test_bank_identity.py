"""Equal lines of a bank told apart: by its own number, the balance, the row, or their count."""

from dataclasses import replace
from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from keizoku.billing.rules.bank.identity import KnownLine, tell_apart
from keizoku.billing.rules.bank.names import folded, has_one_of, is_fee, likeness, without_numbers
from keizoku.billing.rules.bank.statement import Direction, LineState, StatementLine

DAY = date(2026, 11, 5)


def line(number: int = 2, **more: Any) -> StatementLine:
    return replace(StatementLine("a", number, DAY, Direction.IN, 500, payer="サトウ ユウコ"), **more)


def known(*lines: StatementLine) -> list[KnownLine]:
    fresh = tell_apart(lines, ()).fresh
    return [KnownLine(place, each, nth) for place, (each, nth) in enumerate(fresh, start=1)]


def counts(new: list[StatementLine], *before: StatementLine) -> tuple[int, int, int]:
    told = tell_apart(new, known(*before))
    return len(told.fresh), len(told.known), len(told.otherwise)


def test_the_bank_s_own_number_and_the_balance_tell_equal_lines_apart() -> None:
    assert counts([line(bank_id="2")], line(bank_id="1")) == (1, 0, 0)
    assert counts([line(bank_id="1", payer="written anew")], line(bank_id="1")) == (0, 1, 0)
    assert counts([line(balance=700_500)], line(balance=1_000_500)) == (1, 0, 0)
    assert counts([line(balance=1_000_500, payer="振込 123 ｻﾄｳ ﾕｳｺ")], line(balance=1_000_500)) == (0, 1, 0)
    assert counts([line(balance=1_000_500, payer="ﾔﾏﾀﾞ ﾀﾛｳ")], line(balance=1_000_500)) == (1, 0, 0)
    assert counts([line(balance=1_000_500)], line()) == (0, 1, 0)  # one file says less than the other


def test_what_nothing_tells_apart_is_counted() -> None:
    twice = [line(2), line(3)]
    assert counts(twice) == (2, 0, 0)
    assert counts(twice, line()) == (1, 1, 0)
    assert counts(twice, *twice) == (0, 2, 0)
    assert [nth for _, nth in tell_apart([*twice, line(4)], known(*twice)).fresh] == [3]


def test_two_accounts_are_two_and_a_row_read_the_other_way_is_neither_new_nor_known() -> None:
    assert counts([line(account="b")], line(account="a")) == (1, 0, 0)
    out = line(digest="d", direction=Direction.OUT)
    assert counts([out], line(digest="d")) == (0, 0, 1)


def test_what_arrives_and_what_is_taken_back_are_lines_of_their_own() -> None:
    announced, booked, cancelled = (
        line(bank_id="1", state=each) for each in (LineState.PENDING, LineState.BOOKED, LineState.CANCELLED)
    )
    assert counts([booked], announced) == (1, 0, 0)
    assert counts([cancelled], booked) == (1, 0, 0)
    assert counts([announced], booked) == (0, 1, 0)  # an older list, imported later
    assert counts([announced, booked], booked, announced) == (0, 2, 0)
    assert counts([announced, booked], booked) == (1, 1, 0)
    wrong = line(digest="d", state=LineState.PENDING)
    assert counts([line(digest="d")], wrong) == (0, 1, 0)  # the same row by another mapping


@given(
    st.lists(
        st.tuples(
            st.integers(1, 3),
            st.sampled_from(["", "1", "2"]),
            st.sampled_from([None, 1, 2]),
            st.sampled_from(LineState),
        )
    )
)
def test_a_file_read_again_brings_nothing_new(rows: list[tuple[int, str, int | None, LineState]]) -> None:
    lines = [
        line(at, amount=yen, bank_id=own, balance=left, state=state) for at, (yen, own, left, state) in enumerate(rows)
    ]
    told = tell_apart(lines, known(*lines))
    assert (len(told.fresh), len(told.known)) == (0, len(lines))
    assert len({known_id for _, known_id in told.known}) == len(lines)


def test_names_are_compared_as_banks_write_them() -> None:
    assert folded("ｱｲﾁﾕｰﾝｽﾞ(ｶ") == folded("アイチユ－ンズ（カ") == folded("アイチューンズ(カ")
    assert has_one_of("振込＊アイチユ－ンズ（カ", ["アイチューンズ"])
    assert not has_one_of("ｻﾄｳ", ["", "ITUNES"])
    assert [is_fee("振込手数料", "手数料", yen) for yen in (330, 33_000)] == [True, False]
    assert without_numbers("100000114ﾔﾏﾀﾞ ﾀﾛｳ") == "ヤマダタロウ"
    assert likeness("ﾔﾏﾀﾞ ﾀﾛｳ", "ヤマダ タロー") > 0.7 > likeness("ヤマダ タロウ", "サトウ ハナコ")
