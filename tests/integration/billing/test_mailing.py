"""Letters given to a real mail server: once each, by address of the moment; what it does not take is people's."""

from __future__ import annotations

import email
import json
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword
from prometheus_client import generate_latest
from typer.testing import CliRunner

from keizoku.billing.documents import mailings, outbox
from keizoku.billing.rules.documents.issuer import Issuer
from keizoku.db.tables.letters import mailing
from keizoku.db.tables.money import review_task
from keizoku.scheduler.app import Services
from keizoku.scheduler.backup.restore_mark import RestoreMark
from keizoku.scheduler.cli import app
from keizoku.scheduler.mail import Sent, send_waiting
from keizoku.scheduler.mail_settings import MailServer
from keizoku.scheduler.worker.leadership import Leadership
from keizoku.scheduler.worker.telemetry import json_logger
from keizoku.scheduler.worker.worker import Worker
from keizoku.terms.calendar import parse_instant
from tests.worlds.command_line import found_by_commands
from tests.worlds.world import open_world, services_on

NOW = parse_instant("2026-04-13 09:00")
ISSUER = Issuer("継続株式会社", "東京都港区1-2-3")
NOTHING = Sent(taken=0, deferred=0, refused=0, unknown=0, no_address=0, why="")


class Box:
    """What a mail server does with mail: keeps it, or answers as it is told."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, EmailMessage]] = []
        self.of_recipient: dict[str, str] = {}
        self.of_text: str = "250 2.0.0 taken"
        self.breaks_off = False

    async def handle_RCPT(self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]) -> str:
        answer = self.of_recipient.get(address, "250 2.1.5 ok")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        if self.of_text.startswith("250"):
            content = envelope.content
            assert isinstance(content, bytes)
            mail = email.message_from_bytes(content, policy=default)
            assert isinstance(mail, EmailMessage)
            self.mails.append((envelope.rcpt_tos[0], mail))
        if self.breaks_off:
            server.transport.abort()
        return self.of_text


@contextmanager
def running(box: Box, **how: Any) -> Iterator[MailServer]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port, **how)
    controller.start()
    try:
        yield MailServer("127.0.0.1", port, "billing@keizoku.example", "none")
    finally:
        controller.stop()


@pytest.fixture
def services(engine: sa.Engine) -> Iterator[Services]:
    with services_on(engine) as found:
        open_world(found)
        for account in ("hanako", "taro"):
            found.billing.approve(account, "monthly", "other", now=parse_instant("2026-04-10 09:00"))
            found.billing.suspend(account, "調査中", by="sato", now=parse_instant("2026-04-12 09:00"))
        yield found


def addresses(account: str) -> str | None:
    return f"{account}@home.example"


def run(
    services: Services,
    server: MailServer,
    address_of: Callable[[str], str | None] = addresses,
    now: datetime = NOW,
    again: tuple[str, ...] = (),
) -> Sent:
    return send_waiting(services.session, server, address_of, ISSUER, by="mailer", clock=lambda: now, again=again)


def tasks(services: Services) -> list[tuple[str, str, Any]]:
    rows = services.session.execute(
        sa.select(review_task.c.kind, review_task.c.subject, review_task.c.detail)
        .where(review_task.c.closed_at.is_(None), review_task.c.kind.like("mail%"))
        .order_by(review_task.c.subject)
    )
    return [(kind, subject, detail) for kind, subject, detail in rows]


def waiting(services: Services) -> list[str]:
    return [each.id for each in outbox.waiting(services.session)]


def test_what_waits_is_taken_once_and_marked_and_no_address_is_kept(services: Services) -> None:
    box = Box()
    with running(box) as server:
        assert run(services, server) == Sent(2, 0, 0, 0, 0, "")
        assert run(services, server) == NOTHING
    assert waiting(services) == []
    assert [to for to, _ in box.mails] == ["hanako@home.example", "taro@home.example"]
    mail = box.mails[0][1]
    shown = outbox.document(services.session, "N1")
    assert (shown.handed_over_at, shown.handed_over_by) == ("2026-04-13T09:00:00+09:00", "mailer")
    assert {name: mail[name] for name in ("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted")} == {
        "From": "billing@keizoku.example",
        "To": "hanako@home.example",
        "Subject": shown.subject_ja,
        "Date": "Mon, 13 Apr 2026 09:00:00 +0900",
        "Message-ID": "<N1.1.202604120900000900@keizoku.example>",
        "Auto-Submitted": "auto-generated",
    }
    text, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert page is not None
    said = text.get_content().replace("\r\n", "\n")
    assert said.startswith("文書番号 N1\n2026年4月12日\n\nhanako 様\n\n継続株式会社\n東京都港区1-2-3\n")
    for line in (*shown.body_ja.splitlines(), *shown.body_en.splitlines()):
        assert line in said
    assert page.get_content().replace("\r\n", "\n").rstrip() == shown.html("ja", ISSUER).rstrip()
    rows = services.session.execute(sa.select(sa.cast(sa.column("mailing"), sa.Text)).select_from(mailing)).scalars()
    assert "home.example" not in "".join(rows)


def test_a_refused_or_unknown_address_is_a_task_and_the_rest_goes_out(services: Services) -> None:
    box = Box()
    box.of_recipient["hanako@home.example"] = "550 5.1.1 <hanako@home.example>: no such user"
    with running(box) as server:
        assert run(services, server, lambda account: None if account == "taro" else addresses(account)) == Sent(
            0, 0, 1, 0, 1, ""
        )
        assert tasks(services) == [
            ("mail_refused", "N1", {"account": "hanako", "why": "550 5.1.1"}),
            ("mail_no_address", "N2", {"account": "taro", "why": "no address is known"}),
        ]
        box.of_recipient.clear()
        assert run(services, server) == Sent(1, 0, 0, 0, 0, "")  # taro's is known now; hanako's waits for a person
        assert waiting(services) == ["N1"]
        assert run(services, server, again=("N1",)) == Sent(1, 0, 0, 0, 0, "")
    assert (waiting(services), tasks(services)) == ([], [])
    assert [to for to, _ in box.mails] == ["taro@home.example", "hanako@home.example"]


@pytest.mark.parametrize("strange", ["a@b.example\r\nBcc: x@y.example", "no-at", "a b@c.example", "日本@c.example", 7])
def test_what_is_no_address_reaches_no_server(services: Services, strange: Any) -> None:
    box = Box()
    with running(box) as server:
        assert run(services, server, lambda account: strange) == Sent(0, 0, 0, 0, 2, "")
    assert {detail["why"] for _, _, detail in tasks(services)} == {"what mail_address gave is no address"}
    assert box.mails == []


def test_what_is_put_off_is_tried_again_and_waits_longer_each_time(services: Services) -> None:
    box = Box()
    box.of_recipient["hanako@home.example"] = "450 4.2.0 greylisted"
    with running(box) as server:
        assert run(services, server) == Sent(1, 1, 0, 0, 0, "")
        assert run(services, server, now=NOW + timedelta(minutes=14)) == NOTHING
        assert run(services, server, now=NOW + timedelta(minutes=15)) == Sent(0, 1, 0, 0, 0, "")
        box.of_recipient.clear()
        box.of_text = "452 4.3.1 full"
        assert run(services, server, now=NOW + timedelta(minutes=44)) == NOTHING
        assert run(services, server, now=NOW + timedelta(minutes=45)) == Sent(0, 1, 0, 0, 0, "")
        box.of_text = "250 ok"
        assert run(services, server, now=NOW + timedelta(hours=2)) == Sent(1, 0, 0, 0, 0, "")
    assert (waiting(services), tasks(services), len(box.mails)) == ([], [], 2)


def test_an_unknown_outcome_is_a_task_and_is_never_sent_twice(services: Services) -> None:
    box = Box()
    box.breaks_off = True
    with running(box) as server:
        assert run(services, server) == Sent(0, 0, 0, 1, 0, "the mail server broke off in N1: SMTPServerDisconnected")
        box.breaks_off = False
        mailings.begin(services.session, "N2", 1, NOW)  # a run that was killed while the text went out
        assert run(services, server) == Sent(0, 0, 0, 2, 0, "")
    assert [to for to, _ in box.mails] == ["hanako@home.example"]
    assert tasks(services) == [
        ("mail_unknown", "N1", {"account": "hanako", "why": "<N1.1.202604120900000900@keizoku.example>"}),
        ("mail_unknown", "N2", {"account": "taro", "why": "<N2.1.202604120900000900@keizoku.example>"}),
    ]
    with pytest.raises(sa.exc.IntegrityError):
        mailings.begin(services.session, "N2", 1, NOW)
    services.session.rollback()


def test_a_failing_server_or_address_book_ends_the_run_and_loses_nothing(services: Services) -> None:
    def broken(account: str) -> str:
        raise RuntimeError(f"{account} lives in Minato")

    box = Box()
    with running(box) as server:
        assert run(services, server, broken).why == "mail_address failed: RuntimeError"
    assert run(services, server).why == "the mail server does not answer: ConnectionRefusedError"
    with running(box) as server:
        secure = MailServer(server.host, server.port, server.sender, "starttls")
        assert run(services, secure).why == "the mail server does not let us in: SMTPNotSupportedError"
        box.of_recipient["hanako@home.example"] = "421 4.3.2 closing"
        assert run(services, server).why == "the mail server ends the connection: 421 4.3.2"
    assert (waiting(services), tasks(services), box.mails) == (["N1", "N2"], [], [])


def test_it_is_encrypted_and_logged_in(services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*made, *names], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def checked(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        right = isinstance(data, LoginPassword) and (data.login, data.password) == (b"keizoku", b"secret")
        return AuthResult(success=right, handled=False)

    box = Box()
    with running(box, tls_context=context, require_starttls=True, authenticator=checked, auth_required=True) as server:
        wrong = MailServer(server.host, server.port, server.sender, "starttls", "keizoku", "other")
        assert run(services, wrong).why == "the mail server does not let us in: SSLCertVerificationError"
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert run(services, wrong).why == "the mail server does not let us in: SMTPAuthenticationError 535"
        right = MailServer(server.host, server.port, server.sender, "starttls", "keizoku", "secret")
        assert "secret" not in repr(right)
        assert run(services, right) == Sent(2, 0, 0, 0, 0, "")
    assert len(box.mails) == 2


@pytest.fixture
def of_the_commands(engine_for_schema: Callable[[], sa.Engine], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A world like that of `services`, in the database that commands find."""
    engine = engine_for_schema()
    found_by_commands(engine, monkeypatch)
    with services_on(engine) as services:
        open_world(services)
        services.billing.approve("hanako", "monthly", "other", now=parse_instant("2026-04-10 09:00"))
        services.billing.suspend("hanako", "調査中", by="sato", now=parse_instant("2026-04-12 09:00"))
    return lambda *words: CliRunner().invoke(app, ["notice", *words])


def test_the_command_gives_letters_to_the_server_that_is_set(
    of_the_commands: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no mail server is set" in str(of_the_commands("send").exception)
    box = Box()
    with running(box) as server:
        monkeypatch.setenv("KEIZOKU_MAIL_HOST", server.host)
        monkeypatch.setenv("KEIZOKU_MAIL_PORT", str(server.port))
        monkeypatch.setenv("KEIZOKU_MAIL_SECURITY", "none")
        assert "KEIZOKU_MAIL_FROM" in str(of_the_commands("send").exception)
        monkeypatch.setenv("KEIZOKU_MAIL_FROM", server.sender)
        assert "KEIZOKU_MAIL_ADDRESS" in str(of_the_commands("send").exception)
        monkeypatch.setenv("KEIZOKU_MAIL_ADDRESS", f"{__name__}:addresses")
        sent = of_the_commands("send", "--json")
    assert (sent.exit_code, json.loads(sent.stdout)) == (0, asdict(Sent(1, 0, 0, 0, 0, "")))
    assert [to for to, _ in box.mails] == ["hanako@home.example"]


def test_as_files_they_are_for_their_owner_alone_and_handed_over(
    of_the_commands: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "letters"
    for count in (1, 0):
        done = of_the_commands("send", "--out", str(folder), "--json")
        assert (done.exit_code, json.loads(done.stdout)) == (0, {"written": count, "unfit": 0})
    found = sorted(folder.iterdir())
    modes = {each.name: oct(each.stat().st_mode & 0o777) for each in found}
    assert modes == {"N1.html": "0o600", "N1.pdf": "0o600"}
    assert found[0].read_text().count("サービス提供停止のお知らせ") >= 1
    assert found[1].read_bytes().startswith(b"%PDF")


def test_nobody_gets_mail_from_the_copy_of_a_drill(services: Services) -> None:
    RestoreMark("backup", NOW, NOW, drill=True).write(services.session)
    box = Box()
    with running(box) as server:
        assert run(services, server) == Sent(0, 0, 0, 0, 0, "this is the copy of a drill: nobody gets mail from it")
    assert box.mails == []


def test_the_worker_that_leads_sends_them(services: Services, engine: sa.Engine) -> None:
    box = Box()
    with running(box) as server:
        worker = Worker(lambda: services_on(engine), Leadership(engine.connect, "w", 30), json_logger("test"))
        worker.mail = lambda found, going: asdict(run(found, server))
        worker.send_letters()
        assert box.mails == []  # it does not lead
        worker.beat()
        worker.send_letters()
        worker.leadership.give_up()
    assert len(box.mails) == 2
    shown = generate_latest(worker.numbers.registry).decode()
    assert 'keizoku_job_runs_total{job="mail",outcome="done"} 1.0' in shown.splitlines()
