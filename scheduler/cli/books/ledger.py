"""`keizoku ledger`: the books, from a balance down to the event behind an entry and its clause."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from keizoku.scheduler.cli.shared.context import services_now
from keizoku.scheduler.cli.shared.inputs import AsJson, Author, Ground, Language, day, instant, month_of
from keizoku.scheduler.cli.shared.output import emit, fail, note, table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from rich.console import Console

    from keizoku.billing.ledger.read_models import AccountBook, EntryExplanation, RuleLeg

app = typer.Typer(
    help="The books: trial balance, accounts, entries and what is behind them.",
    no_args_is_help=True,
)

Lang = Annotated[Language, typer.Option("--lang", help="Names in Japanese or English.")]
AsOf = Annotated[str, typer.Option("--as-of", help="Through this day (JST): 2026-04-30. Default: everything.")]
KnownAt = Annotated[str, typer.Option("--known-at", help="As it was recorded by then: '2026-05-01 09:00'.")]
Entry = Annotated[int, typer.Argument(metavar="ID", help="As `keizoku ledger account` shows it.")]


@app.callback()
def _ledger() -> None:
    """Every amount is whole yen, debit positive; entries are only ever added."""


@app.command("trial")
def trial_balance(as_of: AsOf = "", known_at: KnownAt = "", lang: Lang = Language.JA, as_json: AsJson = False) -> None:
    """Every account's debits, credits and balance; exit 1 if they do not sum to zero."""
    from keizoku.billing.ledger.queries import trial

    on, known = _times(as_of, known_at)
    with services_now() as (services, _):
        shown = trial(services.session, on, known)
    rows = [
        (each["code"], each[lang.value], each["debit"], each["credit"], each["balance"]) for each in shown["accounts"]
    ]
    rows.append(("", "", shown["debit"], shown["credit"], shown["debit"] - shown["credit"]))
    emit(shown, as_json, lambda console: console.print(table(("code", "account", "debit", "credit", "balance"), rows)))
    if shown["debit"] != shown["credit"]:
        raise typer.Exit(1)


@app.command("account")
def account(
    code: Annotated[str, typer.Argument(metavar="CODE", help="As `keizoku ledger chart` lists it.")],
    since: Annotated[str, typer.Option("--from", help="Lines from this day on; earlier ones are the opening.")] = "",
    as_of: AsOf = "",
    known_at: KnownAt = "",
    customer: Annotated[str, typer.Option("--account", help="Only entries of this customer.")] = "",
    lang: Lang = Language.JA,
    as_json: AsJson = False,
) -> None:
    """An account line by line, with its entries and the running balance."""
    from keizoku.billing.ledger.queries import account_book

    on, known = _times(as_of, known_at)
    with services_now() as (services, _):
        shown = account_book(
            services.session,
            code,
            since=day(since) if since else None,
            as_of=on,
            known_at=known,
            customer=customer or None,
        )
    emit(shown, as_json, lambda console: _print_account(console, shown, lang))


@app.command("entry")
def entry(number: Entry, lang: Lang = Language.JA, as_json: AsJson = False) -> None:
    """One entry: its lines, the rule that made it, the event behind it, its clause, who took it back."""
    from keizoku.billing.ledger.queries import explain_entry

    with services_now() as (services, _):
        shown = explain_entry(services.session, number)
    emit(shown, as_json, lambda console: _print_entry(console, shown, lang))


@app.command("rules")
def rules(lang: Lang = Language.JA, as_json: AsJson = False) -> None:
    """What each event posts: the one table that every entry but those of people comes from."""
    from keizoku.billing.ledger.queries import rule_rows

    shown = rule_rows()
    rows = [
        (each["event"], each["occasion"], _legs(each.debit, lang), _legs(each.credit, lang), each["clause"])
        for each in shown
    ]
    emit(shown, as_json, lambda console: console.print(table(("event", "when", "debit", "credit", "clause"), rows)))


@app.command("chart")
def chart(lang: Lang = Language.JA, as_json: AsJson = False) -> None:
    """The chart of accounts."""
    from keizoku.billing.ledger.queries import chart_rows

    shown = chart_rows()
    rows = [(each["code"], each[lang.value], each["type"]) for each in shown]
    emit(shown, as_json, lambda console: console.print(table(("code", "account", "type"), rows)))


@app.command("deferred")
def deferred(
    month: Annotated[str, typer.Argument(metavar="[MONTH]", help="2026-04. Default: the month that runs.")] = "",
    as_json: AsJson = False,
) -> None:
    """The contract liability (2120) of a month, per plan: opening to closing, and when what is left will be earned.

    Both tie to the account, or nothing is shown. `late`: of days that have passed, the next night recognises it;
    `when_paid`: of terms that ended early unpaid; `by_people`: posted by hand.
    """
    from dataclasses import asdict

    from keizoku.billing.closing.contract_liability import COLUMNS, contract_liability
    from keizoku.db.session import one_snapshot
    from keizoku.terms.calendar import Month, jst_day

    about = month_of(month) if month else None
    with services_now() as (services, now), one_snapshot(services.session):
        about = about or Month.of(jst_day(now))
        shown = contract_liability(services.session, about, jst_day(now))
    by_kind = [(each.plan or "-", each.by_kind()) for each in shown.plans]
    rolled = [(plan, *(kinds[name] for name in COLUMNS)) for plan, kinds in by_kind]
    rolled.append(("", *(sum(kinds[name] for _, kinds in by_kind) for name in COLUMNS)))
    ahead = [(each.when, each.plan or "-", each.yen) for each in sorted(shown.schedule, key=lambda part: part.when)]
    ahead.append(("", "", sum(each.yen for each in shown.schedule)))

    def show(console: Console) -> None:
        console.print(f"[bold]2120, {about}[/bold]")
        console.print(table(("plan", *COLUMNS), rolled))
        console.print(f"[bold]to be earned from {shown.from_on} on[/bold]")
        console.print(table(("when", "plan", "yen"), ahead))

    emit(asdict(shown) | {"month": str(about), "movements": shown.movements}, as_json, show)


@app.command("reverse")
def reverse(
    number: Entry,
    author: Author,
    ground: Ground,
    on: Annotated[str, typer.Option("--on", help="The day of the new entry. Default: today.")] = "",
    as_json: AsJson = False,
) -> None:
    """Take an entry back by a new one; the old one stays, and names the new one."""
    from keizoku.billing.ledger.manual_entries import reverse as take_back
    from keizoku.terms.calendar import jst_day

    with services_now() as (services, _):
        now = datetime.now(UTC)
        made = take_back(services.session, number, day(on) if on else jst_day(now), author, ground, now)
    emit({"entry": made, "reverses": number} if as_json else f"entry {made} takes entry {number} back", as_json)


@app.command("post")
def post(
    lines: Annotated[list[str], typer.Argument(metavar="CODE=YEN…", help="Debit positive: 6110=18 1131=-18.")],
    author: Author,
    ground: Ground,
    on: Annotated[str, typer.Option("--on", help="The day of the entry. Default: today.")] = "",
    as_json: AsJson = False,
) -> None:
    """Post an entry by hand: what no rule knows."""
    from keizoku.billing.ledger.manual_entries import post_by_hand
    from keizoku.terms.calendar import jst_day

    with services_now() as (services, _):
        now = datetime.now(UTC)
        made = post_by_hand(services.session, hand_lines(lines), day(on) if on else jst_day(now), author, ground, now)
    emit({"entry": made} if as_json else f"entry {made} is posted", as_json)


def hand_lines(texts: list[str]) -> dict[str, int]:
    """CODE=YEN, several; ends the command for what is none."""
    found: dict[str, int] = {}
    for text in texts:
        code, _, yen = text.partition("=")
        try:
            found[code.strip()] = found.get(code.strip(), 0) + int(yen)
        except ValueError:
            fail(f"not a line: {text!r}; write CODE=YEN, debit positive: 6110=18 1131=-18")
    return found


def _times(as_of: str, known_at: str) -> tuple[date | None, datetime | None]:
    return day(as_of) if as_of else None, instant(known_at) if known_at else None


def _legs(legs: Iterable[RuleLeg], lang: Language) -> str:
    return "; ".join(f"{each['code']} {each[lang.value]} {each['amounts']}" for each in legs)


def _print_account(console: Console, shown: AccountBook, lang: Language) -> None:
    from rich.markup import escape

    console.print(f"[bold]{shown['code']} {escape(shown[lang.value])}[/bold]")
    rows: list[tuple[object, ...]] = [("", "", "opening", "", "", "", shown["opening"])]
    rows += [
        (each["date"], str(each["entry"]), each["event"], each["key"], each["account"], each["yen"], each["balance"])
        for each in shown["lines"]
    ]
    rows.append(("", "", "closing", "", "", "", shown["closing"]))
    console.print(table(("date", "entry", "event", "key", "account", "yen", "balance"), rows))
    note("what is behind an entry: keizoku ledger entry ID")


def _print_entry(console: Console, shown: EntryExplanation, lang: Language) -> None:
    from rich.markup import escape

    console.print(f"[bold]entry {shown['id']}  {shown['posted_on']}  {escape(shown['event'])}[/bold]")
    console.print(escape(shown["occasion"]))
    console.print(table(("code", "account", "yen"), [(e["code"], e[lang.value], e["yen"]) for e in shown["lines"]]))
    facts: list[tuple[str, object]] = [("key", shown["event_key"]), ("recorded", shown["recorded_at"])]
    if shown["belongs_to"]:
        facts.append(("belongs to", shown["belongs_to"]))
    if shown["clause"]:
        facts.append(("clause", f"{shown['clause']['id']}: {shown['clause'][lang.value]}"))
    facts += [
        (name.replace("_", " "), ", ".join(f"{what} {told}" for what, told in shown[name].items() if told))
        for name in ("by_people", "reversed_by")
        if shown[name]
    ]
    console.print(table(("", ""), facts, header=False))
    if shown["behind"]:
        console.print(f"[dim]behind it: {shown['behind']['table']}[/dim]")
        console.print(table(("", ""), shown["behind"]["row"].items(), header=False))
