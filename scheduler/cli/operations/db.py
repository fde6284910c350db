"""`keizoku db`: where the database is and how it stands."""

from typing import Annotated

import typer

from keizoku.scheduler.cli.shared.context import (
    Database,
    embedded_server,
    open_database,
    server_address,
    settings_of_this_process,
)
from keizoku.scheduler.cli.shared.inputs import AsJson
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.output import emit, errors, fail, note

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback(
    help=both(
        "The database: where it is, bring it up to date, check it for changes by hand, stop it.",
        "データベース: 場所、更新、手で変えられていないかの確認、停止。",
    )
)
def _db() -> None:
    """The database: where it is, bring it up to date, check it for changes by hand, stop it."""


@app.command(help=japanese("データベースの場所と、表がこの版のものかどうか(違えば終了コード 1)。"))
def status(as_json: AsJson = False) -> None:
    """Where the database is, and whether its tables are those of this release (exit 1 if they are not)."""
    with open_database(settings_of_this_process()) as database:
        standing, complaint = _standing(database)
    emit(standing, as_json)
    if complaint is not None:
        errors.print(complaint, markup=False, soft_wrap=True)
        raise typer.Exit(1)


@app.command(
    "upgrade",
    help=japanese(
        "表をこの版のものにします。すべて行うか何もしないかで、二度行っても変わりません。\n\n"
        "ワーカーや夜間処理が動いている間と、表が手で変えられているときは断ります(`keizoku db check`)。"
    ),
)
def bring_up_to_date(
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help=both("Show what would be done, and do nothing.", "行うことを示すだけで、何もしません。")
        ),
    ] = False,
    sql: Annotated[
        bool,
        typer.Option(
            "--sql",
            help=both(
                "With --dry-run: print the SQL of the steps instead.", "--dry-run とともに: 手順のSQLを表示します。"
            ),
        ),
    ] = False,
    second: Annotated[
        bool,
        typer.Option(
            "--second",
            help=both(
                "Make tables even if another schema of the database holds a Keizoku.",
                "データベースの別のスキーマに既にあっても、表を作ります。",
            ),
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Upgrade the tables to those of this release, all or nothing; nothing is done twice.

    Refused while a worker leads or a night runs, and where people changed the tables (`keizoku db check`).
    """
    from keizoku.db.migrate import plan, upgrade

    if sql and (as_json or not dry_run):
        fail("--sql goes with --dry-run and without --json")
    with open_database(settings_of_this_process()) as database:
        planned = plan(database.session)
        database.session.rollback()
        if planned.standing.elsewhere and not second:
            fail(str(planned.standing.complaint))
        if sql:
            for step in planned.steps:
                typer.echo(f"-- revision {step.revision}: {step.title}\n{step.sql}", nl=False)
            return
        if not dry_run:
            planned = upgrade(database.session)
        standing, _ = _standing(database)
    steps = [f"{step.revision} {step.title}" for step in planned.steps]
    before = {"from_revision": planned.standing.revision, "from_release": planned.standing.release}
    after = {"to_revision": planned.to_revision, "to_release": planned.to_release}
    emit({**standing, **before, **after, "steps": steps, "done": not dry_run}, as_json)


@app.command(help=japanese("表が手で変えられていないか: この版の表との相違をすべて示します(あれば終了コード 1)。"))
def check(as_json: AsJson = False) -> None:
    """Check whether somebody changed the tables by hand: every difference from the release's (exit 1 if any)."""
    from keizoku.db.releases import OURS
    from keizoku.db.standing import touched

    with open_database(settings_of_this_process()) as database:
        standing, complaint = _standing(database)
        revision = standing["revision"]
        known = isinstance(revision, str) and OURS.knows(revision)
        found = touched(database.session, str(revision)) if known else []
    if as_json:
        emit({**standing, "complaint": complaint, "differences": found}, as_json)
    else:
        emit(found or complaint or "nobody changed the tables")
        if found:
            errors.print(
                complaint or "undo these changes, or restore a backup: nights and upgrades are refused until then",
                markup=False,
                soft_wrap=True,
            )
    if found or complaint is not None:
        raise typer.Exit(1)


@app.command(
    help=japanese(
        "psql などのためのデータベースのアドレス。組込みサーバーのものも示しますが、起動はしません。\n\n"
        "止まっている組込みサーバーも、コマンドやワーカーが使う間は同じアドレスで動きます。"
    )
)
def url(
    password: Annotated[
        bool,
        typer.Option(
            "--password",
            help=both("With the password, where the address has one.", "アドレスにパスワードがあれば含めます。"),
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """The address of the database, for psql and other programs; of the embedded server too, which is not started.

    An embedded server that is stopped has the same address once it runs: it does while a command or a worker uses it.
    """
    settings = settings_of_this_process()
    if settings.database_url is not None:
        address, state = server_address(settings), "server"
    else:
        server = embedded_server(settings)
        address, state = server.url, server.state()
    shown = address.set(drivername="postgresql").render_as_string(hide_password=not password).replace("+", "%20")
    if as_json:
        emit({"url": shown, "schema": settings.database_schema, "state": state}, as_json)
        return
    typer.echo(shown)
    if state in ("stopped", "absent"):
        said = "is stopped" if state == "stopped" else "is not there yet"
        note(f"the embedded server {said}; it runs while a command or `keizoku worker` uses it")


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
        fail(f"another command is using the database in {server.data_dir}; --force stops it anyway", 1)
    emit(f"the database in {server.data_dir} is {server.state()}")


@app.command(
    help=japanese(
        "役割 worker, finance, support を、必要な権限だけで作ります。もう一"
        "度行っても変わりません。\n\n"
        "ログインはできません。人や機械のログインに付与してください(docs/explanation"
        "/security.md)。"
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
    """Make the roles of people and machines, with no more than each needs; repeating it changes nothing.

    They have no login: grant them to the logins of people and machines (docs/explanation/security.md).
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


def _standing(database: Database) -> tuple[dict[str, object], str | None]:
    """Where the database stands, as it is printed; and what is wrong with it, in a line."""
    from keizoku.db.releases import OURS
    from keizoku.db.standing import standing

    found = standing(database.session)
    database.session.rollback()
    shown: dict[str, object] = {
        "place": database.place,
        "revision": found.revision,
        "wanted": OURS.head,
        "schema": found.schema,
        "release": found.release,
        "this_release": OURS.release,
        "state": found.state,
    }
    return shown, found.complaint
