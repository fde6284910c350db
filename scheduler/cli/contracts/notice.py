"""`keizoku notice`: documents for users, for a mailer to take."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from keizoku.scheduler.cli.shared.context import open_services
from keizoku.scheduler.cli.shared.inputs import AsJson, Language, Recorder, instant, recorder
from keizoku.scheduler.cli.shared.output import emit, fail, refuse

app = typer.Typer(help="Notices and demands for users: list, show, mark as sent.", no_args_is_help=True)

DocumentId = Annotated[str, typer.Argument(metavar="ID", help="N12 is a notice, D3 a demand for late interest.")]


Lang = Annotated[Language, typer.Option(help="The language of subject and body.")]


@app.command("list")
def list_documents(
    account: Annotated[str | None, typer.Option(help="Only this account's.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Only this kind; may be repeated.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those that were handed over.")] = False,
    lang: Lang = Language.JA,
    lines: Annotated[bool, typer.Option("--jsonl", help="One JSON object a line, both languages.")] = False,
    as_json: AsJson = False,
) -> None:
    """What waits for the mailer, in the order in which it was written.

    `--jsonl` is for a mailer: it takes a line, sends it, and calls `keizoku notice mark-sent ID`.
    """
    import json
    from dataclasses import asdict

    from keizoku.billing.documents.outbox import waiting
    from keizoku.billing.rules.documents.notice_text import SUBJECTS

    strange = sorted(set(kind or ()) - set(SUBJECTS))
    if strange:
        fail(f"no such kind: {', '.join(strange)}; there are {', '.join(SUBJECTS)}")
    with open_services() as services:
        found = waiting(services.session, account=account, kinds=kind or (), also_handed_over=everything)
    if lines:
        for each in found:
            typer.echo(json.dumps(asdict(each), ensure_ascii=False))
    elif as_json:
        emit(found, as_json=True)
    else:
        names = ("id", "kind", "account", "written_at", "handed_over_at", "subject")
        rows = [each.in_language(lang.value) for each in found]
        emit([{name: row[name] for name in names} for row in rows] or "nothing waits to be sent")


@app.command()
def show(
    document_id: DocumentId,
    lang: Lang = Language.JA,
    html: Annotated[bool, typer.Option("--html", help="As a page of HTML.")] = False,
    as_json: AsJson = False,
) -> None:
    """One document."""
    from keizoku.billing.documents.outbox import document
    from keizoku.terms.refusal import Refused

    with open_services() as services:
        try:
            found = document(services.session, document_id)
        except Refused as refused:
            refuse(refused)
    if html:
        typer.echo(found.html(lang.value), nl=False)
    else:
        emit(found if as_json else found.in_language(lang.value), as_json)


@app.command("mark-sent")
def mark_sent(
    document_id: DocumentId,
    at: Annotated[
        str | None, typer.Option(help="When it was handed to the mailer, JST unless it has an offset. Default: now.")
    ] = None,
    author: Recorder = "",
    as_json: AsJson = False,
) -> None:
    """Record that a document was handed to the mailer: once, for good."""
    from keizoku.terms.refusal import Refused

    now = datetime.now(UTC)
    handed_at = instant(at) if at else now
    with open_services() as services:
        try:
            fresh = services.billing.hand_over(document_id, by=recorder(author), handed_at=handed_at, now=now)
        except Refused as refused:
            refuse(refused, 1)
    said = "recorded" if fresh else "was recorded already"
    emit({"id": document_id, "recorded": fresh} if as_json else f"document {document_id}: {said}", as_json)
