"""Search: an id, an account, a number, a sum or a day, and all that goes by it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final

import sqlalchemy as sa
from pydantic import ValidationError

from keizoku.billing.rules.payment_reference import ACCOUNT, references_in
from keizoku.db.tables.contracts import account
from keizoku.limits import id_flaw
from keizoku.terms.calendar import Month
from keizoku.terms.refusal import Refused
from keizoku.web.calls.problems import ProblemError
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Cell, Page
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.staff.navigation import staff

__all__ = ["search"]

MOST: Final = 20
LARGEST: Final = 10**12


@staff.screen("/search", command="account list", resource="accounts")
def search(view: View) -> Page:
    """Everything that goes by what was typed."""
    say = view.say
    wanted = " ".join(view.query.get("q", "").split())[:200]
    rows = [list(each) for each in _found(view, wanted)] if wanted and id_flaw(wanted) is None else []
    lead = "" if wanted else say("Type an id, an account, a number, a sum or a day (2026-04-10) above.")
    table = view.table(say("Found"), [say("Kind"), say("What")], rows, name="found",
                       empty=say("Nothing goes by this. An account's id is searched from its beginning."))  # fmt: skip
    return Page(say("Search: {wanted}", wanted=wanted) if wanted else say("Search"), [table] if wanted else [], lead)


def _found(view: View, wanted: str) -> Iterator[tuple[Cell, Cell]]:
    say = view.say
    yield from _accounts(view, wanted)
    if _there(view, "claims.show", claim=wanted):
        yield view.text(say("Claim")), view.claim(wanted)
    if _there(view, "documents.letter", number=wanted):
        yield view.text(say("Letter")), view.text(wanted, to("letters", wanted))
    if _there(view, "tasks.show", task=wanted):
        yield view.text(say("Task")), view.text(wanted, to("tasks", wanted))
    plain = wanted.replace(",", "").removesuffix("円")
    if plain.isdecimal() and plain.isascii() and 0 < int(plain) < LARGEST:
        yield from _numbers(view, int(plain))
    yield from _references(view, wanted)
    yield from _days(view, wanted)


def _references(view: View, wanted: str) -> Iterator[tuple[Cell, Cell]]:
    """Whose a payment reference is, as a payer states it with a transfer; one with a typo is said to be one."""
    say = view.say
    found, mistyped = references_in(wanted)
    for each in found:
        if each.kind == ACCOUNT:
            named = sa.select(account.c.id).where(account.c.number == each.number)
            owner = view.call.session.execute(named).scalar_one_or_none()
            if owner is not None:
                yield view.text(say("Payment reference")), view.account(owner)
        elif _there(view, "payments.invoice", number=each.number):
            yield view.text(say("Payment reference")), view.invoice(each.number)
    if mistyped and not found:
        yield view.text(say("Payment reference")), view.text(say("its check digits are wrong: a digit was mistyped"))


def _accounts(view: View, wanted: str) -> Iterator[tuple[Cell, Cell]]:
    operation = view.operations["accounts.list_accounts"]
    listing = operation.handler(view.call)
    if view.ask("accounts.access", account=wanted)["state"] is not None:
        yield view.text(view.say("Account")), view.account(wanted)
    for row in listing.read(MOST, wanted):
        if not str(row["account"]).startswith(wanted):
            return
        yield view.text(view.say("Account")), view.account(str(row["account"]))


def _numbers(view: View, number: int) -> Iterator[tuple[Cell, Cell]]:
    say = view.say
    if _there(view, "payments.invoice", number=number):
        yield view.text(say("Invoice")), view.invoice(number)
    if _there(view, "ledger.entry", number=number):
        yield view.text(say("Entry")), view.code(number, to("ledger", "entries", number))
    if _there(view, "bank.show_payment", payment=number):
        yield view.text(say("Payment by bank")), view.code(number, to("bank", number))
    shown = view.yen(number).text
    yield view.text(say("Documents")), view.text(shown, to("documents", from_yen=number, to_yen=number))
    yield view.text(say("Entries")), view.text(shown, to("ledger", "entries", from_yen=number, to_yen=number))


def _days(view: View, wanted: str) -> Iterator[tuple[Cell, Cell]]:
    say = view.say
    try:
        day = date.fromisoformat(wanted) if len(wanted) == 10 else None
        month = Month.parse(wanted[:7]) if len(wanted) in (7, 10) else None
    except ValueError:
        return
    if day is not None:
        yield view.text(say("Night")), view.day(day, to("nights", day))
        yield view.text(say("Entries")), view.day(day, to("ledger", "entries", from_on=day, to_on=day))
        yield view.text(say("Documents")), view.day(day, to("documents", from_on=day, to_on=day))
    if month is not None:
        yield view.text(say("Month")), view.month(str(month), to("sla", month))
        yield view.text(say("Month close")), view.month(str(month), to("close", month))


def _there(view: View, name: str, **given: object) -> bool:
    """Whether the calls know it."""
    try:
        view.ask(name, **given)
    except (Refused, ProblemError, ValidationError, LookupError, ValueError):
        return False
    return True
