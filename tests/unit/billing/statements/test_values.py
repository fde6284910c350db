"""Days, amounts and names as banks and stores write them; what has two readings is refused."""

from datetime import date
from decimal import Decimal

import pytest

from keizoku.billing.statements.lines import minor_units
from keizoku.billing.statements.values import (
    BadValueError,
    amount_of,
    day_first_of,
    day_of,
    direction_of,
    folded,
    is_blank,
    month_day_of,
    yen_of,
    zengin_day,
)

NOVEMBER_5 = date(2026, 11, 5)


@pytest.mark.parametrize(
    "written",
    [
        *(
            "2026-11-05",
            "2026/11/5",
            "2026.11.05",
            "20261105",
            "2026年11月5日",
            "２０２６年１１月０５日",
            "2026 / 11 / 05",
        ),
        *("R8.11.5", "R08/11/05", "r8-11-5", "令和8年11月5日", "令和 08 年 11 月 05 日", "令8.11.5", "Ｒ８．１１．５"),
        *("2026/11/05 12:34", "2026/11/05 12:34:56", "20261105 09:00", "2026年11月5日 12時34分56秒", "2026-11-05(木)"),
        *("2026-11-05T08:00:00+09:00", "2026-11-04T15:00:00Z", "2026-11-04T16:00:00.123+0000"),
    ],
)
def test_days_are_read_as_banks_write_them(written: str) -> None:
    assert day_of(written) == NOVEMBER_5


@pytest.mark.parametrize(
    "written",
    [
        *(
            "",
            "05/11/2026",
            "26/11/05",
            "261105",
            "2026-11",
            "2026-02-29",
            "0000-01-01",
            "2026-11.05",
            "2026-11-05 25:00",
        ),
        *("R1.4.30", "H31.5.1", "S64.1.8", "R0.1.1", "令和8年13月1日", "20261105123456", "9999-12-31T23:00:00Z"),
    ],
)
def test_what_is_no_day_or_has_two_readings_is_refused(written: str) -> None:
    with pytest.raises(BadValueError, match="it is not a day"):
        day_of(written)


def test_eras_begin_and_end_on_their_days() -> None:
    written = ["R1.5.1", "令和元年5月1日", "H31.4.30", "平成元年1月8日", "S64.1.7"]
    days = [date(2019, 5, 1), date(2019, 5, 1), date(2019, 4, 30), date(1989, 1, 8), date(1989, 1, 7)]
    assert [day_of(each) for each in written] == days


def test_days_of_other_orders_are_read_only_where_a_preset_says_so() -> None:
    assert [zengin_day("081105"), zengin_day("20261105"), day_first_of("05-11-2026"), day_first_of("5/11/2026")] == [
        NOVEMBER_5
    ] * 4
    assert [
        month_day_of(each) for each in ("Nov 5, 2026", "November 5, 2026", "5 Nov 2026", "11/05/2026", "2026-11-05")
    ] == [NOVEMBER_5] * 5
    for read, wrong in (
        (zengin_day, "081305"),
        (day_first_of, "11/13/2026"),
        (month_day_of, "13/05/2026"),
        (month_day_of, "Nov 5"),
    ):
        with pytest.raises(BadValueError):
            read(wrong)


def test_amounts_are_signed_before_or_behind_by_a_triangle_or_brackets() -> None:
    above = ["500", "+500", "¥500", "\\500", "500円", "５００", "500.00", " 500 ", "￥500"]
    below = ["-500", "500-", "△500", "▲500", "(500)", "−500", "－500", "-¥500", "¥-500", "△ 500円", "（500）"]
    assert [yen_of(each) for each in above] == [500] * len(above)
    assert [yen_of(each) for each in below] == [-500] * len(below)
    assert yen_of("1,234,567") == 1234567
    for wrong in ("", "5,00", "1.500,00", "1e3", "--500", "-500-", "(-500)", "500 USD", "5 00a", "500.50", "9" * 16):
        with pytest.raises(BadValueError, match="not an amount of whole yen"):
            yen_of(wrong)


def test_other_money_is_counted_in_the_smallest_units_of_its_currency() -> None:
    assert minor_units(amount_of("5.00"), "USD") == 500
    assert minor_units(amount_of("-5"), "KWD") == -5000
    assert minor_units(Decimal(500), "JPY") == 500
    for amount, currency in (("0.5", "JPY"), ("5.005", "USD"), ("5", "dollars"), ("5", "")):
        with pytest.raises(BadValueError):
            minor_units(amount_of(amount), currency)


def test_an_empty_cell_may_be_a_stroke() -> None:
    assert all(is_blank(each) for each in ("", " ", "-", "－", "―", "ー", "--"))
    assert not any(is_blank(each) for each in ("0", "-1", "x"))


def test_directions_are_the_banks_own_words() -> None:
    assert [direction_of(each) for each in ("1", "入金", "ｃｒｄｔ", "Credit")] == ["in"] * 4
    assert [direction_of(each) for each in ("2", "出金", "払", "DBIT", "d")] == ["out"] * 5
    assert [direction_of(each) for each in ("", "3", "手数料")] == [None] * 3


def test_names_are_compared_whatever_their_width_case_and_strokes() -> None:
    assert folded("ストライプジャパン").startswith(folded("ｽﾄﾗｲﾌﾟ"))
    assert folded("ｽﾄﾗｲﾌﾟｼﾞﾔﾊﾟﾝ(ｶ") == folded("ストライプジャパン（カ")
    assert folded("アイチユ－ンズ") == folded("アイチューンズ") == folded("ｱｲﾁﾕｰﾝｽﾞ") == folded("アイチュ‐ンズ")
    assert folded("ＳＴＲＩＰＥ Japan") == folded("stripejapan")
