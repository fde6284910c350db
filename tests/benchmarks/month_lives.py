"""The lives of a generated month's contracts: what our books, the gateway and the bank have of each.

The number of a contract makes its life (tests/benchmarks/month.py says which there are); nothing is drawn by chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from keizoku.terms.calendar import Month
from tests.benchmarks.month_rows import Rows, instant, payout_of

MONTH = Month(2026, 4)
LAST_NIGHT = date(2026, 5, 1)
NOW = instant(LAST_NIGHT, 9 * 3_600)
LONG_AGO = instant(date(2025, 1, 1), 0)
VERSION = "2024-12-02"
PROCESSOR = "ストライプジャパン（カ"
NETWORK_FEES = (2, 5, 1)
"""Yen of the fees that stand beside a charge, each a movement of its own."""


@dataclass(frozen=True, slots=True)
class Bill:
    """A contract's term with its invoice."""

    number: int
    contract_id: int
    term_id: int
    invoice_id: int
    account: str
    yen: int  # after credits
    on: date

    @property
    def key(self) -> str:
        """Our key of its charge."""
        return f"key-{self.invoice_id}"

    @property
    def payment(self) -> str:
        """The gateway's payment for it."""
        return f"pi_{self.invoice_id:08d}"

    @property
    def charge(self) -> str:
        """The gateway's charge for it."""
        return f"ch_{self.invoice_id:08d}"


class GeneratedMonth:
    """The lives of contracts, and what gateway and bank have of them."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.in_month = 0  # movements of April

    def live(self, number: int) -> None:
        """A contract without a fault."""
        place, start = number % 100, start_of(number)
        if place < 90:
            self._card(number, start)
        elif place < 95:
            self._store(number, start)
        elif place < 99:
            bill = self.billed(number, start, method="other", paid=number % 500 >= 100)
            if number % 500 >= 100:
                self.bank_payment(bill, start + timedelta(days=1))
        else:
            self.paid(self.billed(number, start, 5_300, interval="year"), start)

    def _card(self, number: int, start: date) -> None:
        place, turn = number % 100, number // 100
        follows = place % 5 == 0
        contract_id = None
        if follows:
            before = self.billed(number, _month_before(start), ends_on=start)
            self.paid(before, before.on)
            contract_id = before.contract_id
        credited = 100 if 4 <= place < 8 else 0
        unpaid = place == 10 and turn % 2 == 0
        bill = self.billed(number, start, credit_yen=credited, paid=not unpaid, contract_id=contract_id)
        if place in (9, 10):
            self.attempt(bill, start, outcome="declined_soft", key=f"{bill.key}-first")
        if unpaid:
            told = instant(start + timedelta(days=1), 9_000)
            self.rows.put(
                "user_notice", bill.account, bill.contract_id, "overdue", f"invoice:{bill.invoice_id}",
                start + timedelta(days=1), told, "未払い", "unpaid",
            )  # fmt: skip
            return
        paid_on = start + timedelta(days=1) if place in (9, 10) else start
        attempt_id = self.paid(bill, paid_on)
        if place < 4:
            self.refund(bill, attempt_id, min(start + timedelta(days=3), date(2026, 4, 30)))
        elif place == 8 and turn % 3 == 0:
            self._dispute(bill, attempt_id, start, won=turn % 2 == 0)
        elif place in (11, 12):
            self.rows.put(
                "claim", f"claim-{number}", bill.account, str(MONTH), instant(date(2026, 4, 30), number % 80_000),
                "web", NOW,
            )  # fmt: skip

    def billed(
        self,
        number: int,
        start: date,
        price_yen: int = 500,
        *,
        method: str = "card",
        interval: str = "month",
        paid: bool = True,
        credit_yen: int = 0,
        ends_on: date | None = None,
        contract_id: int | None = None,
    ) -> Bill:
        """A contract (or the one given) with a term from `start` and its invoice, and what both post."""
        rows = self.rows
        contract_id, term_id = self._term(number, start, price_yen, method, interval, ends_on, contract_id)
        invoice_id, account, at = rows.number("invoice"), f"u{number:06d}", instant(start, 9_000)
        charged = price_yen - credit_yen
        rows.put(
            "invoice", invoice_id, term_id, contract_id, account, method, price_yen, credit_yen, charged * 10 // 110,
            start, start, at, "paid" if paid else "open", 0 if paid else charged, start if paid else None,
        )  # fmt: skip
        rows.post("term_invoiced", f"term:{term_id}", start, account, yen=price_yen)
        bill = Bill(number, contract_id, term_id, invoice_id, account, charged, start)
        if credit_yen:
            credit_id = self.credit(bill, credit_yen, 0, min(start, date(2026, 4, 2)))
            rows.put("credit_application", credit_id, invoice_id, credit_yen, start, at)
            rows.put("settlement", invoice_id, account, "credit", credit_yen, start, credit_id, at)
            rows.post(
                "credit_applied", f"invoice:{invoice_id}:credit", start, account, yen=credit_yen, tax_adjustment_yen=0
            )
        return bill

    def _term(
        self,
        number: int,
        start: date,
        price_yen: int,
        method: str,
        interval: str,
        ends_on: date | None,
        contract_id: int | None,
    ) -> tuple[int, int]:
        rows, account, at = self.rows, f"u{number:06d}", instant(start, 0)
        code = "monthly" if interval == "month" else "yearly"
        until = ends_on or (_month_after(start) if interval == "month" else start.replace(year=start.year + 1))
        term_id, seq = rows.number("term"), 1 if contract_id is None else 2
        if contract_id is None:
            contract_id = rows.number("contract")
            last_on = until if ends_on is None else _month_after(ends_on)
            rows.put("account", account, LONG_AGO)
            rows.put("contract", contract_id, account, code, method, at, at, start, last_on, at)
        rows.put(
            "term", term_id, contract_id, account, seq, start, until, start if seq == 2 else None, at, method, code,
            interval, price_yen, VERSION, at,
        )  # fmt: skip
        return contract_id, term_id

    def attempt(
        self, bill: Bill, on: date, *, outcome: str | None = "succeeded", key: str = "", second: int = 0
    ) -> int:
        """Our attempt to charge a bill, with what it settles; its number."""
        rows, attempt_id = self.rows, self.rows.number("payment_attempt")
        at = instant(on, second)
        done = outcome == "succeeded"
        answered = None if outcome is None else at
        rows.put(
            "payment_attempt", attempt_id, bill.invoice_id, bill.account, key or bill.key, bill.yen, min(bill.on, on),
            on, at, outcome, None if done or outcome is None else "insufficient_funds", bill.payment if done else None,
            None if outcome is None else on, answered, answered,
        )  # fmt: skip
        if done:
            rows.put("settlement", bill.invoice_id, bill.account, "card", bill.yen, on, attempt_id, at)
            rows.post("card_charge_succeeded", f"attempt:{attempt_id}", on, bill.account, yen=bill.yen)
        return attempt_id

    def charged(self, bill: Bill, at: datetime, **other: Any) -> str:
        """The gateway's charge of a bill with the fees beside it; what `other` says is not as it should be."""
        whole: dict[str, Any] = {
            "amount": bill.yen, "our_key": bill.key, "payment": bill.payment, "source": bill.charge, **other
        }  # fmt: skip
        amount = whole.pop("amount")
        fee = amount * 36 // 1_000 if whole.get("currency", "jpy") == "jpy" else 0
        movement = self.move("charge", amount, at, fee=fee, **whole)
        for yen in NETWORK_FEES:
            self.move("stripe_fee", -yen, at, source=bill.charge)
        return movement

    def paid(self, bill: Bill, on: date) -> int:
        """A bill paid by card, on both sides; the attempt's number."""
        attempt_id = self.attempt(bill, on)
        self.charged(bill, instant(on, 9_000 + bill.number % 70_000))
        return attempt_id

    def credit(self, bill: Bill, yen: int, left_yen: int, on: date) -> int:
        """A credit for March, awarded and granted; its number."""
        rows, award_id = self.rows, self.rows.number("award")
        at, name = instant(on, 9_000), f"march-{bill.number}"
        rows.put("claim", name, bill.account, "2026-03", at, "web", at)
        rows.put("claim_decision", name, 1, "granted", 20_000, "0.20", 1, [bill.term_id], on, at, "0" * 64, 1)
        rows.put(
            "award", award_id, bill.account, "2026-03", 1, name, 1, "0.20", 20_000, [bill.term_id], {}, "500", on, on,
            at,
        )  # fmt: skip
        credit_id = rows.number("credit")
        rows.put("credit", credit_id, award_id, bill.account, "2026-03", yen, yen, on, on, left_yen, at)
        rows.post("credit_granted", f"award:{award_id}", on, bill.account, yen=yen, tax_yen=yen * 10 // 110)
        return credit_id

    def refund(self, bill: Bill, attempt_id: int, on: date, *, yen: int = 100, at_gateway: bool = True) -> int:
        """A credit paid back to the card, on both sides; the refund's number."""
        rows = self.rows
        credit_id, refund_id = self.credit(bill, yen, 0, on), self.rows.number("credit_refund")
        at, key, source = instant(on, 10_000), f"refund-{refund_id}", f"re_{refund_id:08d}"
        rows.put(
            "credit_refund", refund_id, credit_id, attempt_id, bill.account, key, yen, on, at, "succeeded", source, on,
            at, at,
        )  # fmt: skip
        rows.post("credit_refunded", f"refund:{refund_id}", on, bill.account, yen=yen)
        if at_gateway:
            self.move("refund", -yen, at, source=source, payment=bill.payment, our_key=key)
        return refund_id

    def _dispute(self, bill: Bill, attempt_id: int, on: date, *, won: bool) -> None:
        name = f"dp_{bill.invoice_id:08d}"
        for state, kind, at in (
            ("open", "dispute_opened", instant(on + timedelta(days=1), 30_000)),
            ("won", "dispute_won", instant(on + timedelta(days=2), 30_000)),
        ):
            day = on + timedelta(days=1 if state == "open" else 2)
            if (state == "won" and not won) or day > date(2026, 4, 30):
                return
            yen, fee = (-bill.yen, 1_300) if state == "open" else (bill.yen, 0)
            number, back = (1, 0) if state == "open" else (2, bill.yen)
            stood = (bill.yen, back, bill.yen - back, 1_300, "jpy", state)
            self.rows.put("gateway_dispute", name, number, bill.payment, attempt_id, *stood, at, NOW)
            amounts = {"yen": bill.yen, "fee_yen": 1_300} if state == "open" else {"yen": bill.yen}
            self.rows.post(kind, f"dispute:{name}:{state}", day, bill.account, **amounts)
            self.move("adjustment", yen, at, fee=fee, source=name, payment=bill.payment)

    def bank_payment(self, bill: Bill, on: date, *, shown: bool = True) -> int:
        """A bill paid by transfer: our receipt, and the bank's line unless it is not `shown`; the receipt's number."""
        rows, receipt_id, at = self.rows, self.rows.number("receipt"), instant(on, 9_000)
        rows.put("receipt", receipt_id, bill.account, bill.yen, "bank", on, at, 0, at)
        rows.put("allocation", receipt_id, bill.account, "principal", bill.invoice_id, bill.yen, on)
        rows.put("settlement", bill.invoice_id, bill.account, "receipt", bill.yen, on, receipt_id, at)
        rows.post("bank_receipt", f"receipt:{receipt_id}", on, bill.account, principal_yen=bill.yen)
        if shown:
            line_id = self._bank_line(on, bill.yen, f"カイイン{bill.number}")
            rows.put("bank_act", line_id, "matched", -1, bill.account, receipt_id, "reference", at)
        return receipt_id

    def _store(self, number: int, start: date) -> None:
        rows, account = self.rows, f"u{number:06d}"
        _, term_id = self._term(number, start, 500, "app_store", "month", None, None)
        reported_on = start + timedelta(days=1)
        rows.post("store_term_started", f"term:{term_id}", start, account, yen=500)
        rows.put("store_report", term_id, account, "appstore", 500, 75, 7, instant(reported_on, 9_000))
        rows.post("store_reported", f"term:{term_id}:store", reported_on, account, yen=75, tax_yen=7)
        if number % 2:
            paid_on = date(2026, 4, 30)
            rows.put("store_payout", term_id, "store-april", paid_on, 425, instant(paid_on, 9_000))
            rows.post("store_paid_out", f"term:{term_id}:payout", paid_on, account, yen=425)

    def screening(self, transactions: int) -> None:
        """Fees for screening, until April has as many movements as it should; some of them bear tax."""
        to_come = sum(
            MONTH.first_on <= on + timedelta(days=1) < MONTH.end_on for on, yen in self.rows.net_yen.items() if yen > 0
        )  # payouts
        missing = transactions - self.in_month - to_come
        assert missing >= 0, "the contracts alone make more movements than that"
        for number in range(missing):
            at = instant(date(2026, 4, 2) + timedelta(days=number % 27), 60_000 + number % 20_000)
            tax = {"fee_tax": 1} if number % 10 == 0 else {}
            self.move("stripe_fee", -11, at, source=f"screening_{number}", **tax)
            if number % 50_000 == 49_999:
                self.rows.write()

    def payouts(self) -> None:
        """What each day has moved is paid out on the next, and is at the bank on the working day after it."""
        for on, yen in sorted(self.rows.net_yen.items()):
            if on < LAST_NIGHT and yen > 0:
                self.payout(payout_of(on), yen, on + timedelta(days=1))

    def payout(
        self, name: str, yen: int, on: date, *, automatic: bool = True, bank_yen: int | None = -1, known: bool = True
    ) -> int:
        """A payout, made on a day: in the books, at the gateway, at the bank a day later; the bank line's number.

        `bank_yen`: what the bank has, all of it if -1, no line if None; `known` as the payout that it is.
        """
        rows, arrives_on = self.rows, on + timedelta(days=1)
        made_at, arrives_at = instant(on, 18_000), instant(arrives_on, 9 * 3_600)
        self.move("payout", -yen, made_at, source=name, payout=None, named=f"txn_{name}")
        states = ("in_transit", "paid") if arrives_on <= LAST_NIGHT else ("in_transit",)
        for state in states:
            rows.put("gateway_payout", name, yen, "jpy", state, automatic, made_at, arrives_at, NOW)
        late = 8 - arrives_on.isoweekday() if arrives_on.isoweekday() > 5 else 0  # a weekend's on Monday
        shown_on = arrives_on + timedelta(days=late)
        if bank_yen is None or shown_on > LAST_NIGHT:
            return 0
        line_id = self._bank_line(shown_on, yen if bank_yen == -1 else bank_yen, PROCESSOR, open_=True)
        if known:
            rows.put("bank_act", line_id, "payout", -1, None, None, "kato", NOW)
            rows.post("payout_at_bank", f"bank:{line_id}:payout", shown_on, yen=yen if bank_yen == -1 else bank_yen)
        return line_id

    def _bank_line(self, on: date, yen: int, payer: str, *, open_: bool = False) -> int:
        line_id = self.rows.number("bank_line")
        self.rows.put("bank_line", line_id, "april.csv", line_id, on, yen, payer, f"r{line_id}", 1, NOW)
        if open_:
            self.rows.post("unidentified_receipt", f"bank:{line_id}", on, yen=yen)
        return line_id

    def stray_line(self, on: date, yen: int) -> int:
        """Money from the processor that is no payout; the bank line's number."""
        return self._bank_line(on, yen, PROCESSOR, open_=True)

    def move(self, kind: str, amount: int, at: datetime, **more: Any) -> str:
        self.in_month += MONTH.start_at <= at < MONTH.end_at
        return self.rows.move(kind, amount, at, **more)


def start_of(number: int) -> date:
    """The day of April on which a contract's term begins: the 2nd to the 28th, so that none is due on 1 May."""
    return date(2026, 4, 2 + number * 7 % 27)


def _month_before(on: date) -> date:
    return date(on.year, on.month - 1, on.day)


def _month_after(on: date) -> date:
    return date(on.year, on.month + 1, on.day)
