"""The bank's book: files taken whole, lines matched by rule or by people, transfers out by two persons."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Final

from pydantic import Field

from keizoku.billing.closing.bank_control import bank_control
from keizoku.billing.ledger.payer_rules import every_rule
from keizoku.billing.receivables.bank.bank_list import acts_of, lines, statement_lines
from keizoku.billing.receivables.bank.bank_transfers import references_of
from keizoku.billing.receivables.bank.suggestions import suggestions
from keizoku.billing.receivables.import_log import import_list, import_of
from keizoku.billing.receivables.transfers_out import transfers
from keizoku.billing.statements.transfer_file import BankAccount, payer_of
from keizoku.terms.refusal import Refused
from keizoku.web.calls.answers import listed
from keizoku.web.calls.call import Call, Listing, number_in, whole
from keizoku.web.calls.imports import import_answer
from keizoku.web.calls.operation import Resource
from keizoku.web.calls.problems import ProblemError
from keizoku.web.calls.uploads import Uploaded
from keizoku.web.calls.values import Day, Ground, Id, Number, Yen

__all__ = ["bank"]

bank = Resource("bank", "The bank's book, and whose each line is.")

LineAct = listed("BankLineAct", payment=int, state=str)
RuleAct = listed("PayerRuleAct", rule=int, state=str)
Booked = listed("BankLineBooked", payment=int, entry=int)
TakenBack = listed("BankImportTakenBack", number=int, lines=int)
KINDS: Final = {"ordinary": "1", "current": "2", "savings": "4", "other": "9"}
"""Of a bank account, as the bank's own file has them."""
TransferAct = listed("TransferOutAct", transfer=int, state=str)


@bank.act("/bank-imports", command="bank import", answer=dict[str, Any], upload="file")
def import_file(
    call: Call, file: Uploaded, *, name: Id, bank_account: Id | None = None, preset: Id | None = None
) -> Any:
    """Take a bank's file, every line of it once; findings name the rows that could not be used."""
    with file.as_file(name) as path:
        done = call.billing.import_bank(
            path, author=call.author, now=call.now, account=bank_account or "", preset=preset or "",
            ours=call.settings.bank_accounts,
        )  # fmt: skip
    return import_answer(done, name)


@bank.list("/bank-imports", command="bank imports", row=dict[str, Any])
def list_imports(call: Call) -> Listing:
    """The files that were taken."""
    rows = [each.listed() for each in import_list(call.session, "bank")]
    return whole(rows)


@bank.question("/bank-imports/{number}", command="bank imports", answer=dict[str, Any])
def show_import(call: Call, number: Number) -> Any:
    """A file that was taken: its counts, and a finding for each row that could not be used."""
    found = import_of(call.session, "bank", number)
    return {**found.listed(), **import_answer(found, found.source)}


@bank.list("/bank-imports/{number}/lines", command="bank imports", row=dict[str, Any])
def import_lines(call: Call, number: Number) -> Listing:
    """The lines that came first with a file, and what became of each."""
    digest = import_of(call.session, "bank", number).digest

    def read(limit: int, after: str) -> Any:
        return statement_lines(call.session, file=digest, limit=limit, after=number_in(after))

    return Listing(read)


@bank.act("/bank-imports/{number}/take-back", command="bank take-back", answer=TakenBack)
def take_back(call: Call, number: Number, *, ground: Ground) -> Any:
    """A file was read by a wrong mapping: what it posted is reversed, and it may be read again."""
    taken = call.billing.take_import_back(number, by=call.author, ground=ground, now=call.now)
    return {"number": number, "lines": taken}


@bank.list("/bank-payments", command="bank list", row=dict[str, Any])
def list_payments(call: Call, *, open_only: bool = False) -> Listing:
    """Incoming payments: whose each is and who said so, or why nobody was found."""
    return Listing(lambda limit, after: lines(call.session, open_only=open_only, limit=limit, after=number_in(after)))


@bank.list("/bank-statement", command="bank statement", row=dict[str, Any])
def statement(call: Call, *, bank_account: Id | None = None) -> Listing:
    """Every line in and out of every account of ours, and what became of it."""

    def read(limit: int, after: str) -> Any:
        return statement_lines(call.session, bank_account, limit=limit, after=number_in(after))

    return Listing(read)


@bank.list("/bank-suggestions", command="bank suggest", row=dict[str, Any])
def suggest(call: Call, *, payment: Number | None = None) -> Listing:
    """Whose the payments that wait may be, or this one, with reasons; people decide."""
    return whole(suggestions(call.session, payment))


@bank.question("/bank-payments/{payment}", command="bank list", answer=dict[str, Any])
def show_payment(call: Call, payment: Number) -> Any:
    """One line of the bank: what it says, and act by act what became of it."""
    found = statement_lines(call.session, line=payment)
    if not found:
        raise Refused("transfer.unknown", f"payment {payment}: there is none", "(see `keizoku bank list`)")
    return {**found[0].to_json(), "acts": acts_of(call.session, payment)}


@bank.list("/payer-rules", command="bank rules", row=dict[str, Any])
def list_rules(call: Call) -> Listing:
    """What people confirmed of payers: their next payments are matched by it."""
    rows = [each.listed() for each in every_rule(call.session)]
    return whole(rows)


@bank.act("/payer-rules/{rule}/forget", command="bank forget", answer=RuleAct)
def forget(call: Call, rule: Number, *, ground: Ground) -> Any:
    """A rule about a payer holds no more; what it matched stays matched."""
    call.billing.forget_payer(rule, by=call.author, ground=ground, now=call.now)
    return {"rule": rule, "state": "withdrawn"}


@bank.question(
    "/accounts/{account}/bank-references", command="bank references", answer=list[dict[str, Any]], member=True
)
def references(call: Call, account: Id) -> Any:
    """What the payer can state with a transfer: the account's reference, and one for each open invoice."""
    return references_of(call.session, account)


@bank.question("/bank-balance", command="bank balance", answer=dict[str, Any])
def balance(call: Call, *, as_of: Day | None = None) -> Any:
    """1110 of the ledger and the balances of the bank at the end of a day, and what explains the difference."""
    from dataclasses import asdict

    return asdict(bank_control(call.session, as_of or call.today))


@bank.act("/bank-payments/{payment}/match", command="bank match", answer=dict[str, Any])
def match(
    call: Call,
    payment: Number,
    *,
    account: Id,
    ground: Ground,
    term: Day | None = None,
    costs: Yen = 0,
    costs_proof: Ground | None = None,
    remember: bool = False,
) -> Any:
    """This payment is the account's: it counts from the day on which the bank had it. Tells what it paid."""
    return call.billing.match_payment(
        payment,
        account,
        costs=costs,
        costs_proof=costs_proof,
        term=term,
        by=call.author,
        ground=ground,
        now=call.now,
        remember=remember,
    )


@bank.act("/bank-payments/{payment}/unmatch", command="bank unmatch", answer=dict[str, Any])
def unmatch(call: Call, payment: Number, *, ground: Ground) -> Any:
    """It was another's: what it settled is unpaid again, and it waits for its payer."""
    return {
        "payment": payment,
        "was": call.billing.unmatch_payment(payment, by=call.author, ground=ground, now=call.now),
    }


@bank.act("/bank-payments/{payment}/send-back", command="bank send-back", answer=LineAct)
def send_back(call: Call, payment: Number, *, ground: Ground) -> Any:
    """Nobody can be found: the payment went back to where it came from."""
    call.billing.send_payment_back(payment, by=call.author, ground=ground, now=call.now)
    return {"payment": payment, "state": "returned"}


@bank.act("/bank-payments/{payment}/payout", command="bank payout", answer=LineAct)
def payout(call: Call, payment: Number, *, ground: Ground) -> Any:
    """It is the card processor's payout, booked already from its balance."""
    call.billing.payment_is_payout(payment, by=call.author, ground=ground, now=call.now)
    return {"payment": payment, "state": "payout"}


@bank.act("/bank-payments/{payment}/fee", command="bank fee", answer=LineAct)
def fee(call: Call, payment: Number, *, ground: Ground) -> Any:
    """This line out is the bank's fee, with the tax in it."""
    call.billing.payment_is_fee(payment, by=call.author, ground=ground, now=call.now)
    return {"payment": payment, "state": "fee"}


@bank.act("/bank-payments/{payment}/transfer", command="bank transfer", answer=LineAct)
def transfer(call: Call, payment: Number, *, other: Number, ground: Ground) -> Any:
    """These two lines are one transfer between our own accounts: one out, one in."""
    call.billing.payments_are_transfer(payment, other, by=call.author, ground=ground, now=call.now)
    return {"payment": payment, "state": "transfer"}


@bank.act("/bank-payments/{payment}/other", command="bank other", answer=Booked)
def other(call: Call, payment: Number, *, code: Id, ground: Ground) -> Any:
    """This line belongs to an account of the chart: it goes there from 2145."""
    entry = call.billing.payment_is_other(payment, code, by=call.author, ground=ground, now=call.now)
    return {"payment": payment, "entry": entry}


@bank.list("/transfers-out", command="transfer list", row=dict[str, Any])
def list_transfers(call: Call, *, open_only: bool = False) -> Listing:
    """Transfers out: proposed, approved, sent, come back."""
    return whole([each.to_json() for each in transfers(call.session, open_only=open_only)])


@bank.act("/transfers-out", command="transfer propose", answer=dict[str, Any])
def propose(
    call: Call,
    *,
    account: Id,
    yen: Annotated[Yen, Field(ge=1)],
    bank_code: Annotated[str, Field(pattern="^[0-9]{4}$")],
    branch: Annotated[str, Field(pattern="^[0-9]{3}$")],
    number: Annotated[str, Field(pattern="^[0-9]{1,7}$")],
    holder: Id,
    ground: Ground,
    kind: Annotated[str, Field(pattern=f"^({'|'.join(KINDS)})$")] = "ordinary",
) -> Any:
    """Propose to send a deposit, or a part, to its payer's bank account; another person approves it."""
    to = BankAccount(bank_code, branch, KINDS[kind], number, holder)
    made = call.billing.propose_transfer(account, yen, to, by=call.principal.person, ground=ground, now=call.now)
    return {"transfer": made, "state": "proposed"}


@bank.act("/transfers-out/{transfer}/approve", command="transfer approve", answer=TransferAct)
def approve_transfer(call: Call, transfer: Number, *, ground: Ground) -> Any:
    """Another person approves a transfer out."""
    call.billing.decide_transfer(transfer, approve=True, by=call.principal.person, ground=ground, now=call.now)
    return {"transfer": transfer, "state": "approved"}


@bank.act("/transfers-out/{transfer}/reject", command="transfer reject", answer=TransferAct)
def reject_transfer(call: Call, transfer: Number, *, ground: Ground) -> Any:
    """A transfer out is turned down."""
    call.billing.decide_transfer(transfer, approve=False, by=call.author, ground=ground, now=call.now)
    return {"transfer": transfer, "state": "rejected"}


@bank.act("/transfers-out/{transfer}/sent-back", command="transfer sent-back", answer=TransferAct)
def transfer_sent_back(call: Call, transfer: Number, *, ground: Ground) -> Any:
    """The bank could not pay a transfer and gave the money back."""
    call.billing.transfer_sent_back(transfer, by=call.author, ground=ground, now=call.now)
    return {"transfer": transfer, "state": "failed"}


@bank.act("/transfer-files", command="transfer file", answer=dict[str, Any])
def transfer_file(call: Call, *, on: Day) -> Any:
    """All approved transfers as the bank's file (全銀), booked; its bytes are in the answer, in base64."""
    payer = call.settings.transfer_payer
    if not payer:
        raise ProblemError(
            409, "settings", "A setting is missing.", "KEIZOKU_TRANSFER_PAYER", "set it, and serve again"
        )
    made = call.billing.send_transfers(payer_of(payer), on, by=call.author, now=call.now)
    return _file(made)


@bank.question("/transfer-files/{number}", command="transfer file", answer=dict[str, Any])
def transfer_file_again(call: Call, number: Number) -> Any:
    """A file of transfers once more, byte for byte."""
    return _file(call.billing.transfer_file_again(number))


def _file(made: Any) -> dict[str, Any]:
    return {
        "file": made.number,
        "on": made.on,
        "transfers": made.transfers,
        "yen": made.yen,
        "sha256": made.sha256,
        "content": base64.b64encode(made.content).decode(),
    }
