"""`keizoku api`: the keys that open the HTTP door, who came through it, its description."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from keizoku.scheduler.cli.shared.context import open_services, services_now, settings_of_this_process
from keizoku.scheduler.cli.shared.ids import numbered
from keizoku.scheduler.cli.shared.inputs import AsJson, Author, Ground, Recorder, instant, recorder
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import SHOWN, After, All, Limit, Page, by_number, emit_pages, emit_rows
from keizoku.scheduler.cli.shared.output import FOUND, emit, fail

if TYPE_CHECKING:
    from keizoku.web.calls.call import Call
    from keizoku.web.identity.principal import Role
    from keizoku.web.jobs import Jobs

app = typer.Typer(
    help=both("The HTTP door: its keys, its description.", "HTTPの窓口: キーと記述。"),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _number(whose: str, word: str, japanese_word: str) -> Any:
    """An argument that is the number of something which `keizoku api WORDs` lists."""
    listed = f"`keizoku api {word}s`"
    return typer.Argument(
        metavar=word.upper(),
        parser=numbered(word, japanese_word),
        help=both(f"{whose} number, as {listed} shows it.", f"{japanese_word}の番号: {listed}。"),
    )


KeyId = Annotated[int, _number("The key's", "key", "キー")]
ProposalId = Annotated[int, _number("Its", "proposal", "提案")]
SessionId = Annotated[int, _number("Its", "session", "セッション")]


@app.command("new-key", help=japanese("機械のためのキーを作ります。キーが表示されるのは一度だけです。"))
def new_key(
    name: Annotated[str, typer.Argument(metavar="NAME", help=both("Whose it is.", "誰のキーか。"))],
    role: Annotated[
        str, typer.Option("--role", help=both("worker, finance or support.", "worker、finance、support のいずれか。"))
    ],
    scope: Annotated[
        list[str],
        typer.Option(
            "--scope",
            help=both(
                "What it may: accounts:read, contracts:write, *:read, *; may be repeated.",
                "できること: accounts:read、contracts:write、*:read、* など。複数可。",
            ),
        ),
    ],
    test: Annotated[bool, typer.Option("--test", help=both("For a sandbox.", "サンドボックス用。"))] = False,
    expires: Annotated[
        str, typer.Option("--expires", metavar="TIME", help=both("Until when. Default: for good.", "期限。省略可。"))
    ] = "",
    author: Recorder = "",
    as_json: AsJson = False,
) -> None:
    """Make a key for a machine; it is shown this once. Two of a name may live at once."""
    from keizoku.web.identity.keys import new_key as make

    until = instant(expires) if expires else None
    with services_now() as (services, now):
        made = make(services.session, name, role, scope, test=test, expires_at=until, by=recorder(author), now=now)
    emit(made if as_json else f"{made.key}\nkey {made.id}; it is kept nowhere else", as_json)


@app.command("keys", help=japanese("すべてのキー: 誰の、何ができる、最後に使われた時。"))
def list_keys(limit: Limit = SHOWN, everything: All = False, after: After = "", as_json: AsJson = False) -> None:
    """Every key: whose, what it may do, when it was last used."""
    from keizoku.web.identity.keys import key_list

    with open_services() as services:
        rows = key_list(services.session)
    emit_rows(rows, Page.wanted(limit, after, everything), "no keys", as_json)


@app.command("end-key", help=japanese("キーを使えなくします。"))
def end_key(number: KeyId, author: Author, ground: Ground, as_json: AsJson = False) -> None:
    """A key is taken no more, from now on."""
    from keizoku.web.identity.keys import end_key as end

    with services_now() as (services, now):
        fresh = end(services.session, number, by=author, ground=ground, now=now)
    emit({"id": number, "ended": fresh} if as_json else f"key {number} {'is' if fresh else 'was'} ended", as_json)


@app.command("sessions", help=japanese("ブラウザのセッション: 誰の、どの役割の、最後に使われた時。"))
def list_sessions(
    living: Annotated[
        bool, typer.Option("--living", help=both("Only those that have not ended.", "終了していないものだけ。"))
    ] = False,
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Sessions in browsers: whose, as which roles, when they were last used, why they ended."""
    from keizoku.web.identity.sessions import session_count, session_list

    with services_now() as (services, now):
        session, at = services.session, now if living else None
        pages = by_number(
            lambda most, behind: session_list(session, living_at=at, limit=most, after=behind),
            lambda: session_count(session, living_at=at),
            "session",
            "セッション",
        )
        emit_pages(pages, Page.wanted(limit, after, everything), "no sessions", as_json)


@app.command("member-link", help=japanese("会員一人のためのリンク: 一度だけ、15分以内に開けます。表示は一度だけです。"))
def member_link(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help=both("Whose pages it opens.", "開く会員。"))],
    author: Recorder = "",
    as_json: AsJson = False,
) -> None:
    """A link for one member: it opens the pages of this account once, within 15 minutes."""
    from keizoku.web.identity.members import new_member_link

    origin = settings_of_this_process().public_url  # without one: the path, at whatever address the door has
    with services_now() as (services, now):
        made = new_member_link(services.session, account, by=recorder(author), now=now)
        services.session.commit()
    url = f"{origin}/enter/{made.token}"
    shown = {"account": made.account, "url": url, "expires_at": made.to_json()["expires_at"]}
    emit(shown if as_json else f"{url}\nonce, until {shown['expires_at']}; it is kept nowhere else", as_json)


@app.command(help=japanese("誰が何をできるか: キー、担当者、会員、データベースのログイン。いつから、最後の使用。"))
def access(limit: Limit = SHOWN, everything: All = False, after: After = "", as_json: AsJson = False) -> None:
    """Who may do what, since when, and when they last did: keys, people, members, logins of the database."""
    from keizoku.web.identity.access_report import access_report

    with services_now() as (services, now):
        rows = [{**row.to_json(), "id": number} for number, row in enumerate(access_report(services.session, now), 1)]
    emit_rows(rows, Page.wanted(limit, after, everything), "nobody", as_json)


@app.command(help=japanese("HTTPの要求の記録: 誰が、いつ、どの会員について、何を。追記のみです。"))
def requests(
    account: Annotated[str, typer.Option(help=both("About this account alone.", "この会員についてだけ。"))] = "",
    who: Annotated[str, typer.Option(help=both("Of this principal alone.", "この人・キーだけ。"))] = "",
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Who asked over HTTP for what, about whom, when; it is only ever added to."""
    from keizoku.web.request_log import request_count, requests_of

    with open_services() as services:
        session, about, of = services.session, account or None, who or None
        pages = by_number(
            lambda most, behind: requests_of(session, account=about, who=of, limit=most, after=behind),
            lambda: request_count(session, account=about, who=of),
            "request",
            "要求",
        )
        emit_pages(pages, Page.wanted(limit, after, everything), "no requests", as_json)


@app.command("proposals", help=japanese("二人目の承認を待つ操作と、その結果。"))
def list_proposals(
    state: Annotated[
        str,
        typer.Option(
            help=both(
                "waiting, expired, approved, turned_down or withdrawn; all by default.",
                "waiting、expired、approved、turned_down、withdrawn のいずれか。既定はすべて。",
            )
        ),
    ] = "",
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Acts that wait for a second person, and what became of the others."""
    from keizoku.web.four_eyes import STATES, proposal_count, proposal_rows

    if state and state not in STATES:
        fail(f"--state {state}: there are {', '.join(STATES)}")
    with services_now() as (services, now):
        session, of = services.session, state or None
        pages = by_number(
            lambda most, behind: proposal_rows(session, now, state=of, limit=most, after=behind),
            lambda: proposal_count(session, now, state=of),
            "proposal",
            "提案",
        )
        emit_pages(pages, Page.wanted(limit, after, everything), "no proposals", as_json)


@app.command(help=japanese("他の人の提案を承認します。操作はその場で、提案者の名で行われます。"))
def approve(number: ProposalId, author: Author, ground: Ground, as_json: AsJson = False) -> None:
    """Approve a proposal of somebody else: the act is done now, its author is the proposer."""
    from keizoku.web.four_eyes import approve as approve_proposal

    _decide(number, author, ground, as_json, lambda call: approve_proposal(call, number, ground))


@app.command("turn-down", help=japanese("提案を却下します。操作は行われません。"))
def turn_down(number: ProposalId, author: Author, ground: Ground, as_json: AsJson = False) -> None:
    """Turn a proposal down: nothing is done."""
    from keizoku.web.four_eyes import refuse

    _decide(number, author, ground, as_json, lambda call: refuse(call, number, ground, "turned_down"))


@app.command(help=japanese("自分の提案を取り下げます。操作は行われません。"))
def withdraw(number: ProposalId, author: Author, ground: Ground, as_json: AsJson = False) -> None:
    """Withdraw a proposal of one's own, made as this author: nothing is done."""
    from keizoku.web.four_eyes import refuse

    _decide(number, author, ground, as_json, lambda call: refuse(call, number, ground, "withdrawn"))


def _decide(number: int, author: str, ground: str, as_json: bool, decide: Callable[[Call], dict[str, Any]]) -> None:
    """One decision, in one transaction with what it does; said twice it is found to be decided."""
    from keizoku.extras import naming_the_extra

    with naming_the_extra():
        from keizoku.db.act_keys import once
        from keizoku.db.roles import may_add, want_to_add
        from keizoku.db.tables.contracts import contract
        from keizoku.db.tables.web import proposal_decision
        from keizoku.web.calls.answering import jsonable
        from keizoku.web.calls.call import Call
        from keizoku.web.identity.principal import Principal

    settings = settings_of_this_process()
    with services_now() as (services, now):
        want_to_add(services.session, proposal_decision)
        role: Role = "worker" if may_add(services.session, contract) else "support"
        who = Principal("local", f"local:{author}", (role,))
        call = Call(who, role, now, services, settings, cast("Jobs", None))  # no act that wants two people queues work
        content = {"proposal": number, "author": author, "ground": ground}
        key = f"proposal:{number}:{now:%Y%m%dT%H%M%S%f}"
        done = once(services.session, key, "proposal", content, lambda: jsonable(decide(call)), now)
    emit(done if as_json else f"proposal {number}: {done['state']}", as_json)


@app.command("end-session", help=japanese("セッションを終わらせます。その場で使えなくなります。"))
def end_session(number: SessionId, author: Author, ground: Ground, as_json: AsJson = False) -> None:
    """A session is taken no more, from now on."""
    from keizoku.web.identity.sessions import end_session as end

    with services_now() as (services, now):
        fresh = end(services.session, number, by=author, ground=ground, now=now)
    told = f"session {number} {'is' if fresh else 'was'} ended"
    emit({"id": number, "ended": fresh} if as_json else told, as_json)


@app.command(help=japanese("APIの記述(OpenAPI 3.1)。"))
def openapi(
    check: Annotated[
        Path | None,
        typer.Option(
            "--check",
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help=both(
                "An earlier description: exit 1 if a client of it would break.",
                "以前の記述: その利用者が動かなくなる変更があれば終了コード 1。",
            ),
        ),
    ] = None,
) -> None:
    """The description of the API (OpenAPI 3.1), on stdout."""
    import json

    from keizoku.extras import naming_the_extra

    with naming_the_extra():
        from keizoku.web.application import make_application, openapi_of
    made = openapi_of(make_application(None))
    if check is None:
        typer.echo(json.dumps(made, ensure_ascii=False, indent=1, sort_keys=True))
        return
    from keizoku.web.breaking_changes import breaking_changes

    try:
        before = json.loads(check.read_text(encoding="utf-8"))
    except ValueError as error:
        fail(f"{check}: not JSON: {error}")
    found = breaking_changes(before, made)
    emit(found or ["no client of it would break"])
    if found:
        raise typer.Exit(FOUND)
