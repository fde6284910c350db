"""`keizoku claim`: take a user's claim under Article 9, and see what became of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, NoReturn

import typer

from keizoku.scheduler.cli.shared.act_key import Key, key_of
from keizoku.scheduler.cli.shared.context import ALL_THAT_IS_KNOWN, open_services, services_now
from keizoku.scheduler.cli.shared.ids import ClaimId, worded
from keizoku.scheduler.cli.shared.inputs import (
    Account,
    AsJson,
    Author,
    File,
    From,
    Ground,
    OnlyAccount,
    Recorder,
    To,
    Windows,
    day,
    instant,
    month_of,
    recorder,
    row_bar,
    window,
)
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import SHOWN, After, All, Limit, Page, Pages, emit_pages
from keizoku.scheduler.cli.shared.output import emit, report_findings
from keizoku.scheduler.cli.sla.recording import print_imports
from keizoku.terms.decision import Finding

app = typer.Typer(
    help=both("Claims under Article 9: take one, rule on it, list, show.", "第9条の申請: 受付、判断、一覧、表示。"),
    no_args_is_help=True,
)

MonthText = Annotated[
    str | None, typer.Option("--month", help=both("The month of the outage: 2026-04.", "停止のあった月: 2026-04。"))
]


@app.command(help=japanese("申請を記録します。対象の月が終わった後の最初の夜に判定します。"))
def submit(
    account: Account,
    month: Annotated[str, typer.Option(help=both("The month of the outage: 2026-04.", "停止のあった月: 2026-04。"))],
    claim_id: Annotated[
        str | None,
        typer.Option(
            "--id",
            help=both(
                "An id; default: account, month, number.", "申請の番号。省略するとアカウント・月・連番から作ります。"
            ),
        ),
    ] = None,
    windows: Windows = None,
    received_at: Annotated[
        str | None,
        typer.Option(
            help=both(
                "When it was received, JST unless it has an offset. Default: now.",
                "受け付けた時刻。時差の指定がなければ日本時間。省略すると現在。",
            )
        ),
    ] = None,
    author: Recorder = "",
    ground: Annotated[str, typer.Option(help=both("What the user says.", "利用者の申し出。"))] = "",
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """Record a claim. It is decided in the first night after the end of its month."""
    spans = [window(each) for each in windows or []]
    received = instant(received_at) if received_at else None
    about = month_of(month)
    used = key_of(key)
    with services_now() as (services, now):
        name, findings = services.sla.submit_claim(
            account,
            about,
            claim_id,
            spans,
            received,
            by=recorder(author),
            ground=ground or None,
            key=used,
            now=now,
        )
    if as_json:
        emit({"id": name, "findings": findings}, as_json=True)
    elif not findings:
        emit(f"claim {name} recorded")
    else:
        report_findings(findings)
    raise typer.Exit(1 if findings else 0)


@app.command(
    "import",
    help=japanese(
        "ファイルの申請を記録します: id, account, month, received_at"
        ", windows(CSV。FROM/TO を ; でつなぐ。空ならすべて)。\n\n"
        "使えない行は、ファイル、行、値、規則、対処を示し、残りは記録します。"
    ),
)
def import_claims(file: File, author: Recorder = "", as_json: AsJson = False) -> None:
    """Record claims of a file: id, account, month, received_at, windows (CSV; FROM/TO joined by ;, empty: all).

    Rows that cannot be taken are named with file, line, value, rule and remedy; the good ones are recorded.
    """
    from keizoku.sla.services.imports import ImportService

    with open_services() as services, row_bar("claims") as progress:
        done = ImportService(services.sla).claims(
            file, author=recorder(author), now=datetime.now(UTC), progress=progress
        )
    raise typer.Exit(print_imports([done], as_json))


@app.command(help=japanese("申請のうち、この時間帯だけを認めます。省略すると何も認めません。最新の判断が有効です。"))
def recognise(
    claim_id: ClaimId, author: Author, ground: Ground, windows: Windows = None, as_json: AsJson = False
) -> None:
    """Recognise only these windows of a claim; none: nothing. The newest ruling holds."""
    spans = [window(each) for each in windows or []]
    with services_now() as (services, now):
        findings = services.sla.recognise(claim_id, spans, author, ground, now=now)
    _end(findings, as_json)


@app.command(
    help=japanese(
        "誤って記録された申請を、理由とともに取り下げます。まだ判定していないものに限ります。記録は残ります。"
    )
)
def withdraw(claim_id: ClaimId, author: Author, ground: Ground, as_json: AsJson = False) -> None:
    """Take back a claim that was recorded by mistake and is not decided yet: no night decides on it."""
    with services_now() as (services, now):
        findings = services.sla.withdraw_claim(claim_id, author, ground, now=now)
    _end(findings, as_json)


@app.command(help=japanese("申請のこの時間帯は利用者自身の環境によるものと判断します。省略すると取り消します。"))
def environment(
    claim_id: ClaimId, author: Author, ground: Ground, windows: Windows = None, as_json: AsJson = False
) -> None:
    """Rule that these windows of a claim depend on the user's own environment; none: taken back."""
    spans = [window(each) for each in windows or []]
    with services_now() as (services, now):
        findings = services.sla.environment(spans, author, ground, claim=claim_id, now=now)
    _end(findings, as_json)


@app.command(
    help=japanese(
        "利用者が減額の代わりの措置に同意したことを記録します。その月の減額は保留され、実施で消え、"
        "取りやめまたは期日の経過で戻ります。"
    )
)
def consent(
    claim_id: ClaimId,
    what: Annotated[
        str, typer.Option(help=both("The remedy that the user agreed to instead.", "利用者が代わりに同意した措置。"))
    ],
    author: Author,
    ground: Ground,
    by_on: Annotated[
        str | None,
        typer.Option("--by", help=both("The last day on which it is to be performed.", "実施の期日。")),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Record that the user agreed to another remedy than the reduction: the month's credit is held.

    Performing the remedy extinguishes the credit; calling it off, or letting its day pass, releases it.
    """
    until = day(by_on) if by_on is not None else None
    with services_now() as (services, now):
        findings = services.sla.consent_alternative(claim_id, what, until, now=now, by=author, ground=ground)
    _end(findings, as_json)


@app.command(
    "perform-remedy",
    help=japanese("減額の代わりの措置を実施したことを記録します。次の夜間処理で、その月の減額は消えます。"),
)
def perform_remedy(
    claim_id: ClaimId,
    author: Author,
    ground: Ground,
    on: Annotated[
        str | None, typer.Option(help=both("The day of performance; default: today.", "実施した日。既定は今日。"))
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Record that the other remedy was performed: the next night extinguishes the month's credit."""
    performed_on = day(on) if on is not None else None
    with services_now() as (services, now):
        findings = services.sla.perform_alternative(claim_id, performed_on, now=now, by=author, ground=ground)
    _end(findings, as_json)


@app.command(
    "withdraw-remedy", help=japanese("減額の代わりの措置を取りやめます。その月の減額は再び使えるようになります。")
)
def withdraw_remedy(claim_id: ClaimId, author: Author, ground: Ground, as_json: AsJson = False) -> None:
    """Call the other remedy off before it was performed: the month's credit is free again."""
    with services_now() as (services, now):
        findings = services.sla.withdraw_alternative(claim_id, now=now, by=author, ground=ground)
    _end(findings, as_json)


@app.command("grant-late", help=japanese("期限後に届いた申請を、理由と承認者を付けて期限内のものとして扱います。"))
def grant_late(
    claim_id: ClaimId,
    author: Author,
    ground: Ground,
    approved_by: Annotated[str, typer.Option(help=both("Who approved it.", "承認者。"))],
    as_json: AsJson = False,
) -> None:
    """Take a claim that came after its deadline as one in time, with ground and approver."""
    with services_now() as (services, now):
        findings = services.sla.grant_late(claim_id, ground, approved_by, now=now, by=author)
    _end(findings, as_json)


@app.command("form-down", help=japanese("申請フォームが止まっていたことを記録します。直後の期限は同じだけ延びます。"))
def form_down(from_: From, to: To, author: Author, ground: Ground, as_json: AsJson = False) -> None:
    """Record that our claim form was down: a deadline shortly after moves by as long."""
    start_at, end_at = instant(from_), instant(to)
    with services_now() as (services, now):
        findings = services.sla.claim_form_down(start_at, end_at, now=now, by=author, ground=ground)
    _end(findings, as_json)


@app.command("list", help=japanese("申請を受付の順に、最新の判定とともに。"))
def list_claims(
    month: MonthText = None,
    account: OnlyAccount = None,
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Claims in the order of receipt, each with its newest decision."""
    from keizoku.sla.claims.claim_views import claim_count, claim_list

    about = month_of(month) if month else None
    with open_services() as services:

        def read(limit: int, after: str) -> list[dict[str, Any]]:
            behind = worded("claim")(after) if after else ""
            claims = claim_list(services.session, ALL_THAT_IS_KNOWN, about, account, limit=limit, after=behind)
            return [each.to_json() for each in claims]

        pages = Pages(read, lambda: claim_count(services.session, ALL_THAT_IS_KNOWN, about, account))
        emit_pages(pages, Page.wanted(limit, after, everything), "no claims", as_json)


@app.command(help=japanese("一つの申請とその状態。理由は `keizoku explain claim CLAIM`。"))
def show(claim_id: ClaimId, as_json: AsJson = False) -> None:
    """One claim and its state; `keizoku explain claim ID` says why."""
    from keizoku.db.account_reads import noted
    from keizoku.sla.claims.claim_views import claim_explanation

    with open_services() as services:
        found = claim_explanation(services.session, claim_id, ALL_THAT_IS_KNOWN)
        noted(found.claim.account, "claim show")
    emit(found.state_json(), as_json)


def _end(findings: list[Finding], as_json: bool) -> NoReturn:
    code = report_findings(findings, as_json)
    if not code and not as_json:
        emit("recorded")
    raise typer.Exit(code)
