"""`keizoku worker`: starts the night, reads the gateway's events; one leads, others wait."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from keizoku.scheduler.cli.shared.context import (
    naming_of_this_process,
    open_database,
    open_services,
    settings_of_this_process,
)
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.output import fail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    import sqlalchemy as sa

    from keizoku.scheduler.app import Services
    from keizoku.scheduler.settings import Settings
    from keizoku.scheduler.worker.worker import Backup, Documents, Mail, Worker

AGAIN_AFTER = timedelta(hours=6)
"""A backup that did not go into every place is not made again before: the places that took it would fill."""

app = typer.Typer(pretty_exceptions_enable=False)


@app.command(
    help=japanese(
        "無人運転: 日本時間02:30の夜間処理と抜けた分、決済代行の知らせを、SIGTERM まで"
        "続けます。\n\n"
        "複数動かせます。一つが主となり、止まれば1分以内に他が引き継ぎます。記録は標準エラーにJSO"
        "Nの行で出ます。"
    )
)
def worker(
    listen: Annotated[
        str,
        typer.Option(
            "--listen",
            help=both(
                "Where /healthz and /metrics answer: host:port; empty: nowhere.",
                "/healthz と /metrics の場所: host:port。空なら開きません。",
            ),
        ),
    ] = "127.0.0.1:9464",
    heartbeat: Annotated[
        float, typer.Option("--heartbeat", min=0.1, help=both("Seconds between heartbeats.", "生存信号の間隔(秒)。"))
    ] = 5.0,
    poll: Annotated[
        float,
        typer.Option(
            "--poll",
            min=0.1,
            help=both("Seconds between checks for new events of the gateway.", "決済代行の知らせを見る間隔(秒)。"),
        ),
    ] = 300,
    lease: Annotated[
        float,
        typer.Option(
            "--lease",
            min=0.5,
            help=both(
                "Seconds of silence after which another worker takes the lead.",
                "この秒数応答がなければ、他のワーカーが主になります。",
            ),
        ),
    ] = 30.0,
) -> None:
    """Run unattended: the night at 02:30 JST and what was missed, the gateway's news, until SIGTERM.

    Several may run: one leads, another takes over within a minute of its death. Logs are JSON lines on stderr.
    """
    from keizoku.extras import naming_the_extra
    from keizoku.scheduler.night.link_steps import renew_by_day
    from keizoku.scheduler.night.processes import WorkerPool
    from keizoku.scheduler.worker.leadership import Leadership, watched_engine
    from keizoku.scheduler.worker.telemetry import json_logger, log_as_json, serve
    from keizoku.scheduler.worker.worker import Worker

    with naming_the_extra():  # the extra of the worker is named first
        from keizoku.scheduler.collect_sources import Collecting, SourcesError, read_sources

    host, port = _address(listen)
    if lease < 2 * heartbeat:
        fail(f"--lease {lease:g}: has to be at least twice the heartbeat of {heartbeat:g} s")
    settings = settings_of_this_process()
    mail, webhooks = _mail(settings), _webhooks(settings)
    try:
        sources = read_sources(settings.collect_file) if settings.collect_file is not None else ()
    except SourcesError as error:
        fail(str(error))
    worker_id = uuid4().hex[:12]
    log = json_logger(worker_id)
    log_as_json(log)

    with open_services(settings):
        pass  # the tables are up to date, or this says what to do

    @contextmanager
    def services_of_a_job() -> Iterator[Services]:
        with open_services(settings, quiet=True, waits=False) as services:
            yield services

    # kept open: an embedded server runs as long as the worker does
    with open_database(settings, quiet=True) as database:
        engine = watched_engine(database.url, database.schema)

        def connect() -> sa.Connection:
            database.keep_running()
            return engine.connect()

        leadership = Leadership(connect, worker_id, lease)
        made = Worker(
            services_of_a_job,
            leadership,
            log,
            heartbeat_seconds=heartbeat,
            poll_seconds=poll,
            notices_url=settings.notices_url,
            most_missed=settings.most_missed_nights,
        )
        made.numbers.state.connect = engine.connect  # a monitor's look starts no server
        made.pool = partial(WorkerPool, settings.night_jobs - 1, partial(open_services, quiet=True, waits=False))
        if settings.backup_stores:
            made.backup = _backup(settings, database.url, made)
        made.mail = mail
        made.documents = _documents(settings)
        made.webhooks = webhooks
        if settings.link_partner != "none":
            made.linking = renew_by_day
        if sources:
            made.collecting, made.numbers.state.sources = Collecting(sources), tuple(each.name for each in sources)

        def stop(number: int, frame: FrameType | None) -> None:
            made.stop()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        silence = None
        if host:
            try:
                bound, silence = serve(host, port, made.numbers, made.health, lambda: datetime.now(UTC))
            except OSError as error:
                fail(f"--listen {listen}: {error.strerror}")
            log.info("listens", host=host, port=bound)
        try:
            made.run()
        finally:
            if silence is not None:
                silence()
            engine.dispose()


def _backup(settings: Settings, url: sa.URL, worker: Worker) -> Backup:
    """The day's backup, from its hour in Japan on; one that failed in a place is made again some hours later."""
    from keizoku.scheduler.backup import keeper
    from keizoku.scheduler.backup.dump import BackupError
    from keizoku.scheduler.cli.operations.backup import rules_of
    from keizoku.terms.calendar import JST, jst_day

    rules = rules_of(settings, worker.stopping)
    try:
        rules.check()
    except BackupError as error:
        fail(str(error))
    stores = worker.numbers.state.stores = tuple(store.name for store in rules.stores)

    def wanted(services: Services, now: datetime) -> dict[str, object] | None:
        last, tried = keeper.last_whole_at(services.session, stores), keeper.last_tried_at(services.session)
        services.session.rollback()
        if now.astimezone(JST).hour < settings.backup_at_hour:
            return None
        if last is not None and jst_day(last) == jst_day(now):
            return None
        if tried is not None and timedelta() <= now - tried < AGAIN_AFTER:
            return None
        if not keeper.current_state(rules, now).wanted:
            return None
        stored = keeper.run(services.session, url, rules, now)
        return {
            "backup": stored[0].backup,
            "bytes": stored[0].bytes,
            "failed": {each.store: each.why for each in stored if each.why},
        }

    return wanted


def _mail(settings: Settings) -> Mail | None:
    """What gives letters to the mail server that is set; a setting that cannot be used ends the command."""
    from dataclasses import asdict

    from keizoku.scheduler.mail_settings import MailSettingsError

    try:
        server = settings.mail_server()
        naming = naming_of_this_process(settings)  # what is set wrongly is said at the start
        by_function = bool(settings.mail_address) or naming is None
        addresses = settings.mail_addresses() if server is not None and by_function else None
    except MailSettingsError as error:
        fail(str(error))
    if server is None:
        return None
    from keizoku.scheduler.mail import send_waiting

    def send(services: Services, going: Callable[[], bool]) -> dict[str, object]:
        names = naming_of_this_process(settings)
        address_of = addresses or (names.mail_of if names is not None else lambda _: None)
        return asdict(
            send_waiting(
                services.session,
                server,
                address_of,
                settings.issuer(),
                by="worker",
                clock=lambda: datetime.now(UTC),
                naming=names,
                going=going,
            )
        )

    return send


def _documents(settings: Settings) -> Documents | None:
    """What stores invoices and credit notes as issued; None where nobody issues them, or people do."""
    if not settings.issue_documents or not settings.issuer().name:
        return None
    from dataclasses import asdict

    from keizoku.billing.closing.issue_run import NEWEST, issue_waiting
    from keizoku.billing.documents.issued_documents import Issuing

    def store(services: Services, now: datetime, every: bool, going: Callable[[], bool]) -> dict[str, object]:
        issuing = Issuing(settings.issuer(), "worker", now, naming_of_this_process(settings))
        newest = None if every else NEWEST
        return asdict(issue_waiting(services.session, services.rules, issuing, newest=newest, going=going))

    return store


def _webhooks(settings: Settings) -> Mail | None:
    """What sends events to endpoints, where a file of keys is set; the room above is only named."""
    if settings.webhook_key_file is None:
        return None
    from importlib import import_module

    from keizoku.terms.refusal import Refused

    try:
        made: Mail = import_module("keizoku.web.webhooks.job").sending(settings)
    except Refused as refused:
        fail(str(refused))
    return made


def _address(listen: str) -> tuple[str, int]:
    if not listen:
        return "", 0
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        fail(f"--listen {listen!r}: has to be host:port, such as 127.0.0.1:9464")
    return host.strip("[]"), int(port)
