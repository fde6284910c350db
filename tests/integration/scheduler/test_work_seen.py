"""What was seen of what waits for people is not looked at again, and the counts stay what they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from keizoku.scheduler.app import Services
from keizoku.scheduler.reports.work import work_seen as seen_module
from keizoku.scheduler.reports.work.work_list import waiting_counts
from keizoku.scheduler.reports.work.work_seen import NOTHING_SEEN, Series, seen_by, work_seen
from tests.integration.scheduler.test_work_list import LATER, services

__all__ = ["services"]  # a fixture of this file too


def test_documents_that_were_sent_are_not_looked_at_again(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    session = services.session
    monkeypatch.setattr(seen_module, "_LATE_COMMITS", 0)
    before = waiting_counts(session, LATER)
    assert before["documents_unsent"] > 0
    written = sorted(session.scalars(sa.text("SELECT id FROM user_notice")))
    first = work_seen(session)
    assert first.notices == Series(written[-1], tuple(written))
    assert waiting_counts(session, LATER, seen=first) == before
    monkeypatch.setattr(seen_module, "MOST_OPEN", 0)  # too many to remember: the place is before the first of them
    assert work_seen(session).notices == Series(written[0] - 1)
    assert waiting_counts(session, LATER, seen=work_seen(session)) == before
    monkeypatch.setattr(seen_module, "MOST_OPEN", 5_000)
    handed = "INSERT INTO handover ({0}_id, handed_at, author, recorded_at) SELECT id, now(), 'm', now() FROM {1}"
    for column, table in (("notice", "user_notice"), ("demand", "demand"), ("letter", "letter")):
        session.execute(sa.text(handed.format(column, table)))
    assert "documents_unsent" not in waiting_counts(session, LATER, seen=first)
    sent = work_seen(session, first)
    newest = [
        session.scalar(sa.text(f"SELECT coalesce(max(id), 0) FROM {table}"))
        for table in ("user_notice", "demand", "letter")
    ]
    assert [sent.notices, sent.demands, sent.letters] == [Series(each) for each in newest]
    assert work_seen(session, sent) == sent
    assert "documents_unsent" not in waiting_counts(session, LATER, seen=sent)
    assert before == {**waiting_counts(session, LATER), "documents_unsent": before["documents_unsent"]}
    assert seen_by(session) == NOTHING_SEEN  # what this transaction wrote may be taken back
    session.rollback()
    assert waiting_counts(session, LATER, seen=seen_by(session)) == before


def test_lines_of_the_bank_that_were_dealt_with_are_not_looked_at_again(
    services: Services, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What waits by what was seen is what waits, whatever happens to lines that were seen."""
    session, billing = services.session, services.billing
    monkeypatch.setattr(seen_module, "_LATE_LINES", 0)
    payer = session.scalar(sa.text("SELECT account FROM contract WHERE approved_at IS NOT NULL ORDER BY id LIMIT 1"))
    seen, waits = NOTHING_SEEN, []
    ids = list[int]()

    def take(name: str, rows: str) -> None:
        (tmp_path / name).write_text("date,amount,payer,reference\n" + rows, encoding="utf-8")
        billing.import_bank(tmp_path / name, author="finance", now=LATER)
        ids[:] = session.scalars(sa.text("SELECT id FROM bank_line WHERE yen IN (11, 12, 13) ORDER BY id"))

    steps: list[Callable[[], object]] = [
        lambda: take("a.csv", "2026-04-20,11,SEEN A,\n2026-04-20,12,SEEN B,\n"),
        lambda: billing.match_payment(ids[0], str(payer), by="finance", ground="known", now=LATER),
        lambda: take("b.csv", "2026-04-21,13,SEEN C,\n"),
        lambda: billing.unmatch_payment(ids[0], by="finance", ground="wrong", now=LATER),
    ]
    for step in steps:
        step()
        by_seen = waiting_counts(session, LATER, kinds=("bank_unmatched",), seen=seen)
        assert by_seen == waiting_counts(session, LATER, kinds=("bank_unmatched",))
        seen = work_seen(session, seen)
        assert waiting_counts(session, LATER, kinds=("bank_unmatched",), seen=seen) == by_seen
        waits.append(by_seen.get("bank_unmatched", 0))
    assert [each - waits[0] for each in waits] == [0, -1, 0, 1]
    assert seen.lines.up_to == ids[-1]
