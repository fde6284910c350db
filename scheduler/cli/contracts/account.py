"""`keizoku account`: where an account stands, its history, and what people rule against it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from keizoku.scheduler.cli.shared.context import open_services, services_now
from keizoku.scheduler.cli.shared.inputs import AsJson, Language, day, instant
from keizoku.scheduler.cli.shared.output import emit, fail, refuse, table
from keizoku.terms.calendar import JST, day_start_at

if TYPE_CHECKING:
    from keizoku.billing.services.billing_service import BillingService

app = typer.Typer(help="Accounts: state, history, suspend, terminate, write off, set off.", no_args_is_help=True)

Account = Annotated[str, typer.Argument(metavar="ACCOUNT")]
By = Annotated[str, typer.Option("--by", help="Who decides so.")]
Ground = Annotated[str, typer.Option("--ground", help="Why. The user is told.")]


class State(StrEnum):
    """The state of an account's newest contract."""

    APPLIED = "applied"
    REJECTED = "rejected"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    ENDED = "ended"


@app.command("list")
def list_accounts(
    state: Annotated[State | None, typer.Option(help="Only in this state.")] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only with a fee past its due date.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, in the order of their names.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Accounts with their state, days overdue, unpaid fees, and what comes if nothing more is paid."""
    from keizoku.billing.accounts.account_list import account_list

    with open_services() as services:
        found = account_list(
            services.session,
            services.rules,
            datetime.now(UTC),
            state=state.value if state else None,
            overdue=overdue,
            limit=limit,
        )
    emit(found if found or as_json else "no such account", as_json)


@app.command()
def show(
    account: Account,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="DATE|TIME", help="The end of this day, or a time. Default: now.")
    ] = None,
    known_at: Annotated[
        str | None, typer.Option("--known-at", metavar="TIME", help="By what was known then. Default: now.")
    ] = None,
    lang: Annotated[Language, typer.Option(help="The language of the diary.")] = Language.JA,
    as_json: AsJson = False,
) -> None:
    """Where an account stands, and all that happened to it: when, by which clause, what it changed."""
    from keizoku.billing.accounts.history import account_history
    from keizoku.terms.refusal import Refused

    now = datetime.now(UTC)
    until = _end_of(as_of) if as_of else now
    known = instant(known_at) if known_at else now
    if until > now and _end_of(now.astimezone(JST).date().isoformat()) != until:
        fail(f"{as_of} is still to come: the diary tells what happened")
    with open_services() as services:
        try:
            story = account_history(services.session, services.rules, account, until=until, known_at=known)
        except Refused as refused:
            refuse(refused)
    if as_json:
        emit(story.to_json(lang.value), as_json=True)
        return

    def draw(console: Console) -> None:
        flat = {name: value for name, value in story.state.items() if name != "unpaid" and value is not None}
        console.print(table(("", ""), flat.items(), header=False))
        console.print()
        for when, words, clause in story.sentences(lang.value):
            console.print(f"[dim]{when}[/dim]  {escape(words)} [dim]{escape(clause)}[/dim]", soft_wrap=True)

    emit(None, human=draw)


@app.command()
def suspend(
    account: Account,
    by: By,
    ground: Ground,
    accelerates: Annotated[
        bool,
        typer.Option("--accelerates", help="The ground is found to hold: what is not yet due becomes due (7.2)."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Switch access off for a ground other than unpaid fees (7.1). The fee of the running term stays due (4.2)."""
    _act(
        lambda service, now: service.suspend(account, ground, by=by, accelerates=accelerates, now=now),
        f"account {account} is suspended",
        as_json,
    )


@app.command()
def resume(account: Account, by: By, ground: Ground, as_json: AsJson = False) -> None:
    """Lift every suspension; one for fees that stay unpaid comes back by night."""
    _act(lambda service, now: service.resume(account, ground, by=by, now=now), f"account {account} is resumed", as_json)


@app.command()
def terminate(account: Account, by: By, ground: Ground, as_json: AsJson = False) -> None:
    """End the contract at once (7.1). What is unpaid stays owed and all of it becomes due (7.2)."""
    _act(
        lambda service, now: service.terminate(account, ground, by=by, now=now),
        f"the contract of account {account} is terminated",
        as_json,
    )


@app.command("write-off")
def write_off(
    account: Account,
    term: Annotated[str, typer.Option(metavar="DATE", help="The first day of the term whose fee is given up.")],
    by: By,
    ground: Annotated[str, typer.Option("--ground", help="Why; kept with the books.")],
    as_json: AsJson = False,
) -> None:
    """Give up the unpaid fee of a term that is over, and the interest on it; the user is told."""
    term_on = day(term)
    _act(
        lambda service, now: service.write_off(account, term_on, by=by, ground=ground, now=now),
        f"account {account}: the fee of the term of {term_on} is written off",
        as_json,
    )


@app.command("set-off")
def set_off(
    account: Account,
    by: By,
    ground: Annotated[str, typer.Option("--ground", help="Why; kept with the books.")],
    as_json: AsJson = False,
) -> None:
    """Set open credits off against what is due: interest, then the fee due first; the user is told."""
    _act(
        lambda service, now: service.set_off(account, by=by, ground=ground, now=now),
        f"account {account}: its credits are set off",
        as_json,
    )


def _act(act: Callable[[BillingService, datetime], object], done: str, as_json: bool) -> None:
    """Do it, or say in one line why it cannot be done."""
    with services_now() as (services, now):
        act(services.billing, now)
    emit({"done": done} if as_json else done, as_json)


def _end_of(text: str) -> datetime:
    """The end of a day, or a time as it is."""
    try:
        return day_start_at(date.fromisoformat(text.strip()) + timedelta(days=1))
    except OverflowError:
        fail(f"{text} is still to come: the diary tells what happened")
    except ValueError:
        return instant(text)
