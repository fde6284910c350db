"""`keizoku webhook`: endpoints that events are sent to; the same acts as under /v1/endpoints."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from keizoku.scheduler.cli.shared.context import open_services, services_now, settings_of_this_process
from keizoku.scheduler.cli.shared.ids import numbered
from keizoku.scheduler.cli.shared.inputs import AsJson, Author, Ground, Recorder, recorder
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import SHOWN, After, All, Limit, Page, by_number, emit_pages, emit_rows
from keizoku.scheduler.cli.shared.output import FOUND, emit, fail

if TYPE_CHECKING:
    from keizoku.web.event_feed import Cursor
    from keizoku.web.webhooks.endpoints import EndpointRow

app = typer.Typer(
    help=both("Endpoints that events are sent to.", "イベントの送信先。"),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Endpoint = Annotated[
    int,
    typer.Argument(
        metavar="ENDPOINT",
        parser=numbered("endpoint", "送信先"),
        help=both("The endpoint's number, as `keizoku webhook list` shows it.", "番号: `keizoku webhook list`。"),
    ),
]
Types = Annotated[
    list[str] | None,
    typer.Option(
        "--type",
        help=both(
            "A type of event; may be repeated. Default: all of them.", "イベントの種類。複数可。省略すればすべて。"
        ),
    ),
]


@app.command(help=japanese("送信先を作ります。署名の秘密が表示されるのは一度だけです。"))
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help=both("Whose it is.", "誰の送信先か。"))],
    url: Annotated[str, typer.Argument(metavar="URL", help=both("Where: https://….", "場所: https://…。"))],
    kind: Types = None,
    since: Annotated[
        str,
        typer.Option(
            "--since",
            metavar="EVENT",
            help=both(
                "Send what comes behind this event; 0-0: all there is. Default: what is to come.",
                "このイベントの次から送ります。0-0 なら最初から。省略すればこれから起きるもの。",
            ),
        ),
    ] = "",
    author: Recorder = "",
    as_json: AsJson = False,
) -> None:
    """Make an endpoint; its secret is shown this once."""
    from keizoku.web.webhooks.endpoints import add_endpoint
    from keizoku.web.webhooks.signing import key_ring

    settings = settings_of_this_process()
    ring, begins = key_ring(settings.webhook_key_file), _cursor(since) if since else None
    with services_now() as (services, now):
        number, secret = add_endpoint(
            services.session,
            ring,
            name,
            url,
            kind or (),
            since=begins,
            allowed=settings.webhook_allowed_hosts,
            by=recorder(author),
            now=now,
        )
        services.session.commit()
    told = f"{secret}\nendpoint {number}; the secret is shown this once"
    emit({"endpoint": number, "secret": secret} if as_json else told, as_json)


@app.command("list", help=japanese("すべての送信先: 場所、種類、どこまで送ったか、待っている数。"))
def list_endpoints(limit: Limit = SHOWN, everything: All = False, after: After = "", as_json: AsJson = False) -> None:
    """Every endpoint: where, which types, on or off, up to which event, how many wait."""
    from keizoku.web.webhooks.endpoints import endpoint_list

    with open_services() as services:
        rows = endpoint_list(services.session)
    emit_rows(rows, Page.wanted(limit, after, everything), "no endpoints", as_json)


@app.command(help=japanese("送信先の場所、または種類を変えます。"))
def change(
    number: Endpoint,
    author: Author,
    ground: Ground,
    url: Annotated[str, typer.Option("--url", help=both("Its new address.", "新しい場所。"))] = "",
    kind: Types = None,
    all_types: Annotated[
        bool, typer.Option("--all-types", help=both("Every type of event.", "すべての種類を送ります。"))
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Another address, or other types of events."""
    from keizoku.web.webhooks.endpoints import Changes, change_endpoint

    if not (url or kind or all_types):
        fail("nothing to change: give --url, --type or --all-types")
    wanted = Changes(url or None, [] if all_types else kind)
    settings = settings_of_this_process()
    with services_now() as (services, now):
        made = change_endpoint(
            services.session,
            number,
            wanted,
            allowed=settings.webhook_allowed_hosts,
            by=author,
            ground=ground,
            now=now,
        )
        services.session.commit()
    _emit(made, as_json)


@app.command(help=japanese("送信を止めます、または再び始めます。止まっていた間の分も送ります。"))
def switch(
    number: Endpoint,
    author: Author,
    ground: Ground,
    on: Annotated[bool, typer.Option("--on/--off", help=both("On, or off.", "始める、または止める。"))],
    as_json: AsJson = False,
) -> None:
    """Off: nothing is sent, and the place is kept. On again: from there, in order."""
    from keizoku.web.webhooks.endpoints import switch as switched

    with services_now() as (services, now):
        made = switched(services.session, number, on=on, by=author, ground=ground, now=now)
        services.session.commit()
    _emit(made, as_json)


@app.command(help=japanese("署名の秘密を替えます。しばらくは前の秘密でも署名します。"))
def rotate(
    number: Endpoint,
    both_hours: Annotated[
        int,
        typer.Option(
            "--both-hours", min=0, max=168, help=both("So long both secrets sign.", "両方で署名する時間(時間)。")
        ),
    ] = 24,
    author: Recorder = "",
    as_json: AsJson = False,
) -> None:
    """A new secret, shown this once; for a while the one before signs too."""
    from keizoku.web.webhooks.endpoints import rotate_secret
    from keizoku.web.webhooks.signing import key_ring

    ring = key_ring(settings_of_this_process().webhook_key_file)
    with services_now() as (services, now):
        secret = rotate_secret(
            services.session, ring, number, by=recorder(author), now=now, both=timedelta(hours=both_hours)
        )
        services.session.commit()
    emit({"endpoint": number, "secret": secret} if as_json else secret, as_json)


@app.command("test", help=japanese("試験のイベントを今送り、その返事を表示します。受け取られなければ終了コード 1。"))
def send_test_event(number: Endpoint, as_json: AsJson = False) -> None:
    """Send a test event now, and show how it was answered; exit 1 if it was not taken."""
    from keizoku.web.webhooks.job import rules_of
    from keizoku.web.webhooks.signing import key_ring
    from keizoku.web.webhooks.trying import send_test

    settings = settings_of_this_process()
    ring = key_ring(settings.webhook_key_file)
    with open_services() as services:
        made = send_test(services.session, ring, number, rules_of(settings), datetime.now(UTC))
        services.session.commit()
    emit(made if as_json else (f"{made.outcome}" + (f": {made.why}" if made.why else "")), as_json)
    if made.outcome != "delivered":
        raise typer.Exit(FOUND)


@app.command(help=japanese("あるイベントの次から、順にもう一度送ります。"))
def replay(
    number: Endpoint,
    after: Annotated[
        str,
        typer.Argument(
            metavar="EVENT", help=both("The id of an event; 0-0: all.", "イベントの番号。0-0 なら最初から。")
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Send again what comes behind an event, in order, under the same ids."""
    from keizoku.web.webhooks.endpoints import replay as set_back

    with open_services() as services:
        made = set_back(services.session, number, _cursor(after))
        services.session.commit()
    _emit(made, as_json)


@app.command(help=japanese("送信の試みと、その返事。新しい順。"))
def deliveries(
    number: Endpoint,
    failed: Annotated[
        bool, typer.Option("--failed", help=both("Those that were not taken.", "受け取られなかったもの。"))
    ] = False,
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Each attempt and how it was answered, the newest first."""
    from keizoku.web.webhooks.endpoints import deliveries as attempts
    from keizoku.web.webhooks.endpoints import delivery_count

    with open_services() as services:
        session = services.session
        pages = by_number(
            lambda most, behind: attempts(session, number, limit=most, before=behind or None, failed=failed),
            lambda: delivery_count(session, number, failed=failed),
            "delivery",
            "送信",
        )
        emit_pages(pages, Page.wanted(limit, after, everything), "nothing was sent", as_json)


def _emit(made: EndpointRow, as_json: bool) -> None:
    state = "on" if made.enabled else "off"
    emit(made if as_json else f"endpoint {made.id} is {state}, served up to {made.served_to}", as_json)


def _cursor(written: str) -> Cursor:
    from keizoku.web.event_feed import Cursor

    try:
        return Cursor.read(written)
    except ValueError as error:
        fail(f"{written}: {error}")
