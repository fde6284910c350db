"""Payments and what became of charges: received, unknown, refunded, disputed; deposits, demands, interest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from pydantic import Field

from keizoku.billing.accounts.account_views import unknown_charges
from keizoku.billing.accounts.gateway_views import GatewayNews, PayoutRow, gateway_news, payout_list
from keizoku.billing.accounts.invoice_explanation import explain_invoice
from keizoku.billing.accounts.liability_explanation import explain_liability
from keizoku.billing.accounts.money_explanation import (
    CreditStory,
    ReceiptStory,
    RefundStory,
    explain_credit,
    explain_receipt,
    explain_refund,
)
from keizoku.billing.accounts.read_models import UnknownCharge
from keizoku.billing.cards.dispute_choices import disputes
from keizoku.billing.documents.interest_demands import demand_of, demands
from keizoku.billing.gateway.refunds import failed_refunds, unknown_refunds
from keizoku.billing.receivables.customer_deposits import deposit_of, deposits, refunded_on
from keizoku.billing.receivables.known_accounts import want_account
from keizoku.db.locks import take_turn
from keizoku.web.calls.answers import listed
from keizoku.web.calls.call import Call, Listing, number_in, whole
from keizoku.web.calls.operation import Resource
from keizoku.web.calls.problems import ProblemError
from keizoku.web.calls.uploads import Uploaded
from keizoku.web.calls.values import Day, Ground, Id, Instant, Lang, Number, Yen

__all__ = ["payments"]

payments = Resource("payments", "Payments, charges, refunds, disputes, deposits, interest.")

Via = Annotated[Id, Field(description="how it came: bank, cash, …")]
Paid = listed("Paid", account=str, yen=int, done=bool)
DepositRow = listed("Deposit", account=str, yen=int, sent=int, by_card=int)
Kept = listed("CreditKept", account=str, kept=int)
Applied = listed("DepositApplied", account=str, applied=int)
Settled = listed("Settled", rows_written=int, still_unknown=int)
Closed = listed("PaymentAct", id=str, done=bool)
Through = Annotated[str, Field(pattern="^(card|bank)$")]
Choice = Annotated[str, Field(pattern="^(void|claim_stays)$")]


@payments.act("/accounts/{account}/payments", command="bank import", answer=Paid)
def pay(
    call: Call,
    account: Id,
    *,
    yen: Annotated[Yen, Field(ge=1)],
    via: Via = "bank",
    costs: Yen = 0,
    costs_proof: Ground | None = None,
    term: Day | None = None,
) -> Any:
    """The payer sent money: costs, then interest, then fees; the rest is kept as a deposit (Civil Code 489)."""
    call.billing.pay(account, yen, via, costs=costs, costs_proof=costs_proof, term=term, now=call.now)
    return {"account": account, "yen": yen, "done": True}


@payments.question("/accounts/{account}/interest", command="interest preview", answer=dict[str, Any], member=True)
def interest(call: Call, account: Id, *, on: Day | None = None) -> Any:
    """Late interest when it is paid on a day, past or to come (5.2): principal, days, exact and rounded."""
    want_account(call.session, account)
    return call.billing.preview_interest(account, on or call.today).to_json()


@payments.question("/invoices/{number}", command="explain invoice", answer=dict[str, Any], member=True)
def invoice(call: Call, number: Number, *, lang: Lang = "en") -> Any:
    """An invoice explained: the term, its price and why that one, credits, tax, attempts, what settled it."""
    return explain_invoice(call.session, call.rules, number).to_json(lang)


@payments.question("/accounts/{account}/damages-cap", command="explain cap", answer=dict[str, Any])
def damages_cap(call: Call, account: Id, *, at: Instant, damage: Yen | None = None, lang: Lang = "en") -> Any:
    """The limit of damages (12.2): fees actually received in the year before the event."""
    if at > call.now:
        raise ProblemError(
            422, "to_come", "It is still to come.", f"at {at.isoformat()}", "name an event that has happened"
        )
    story = explain_liability(call.session, call.rules, account, at, damage_yen=damage)
    return story.to_json(lang)


@payments.list("/charges/unknown", command="payments unknown", row=UnknownCharge)
def list_unknown(call: Call) -> Listing:
    """Charges without an answer."""
    return whole(unknown_charges(call.session), "attempt")


@payments.act("/charges/settle", command="payments settle", answer=Settled, repeat="again")
def settle(call: Call) -> Any:
    """Look each one up, and send it again under its own key where that is still safe."""
    written = call.billing.settle_unknown(now=call.now)
    return {"rows_written": written, "still_unknown": len(unknown_charges(call.session))}


@payments.act("/charges/{attempt}/nothing-charged", command="payments nothing-charged", answer=Closed)
def nothing_charged(call: Call, attempt: Number, *, ground: Ground) -> Any:
    """People have made sure that a charge never reached the card: the next night may try again."""
    call.billing.nothing_charged(attempt, by=call.author, ground=ground, now=call.now)
    return {"id": str(attempt), "done": True}


@payments.list("/refunds/unknown", command="payments refunds", row=dict[str, Any])
def list_refunds(call: Call) -> Listing:
    """Refunds without an answer."""
    return whole(unknown_refunds(call.session), "key")


@payments.list("/refunds/failed", command="payments failed-refunds", row=dict[str, Any])
def list_failed_refunds(call: Call) -> Listing:
    """Refunds that the card's bank gave back and nobody has dealt with."""
    return whole(failed_refunds(call.session), "refund")


@payments.act("/refunds/{refund}/dealt-with", command="payments refund-dealt-with", answer=Closed)
def refund_dealt_with(call: Call, refund: Id, *, ground: Ground) -> Any:
    """People have dealt with a refund that failed."""
    call.billing.refund_dealt_with(refund, by=call.author, ground=ground, now=call.now)
    return {"id": refund, "done": True}


@payments.act("/refunds/{key}/nothing-refunded", command="payments nothing-refunded", answer=Closed)
def nothing_refunded(call: Call, key: Id, *, ground: Ground) -> Any:
    """People have made sure that a refund without an answer was never made: the next night asks again."""
    call.billing.nothing_refunded(key, by=call.author, ground=ground, now=call.now)
    return {"id": key, "done": True}


@payments.list("/disputes", command="payments disputes", row=dict[str, Any])
def list_disputes(call: Call) -> Listing:
    """Charges that were disputed, with their days and what was chosen."""
    return whole(disputes(call.session), "dispute")


@payments.act("/disputes/{dispute}/if-lost", command="payments dispute-lost", answer=Closed)
def dispute_lost(call: Call, dispute: Id, *, choice: Choice, ground: Ground) -> Any:
    """What becomes of the fee if the dispute is lost: the sale is void, or the claim stays."""
    call.billing.dispute_lost(dispute, choice, by=call.author, ground=ground, now=call.now)
    return {"id": dispute, "done": True}


@payments.act("/gateway-balances", command="payments import-balance", answer=dict[str, Any], upload="file")
def import_balance(call: Call, file: Uploaded, *, name: Id = "balance.csv") -> Any:
    """Take the gateway's own balance file, when its API cannot be asked."""
    with file.as_file(name) as path:
        read, changes = call.billing.import_balance(path, now=call.now)
        return {
            "movements": len(read.found),
            "payouts": len(read.paid),
            "rows_written": changes,
            "findings": _without_folder(read.findings, name),
        }


@payments.list("/deposits", command="deposit list", row=DepositRow)
def list_deposits(call: Call) -> Listing:
    """What payers sent beyond what they owed."""
    rows = [each.listed() for each in deposits(call.session)]
    return whole(rows, "account")


def _over_the_limit(call: Call, arguments: Mapping[str, Any]) -> bool:
    """Whether it is too much for one refund, or with the others of this day for one person or one account."""
    take_turn(call.session, "refunds")  # of two at once, the second sees the first
    account, yen = arguments["account"], arguments["yen"]
    if yen is None:
        held = deposit_of(call.session, account)
        yen = held.sent_yen + held.card_yen
    most = call.settings.refund_limit_yen
    own = refunded_on(call.session, call.today, person=call.principal.person)
    theirs = refunded_on(call.session, call.today, account=account)
    return int(yen) > most or max(own, theirs) + int(yen) > (call.settings.refund_day_limit_yen or most)


@payments.act(
    "/accounts/{account}/deposit/refund", command="deposit refund", answer=dict[str, Any], four_eyes=_over_the_limit
)
def refund_deposit(
    call: Call,
    account: Id,
    *,
    ground: Ground,
    yen: Annotated[Yen, Field(ge=1)] | None = None,
    through: Through = "card",
) -> Any:
    """A deposit was sent back, all of it or `yen`. Another person approves what is over a limit."""
    sent = call.billing.refund_deposit(account, yen, by=call.author, ground=ground, now=call.now, through=through)
    return {"account": account, "refunded": sent.yen, "by_bank": sent.by_bank_yen, "to_card": sent.to_card_yen}


@payments.act("/accounts/{account}/deposit/from-credits", command="deposit from-credits", answer=Kept)
def keep_credit(call: Call, account: Id, *, ground: Ground) -> Any:
    """What no invoice or card takes of the account's credits is kept as a deposit, to be sent by bank (9.2)."""
    kept = call.billing.keep_credit(account, by=call.author, ground=ground, now=call.now)
    return {"account": account, "kept": kept}


@payments.act("/accounts/{account}/deposit/apply", command="deposit apply", answer=Applied)
def apply_deposit(call: Call, account: Id, *, ground: Ground) -> Any:
    """The payer asked that what is due be paid from the deposit now."""
    used = call.billing.apply_deposit(account, by=call.author, ground=ground, now=call.now)
    return {"account": account, "applied": used}


@payments.list("/demands", command="demand list", row=dict[str, Any], member=True)
def list_demands(call: Call, *, account: Id | None = None) -> Listing:
    """Demands for late interest."""

    def read(limit: int, after: str) -> Any:
        return demands(call.session, account, limit=limit, after=number_in(after) or 0)

    return Listing(read)


@payments.question("/demands/{number}", command="demand show", answer=dict[str, Any], member=True)
def show_demand(call: Call, number: Number) -> Any:
    """One demand, with its letter in both languages."""
    return demand_of(call.session, number)


@payments.question("/receipts/{number}", command="explain invoice", answer=ReceiptStory)
def receipt(call: Call, number: Number) -> Any:
    """A payment explained: costs, interest, fees, deposit; what took it back, what an earlier one changed."""
    return explain_receipt(call.session, number)


@payments.question("/credits/{number}", command="explain invoice", answer=CreditStory)
def credit(call: Call, number: Number) -> Any:
    """A credit explained: its claim and how it was reckoned, the invoices that it reduced, what is left."""
    return explain_credit(call.session, number)


@payments.question("/refunds/{key}", command="explain invoice", answer=RefundStory)
def refund(call: Call, key: Id) -> Any:
    """A refund to a card explained, by our key or the gateway's id."""
    return explain_refund(call.session, key)


@payments.list("/payouts", command="payments unknown", row=PayoutRow)
def payouts(call: Call) -> Listing:
    """Payouts of the gateway, the newest first: what each was made of, and the bank's line that it arrived as."""

    def read(limit: int, after: str) -> Any:
        return payout_list(call.session, limit=limit, before=number_in(after))

    return Listing(read)


@payments.question("/gateway-news", command="payments unknown", answer=GatewayNews)
def news(call: Call) -> Any:
    """When the gateway last told of something, by event and by balance, and whether it may push its events."""
    return gateway_news(call.session, pushed=call.settings.stripe_webhook_secret() is not None)


def _without_folder(findings: Any, name: str) -> list[dict[str, Any]]:
    """Findings about an uploaded file, under the name that it was given."""
    return [asdict(each) | {"source": name} for each in findings]
