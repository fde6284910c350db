"""Money: what payers, stores and cards did, and what people write off or confirm.

One method per act, with `now`, the instant at which it is received. Each act is committed; what cannot be done is
Refused in one line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from keizoku.billing.cards import charge_answers, charge_stage, dispute_choices, disputes, failed_refunds
from keizoku.billing.contracts import store_files, store_refunds
from keizoku.billing.dunning.write_off import Act, set_off, write_off
from keizoku.billing.gateway import balance_files, refunds
from keizoku.billing.ledger.manual_entries import post_by_hand
from keizoku.billing.ledger.payer_rules import withdraw_rule
from keizoku.billing.receivables import credit_deposits, customer_deposits, transfers_out
from keizoku.billing.receivables.bank import bank_transfers, by_people
from keizoku.billing.receivables.bank.match_reversal import reopen
from keizoku.billing.receivables.bank.suggestions import MatchResult, result_of
from keizoku.billing.receivables.bank.take_back import take_back
from keizoku.billing.receivables.csv_layout import Layout
from keizoku.billing.receivables.import_log import MoneyImport
from keizoku.billing.receivables.interest_preview import preview
from keizoku.billing.receivables.receipts import Payment, receive
from keizoku.billing.receivables.store_reports import StoreReport, take_report
from keizoku.billing.rules.documents.late_interest_statement import Workings
from keizoku.billing.services.base import Service
from keizoku.billing.statements.transfer_file import BankAccount, Payer
from keizoku.db.review_tasks import close_task
from keizoku.db.roles import want_to_add
from keizoku.db.tables.gateway import gateway_dispute, refund_look
from keizoku.db.tables.money import payment_attempt
from keizoku.terms.calendar import jst_day
from keizoku.terms.refusal import Refused


@dataclass(frozen=True, slots=True)
class MoneyService(Service):
    """Acts on money owed and received."""

    def pay(
        self,
        account: str,
        yen: int,
        via: str = "bank",
        *,
        costs: int = 0,
        costs_proof: str | None = None,
        term: date | None = None,
        received_on: date | None = None,
        key: str | None = None,
        now: datetime,
    ) -> None:
        """The payer sent money: costs, then interest, then fees; the rest is kept as a deposit (Civil Code 489).

        Costs that the payer owes for the payment are what was really paid, with its proof (premium/5.2). It counts from
        the JST day on which it reached us, `received_on`, today if none is said: what later days made of the debts is
        worked out again.
        """

        def take() -> None:
            self._latest(account)
            payment = Payment(account, yen, via, costs, term, received_on, costs_proof=costs_proof)
            receive(self.session, self.rules, payment, now)
            self._reconsider(account, now)

        content = {"account": account, "yen": yen, "via": via, "costs": costs, "term": term}
        if costs:
            content["costs_proof"] = costs_proof
        if received_on is not None:
            content["received_on"] = received_on
        self._once(key, "payment", content, take, now)

    def preview_interest(self, account: str, on: date) -> Workings:
        """Late interest of the account on any day, past or to come; nothing is saved (premium/5.2)."""
        return preview(self.session, self.rules, account, on)

    def refund_deposit(
        self,
        account: str,
        yen: int | None = None,
        *,
        by: str,
        ground: str,
        now: datetime,
        through: str = customer_deposits.CARD,
        key: str | None = None,
    ) -> customer_deposits.SentBack:
        """People sent a deposit back, all of it or `yen`; returns what went by bank and what to the card.

        `through`: how what a card paid too much went back, "card" or "bank"; what the payer sent goes back by bank.
        """

        def give_back() -> tuple[int, int]:
            sent = customer_deposits.refund(self.session, account, yen, by, ground, now, through)
            return sent.by_bank_yen, sent.to_card_yen

        content = {"account": account, "yen": yen, "by": by, "ground": ground, "through": through}
        return customer_deposits.SentBack(*self._once(key, "deposit refund", content, give_back, now))

    def keep_credit(self, account: str, *, by: str, ground: str, now: datetime) -> int:
        """What no invoice or card takes of credits becomes a deposit, to be sent by bank; the yen (9.2)."""
        return credit_deposits.keep_as_deposit(self.session, account, by, ground, now)

    def propose_transfer(
        self, account: str, yen: int, to: BankAccount, *, by: str, ground: str, now: datetime, key: str | None = None
    ) -> int:
        """Propose to send a deposit, or a part, to its payer's bank account; another person approves it; its id."""

        def ask() -> int:
            return transfers_out.propose(self.session, account, yen, to, by, ground, now)

        content = {"account": account, "yen": yen, "to": to, "by": by, "ground": ground}
        made: int = self._once(key, "transfer out", content, ask, now)
        return made

    def decide_transfer(self, transfer: int, *, approve: bool, by: str, ground: str, now: datetime) -> None:
        """Another person approves a transfer out, or somebody rejects it."""
        transfers_out.decide(self.session, transfer, approve, by, ground, now)

    def send_transfers(self, payer: Payer, on: date, *, by: str, now: datetime) -> transfers_out.WrittenFile:
        """All approved transfers as the bank's file, booked; the caller writes the file, then commits."""
        return transfers_out.send(self.session, payer, on, by, now)

    def transfer_file_again(self, number: int) -> transfers_out.WrittenFile:
        """A file of transfers once more, byte for byte."""
        return transfers_out.file_again(self.session, number)

    def transfer_sent_back(self, transfer: int, *, by: str, ground: str, now: datetime) -> None:
        """The bank could not pay a transfer and gave the money back."""
        transfers_out.sent_back(self.session, transfer, by, ground, now)

    def apply_deposit(self, account: str, *, by: str, ground: str, now: datetime) -> int:
        """The payer asked that what is due be paid from the deposit now; returns the yen used."""
        used_yen = customer_deposits.apply_by_people(self.session, self.rules, account, by, ground, now)
        self._reconsider(account, now)
        return used_yen

    def settle_unknown(self, *, now: datetime) -> int:
        """Look up, and send again within the hours of the setting, every charge without an answer; rows written."""
        want_to_add(self.session, payment_attempt)  # before the gateway is asked, also where nothing waits
        return charge_stage.settle_in_flight(self.session, self.rules, self.gateway, now)

    def nothing_charged(self, attempt: int, *, by: str, ground: str, now: datetime) -> None:
        """People have made sure that a charge without an answer never reached the card; another may be tried."""
        if not charge_answers.abandon(self.session, attempt, now):
            self.session.rollback()
            raise Refused(
                "attempt.not_waiting",
                f"attempt {attempt}: it is not waiting for an answer",
                "(see `keizoku payments unknown`)",
            )
        close_task(self.session, "attempt_unknown", f"attempt {attempt}", by, ground, now)
        self.session.commit()

    def nothing_refunded(self, key: str, *, by: str, ground: str, now: datetime) -> None:
        """People have made sure that a refund without an answer was never made; the next night asks anew."""
        refunds.nothing_refunded(self.session, key, by, ground, now)

    def refund_dealt_with(self, refund: str, *, by: str, ground: str, now: datetime) -> None:
        """People have dealt with a refund that failed; it leaves their list."""
        refunds.dealt_with(self.session, refund, by, ground, now)

    def write_off(
        self, account: str, term: date, *, by: str, ground: str, key: str | None = None, now: datetime
    ) -> None:
        """Give up the unpaid fee of a term that is over with its interest, or the interest that a late payment left."""

        def give_up() -> None:
            write_off(self.session, self.rules, account, term, Act(by, ground), now)
            self._reconsider(account, now)

        content = {"account": account, "term": term, "by": by, "ground": ground}
        self._once(key, "write-off", content, give_up, now)

    def set_off(
        self, account: str, *, by: str, ground: str = "set-off by notice", key: str | None = None, now: datetime
    ) -> None:
        """Set open credits off against what is owed, by notice."""

        def meet() -> None:
            set_off(self.session, self.rules, account, Act(by, ground), now)
            self._reconsider(account, now)

        self._once(key, "set-off", {"account": account, "by": by, "ground": ground}, meet, now)

    def post_by_hand(
        self, lines: Mapping[str, int], on: date, *, by: str, ground: str, key: str | None = None, now: datetime
    ) -> int:
        """Post balanced lines (code -> yen, debit positive) on a JST day: what no rule knows; the entry's id."""
        content = {"lines": dict(lines), "on": on, "by": by, "ground": ground}
        made: int = self._once(
            key, "manual entry", content, lambda: post_by_hand(self.session, lines, on, by, ground, now), now
        )
        return made

    def import_balance(
        self, file: Path, *, by: str = "", ground: str = "", now: datetime
    ) -> tuple[balance_files.BalanceFile, int]:
        """The gateway's balance by a file of its own, where its API cannot be read; the file, and the rows written.

        `by`, `ground`: who says that the file is of our account and mode, where nothing in it shows that.
        """
        return balance_files.take_balance_file(self.session, file, now, by=by, ground=ground)

    def sync_refund_events(self, *, now: datetime) -> int:
        """Fetch every refund of which the gateway tells, and book what failed after it had succeeded; rows written."""
        want_to_add(self.session, refund_look)
        return failed_refunds.sync_events(self.session, self.gateway, now)

    def take_disputes(self, *, now: datetime) -> int:
        """Fetch every dispute that is not over, and book what is new; rows written."""
        want_to_add(self.session, gateway_dispute)
        return disputes.sync_events(self.session, self.rules, self.gateway, now)

    def dispute_lost(self, dispute: str, choice: str, *, by: str, ground: str, now: datetime) -> None:
        """People choose what the loss of a dispute means: `claim_stays` or `sale_void`; before or after the loss."""
        account = dispute_choices.choose(self.session, self.rules, dispute, choice, Act(by, ground), now)
        self._reconsider(account, now)

    def store_report(self, account: str, term: date, gross: int, fee: int, *, now: datetime) -> None:
        """A store reports what it collected for a term."""
        take_report(self.session, self.rules, StoreReport(account, term, gross, fee), now)

    def import_store_reports(
        self,
        file: Path,
        *,
        layout: Layout | None = None,
        author: str,
        now: datetime,
        preset: str = "",
        payout: store_files.Payout | None = None,
    ) -> MoneyImport:
        """A store's file, in its own format or in our columns; its rows are taken once, bad ones are findings.

        `payout`: the one that the whole report was paid out with, where its rows do not say.
        """
        return store_files.import_store_file(
            self.session, self.rules, file, layout or Layout(), author, now, preset=preset, payout=payout
        )

    def store_orders(self, orders: Mapping[str, str], *, by: str, now: datetime) -> int:
        """Whose orders at a store are (order -> account), as its reports name them; the new ones."""
        return store_files.note_orders(self.session, orders, by, now)

    def store_refund(
        self,
        account: str,
        term: date,
        *,
        yen: int,
        fee: int = 0,
        by: str,
        ground: str,
        now: datetime,
        key: str | None = None,
    ) -> int:
        """A store gave its customer the fee of a term back, or a part, and its own fee to us; the entries posted."""

        def give_back() -> int:
            refund = store_refunds.StoreRefund(account, term, yen, fee, jst_day(now))
            return store_refunds.refund_term(self.session, self.rules, refund, by, ground, now)

        content = {"account": account, "term": term, "yen": yen, "fee": fee, "by": by, "ground": ground}
        made: int = self._once(key, "store refund", content, give_back, now)
        return made

    def import_bank(
        self,
        file: Path,
        *,
        layout: Layout | None = None,
        author: str,
        now: datetime,
        account: str = "",
        preset: str = "",
        ours: Sequence[str] = (),
    ) -> MoneyImport:
        """A bank's file, every line of it; payments with our reference find their account by themselves.

        `account`: the key of our account at the bank, where the file does not say. `preset`: the format that it has,
        where its content is not to say so (`keizoku bank formats`). `ours`: our accounts at banks; a file of
        another one is a finding. Empty: any account is ours.
        """
        done = bank_transfers.import_bank(
            self.session, self.rules, file, layout or Layout(), author, now,
            account=account, bank_names=self.gateway.bank_names, preset=preset, ours=ours,
        )  # fmt: skip
        for accounts in done.matched.accounts_in_parts(5_000):
            self._reconsider_all(accounts, now)
        return done.logged

    def match_payment(
        self,
        payment: int,
        account: str,
        *,
        costs: int = 0,
        costs_proof: str | None = None,
        term: date | None = None,
        by: str,
        ground: str,
        now: datetime,
        remember: bool = False,
    ) -> MatchResult:
        """People found whose an incoming payment is; it counts from the bank's day. What it paid.

        `remember`: they confirm that payments under this payer's name are the account's, from now on.
        """
        found = bank_transfers.PayerFound(payment, account, by, ground, costs, term, costs_proof)
        matched, rule = bank_transfers.match_and_remember(self.session, self.rules, found, remember, now)
        self._reconsider(account, now)
        return result_of(matched, rule)

    def forget_payer(self, rule: int, *, by: str, ground: str, now: datetime) -> None:
        """A rule about a payer holds no more."""
        withdraw_rule(self.session, rule, by, ground, now)

    def unmatch_payment(self, payment: int, *, by: str, ground: str, now: datetime) -> str:
        """It was another's, or something else: what it settled stands open again; whose it was thought to be."""
        return reopen(self.session, self.rules, payment, by, ground, now)

    def take_import_back(self, number: int, *, by: str, ground: str, now: datetime) -> int:
        """A bank's file was read by a wrong mapping: what it posted is reversed, it may be read again; its lines."""
        lines, accounts = take_back(self.session, self.rules, number, by, ground, now)
        for account in accounts:
            self._reconsider(account, now)
        return lines

    def payment_is_fee(self, payment: int, *, by: str, ground: str, now: datetime) -> None:
        """What left the bank is its fee, with the tax in it."""
        by_people.is_fee_line(self.session, self.rules, payment, by, ground, now)

    def payments_are_transfer(self, payment: int, other: int, *, by: str, ground: str, now: datetime) -> None:
        """Two lines are one transfer between two accounts of ours."""
        by_people.are_transfer(self.session, payment, other, by, ground, now)

    def payment_is_other(self, payment: int, code: str, *, by: str, ground: str, now: datetime) -> int:
        """A line of the bank belongs to an account of the chart; the entry that says so."""
        return by_people.is_other(self.session, payment, code, by, ground, now)

    def send_payment_back(self, payment: int, *, by: str, ground: str, now: datetime) -> None:
        """Nobody can be found for an incoming payment: it went back."""
        bank_transfers.send_back(self.session, payment, by, ground, now)

    def payment_is_payout(self, payment: int, *, by: str, ground: str, now: datetime, kept: int = 0) -> str:
        """A line is the processor's or a store's payout, or money we sent back, booked already from that side.

        `kept`: the bank's fee, in yen, that it kept of a payout. What it is: payout, store_payout, refund.
        """
        return bank_transfers.is_payout(self.session, self.rules, payment, by, ground, now, kept)
