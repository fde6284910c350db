"""Entries as packages take them: tax folded into its lines, and given back to the yen."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keizoku.billing.closing.exports.entries import BookEntry, TaxLine, folded, sides
from keizoku.billing.closing.exports.mapping import FORMATS, PACKAGES, MappingError, mapping_for
from keizoku.billing.closing.exports.packages import (
    FREEE_HEADER,
    MONEYFORWARD_HEADER,
    YAYOI_COLUMNS,
    freee_rows,
    moneyforward_rows,
    yayoi_rows,
)
from keizoku.billing.closing.exports.plain import beancount_entry, beancount_name
from keizoku.billing.rules.books.chart import CHART
from keizoku.billing.rules.books.journal_rules import RULES, JournalLine, journal, reversal

MAPPING = mapping_for("moneyforward")
ON = date(2026, 4, 10)


def entry(
    event: str, *lines: JournalLine, number: int = 7, account: str | None = "hanako", month: str = ""
) -> BookEntry:
    return BookEntry(number, ON, event, "premium/4.1", account, lines, month)


def posted(event: str, **amounts: int) -> BookEntry:
    return entry(event, *journal(event, **amounts).lines)


def unfolded(lines: tuple[TaxLine, ...]) -> dict[str, int]:
    """What a package books of lines: the amount less its tax, and the tax by itself."""
    sums: dict[str, int] = {}
    for line in lines:
        for code, yen in ((line.code, line.yen - line.tax_yen), (line.tax_code, line.tax_yen)):
            if yen:
                sums[code] = sums.get(code, 0) + yen
    return {code: yen for code, yen in sums.items() if yen}


def summed(lines: tuple[JournalLine, ...]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for code, yen in lines:
        sums[code] = sums.get(code, 0) + yen
    return {code: yen for code, yen in sums.items() if yen}


@pytest.mark.parametrize(
    ("booked", "lines"),
    [
        (
            posted("revenue_recognised", yen=500, tax_yen=45),
            (TaxLine("2120", 500, 0, "", "out_of_scope"), TaxLine("4110", -500, -45, "2170", "sale")),
        ),
        (
            posted("credit_granted", yen=100, tax_yen=9),
            (TaxLine("2130", -100, 0, "", "out_of_scope"), TaxLine("4190", 100, 9, "2170", "return")),
        ),
        (
            posted("processor_fee", taxable_yen=18, tax_yen=1),
            (TaxLine("1131", -18, 0, "", "out_of_scope"), TaxLine("6111", 18, 1, "1180", "purchase")),
        ),
        (
            posted("processor_fee", exempt_yen=18, tax_yen=0, taxable_yen=0),
            (TaxLine("6110", 18, 0, "", "exempt_purchase"), TaxLine("1131", -18, 0, "", "out_of_scope")),
        ),
        (
            posted("store_reported", yen=75, tax_yen=7),
            (TaxLine("1133", -75, 0, "", "out_of_scope"), TaxLine("6111", 75, 7, "1180", "purchase")),
        ),
        (
            posted("write_off", unrecognised_yen=200, recognised_yen=300, tax_yen=27),
            (
                TaxLine("2120", 200, 0, "", "out_of_scope"),
                TaxLine("1140", -500, 0, "", "out_of_scope"),
                TaxLine("6190", 300, 27, "2170", "bad_debt"),
            ),
        ),
        (  # bad debt of interest holds no tax
            posted("interest_written_off", yen=6),
            (TaxLine("1150", -6, 0, "", "out_of_scope"), TaxLine("6190", 6, 0, "", "out_of_scope")),
        ),
        (
            posted("interest_demanded", yen=6),
            (TaxLine("1150", 6, 0, "", "out_of_scope"), TaxLine("7110", -6, 0, "", "exempt")),
        ),
        (  # a yen of tax alone: two lines of its own
            posted("credit_applied", yen=196, tax_adjustment_yen=1),
            (
                TaxLine("2130", 196, 0, "", "out_of_scope"),
                TaxLine("1140", -196, 0, "", "out_of_scope"),
                TaxLine("4190", 1, 0, "", "out_of_scope"),
                TaxLine("2170", -1, 0, "", "out_of_scope"),
            ),
        ),
        (  # a day of 1 yen that is all tax
            posted("revenue_recognised", yen=1, tax_yen=1),
            (TaxLine("2120", 1, 0, "", "out_of_scope"), TaxLine("4110", -1, -1, "2170", "sale")),
        ),
        (  # a day's correction whose tax goes the other way
            posted("revenue_recognised", yen=5, tax_yen=-1),
            (
                TaxLine("2120", 5, 0, "", "out_of_scope"),
                TaxLine("4110", -5, 0, "", "sale"),
                TaxLine("4110", -1, 0, "", "out_of_scope"),
                TaxLine("2170", 1, 0, "", "out_of_scope"),
            ),
        ),
        (  # no rule of the journal's: by what stands in it
            entry("reversal", *reversal(journal("credit_granted", yen=100, tax_yen=9)).lines),
            (TaxLine("2130", 100, 0, "", "out_of_scope"), TaxLine("4190", -100, -9, "2170", "return")),
        ),
        (
            entry("by_people", JournalLine("1110", 10), JournalLine("2170", -10)),
            (TaxLine("1110", 10, 0, "", "out_of_scope"), TaxLine("2170", -10, 0, "", "out_of_scope")),
        ),
    ],
    ids=lambda each: each.event if isinstance(each, BookEntry) else "",
)
def test_tax_stands_in_the_line_that_carries_it(booked: BookEntry, lines: tuple[TaxLine, ...]) -> None:
    assert MAPPING.fold(booked) == lines


@given(
    event=st.sampled_from(["revenue_recognised", "processor_fee", "by_people"]),
    yen=st.lists(st.tuples(st.sampled_from([account.code for account in CHART]), st.integers(-99, 99)), max_size=6),
)
def test_a_folded_entry_balances_and_gives_back_the_journal(event: str, yen: list[tuple[str, int]]) -> None:
    lines = tuple(JournalLine(code, amount) for code, amount in yen if amount)
    lines += (JournalLine("1110", -sum(line.yen for line in lines)),)
    made = folded(entry(event, *lines), MAPPING.tax_accounts, MAPPING.classes)
    assert sum(line.yen for line in made) == 0
    assert unfolded(made) == summed(lines)
    assert all(abs(line.tax_yen) <= abs(line.yen) and line.tax_yen * line.yen >= 0 for line in made)


def test_every_format_has_a_mapping_every_event_a_memo_every_package_a_word_for_every_class() -> None:
    silent = {"charge_failed", "coupon_term_started"}  # they post nothing
    for form in FORMATS:
        mapping = mapping_for(form)
        assert {rule.event for rule in RULES} - set(mapping.memos) == silent
        if form in PACKAGES:
            assert set(mapping.classes.values()) | {"out_of_scope"} <= set(mapping.tax_words)
    assert mapping_for("yayoi").encoding == "cp932"
    assert {account: beancount_name(account) for account in CHART if account.code in ("1140", "2120", "6110")} == {
        CHART[4]: "Assets:1140-Accounts-receivable",
        CHART[8]: "Liabilities:2120-Contract-liability",
        CHART[16]: "Expenses:6110-Processor-fees",
    }


def test_rows_of_money_forward_as_they_stand_in_the_file() -> None:
    booked = posted("write_off", unrecognised_yen=200, recognised_yen=300, tax_yen=27)
    rows = list(moneyforward_rows(booked, MAPPING))
    assert {len(row) for row in rows} == {len(MONEYFORWARD_HEADER)} == {27}
    memo = ["利用料金の貸倒れ hanako", "entry 7 write_off premium/4.1", *[""] * 7]
    assert rows == [
        ["7", "2026/04/10", "契約負債", "", "", "", "対象外", "", "200", "0",
         "売掛金", "", "", "", "対象外", "", "500", "0", *memo],
        ["7", "2026/04/10", "貸倒損失", "", "", "", "課税売上-貸倒 10%", "", "300", "27", *[""] * 8, *memo],
    ]  # fmt: skip


def test_rows_of_freee_as_they_stand_in_the_file() -> None:
    rows = list(freee_rows(posted("revenue_recognised", yen=500, tax_yen=45), mapping_for("freee")))
    assert len(FREEE_HEADER) == 33
    assert rows == [
        ["[明細行]", "2026/04/10", "7", "", "契約負債", "2120", *[""] * 9, "500", "対象外", "0",
         "利用料売上", "4110", *[""] * 9, "500", "課税売上10%", "45", "利用料金の収益認識 hanako"]
    ]  # fmt: skip


def test_rows_of_yayoi_are_flagged_and_fit() -> None:
    mapping = mapping_for("yayoi")
    single = list(yayoi_rows(posted("term_invoiced", yen=500), mapping))
    assert single == [
        ["2000", "7", "", "2026/04/10", "売掛金", "", "", "対象外", "500", "0", "契約負債", "", "", "対象外", "500",
         "0", "利用料金の請求 hanako", "", "", "0", "", "entry 7 term_invoiced premium/4.1", "0", "0", "no"]
    ]  # fmt: skip
    lines = (JournalLine("1110", 6), JournalLine("1131", -1), JournalLine("1132", -2), JournalLine("1133", -3))
    compound = list(yayoi_rows(entry("by_people", *lines, number=2_000_000, account="a" * 90 + "😀〜"), mapping))
    assert [row[0] for row in compound] == ["2110", "2100", "2101"]
    assert {len(row) for row in compound} == {YAYOI_COLUMNS}
    assert {row[1] for row in compound} == {"2"}  # six digits
    assert compound[1][4:10] == ["", "", "", "対象外", "0", "0"]
    assert all(len(row[16].encode("cp932")) == 64 for row in compound)
    assert next(yayoi_rows(entry("x", *lines, account="高😀〜"), mapping))[16] == "x 高〓～"


def test_yayoi_has_its_own_names_of_classes_kinds_of_slips_and_of_invoices() -> None:
    mapping = mapping_for("yayoi")
    interest = next(yayoi_rows(posted("interest_demanded", yen=6), mapping))
    exempt = next(yayoi_rows(posted("processor_fee", exempt_yen=18, tax_yen=0), mapping))
    taxable = next(yayoi_rows(posted("store_reported", yen=75, tax_yen=7), mapping))
    untaxed = next(yayoi_rows(posted("store_reported", yen=75, tax_yen=0), mapping))
    slip = list(yayoi_rows(posted("processor_fee", exempt_yen=18, taxable_yen=18, tax_yen=1), mapping))
    assert [interest[13], exempt[7], taxable[7:10], untaxed[7:10]] == [
        "非課売上",
        "非課仕入",
        ["課対仕入込10%適格", "75", "7"],
        ["対象外", "75", "0"],
    ]
    assert [(row[0], row[19]) for row in (interest, *slip)] == [("2000", "0"), ("2110", "3"), ("2101", "3")]


@pytest.mark.parametrize(
    ("on", "yayoi", "freee", "moneyforward"),
    [
        (date(2023, 9, 30), "課対仕入込10%", "課対仕入10%", ""),
        (date(2023, 10, 1), "課対仕入込10%区分80%", "課対仕入(控80)10%", "80%控除"),
        (date(2026, 9, 30), "課対仕入込10%区分80%", "課対仕入(控80)10%", "80%控除"),
        (date(2026, 10, 1), "課対仕入込10%区分70%", "課対仕入(控70)10%", "70%控除"),
        (date(2028, 10, 1), "課対仕入込10%区分50%", "課対仕入(控50)10%", "50%控除"),
        (date(2031, 10, 1), "課対仕入込10%区分控不", "課対仕入(控不)10%", "控除不可"),
    ],
)
def test_purchases_without_a_qualified_invoice_say_what_can_be_deducted_on_their_day(
    tmp_path: Path, on: date, yayoi: str, freee: str, moneyforward: str
) -> None:
    ours = tmp_path / "ours.toml"
    ours.write_text('[accounts.6111]\ninvoice = "transitional"\n')
    lines = journal("store_reported", yen=75, tax_yen=7).lines
    booked = BookEntry(7, on, "store_reported", "", None, lines)
    assert [
        next(yayoi_rows(booked, mapping_for("yayoi", ours)))[7],
        next(freee_rows(booked, mapping_for("freee", ours)))[16],
        next(moneyforward_rows(booked, mapping_for("moneyforward", ours)))[7],
    ] == [yayoi, freee, moneyforward]
    qualified = next(moneyforward_rows(booked, mapping_for("moneyforward")))
    assert (qualified[6], qualified[7], qualified[15]) == ("課税仕入 10%", "適格" if moneyforward else "", "")


def test_a_fee_without_tax_is_no_taxable_purchase_in_any_package_unless_a_mapping_says_so(tmp_path: Path) -> None:
    ours = tmp_path / "ours.toml"
    ours.write_text('[accounts.6111]\nuntaxed = "exempt_purchase"\n')
    booked = posted("store_reported", yen=75, tax_yen=0)
    for form, rows, at in (("moneyforward", moneyforward_rows, 6), ("freee", freee_rows, 16), ("yayoi", yayoi_rows, 7)):
        assert next(rows(booked, mapping_for(form)))[at] == "対象外"
        mapping = mapping_for(form, ours)
        assert next(rows(booked, mapping))[at] == mapping.tax_words["exempt_purchase"]


def test_the_ground_of_a_hand_entry_stands_in_its_memo() -> None:
    lines = (JournalLine("6110", 330), JournalLine("1110", -330))
    booked = BookEntry(98, ON, "by_people", "", None, lines, ground="振込手数料 11月\n(銀行)")
    for rows, at in ((moneyforward_rows, 18), (freee_rows, 32), (yayoi_rows, 16)):
        form = {moneyforward_rows: "moneyforward", freee_rows: "freee", yayoi_rows: "yayoi"}[rows]
        assert next(rows(booked, mapping_for(form)))[at] == "手入力の仕訳 振込手数料 11月 (銀行)"


def test_every_event_of_the_journal_has_a_memo() -> None:
    posts = {rule.event for rule in RULES if rule.debit}
    assert posts | {"reversal", "by_people"} == set(MAPPING.memos)


def test_debits_stand_beside_credits() -> None:
    a, b, c = (TaxLine("1110", yen, 0, "", "out_of_scope") for yen in (3, -1, -2))
    assert sides((a, b, c)) == [(a, b), (None, c)]
    assert sides(()) == []


def test_what_comes_from_outside_is_never_a_formula_and_never_breaks_a_line(tmp_path: Path) -> None:
    ours = tmp_path / "ours.toml"
    ours.write_text('[memos]\nterm_invoiced = "=1+1"\n[accounts.1140]\nname = "@売掛"\nsub = "-x"\n')
    booked = entry("term_invoiced", JournalLine("1140", 5), JournalLine("2120", -5), account='a"b\\\r\n=c')
    row = next(moneyforward_rows(booked, mapping_for("moneyforward", ours)))
    assert (row[2], row[3], row[18]) == ("'@売掛", "'-x", "'=1+1 a\"b\\ =c")
    assert beancount_entry(booked, mapping_for("beancount", ours)).splitlines()[1] == (
        '2026-04-10 * "=1+1 a\\"b\\\\ =c"'
    )


def test_a_users_file_changes_accounts_classes_and_encodings(tmp_path: Path) -> None:
    ours = tmp_path / "ours.toml"
    ours.write_text(
        '[accounts.7110]\ntax = "out_of_scope"\ncode = "801"\n[freee]\nencoding = "cp932"\n'
        '[freee.tax]\nsale = "課売 10%"\n'
    )
    mapping = mapping_for("freee", ours)
    assert (mapping.encoding, mapping.classes["7110"], mapping.accounts["7110"].code) == (
        "cp932", "out_of_scope", "801",
    )  # fmt: skip
    assert (mapping.tax_words["sale"], mapping.tax_words["return"]) == ("課売 10%", "課税売返10%")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = ", "not TOML"),
        ("[accuonts.1110]", "accuonts is no key; there are accounts,"),
        ("accounts = 1", "accounts has to be a table"),
        ("[accounts.9999]", "accounts.9999: no such account in the chart"),
        ("[accounts]\n1110 = 1", "accounts.1110 has to be a table"),
        (
            "[accounts.1110]\ncode = 1",
            "accounts.1110.code: an account has code, name, sub, tax, untaxed, invoice, each a text",
        ),
        ('[accounts.1110]\ntax = "salt"', "accounts.1110.tax: 'salt' is no tax class; there are bad_debt,"),
        ('[tax]\n2170 = "4110"', "tax.2170 has to be a list of accounts of the chart"),
        ('[yayoi]\nencoding = "klingon"', "yayoi.encoding: 'klingon' is no encoding"),
        ("[csv]\nx = 1", "csv.x is no key; there are encoding, and the tables tax and invoice"),
        ('[accounts.6111]\nuntaxed = "free"', "accounts.6111.untaxed: 'free' is no tax class"),
        (
            '[accounts.6111]\ninvoice = "some"',
            "accounts.6111.invoice: 'some' is no kind of invoice; there are qualified,",
        ),
        (
            '[yayoi.invoice]\ntransitional = "{x}"',
            "yayoi.invoice.transitional: '{x}' may have {rate}, and no other braces",
        ),
        ("[transitional]\nsoon = 50", "transitional.soon has to be a day with hundredths: 2026-10-01 = 70"),
        ("[freee.tax]\nsalt = 'x'", "freee.tax.salt: there are bad_debt,"),
        ("[memos]\nx = 1", "memos.x has to be a text"),
    ],
)
def test_a_users_file_that_cannot_be_used_is_said_in_a_line(tmp_path: Path, text: str, told: str) -> None:
    ours = tmp_path / "ours.toml"
    ours.write_text(text)
    with pytest.raises(MappingError) as raised:
        mapping_for("freee", ours)
    assert str(raised.value).startswith(str(ours))
    assert told in str(raised.value)


def test_a_users_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="No such file or directory"):
        mapping_for("freee", tmp_path / "none.toml")


def test_a_mapping_that_never_ends_is_refused_in_a_line() -> None:
    with pytest.raises(MappingError, match="is no file that can be read twice"):
        mapping_for("csv", Path("/dev/zero"))
