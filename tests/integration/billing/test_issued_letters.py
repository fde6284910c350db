"""Letters as they went out: stored once, printed from the store, named by a directory, sealed under keys of a file."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from keizoku.billing.closing.issue_run import issue_month
from keizoku.billing.documents.addressees import Naming, SealingKeys, new_key_line, seal_again, sealed_of
from keizoku.billing.documents.archive import archive
from keizoku.billing.documents.issued_documents import DocumentSearch, Issuing, found, kept
from keizoku.billing.documents.issued_letters import hand_over, issue_letter, letters_of, page_of
from keizoku.billing.documents.outbox import document, waiting
from keizoku.billing.documents.rendering import letter_html
from keizoku.billing.rules.documents.addressee import Addressee, Unfit
from keizoku.billing.rules.documents.issuer import Issuer, issuer_changes
from keizoku.db.tables import metadata
from keizoku.db.tables.documents import issued_addressee
from keizoku.db.tables.money import review_task
from keizoku.scheduler.app import Services
from keizoku.scheduler.cli import app
from keizoku.scheduler.mail import Sent, send_waiting
from keizoku.scheduler.mail_settings import MailServer
from keizoku.terms.calendar import Month, parse_instant
from keizoku.terms.refusal import Refused
from keizoku.terms.rendering import saying
from tests.integration.billing.test_mailing import Box, running
from tests.worlds.command_line import found_by_commands
from tests.worlds.names import Names
from tests.worlds.world import open_world, services_on

NOW = parse_instant("2026-04-13 09:00")
ISSUER = Issuer("継続株式会社", "東京都港区", changes=issuer_changes(["2026-04-13/新継続株式会社/"]))
BY = Issuing(ISSUER, "yamada", NOW)
HANAKO = Addressee("山田 花子", ("〒150-0001", "東京都渋谷区1-2-3"))


@pytest.fixture
def services(engine: sa.Engine) -> Iterator[Services]:
    with services_on(engine) as found:
        live(found)
        yield found


def live(found: Services) -> None:
    open_world(found)
    for account in ("hanako", "taro"):
        found.billing.approve(account, "monthly", "other", now=parse_instant("2026-04-10 09:00"))
        found.billing.suspend(account, "調査中", by="sato", now=parse_instant("2026-04-12 09:00"))


@pytest.fixture
def keys(tmp_path: Path) -> SealingKeys:
    file = tmp_path / "keys"
    file.write_text(new_key_line("2026"))
    return SealingKeys.read(file)


def test_a_letter_is_stored_once_as_it_went_out_whatever_changes_afterwards(services: Services) -> None:
    session = services.session
    before = document(session, "N1")
    assert hand_over(session, "N1", BY, NOW)
    assert not hand_over(session, "N1", BY, NOW)
    (stored,) = found(session, DocumentSearch(account="hanako"))
    assert {**stored.to_json(), "sha256": "", "stored_at": ""} == {
        "id": 1, "kind": "suspension", "number": 1, "version": 1, "supersedes": None, "account": "hanako",
        "issued_on": "2026-04-12", "yen": 0, "tax_yen": 0, "issuer": "継続株式会社", "registration": None,
        "sha256": "", "author": "yamada", "stored_at": "",
    }  # fmt: skip
    drawn = letter_html(page_of(session, kept(session, 1), "ja", None, by_account=True))
    assert "継続株式会社" in drawn
    with saying({"letter.number": {"ja": "ほかの番号 {number}"}, "letter.closing": {"ja": "おわり"}}):
        other = Issuing(Issuer("別の会社"), "sato", NOW)
        assert letter_html(page_of(session, kept(session, 1), "ja", None, by_account=True)) == drawn
        again = document(session, "N1")
        row = issue_letter(session, again, other)
        assert row is not None
        assert row.id == 1
        assert again.html("ja", Issuer("別の会社")) == drawn
    assert (again.body_ja, again.body_en) == (before.body_ja, before.body_en)
    assert "Document N1" in again.html("en")
    with pytest.raises(sa.exc.DBAPIError, match="only ever added"):
        session.execute(sa.text("UPDATE issued_document SET content = '{}'"))
    session.rollback()


def test_what_waits_is_found_by_kind_once_it_went_out_and_is_handed_over_with_the_invoices(services: Services) -> None:
    session = services.session
    assert found(session, DocumentSearch()) == []
    for each in waiting(session):
        hand_over(session, each.id, BY, NOW)
    issue_month(session, services.rules, Month(2026, 4), BY)
    assert [(each.kind, each.account) for each in found(session, DocumentSearch(kinds=("suspension",)))] == [
        ("suspension", "hanako"),
        ("suspension", "taro"),
    ]
    with zipfile.ZipFile(io.BytesIO(archive(session, DocumentSearch(account="taro")))) as opened:
        rows = list(csv.DictReader(io.StringIO(opened.read("index.csv").decode("utf-8-sig"))))
        assert [(row["kind"], row["number"], row["issuer"]) for row in rows] == [
            ("suspension", "2", "継続株式会社"),
            ("invoice", "2", "継続株式会社"),
        ]
        assert "サービス提供停止のお知らせ" in opened.read("suspension-2-v1.ja.html").decode()
        assert "サービス提供停止のお知らせ" not in opened.read("suspension-2-v1.en.html").decode()


def test_names_stand_on_documents_and_sealed_in_the_database(services: Services, keys: SealingKeys) -> None:
    session = services.session
    names = Names({"hanako": HANAKO})
    issuing = replace(BY, naming=Naming(names, keys))
    assert issue_month(session, services.rules, Month(2026, 4), issuing) == 2
    assert names.asked == [["hanako", "taro"]]  # in one go
    assert sealed_of(session, 1, keys) == HANAKO
    assert sealed_of(session, 2, keys) is None  # whom the directory does not know: the account
    session.commit()
    dumped = session.scalar(sa.text("SELECT string_agg(t::text, ' ') FROM issued_document AS t")) or ""
    sealed = session.execute(sa.select(issued_addressee)).one()
    assert (sealed.document_id, sealed.key_id) == (1, "2026")
    for text in (dumped, bytes(sealed.sealed).decode("latin-1")):
        assert "花子" not in text
        assert HANAKO.name.encode().decode("latin-1") not in text
    with pytest.raises(Refused, match="no key file is set"):
        archive(session, DocumentSearch())
    for with_names, by_account in ((True, False), (False, True)):
        with zipfile.ZipFile(io.BytesIO(archive(session, DocumentSearch(), keys, by_account=by_account))) as opened:
            assert ("山田 花子 様" in opened.read("invoice-1-v1.ja.html").decode()) is with_names
            assert "花子" not in opened.read("index.csv").decode()


def test_keys_are_rotated_and_an_old_one_can_go(services: Services, keys: SealingKeys, tmp_path: Path) -> None:
    session = services.session
    issue_month(session, services.rules, Month(2026, 4), replace(BY, naming=Naming(Names({"hanako": HANAKO}), keys)))
    both = tmp_path / "keys"
    both.write_text(new_key_line("2027") + both.read_text())
    newer = SealingKeys.read(both)
    assert (seal_again(session, newer, NOW), seal_again(session, newer, NOW)) == (1, 0)
    alone = SealingKeys("2027", {"2027": newer.keys["2027"]})
    assert sealed_of(session, 1, alone) == HANAKO
    with pytest.raises(Refused, match="sealed with the key 2027, which is not in the key file"):
        sealed_of(session, 1, keys)


def test_a_user_whose_name_is_unfit_waits_and_the_others_go_on(services: Services, keys: SealingKeys) -> None:
    naming = Naming(Names({"hanako": Unfit("members.csv line 3: the name is empty")}), keys)
    assert issue_month(services.session, services.rules, Month(2026, 4), replace(BY, naming=naming)) == 1
    assert naming.unfit == {"hanako": "members.csv line 3: the name is empty"}
    assert [each.account for each in found(services.session, DocumentSearch())] == ["taro"]


def send(services: Services, server: MailServer, naming: Naming) -> Sent:
    to = {"hanako": "hanako@home.example", "taro": "taro@home.example"}
    return send_waiting(services.session, server, to.get, ISSUER, by="mailer", clock=lambda: NOW, naming=naming)


def tasks(services: Services) -> list[tuple[str, str, Any]]:
    query = sa.select(review_task.c.kind, review_task.c.subject, review_task.c.detail)
    return [tuple(row) for row in services.session.execute(query.where(review_task.c.closed_at.is_(None)))]


def test_letters_wait_as_one_task_while_the_directory_is_silent_and_go_out_named(
    services: Services, keys: SealingKeys
) -> None:
    names, box = Names({"hanako": HANAKO, "taro": Unfit("members.csv line 4: the name is empty")}), Box()
    names.broken = True
    why = "the directory of names does not answer: TimeoutError; what waits stays and goes out later"
    with running(box) as server:
        for _ in range(2):
            assert send(services, server, Naming(names, keys)) == Sent(0, 0, 0, 0, 0, why)
        assert tasks(services) == [("directory_silent", "directory", {"why": why})]
        assert (box.mails, found(services.session, DocumentSearch())) == ([], [])
        names.broken = False
        assert send(services, server, Naming(names, keys)) == Sent(1, 0, 0, 0, 0, "", unfit=1)
    assert tasks(services) == [
        ("addressee_unfit", "N2", {"account": "taro", "why": "members.csv line 4: the name is empty"})
    ]
    ((_, mail),) = box.mails
    page = mail.get_body(("html",))
    assert page is not None
    stored = page_of(services.session, kept(services.session, 1), "ja", keys, by_account=False)
    assert page.get_content().replace("\r\n", "\n").rstrip() == letter_html(stored).rstrip()
    assert "山田 花子 様" in letter_html(stored)
    assert [each.id for each in waiting(services.session)] == ["N2"]
    for table in metadata.sorted_tables:  # nothing of a name or an address is anywhere in the clear
        rows = services.session.execute(sa.text(f"SELECT t::text FROM {table.name} AS t")).scalars().all()
        assert not [row for row in rows if "花子" in row or "渋谷" in row or "花子".encode().hex() in row], table.name


def test_a_letter_that_the_server_refuses_has_not_gone_out(services: Services, keys: SealingKeys) -> None:
    box = Box()
    box.of_recipient = {"hanako@home.example": "550 5.1.1 unknown"}
    with running(box) as server:
        assert send(services, server, Naming(Names({}), keys)) == Sent(1, 0, 1, 0, 0, "")
    assert [each.account for each in found(services.session, DocumentSearch())] == ["taro"]


@pytest.fixture
def of_the_commands(engine_for_schema: Callable[[], sa.Engine], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    engine = engine_for_schema()
    found_by_commands(engine, monkeypatch)
    with services_on(engine) as services:
        live(services)
    return lambda *words: CliRunner().invoke(app, list(words))


def test_by_commands_a_letter_is_a_copy_until_it_goes_out_and_then_stays(
    of_the_commands: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members, key_file = tmp_path / "members.csv", tmp_path / "names.keys"
    members.write_text("account,name,address\nhanako,山田 花子,〒150-0001|東京都渋谷区1-2-3\n", encoding="utf-8")
    assert of_the_commands("documents", "new-key", str(key_file), "--id", "k1").exit_code == 0
    assert oct(key_file.stat().st_mode & 0o777) == "0o600"
    monkeypatch.setenv("KEIZOKU_DIRECTORY", str(members))
    assert "KEIZOKU_DOCUMENT_KEYS_FILE" in str(of_the_commands("notice", "send", "--out", str(tmp_path)).exception)
    monkeypatch.setenv("KEIZOKU_DOCUMENT_KEYS_FILE", str(key_file))
    copy = of_the_commands("notice", "show", "N1", "--html").stdout
    assert "文書番号 N1 (控え・未発行)" in copy
    assert "山田 花子 様" in copy
    sent = of_the_commands("notice", "send", "--out", str(tmp_path / "out"), "--only", "N1", "--json")
    assert (sent.exit_code, json.loads(sent.stdout)) == (0, {"written": 1, "unfit": 0})
    members.write_text("account,name,address\nhanako,佐藤 花子,\n", encoding="utf-8")  # she has another name since
    shown = of_the_commands("notice", "show", "N1", "--html").stdout
    assert shown == (tmp_path / "out" / "N1.html").read_text()
    assert "山田 花子 様" in shown
    assert "控え" not in shown
    listed = of_the_commands("notice", "list", "--jsonl")
    assert [json.loads(line)["id"] for line in listed.stdout.splitlines()] == ["N2"]
    kinds = of_the_commands("documents", "list", "--kind", "suspension", "--json")
    assert [(row["account"], row["number"]) for row in json.loads(kinds.stdout)] == [("hanako", 1), ("taro", 2)]
    told = of_the_commands("documents", "show", "1", "--json")
    assert [each["addressee"] for each in json.loads(told.stdout)] == ["hanako 様", "hanako"]
    page = tmp_path / "page.html"
    assert of_the_commands("documents", "show", "1", "--html", str(page)).exit_code == 0
    assert page.read_text() == shown
    assert oct(page.stat().st_mode & 0o777) == "0o600"
    assert of_the_commands("documents", "new-key", str(key_file), "--id", "k2").exit_code == 0
    monkeypatch.setenv("KEIZOKU_ISSUER_NAME", "継続株式会社")
    for answer in (True, False):
        again = of_the_commands("documents", "reissue", "invoice", "1", "--json")
        assert json.loads(again.stdout) == {"kind": "invoice", "number": 1, "issued": answer}
    resealed = of_the_commands("documents", "reseal", "--json")
    assert json.loads(resealed.stdout) == {"key": "k2", "sealed": 1}  # the invoice has the new one
    monkeypatch.delenv("KEIZOKU_DOCUMENT_KEYS_FILE")
    missing = of_the_commands("documents", "show", "1", "--html", str(page))
    assert "sealed with the key k2, and no key file is set" in str(missing.exception)


def test_a_letter_is_drawn_to_its_account_where_nobody_is_named(services: Services) -> None:
    row = issue_letter(services.session, document(services.session, "N1"), BY)
    assert row is not None
    assert [letter.addressee for letter in letters_of(row, "ja", None).letters] == ["hanako 様", "hanako"]
