"""Whole lives in the journal leave nothing on the balance sheet, and every entry balances."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keizoku.billing.rules.books.chart import CHART
from keizoku.billing.rules.books.journal_rules import RULES, Entry, journal
from keizoku.billing.rules.books.revenue_recognition import divide_claim

TAX = Fraction(10, 100)
CASH_AND_TAX = {"1110", "1180", "2170"}


LIVES: dict[str, list[tuple[str, dict[str, int]]]] = {
    "paid by card": [
        ("term_invoiced", {"yen": 500}),
        ("card_charge_succeeded", {"yen": 500}),
        ("revenue_recognised", {"yen": 500}),
        ("processor_fee", {"exempt_yen": 18}),
        ("payout", {"yen": 482}),
    ],
    "terminated, the unpaid fee ends with it by the other reading": [
        ("term_invoiced", {"yen": 5_300}),
        ("charge_failed", {}),
        ("revenue_recognised", {"yen": 580}),
        ("fee_reduced", {"yen": 4_720}),
        ("bank_receipt", {"principal_yen": 580}),
    ],
    "credited on the next invoice": [
        ("credit_granted", {"yen": 196}),
        ("term_invoiced", {"yen": 980}),
        ("credit_applied", {"yen": 196, "tax_adjustment_yen": -1}),
        ("card_charge_succeeded", {"yen": 784}),
        ("revenue_recognised", {"yen": 980}),
        ("payout", {"yen": 784}),
    ],
    "credited and refunded at the second try": [
        ("term_invoiced", {"yen": 500}),
        ("card_charge_succeeded", {"yen": 500}),
        ("revenue_recognised", {"yen": 500}),
        ("credit_granted", {"yen": 100}),
        ("credit_refunded", {"yen": 100}),
        ("refund_failed", {"yen": 100}),
        ("credit_refunded", {"yen": 100}),
        ("payout", {"yen": 400}),
    ],
    "credited, and another remedy performed in its place": [
        ("term_invoiced", {"yen": 500}),
        ("card_charge_succeeded", {"yen": 500}),
        ("revenue_recognised", {"yen": 500}),
        ("credit_granted", {"yen": 100}),
        ("remedy_performed", {"yen": 100}),
        ("payout", {"yen": 500}),
    ],
    "paid by bank, credited, and the credit sent by bank": [
        ("term_invoiced", {"yen": 500}),
        ("bank_receipt", {"principal_yen": 500}),
        ("revenue_recognised", {"yen": 500}),
        ("credit_granted", {"yen": 100}),
        ("credit_kept", {"yen": 100}),
        ("deposit_refunded", {"yen": 100}),
    ],
    "late, then paid by bank with costs and too much": [
        ("term_invoiced", {"yen": 500}),
        ("charge_failed", {}),
        ("revenue_recognised", {"yen": 500}),
        ("interest_demanded", {"yen": 4}),
        ("costs_paid", {"yen": 110}),
        ("bank_receipt", {"undemanded_yen": 2, "interest_yen": 6, "principal_yen": 500}),
        ("overpaid", {"yen": 100}),
        ("deposit_refunded", {"yen": 100}),
    ],
    "paid by somebody who was found later, the rest kept for the next term": [
        ("term_invoiced", {"yen": 500}),
        ("unidentified_receipt", {"yen": 700}),
        ("receipt_identified", {"principal_yen": 500, "deposit_yen": 200}),
        ("revenue_recognised", {"yen": 500}),
        ("term_invoiced", {"yen": 200}),
        ("deposit_applied", {"principal_yen": 200}),
        ("revenue_recognised", {"yen": 200}),
    ],
    "matched to the wrong payer, whose demand is less by it, then sent back": [
        ("term_invoiced", {"yen": 500}),
        ("revenue_recognised", {"yen": 500}),
        ("interest_demanded", {"yen": 6}),
        ("bank_receipt", {"interest_yen": 2, "principal_yen": 500}),
        ("interest_reduced", {"yen": 4}),
        ("receipt_unmatched", {"interest_yen": 2, "principal_yen": 500}),
        ("unidentified_returned", {"yen": 502}),
        ("bank_receipt", {"interest_yen": 2, "principal_yen": 500}),
    ],
    "terminated unpaid, set off in part, then written off": [
        ("term_invoiced", {"yen": 500}),
        ("revenue_recognised", {"yen": 300}),
        ("interest_demanded", {"yen": 8}),
        ("credit_granted", {"yen": 100}),
        ("set_off", {"interest_yen": 6, "principal_yen": 94}),
        ("write_off", {"unrecognised_yen": 200, "recognised_yen": 206}),
        ("interest_written_off", {"yen": 2}),
        ("provision", {"yen": 50}),
        ("provision", {"yen": -50}),
    ],
    "left early, paid": [
        ("term_invoiced", {"yen": 5300}),
        ("card_charge_succeeded", {"yen": 5300}),
        ("revenue_recognised", {"yen": 885}),
        ("term_ended_early_paid", {"yen": 4415}),
        ("payout", {"yen": 5300}),
        ("unidentified_receipt", {"yen": 5300}),
        ("payout_at_bank", {"yen": 5300}),
        ("unidentified_receipt", {"yen": 425}),
        ("booked_at_bank", {"yen": 425}),
        ("payout_fee", {"yen": 220}),
        ("unidentified_payment", {"yen": 330}),
        ("bank_fee", {"yen": 330}),
        ("unidentified_payment", {"yen": 12000}),
        ("bank_line_undone", {"yen": -12000}),
    ],
    "disputed and won": [
        ("term_invoiced", {"yen": 500}),
        ("card_charge_succeeded", {"yen": 500}),
        ("revenue_recognised", {"yen": 500}),
        ("dispute_opened", {"yen": 500, "fee_yen": 1500}),
        ("dispute_won", {"yen": 500}),
        ("dispute_fee", {"yen": -1500}),
        ("payout", {"yen": 500}),
    ],
    "disputed, lost, and won on appeal": [
        ("term_invoiced", {"yen": 500}),
        ("card_charge_succeeded", {"yen": 500}),
        ("revenue_recognised", {"yen": 500}),
        ("dispute_opened", {"yen": 500, "fee_yen": 1500}),
        ("dispute_lost_claim_stays", {"yen": 500}),
        ("dispute_won_on_appeal", {"yen": 500}),
        ("dispute_fee", {"yen": -1500}),
        ("payout", {"yen": 500}),
    ],
    "disputed, lost, paid by bank, and won after all: what the card paid goes back": [
        ("term_invoiced", {"yen": 500}),
        ("card_charge_succeeded", {"yen": 500}),
        ("revenue_recognised", {"yen": 500}),
        ("processor_tax", {"yen": 18}),
        ("dispute_opened", {"yen": 500}),
        ("dispute_lost_claim_stays", {"yen": 500}),
        ("bank_receipt", {"principal_yen": 500}),
        ("dispute_won_late", {"yen": 500}),
        ("deposit_refunded", {"yen": 500}),
        ("payout", {"yen": 482}),
    ],
    "disputed and lost, the sale void at last": [
        ("term_invoiced", {"yen": 500}),
        ("card_charge_succeeded", {"yen": 500}),
        ("revenue_recognised", {"yen": 500}),
        ("dispute_opened", {"yen": 500, "fee_yen": 1500}),
        ("dispute_lost_claim_stays", {"yen": 500}),
        ("sale_voided", {"unrecognised_yen": 0, "recognised_yen": 500}),
        ("payout", {"yen": -1500}),
    ],
    "disputed and lost, paid by bank after all": [
        ("term_invoiced", {"yen": 500}),
        ("card_charge_succeeded", {"yen": 500}),
        ("revenue_recognised", {"yen": 500}),
        ("dispute_opened", {"yen": 500, "fee_yen": 1500}),
        ("dispute_lost_claim_stays", {"yen": 500}),
        ("bank_receipt", {"principal_yen": 500}),
        ("payout", {"yen": -1500}),
    ],
    "disputed and lost in the middle of the term, the sale void": [
        ("term_invoiced", {"yen": 500}),
        ("card_charge_succeeded", {"yen": 500}),
        ("revenue_recognised", {"yen": 300}),
        ("dispute_opened", {"yen": 500, "fee_yen": 1500}),
        ("dispute_lost_sale_void", {"unrecognised_yen": 200, "recognised_yen": 300}),
        ("payout", {"yen": -1500}),
    ],
    "three keys, one redeemed, one expired, one revoked": [
        ("key_sold", {"yen": 500}),
        ("key_sold", {"yen": 500}),
        ("key_sold", {"yen": 500}),
        ("key_redeemed", {"yen": 500}),
        ("revenue_recognised", {"yen": 500}),
        ("key_expired", {"yen": 500}),
        ("key_revoked", {"yen": 500}),
        ("payout", {"yen": 1000}),
    ],
    "paid by bank while the card was charged": [
        ("term_invoiced", {"yen": 500}),
        ("bank_receipt", {"principal_yen": 500}),
        ("card_overcharged", {"yen": 500}),
        ("overcharge_refunded", {"yen": 500}),
        ("overcharge_refund_failed", {"yen": 500}),
        ("overcharge_refunded", {"yen": 500}),
        ("revenue_recognised", {"yen": 500}),
    ],
    "a deposit that the bank could not pay at first": [
        ("overpaid", {"yen": 500}),
        ("deposit_refunded", {"yen": 500}),
        ("deposit_refund_failed", {"yen": 500}),
        ("deposit_refunded", {"yen": 500}),
    ],
    "by coupon": [("coupon_term_started", {})],
    "through an app store": [
        ("store_term_started", {"yen": 500}),
        ("revenue_recognised", {"yen": 500}),
        ("store_reported", {"yen": 75, "tax_yen": 7}),
        ("store_paid_out", {"yen": 425}),
    ],
    "refunded by an app store": [
        ("store_term_started", {"yen": 500}),
        ("store_reported", {"yen": 75, "tax_yen": 7}),
        ("store_paid_out", {"yen": 425}),
        ("store_refunded", {"unrecognised_yen": 200, "recognised_yen": 300}),
        ("store_fee_returned", {"yen": 75, "tax_yen": 7}),
        ("store_paid_out", {"yen": -425}),
        ("revenue_recognised", {"yen": 300}),
    ],
}


@pytest.mark.parametrize("life", LIVES)
def test_a_whole_life_leaves_nothing_on_the_balance_sheet_but_cash_and_tax(life: str) -> None:
    balances = _balances(journal(event, TAX, **amounts) for event, amounts in LIVES[life])
    on_sheet = {account.code for account in CHART if account.on_balance_sheet} - CASH_AND_TAX
    assert {code: yen for code, yen in balances.items() if code in on_sheet and yen} == {}


def test_the_lives_together_live_through_every_event() -> None:
    assert {event for life in LIVES.values() for event, _ in life} == {rule.event for rule in RULES}


def test_a_credited_life_holds_the_tax_of_its_one_document() -> None:
    balances = _balances(journal(event, TAX, **amounts) for event, amounts in LIVES["credited on the next invoice"])
    assert (balances["2170"], balances["4110"], balances["4190"], balances["1110"]) == (-71, -891, 178, 784)


@given(st.sampled_from([rule.event for rule in RULES]), st.data())
def test_every_entry_balances_and_has_no_line_of_zero(event: str, data: st.DataObject) -> None:
    rule = next(rule for rule in RULES if rule.event == event)
    words = {word for side in (rule.debit, rule.credit) for word in side.replace(";", " ").split()}
    names = {word for word in words if word.endswith("yen")} - {"tax_yen"}
    amounts = {name: data.draw(st.integers(0, 10**9), label=name) for name in sorted(names)}
    if "tax_yen" in words and not rule.tax_of:
        amounts["tax_yen"] = data.draw(st.integers(0, amounts["yen"]), label="tax_yen")

    lines = journal(event, TAX, **amounts).lines

    assert sum(line.yen for line in lines) == 0
    assert all(line.yen for line in lines)


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_write_off_at_any_point_empties_the_receivable_and_the_liability(
    fee_yen: int, earned_yen: int, paid_yen: int
) -> None:
    earned_yen, paid_yen = min(earned_yen, fee_yen), min(paid_yen, fee_yen)
    given_up = divide_claim(fee_yen - paid_yen, fee_yen - earned_yen)
    balances = _balances(
        [
            journal("term_invoiced", yen=fee_yen),
            journal("revenue_recognised", TAX, yen=earned_yen),
            journal("bank_receipt", principal_yen=paid_yen),
            journal("write_off", TAX, **given_up._asdict()),
            journal("term_ended_early_paid", TAX, yen=fee_yen - earned_yen - given_up.unrecognised_yen),
        ]
    )
    assert (balances["1140"], balances["2120"]) == (0, 0)


def _balances(entries: Iterable[Entry]) -> Counter[str]:
    balances: Counter[str] = Counter()
    for entry in entries:
        for line in entry.lines:
            balances[line.account] += line.yen
    return balances
