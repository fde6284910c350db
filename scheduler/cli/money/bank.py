"""`keizoku bank`: incoming transfers, imported from the bank's file and matched to their payers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from keizoku.scheduler.cli.shared.context import open_services, services_now
from keizoku.scheduler.cli.shared.inputs import AsJson, Author, File, Ground, Recorder, day, recorder
from keizoku.scheduler.cli.shared.money_files import LayoutFile, end_of_import, layout_of
from keizoku.scheduler.cli.shared.output import emit, refuse

app = typer.Typer(help="Incoming transfers: import, list, match to their payers.", no_args_is_help=True)

Payment = Annotated[int, typer.Argument(metavar="PAYMENT", help="As `keizoku bank list` shows it.")]


@app.callback()
def _bank() -> None:
    """Incoming transfers: those with our reference find their payer by themselves, the others wait in 2145."""


@app.command("import")
def import_file(file: File, mapping: LayoutFile = None, author: Recorder = "", as_json: AsJson = False) -> None:
    """Take a bank's file (CSV: date, amount, payer, reference; UTF-8 or cp932; other columns by a mapping).

    A line is taken once, whichever file shows it; two equal lines in one file are two payments. Rows without an
    amount, or below zero, are passed over. Exit 1 if a row could not be used.
    """
    from keizoku.billing.receivables.bank_transfers import COLUMNS
    from keizoku.terms.refusal import Refused

    layout = layout_of(mapping, COLUMNS)
    with open_services() as services:
        try:
            done = services.billing.import_bank(file, layout=layout, author=recorder(author), now=datetime.now(UTC))
        except Refused as refused:
            refuse(refused)
    end_of_import(done, as_json)


@app.command("list")
def list_payments(
    open_only: Annotated[bool, typer.Option("--open", help="Only those that wait for their payer.")] = False,
    as_json: AsJson = False,
) -> None:
    """Incoming payments: whose each is and who said so, or why nobody was found."""
    from keizoku.billing.receivables.bank_transfers import lines

    with open_services() as services:
        found = lines(services.session, open_only=open_only)
    emit(found if found or as_json else "no payments", as_json)


@app.command()
def match(
    payment: Payment,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT")],
    author: Author,
    ground: Ground,
    term: Annotated[str, typer.Option(help="The debt that the payer names: its term's first day.")] = "",
    costs: Annotated[int, typer.Option(min=0, help="Costs of the payment that the payer owes, yen.")] = 0,
    as_json: AsJson = False,
) -> None:
    """This payment is the account's: it counts from the day on which the bank had it."""
    named = day(term) if term else None
    with services_now() as (services, now):
        services.billing.match_payment(payment, account, costs=costs, term=named, by=author, ground=ground, now=now)
    emit({"payment": payment, "account": account} if as_json else f"payment {payment} is {account}'s", as_json)


@app.command()
def unmatch(payment: Payment, author: Author, ground: Ground, as_json: AsJson = False) -> None:
    """It was another's: what it settled stands open again, and it waits for its payer."""
    with services_now() as (services, now):
        account = services.billing.unmatch_payment(payment, by=author, ground=ground, now=now)
    told = f"payment {payment} is {account}'s no more; match it, or send it back"
    emit({"payment": payment, "was": account} if as_json else told, as_json)


@app.command("send-back")
def send_back(payment: Payment, author: Author, ground: Ground, as_json: AsJson = False) -> None:
    """Nobody can be found: record that the payment went back to where it came from."""
    with services_now() as (services, now):
        services.billing.send_payment_back(payment, by=author, ground=ground, now=now)
    emit({"payment": payment, "state": "returned"} if as_json else f"payment {payment} went back", as_json)


@app.command()
def payout(payment: Payment, author: Author, ground: Ground, as_json: AsJson = False) -> None:
    """It is the card processor's payout, booked already from its balance: it waits for no payer."""
    with services_now() as (services, now):
        services.billing.payment_is_payout(payment, by=author, ground=ground, now=now)
    emit({"payment": payment, "state": "payout"} if as_json else f"payment {payment} is a payout", as_json)


@app.command()
def references(account: Annotated[str, typer.Argument(metavar="ACCOUNT")], as_json: AsJson = False) -> None:
    """What the payer can state with a transfer: the account's reference, and one for each open invoice."""
    from keizoku.billing.receivables.bank_transfers import references_of

    with services_now() as (services, _):
        found = references_of(services.session, account)
    emit(found, as_json)
