"""`keizoku db`: where the database is and how it stands."""

from typing import Annotated

import typer

from keizoku.scheduler.cli.shared.context import Database, embedded_server, open_database, settings_of_this_process
from keizoku.scheduler.cli.shared.output import emit, fail

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


@app.callback()
def _db() -> None:
    """The database: where it is, bring it up to date, stop it."""


@app.command()
def status(as_json: AsJson = False) -> None:
    """Where the database is, and whether its tables are those of this release (exit 1 if they are not)."""
    with open_database(settings_of_this_process()) as database:
        standing = _standing(database)
    emit(standing, as_json)
    if standing["revision"] != standing["wanted"]:
        raise typer.Exit(1)


@app.command("upgrade")
def bring_up_to_date(as_json: AsJson = False) -> None:
    """Bring the tables to those of this release; nothing is done twice."""
    from keizoku.db.migrate import upgrade

    with open_database(settings_of_this_process()) as database:
        upgrade(database.session)
        emit(_standing(database), as_json)


@app.command()
def stop(
    force: Annotated[bool, typer.Option("--force", help="Even if another command is using it.")] = False,
) -> None:
    """Stop the embedded server, where a killed command left it running."""
    settings = settings_of_this_process()
    if settings.database_url is not None:
        fail("KEIZOKU_DATABASE_URL names a server that is not ours to stop")
    server = embedded_server(settings)
    if not server.stop(force=force):
        fail(f"another command is using the database in {server.data_dir}; --force stops it all the same", 1)
    emit(f"the database in {server.data_dir} is {server.state()}")


@app.command()
def roles(
    schema: Annotated[
        list[str] | None, typer.Option("--schema", help="A schema to give them privileges in; may be repeated.")
    ] = None,
    prefix: Annotated[str, typer.Option("--prefix", help="What their names begin with.")] = "keizoku",
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
