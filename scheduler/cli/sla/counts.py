"""`keizoku sla counts | unknown`: users unable as a monitor counted them, and what to do where it has no sample."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from keizoku.scheduler.cli.shared.context import open_services
from keizoku.scheduler.cli.shared.evidence_files import columns_named
from keizoku.scheduler.cli.shared.inputs import (
    AsJson,
    Author,
    File,
    Ground,
    OnlyMonth,
    Recorder,
    month_of,
    recorder,
    window,
)
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import SHOWN, After, All, Limit, Page, emit_rows
from keizoku.scheduler.cli.shared.output import fail
from keizoku.scheduler.cli.sla.recording import record_act, take_files
from keizoku.terms.calendar import epoch, epoch_up

if TYPE_CHECKING:
    from keizoku.sla.evidence.count_files import CountSeries

counts = typer.Typer(
    help=both(
        "Users unable of all users, as a monitor counted them.", "監視が数えた、全利用者のうち利用できなかった人数。"
    ),
    no_args_is_help=True,
)
unknown = typer.Typer(
    help=both(
        "Time without a sample: neither down nor up until people decide.",
        "測定値のない時間。担当者が決めるまで、停止でも稼働でもありません。",
    ),
    no_args_is_help=True,
)


def add_to(app: typer.Typer) -> None:
    """Put these commands under `keizoku sla`."""
    app.add_typer(counts, name="counts")
    app.add_typer(unknown, name="unknown")


@counts.command(
    "import",
    help=japanese(
        "人数を記録します: from, to, affected, total(CSV)、または P"
        "rometheus の範囲問合せのJSON(matrix)。\n\n"
        "測定値のない時間は不明で、停止でも稼働でもありません(`keizoku sla unknow"
        "n`)。"
    ),
)
def import_counts(
    file: File,
    affected: Annotated[
        str, typer.Option(help=both("JSON: the series of users unable.", "JSON: 利用できなかった利用者の系列。"))
    ] = "affected",
    total: Annotated[
        str,
        typer.Option(
            help=both("JSON: the series of all users, or their number.", "JSON: 全利用者の系列、またはその数。")
        ),
    ] = "total",
    step: Annotated[
        int,
        typer.Option(
            metavar="SECONDS",
            help=both(
                "How long a sample holds; 0: the step that the samples show.",
                "一つの測定値が続く秒数。0 なら測定値の間隔から。",
            ),
        ),
    ] = 0,
    asked: Annotated[
        str,
        typer.Option(
            "--range",
            metavar="FROM/TO",
            help=both(
                "The span that the file covers; without a row it is unknown.",
                "ファイルが対象とする範囲。行のない時間は不明とします。",
            ),
        ),
    ] = "",
    columns: Annotated[
        str,
        typer.Option(
            metavar="OURS=THEIRS,…",
            help=both(
                "CSV: other names of columns, from=start,affected=down.",
                "CSV: 列名の読み替え。from=start,affected=down など。",
            ),
        ),
    ] = "",
    only_stops: Annotated[
        bool,
        typer.Option(
            "--only-stops",
            help=both(
                "CSV: the rows are all the outages; between them nobody was affected.",
                "CSV: 行がすべての停止で、その間は誰も困っていません。",
            ),
        ),
    ] = False,
    author: Recorder = "",
    as_json: AsJson = False,
) -> None:
    """Record counts: from, to, affected, total (CSV), or an answer of Prometheus's API (JSON), or Grafana's CSV.

    Time without a sample is unknown, neither down nor up: see `keizoku sla unknown`.
    """
    series = count_series(affected, total, step, asked, only_stops=only_stops, columns=columns)
    take_files(
        [file],
        as_json,
        lambda service, path, now: service.counts(path, author=recorder(author), now=now, series=series),
    )


@unknown.command("list", help=japanese("担当者の判断を待つ時間。時刻の順。結果が変わりうる申請もともに待ちます。"))
def list_unknown(
    month: OnlyMonth = "",
    decided: Annotated[
        bool,
        typer.Option("--decided", help=both("What people decided, newest first.", "担当者が決めたもの。新しい順。")),
    ] = False,
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """What waits for people's decision, in order of time; claims that it could change wait with it."""
    from keizoku.sla.evidence.unknown_store import unknown_decisions, unknown_list

    about = month_of(month) if month else None
    now = datetime.now(UTC)
    with open_services() as services:
        read = unknown_decisions if decided else unknown_list
        rows = [each.to_json() for each in read(services.session, about, now)]
    nothing = "nothing was decided" if decided else "nothing is unknown"
    emit_rows(rows, Page.wanted(limit, after, everything), nothing, as_json, "from")


@unknown.command(
    "decide", help=japanese("何であったかを決めます。停止にあたるかは定足数が決めます。最新の判断が有効です。")
)
def decide_unknown(
    windows: Annotated[
        str,
        typer.Argument(
            metavar="FROM/TO",
            help=both("Time without a sample, or a part of it.", "測定値のない時間、またはその一部。"),
        ),
    ],
    verdict: Annotated[
        str,
        typer.Argument(
            help=both(
                "up; down, with --affected; excluded: it does not count; unknown: taken back.",
                "up: 稼働。down: 停止(--affected とともに)。excluded: 数えない。unknown: 取消し。",
            )
        ),
    ],
    author: Author,
    ground: Ground,
    affected: Annotated[
        int | None, typer.Option(min=0, help=both("Users who were unable.", "利用できなかった人数。"))
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Decide what it was. Down: an outage if more than the threshold were unable; the newest decision holds."""
    from_at, to_at = window(windows)
    record_act(
        lambda services, now: services.sla.decide_unknown(
            from_at, to_at, verdict, author, ground, affected=affected, now=now
        ),
        as_json,
    )


def count_series(
    affected: str, total: str, step: int, asked: str, *, only_stops: bool, columns: str = ""
) -> CountSeries:
    """How files of counts are to be read, as people said it; ends the command for what cannot be."""
    from keizoku.sla.evidence.count_files import CountSeries
    from keizoku.sla.evidence.incident_files import COUNT_COLUMNS

    named = columns_named(columns, COUNT_COLUMNS)
    if step < 0:
        fail(f"--step {step}: seconds, 0 or more")
    span = None
    if asked:
        from_at, to_at = window(asked)
        if to_at <= from_at:
            fail(f"--range {asked}: it ends after it starts")
        span = (epoch(from_at), epoch_up(to_at))
    return CountSeries(affected, total, step or None, span, only_stops, columns=tuple(named.items()))
