"""Entries summed per document, day or month: what becomes one, what never does, and that nothing is lost."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from keizoku.billing.closing.exports.entries import BookEntry
from keizoku.billing.closing.exports.summary import SUMMARIES, summed
from keizoku.billing.rules.books.journal_rules import JournalLine, journal

FIRST = date(2026, 11, 1)


def revenue(number: int, on: date, yen: int, tax_yen: int) -> BookEntry:
    lines = journal("revenue_recognised", yen=yen, tax_yen=tax_yen).lines
    return BookEntry(number, on, "revenue_recognised", "premium/4.1", None, lines, key=f"revenue:{on}:{number}:1")


def fee(number: int, on: date, yen: int, tax_yen: int, account: str) -> BookEntry:
    lines = journal("store_reported", yen=yen, tax_yen=tax_yen).lines
    return BookEntry(number, on, "store_reported", "premium/5.1.2", account, lines, key=f"term:{number}:store")


def test_two_revenue_lines_of_a_day_become_one_and_a_months_become_one() -> None:
    entries = [revenue(1, FIRST, 16, 1), revenue(2, FIRST, 30, 3), revenue(3, date(2026, 11, 2), 17, 2)]
    by_day, by_month = list(summed(entries, "day")), list(summed(entries, "month"))
    assert [(each.first_id, each.id, each.posted_on, dict(each.lines)) for each in by_day] == [
        (1, 2, FIRST, {"2120": 46, "4110": -42, "2170": -4}),
        (None, 3, date(2026, 11, 2), {"2120": 17, "4110": -15, "2170": -2}),
    ]
    assert [(each.first_id, each.id, each.posted_on, dict(each.lines)) for each in by_month] == [
        (1, 3, date(2026, 11, 2), {"2120": 63, "4110": -57, "2170": -6}),
    ]
    assert list(summed(entries, "entry")) == entries
    assert list(summed(entries, "document")) == by_day  # a day's revenue has no other document


def test_a_fee_with_tax_and_one_without_stay_apart() -> None:
    made = list(summed([fee(1, FIRST, 75, 7, "a"), fee(2, FIRST, 75, 0, "b"), fee(3, FIRST, 75, 7, "c")], "month"))
    assert [(each.account, dict(each.lines)) for each in made] == [
        ("b", {"6111": 75, "1133": -75}),
        (None, {"6111": 136, "1180": 14, "1133": -150}),
    ]


def test_what_people_posted_is_never_summed() -> None:
    lines = (JournalLine("6110", 330), JournalLine("1110", -330))
    by_hand = [BookEntry(number, FIRST, "by_people", "", None, lines, ground=f"g{number}") for number in (1, 2)]
    for by in SUMMARIES:
        assert list(summed(by_hand, by)) == by_hand


entries_of_a_month = st.lists(
    st.tuples(st.integers(0, 29), st.booleans(), st.integers(1, 900), st.integers(0, 9)), max_size=40
).map(
    lambda several: [
        revenue(number, FIRST + timedelta(days=day), yen + 9, tax_yen)
        if is_revenue
        else fee(number, FIRST + timedelta(days=day), yen + 9, tax_yen, "a")
        for number, (day, is_revenue, yen, tax_yen) in enumerate(sorted(several), start=1)
    ]
)


@given(entries_of_a_month, st.sampled_from(SUMMARIES))
def test_a_summary_loses_no_yen_of_any_account_and_every_entry_of_it_balances(
    entries: list[BookEntry], by: str
) -> None:
    def sums(several: list[BookEntry]) -> dict[str, int]:
        found: dict[str, int] = {}
        for each in several:
            for code, yen in each.lines:
                found[code] = found.get(code, 0) + yen
        return {code: yen for code, yen in found.items() if yen}

    made = list(summed(entries, by))
    assert sums(made) == sums(entries)
    assert all(sum(line.yen for line in each.lines) == 0 and each.lines for each in made)
    assert [(each.posted_on, each.id) for each in made] == sorted((each.posted_on, each.id) for each in made)
