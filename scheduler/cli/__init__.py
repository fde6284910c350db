"""The command `keizoku`: one group of commands per file, imported when it is asked for.

`keizoku --help` imports none of them, so it answers at once. To add a group: write its file in this folder
with a Typer application in it, and add a row to COMMANDS.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Annotated, Any, NamedTuple, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

__all__ = ["COMMANDS", "app", "main"]


class Target(NamedTuple):
    """Where a command is, and what the list of commands says about it."""

    place: str  # "module:attribute", a typer.Typer
    help: str


COMMANDS: dict[str, Target] = {
    "demo": Target("keizoku.scheduler.cli.operations.demo:app", "One small month, from outage to credit: start here."),
    "terms": Target(
        "keizoku.scheduler.cli.terms.contract_terms:app", "The contract: clauses, numbers, readings, who decides what."
    ),
    "scenario": Target("keizoku.scheduler.cli.operations.scenario:app", "Dated diaries that run the whole engine."),
    "explain": Target("keizoku.scheduler.cli.money.explain:app", "Why something was decided as it was."),
    "contract": Target(
        "keizoku.scheduler.cli.contracts.contract:app", "Applications, screening, end of use: the life of a contract."
    ),
    "plan": Target("keizoku.scheduler.cli.contracts.price:plans", "Plans of monthly or yearly terms: add, list."),
    "price": Target(
        "keizoku.scheduler.cli.contracts.price:app", "Dated prices of plans: add, list, simulate a change."
    ),
    "acts": Target("keizoku.scheduler.cli.contracts.acts:app", "Acts of the operator: change of service, disclosure."),
    "sla": Target(
        "keizoku.scheduler.cli.sla.sla:app", "Stops of the service: measure, record, report, replay a month."
    ),
    "claim": Target("keizoku.scheduler.cli.sla.claim:app", "Claims under Article 9: take one, rule on it, list, show."),
    "night": Target("keizoku.scheduler.cli.operations.night:app", "Run the night of a business date, or of several."),
    "worker": Target(
        "keizoku.scheduler.cli.operations.worker:app", "Run unattended: nights, the gateway's news, health and numbers."
    ),
    "payments": Target("keizoku.scheduler.cli.money.payments:app", "Charges whose answer never came: look up, decide."),
    "account": Target(
        "keizoku.scheduler.cli.contracts.account:app",
        "Accounts: state, history, suspend, terminate, write off, set off.",
    ),
    "card": Target("keizoku.scheduler.cli.contracts.card:app", "A card that a user registered anew."),
    "bank": Target("keizoku.scheduler.cli.money.bank:app", "Incoming transfers: import, list, match to their payers."),
    "store": Target("keizoku.scheduler.cli.money.store:app", "Reports of app stores: import, list."),
    "key": Target("keizoku.scheduler.cli.contracts.codes:key", "Product keys: issue, list, check, redeem, revoke."),
    "coupon": Target("keizoku.scheduler.cli.contracts.codes:coupon", "Coupons: issue, list, check, redeem, revoke."),
    "interest": Target(
        "keizoku.scheduler.cli.money.interest:app", "Late interest on any day, without saving anything."
    ),
    "invoice": Target("keizoku.scheduler.cli.money.invoice:app", "Billing statements and credit notes, as documents."),
    "demand": Target("keizoku.scheduler.cli.money.demand:app", "Demands for late interest, as documents."),
    "deposit": Target(
        "keizoku.scheduler.cli.money.deposit:app", "What payers sent beyond what they owed: list, refund, apply."
    ),
    "notice": Target(
        "keizoku.scheduler.cli.contracts.notice:app", "Notices and demands for users: list, show, mark as sent."
    ),
    "ledger": Target(
        "keizoku.scheduler.cli.books.ledger:app", "The books: trial balance, accounts, entries, what is behind them."
    ),
    "report": Target(
        "keizoku.scheduler.cli.books.report:app", "A month for finance: page, workbook, CSV files, their hashes."
    ),
    "reconcile": Target(
        "keizoku.scheduler.cli.books.reconcile:app", "A month's books against the gateway's and the bank's."
    ),
    "close": Target("keizoku.scheduler.cli.books.close:app", "Close a month's books, verify what is closed, reopen."),
    "export": Target(
        "keizoku.scheduler.cli.books.export:app", "A month's journal as an accounting package imports it."
    ),
    "backup": Target(
        "keizoku.scheduler.cli.operations.backup:app", "Encrypted copies in three places: run, list, verify, restore."
    ),
    "settings": Target(
        "keizoku.scheduler.cli.operations.settings:app", "Every setting with its value, default and meaning."
    ),
    "db": Target("keizoku.scheduler.cli.operations.db:app", "The database: where it is, bring it up to date, stop it."),
}
"""In the order in which a newcomer meets them."""


class _NotYetLoaded(TyperCommand):
    """Stands for a command in the list of commands, and becomes it when it is called."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        module, attribute = COMMANDS[str(self.name)].place.split(":")
        command = typer.main.get_command(getattr(import_module(module), attribute))
        return command.make_context(info_name, args, parent=parent, **extra)


class _Root(TyperGroup):
    """The group of all commands."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, target in COMMANDS.items():
            self.add_command(_NotYetLoaded(name, help=target.help))


app = typer.Typer(
    cls=_Root,
    name="keizoku",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"keizoku {version('keizoku')}")
        raise typer.Exit


@app.callback()
def _keizoku(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Premium-subscription billing and SLA credits, as the contract says it."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit.

    0 fine, 1 a finding, 2 a mistake in how it was called, 3 broken off by what it stands on (the database went away, a
    disk is full: run it again), 130 interrupted.
    """
    try:
        try:
            typer.main.get_command(app).main(arguments, prog_name="keizoku")
        finally:
            _hand_over()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        from keizoku.scheduler.cli.shared.output import explain_failure

        sys.exit(explain_failure(error, as_json="--json" in (sys.argv[1:] if arguments is None else arguments)))
    sys.exit(0)


def _hand_over() -> None:
    """Give stdout what is still held back, while an error of it can still be told; a reader who left wants no more."""
    try:
        sys.stdout.flush()
    except OSError as error:
        with suppress(OSError, ValueError):  # at its end the interpreter would try once more, and say so
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise
        sys.exit(1)
