"""What was issued stays as it was issued: stored once, found by day, sum and account, handed over."""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from collections.abc import Iterator
from datetime import date

import pytest
import sqlalchemy as sa

from keizoku.billing.documents.archive import archive
from keizoku.billing.documents.issued_documents import (
    DocumentSearch,
    Issuing,
    as_issued,
    found,
    found_count,
    issue,
    issue_month,
    stored,
)
from keizoku.billing.rules.documents.issuer import Issuer, registrations
from keizoku.scheduler.app import Services
from keizoku.terms.calendar import Month, parse_instant
from keizoku.terms.refusal import Refused
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
