"""`keizoku notice`: documents for users, for a mailer to take."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keizoku.scheduler.cli.shared.context import naming_of_this_process, open_services, settings_of_this_process
from keizoku.scheduler.cli.shared.headings import headed, heading
from keizoku.scheduler.cli.shared.ids import DocumentId, document_id
from keizoku.scheduler.cli.shared.inputs import SPOKEN, AsJson, ByAccount, Language, Recorder, instant, recorder
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import SHOWN, After, All, Limit, Page, Pages, emit_pages, lines_of
from keizoku.scheduler.cli.shared.output import FOUND, emit, fail, json_text, note
from keizoku.scheduler.files import write_private

if TYPE_CHECKING:
    from keizoku.billing.documents.outbox import OutgoingDocument
    from keizoku.billing.rules.documents.letters import Page as LetterPage
    from keizoku.scheduler.app import Services
    from keizoku.scheduler.settings import Settings

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
        "u notice mark-sent ID` を呼びます。権限があれば、一覧の内容のまま発行済みとして保存します。"
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

    `--jsonl` is for a mailer: it takes a line, sends it, and calls `keizoku notice mark-sent ID`. What it lists is
    stored as it stands, if the login may do that.
    """
    from keizoku.billing.documents.outbox import waiting, waiting_count
    from keizoku.billing.rules.documents.notice_text import SUBJECTS

    strange = sorted(set(kind or ()) - set(SUBJECTS))
    if strange:
        fail(f"no such kind: {', '.join(strange)}; there are {', '.join(SUBJECTS)}")
    whole = everything or (lines and limit == SHOWN)  # a mailer is to miss none
    page = Page.wanted(limit, document_id(after) if after else "", whole)
    names = ("id", "kind", "account", "written_at", "handed_over_at", "subject")

    def row(each: OutgoingDocument) -> dict[str, object]:
        shown = each.in_language(lang.value)
        return each.to_json() if lines or as_json else headed(((name, shown[name]) for name in names), lang.value)

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
            if lines:
                found = _issued(services, found)
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


@app.command(
    help=japanese(
        "一つの書類。`--html` と `--pdf` は、利用者にお送りする書面(日本語、続けて英語)です。\n\n"
        "送付したものは送付したままを、まだのものは控えと記して表示します。"
    )
)
def show(
    number: DocumentId,
    lang: Lang = Language.JA,
    html: Annotated[bool, typer.Option("--html", help=both("As a page of HTML.", "HTMLのページにします。"))] = False,
    pdf: Annotated[
        Path | None,
        typer.Option(metavar="FILE", dir_okay=False, help=both("Write it as a PDF, A4.", "PDF(A4)に書き出します。")),
    ] = None,
    to: Annotated[
        str,
        typer.Option(
            help=both(
                "The addressee's name; else what the directory says, or the account.",
                "宛名。省略すると名簿の答え、またはアカウント。",
            )
        ),
    ] = "",
    by_account: ByAccount = False,
    as_json: AsJson = False,
) -> None:
    """One document; `--html` and `--pdf` are the letter for the user, Japanese first and then English.

    What went out is shown as it did; what did not is marked as a copy.
    """
    from keizoku.billing.documents.outbox import document
    from keizoku.billing.documents.rendering import letter_html
    from keizoku.db.account_reads import noted

    with open_services() as services:
        found = document(services.session, number)
        noted(found.account, "notice show")
        page = _page(services, found, lang, to, by_account) if html or pdf is not None else None
    if page is None:
        emit(found.to_json() if as_json else headed(found.in_language(lang.value), lang.value), as_json)
        return
    if pdf is not None:
        _write_pdf(found, page, pdf)
    if html:
        typer.echo(letter_html(page), nl=False)


def _page(services: Services, found: OutgoingDocument, lang: Language, to: str, by_account: bool) -> LetterPage:
    """The letter as it went out; or, marked as a copy, as it would go out now, to the name that the directory says."""
    from keizoku.billing.documents.issued_documents import last_version
    from keizoku.billing.documents.issued_letters import page_of, preview_of
    from keizoku.billing.documents.outbox import parse_id
    from keizoku.billing.rules.documents.addressee import Addressee

    settings = settings_of_this_process()
    row = last_version(services.session, found.kind, parse_id(found.id)[1])
    if row is not None:
        if to:
            fail(f"{found.id} went out as it is stored: its addressee stays")
        return page_of(services.session, row, lang.value, settings.sealing_keys(), by_account=by_account)
    if to:
        try:
            known: Addressee | None = Addressee(to)
        except ValueError as error:
            fail(f"--to: {error}")
    else:
        naming = None if by_account else naming_of_this_process(settings)
        asked = naming.of(found.account) if naming is not None else None
        known = asked if isinstance(asked, Addressee) else None
        if asked is not None and known is None:
            note(f"{found.id}: {naming.unfit[found.account] if naming is not None else ''}")
    return preview_of(found, settings.issuer(), lang.value, known)


def _write_pdf(found: OutgoingDocument, page: LetterPage, file: Path) -> None:
    from keizoku.billing.documents.rendering import FontError, letter_pdf

    settings = settings_of_this_process()
    try:
        write_private(file, letter_pdf(page, settings.document_font))
    except FontError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
    emit(f"{found.id}: written to {file}")


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
        issuer = settings_of_this_process().issuer()
        fresh = services.billing.hand_over(number, by=recorder(author), handed_at=handed_at, issuer=issuer, now=now)
    said = "recorded" if fresh else "was recorded already"
    emit({"id": number, "recorded": fresh} if as_json else f"document {number}: {said}", as_json)


@app.command(
    help=japanese(
        "送付を待つ書類を、メールサーバー(設定 `mail_host`)または --out のフォルダに渡し、送付済みと記録します。\n\n"
        "宛先は設定 `mail_address` の関数がその都度答えます。担当者に残るものがあれば終了コード 1。"
    )
)
def send(
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            file_okay=False,
            help=both("As files instead: HTML and PDF of each.", "メールの代わりに、HTMLとPDFのファイルにします。"),
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            help=both("With --out: only this document; may be repeated.", "--out とともに: この書類だけ。繰り返し可。")
        ),
    ] = None,
    again: Annotated[
        list[str] | None,
        typer.Option(
            help=both(
                "Only this document, although it was refused or its outcome is unknown; may be repeated.",
                "断られた、または結果の分からないこの書類だけを、もう一度。繰り返し可。",
            )
        ),
    ] = None,
    author: Recorder = "",
    as_json: AsJson = False,
) -> None:
    """Give what waits to the mail server (setting `mail_host`) or to a folder, and record that it was sent.

    Addresses come from the function of the setting `mail_address`. Exit 1 if something is left to people.
    """
    from dataclasses import asdict

    from keizoku.scheduler.mail_settings import MailSettingsError

    settings = settings_of_this_process()
    if out is not None:
        if again:
            fail("--again is for mail; --out writes every document that waits")
        with open_services() as services:
            chosen = [document_id(each) for each in only or ()]
            written, unfit = _to_folder(services, settings, out, recorder(author), chosen)
        emit({"written": written, "unfit": unfit} if as_json else f"{written} documents written to {out}", as_json)
        if unfit:
            note(
                f"{unfit} wait: what the directory says of their users cannot stand on a letter (`keizoku tasks list`)"
            )
            raise typer.Exit(FOUND)
        return
    if only:
        fail("--only is for --out")
    try:
        server = settings.mail_server()
        if server is None:
            fail("no mail server is set: KEIZOKU_MAIL_HOST names one, or --out DIR writes files")
        naming = naming_of_this_process(settings)
        addresses = settings.mail_addresses() if settings.mail_address or naming is None else naming.mail_of
    except MailSettingsError as error:
        fail(str(error))
    from keizoku.scheduler.mail import send_waiting

    with open_services() as services:
        sent = send_waiting(
            services.session,
            server,
            addresses,
            settings.issuer(),
            by=recorder(author),
            clock=lambda: datetime.now(UTC),
            naming=naming,
            again=[document_id(each) for each in again or ()],
        )
    emit(asdict(sent), as_json)
    if sent.wants_people:
        raise typer.Exit(FOUND)


def _to_folder(services: Services, settings: Settings, folder: Path, by: str, only: Sequence[str]) -> tuple[int, int]:
    """Write what waits as HTML and PDF, readable by its owner alone; each is stored and then handed over.

    How many were written, and how many wait because their user's name is unfit.
    """
    from keizoku.billing.documents.addressees import sealed_of
    from keizoku.billing.documents.issued_documents import Issuing
    from keizoku.billing.documents.issued_letters import hand_over, issue_letter, letters_of
    from keizoku.billing.documents.mailings import tell
    from keizoku.billing.documents.outbox import document, waiting
    from keizoku.billing.documents.rendering import FontError, letter_html, letter_pdf

    session, naming = services.session, naming_of_this_process(settings)
    written = unfit = 0
    after = ""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        while page := [document(session, each) for each in only] or waiting(session, limit=500, after=after):
            if naming is not None:
                naming.look_up([each.account for each in page])
            for each in page:
                issuing = Issuing(settings.issuer(), by, datetime.now(UTC), naming)
                row = issue_letter(session, each, issuing)
                if row is None:
                    why = naming.unfit.get(each.account, "") if naming is not None else ""
                    tell(session, "addressee_unfit", each, why, issuing.now)
                    session.commit()
                    unfit += 1
                    continue
                letter = letters_of(row, "ja", sealed_of(session, row.id, settings.sealing_keys()))
                write_private(folder / f"{each.id}.html", letter_html(letter))
                write_private(folder / f"{each.id}.pdf", letter_pdf(letter, settings.document_font))
                hand_over(session, each.id, issuing, issuing.now)
                written += 1
            if only:
                break
            after = page[-1].id
    except FontError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
    return written, unfit


def _issued(services: Services, found: Sequence[OutgoingDocument]) -> list[OutgoingDocument]:
    """Stored as they stand, where the login may; then what a mailer takes is what was issued."""
    from keizoku.billing.documents.issued_documents import Issuing
    from keizoku.billing.documents.issued_letters import issue_letter
    from keizoku.billing.documents.outbox import document
    from keizoku.db.roles import may_add
    from keizoku.db.tables.documents import issued_document

    if not may_add(services.session, issued_document):
        return list(found)
    issuing = Issuing(settings_of_this_process().issuer(), recorder(""), datetime.now(UTC))
    for each in found:
        issue_letter(services.session, each, issuing)
    services.session.commit()
    return [document(services.session, each.id) if each.content is None else each for each in found]
