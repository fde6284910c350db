"""`keizoku sla notice | interruption | population | observations | imports`: record what is known of outages.

Each command says what was refused, with its line, and records the rest; the night decides with it. A file is
recorded once: the same file again says so and changes nothing.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keizoku.scheduler.cli.shared.context import open_services, services_now, settings_of_this_process
from keizoku.scheduler.cli.shared.evidence_files import columns_named, files_named, symptom_named
from keizoku.scheduler.cli.shared.inputs import (
    AsJson,
    From,
    OnlyMonth,
    Recorder,
    To,
    instant,
    month_of,
    recorder,
)
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import SHOWN, After, All, Limit, Page, emit_rows
from keizoku.scheduler.cli.shared.output import emit, fail, note
from keizoku.scheduler.cli.sla.formats import list_formats
from keizoku.scheduler.cli.sla.incidents import incident
from keizoku.scheduler.cli.sla.recording import print_list, record_act, take_files

if TYPE_CHECKING:
    from keizoku.scheduler.app import Services
    from keizoku.sla.evidence.import_log import Imported
    from keizoku.sla.services.imports import ImportService
    from keizoku.terms.decision import Finding

Ics = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="FILE.ics…", exists=True, dir_okay=False, help=both("Calendar files.", "カレンダーのファイル。")
    ),
]
FIRST_DAY = "1970-01-01"

notice = typer.Typer(
    help=both("Maintenance that was announced, and when.", "予告したメンテナンスと、その予告の時刻。"),
    no_args_is_help=True,
)
interruption = typer.Typer(
    help=both("The service interrupted under the terms.", "規約にもとづくサービスの中断。"), no_args_is_help=True
)
population = typer.Typer(
    help=both("How many users the whole service has.", "サービス全体の利用者数。"), no_args_is_help=True
)
observations = typer.Typer(
    help=both("Who could not do what, from when to when.", "誰が、いつからいつまで、何をできなかったか。"),
    no_args_is_help=True,
)


def add_to(app: typer.Typer) -> None:
    """Put these commands under `keizoku sla`."""
    groups = {
        "incident": incident,
        "observations": observations,
        "notice": notice,
        "interruption": interruption,
        "population": population,
    }
    for name, group in groups.items():
        app.add_typer(group, name=name)
    app.command("formats", help=japanese("監視やステータスページの停止の形式: 名前、何を読むか、出典。"))(list_formats)
    app.command(
        "imports", help=japanese("取り込んだファイルのすべて: 種類、ハッシュ、行数、使った行、断った行、誰が。")
    )(list_imports)


@notice.command(
    "add",
    help=japanese(
        "予告したメンテナンスを、カレンダーのファイルかオプションから記録します。遅すぎた予告は記録さ"
        "れ、何も除外しません。\n\n"
        "同じ --id を後からもう一度公表すると編集になり、以後は両方が予告した時間だけを除外しま"
        "す。"
    ),
)
def add_notice(
    files: Ics = None,
    uid: Annotated[
        str,
        typer.Option(
            "--id", help=both("The notice's own id, where no file is given.", "ファイルを渡さないときの、予告の番号。")
        ),
    ] = "",
    published: Annotated[
        str,
        typer.Option(
            help=both(
                "When it was published; of a file: what does not say it itself.",
                "公表した時刻。ファイルの場合は、それ自身に時刻がない予告について。",
            )
        ),
    ] = "",
    from_: From = "",
    to: To = "",
    calendar: Annotated[
        str,
        typer.Option(
            help=both("The calendar of the id, where there are several.", "カレンダーが複数あるときの、その名前。")
        ),
    ] = "",
    cancelled: Annotated[
        bool,
        typer.Option(
            "--cancelled",
            help=both("Withdrawn, from --published on.", "--published の時刻から取り下げたものとします。"),
        ),
    ] = False,
    author: Recorder = "",
    ground: Annotated[str, typer.Option(help=both("Where it was published.", "公表した場所。"))] = "",
    as_json: AsJson = False,
) -> None:
    """Record announced maintenance, from calendar files or from options. Too late: recorded, named, covers nothing.

    The same --id again, published later, is an edit: from then on only what both announce is covered.
    """
    stated = (uid, published, from_, to)
    if files:
        if uid or from_ or to:
            fail("give calendar files, or --id, --published, --from and --to; not both")
        paths, published_at = files, instant(published) if published else None

        def take(service: ImportService, path: Path, now: datetime) -> Imported:
            return service.notices(path, author=recorder(author), now=now, published_at=published_at)

        take_files(paths, as_json, take)
    if not all(stated):
        fail("give calendar files, or all of --id, --published, --from and --to")
    at = [instant(each) for each in (published, from_, to)]

    def work(services: Services, now: datetime) -> list[Finding]:
        return services.sla.notice(
            uid,
            *at,
            now=now,
            by=recorder(author),
            ground=ground or None,
            cancelled=cancelled,
            calendar=calendar,
        )

    record_act(work, as_json)


@notice.command(
    "publish",
    help=japanese(
        "予告したメンテナンスを maintenance.ics と maintenance.html に書き出し、そのハッシュを記録します。\n\n"
        "--url(または KEIZOKU_NOTICES_URL)では、公開した場所から取得し直し、いつ、どこに、何があったかを証拠として"
        "記録します。ワーカーは1時間ごとに同じことをします。"
    ),
)
def publish_notices(
    out: Annotated[
        Path, typer.Option(file_okay=False, help=both("The folder to write to.", "書き出し先のフォルダー。"))
    ],
    url: Annotated[
        str,
        typer.Option(
            help=both(
                "Where users read the calendar: fetched back as a proof.", "公開した場所。証拠として取得し直します。"
            )
        ),
    ] = "",
    author: Recorder = "",
    as_json: AsJson = False,
) -> None:
    """Write announced maintenance to maintenance.ics and maintenance.html, and record the digest of what was written.

    With --url (or KEIZOKU_NOTICES_URL) the calendar is fetched back from where users read it: what stood there, and
    when, is recorded as a proof (9.4.4). The worker does the same every hour.
    """
    from keizoku.scheduler.fetching import see_published
    from keizoku.scheduler.files import write_whole
    from keizoku.sla.months.notice_publishing import CALENDAR, PAGE, publication, record_publication

    with services_now() as (services, now):
        made = publication(services.session, now)
        try:
            out.mkdir(parents=True, exist_ok=True)
            write_whole(out / CALENDAR, made.calendar)
            write_whole(out / PAGE, made.page)
        except OSError as error:
            fail(f"--out {out}: {error.strerror}")
        is_new = record_publication(services.session, made, now=now, by=recorder(author))
        services.session.commit()
        address = url or settings_of_this_process().notices_url
        seen = see_published(services.session, address, now, by=recorder(author)) if address else None
    done = {
        "calendar": str(out / CALENDAR),
        "page": str(out / PAGE),
        "sha256": made.sha256,
        "new": is_new,
        "seen": seen,
    }
    if seen is not None and seen != made.sha256:
        note(f"{address}: an older calendar of ours stands there ({seen[:12]}); put the new one there")
    emit(done, as_json, lambda shown: shown.print(f"{out / CALENDAR}: SHA-256 {made.sha256}", soft_wrap=True))
    if seen is not None and seen != made.sha256:
        raise typer.Exit(1)


@notice.command("list", help=japanese("予告を開始の順に。間に合ったかどうかも。"))
def list_notices(
    month: OnlyMonth = "",
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Notices by their start, and whether each came in time."""
    from keizoku.sla.months.evidence_lists import notice_list

    about = month_of(month) if month else None
    with open_services() as services:
        rows = notice_list(services.session, services.rules, about)
    print_list(rows, Page.wanted(limit, after, everything), as_json, "no notices")


@interruption.command("add", help=japanese("規約にもとづくサービスの中断を記録します(9.4.5)。"))
def add_interruption(
    from_: From,
    to: To,
    ground: Annotated[
        str, typer.Option(help=both("Why, with the clause that allows it.", "理由と、それを認める条項。"))
    ],
    approved_by: Annotated[str, typer.Option("--approver", help=both("Who approved it.", "承認した人。"))],
    author: Recorder = "",
    as_json: AsJson = False,
) -> None:
    """Record that the service was interrupted under the terms (9.4.5)."""
    start_at, end_at = instant(from_), instant(to)
    record_act(
        lambda services, now: services.sla.interruption(
            start_at, end_at, ground, approved_by, now=now, by=recorder(author)
        ),
        as_json,
    )


@interruption.command("list", help=japanese("中断とその理由。"))
def list_interruptions(
    month: OnlyMonth = "",
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Interruptions with their grounds."""
    from keizoku.sla.months.evidence_lists import interruption_list

    about = month_of(month) if month else None
    with open_services() as services:
        rows = interruption_list(services.session, about)
    print_list(rows, Page.wanted(limit, after, everything), as_json, "no interruptions", "from")


@population.command("add", help=japanese("利用者の数を記録します。「5%を超える」はこれに対して測ります。"))
def add_population(
    users: Annotated[
        int | None,
        typer.Argument(min=1, help=both("Registered users of the whole service.", "サービス全体の登録利用者数。")),
    ] = None,
    from_: Annotated[
        str,
        typer.Option("--from", help=both("Since when; default: from the beginning.", "いつから。省略すると最初から。")),
    ] = FIRST_DAY,
    file: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help=both("A dated series instead: from, users (CSV).", "数の代わりに、日付つきの系列: from, users(CSV)。"),
        ),
    ] = None,
    author: Recorder = "",
    as_json: AsJson = False,
) -> None:
    """Record how many users there are: what more than 5 % is measured against."""
    if (users is None) == (file is None):
        fail("give a number of users, or --file with a series of them")
    if file is not None:
        take_files(
            [file], as_json, lambda service, path, now: service.population(path, author=recorder(author), now=now)
        )
    since, number = instant(from_), users or 0
    record_act(lambda services, now: services.sla.population(since, number, now=now, by=recorder(author)), as_json)


@population.command("list", help=japanese("有効な系列。それぞれ次の数まで続きます。"))
def list_population(
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """The series that holds, each figure until the next."""
    from keizoku.sla.months.evidence_lists import population_list

    with open_services() as services:
        rows = population_list(services.session)
    nothing = "the number of users is not recorded"
    print_list(rows, Page.wanted(limit, after, everything), as_json, nothing, "from")


@observations.command(
    "import",
    help=japanese(
        "観測を記録します: user_id, symptom, started_at, ended_"
        "at(CSV、NDJSON、Parquet)。\n\n"
        "ファイルごとに別の取込みです。フォルダーは、どの深さのファイルもすべて取り込みます。symp"
        "tom=site のようなフォルダーの下のParquetは、その列をそこから得ます。"
    ),
)
def import_observations(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE…",
            help=both(
                "Files, globs, folders; partitioned Parquet too.",
                "ファイル、ワイルドカード、フォルダー。分割されたParquetも可。",
            ),
        ),
    ],
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
                "What every row means, where the files do not say: site, login, view.",
                "ファイルに書かれていないときの、行の意味: site, login, view。",
            )
        ),
    ] = "",
    author: Recorder = "",
    as_json: AsJson = False,
) -> None:
    """Record observations: user_id, symptom, started_at, ended_at (CSV, NDJSON, Parquet).

    Every file is an import of its own. Of a folder all files are taken, at any depth; Parquet under folders such
    as symptom=site has that column from there.
    """
    from keizoku.sla.evidence.observation_store import Reading, files_in

    reading = Reading(columns_named(columns), symptom_named(symptom))
    name_of = dict(files_in(files_named(files, or_folders=True)))

    def take(service: ImportService, path: Path, now: datetime) -> Imported:
        return service.observations(path, author=recorder(author), now=now, reading=reading, source=name_of[path])

    take_files(list(name_of), as_json, take)


def list_imports(
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Every file that was imported: kind, digest, rows read, used, refused, by whom."""
    from keizoku.sla.evidence.import_log import import_list

    with open_services() as services:
        found = import_list(services.session)
    rows = [each.to_json() for each in found]
    if not as_json:
        rows = [{name: value for name, value in row.items() if name not in HIDDEN} for row in rows]
        rows = [{**row, "sha256": str(row["sha256"])[:12]} for row in rows]
    emit_rows(rows, Page.wanted(limit, after, everything), "nothing was imported", as_json, "source")


HIDDEN = ("imported_before", "findings")
