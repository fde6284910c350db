"""`keizoku backup`: encrypted copies of the database in three places (Article 10)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from keizoku.scheduler.cli.shared.context import (
    open_database,
    open_services,
    services_now,
    settings_of_this_process,
)
from keizoku.scheduler.cli.shared.inputs import Account, AsJson, Author, Ground
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import SHOWN, After, All, Limit, Page, emit_rows
from keizoku.scheduler.cli.shared.output import emit, errors, fail, note
from keizoku.terms.calendar import iso_jst

if TYPE_CHECKING:
    from threading import Event

    from keizoku.scheduler.backup.keeper import Checked, Rules
    from keizoku.scheduler.settings import Settings

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

Backup = Annotated[
    str,
    typer.Option(
        "--backup",
        help=both(
            "Which one, as `keizoku backup list` names it; else the newest.",
            "`keizoku backup list` にある写し。省略すると最新。",
        ),
    ),
]
Identity = Annotated[
    Path | None,
    typer.Option(
        "--identity",
        help=both(
            "File with the secret key of age; else the setting backup_identity_file.",
            "ageの秘密鍵のファイル。省略すると設定 backup_identity_file。",
        ),
    ),
]


@app.callback(
    help=both(
        "Encrypted copies of the database in three places: run, list, verify, restore.",
        "暗号化した写しを三か所に: 実行、一覧、検証、復元。",
    )
)
def _backup() -> None:
    """Encrypted copies of the database in three places: run, list, verify, restore."""


@app.command(
    help=japanese(
        "鍵を作ります: 秘密鍵はファイルに、公開鍵は KEIZOKU_BACKUP_RECIPIEN"
        "TS のために表示します。\n\n"
        "ファイルは写しを作る機械から離して保管してください。持つ人はすべての写しを読めます。"
    )
)
def key(
    file: Annotated[
        Path,
        typer.Argument(
            help=both("Where the secret key goes; must not be there yet.", "秘密鍵を書くファイル。まだ存在しないもの。")
        ),
    ],
) -> None:
    """Make a pair of keys: the secret one into a file, the public one printed for KEIZOKU_BACKUP_RECIPIENTS.

    Keep the file away from the machine that makes backups: whoever has it reads them all.
    """
    from keizoku.scheduler.backup.dump import new_key

    secret, public = new_key()
    try:
        with file.open("x") as out:
            file.chmod(0o600)
            out.write(f"{secret}\n")
    except OSError as error:
        fail(f"{file}: {error.strerror}")
    emit(public)


@app.command(help=japanese("写しを作り、すべての場所に書きます(書けない場所があれば終了コード 1)。"))
def run(as_json: AsJson = False) -> None:
    """Make a backup and write it to every place (exit 1 if one of them did not take it)."""
    from keizoku.db.standing import check_current
    from keizoku.scheduler.backup import keeper
    from keizoku.scheduler.backup.dump import BackupError

    settings = settings_of_this_process()
    with open_database(settings) as database:
        check_current(database.session)
        try:
            stored = keeper.run(database.session, database.url, rules_of(settings), datetime.now(UTC), _progress)
        except BackupError as error:
            fail(str(error), 1)
    emit([_row(each) for each in stored], as_json)
    if any(each.why for each in stored):
        raise typer.Exit(1)


@app.command(
    "list",
    help=japanese(
        "すべての場所にある完全な写し(7日以内のものがすべての場所にそろっていなければ終了コード 1: premium/10.3)。"
    ),
)
def list_(
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Every whole copy in every place (exit 1 if none of the last 7 days lies in all of them: premium/10.3)."""
    from keizoku.scheduler.backup import keeper

    rules = rules_of(settings_of_this_process())
    copies, unreadable, strange = keeper.looked_through(rules)
    now = datetime.now(UTC)
    stands = keeper.state_of(rules, copies, now)
    rows = [
        {
            "backup": each.backup,
            "taken_at": iso_jst(each.taken_at),
            "store": each.store,
            "bytes": each.bytes,
            "sha256": each.sha256,
            "release": each.release,
        }
        for each in copies
    ]
    if as_json:
        emit(
            {
                "copies": rows,
                "unreadable": unreadable,
                "strange": strange,
                "too_old": stands.too_old,
                "wanted": stands.wanted,
            },
            True,
        )
    else:
        emit_rows(rows, Page.wanted(limit, after, everything), "there is no backup anywhere", as_json, "backup")
        for line in (*unreadable, *strange):
            errors.print(line, markup=False, soft_wrap=True)
    if stands.too_old:
        days = rules.policy.backup.longest_pause_days
        errors.print(f"no backup of the last {days} days is in every place (premium/10.3)", markup=False)
    if stands.too_old or unreadable:
        raise typer.Exit(1)


@app.command(help=japanese("写しを読み直します: 書いたときと同じ内容で、鍵があれば最後まで開けること。"))
def verify(backup: Backup = "", identity: Identity = None, as_json: AsJson = False) -> None:
    """Read the copies of a backup back: the bytes are those that were written; with the key, they open to the end.

    What was found is kept in the database, where one is set or lies here; the copies are read without it, too.
    """
    from keizoku.scheduler.backup import keeper
    from keizoku.scheduler.backup.dump import BackupError

    settings = settings_of_this_process()
    try:
        found = keeper.verify(rules_of(settings), backup or None, identity or settings.backup_identity_file)
    except BackupError as error:
        fail(str(error), 1)
    _keep(settings, found)
    emit(
        [
            {
                "backup": each.backup,
                "store": each.store,
                "whole": not each.complaints,
                "why": "; ".join(each.complaints),
            }
            for each in found
        ],
        as_json,
    )
    if any(each.complaints for each in found):
        raise typer.Exit(1)


def _keep(settings: Settings, found: list[Checked]) -> None:
    """Keep what was found, where there is a database; one that does not take it is said and stops nothing."""
    from sqlalchemy.exc import SQLAlchemyError

    from keizoku.db.embedded import default_data_dir
    from keizoku.db.session import DatabaseError
    from keizoku.db.standing import check_current
    from keizoku.scheduler.backup.kept import record_checked
    from keizoku.scheduler.cli.shared.output import UserError

    folder = settings.data_dir or default_data_dir()
    if settings.database_url is None and not (folder / "postgresql").is_dir():
        return
    try:
        with open_database(settings, quiet=True) as database:
            check_current(database.session)
            record_checked(database.session, found, datetime.now(UTC))
    except (DatabaseError, SQLAlchemyError, UserError) as error:
        note(f"what was found is not kept in the database: {' '.join(str(error).split())[:200]}")


@app.command(
    help=japanese(
        "写しを空のデータベースに復元し、行数、合計、証明が同じことを確かめます(違えば終了コード 1)。"
        "カードへの請求と返金は、その後に決済代行で起きたことを夜間処理が読み終えるまで待ちます(`backup held`)。"
    )
)
def restore(
    into: Annotated[
        str,
        typer.Argument(
            help=both(
                "Address of an empty database: postgresql://user@host/database.",
                "空のデータベースのアドレス: postgresql://user@host/database。",
            )
        ),
    ],
    backup: Backup = "",
    identity: Identity = None,
    drill: Annotated[
        bool,
        typer.Option(
            "--drill",
            help=both(
                "A copy to look at: it never speaks to the live account.",
                "確認のための写し。本番の決済アカウントとは一切通信しません。",
            ),
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Restore a backup into an empty database, and prove it: the same rows, sums and certificate (exit 1 if not).

    Charges and refunds then wait until a night has read what the gateway did since the backup (`backup held`). The
    tables of an earlier release are upgraded to those of this one; a backup made by a later release is refused.
    """
    from keizoku.db.session import normalised_url
    from keizoku.scheduler.backup import keeper
    from keizoku.scheduler.backup.dump import BackupError

    settings = settings_of_this_process()
    key_file = identity or settings.backup_identity_file
    if key_file is None:
        fail("the secret key is needed: --identity FILE, or KEIZOKU_BACKUP_IDENTITY_FILE")
    try:
        lines = keeper.restore_into(
            rules_of(settings), normalised_url(into), key_file, backup or None, _progress, drill=drill
        )
    except BackupError as error:
        fail(str(error), 1)
    emit({"proven": not lines, "differences": lines} if as_json else lines or "restored, and proven", as_json)
    if lines:
        raise typer.Exit(1)


@app.command(
    help=japanese(
        "復元の後に待っているものを表示します: 請求と返金の全体、連携、または復元された行にない決済代行の"
        "一つ一つの出来事(あれば終了コード 1)。"
    )
)
def held(
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """What waits since a restore: charges and refunds, links, acts of the gateway that the restored rows do not know.

    Exit 1 if anything does.
    """
    from keizoku.billing.gateway.restored import HeldRestore
    from keizoku.billing.gateway.restored import held as waiting
    from keizoku.link.records import restored as links

    with open_services() as services:
        rows = waiting(services.session)
        rows += [HeldRestore("links", row.backup, row.taken_at) for row in links.held(services.session)]
    emit_rows(rows, Page.wanted(limit, after, everything), "nothing waits", as_json, "id")
    if rows:
        raise typer.Exit(1)


@app.command(
    help=japanese(
        "決済代行を読まずに請求と返金を再開します。`--act` なら、人が片付けた一つの出来事だけを待ちから外します。"
    )
)
def release(
    author: Author,
    ground: Ground,
    act: Annotated[
        str,
        typer.Option(
            "--act",
            metavar="ID",
            help=both(
                "Only this act of the gateway, as `keizoku backup held` names it: people have booked it.",
                "`keizoku backup held` にあるこの出来事だけ。人が記帳を済ませたもの。",
            ),
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Let charges and refunds go on though the gateway was not read since the backup; or one account, with --act."""
    from keizoku.billing.gateway import restored

    with services_now() as (services, now):
        if act:
            restored.release_act(services.session, act, author, ground, now)
        else:
            restored.release(services.session, author, ground, now)
    said = f"{act}: dealt with" if act else "charges and refunds resume"
    emit({"released": act or "restore"} if as_json else said, as_json)


@app.command(help=japanese("会員本人の情報をCSVで書き出します。行の種類ごとに一つ(premium/10.4)。"))
def member(
    account: Account,
    out: Annotated[
        Path, typer.Option("--out", help=both("Folder for the CSV files.", "CSVファイルを置くフォルダー。"))
    ],
    as_json: AsJson = False,
) -> None:
    """A member's own data as CSV files, one for every kind of row (premium/10.4)."""
    from keizoku.scheduler.backup.member_data import write_member

    with open_services() as services:
        try:
            written = write_member(services.session, account, out)
        except OSError as error:
            fail(f"{out}: {error.strerror}")
    if not written:
        fail(f"account {account}: no data are held about it", 1)
    emit(written, as_json)


def rules_of(settings: Settings, stopping: Event | None = None) -> Rules:
    """Where backups go, by the settings; a protocol that is not spoken ends the command with one line.

    Once `stopping` is set, no place is waited for.
    """
    from keizoku.scheduler.backup.keeper import Rules
    from keizoku.scheduler.backup.stores import Store, StoreError

    try:
        stores = tuple(Store.at(each, settings.backup_timeout_seconds, stopping) for each in settings.backup_stores)
    except StoreError as error:
        _bad_store(error)
    return Rules(
        stores,
        settings.backup_recipients,
        settings.backup_keep_days,
        settings.backup_keep_months,
        settings.rules().terms.at(datetime.now(UTC).date()),
    )


def _bad_store(error: Exception) -> NoReturn:
    fail(f"KEIZOKU_BACKUP_STORES: {error}")


def _progress(what: str) -> None:
    errors.print(f"{what} …", markup=False)


def _verdict(backup: str, store: str, complaints: tuple[str, ...]) -> dict[str, object]:
    return {"backup": backup, "store": store, "whole": not complaints, "why": "; ".join(complaints)}


def _row(each: object) -> dict[str, object]:
    from dataclasses import asdict

    return asdict(each)  # type: ignore[call-overload,no-any-return]
