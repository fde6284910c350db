"""A member's file has all that is held about one account and nobody else's, and who read it; it is itself recorded."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pypdf import PdfReader
from typer.testing import CliRunner

from keizoku.billing.accounts.account_views import owed_view
from keizoku.billing.accounts.history import account_history
from keizoku.billing.closing.issue_run import issue_month
from keizoku.billing.documents.addressees import Naming, SealingKeys, new_key_line
from keizoku.billing.documents.issued_documents import Issuing
from keizoku.billing.rules.documents.addressee import Addressee
from keizoku.billing.rules.documents.issuer import Issuer
from keizoku.billing.services.operator_acts import act_list
from keizoku.db.account_reads import reads_kept
from keizoku.db.members.rows import LEFT_OUT, of_member
from keizoku.db.migrate import upgrade
from keizoku.db.schemas import schema_of
from keizoku.db.tables import metadata
from keizoku.db.tables.people import account_read
from keizoku.scheduler import app as composition
from keizoku.scheduler.app import Services
from keizoku.scheduler.backup.member_file import Request, write_member_file
from keizoku.scheduler.cli import app
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.settings import Settings
from keizoku.terms.calendar import Month, parse_instant
from keizoku.terms.refusal import Refused
from tests.worlds.world import open_world, services_on

NOW = parse_instant("2026-06-10 09:00")
HANAKO = Addressee("山田 花子", ("東京都渋谷区1-2-3",))


def test_every_table_is_in_the_file_or_left_out_for_a_reason() -> None:
    held, left_out = set(of_member()), set(LEFT_OUT)
    assert held | left_out == set(metadata.tables)
    assert held & left_out == set()
    assert {table.name for table in metadata.sorted_tables if "account" in table.c} - held == {
        "gateway_binding", "simulated_card", "simulated_charge", "simulated_refund", "sign_in_link", "web_session",
    }  # fmt: skip
    assert all(LEFT_OUT.values())


def live(services: Services) -> None:
    """Two accounts with everything that a file can hold of a late payer: a claim, a demand, letters, a wrong match."""
    open_world(services)
    for account in ("hanako", "taro"):
        services.billing.approve(account, "monthly", "other", now=parse_instant("2026-04-10 09:00"))
        services.sla.claim(f"c-{account}", account, Month(2026, 4), now=parse_instant("2026-05-02 09:00"))
    run_night(services, date(2026, 5, 10), parse_instant("2026-05-10 02:30"))
    services.billing.disclosure(
        "hanako", "name", recipient="card company", occurred_at=NOW, by="sato", ground="debt", now=NOW
    )


def tables_of(folder: Path) -> dict[str, list[dict[str, str]]]:
    found = {}
    for file in folder.glob("*.csv"):
        with file.open(newline="", encoding="utf-8") as lines:
            found[file.stem] = list(csv.DictReader(lines))
    return found


def test_it_holds_the_members_rows_alone_and_records_itself(engine: sa.Engine, tmp_path: Path) -> None:
    key_file = tmp_path / "keys"
    key_file.write_text(new_key_line("k1"))
    keys = SealingKeys.read(key_file)

    class Names:
        def addressees(self, accounts: object) -> dict[str, Addressee]:
            return {"hanako": HANAKO}

    with services_on(engine) as services:
        live(services)
        session, rules = services.session, services.rules
        issue_month(session, rules, Month(2026, 4), Issuing(Issuer("継続"), "keiri", NOW, Naming(Names(), keys)))
        with reads_kept(session, "suzuki"):
            account_history(session, rules, "hanako", until=NOW, known_at=NOW)
            owed_view(session, rules, "hanako", NOW)
            owed_view(session, rules, "hanako", NOW)
            owed_view(session, rules, "taro", NOW)
        folder = tmp_path / "hanako"
        request = Request("hanako", "本人", "第33条", "support", NOW)
        made = write_member_file(session, rules, request, folder, keys=keys)
        assert [(act.kind, act.recipient, act.what, act.author) for act in act_list(session, "hanako")] == [
            ("disclosure", "card company", "name", "sato"),
            ("disclosure", "本人", "member file", "support"),
        ]
        with pytest.raises(Refused, match="account 'nobody' is not known"):
            write_member_file(session, rules, Request("nobody", "a", "b", "c", NOW), tmp_path / "none")
        with pytest.raises(Refused, match="say to whom"):
            write_member_file(session, rules, Request("hanako", " ", "b", "c", NOW), tmp_path / "none")
        assert not (tmp_path / "none").exists()
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert sums == {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.iterdir()
        if file.name != "SHA256SUMS"
    }
    told = json.loads((folder / "member.json").read_text())
    assert {name: len(rows) for name, rows in tables_of(folder).items()} == made.rows
    assert {name: len(rows) for name, rows in told["tables"].items()} == made.rows
    assert {"contract", "term", "invoice", "claim", "claim_decision", "letter", "entry", "line", "user_notice"} <= set(
        made.rows
    )
    assert "taro" not in (folder / "member.json").read_text()
    assert [(each["recipient"], each["what"]) for each in told["disclosures"]] == [
        ("card company", "name"),
        ("本人", "member_file"),
    ]
    assert [(each["reader"], each["question"]) for each in told["reads"]] == [
        ("suzuki", "account_history"),
        ("suzuki", "owed_view"),
    ]
    assert [(each["name"], each["lines"]) for each in told["tables"]["issued_addressee"]] == [
        ("山田 花子", ["東京都渋谷区1-2-3"])
    ]
    text = "".join(page.extract_text() for page in PdfReader(folder / "member.pdf").pages)
    assert all(
        words in text for words in ("保有個人データの開示", "card company", "suzuki", "What is held about a member")
    )


@pytest.fixture
def of_the_commands(
    engine_for_schema: Callable[[], sa.Engine], monkeypatch: pytest.MonkeyPatch
) -> tuple[sa.Engine, Callable[..., Any]]:
    engine = engine_for_schema()
    with engine.connect() as session:
        upgrade(session)
        monkeypatch.setenv("KEIZOKU_DATABASE_SCHEMA", schema_of(session))
    with services_on(engine) as services:
        live(services)
    monkeypatch.setenv("KEIZOKU_DATABASE_URL", engine.url.set(drivername="postgresql").render_as_string(False))
    return engine, lambda *words: CliRunner().invoke(app, list(words))


def test_whoever_reads_an_account_is_kept_and_whoever_acts_is_not(
    of_the_commands: tuple[sa.Engine, Callable[..., Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    engine, given = of_the_commands
    monkeypatch.setattr("getpass.getuser", lambda: "suzuki")
    reading = (
        ("account show hanako", "account show"),
        ("explain interest hanako", "explain interest"),
        ("explain invoice 1", "explain invoice"),
        ("explain claim c-hanako", "explain claim"),
        ("claim show c-hanako", "claim show"),
        ("invoice show 1", "invoice show"),
        ("notice show N1", "notice show"),
        ("notice list --account hanako", "notice list"),
        ("documents list --account hanako", "documents list"),
        ("interest preview hanako", "interest preview"),
    )
    for words, _ in reading:
        assert given(*words.split()).exit_code == 0, words
    for words in ("account list", "notice list", "documents list", "tasks list", "terms list"):
        given(*words.split())  # lists of everybody
    assert given("acts", "disclosure", "hanako", "--to", "court", "--what", "name", "--ground", "law").exit_code == 0
    done = given("account", "file", "hanako", "--out", str(tmp_path / "file"), "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["rows"]["account_read"] == len(reading)
    with engine.connect() as session:
        rows = session.execute(sa.select(account_read).order_by(account_read.c.id)).all()
        assert [(row.account, row.question, row.reader) for row in rows] == [
            ("hanako", question, "suzuki") for _, question in reading
        ]
        assert {row.login for row in rows} == {engine.url.username}
        with pytest.raises(sa.exc.DBAPIError, match="only ever added"):
            session.execute(sa.text("DELETE FROM account_read"))


def test_a_host_says_who_reads_and_may_leave_it_out(of_the_commands: tuple[sa.Engine, Callable[..., Any]]) -> None:
    engine, _ = of_the_commands
    settings = Settings(database_url=engine.url.render_as_string(False))
    for reader in ("console: sato", "", None):
        with composition.services_on(engine, settings, reader=reader) as services:
            owed_view(services.session, services.rules, "hanako", NOW)
            with suppress(Exception):
                owed_view(services.session, services.rules, "\0", NOW)  # can be no account
    with pytest.raises(ValueError, match="reader"), composition.services_on(engine, settings, reader="\0"):
        pass
    with engine.connect() as session:
        kept = session.execute(sa.select(account_read.c.reader, account_read.c.question)).all()
    assert [tuple(row) for row in kept] == [("console: sato", "owed_view"), ("", "owed_view")]
