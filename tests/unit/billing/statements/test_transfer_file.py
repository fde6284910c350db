"""総合振込: a file of our own, byte for byte, read back; and what no bank would take."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keizoku.billing.statements.transfer_file import (
    BankAccount,
    Payer,
    Transfer,
    bank_and_branch,
    in_kana,
    read_transfers,
    write_transfers,
)
from keizoku.billing.statements.values import BadValueError

OURS = Payer("1234567890", BankAccount("0005", "001", "1", "7654321", "カ）ケイゾク"))
YAMADA = BankAccount("0009", "001", "1", "1234567", "やまだ　タロー")


def test_a_file_of_one_transfer_byte_for_byte() -> None:
    raw = write_transfers(OURS, date(2026, 12, 1), [Transfer(YAMADA, 500, "D12")])
    assert raw.decode("cp932").split("\r\n") == [
        "12101234567890" + "ｶ)ｹｲｿﾞｸ".ljust(40) + "12010005" + "ﾐﾂﾋﾞｼﾕ-ｴﾌｼﾞｴｲ".ljust(15) + "001" + "ﾎﾝﾃﾝ".ljust(15)
        + "17654321" + " " * 17,
        "20009" + "ﾐﾂｲｽﾐﾄﾓ".ljust(15) + "001" + "ｼﾞﾝﾎﾞｳﾁﾖｳ".ljust(15) + "0000" + "11234567" + "ﾔﾏﾀﾞ ﾀﾛ-".ljust(30)
        + "0000000500" + "0" + "D12".ljust(20) + "7" + " " * 8,
        "8000001000000000500" + " " * 101,
        "9" + " " * 119,
        "",
    ]  # fmt: skip
    assert all(len(each) == 120 for each in raw.split(b"\r\n")[:-1])


@given(
    st.lists(
        st.builds(
            Transfer,
            st.builds(BankAccount, st.just("0009"), st.just("001"), st.sampled_from("1249"),
                      st.integers(0, 9_999_999).map(lambda n: f"{n:07}"), st.sampled_from(["ｻﾄｳ ﾊﾅｺ", "ｶ)ABC-1"])),
            st.integers(1, 9_999_999_999),
            st.integers(1, 10**19).map(str),
        ),
        max_size=8,
    )
)  # fmt: skip
def test_what_is_written_reads_back_equal(transfers: list[Transfer]) -> None:
    assert list(read_transfers(write_transfers(OURS, date(2026, 12, 1), transfers))) == transfers


def test_names_become_what_the_standard_writes_or_are_refused() -> None:
    assert in_kana("カ）ジャパン　ネット", 30) == "ｶ)ｼﾞﾔﾊﾟﾝ ﾈﾂﾄ"
    assert in_kana("がぎぐ ゔ ぱ ー abc", 30) == "ｶﾞｷﾞｸﾞ ｳﾞ ﾊﾟ - ABC"
    for wrong in ("山田", "", "ア" * 31, "a;b", "x\n\x00"):
        with pytest.raises(BadValueError):
            in_kana(wrong, 30)


def test_banks_and_branches_are_those_that_there_are() -> None:
    assert bank_and_branch("0001", "001") == ("ﾐｽﾞﾎ", "ﾄｳｷﾖｳ")
    for bank, branch, rule in (("9999", "001", "no bank"), ("0005", "999", "no branch"), ("", "", "no bank")):
        with pytest.raises(BadValueError, match=rule):
            bank_and_branch(bank, branch)


@pytest.mark.parametrize(
    "transfer",
    [
        Transfer(YAMADA, 0),
        Transfer(YAMADA, 10**10),
        Transfer(YAMADA, 1, "k" * 21),
        Transfer(BankAccount("0009", "001", "3", "1", "ｱ"), 1),
        Transfer(BankAccount("0009", "001", "1", "12345678", "ｱ"), 1),
        Transfer(BankAccount("0009", "001", "1", "1", "山田"), 1),
    ],
)
def test_what_no_bank_would_take_is_refused(transfer: Transfer) -> None:
    with pytest.raises(BadValueError):
        write_transfers(OURS, date(2026, 12, 1), [transfer])


def test_a_file_that_is_cut_or_changed_is_refused() -> None:
    raw = write_transfers(OURS, date(2026, 12, 1), [Transfer(YAMADA, 500, "D12")])
    for wrong in (
        raw[:300],
        raw[:244],
        raw.replace(b"0000000500", b"0000000501", 1),
        raw.replace(b"8000001", b"8000002"),
        b"",
    ):
        with pytest.raises(BadValueError):
            read_transfers(wrong)
