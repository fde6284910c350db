"""`keizoku sla`: from files of evidence to unusable time; `measure` needs no database, the rest records and reports."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from keizoku.scheduler.cli.shared.evidence_files import (
    Format,
    Unable,
    asked_outages,
    columns_named,
    files_named,
    symptom_named,
)
from keizoku.scheduler.cli.shared.inputs import SPOKEN, Language, instant
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.output import fail
from keizoku.scheduler.cli.sla import budget as sla_budget
from keizoku.scheduler.cli.sla import collect as sla_collect
from keizoku.scheduler.cli.sla import counts as sla_counts
from keizoku.scheduler.cli.sla import evidence as sla_evidence
from keizoku.scheduler.cli.sla import months

app = typer.Typer(pretty_exceptions_enable=False, no_args_is_help=True)
sla_evidence.add_to(app)
sla_counts.add_to(app)
months.add_to(app)
sla_budget.add_to(app)
sla_collect.add_to(app)


class Engine(StrEnum):
    """Who counts the observations."""

    DUCKDB = "duckdb"
    SPARK = "spark"


@app.callback(
    help=both("Outages of the service and unusable time (Article 9).", "サービスの停止と利用不能時間(第9条)。")
)
def sla() -> None:
    """Outages of the service and unusable time (Article 9)."""


@app.command(
    help=japanese(
        "月を測定します: 全利用者の5%を超えて停止した時間と、そのうちの利用不能時間。\n\n"
        "読めない行は標準エラーに示して除き、あれば終了コード 1。--claims では、申請者を月"
        "の間ずっとカード払いの会員とみなします。契約にかかわることは契約のある側で決まります(`sl"
        "a month`)。"
    )
)
def measure(
    month: Annotated[str, typer.Option(help=both("The month, 2026-04.", "月。2026-04 など。"))],
    population: Annotated[
        int,
        typer.Option(
            help=both(
                "Registered users of the whole service, free ones too.", "サービス全体の登録利用者数(無料も含む)。"
            )
        ),
    ],
    observations: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help=both(
                "Who could not use it: CSV, NDJSON, Parquet; also a glob or a folder.",
                "利用できなかった人の観測: CSV、NDJSON、Parquet。ワイルドカードやフォルダーも可。",
            ),
        ),
    ] = None,
    incidents: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE", help=both("Outages as people confirmed them: CSV.", "担当者が確認した停止(CSV)。")
        ),
    ] = None,
    form: Format = "",
    affected: Unable = -1,
    counts: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help=both(
                "Users unable of all users: CSV, a range query's JSON.",
                "全利用者のうち利用できなかった人数: CSV、範囲問合せのJSON。",
            ),
        ),
    ] = None,
    count_series: Annotated[
        str,
        typer.Option(
            metavar="AFFECTED,TOTAL",
            help=both("JSON: the two series; all users also as a number.", "JSON: 二つの系列。全利用者は数でも可。"),
        ),
    ] = "affected,total",
    count_step: Annotated[
        int,
        typer.Option(
            metavar="SECONDS",
            help=both(
                "How long a sample holds; 0: the step that the samples show.",
                "一つの測定値が続く秒数。0 なら測定値の間隔から。",
            ),
        ),
    ] = 0,
    count_columns: Annotated[
        str,
        typer.Option(
            metavar="OURS=THEIRS,…",
            help=both(
                "CSV of counts: other names of columns, from=start,affected=down.",
                "人数のCSV: 列名の読み替え。from=start,affected=down など。",
            ),
        ),
    ] = "",
    notices: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE.ics", help=both("Announced maintenance: iCalendar.", "予告したメンテナンス(iCalendar)。")
        ),
    ] = None,
    published: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help=both(
                "When the notices that do not say it themselves were published.",
                "公表の時刻が書かれていない予告の、公表した時刻。",
            ),
        ),
    ] = "",
    resolution: Annotated[
        int,
        typer.Option(
            metavar="SECONDS",
            help=both(
                "The evidence's own resolution: shorter gaps do not count. 0: exact.",
                "証拠の分解能。これより短い切れ目は切れ目とみなしません。0 なら厳密。",
            ),
        ),
    ] = 0,
    columns: Annotated[
        str,
        typer.Option(
            metavar="OURS=THEIRS,…",
            help=both(
                "Other names of columns, user_id=site,ended_at=to.", "列名の読み替え。user_id=site,ended_at=to など。"
            ),
        ),
    ] = "",
    symptom: Annotated[
        str,
        typer.Option(
            help=both(
                "What every observation means, where the files do not say: site, login, view.",
                "ファイルに書かれていないときの、観測の意味: site, login, view。",
            )
        ),
    ] = "",
    as_of: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help=both(
                "How far observations without an end last (else past the month, or until now).",
                "終わりのない観測がいつまで続くか(省略すると月末を越えるまで、または現在まで)。",
            ),
        ),
    ] = "",
    claims: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help=both(
                "Claims (CSV), to see how many of them would reach which tier.",
                "申請(CSV)。どの段階に何件届くかを示します。",
            ),
        ),
    ] = None,
    engine: Annotated[
        Engine,
        typer.Option(
            help=both(
                "Who counts: this machine, or Spark at KEIZOKU_SPARK_MASTER (docs/how-to/scale.md).",
                "数える場所: この機械、または KEIZOKU_SPARK_MASTER のSpark(docs/how-to/scale.md)。",
            )
        ),
    ] = Engine.DUCKDB,
    policy: Annotated[
        str,
        typer.Option(
            metavar="FILE|NAME",
            help=both(
                "Also what another SLA would make of it: a TOML (docs/how-to/policies.md).",
                "別のSLAならどうなるかも示します: TOML(docs/how-to/policies.md)。",
            ),
        ),
    ] = "",
    picture: Annotated[
        Path | None, typer.Option(metavar="OUT.svg", help=both("Draw the month.", "月の図を描きます。"))
    ] = None,
    lang: Annotated[
        Language, typer.Option(help=both("The language of sentences and picture.", "文と図の言語。"))
    ] = SPOKEN,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help=both("As JSON; findings still go to stderr.", "JSONで出力します。指摘は標準エラーに出ます。")
        ),
    ] = False,
) -> None:
    """Measure a month: when more than 5 % of all users could not use it, and how much is unusable time.

    Rows that cannot be read are named on stderr and left out; exit 1 if there were any. With --claims each claimant is
    taken for a member who pays by card all month; what holds of contracts is decided where they are. With --policy the
    same evidence is measured by another SLA too: a file, or an example by its name (`keizoku terms policies`).
    """
    from keizoku.scheduler.cli.sla.measure import Evidence, Measuring, asked_month, asked_series, measure_month
    from keizoku.scheduler.cli.sla.stated import asked_policy

    measured, contract = asked_month(month)
    stated = asked_policy(policy) if policy else None
    if population < 1:
        fail(f"--population {population}: a service has at least 1 registered user")
    if resolution < 0:
        fail(f"--resolution {resolution}: seconds, 0 or more")
    evidence = Evidence(
        observations=files_named(observations, or_folders=True),
        columns=columns_named(columns),
        symptom=symptom_named(symptom),
        incidents=files_named(incidents),
        outages=asked_outages(form, affected, "", None),
        counts=files_named(counts),
        series=asked_series(count_series, count_step, count_columns),
        notices=files_named(notices),
        claims=files_named(claims),
        published_at=instant(published) if published else None,
        engine=engine.value,
    )
    measuring = Measuring(measured, contract, population, resolution, as_of, stated)
    code = measure_month(evidence, measuring, picture=picture, lang=lang.value, as_json=as_json)
    if code:
        raise typer.Exit(code)
