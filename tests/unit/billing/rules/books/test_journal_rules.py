"""The journal: what each event posts, and under which accounts."""

from __future__ import annotations

from fractions import Fraction

import pytest

from keizoku.billing.rules.books.chart import CHART, AccountType
from keizoku.billing.rules.books.journal_rules import RULES, Entry, chart, journal, reversal, rules_table

TAX = Fraction(10, 100)
CASH_AND_TAX = {"1110", "1180", "2170"}


def _lines(event: str, tax_rate: Fraction | None = TAX, /, **amounts: int) -> list[tuple[str, int]]:
    """An entry's lines, debit positive."""
    return [(line.account, line.yen) for line in journal(event, tax_rate, **amounts).lines]


@pytest.mark.parametrize(
    ("event", "amounts", "lines"),
    [
        ("term_invoiced", {"yen": 500}, [("1140", 500), ("2120", -500)]),
        ("revenue_recognised", {"yen": 500}, [("2120", 500), ("4110", -455), ("2170", -45)]),
        ("revenue_recognised", {"yen": 16, "tax_yen": 2}, [("2120", 16), ("4110", -14), ("2170", -2)]),
        ("revenue_recognised", {"yen": -16, "tax_yen": -2}, [("2120", -16), ("4110", 14), ("2170", 2)]),
        ("card_charge_succeeded", {"yen": 500}, [("1131", 500), ("1140", -500)]),
        ("card_overcharged", {"yen": 500}, [("1131", 500), ("2140", -500)]),
        ("overcharge_refund_failed", {"yen": 500}, [("1131", 500), ("2140", -500)]),
        ("charge_failed", {}, []),
        ("interest_demanded", {"yen": 6}, [("1150", 6), ("7110", -6)]),
        (
            "bank_receipt",
            {"interest_yen": 6, "principal_yen": 294},
            [("1110", 300), ("1150", -6), ("1140", -294)],
        ),
        (
            "bank_receipt",
            {"undemanded_yen": 2, "interest_yen": 6, "principal_yen": 294},
            [("1150", 2), ("1110", 300), ("7110", -2), ("1150", -6), ("1140", -294)],
        ),
        ("overpaid", {"yen": 200}, [("1110", 200), ("2140", -200)]),
        ("deposit_refunded", {"yen": 200}, [("2140", 200), ("1110", -200)]),
        (
            "deposit_applied",
            {"undemanded_yen": 1, "interest_yen": 1, "principal_yen": 199},
            [("1150", 1), ("2140", 200), ("7110", -1), ("1150", -1), ("1140", -199)],
        ),
        ("unidentified_receipt", {"yen": 300}, [("1110", 300), ("2145", -300)]),
        (
            "receipt_identified",
            {"costs_yen": 10, "interest_yen": 6, "principal_yen": 200, "deposit_yen": 84},
            [("2145", 300), ("7120", -10), ("1150", -6), ("1140", -200), ("2140", -84)],
        ),
        ("costs_paid", {"yen": 330}, [("1110", 330), ("7120", -330)]),
        ("credit_granted", {"yen": 100}, [("4190", 91), ("2170", 9), ("2130", -100)]),
        ("credit_applied", {"yen": 100}, [("2130", 100), ("1140", -100)]),
        (
            "credit_applied",
            {"yen": 196, "tax_adjustment_yen": -1},
            [("2130", 196), ("1140", -196), ("2170", 1), ("4190", -1)],
        ),
        ("credit_refunded", {"yen": 100}, [("2130", 100), ("1131", -100)]),
        ("credit_kept", {"yen": 100}, [("2130", 100), ("2140", -100)]),
        ("remedy_performed", {"yen": 100}, [("2130", 100), ("4190", -91), ("2170", -9)]),
        ("refund_failed", {"yen": 100}, [("1131", 100), ("2130", -100)]),
        (
            "set_off",
            {"undemanded_yen": 6, "interest_yen": 6, "principal_yen": 94},
            [("1150", 6), ("2130", 100), ("7110", -6), ("1150", -6), ("1140", -94)],
        ),
        ("processor_fee", {"exempt_yen": 18}, [("6110", 18), ("1131", -18)]),
        ("processor_fee", {"taxable_yen": 18}, [("6111", 17), ("1180", 1), ("1131", -18)]),
        ("processor_fee", {"taxable_yen": -18}, [("6111", -17), ("1180", -1), ("1131", 18)]),
        ("payout", {"yen": 482}, [("1110", 482), ("1131", -482)]),
        ("payout", {"yen": -482}, [("1110", -482), ("1131", 482)]),
        ("dispute_opened", {"yen": 500, "fee_yen": 1500}, [("1132", 500), ("6112", 1500), ("1131", -2000)]),
        ("dispute_won", {"yen": 500}, [("1131", 500), ("1132", -500)]),
        ("dispute_lost_claim_stays", {"yen": 500}, [("1140", 500), ("1132", -500)]),
        (
            "dispute_lost_sale_void",
            {"unrecognised_yen": 200, "recognised_yen": 300},
            [("2120", 200), ("4110", 273), ("2170", 27), ("1132", -500)],
        ),
        ("term_ended_early_paid", {"yen": 200}, [("2120", 200), ("4110", -182), ("2170", -18)]),
        (
            "write_off",
            {"unrecognised_yen": 200, "recognised_yen": 300},
            [("2120", 200), ("6190", 273), ("2170", 27), ("1140", -500)],
        ),
        ("interest_written_off", {"yen": 6}, [("6190", 6), ("1150", -6)]),
        ("provision", {"yen": 50}, [("6191", 50), ("1190", -50)]),
        ("provision", {"yen": -50}, [("6191", -50), ("1190", 50)]),
        ("key_sold", {"yen": 500}, [("1131", 500), ("2125", -500)]),
        ("key_redeemed", {"yen": 500}, [("2125", 500), ("2120", -500)]),
        ("key_expired", {"yen": 500}, [("2125", 500), ("7120", -500)]),
        ("coupon_term_started", {}, []),
        ("store_term_started", {"yen": 500}, [("1133", 500), ("2120", -500)]),
        ("store_reported", {"yen": 75, "tax_yen": 7}, [("6111", 68), ("1180", 7), ("1133", -75)]),
        ("store_paid_out", {"yen": 425}, [("1110", 425), ("1133", -425)]),
        ("store_paid_out", {"yen": -425}, [("1110", -425), ("1133", 425)]),
        (
            "store_refunded",
            {"unrecognised_yen": 200, "recognised_yen": 300},
            [("2120", 200), ("4110", 273), ("2170", 27), ("1133", -500)],
        ),
        ("store_fee_returned", {"yen": 75, "tax_yen": 7}, [("1133", 75), ("6111", -68), ("1180", -7)]),
    ],
)
def test_an_event_posts_what_the_table_of_the_books_says(
    event: str, amounts: dict[str, int], lines: list[tuple[str, int]]
) -> None:
    assert _lines(event, **amounts) == lines
    assert sum(yen for _, yen in lines) == 0


def test_the_chart_holds_every_account_of_the_books_once() -> None:
    assert [account.code for account in CHART] == [
        "1110",
        "1131",
        "1132",
        "1133",
        "1140",
        "1150",
        "1180",
        "1190",
        "2120",
        "2125",
        "2130",
        "2140",
        "2145",
        "2170",
        "4110",
        "4190",
        "6110",
        "6111",
        "6112",
        "6190",
        "6191",
        "7110",
        "7120",
    ]
    assert [account.code for account in CHART if not account.on_balance_sheet] == (
        ["4110", "4190", "6110", "6111", "6112", "6190", "6191", "7110", "7120"]
    )
    assert chart()["4190"].type is AccountType.CONTRA_REVENUE


def test_an_accountants_own_codes_replace_ours() -> None:
    renamed = chart({"1140": "135", "2120": "380"})
    assert (renamed["1140"].code, renamed["1140"].ja, renamed["2130"].code) == ("135", "売掛金", "2130")


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ({"9999": "1"}, "no such account in the chart: 9999"),
        ({"1140": "1150"}, "two accounts would share a code"),
    ],
)
def test_codes_that_fit_no_account_or_two_are_refused(codes: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        chart(codes)


def test_the_table_for_the_documents_has_a_row_for_every_rule_with_names_and_amounts() -> None:
    rows = {row.event: row for row in rules_table({"2120": "380"})}
    accounts = chart({"2120": "380"})
    assert list(rows) == [rule.event for rule in RULES]
    assert rows["revenue_recognised"].clause == "premium/4.1"
    assert rows["revenue_recognised"].debit == ((accounts["2120"], "yen"),)
    assert rows["revenue_recognised"].credit == (
        (accounts["4110"], "yen - tax_yen"),
        (accounts["2170"], "tax_yen"),
    )
    assert rows["charge_failed"].debit == rows["charge_failed"].credit == ()


def test_an_entry_carries_its_event_and_its_clause() -> None:
    assert journal("interest_demanded", yen=0) == Entry("interest_demanded", "premium/5.2", ())


@pytest.mark.parametrize(
    ("event", "amounts", "message"),
    [
        ("late_fee", {}, "no journal rule for 'late_fee'; there are term_invoiced"),
        ("term_invoiced", {}, r"term_invoiced takes yen; missing: \['yen'\], unknown: \[\]"),
        ("term_invoiced", {"yen": 500, "tax": 45}, r"missing: \[\], unknown: \['tax'\]"),
        ("charge_failed", {"yen": 500}, "charge_failed takes no amounts"),
        ("store_reported", {"yen": 75}, r"missing: \['tax_yen'\]"),
        ("term_invoiced", {"yen": -500}, "1140 would get -500 yen on its wrong side"),
        ("term_ended_early_paid", {"yen": 1, "tax_yen": 2}, "4110 would get -1 yen on its wrong side"),
    ],
)
def test_a_wrong_event_or_amount_is_refused_by_name(event: str, amounts: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        journal(event, TAX, **amounts)


def test_tax_without_a_rate_has_to_be_named() -> None:
    with pytest.raises(ValueError, match=r"missing: \['tax_yen'\]"):
        journal("credit_granted", yen=100)


def test_a_reversal_takes_an_entry_back_line_by_line() -> None:
    entry = journal("credit_granted", TAX, yen=100)
    assert [(line.account, line.yen) for line in reversal(entry).lines] == [
        ("4190", -91),
        ("2170", -9),
        ("2130", 100),
    ]
