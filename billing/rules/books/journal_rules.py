"""The books: the chart of accounts, and one table that says what each event posts.

    journal("interest_demanded", yen=6)  ->  1150 +6 │ 7110 -6        debit positive, credit negative, sum
    zero

Always holds: an entry balances whatever its amounts are (each rule is checked when this module loads),
lines of zero are left out, and a side turns over only where a rule allows it. Amounts are whole yen, tax
included; `tax_yen` is the tax in them. Errors: ValueError for an unknown event or amount, a missing one, or
one on the wrong side: these are programmer errors. Where the chart or a rule is practice rather than law,
it is a default for an accountant to change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import NamedTuple

from keizoku.billing.rules.books.chart import CHART, Account
from keizoku.terms.money import tax_included_yen


@dataclass(frozen=True, slots=True)
class Rule:
    """What one event posts. A side is "ACCOUNT amounts; ACCOUNT amounts", amounts by name, with + and -."""

    event: str
    clause: str  # the contract's, empty where only bookkeeping or general law speaks
    occasion: str
    debit: str = ""
    credit: str = ""
    tax_of: str = ""  # the amount whose tax `tax_yen` is, if the caller gives a rate instead of the tax
    optional: tuple[str, ...] = ()  # amounts that are zero when they are not named
    signed: bool = False  # amounts below zero are allowed and turn the sides over


RULES: tuple[Rule, ...] = (
    # Fees
    Rule("term_invoiced", "premium/4.1", "a term begins and its fee is invoiced", "1140 yen", "2120 yen"),
    Rule(
        "revenue_recognised", "premium/4.1",
        "days of terms have passed; a day that was wrong gets the difference",
        "2120 yen", "4110 yen - tax_yen; 2170 tax_yen", tax_of="yen", signed=True,
    ),
    Rule("card_charge_succeeded", "premium/5.1.1.a", "a card pays the open fee", "1131 yen", "1140 yen"),
    Rule("card_overcharged", "", "a card pays what was already paid: it goes back", "1131 yen", "2140 yen"),
    Rule("charge_failed", "premium/5.2", "a card is refused: the receivable stays"),
    Rule(
        "term_ended_early_paid", "premium/6.3",
        "a term ends early: the rest of its fee is earned, at once if paid, else when it is paid",
        "2120 yen", "4110 yen - tax_yen; 2170 tax_yen", tax_of="yen",
    ),
    Rule(
        "fee_reduced", "premium/7.2", "by the other reading a terminated term's unpaid fee ends with it",
        "2120 yen", "1140 yen",
    ),
    # What the payer owes and sends. Interest not yet demanded is booked first.
    Rule("interest_demanded", "premium/5.2", "interest is demanded, never daily", "1150 yen", "7110 yen"),
    Rule(
        "bank_receipt", "premium/5.2", "the payer sends money for interest and fees",
        "1150 undemanded_yen; 1110 interest_yen + principal_yen",
        "7110 undemanded_yen; 1150 interest_yen; 1140 principal_yen",
        optional=("undemanded_yen", "interest_yen", "principal_yen"),
    ),
    Rule(
        "interest_reduced", "premium/5.2",
        "a payment or a set-off reaches back before a demand: what was demanded for the days since is not owed",
        "7110 yen", "1150 yen", signed=True,
    ),
    Rule("costs_paid", "premium/5.2", "the payer bears the costs of paying", "1110 yen", "7120 yen"),
    Rule("overpaid", "", "the payer sends more than is owed", "1110 yen", "2140 yen"),
    Rule("deposit_refunded", "", "a deposit is sent back", "2140 yen", "1110 yen"),
    Rule("deposit_refund_failed", "", "the bank cannot pay it and gives it back", "1110 yen", "2140 yen"),
    Rule("overcharge_refunded", "", "what a card paid too much goes back to it", "2140 yen", "1131 yen"),
    Rule(
        "overcharge_refund_failed", "", "that refund fails: the money is the payer's again", "1131 yen", "2140 yen",
    ),
    Rule(
        "deposit_applied", "premium/5.2", "a deposit pays what has become due since",
        "1150 undemanded_yen; 2140 interest_yen + principal_yen",
        "7110 undemanded_yen; 1150 interest_yen; 1140 principal_yen",
        optional=("undemanded_yen", "interest_yen", "principal_yen"), signed=True,
    ),
    Rule("unidentified_receipt", "", "money arrives and nobody can be found for it", "1110 yen", "2145 yen"),
    Rule(
        "receipt_identified", "premium/5.2", "its payer is found",
        "1150 undemanded_yen; 2145 costs_yen + interest_yen + principal_yen + deposit_yen",
        "7110 undemanded_yen; 7120 costs_yen; 1150 interest_yen; 1140 principal_yen; 2140 deposit_yen",
        optional=("undemanded_yen", "costs_yen", "interest_yen", "principal_yen", "deposit_yen"),
    ),
    Rule(
        "receipt_unmatched", "premium/5.2", "it was another's: whose it is stands open again",
        "7110 undemanded_yen; 7120 costs_yen; 1150 interest_yen; 1140 principal_yen; 2140 deposit_yen",
        "1150 undemanded_yen; 2145 costs_yen + interest_yen + principal_yen + deposit_yen",
        optional=("undemanded_yen", "costs_yen", "interest_yen", "principal_yen", "deposit_yen"),
    ),
    Rule(
        "payout_at_bank", "", "a receipt turns out to be the processor's payout, booked already from its balance",
        "2145 yen", "1110 yen", signed=True,
    ),
    Rule(
        "booked_at_bank", "", "a line of the bank turns out to be what was booked already from another side",
        "2145 yen", "1110 yen", signed=True,
    ),
    Rule("unidentified_payment", "", "money leaves the bank and nobody has said what for", "2145 yen", "1110 yen"),
    Rule(
        "bank_fee", "", "what left the bank is its fee", "6111 yen - tax_yen; 1180 tax_yen", "2145 yen",
        tax_of="yen", signed=True,
    ),
    Rule(
        "payout_fee", "", "the bank kept its fee from a payout that came in", "6111 yen - tax_yen; 1180 tax_yen",
        "1110 yen", tax_of="yen", signed=True,
    ),
    Rule(
        "bank_line_undone", "", "a line that a wrong mapping read is taken back", "2145 yen", "1110 yen", signed=True,
    ),
    Rule("unidentified_returned", "", "nobody is found: it goes back to where it came from", "2145 yen", "1110 yen"),
    # SLA credits
    Rule(
        "credit_granted", "premium/9.2", "an award is granted as a credit",
        "4190 yen - tax_yen; 2170 tax_yen", "2130 yen", tax_of="yen",
    ),
    Rule(
        "credit_applied", "premium/9.2",
        "credits reduce an invoice, whose tax, rounded once, may differ from what is booked",
        "2130 yen", "1140 yen; 2170 tax_adjustment_yen; 4190 - tax_adjustment_yen",
        optional=("tax_adjustment_yen",), signed=True,
    ),
    Rule("credit_refunded", "premium/9.2", "a credit is paid back to the card", "2130 yen", "1131 yen"),
    Rule(
        "credit_kept", "premium/9.2", "a credit that no invoice or card takes is kept for its user, to be sent by bank",
        "2130 yen", "2140 yen",
    ),
    Rule(
        "remedy_performed", "premium/9.2", "another remedy was performed in place of a credit, as the user agreed",
        "2130 yen", "4190 yen - tax_yen; 2170 tax_yen", tax_of="yen",
    ),
    Rule("refund_failed", "premium/9.2", "a refund fails: the credit is owed again", "1131 yen", "2130 yen"),
    Rule(
        "set_off", "", "credits are set off against what is owed, by notice",
        "1150 undemanded_yen; 2130 interest_yen + principal_yen",
        "7110 undemanded_yen; 1150 interest_yen; 1140 principal_yen",
        optional=("undemanded_yen", "interest_yen", "principal_yen"), signed=True,
    ),
    # The payment processor
    Rule(
        "processor_fee", "", "the processor keeps its fee, exempt or taxable",
        "6110 exempt_yen; 6111 taxable_yen - tax_yen; 1180 tax_yen", "1131 exempt_yen + taxable_yen",
        tax_of="taxable_yen", optional=("exempt_yen", "taxable_yen"), signed=True,
    ),
    Rule("processor_tax", "", "the processor takes the tax on its fees by itself", "1180 yen", "1131 yen", signed=True),
    Rule("payout", "", "the processor pays out", "1110 yen", "1131 yen", signed=True),
    Rule(
        "dispute_opened", "premium/5.2", "a cardholder disputes a charge",
        "1132 yen; 6112 fee_yen", "1131 yen + fee_yen", optional=("fee_yen",),
    ),
    Rule(
        "dispute_fee", "", "the processor's fee for a dispute changes, or comes back",
        "6112 yen", "1131 yen", signed=True,
    ),
    Rule("dispute_won", "premium/5.2", "the money of a dispute comes back", "1131 yen", "1132 yen"),
    Rule("dispute_won_on_appeal", "premium/5.2", "a lost dispute is won: the fee is paid", "1131 yen", "1140 yen"),
    Rule(
        "dispute_won_late", "premium/5.2", "a lost dispute is won after its fee was paid or voided: it is the payer's",
        "1131 yen", "2140 yen",
    ),
    Rule(
        "dispute_lost_claim_stays", "premium/5.2", "a dispute is lost, the fee stays owed",
        "1140 yen", "1132 yen",
    ),
    Rule(
        "dispute_lost_sale_void", "", "a dispute is lost, the sale is void",
        "2120 unrecognised_yen; 4110 recognised_yen - tax_yen; 2170 tax_yen",
        "1132 unrecognised_yen + recognised_yen",
        tax_of="recognised_yen",
    ),
    Rule(
        "sale_voided", "", "after a dispute was lost and the claim stayed, people void the sale",
        "2120 unrecognised_yen; 4110 recognised_yen - tax_yen; 2170 tax_yen",
        "1140 unrecognised_yen + recognised_yen",
        tax_of="recognised_yen",
    ),
    # What will not be paid
    Rule(
        "write_off", "", "a fee is given up",
        "2120 unrecognised_yen; 6190 recognised_yen - tax_yen; 2170 tax_yen",
        "1140 unrecognised_yen + recognised_yen",
        tax_of="recognised_yen",
    ),
    Rule("interest_written_off", "", "demanded interest is given up", "6190 yen", "1150 yen"),
    Rule("provision", "", "the allowance is raised, or lowered", "6191 yen", "1190 yen", signed=True),
    # Other ways to pay
    Rule("key_sold", "premium/5.1.1.b", "a product key is sold", "1131 yen", "2125 yen"),
    Rule("key_redeemed", "premium/5.1.1.b", "a key pays for a term", "2125 yen", "2120 yen"),
    Rule("key_expired", "premium/5.1.1.b", "a key expires unused", "2125 yen", "7120 yen"),
    Rule("key_revoked", "premium/5.1.1.b", "unused keys are revoked, their buyer is paid back", "2125 yen", "1131 yen"),
    Rule("coupon_term_started", "premium/5.1.1.b", "a free coupon pays for a term: nothing is owed"),
    Rule("store_term_started", "premium/5.1.2", "a term paid by app store begins", "1133 yen", "2120 yen"),
    Rule(
        "store_reported", "premium/5.1.2", "the store's report names its fee and the tax in it",
        "6111 yen - tax_yen; 1180 tax_yen", "1133 yen",
    ),
    Rule("store_paid_out", "premium/5.1.2", "the store pays out", "1110 yen", "1133 yen", signed=True),
    Rule(
        "store_refunded", "premium/5.1.2", "the store gives its customer the fee of a term back",
        "2120 unrecognised_yen; 4110 recognised_yen - tax_yen; 2170 tax_yen",
        "1133 unrecognised_yen + recognised_yen",
        tax_of="recognised_yen",
    ),
    Rule(
        "store_fee_returned", "premium/5.1.2", "the store gives its fee back with it",
        "1133 yen", "6111 yen - tax_yen; 1180 tax_yen",
    ),
)  # fmt: skip


class JournalLine(NamedTuple):
    """One line of an entry: the chart's own code, debit positive."""

    account: str
    yen: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be posted for an event; no lines where nothing is."""

    event: str
    clause: str
    lines: tuple[JournalLine, ...]


class RuleRow(NamedTuple):
    """A rule as the documents show it."""

    event: str
    clause: str
    occasion: str
    debit: tuple[tuple[Account, str], ...]  # (account, its amounts)
    credit: tuple[tuple[Account, str], ...]


def journal(event: str, tax_rate: Fraction | None = None, /, **amounts: int) -> Entry:
    """The entry of an event from its named amounts.

    `tax_yen` is named where parts have to sum to a whole (revenue by day) or a document states it (a
    store's report); elsewhere the rate will do, and the tax in the amount is rounded down.
    """
    if event not in _BY_EVENT:
        raise ValueError(f"no journal rule for {event!r}; there are {', '.join(_BY_EVENT)}")
    rule = _BY_EVENT[event]
    named = _named(rule, tax_rate, amounts)
    lines: list[JournalLine] = []
    for side, legs in ((1, rule.debit), (-1, rule.credit)):
        for account, parts in legs:
            yen = sum(sign * named[name] for sign, name in parts)
            if yen < 0 and not rule.rule.signed:
                raise ValueError(f"{event}: {account} would get {yen} yen on its wrong side, of {named}")
            if yen:
                lines.append(JournalLine(account, side * yen))
    return Entry(event, rule.rule.clause, tuple(lines))


def reversal(entry: Entry) -> Entry:
    """The new entry that takes an entry back; nothing posted is ever changed."""
    return replace(entry, lines=tuple(JournalLine(line.account, -line.yen) for line in entry.lines))


def chart(codes: Mapping[str, str] | None = None) -> dict[str, Account]:
    """The chart by our own codes, with the codes of the accountant's package where `codes` names others.

    ValueError if a code is unknown here, or two accounts would share one.
    """
    codes = codes or {}
    unknown = sorted(set(codes) - {account.code for account in CHART})
    if unknown:
        raise ValueError(f"no such account in the chart: {', '.join(unknown)}")
    renamed = {account.code: replace(account, code=codes.get(account.code, account.code)) for account in CHART}
    if len({account.code for account in renamed.values()}) < len(CHART):
        raise ValueError(f"two accounts would share a code: {dict(codes)}")
    return renamed


@cache
def tax_carriers(event: str) -> frozenset[str] | None:
    """The accounts whose lines the tax of an event is split from; None for an event without a rule of its own."""
    read = _BY_EVENT.get(event)
    if read is None:
        return None
    return frozenset(
        code
        for code, parts in (*read.debit, *read.credit)
        if any(sign < 0 and name.startswith("tax_") for sign, name in parts)
    )


def rules_table(codes: Mapping[str, str] | None = None) -> tuple[RuleRow, ...]:
    """All rules, in order, for the documents."""
    accounts = chart(codes)

    def side(text: str) -> tuple[tuple[Account, str], ...]:
        return tuple((accounts[code], amounts) for code, amounts in _legs(text))

    return tuple(RuleRow(rule.event, rule.clause, rule.occasion, side(rule.debit), side(rule.credit)) for rule in RULES)


_Parts = tuple[tuple[int, str], ...]  # (+1 or -1, name of an amount)


@dataclass(frozen=True, slots=True)
class _ReadRule:
    """A rule with its sides taken apart."""

    rule: Rule
    debit: tuple[tuple[str, _Parts], ...]
    credit: tuple[tuple[str, _Parts], ...]
    names: frozenset[str]


def _named(read: _ReadRule, tax_rate: Fraction | None, amounts: Mapping[str, int]) -> dict[str, int]:
    """All amounts of a rule, the tax and the optional ones filled in."""
    rule = read.rule
    named = dict.fromkeys(rule.optional, 0) | dict(amounts)
    if rule.tax_of and "tax_yen" not in named and tax_rate is not None and rule.tax_of in named:
        taxed_yen = named[rule.tax_of]
        sign = -1 if taxed_yen < 0 else 1
        named["tax_yen"] = sign * tax_included_yen(abs(taxed_yen), tax_rate)
    if named.keys() != read.names:
        raise ValueError(
            f"{rule.event} takes {', '.join(sorted(read.names)) or 'no amounts'}; "
            f"missing: {sorted(read.names - named.keys())}, unknown: {sorted(named.keys() - read.names)}"
        )
    if any(type(yen) is not int for yen in named.values()):
        raise ValueError(f"{rule.event}: amounts are whole yen: {named}")
    return named


def _legs(side: str) -> tuple[tuple[str, str], ...]:
    """Read "1131 yen; 6112 fee_yen" as (("1131", "yen"), ("6112", "fee_yen"))."""
    legs = [leg.strip().partition(" ") for leg in side.split(";") if leg.strip()]
    return tuple((code, amounts) for code, _, amounts in legs)


def _parts(amounts: str) -> _Parts:
    """Read "yen - tax_yen" as ((1, "yen"), (-1, "tax_yen"))."""
    parts: list[tuple[int, str]] = []
    sign = 1
    for word in amounts.split():
        if word in ("+", "-"):
            sign = 1 if word == "+" else -1
        else:
            parts.append((sign, word))
    return tuple(parts)


def _read(rule: Rule) -> _ReadRule:
    """Take a rule apart. ValueError if it does not balance for all amounts, or names a strange account."""
    known = {account.code for account in CHART}
    debit = tuple((code, _parts(amounts)) for code, amounts in _legs(rule.debit))
    credit = tuple((code, _parts(amounts)) for code, amounts in _legs(rule.credit))
    totals: dict[str, int] = {}
    for side, legs in ((1, debit), (-1, credit)):
        for code, parts in legs:
            if code not in known:
                raise ValueError(f"{rule.event}: no account {code} in the chart")
            for sign, name in parts:
                totals[name] = totals.get(name, 0) + side * sign
    if any(totals.values()):
        raise ValueError(f"{rule.event} would not balance: {totals}")
    return _ReadRule(rule, debit, credit, frozenset(totals))


def _by_event() -> dict[str, _ReadRule]:
    """All rules by their events. ValueError if an event has two."""
    by_event = {rule.event: _read(rule) for rule in RULES}
    if len(by_event) < len(RULES):
        raise ValueError("an event has two journal rules")
    return by_event


_BY_EVENT = _by_event()
