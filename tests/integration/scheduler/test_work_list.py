"""The work list: every source of work for people stands in it once, with the command that ends it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from keizoku.billing.closing.reconciliation_run import keep_for_people, reconcile_month, resolve
from keizoku.db.migrate import upgrade
from keizoku.db.review_tasks import open_task
from keizoku.db.session import Session
from keizoku.scheduler import cli
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.scheduler.reports import work_seen as seen_module
from keizoku.scheduler.reports.work_list import (
    done,
    snooze,
    waiting_count,
    waiting_counts,
    waiting_for_people,
    work_item,
)
from keizoku.scheduler.reports.work_seen import NOTHING_SEEN, Series, WorkSeen, seen_by, work_seen
from keizoku.scheduler.reports.work_sources import KINDS
from keizoku.scheduler.simulator import Simulator
from keizoku.scheduler.worker import state_numbers
from keizoku.scheduler.worker.state_numbers import read_state
from keizoku.terms.calendar import Month, epoch, parse_instant
from keizoku.terms.refusal import Refused
from keizoku.terms.rendering import sentence
from tests.worlds.world import open_world, services_on

ON = date(2026, 4, 26)
NOW = night_at(ON) + timedelta(hours=9)
LATER = NOW + timedelta(days=2)
BY: Any = {"by": "keiri", "ground": "looked into it"}


@pytest.fixture
def services(engine: sa.Engine, tmp_path: Path) -> Iterator[Services]:
    """A world in which every source has something."""
    with services_on(engine) as services:
        fill(services, tmp_path)
        yield services


def fill(services: Services, folder: Path) -> None:
    session = services.session
    open_world(services)
    approved = parse_instant("2026-03-26 10:00")
    for account in ("hanako", "taro", "jiro"):
        services.billing.approve(account, "monthly", "card", now=approved)
    Simulator(services).cards.set_card("hanako", "timeout_before")
    Simulator(services).cards.set_card("jiro", "insufficient_funds")
    run_night(services, ON, night_at(ON))
    Simulator(services).dispute("taro", date(2026, 3, 26), "lost", decided_on=date(2026, 6, 1), now=NOW)
    services.billing.take_disputes(now=NOW)
    services.billing.register("newcomer", "monthly", "card", now=NOW)
    bank = folder / "bank.csv"
    bank.write_text(
        "date,amount,payer,reference\n2026-04-24,700,YAMADA,\n2026-04-25,900,SATO,thanks\n", encoding="utf-8"
    )
    services.billing.import_bank(bank, author="keiri", now=NOW)
    open_task(session, "store_gross_differs", "contract 99", {"account": "taro", "why": "no price for gold"}, NOW)
    session.commit()
    unknown = ((epoch(NOW) - 7_200, epoch(NOW) - 3_600),)
    services.sla.take_unknown(unknown, "counts.csv", now=NOW)
    session.commit()
    run_night(services, ON + timedelta(days=1), night_at(ON + timedelta(days=1)))


def found(services: Services, now: datetime = LATER, **wanted: object) -> list[tuple[str, str | None, int | None]]:
    rows = waiting_for_people(services.session, now, **wanted)  # type: ignore[arg-type]
    return [(each.id, each.account, each.amount_yen) for each in rows]


def test_every_source_is_in_the_list_once_with_the_command_that_ends_it(services: Services) -> None:
    items = {each.id: each for each in waiting_for_people(services.session, LATER)}
    assert Counter(each.kind for each in items.values()) == {
        "attempt_unknown": 1,
        "dispute_open": 1,
        "application_waiting": 1,
        "bank_unmatched": 2,
        "store_gross_differs": 1,
        "unknown_time": 1,
        "documents_unsent": 1,
    }
    attempt = next(each for each in items.values() if each.kind == "attempt_unknown")
    number = attempt.id.removeprefix("attempt ")
    assert attempt.remedy == f"keizoku payments nothing-charged {number} --by NAME --ground WHY"
    assert (attempt.account, attempt.amount_yen, attempt.clause) == ("hanako", 500, "premium/5.2")
    assert items["payment 1"].remedy == "keizoku bank match ACCOUNT 1 --author NAME --ground WHY"
    assert items["payment 2"].what_en == "payment without a payer: SATO, thanks"
    assert items["payment 2"].what_ja == "支払者の分からない入金: SATO, thanks"
    assert items["application newcomer"].remedy == "keizoku contract approve newcomer"
    assert [each.account for each in items.values() if each.id.startswith("dispute ")] == ["taro"], list(items)
    assert items["T1"].what_en == "store's amount differs: contract 99, no price for gold"
    assert items["T1"].remedy == "keizoku tasks done T1 --author NAME --ground WHY"
    assert items["T1"].age_days == 2
    (documents,) = (each for each in items.values() if each.kind == "documents_unsent")
    assert documents.remedy == f"keizoku notice list --kind {documents.detail['kind']}"


def test_the_list_the_count_and_what_monitoring_watches_agree(services: Services) -> None:
    for now in (NOW, LATER, LATER + timedelta(days=30)):
        listed = Counter(each.kind for each in waiting_for_people(services.session, now))
        assert waiting_counts(services.session, now) == listed
        assert waiting_count(services.session, now) == listed.total()
        told = read_state(services.session, now, ())["keizoku_people_tasks_open"]
        assert told == listed
    assert listed["nights_missed"] == 1
    later = LATER + timedelta(days=30)
    assert "nights_missed" not in waiting_counts(services.session, later, most_missed=60)  # the setting says how many
    assert waiting_count(services.session, later, 60) == waiting_count(services.session, later) - 1


def test_what_it_takes_long_to_count_is_told_again_for_a_while(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counting a million contracts at every scrape would cost more than all else that a worker does by day."""
    clock, asked = [100.0], list[int]()

    def slow(session: Session, now: datetime, *, most_missed: int, seen: WorkSeen) -> dict[str, int]:
        asked.append(most_missed)
        clock[0] += 2.5
        return {"set_aside": len(asked)}

    monkeypatch.setattr(state_numbers, "waiting_counts", slow)
    monkeypatch.setattr(state_numbers, "monotonic", lambda: clock[0])
    numbers = state_numbers.StateNumbers()
    numbers.most_missed = 3
    told = []
    for seconds in (0, 15, 34, 1, 15):
        clock[0] += seconds
        told.append((numbers._waiting(services.session, LATER) or {})["set_aside"])
    assert (told, asked) == ([1, 1, 1, 2, 2], [3, 3])


def test_what_cannot_be_counted_in_its_time_leaves_the_other_numbers_told(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One count that was cut off used to take every number of the page with it, at every scrape."""

    def too_long(session: Session, now: datetime, **_: object) -> dict[str, int]:
        session.exec_driver_sql("SET LOCAL statement_timeout = '10ms'")
        session.exec_driver_sql("SELECT pg_sleep(1)")
        return {}

    monkeypatch.setattr(state_numbers, "waiting_counts", too_long)
    numbers = state_numbers.StateNumbers()
    numbers.connect, numbers.clock = services.session.engine.connect, lambda: LATER
    told = {family.name: [each.value for each in family.samples] for family in numbers.collect()}
    assert told.pop("keizoku_state_read") == [0]
    assert told.pop("keizoku_people_tasks_open") == []
    known = (
        "keizoku_nights_behind",
        "keizoku_certificate_ok",
        "keizoku_attempts_unknown",
        "keizoku_backup_age_seconds",
    )
    assert [len(told[name]) for name in known] == [1, 1, 1, 1]
    monkeypatch.undo()
    assert next(iter(numbers.collect())).samples[0].value == 0  # it is not asked again at once
    numbers._count_again_at = 0.0
    assert next(iter(numbers.collect())).samples[0].value == 1


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


def test_an_unanswered_charge_is_one_item_also_when_people_have_its_task(services: Services) -> None:
    run_night(services, ON + timedelta(days=2), night_at(ON + timedelta(days=2)))
    kinds = services.session.scalars(sa.text("SELECT kind FROM review_task WHERE closed_at IS NULL ORDER BY 1")).all()
    assert "attempt_unknown" in kinds
    assert waiting_counts(services.session, LATER)["attempt_unknown"] == 1


def test_each_command_that_is_named_ends_its_item(services: Services) -> None:
    session, billing = services.session, services.billing
    billing.match_payment(1, "taro", **BY, now=LATER)
    billing.send_payment_back(2, **BY, now=LATER)
    (attempt,) = (each for each, *_ in found(services, kinds=["attempt_unknown"]))
    billing.nothing_charged(int(attempt.removeprefix("attempt ")), **BY, now=LATER)
    (dispute,) = (each for each, *_ in found(services, kinds=["dispute_open"]))
    billing.dispute_lost(dispute.removeprefix("dispute "), "claim_stays", **BY, now=LATER)
    billing.approve("newcomer", now=LATER)
    (unknown,) = waiting_for_people(session, LATER, kinds=["unknown_time"])
    start, _, end = unknown.id.removeprefix("unknown ").partition("/")
    services.sla.decide_unknown(parse_instant(start), parse_instant(end), "up", **BY, now=LATER)
    for (name,) in session.execute(sa.text("SELECT concat('N', id) FROM user_notice ORDER BY id")).all():
        billing.hand_over(name, by="mailer", now=LATER)
    done(session, "T1", "keiri", "gold is sold no more", LATER)
    assert found(services) == []
    billing.unmatch_payment(1, **BY, now=LATER)  # it waits for its payer again
    assert found(services) == [("payment 1", None, 700)]


def test_what_a_word_does_not_close_names_the_command_that_does(services: Services) -> None:
    with pytest.raises(Refused) as refused:
        done(services.session, "payment 1", "keiri", "it is Yamada's", LATER)
    assert refused.value.code == "task.not_by_word"
    assert "this does: keizoku bank match ACCOUNT 1 --author NAME --ground WHY" in str(refused.value)
    for item, by, ground, code in (
        ("T9", "keiri", "done", "task.unknown"),
        ("T1; DROP", "keiri", "done", "task.unknown"),
        ("T1", " ", "done", "act.unsigned"),
        ("T1", "keiri", "", "act.unsigned"),
        ("T1", "keiri", "a" * 401, "task.text"),
        ("T1", "kei\x1bri", "done", "task.text"),
        ("T\0", "keiri", "done", "task.unknown"),
    ):
        with pytest.raises(Refused) as refused:
            done(services.session, item, by, ground, LATER)
        assert refused.value.code == code
    done(services.session, "T1", "keiri", "dealt with", LATER)
    row = services.session.execute(sa.text("SELECT closed_by, closed_ground FROM review_task WHERE id = 1")).one()
    assert tuple(row) == ("keiri", "dealt with")


def test_what_was_put_off_comes_back_on_its_day(services: Services) -> None:
    session = services.session
    before = found(services)
    until = date(2026, 5, 3)
    snooze(session, "payment 1", until, "keiri", "the payer writes on Monday", LATER)
    assert found(services) == [each for each in before if each[0] != "payment 1"]
    (put_off,) = waiting_for_people(session, LATER, snoozed=True)
    assert (put_off.id, put_off.snoozed_until) == ("payment 1", until)
    assert work_item(session, "payment 1", LATER).snoozed_until == until
    assert waiting_counts(session, LATER)["bank_unmatched"] == 1
    assert "payment 1" in [each for each, *_ in found(services, parse_instant("2026-05-03 00:00"))]
    snooze(session, "payment 1", date(2026, 4, 30), "keiri", "they wrote", LATER)  # the newest word holds
    assert "payment 1" in [each for each, *_ in found(services, parse_instant("2026-04-30 00:00"))]
    with pytest.raises(Refused, match=r"2026-04-28 is not after today \(2026-04-28\)"):
        snooze(session, "payment 1", date(2026, 4, 28), "keiri", "why", LATER)
    with pytest.raises(sa.exc.DBAPIError, match="only ever added"):
        session.execute(sa.text("DELETE FROM task_snooze"))
    session.rollback()


def test_the_list_is_read_by_kind_by_age_by_account_and_page_by_page(services: Services) -> None:
    whole = found(services)
    assert [each for each, account, _ in whole if account == "taro"] == [
        each for each, *_ in found(services, account="taro")
    ]
    assert {each for each, *_ in found(services, kinds=["bank_unmatched", "store_gross_differs"])} == {
        "payment 1",
        "payment 2",
        "T1",
    }
    assert found(services, min_age_days=400) == []
    paged: list[tuple[str, str | None, int | None]] = []
    while page := found(services, limit=2, after=paged[-1][0] if paged else ""):
        paged += page
    assert paged == whole
    with pytest.raises(Refused, match="nothing with this id is waiting"):
        found(services, after="payment 77")


def test_exceptions_of_a_reconciliation_wait_until_they_are_resolved(services: Services) -> None:
    session, month = services.session, Month(2026, 4)
    now = parse_instant("2026-05-20 10:00")
    session.execute(
        sa.text(
            "INSERT INTO balance_transaction (id, kind, amount, fee, fee_tax, net, currency, happened_at, "
            "available_at, recorded_at) VALUES ('txn_1', 'adjustment', -300, 0, 0, -300, 'jpy', :at, :at, :at)"
        ),
        {"at": NOW},
    )
    session.commit()
    reconciled = reconcile_month(session, services.gateway, month, now)
    assert reconciled.open
    for _ in range(2):
        keep_for_people(session, reconciled, now)
    assert session.scalar(sa.text("SELECT count(*) FROM reconciliation_result")) == 1
    items = waiting_for_people(session, now, kinds=["reconciliation_exception"])
    assert {each.detail["exception"] for each in items} == {each.key for each in reconciled.open}
    first = next(each for each in items if each.detail["exception"] == reconciled.open[0].key)
    assert first.remedy.startswith(f"keizoku reconcile resolve {month} ")
    resolve(session, reconciled, reconciled.open[0].key, "keiri", "on its way", now)
    left = waiting_for_people(session, now, kinds=["reconciliation_exception"])
    assert {each.id for each in items} - {each.id for each in left} == {first.id}


def test_a_night_with_differences_waits_and_every_kind_has_its_words(services: Services) -> None:
    session = services.session
    session.execute(sa.text("UPDATE invoice SET open_yen = 1, state = 'open' WHERE state = 'paid' AND id = 1"))
    session.commit()
    on = ON + timedelta(days=2)
    night = run_night(services, on, night_at(on), whole_audit=True)
    assert night.certificate == "differences"
    (item,) = waiting_for_people(session, LATER, kinds=["night_differs"])
    assert (item.id, item.remedy) == (f"night {on}", "keizoku night --whole-audit")
    assert night.differences[0] in item.what_en
    for kind in KINDS:
        assert all(sentence(f"word.task.{kind}", lang, {}) for lang in ("ja", "en"))


def test_a_kind_that_nobody_named_says_its_clause_and_remedy_itself(services: Services) -> None:
    detail = {"clause": "premium/9.5", "remedy": "keizoku sla population …", "why": "no population"}
    services.session.execute(
        sa.text(
            "INSERT INTO review_task (kind, subject, opened_at, detail) "
            "VALUES ('set_aside', 'claim c1', :now, CAST(:detail AS jsonb))"
        ),
        {"now": NOW, "detail": json.dumps(detail)},
    )
    (item,) = waiting_for_people(services.session, LATER, kinds=["set_aside"])
    assert (item.clause, item.remedy) == ("premium/9.5", "keizoku sla population …")
    assert item.what_en.endswith(": claim c1, no population")
    done(services.session, item.id, "keiri", "recorded", LATER)
    assert found(services, kinds=["set_aside"]) == []


@pytest.fixture
def command_line(
    engine_for_schema: Callable[[], sa.Engine], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., int]:
    engine = engine_for_schema()
    with engine.connect() as session:
        schema = session.exec_driver_sql("SELECT current_schema()").scalar_one()
        upgrade(session)
    monkeypatch.setenv(
        "KEIZOKU_DATABASE_URL", engine.url.difference_update_query(["options"]).render_as_string(hide_password=False)
    )
    monkeypatch.setenv("KEIZOKU_DATABASE_SCHEMA", schema)
    with services_on(engine) as services:
        fill(services, tmp_path)

    def run(*arguments: str) -> int:
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        assert isinstance(ended.value.code, int)
        return ended.value.code

    return run


def test_the_command_lists_shows_closes_puts_off_and_the_night_says_how_many_wait(
    command_line: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    run = command_line
    assert run("tasks", "list", "--json") == 1
    rows = json.loads(capsys.readouterr().out)
    # as of today: also the nights that did not run since
    assert {"T1", "payment 1", "payment 2", "application newcomer"} < {each["id"] for each in rows}
    assert run("tasks", "list", "--limit", "2", "--kind", "bank_unmatched", "--kind", "store_gross_differs") == 1
    shown = capsys.readouterr()
    assert "showing 2 of 3; --after" in shown.err
    assert run("tasks", "show", "#1") == 0
    assert "keizoku tasks done T1 --author NAME --ground WHY" in " ".join(capsys.readouterr().out.split())
    signed = ("--author", "keiri", "--ground", "seen to")
    assert run("tasks", "done", "payment 1", *signed) == 1
    assert "this does: keizoku bank match ACCOUNT 1" in capsys.readouterr().err
    assert run("tasks", "done", "1", *signed) == 0
    assert run("tasks", "snooze", "payment 2", "--until", "2199-01-01", *signed) == 0
    capsys.readouterr()
    assert run("tasks", "list", "--snoozed", "--json") == 0
    assert [each["id"] for each in json.loads(capsys.readouterr().out)] == ["payment 2"]
    night = ("night", "--on", str(ON + timedelta(days=2)), "--simulate-clock")
    assert run(*night) == 0
    out = capsys.readouterr().out
    assert "5 things wait for people: keizoku tasks list" in out
    assert run(*night, "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["waiting"] == 5
    assert run("tasks", "list", "--kind", "nothing_of_the_kind") == 0
    assert "nothing waits for people" in capsys.readouterr().out
