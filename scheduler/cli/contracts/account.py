"""`keizoku account`: where an account stands, its history, and what people decide about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from keizoku.scheduler.cli.shared.act_key import Key, key_of
from keizoku.scheduler.cli.shared.context import open_services, services_now, settings_of_this_process
from keizoku.scheduler.cli.shared.headings import headed
from keizoku.scheduler.cli.shared.inputs import (
    SPOKEN,
    Account,
    AsJson,
    Author,
    Language,
    Recorder,
    day,
    instant,
    recorder,
)
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import SHOWN, After, All, Limit, Page, Pages, Row, emit_pages
from keizoku.scheduler.cli.shared.output import emit, fail, table
from keizoku.terms.calendar import JST, day_start_at

if TYPE_CHECKING:
    from keizoku.billing.services.billing_service import BillingService

app = typer.Typer(
    help=both(
        "Accounts: state, history, suspend, terminate, write off, set off.",
        "アカウント: 状態、履歴、停止、解除、償却、相殺。",
    ),
    no_args_is_help=True,
)

By = Annotated[str, typer.Option("--by", help=both("Who decides so.", "決めた人。"))]
Ground = Annotated[str, typer.Option("--ground", help=both("Why. The user is notified.", "理由。利用者に知らせます。"))]


class State(StrEnum):
    """The state of an account's newest contract."""

    APPLIED = "applied"
    REJECTED = "rejected"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    ENDED = "ended"


@app.command(
    "base-closed",
    help=japanese(
        "普通預金口座の解約を記録します。プレミアム(6.2、13)と連携サービス(api_link 12.2(1))が同じ時刻に終了します。"
    ),
)
def base_closed(account: Account, author: Author, ground: Ground) -> None:
    """The bank account is closed: premium (6.2, 13) and link (api_link/12.2(1)) end at one instant."""
    with services_now() as (services, now):
        services.close_base_account(account, by=author, ground=ground, now=now)
    emit(f"account {account}: the bank account is closed; what ran has ended")


@app.command("list", help=japanese("アカウントの状態、遅延日数、未払い料金、このまま支払いがないときに起きること。"))
def list_accounts(
    state: Annotated[State | None, typer.Option(help=both("Only in this state.", "この状態のものだけ。"))] = None,
    overdue: Annotated[
        bool,
        typer.Option(
            "--overdue", help=both("Only with a fee past its due date.", "支払期日を過ぎた料金のあるものだけ。")
        ),
    ] = False,
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Accounts with their state, days overdue, unpaid fees, and what comes if nothing more is paid."""
    from keizoku.billing.accounts.account_list import account_count, account_list
    from keizoku.billing.rules.contract_state import STATES

    wanted, now = next((each for each in STATES if each == state), None), datetime.now(UTC)
    with open_services() as services:

        def read(limit: int, after: str) -> Sequence[Row]:
            return account_list(
                services.session, services.rules, now, state=wanted, overdue=overdue, limit=limit, after=after
            )

        def count() -> int:
            return account_count(services.session, services.rules, now, state=wanted, overdue=overdue)

        pages = Pages(read, count, lambda row: str(row["account"]))
        emit_pages(pages, Page.wanted(limit, after, everything), "no account matches", as_json)


@app.command(help=japanese("アカウントの状態と、起きたことのすべて: いつ、どの条項で、何が変わったか。"))
def show(
    account: Account,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            metavar="DATE|TIME",
            help=both("The end of this day, or a time. Default: now.", "この日の終わり、または時刻。省略すると現在。"),
        ),
    ] = None,
    known_at: Annotated[
        str | None,
        typer.Option(
            "--known-at",
            metavar="TIME",
            help=both("By what was known then. Default: now.", "その時点で知っていたことによる状態。省略すると現在。"),
        ),
    ] = None,
    lang: Annotated[Language, typer.Option(help=both("The language of the history.", "日誌の言語。"))] = SPOKEN,
    as_json: AsJson = False,
) -> None:
    """The state of an account, and all that happened to it: when, by which clause, what it changed."""
    from keizoku.scheduler.reports.account_story import account_story, link_of

    now = datetime.now(UTC)
    until = _end_of(as_of) if as_of else now
    known = instant(known_at) if known_at else now
    if until > now and _end_of(now.astimezone(JST).date().isoformat()) != until:
        fail(f"{as_of} is still to come: the history shows what has happened")
    with open_services() as services:
        story = account_story(services.session, services.rules, account, until=until, known_at=known)
        link = link_of(services.session, account, until - timedelta(microseconds=1))
    if as_json:
        emit({**story.to_json(lang.value), "link": link}, as_json=True)
        return

    def draw(console: Console) -> None:
        flat = {name: value for name, value in story.state.items() if name != "unpaid" and value is not None}
        console.print(table(("", ""), headed(flat, lang.value).items(), header=False))
        if link is not None:
            of_link = {name: value for name, value in link.items() if name != "account" and value is not None}
            console.print()
            console.print(table(("", ""), headed(of_link, lang.value).items(), header=False))
        console.print()
        for when, words, clause in story.sentences(lang.value):
            console.print(f"[dim]{when}[/dim]  {escape(words)} [dim]{escape(clause)}[/dim]", soft_wrap=True)

    emit(None, human=draw)


@app.command(
    "file",
    help=japanese(
        "会員ファイル: アカウントについて保有するデータのすべてを、JSON、CSV、PDFにします(個人情報保護法33条)。\n\n"
        "作成したこと自体を、情報の提供として記録します。"
    ),
)
def member_file(
    account: Account,
    out: Annotated[
        Path, typer.Option(metavar="DIR", file_okay=False, help=both("The folder to write.", "書き出すフォルダー。"))
    ],
    recipient: Annotated[
        str, typer.Option("--to", help=both("Who receives it. Default: the member.", "提供先。省略すると本人。"))
    ] = "本人",
    ground: Annotated[
        str, typer.Option("--ground", help=both("Why. Default: the law.", "理由。省略すると法律の条文。"))
    ] = "個人情報の保護に関する法律第33条",
    author: Recorder = "",
    as_json: AsJson = False,
) -> None:
    """A member's file: all that is held about an account, as JSON, CSV and PDF; recorded as a disclosure."""
    from keizoku.billing.documents.rendering import FontError
    from keizoku.scheduler.backup.member_file import Request, write_member_file

    settings = settings_of_this_process()
    with services_now() as (services, now):
        request = Request(account, recipient, ground, recorder(author), now)
        try:
            made = write_member_file(
                services.session,
                services.rules,
                request,
                out,
                keys=settings.sealing_keys(),
                font=settings.document_font,
            )
        except FontError as error:
            fail(str(error))
        except OSError as error:
            fail(f"{error.filename or out}: {error.strerror}")
    rows = sum(made.rows.values())
    emit(
        {"folder": str(out), "rows": dict(made.rows)}
        if as_json
        else f"account {account}: {rows:,} rows of {len(made.rows)} tables in {out}, recorded as a disclosure",
        as_json,
    )


@app.command(help=japanese("未払い以外の事由で利用を停止します(7.1)。進行中の期間の料金は引き続き発生します(4.2)。"))
def suspend(
    account: Account,
    by: By,
    ground: Ground,
    accelerates: Annotated[
        bool,
        typer.Option(
            "--accelerates",
            help=both(
                "The ground is found to hold: what is not yet due becomes due (7.2).",
                "事由が認められたとき: 期日前の債務も期日が到来します(7.2)。",
            ),
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Switch access off for a ground other than unpaid fees (7.1). The fee of the running term stays due (4.2)."""
    _act(
        lambda service, now: service.suspend(account, ground, by=by, accelerates=accelerates, now=now),
        f"account {account} is suspended",
        as_json,
    )


@app.command(help=japanese("すべての停止を解きます。未払いによる停止は、未払いが続けば夜に戻ります。"))
def resume(account: Account, by: By, ground: Ground, as_json: AsJson = False) -> None:
    """Lift every suspension; one for fees that stay unpaid comes back by night."""
    _act(lambda service, now: service.resume(account, ground, by=by, now=now), f"account {account} is resumed", as_json)


@app.command(help=japanese("契約をただちに解除します(7.1)。未払い分は残り、すべて期日が到来します(7.2)。"))
def terminate(account: Account, by: By, ground: Ground, as_json: AsJson = False) -> None:
    """End the contract at once (7.1). What is unpaid stays owed and all of it becomes due (7.2)."""
    _act(
        lambda service, now: service.terminate(account, ground, by=by, now=now),
        f"the contract of account {account} is terminated",
        as_json,
    )


@app.command(
    help=japanese(
        "決済、請求、未払いによる停止と解除を、ある日まで保留します。利用、更新、返金、会員の手続きは続きます。"
    )
)
def hold(
    account: Account,
    until: Annotated[
        str,
        typer.Option(metavar="DATE", help=both("Its last day, 2026-04-30.", "保留の最終日。2026-04-30 など。")),
    ],
    author: Author,
    ground: Annotated[str, typer.Option("--ground", help=both("Why; for the record.", "理由。記録に残します。"))],
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """Hold back charges, demands, suspension and termination for unpaid fees; all else of the account goes on."""
    until_on, used = day(until), key_of(key)
    _act(
        lambda service, now: service.hold_account(account, until_on, ground, by=author, key=used, now=now),
        f"account {account} is held until {until_on}",
        as_json,
    )


@app.command(help=japanese("保留を、その最終日より前に解除します。"))
def release(
    account: Account,
    author: Author,
    ground: Annotated[str, typer.Option("--ground", help=both("Why; for the record.", "理由。記録に残します。"))],
    as_json: AsJson = False,
) -> None:
    """End the hold on an account before its day: the next night does what waited."""
    _act(
        lambda service, now: service.release_account(account, ground, by=author, now=now),
        f"account {account} is held no more",
        as_json,
    )


@app.command(
    "write-off", help=japanese("終わった契約期間の未払い料金とその遅延損害金を放棄します。利用者に知らせます。")
)
def write_off(
    account: Account,
    term: Annotated[
        str,
        typer.Option(
            metavar="DATE",
            help=both("The first day of the term whose fee is given up.", "料金を放棄する契約期間の最初の日。"),
        ),
    ],
    by: By,
    ground: Annotated[
        str, typer.Option("--ground", help=both("Why; kept with the books.", "理由。帳簿とともに残します。"))
    ],
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """Write off the unpaid fee of a term that is over, and the interest on it; the user is notified."""
    term_on = day(term)
    used = key_of(key)
    _act(
        lambda service, now: service.write_off(account, term_on, by=by, ground=ground, key=used, now=now),
        f"account {account}: the fee of the term of {term_on} is written off",
        as_json,
    )


@app.command(
    "set-off", help=japanese("未使用の減額を債務と相殺します: 遅延損害金、次に期日の早い料金。利用者に知らせます。")
)
def set_off(
    account: Account,
    by: By,
    ground: Annotated[
        str, typer.Option("--ground", help=both("Why; kept with the books.", "理由。帳簿とともに残します。"))
    ],
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """Set open credits off against what is due: interest, then the fee due first; the user is notified."""
    used = key_of(key)
    _act(
        lambda service, now: service.set_off(account, by=by, ground=ground, key=used, now=now),
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
        fail(f"{text} is still to come: the history shows what has happened")
    except ValueError:
        return instant(text)
