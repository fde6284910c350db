"""Workings of late interest (premium/5.2): what a demand carries sums to what it asks for, in both languages."""

from datetime import date
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from keizoku.billing.rules.documents.late_interest_statement import OpenDebt, interest_sentences, work_out
from keizoku.billing.rules.late_interest import YEARS_THEN_SPLIT, Debt, InterestRate, total_interest

RATE = Fraction(146, 1000)
PAST = st.dates(date(2023, 1, 1), date(2025, 1, 1))
LEAP = OpenDebt(Debt(7, 5_300, date(2024, 1, 31)), date(2024, 1, 31), date(2024, 1, 31))
CARRIED = OpenDebt(
    Debt(9, 500, date(2025, 5, 20), 3, ((date(2025, 5, 18), date(2025, 5, 23)),)), date(2025, 4, 1), date(2025, 4, 30)
)


def test_5_2__the_workings_of_a_leap_year_say_every_step_in_both_languages() -> None:
    workings = work_out("jiro", [LEAP], date(2024, 3, 31), InterestRate(RATE, YEARS_THEN_SPLIT), 100).to_json()
    assert (workings["total_yen"], workings["demanded_yen"], workings["new_yen"]) == (126, 100, 26)
    assert interest_sentences(workings, "ja") == [
        "2024年1月31日からの期間の利用料金5,300円(請求7、支払期日2024年1月31日)",
        "2024年2月1日から2024年3月31日まで60日: 5,300円 × 年14.6% × (60/366) = 126 52/61円",
        "2024年3月31日現在の遅延損害金の合計126 52/61円、1円未満を切り捨てて126円(消費税はかかりません)",
        "うち請求済み100円、未請求26円",
    ]
    assert interest_sentences(workings, "en")[1:3] == [
        "1 February 2024 to 31 March 2024, 60 days: 5,300 yen × 14.6% a year × (60/366) = 126 52/61 yen",
        "late interest on 31 March 2024: 126 52/61 yen, rounded down once to 126 yen; it carries no consumption tax",
    ]


def test_5_2__what_was_left_before_and_the_days_of_our_fault_are_told() -> None:
    workings = work_out("jiro", [CARRIED], date(2025, 6, 1), InterestRate(RATE, YEARS_THEN_SPLIT), 0).to_json()
    assert interest_sentences(workings, "en") == [
        "fee of 500 yen for the term from 1 April 2025 (invoice 9, due on 30 April 2025)",
        "interest left from the days up to 20 May 2025: 3 yen",
        "23 May 2025 to 1 June 2025, 10 days: 500 yen × 14.6% a year × (10/365) = 2 yen",
        "21 May 2025 to 22 May 2025: no interest, the fee could not be charged for reasons on our side",
        "late interest on 1 June 2025: 5 yen, rounded down once to 5 yen; it carries no consumption tax",
        "of which 0 yen demanded before and 5 yen not yet demanded",
    ]


def test_5_2__nothing_overdue_is_said_so() -> None:
    workings = work_out("jiro", [], date(2025, 6, 1), InterestRate(RATE, YEARS_THEN_SPLIT), 0).to_json()
    assert interest_sentences(workings, "en")[0] == "nothing is overdue on 1 June 2025"


@given(
    st.lists(
        st.builds(
            Debt,
            st.integers(1, 99),
            st.integers(0, 9_999),
            st.dates(date(2023, 1, 1), date(2025, 1, 1)),
            st.integers(0, 9),
        ),
        max_size=4,
    ),
    st.dates(date(2024, 1, 1), date(2028, 3, 1)),
)
def test_5_2__the_workings_are_the_interest(debts: list[Debt], on: date) -> None:
    workings = work_out(
        "jiro",
        [OpenDebt(debt, debt.accrues_after, debt.accrues_after) for debt in debts],
        on,
        InterestRate(RATE, YEARS_THEN_SPLIT),
        0,
    )
    total = total_interest(debts, on, InterestRate(RATE, YEARS_THEN_SPLIT))
    assert (workings.exact, workings.total_yen, tuple(each.yen for each in workings.debts)) == total
    assert sum(each.exact for each in workings.debts) == total.exact
    for each in workings.debts:
        assert sum(exact for _, exact in each.runs) + each.of.debt.accrued_unpaid_yen == each.exact
        assert each.days == max(0, (on - each.of.debt.accrues_after).days) * bool(each.of.debt.principal_yen)
