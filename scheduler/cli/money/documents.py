"""`keizoku documents`: invoices, credit notes and letters as they were issued: stored, found, shown, handed over."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keizoku.scheduler.cli.shared.context import naming_of_this_process, open_services, settings_of_this_process
from keizoku.scheduler.cli.shared.headings import headed, heading
from keizoku.scheduler.cli.shared.inputs import (
    SPOKEN,
    AsJson,
    ByAccount,
    FromYen,
    Language,
    Recorder,
    ToYen,
    day,
    month_of,
    recorder,
)
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import SHOWN, After, All, Limit, Page, Pages, emit_pages
from keizoku.scheduler.cli.shared.output import FOUND, emit, fail, note
from keizoku.scheduler.files import write_private
from keizoku.terms.calendar import JST

if TYPE_CHECKING:
    from keizoku.billing.documents.issued_documents import DocumentSearch

app = typer.Typer(
    help=both("Documents as they were issued: issue, list, show, export.", "発行した書類: 発行、検索、表示、引渡し。"),
    no_args_is_help=True,
)

From = Annotated[
    str | None, typer.Option("--from", metavar="DATE", help=both("Issued on or after this day.", "この日以後の発行。"))
]
To = Annotated[
    str | None, typer.Option("--to", metavar="DATE", help=both("Issued on or before this day.", "この日以前の発行。"))
]
OfKind = Annotated[
    list[str] | None,
    typer.Option("--kind", help=both("Only this kind; may be repeated.", "この種類だけ。繰り返し可。")),
]
OfAccount = Annotated[str | None, typer.Option("--account", help=both("Of this account.", "このアカウントのもの。"))]


@app.command(
    "issue",
    help=japanese(
        "月の、または月を省けば未保存すべての請求書と返還請求書を、発行したままの内容で一度だけ保存します。"
        "保存済みのものは変わりません。"
    ),
)
def issue_documents(
    month: Annotated[
        str,
        typer.Argument(metavar="[MONTH]", help=both("2026-04; without it: all.", "月。2026-04 など。省けばすべて。")),
    ] = "",
    author: Recorder = "",
    as_json: AsJson = False,
) -> None:
    """Store every invoice and due credit note of a month, or all, as issued, once; what is stored stays as it is."""
    from keizoku.billing.closing.issue_run import IssueRun, issue_month, issue_waiting
    from keizoku.billing.documents.issued_documents import Issuing

    about = month_of(month) if month else None
    settings = settings_of_this_process()
    naming = naming_of_this_process(settings)
    issuing = Issuing(settings.issuer(), recorder(author), datetime.now(UTC), naming)
    with open_services() as services:
        if about is not None:
            made = IssueRun(issue_month(services.session, services.rules, about, issuing))
        else:
            made = issue_waiting(services.session, services.rules, issuing)
    if made.why:
        fail(made.why, FOUND)
    unfit = dict(naming.unfit) if naming is not None else {}
    emit(
        {"month": None if about is None else str(about), "issued": made.issued, "unfit": unfit}
        if as_json
        else f"{about or 'all months'}: {made.issued:,} documents issued",
        as_json,
    )
    if made.refused:
        note(f"{made.refused:,} cannot be issued: see `keizoku tasks list`")
    if unfit or made.refused:
        for account, why in unfit.items():
            note(f"{account}: not issued: {why}")
        raise typer.Exit(FOUND)


class Reissued(StrEnum):
    """What can be issued anew."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"


@app.command(
    "reissue",
    help=japanese("訂正した請求書・返還請求書を、前の版に代わる次の版として発行します。前の版も残ります。"),
)
def reissue(
    kind: Annotated[Reissued, typer.Argument(help=both("Which kind.", "種類。"))],
    number: Annotated[int, typer.Argument(metavar="NUMBER", help=both("Of the invoice or credit.", "その番号。"))],
    author: Recorder = "",
    as_json: AsJson = False,
) -> None:
    """Issue a corrected invoice or credit note: a further version that names the one it replaces; both stay."""
    from keizoku.billing.documents.issued_documents import Issuing, issue
    from keizoku.db.roles import want_to_add
    from keizoku.db.tables.documents import issued_document

    settings = settings_of_this_process()
    naming = naming_of_this_process(settings)
    issuing = Issuing(settings.issuer(), recorder(author), datetime.now(UTC), naming)
    with open_services() as services:
        want_to_add(services.session, issued_document)
        added = issue(services.session, services.rules, kind.value, number, issuing, anew=True)
        services.session.commit()
    if naming is not None:
        for account, why in naming.unfit.items():
            fail(f"{account}: not issued: {why}", FOUND)
    said = "issued" if added else "says what its last version says: nothing is issued"
    emit(
        {"kind": kind.value, "number": number, "issued": added} if as_json else f"{kind.value} {number}: {said}",
        as_json,
    )


@app.command("list", help=japanese("発行した書類を、日付、金額、取引先の範囲で探します。条件は組み合わせられます。"))
def list_issued(
    from_on: From = None,
    to_on: To = None,
    from_yen: FromYen = None,
    to_yen: ToYen = None,
    account: OfAccount = None,
    kind: OfKind = None,
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    lang: Annotated[Language, typer.Option(help=both("The language of the headings.", "見出しの言語。"))] = SPOKEN,
    as_json: AsJson = False,
) -> None:
    """Find issued documents by day, sum and account; conditions hold together."""
    from keizoku.billing.documents.issued_documents import found, found_count

    wanted = _wanted(from_on, to_on, from_yen, to_yen, account, kind)
    if after and not after.isdecimal():
        fail(f"--after {after}: a number is needed, as the list shows it")
    page = Page.wanted(limit, after, everything)
    with open_services() as services:

        def read(limit: int, after: str) -> list[dict[str, object]]:
            rows = [each.to_json() for each in found(services.session, wanted, limit=limit, after=int(after or 0))]
            return rows if as_json else [dict(headed(row, lang.value)) for row in rows]

        pages = Pages(
            read,
            lambda: found_count(services.session, wanted),
            lambda row: str(row["id" if as_json else heading("id", lang.value)]),
        )
        emit_pages(
            pages, page, "該当する書類はありません" if lang is Language.JA else "no document was issued", as_json
        )


@app.command(help=japanese("発行した一つの書類を、発行したままの内容で表示します。"))
def show(
    number: Annotated[int, typer.Argument(metavar="ID", help=both("As the list shows it.", "一覧の番号。"))],
    lang: Annotated[Language, typer.Option(help=both("The language of the document.", "書類の言語。"))] = Language.JA,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", dir_okay=False, help=both("Write it as a page.", "ページに書き出します。")),
    ] = None,
    pdf: Annotated[
        Path | None,
        typer.Option(metavar="FILE", dir_okay=False, help=both("Write it as a PDF, A4.", "PDF(A4)に書き出します。")),
    ] = None,
    by_account: ByAccount = False,
    as_json: AsJson = False,
) -> None:
    """One document as it was issued; a page or a PDF bears the user's name, a terminal the account."""
    from keizoku.billing.documents.addressees import sealed_of
    from keizoku.billing.documents.issued_documents import kept, printed_document
    from keizoku.billing.documents.issued_letters import letters_of
    from keizoku.db.account_reads import noted
    from keizoku.db.tables.documents import INVOICE_KINDS
    from keizoku.scheduler.cli.money.invoice import give, give_letter

    named = not by_account and (html is not None or pdf is not None)
    keys = settings_of_this_process().sealing_keys() if named else None
    with open_services() as services:
        row = kept(services.session, number)
        noted(row.account, "documents show")
        addressee = sealed_of(services.session, number, keys) if named else None
    if row.kind in INVOICE_KINDS:
        give(printed_document(row, lang.value, addressee), html, pdf, as_json)
    else:
        give_letter(letters_of(row, lang.value, addressee), html, pdf, as_json)


@app.command(help=japanese("探した書類をZIPで引き渡します: 一覧(index.csv)と各書類のページ。"))
def export(
    out: Annotated[
        Path, typer.Option(metavar="FILE", dir_okay=False, help=both("The ZIP to write.", "書き出すZIPファイル。"))
    ],
    from_on: From = None,
    to_on: To = None,
    from_yen: FromYen = None,
    to_yen: ToYen = None,
    account: OfAccount = None,
    kind: OfKind = None,
    by_account: ByAccount = False,
    as_json: AsJson = False,
) -> None:
    """Hand the documents over that are found: a ZIP of index.csv and a page of each."""
    from keizoku.billing.documents.archive import archive
    from keizoku.billing.documents.issued_documents import found_count

    wanted = _wanted(from_on, to_on, from_yen, to_yen, account, kind)
    keys = settings_of_this_process().sealing_keys()
    with open_services() as services:
        count = found_count(services.session, wanted)
        packed = archive(services.session, wanted, keys, by_account=by_account)
    try:
        write_private(out, packed)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
    emit({"file": str(out), "documents": count} if as_json else f"{count:,} documents in {out}", as_json)


@app.command("new-key", help=japanese("書類の氏名を封じる鍵を作り、鍵ファイルの先頭に加えます。古い鍵は残します。"))
def new_key(
    file: Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help=both("The key file.", "鍵ファイル。"))],
    name: Annotated[
        str, typer.Option("--id", help=both("Its id. Default: today's date.", "鍵の識別子。省略すると今日の日付。"))
    ] = "",
) -> None:
    """Make a key that seals names on documents, and put it first into the key file; older keys stay for reading."""
    from keizoku.billing.documents.addressees import SealingKeys, new_key_line

    key_id = name or datetime.now(JST).date().isoformat()
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,50}", key_id):
        fail(f"--id {key_id}: letters, digits and . _ - alone, 50 at most")
    before = ""
    if file.exists():
        if key_id in SealingKeys.read(file).keys:
            fail(f"{file}: holds a key {key_id} already; name the new one with --id")
        before = file.read_text(encoding="ascii")
    try:
        write_private(file, new_key_line(key_id) + before)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
    emit(f"{file}: new names are sealed with the key {key_id}; keep a copy apart from the database and its backups")


@app.command(help=japanese("古い鍵で封じた氏名を、いちばん新しい鍵で封じ直します。その後は古い鍵を外せます。"))
def reseal(as_json: AsJson = False) -> None:
    """Seal with the newest key what older keys sealed; the older ones can then leave the key file."""
    from keizoku.billing.documents.addressees import seal_again
    from keizoku.db.roles import want_to_add
    from keizoku.db.tables.documents import issued_addressee

    with open_services() as services:
        want_to_add(services.session, issued_addressee)
        keys = settings_of_this_process().sealing_keys()
        if keys is None:
            fail("no key file is set: KEIZOKU_DOCUMENT_KEYS_FILE names one")
        count = seal_again(services.session, keys, datetime.now(UTC))
    emit({"key": keys.newest, "sealed": count} if as_json else f"{count:,} sealed again with {keys.newest}", as_json)


def _wanted(
    from_on: str | None,
    to_on: str | None,
    from_yen: int | None,
    to_yen: int | None,
    account: str | None,
    kinds: list[str] | None,
) -> DocumentSearch:
    from keizoku.billing.documents.issued_documents import DocumentSearch
    from keizoku.db.tables.documents import DOCUMENT_KINDS

    if strange := sorted(set(kinds or ()) - set(DOCUMENT_KINDS)):
        fail(f"no such kind: {', '.join(strange)}; there are {', '.join(DOCUMENT_KINDS)}")

    first, last = (day(written) if written else None for written in (from_on, to_on))
    return DocumentSearch(first, last, from_yen, to_yen, account, tuple(kinds or ()))
