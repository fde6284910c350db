"""`keizoku db`: where the database is and how it stands."""

from typing import Annotated

import typer

from keizoku.scheduler.cli.shared.context import Database, embedded_server, open_database, settings_of_this_process
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.output import emit, fail

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

AsJson = Annotated[bool, typer.Option("--json", help=both("As JSON.", "JSONで出力します。"))]


@app.callback(help=both("The database: where it is, bring it up to date, stop it.", "データベース: 場所、更新、停止。"))
def _db() -> None:
    """The database: where it is, bring it up to date, stop it."""


@app.command(help=japanese("データベースの場所と、表がこの版のものかどうか(違えば終了コード 1)。"))
def status(as_json: AsJson = False) -> None:
    """Where the database is, and whether its tables are those of this release (exit 1 if they are not)."""
    with open_database(settings_of_this_process()) as database:
        standing = _standing(database)
    emit(standing, as_json)
    if standing["revision"] != standing["wanted"]:
        raise typer.Exit(1)


@app.command("upgrade", help=japanese("表をこの版のものにします。二度行っても変わりません。"))
def bring_up_to_date(as_json: AsJson = False) -> None:
    """Bring the tables to those of this release; nothing is done twice."""
    from keizoku.db.migrate import upgrade

    with open_database(settings_of_this_process()) as database:
        upgrade(database.session)
        emit(_standing(database), as_json)


@app.command(help=japanese("中断されたコマンドが残した組込みサーバーを止めます。"))
def stop(
    force: Annotated[
        bool,
        typer.Option(
            "--force", help=both("Even if another command is using it.", "他のコマンドが使っていても止めます。")
        ),
    ] = False,
) -> None:
    """Stop the embedded server, where a killed command left it running."""
    settings = settings_of_this_process()
    if settings.database_url is not None:
        fail("KEIZOKU_DATABASE_URL names a server that is not ours to stop")
    server = embedded_server(settings)
    if not server.stop(force=force):
        fail(f"another command is using the database in {server.data_dir}; --force stops it all the same", 1)
    emit(f"the database in {server.data_dir} is {server.state()}")


@app.command(
    help=japanese(
        "役割 worker, finance, support を、必要な権限だけで作ります。もう一"
        "度行っても変わりません。\n\n"
        "ログインはできません。人や機械のログインに付与してください(docs/why/securit"
        "y.md)。"
    )
)
def roles(
    schema: Annotated[
        list[str] | None,
        typer.Option(
            "--schema",
            help=both("A schema to give them privileges in; may be repeated.", "権限を与えるスキーマ。繰り返し可。"),
        ),
    ] = None,
    prefix: Annotated[
        str, typer.Option("--prefix", help=both("What their names begin with.", "名前の先頭。"))
    ] = "keizoku",
    as_json: AsJson = False,
) -> None:
    """Make the roles worker, finance and support, with no more than each needs; again changes nothing.

    They have no login: grant them to the logins of people and machines (docs/why/security.md).
    """
    from keizoku.db.roles import apply_roles, privileges

    with open_database(settings_of_this_process()) as database:
        made = apply_roles(database.session, schema or (), prefix)
    emit(
        [
            {"role": role, **{privilege.lower(): len(tables) for privilege, tables in wanted.items()}}
            for role, wanted in zip(made, privileges().values(), strict=True)
        ],
        as_json,
    )


def _standing(database: Database) -> dict[str, object]:
    from keizoku.db.migrate import current_revision, head_revision

    return {
        "place": database.place,
        "revision": current_revision(database.session),
        "wanted": head_revision(),
    }
