"""`keizoku ledger`: the books, from a balance down to the event behind an entry and its clause."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from keizoku.scheduler.cli.books import entry_search
from keizoku.scheduler.cli.books.manual_entry_options import elsewhere, hand_lines, where_of
from keizoku.scheduler.cli.shared.act_key import Key, key_of
from keizoku.scheduler.cli.shared.context import services_now
from keizoku.scheduler.cli.shared.headings import heading, headings
from keizoku.scheduler.cli.shared.ids import EntryId
from keizoku.scheduler.cli.shared.inputs import (
    SPOKEN,
    AsJson,
    Author,
    Ground,
    Language,
    OnlyAccount,
    day,
    instant,
    month_of,
)
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import SHOWN, After, All, Cut, Limit, Page, Row, of_rows
from keizoku.scheduler.cli.shared.output import emit, note, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from rich.console import Console

    from keizoku.billing.ledger.read_models import AccountBook, EntryExplanation, RuleLeg

app = typer.Typer(
    help=both(
        "The books: trial balance, accounts, entries and what is behind them.",
        "帳簿: 試算表、勘定、仕訳、その元になった出来事。",
    ),
    no_args_is_help=True,
)
entry_search.add_to(app)

Lang = Annotated[
    Language, typer.Option("--lang", help=both("Names in Japanese or English.", "名称の言語(日本語か英語)。"))
]
AsOf = Annotated[
    str,
    typer.Option(
        "--as-of",
        help=both(
            "Through this day (JST): 2026-04-30. Default: everything.",
            "この日まで(日本時間): 2026-04-30。省略するとすべて。",
        ),
    ),
]
KnownAt = Annotated[
    str,
    typer.Option(
        "--known-at",
        help=both(
            "As it was recorded by then: '2026-05-01 09:00'.", "その時点までの記録による状態: '2026-05-01 09:00'。"
        ),
    ),
]


@app.callback(
    help=both(
        "Every amount is whole yen, debit positive; entries are only ever added.",
        "金額はすべて円、借方が正です。仕訳は追加されるだけです。",
    )
)
def _ledger() -> None:
    """Every amount is whole yen, debit positive; entries are only ever added."""


@app.command("trial", help=japanese("すべての勘定の借方、貸方、残高。合計がゼロでなければ終了コード 1。"))
def trial_balance(as_of: AsOf = "", known_at: KnownAt = "", lang: Lang = SPOKEN, as_json: AsJson = False) -> None:
    """Every account's debits, credits and balance; exit 1 if they do not sum to zero."""
    from keizoku.billing.ledger.queries import trial

    on, known = _times(as_of, known_at)
    with services_now() as (services, _):
        shown = trial(services.session, on, known)
    rows = [
        (each["code"], each[lang.value], each["debit"], each["credit"], each["balance"]) for each in shown["accounts"]
    ]
    rows.append(("", "", shown["debit"], shown["credit"], shown["debit"] - shown["credit"]))
    emit(
        shown,
        as_json,
        lambda console: console.print(
            table(headings(lang.value, "code", "ledger account", "debit", "credit", "balance"), rows)
        ),
    )
    if shown["debit"] != shown["credit"]:
        raise typer.Exit(1)


@app.command("account", help=japanese("一つの勘定の明細。仕訳と残高の推移。"))
def account(
    code: Annotated[
        str,
        typer.Argument(
            metavar="CODE",
            help=both("As `keizoku ledger chart` lists it.", "`keizoku ledger chart` にある勘定コード。"),
        ),
    ],
    since: Annotated[
        str,
        typer.Option(
            "--from",
            help=both(
                "Lines from this day on; earlier ones are the opening.", "この日からの行。それ以前は期首にまとめます。"
            ),
        ),
    ] = "",
    as_of: AsOf = "",
    known_at: KnownAt = "",
    customer: OnlyAccount = None,
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    lang: Lang = SPOKEN,
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
            customer=customer,
        )
    page = Page.wanted(limit, after, everything)
    lines = Cut(of_rows(shown["lines"], "entry"), page)
    part = [line for some in lines.pages() for line in some]
    emit({**shown, "lines": part}, as_json, lambda console: _print_account(console, shown, part, page, lang))
    lines.say()


@app.command("entry", help=japanese("一つの仕訳: 行、作った規則、元になった出来事、条項、取り消した仕訳。"))
def entry(number: EntryId, lang: Lang = SPOKEN, as_json: AsJson = False) -> None:
    """One entry: its lines, the rule that made it, the event behind it, its clause, who took it back."""
    from keizoku.billing.ledger.queries import explain_entry

    with services_now() as (services, _):
        shown = explain_entry(services.session, number)
    emit(shown, as_json, lambda console: _print_entry(console, shown, lang))


@app.command("rules", help=japanese("出来事ごとの仕訳の規則。担当者の仕訳以外はすべてこの表から生まれます。"))
def rules(lang: Lang = SPOKEN, as_json: AsJson = False) -> None:
    """What each event posts: the one table that every entry but those of people comes from."""
    from keizoku.billing.ledger.queries import rule_rows

    shown = rule_rows()
    rows = [
        (each["event"], _occasion(each, lang), _legs(each.debit, lang), _legs(each.credit, lang), each["clause"])
        for each in shown
    ]
    emit(
        shown,
        as_json,
        lambda console: console.print(table(headings(lang.value, "event", "when", "debit", "credit", "clause"), rows)),
    )


@app.command("chart", help=japanese("勘定科目表。"))
def chart(lang: Lang = SPOKEN, as_json: AsJson = False) -> None:
    """The chart of accounts."""
    from keizoku.billing.ledger.queries import chart_rows

    shown = chart_rows()
    rows = [(each["code"], each[lang.value], each["type"]) for each in shown]
    emit(
        shown,
        as_json,
        lambda console: console.print(table(headings(lang.value, "code", "ledger account", "type"), rows)),
    )


@app.command(
    "deferred",
    help=japanese(
        "月の契約負債(2120)をプラン別に: 期首から期末まで、そして残りがいつ収益になるか。\n\n"
        "どちらも勘定と一致しなければ表示しません。`late` は過ぎた日の分で次の夜に認識、`wh"
        "en_paid` は未払いのまま早く終わった期間の分、`by_people` は手で記帳した"
        "分です。"
    ),
)
def deferred(
    month: Annotated[
        str,
        typer.Argument(
            metavar="[MONTH]", help=both("2026-04. Default: the current month.", "月。2026-04 など。省略すると今月。")
        ),
    ] = "",
    lang: Lang = SPOKEN,
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

    ja = lang is Language.JA

    def show(console: Console) -> None:
        console.print(f"[bold]2120, {about}[/bold]")
        console.print(table((heading("plan", lang.value), *(_MOVES[each] if ja else each for each in COLUMNS)), rolled))
        console.print(
            f"[bold]{shown.from_on}以降に収益になるもの[/bold]"
            if ja
            else f"[bold]to be earned from {shown.from_on} on[/bold]"
        )
        console.print(table(headings(lang.value, "when", "plan", "yen"), ahead))

    emit(asdict(shown) | {"month": str(about), "movements": shown.movements}, as_json, show)


@app.command("reverse", help=japanese("仕訳を新しい仕訳で取り消します。元の仕訳は残り、取り消した仕訳を示します。"))
def reverse(
    number: EntryId,
    author: Author,
    ground: Ground,
    on: Annotated[
        str,
        typer.Option(
            "--on", help=both("The day of the new entry. Default: today.", "新しい仕訳の日。省略すると今日。")
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Take an entry back by a new one; the old one stays, and names the new one.

    An entry that a document stands behind is reversed with a warning, which names the act that takes back both.
    """
    from keizoku.billing.ledger.manual_entries import reverse as take_back
    from keizoku.billing.ledger.reversal_advice import landed, warning
    from keizoku.terms.calendar import jst_day

    with services_now() as (services, _):
        now = datetime.now(UTC)
        warned = warning(services.session, number)
        asked_on = day(on) if on else jst_day(now)
        made = take_back(services.session, number, asked_on, author, ground, now)
        where = landed(services.session, made)
    if warned:
        note(f"warning: {warned}")
    told = {"entry": made, "reverses": number, **where_of(where)} | ({"warning": warned} if warned else {})
    emit(told if as_json else f"entry {made} takes entry {number} back{elsewhere(where, asked_on)}", as_json)


@app.command("post", help=japanese("規則にないものを手で記帳します。"))
def post(
    lines: Annotated[
        list[str],
        typer.Argument(
            metavar="CODE=YEN…", help=both("Debit positive: 6110=18 1131=-18.", "借方が正: 6110=18 1131=-18。")
        ),
    ],
    author: Author,
    ground: Ground,
    on: Annotated[
        str, typer.Option("--on", help=both("The day of the entry. Default: today.", "仕訳の日。省略すると今日。"))
    ] = "",
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """Post an entry by hand: what no rule knows."""
    from keizoku.billing.ledger.reversal_advice import landed
    from keizoku.terms.calendar import jst_day

    used = key_of(key)
    with services_now() as (services, _):
        now = datetime.now(UTC)
        posted_on = day(on) if on else jst_day(now)
        made = services.billing.post_by_hand(hand_lines(lines), posted_on, by=author, ground=ground, key=used, now=now)
        where = landed(services.session, made)
    told = {"entry": made, **where_of(where)}
    emit(told if as_json else f"entry {made} is posted{elsewhere(where, posted_on)}", as_json)


def _times(as_of: str, known_at: str) -> tuple[date | None, datetime | None]:
    return day(as_of) if as_of else None, instant(known_at) if known_at else None


_MOVES = {
    "opening": "期首",
    "billed": "請求",
    "recognised": "収益認識",
    "given_up": "放棄",
    "taken_back": "取消し",
    "by_people": "手入力",
    "closing": "期末",
}
_LATER = {"by_people": "担当者", "reversed_by": "取消し"}


def _occasion(rule: Row, lang: Language) -> str:
    """When an event happens, in words."""
    if lang is Language.EN:
        return str(rule["occasion"])
    from keizoku.billing.closing.exports.mapping import mapping_for

    return mapping_for("csv").memos.get(rule["event"], str(rule["event"]))


def _legs(legs: Iterable[RuleLeg], lang: Language) -> str:
    return "; ".join(f"{each['code']} {each[lang.value]} {each['amounts']}" for each in legs)


def _print_account(console: Console, shown: AccountBook, part: Sequence[Row], page: Page, lang: Language) -> None:
    """The lines of a page, after the opening if it is the first page and before the closing if it is the last."""
    from rich.markup import escape

    ja = lang is Language.JA
    console.print(f"[bold]{shown['code']} {escape(shown[lang.value])}[/bold]")
    opening, closing = ("期首", "期末") if ja else ("opening", "closing")
    rows: list[tuple[object, ...]] = [] if page.after else [("", "", opening, "", "", "", shown["opening"])]
    rows += [
        (each["date"], str(each["entry"]), each["event"], each["key"], each["account"], each["yen"], each["balance"])
        for each in part
    ]
    if not shown["lines"] or (part and part[-1] is shown["lines"][-1]):
        rows.append(("", "", closing, "", "", "", shown["closing"]))
    names = headings(lang.value, "date", "entry", "event", "key", "account", "yen", "balance")
    console.print(table(names, rows))
    behind = "仕訳の元になったもの" if ja else "what is behind an entry"
    note(f"{behind}: keizoku ledger entry ENTRY")


def _print_entry(console: Console, shown: EntryExplanation, lang: Language) -> None:
    from rich.markup import escape

    word = "仕訳" if lang is Language.JA else "entry "
    console.print(f"[bold]{word}{shown['id']}  {shown['posted_on']}  {escape(shown['event'])}[/bold]")
    console.print(escape(_occasion(shown, lang)))
    console.print(
        table(
            headings(lang.value, "code", "ledger account", "yen"),
            [(e["code"], e[lang.value], e["yen"]) for e in shown["lines"]],
        )
    )
    names = ("記録", "対象", "条項") if lang is Language.JA else ("recorded", "belongs to", "clause")
    facts: list[tuple[str, object]] = [
        (heading("key", lang.value), shown["event_key"]),
        (names[0], shown["recorded_at"]),
    ]
    if shown["belongs_to"]:
        facts.append((names[1], shown["belongs_to"]))
    if shown["clause"]:
        facts.append((names[2], f"{shown['clause']['id']}: {shown['clause'][lang.value]}"))
    facts += [
        (
            _LATER[name] if lang is Language.JA else name.replace("_", " "),
            ", ".join(f"{what} {told}" for what, told in shown[name].items() if told),
        )
        for name in ("by_people", "reversed_by")
        if shown[name]
    ]
    console.print(table(("", ""), facts, header=False))
    if shown["behind"]:
        console.print(f"[dim]{'元の記録' if lang is Language.JA else 'behind it'}: {shown['behind']['table']}[/dim]")
        console.print(table(("", ""), shown["behind"]["row"].items(), header=False))
