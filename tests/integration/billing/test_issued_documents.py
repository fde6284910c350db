"""What was issued stays as it was issued: stored once, found by day, sum and account, handed over."""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from prometheus_client import generate_latest

from keizoku.billing.closing.issue_run import IssueRun, issue_month, issue_waiting
from keizoku.billing.documents.addressees import Naming, SealingKeys, new_key_line
from keizoku.billing.documents.archive import archive
from keizoku.billing.documents.issued_documents import (
    DocumentSearch,
    Issuing,
    as_issued,
    found,
    found_count,
    issue,
    stored,
)
from keizoku.billing.gateway.restored import read_gateway
from keizoku.billing.rules.documents.addressee import Addressee, Unfit
from keizoku.billing.rules.documents.issuer import Issuer, registrations
from keizoku.db.session import Session
from keizoku.db.tables.money import review_task
from keizoku.scheduler.app import Services
from keizoku.scheduler.backup.restore_mark import RestoreMark
from keizoku.scheduler.cli.operations.worker import _documents
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.settings import Settings
from keizoku.scheduler.worker.leadership import Leadership
from keizoku.scheduler.worker.telemetry import json_logger
from keizoku.scheduler.worker.worker import Worker
from keizoku.terms.calendar import Month, parse_instant
from keizoku.terms.refusal import Refused
from tests.worlds.names import Names
from tests.worlds.world import open_world, services_on

NOW = parse_instant("2026-05-01 09:00")
ISSUER = Issuer("継続株式会社", "東京都港区", registrations(("T8010601046367/2023-10-01",)))
BY = Issuing(ISSUER, "keiri", NOW)


@pytest.fixture
def services(engine: sa.Engine) -> Iterator[Services]:
    with services_on(engine) as services:
        open_world(services)
        for account, plan in (("a", "monthly"), ("b", "yearly"), ("c", "monthly")):
            services.billing.approve(account, plan, "other", now=parse_instant("2026-04-10 09:00"))
        services.billing.approve("d", "monthly", "other", now=parse_instant("2026-04-20 09:00"))
        yield services


def test_a_document_is_stored_once_and_never_changes(services: Services) -> None:
    session, rules = services.session, services.rules
    assert issue_month(session, rules, Month(2026, 4), BY) == 4
    assert issue_month(session, rules, Month(2026, 4), BY) == 0
    first = as_issued(session, "invoice", 1, "ja")
    assert first is not None
    other = Issuing(Issuer("別の会社"), "keiri", NOW)
    assert not issue(session, rules, "invoice", 1, other)
    assert as_issued(session, "invoice", 1, "ja") == first
    assert issue(session, rules, "invoice", 1, other, anew=True)
    assert not issue(session, rules, "invoice", 1, other, anew=True)  # it says the same
    assert [
        (each.id, each.version, each.supersedes, each.issuer) for each in found(session, DocumentSearch(account="a"))
    ] == [
        (1, 1, None, "継続株式会社"),
        (5, 2, 1, "別の会社"),
    ]
    assert stored(session, 1, "ja") == first
    for act in ("UPDATE issued_document SET yen = 1", "DELETE FROM issued_document"):
        with pytest.raises(sa.exc.DBAPIError, match="only ever added"):
            session.execute(sa.text(act))
        session.rollback()


def test_documents_of_nobody_and_by_nobody_are_refused(services: Services) -> None:
    for issuing in (Issuing(Issuer(), "keiri", NOW), Issuing(ISSUER, " ", NOW)):
        with pytest.raises(Refused, match=r"nobody issues it|say who issues it"):
            issue_month(services.session, services.rules, Month(2026, 4), issuing)
    with pytest.raises(Refused, match="no document 1 was issued"):
        stored(services.session, 1, "ja")


@pytest.mark.parametrize(
    ("wanted", "accounts"),
    [
        (DocumentSearch(), "abcd"),
        (DocumentSearch(from_on=date(2026, 4, 11)), "d"),
        (DocumentSearch(to_on=date(2026, 4, 10), to_yen=500), "ac"),
        (DocumentSearch(from_yen=501), "b"),
        (DocumentSearch(from_yen=500, to_yen=500, account="c"), "c"),
        (DocumentSearch(from_on=date(2026, 4, 10), to_on=date(2026, 4, 10), account="d"), ""),
    ],
)
def test_they_are_found_by_day_sum_and_account_together(
    services: Services, wanted: DocumentSearch, accounts: str
) -> None:
    issue_month(services.session, services.rules, Month(2026, 4), BY)
    assert "".join(each.account for each in found(services.session, wanted)) == accounts
    assert found_count(services.session, wanted) == len(accounts)


def test_they_are_handed_over_with_an_index_and_twice_the_same(services: Services) -> None:
    issue_month(services.session, services.rules, Month(2026, 4), BY)
    packed = archive(services.session, DocumentSearch(to_yen=500))
    assert packed == archive(services.session, DocumentSearch(to_yen=500))
    with zipfile.ZipFile(io.BytesIO(packed)) as opened:
        rows = list(csv.DictReader(io.StringIO(opened.read("index.csv").decode("utf-8-sig"))))
        assert [(row["account"], row["yen"], row["registration"]) for row in rows] == [
            (account, "500", "T8010601046367") for account in "acd"
        ]
        assert sorted(opened.namelist()) == sorted(
            ["index.csv", *(row[f"file_{lang}"] for row in rows for lang in ("ja", "en"))]
        )
        page = opened.read(rows[0]["file_ja"]).decode()
    assert "適格請求書" in page
    assert "継続株式会社" in page
    assert len(hashlib.sha256(packed).hexdigest()) == len(rows[0]["sha256"])


def open_tasks_of(session: Session) -> list[tuple[str, str]]:
    query = sa.select(review_task.c.kind, review_task.c.subject).where(review_task.c.closed_at.is_(None))
    return [(kind, subject) for kind, subject in session.execute(query.order_by(review_task.c.id))]


def test_all_that_is_not_stored_is_stored_and_one_bad_thing_holds_up_no_other(
    services: Services, tmp_path: Path
) -> None:
    session, rules = services.session, services.rules
    (tmp_path / "keys").write_text(new_key_line("2026"))
    answers: dict[str, Addressee | Unfit] = {}
    directory = Names(answers)
    naming = Naming(directory, SealingKeys.read(tmp_path / "keys"))
    by = replace(BY, naming=naming)
    directory.broken = True
    assert issue_waiting(session, rules, by).why.startswith("the directory of names does not answer")
    assert open_tasks_of(session) == [("directory_silent", "directory")]
    directory.broken = False
    answers |= {"a": Addressee("山田 花子", ()), "b": Unfit("members.csv line 4: the name is empty")}
    session.execute(sa.text("SET LOCAL session_replication_role = replica"))
    session.execute(sa.text("UPDATE invoice SET credit_yen = 1 WHERE account = 'c'"))
    session.commit()
    assert issue_waiting(session, rules, by) == IssueRun(issued=2, unfit=1, refused=1)
    assert open_tasks_of(session) == [("addressee_unfit", "invoice 2"), ("document_unissued", "invoice 3")]
    assert issue_waiting(session, rules, by, newest=1) == IssueRun()  # what is older waits for the look at all
    session.execute(sa.text("SET LOCAL session_replication_role = replica"))
    session.execute(sa.text("UPDATE invoice SET credit_yen = 0 WHERE account = 'c'"))
    session.commit()
    naming.unfit.clear()
    answers["b"] = Addressee("佐藤 次郎", ())
    assert issue_waiting(session, rules, by, going=lambda: False) == IssueRun()
    assert issue_waiting(session, rules, by) == IssueRun(issued=2)
    assert open_tasks_of(session) == []
    assert [each.account for each in found(session, DocumentSearch())] == ["a", "d", "b", "c"]
    assert issue_waiting(session, rules, by) == IssueRun()


def test_nothing_is_issued_by_itself_from_a_restored_database_that_waits(services: Services) -> None:
    session = services.session
    RestoreMark("backup", NOW, NOW, drill=False).write(session)
    assert "restored" in issue_waiting(session, services.rules, BY).why
    assert found(session, DocumentSearch()) == []
    read_gateway(session, services.gateway, NOW)
    assert issue_waiting(session, services.rules, BY) == IssueRun(issued=4)
    RestoreMark("backup", NOW, NOW, drill=True).write(session)
    services.billing.approve("e", "monthly", "other", now=NOW)
    assert issue_waiting(session, services.rules, BY).issued == 0


def test_the_worker_that_leads_issues_them_after_the_night(services: Services, engine: sa.Engine) -> None:
    worker = Worker(lambda: services_on(engine), Leadership(engine.connect, "w", 30), json_logger("test"))
    worker.clock = lambda: NOW
    worker.documents = _documents(Settings(issuer_name="継続株式会社"))
    worker.issue_documents()
    assert found(services.session, DocumentSearch()) == []  # it does not lead
    worker.beat()
    worker.issue_documents()
    assert found(services.session, DocumentSearch()) == []  # the night is not done
    services.session.rollback()
    run_night(services, date(2026, 5, 1), NOW)
    worker.issue_documents()
    invoices = services.session.scalars(sa.text("SELECT id FROM invoice ORDER BY id")).all()
    assert [(each.number, each.author) for each in found(services.session, DocumentSearch())] == [
        (number, "worker") for number in invoices
    ]
    services.billing.approve("e", "monthly", "other", now=NOW)
    worker.issue_documents()
    worker.issue_documents()
    worker.leadership.give_up()
    assert [each.account for each in found(services.session, DocumentSearch())][len(invoices) :] == ["e"]
    shown = generate_latest(worker.numbers.registry).decode()
    assert 'keizoku_job_runs_total{job="documents",outcome="done"} 2.0' in shown.splitlines()
    assert _documents(Settings(issuer_name="継続株式会社", issue_documents=False)) is None
    assert _documents(Settings()) is None
