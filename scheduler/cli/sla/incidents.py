"""`keizoku sla incident`: outages as people confirmed them, corrected by new revisions."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from keizoku.scheduler.cli.shared.context import open_services
from keizoku.scheduler.cli.shared.evidence_files import Columns, Format, Only, Unable, asked_outages
from keizoku.scheduler.cli.shared.ids import worded
from keizoku.scheduler.cli.shared.inputs import (
    AsJson,
    Author,
    File,
    From,
    Ground,
    OnlyMonth,
    Recorder,
    To,
    instant,
    month_of,
    recorder,
    window,
)
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import SHOWN, After, Limit, Page

if TYPE_CHECKING:
    from keizoku.scheduler.app import Services
    from keizoku.terms.decision import Finding

from keizoku.scheduler.cli.sla.recording import print_list, record_act, take_files

IncidentId = Annotated[
    str,
    typer.Argument(
        metavar="INCIDENT",
        parser=worded("incident", "outage", "停止"),
        help=both("The outage, as `keizoku sla incident list` shows it.", "停止: `keizoku sla incident list` の番号。"),
    ),
]
Cause = Annotated[
    str,
    typer.Option(
        help=both(
            "fault, partner, system_update, user_environment.",
            "原因: fault, partner, system_update, user_environment。",
        )
    ),
]

incident = typer.Typer(help=both("Outages as people confirmed them.", "担当者が確認した停止。"), no_args_is_help=True)


@incident.command("add", help=japanese("担当者が確認した停止を記録します。"))
def add_incident(
    from_: From,
    to: To,
    affected: Annotated[int, typer.Option(min=0, help=both("Users who were unable.", "利用できなかった人数。"))],
    author: Author,
    ground: Ground,
    cause: Cause = "fault",
    incident_id: Annotated[
        str,
        typer.Option(
            "--id", help=both("An id; default: from the time it began.", "番号。省略すると開始時刻から作ります。")
        ),
    ] = "",
    exact: Annotated[
        bool,
        typer.Option("--exact", help=both("Both ends are known to the second.", "開始も終了も秒まで分かっています。")),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Record an outage as people confirmed it."""
    start_at, end_at = instant(from_), instant(to)

    def work(services: Services, now: datetime) -> list[Finding]:
        return services.sla.record_outage(
            start_at,
            end_at,
            affected,
            cause=cause,
            id=incident_id or None,
            ground=ground,
            by=author,
            exact=exact,
            now=now,
        )

    record_act(work, as_json)


@incident.command(
    "correct", help=japanese("停止について分かったことを新しい改訂として記録します。書かないことは変わりません。")
)
def correct_incident(
    incident_id: IncidentId,
    author: Author,
    ground: Ground,
    from_: From = "",
    to: To = "",
    affected: Annotated[
        int | None,
        typer.Option(
            min=0, help=both("Users; 0: the outage never happened.", "人数。0 なら停止はなかったことになります。")
        ),
    ] = None,
    cause: Annotated[
        str,
        typer.Option(
            help=both(
                "fault, partner, system_update, user_environment.",
                "原因: fault, partner, system_update, user_environment。",
            )
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Record what is now known of an outage, as a new revision: what is not said stays."""
    start_at, end_at = (instant(each) if each else None for each in (from_, to))

    def work(services: Services, now: datetime) -> list[Finding]:
        return services.sla.correct_outage(
            incident_id,
            from_at=start_at,
            to_at=end_at,
            affected=affected,
            cause=cause or None,
            ground=ground,
            by=author,
            now=now,
        )

    record_act(work, as_json)


@incident.command("environment", help=japanese("停止のこの時間帯は利用者の環境によるものと判断します(9.4.3)。"))
def rule_on_environment(
    incident_id: IncidentId,
    author: Author,
    ground: Ground,
    windows: Annotated[
        list[str] | None,
        typer.Option("--window", metavar="FROM/TO", help=both("None: taken back.", "時間帯。省略すると取り消します。")),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Rule that these windows of an outage depend on users' environments (9.4.3)."""
    spans = [window(each) for each in windows or []]
    record_act(
        lambda services, now: services.sla.environment(spans, author, ground, outage=incident_id, now=now), as_json
    )


@incident.command("list", help=japanese("担当者が確認した停止。開始の順。"))
def list_incidents(
    month: OnlyMonth = "",
    all_: Annotated[
        bool, typer.Option("--all", help=both("Every revision, not only the newest.", "最新だけでなく、すべての改訂。"))
    ] = False,
    limit: Limit = SHOWN,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Outages as people confirmed them, by their start."""
    from keizoku.sla.months.evidence_lists import incident_list

    about = month_of(month) if month else None
    with open_services() as services:
        rows = incident_list(services.session, about, every_revision=all_)
    print_list(rows, Page.wanted(limit, after), as_json, "no incidents")


@incident.command(
    "import",
    help=japanese(
        "ファイルの停止を記録します: id, from, to, affected, cause, ground, author(CSV)。"
        "--format では監視やステータスページの形式(`keizoku sla formats`)。\n\n"
        "監視は人数を知らないので --affected で示します。終わっていない停止は現在までとし、"
        "後で取り込むと終わりが記録されます。"
    ),
)
def import_incidents(
    file: File,
    form: Format = "",
    affected: Unable = -1,
    columns: Columns = "",
    only: Only = None,
    author: Recorder = "",
    as_json: AsJson = False,
) -> None:
    """Record outages of a file: id, from, to, affected, cause, ground, author (CSV), or in a monitor's own --format.

    A monitor does not know how many users were unable: --affected says it. What is still open is known until now, and
    gets its end when it is imported again.
    """
    asked = asked_outages(form, affected, columns, only)
    take_files(
        [file],
        as_json,
        lambda service, path, now: service.incidents(path, author=recorder(author), now=now, outages=asked),
    )
