"""`keizoku notice`: documents for users, for a mailer to take."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from keizoku.scheduler.cli.shared.context import open_services
from keizoku.scheduler.cli.shared.headings import headed, heading
from keizoku.scheduler.cli.shared.ids import DocumentId, document_id
from keizoku.scheduler.cli.shared.inputs import SPOKEN, AsJson, Language, Recorder, instant, recorder
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import SHOWN, After, All, Limit, Page, Pages, emit_pages, lines_of
from keizoku.scheduler.cli.shared.output import emit, fail, json_text

app = typer.Typer(
    help=both(
        "Notices and demands for users: list, show, mark as sent.", "利用者への通知と請求: 一覧、表示、送付済みの記録。"
    ),
    no_args_is_help=True,
)

Lang = Annotated[Language, typer.Option(help=both("The language of subject and body.", "件名と本文の言語。"))]


@app.command(
    "list",
    help=japanese(
        "送信を待つ書類。書かれた順。\n\n"
        "`--jsonl` はメール送信プログラム向けです: 1行を受け取り、送信し、`keizok"
        "u notice mark-sent ID` を呼びます。"
    ),
)
def list_documents(
    account: Annotated[
        str | None, typer.Option(help=both("Only this account's.", "このアカウントのものだけ。"))
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help=both("Only this kind; may be repeated.", "この種類だけ。繰り返し可。"))
    ] = None,
    also_sent: Annotated[
        bool, typer.Option("--also-sent", help=both("Also those that were handed over.", "送付済みのものも含めます。"))
    ] = False,
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    lang: Lang = SPOKEN,
    lines: Annotated[
        bool, typer.Option("--jsonl", help=both("One JSON object a line, both languages.", "1行に一つのJSON、両言語。"))
    ] = False,
    as_json: AsJson = False,
) -> None:
    """What waits for the mailer, in the order in which it was written.

    `--jsonl` is for a mailer: it takes a line, sends it, and calls `keizoku notice mark-sent ID`.
    """
    from dataclasses import asdict

    from keizoku.billing.documents.outbox import OutgoingDocument, waiting, waiting_count
    from keizoku.billing.rules.documents.notice_text import SUBJECTS

    strange = sorted(set(kind or ()) - set(SUBJECTS))
    if strange:
        fail(f"no such kind: {', '.join(strange)}; there are {', '.join(SUBJECTS)}")
    whole = everything or (lines and limit == SHOWN)  # a mailer is to miss none
    page = Page.wanted(limit, document_id(after) if after else "", whole)
    names = ("id", "kind", "account", "written_at", "handed_over_at", "subject")

    def row(each: OutgoingDocument) -> dict[str, object]:
        shown = each.in_language(lang.value)
        return asdict(each) if lines or as_json else headed(((name, shown[name]) for name in names), lang.value)

    with open_services() as services:

        def read(limit: int, after: str) -> list[dict[str, object]]:
            found = waiting(
                services.session,
                account=account,
                kinds=kind or (),
                also_handed_over=also_sent,
                limit=limit,
                after=after,
            )
            return [row(each) for each in found]

        def count() -> int:
            return waiting_count(services.session, account=account, kinds=kind or (), also_handed_over=also_sent)

        pages = Pages(read, count, lambda row: str(row[heading("id", "en" if lines or as_json else lang.value)]))
        if lines:
            for each in lines_of(pages, page):
                typer.echo(json_text(each))
        else:
            emit_pages(
                pages,
                page,
                "送付を待つ書類はありません" if lang is Language.JA else "nothing waits to be sent",
                as_json,
            )


@app.command(help=japanese("一つの書類。"))
def show(
    number: DocumentId,
    lang: Lang = Language.JA,
    html: Annotated[bool, typer.Option("--html", help=both("As a page of HTML.", "HTMLのページにします。"))] = False,
    as_json: AsJson = False,
) -> None:
    """One document."""
    from keizoku.billing.documents.outbox import document

    with open_services() as services:
        found = document(services.session, number)
    if html:
        typer.echo(found.html(lang.value), nl=False)
    else:
        emit(found if as_json else headed(found.in_language(lang.value), lang.value), as_json)


@app.command("mark-sent", help=japanese("書類を送信に渡したことを、一度だけ記録します。"))
def mark_sent(
    number: DocumentId,
    at: Annotated[
        str | None,
        typer.Option(
            help=both(
                "When it was handed to the mailer, JST unless it has an offset. Default: now.",
                "送信に渡した時刻。時差の指定がなければ日本時間。省略すると現在。",
            )
        ),
    ] = None,
    author: Recorder = "",
    as_json: AsJson = False,
) -> None:
    """Record that a document was handed to the mailer: once, for good."""
    now = datetime.now(UTC)
    handed_at = instant(at) if at else now
    with open_services() as services:
        fresh = services.billing.hand_over(number, by=recorder(author), handed_at=handed_at, now=now)
    said = "recorded" if fresh else "was recorded already"
    emit({"id": number, "recorded": fresh} if as_json else f"document {number}: {said}", as_json)
