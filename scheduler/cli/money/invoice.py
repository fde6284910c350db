"""`keizoku invoice`: billing statements and credit notes as documents for the user. A receipt is never issued (5.5)."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keizoku.scheduler.cli.shared.context import services_now, settings_of_this_process
from keizoku.scheduler.cli.shared.ids import CreditId, InvoiceId
from keizoku.scheduler.cli.shared.inputs import AsJson, ByAccount, Language, month_of, row_bar
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.output import emit, fail, table
from keizoku.scheduler.files import write_private

if TYPE_CHECKING:
    from rich.console import Console

    from keizoku.billing.documents.issued_documents import NamingKeys
    from keizoku.billing.rules.documents.invoice_document import PrintedDocument
    from keizoku.billing.rules.documents.letters import Page


class Form(StrEnum):
    """What a document is written as."""

    PDF = "pdf"
    HTML = "html"


app = typer.Typer(
    help=both("Billing statements and credit notes, as documents.", "請求明細と返還請求書を書類にします。"),
    no_args_is_help=True,
)

Lang = Annotated[Language, typer.Option(help=both("The language of the document.", "書類の言語。"))]
Html = Annotated[
    Path | None,
    typer.Option(metavar="FILE", dir_okay=False, help=both("Write it as a page.", "ページに書き出します。")),
]
Pdf = Annotated[
    Path | None,
    typer.Option(metavar="FILE", dir_okay=False, help=both("Write it as a PDF, A4.", "PDF(A4)に書き出します。")),
]


@app.callback(
    help=both(
        "Documents about what is invoiced and refunded; qualified invoices where a number is in force.",
        "請求したもの、返すものの書類。登録番号が有効なら適格請求書になります。",
    )
)
def _invoice() -> None:
    """Documents about what is invoiced and refunded; qualified invoices where a number is in force."""


@app.command(help=japanese("一つの請求の明細: 税は減額の後に一度だけ、減額には停止の月を添えます。"))
def show(
    invoice_id: InvoiceId,
    lang: Lang = Language.JA,
    html: Html = None,
    pdf: Pdf = None,
    by_account: ByAccount = False,
    as_json: AsJson = False,
) -> None:
    """The billing statement of an invoice: the tax once, after credits; each credit with the month of the outages."""
    from keizoku.billing.documents.invoice_documents import statement_of
    from keizoku.billing.documents.issued_documents import as_issued
    from keizoku.billing.rules.documents.invoice_document import invoice_document, unissued
    from keizoku.db.account_reads import noted

    issuer = settings_of_this_process().issuer()
    named = not by_account and (html is not None or pdf is not None)
    with services_now() as (services, _):
        found = statement_of(services.session, services.rules, invoice_id, issuer)
        noted(found.account, "invoice show")
        issued = as_issued(services.session, "invoice", invoice_id, lang.value, naming_keys(named))
    give(issued or unissued(invoice_document(found, lang.value), found.issuer), html, pdf, as_json)


@app.command("credit-note", help=japanese("1万円以上の減額の返還請求書。それ未満には要りません。"))
def credit_note(
    credit_id: CreditId,
    lang: Lang = Language.JA,
    html: Html = None,
    pdf: Pdf = None,
    by_account: ByAccount = False,
    as_json: AsJson = False,
) -> None:
    """The return invoice of a credit of 10,000 yen or more; below it none is due."""
    from keizoku.billing.documents.invoice_documents import credit_note_of
    from keizoku.billing.documents.issued_documents import as_issued
    from keizoku.billing.rules.documents.invoice_document import credit_note_document, unissued
    from keizoku.db.account_reads import noted

    issuer = settings_of_this_process().issuer()
    named = not by_account and (html is not None or pdf is not None)
    with services_now() as (services, _):
        found = credit_note_of(services.session, services.rules, credit_id, issuer)
        noted(found.account, "invoice credit-note")
        issued = as_issued(services.session, "credit_note", credit_id, lang.value, naming_keys(named))
    give(issued or unissued(credit_note_document(found, lang.value), found.issuer), html, pdf, as_json)


@app.command(
    "month",
    help=japanese(
        "月の書類をすべて書き出します: 請求明細、必要な返還請求書、遅延損害金の請求。\n\n"
        "途中で止まったものは続きから書きます。同じ内容で完全なファイルは残します。SHA256SUM"
        "S が最後です。"
    ),
)
def month_documents(
    month: Annotated[str, typer.Argument(metavar="MONTH", help=both("2026-04.", "月。2026-04 など。"))],
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            file_okay=False,
            help=both("The folder; it is created if need be.", "フォルダー。なければ作ります。"),
        ),
    ],
    lang: Lang = Language.JA,
    form: Annotated[
        Form,
        typer.Option(
            "--form", help=both("The format of statements and return invoices.", "請求明細と返還請求書の形式。")
        ),
    ] = Form.PDF,
    by_account: ByAccount = False,
    as_json: AsJson = False,
) -> None:
    """Write every document of a month: statements, return invoices that are due, demands for late interest.

    What was broken off is continued: files that are whole and of the same facts are kept. SHA256SUMS comes last.
    """
    from keizoku.billing.documents.month_folder import Printing, write_documents
    from keizoku.billing.documents.rendering import FontError

    about = month_of(month)
    settings = settings_of_this_process()
    with services_now() as (services, _), row_bar(f"documents of {about}") as progress:
        try:
            printing = Printing(
                settings.issuer(), lang.value, form.value, settings.document_font, naming_keys(not by_account)
            )
            done = write_documents(services.session, services.rules, about, out, printing, progress=progress)
        except FontError as error:
            fail(str(error))
        except OSError as error:
            fail(f"{error.filename or out}: {error.strerror}")
    if as_json:
        emit(asdict(done), as_json=True)
    else:
        emit(f"{done.documents:,} documents of {about} in {out}, {done.new:,} of them new: {done.yen:,} yen asked for")


def naming_keys(named: bool) -> NamingKeys:
    """With which keys the names on issued documents are read; without names, a document is to the account."""
    from keizoku.billing.documents.issued_documents import NamingKeys

    return NamingKeys(settings_of_this_process().sealing_keys() if named else None, named)


def give_letter(page: Page, html: Path | None, pdf: Path | None, as_json: bool) -> None:
    """Write a letter as a page, as a PDF or both, or print it."""
    from keizoku.billing.documents.rendering import FontError, letter_html, letter_pdf

    first = page.letters[0]
    written = []
    try:
        if html is not None:
            write_private(html, letter_html(page))
            written.append(str(html))
        if pdf is not None:
            write_private(pdf, letter_pdf(page, settings_of_this_process().document_font))
            written.append(str(pdf))
    except FontError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
    if as_json:
        emit([asdict(each) for each in page.letters], as_json=True)
    elif written:
        emit(f"{first.subject}: written to {', '.join(written)}")
    else:
        lines = (first.number, first.date, first.addressee, *first.sender, first.subject, first.plain(), first.closing)
        emit("\n".join(lines))


def give(document: PrintedDocument, html: Path | None, pdf: Path | None, as_json: bool) -> None:
    """Write a document as a page, as a PDF or both, or print it."""
    from keizoku.billing.documents.rendering import FontError, document_html, document_pdf

    written = []
    try:
        if html is not None:
            write_private(html, document_html(document))
            written.append(str(html))
        if pdf is not None:
            write_private(pdf, document_pdf(document, settings_of_this_process().document_font))
            written.append(str(pdf))
    except FontError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")

    def draw(console: Console) -> None:
        console.print(table(("", ""), document.fields, title=document.title, header=False))
        console.print(table(("", ""), (*document.rows, *document.totals), header=False))
        for note in document.notes:
            console.print(note, markup=False, soft_wrap=True)

    if as_json:
        emit(asdict(document), as_json=True)
    elif written:
        emit(f"{document.title}: written to {', '.join(written)}")
    else:
        emit(None, human=draw)
