"""`keizoku sla collect`: counts asked of a Prometheus-compatible API, from where the last time ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keizoku.scheduler.cli.shared.context import open_services
from keizoku.scheduler.cli.shared.inputs import AsJson, Recorder, instant, recorder
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.output import emit, report_findings
from keizoku.scheduler.cli.sla.recording import print_imports

if TYPE_CHECKING:
    from keizoku.sla.evidence.import_log import Imported


def add_to(app: typer.Typer) -> None:
    """Put it under `keizoku sla`."""
    app.command(
        "collect",
        help=japanese(
            "PrometheusのAPI(Thanos、VictoriaMetrics、Mimirも)に、前回の続きから人数を問い合わせて記録します。\n\n"
            "応答はハッシュとともに保管し、測定値のない時間は不明とします。応答がない、または一部だけのときは何も記録せず、"
            "次の実行が同じところから続けます。"
        ),
    )(collect)


def collect(
    url: Annotated[str, typer.Option(help=both("The API, without /api/v1.", "APIのアドレス(/api/v1 は除く)。"))],
    affected: Annotated[str, typer.Option(help=both("The query for users unable.", "利用できなかった人数の問合せ。"))],
    total: Annotated[
        str, typer.Option(help=both("The query for all users, or their number.", "全利用者数の問合せ、またはその数。"))
    ],
    keep: Annotated[
        Path, typer.Option(file_okay=False, help=both("Where answers are kept.", "応答を保管するフォルダー。"))
    ],
    step: Annotated[
        int, typer.Option(metavar="SECONDS", help=both("How long a sample holds.", "一つの測定値が続く秒数。"))
    ] = 60,
    since: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help=both("Where it begins the first time; else an hour ago.", "初回の始まり。省略すると1時間前。"),
        ),
    ] = "",
    delay: Annotated[
        int,
        typer.Option(
            min=0,
            max=3_600,
            metavar="SECONDS",
            help=both("How much later a monitor has its newest samples.", "最新の測定値がそろうまでの秒数。"),
        ),
    ] = 0,
    name: Annotated[
        str,
        typer.Option(
            help=both("The collection, where there are several.", "収集が複数あるときの名前。"),
        ),
    ] = "counts",
    bearer_file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help=both("A file with a token.", "トークンのファイル。")),
    ] = None,
    basic_file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help=both("A file with user:password.", "user:password のファイル")),
    ] = None,
    author: Recorder = "",
    as_json: AsJson = False,
) -> None:
    """Ask a Prometheus-compatible API for the counts that are new since the last time, and record them.

    Answers are kept with their digest; time without a sample is unknown. Where nothing answers, or only a part, nothing
    is recorded, and the next run goes on from the same place, after days too.
    """
    from keizoku.scheduler.collecting import Collection, Login
    from keizoku.scheduler.collecting import collect as collect_new
    from keizoku.sla.services.imports import ImportService
    from keizoku.terms.refusal import Refused

    what = Collection(name, url, affected, total, step, keep, Login(bearer_file, basic_file))
    begins, now, by = instant(since) if since else None, datetime.now(UTC), recorder(author)
    done: list[Imported] = []
    code = 0
    with open_services() as services:
        until = now - timedelta(seconds=delay)
        parts = collect_new(
            ImportService(services.sla), services.session, what, since=begins, now=now, by=by, until=until
        )
        try:
            done += parts
        except Refused as refused:  # what came before it is recorded
            services.session.rollback()
            code = report_findings(refused.findings)
    if not done and not code and not as_json:
        emit("nothing is new")
    raise typer.Exit(print_imports(done, as_json) or code)
