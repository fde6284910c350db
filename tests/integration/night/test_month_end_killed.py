"""kill -9 of a month's jobs at random statements and file operations, and two of them at once.

A child of the test runs the job and is gone at its n-th event: a statement of the database, a file that is opened,
renamed or removed. The next run ends where an undisturbed one ends; nothing is doubled, nothing is left lying about.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from keizoku.billing.closing.export_files import export_month
from keizoku.billing.closing.exports.mapping import mapping_for
from keizoku.billing.closing.month_close import acts, close_month, reopen_month, verify
from keizoku.billing.closing.reconciliation_run import reconcile_month
from keizoku.billing.documents.atomic_files import LEFT_AFTER_S, SUMS, alone, digest, scratch, whole_file, whole_folder
from keizoku.billing.documents.month_folder import MANIFEST, Printing, write_documents
from keizoku.billing.dunning.interest_demand_stage import demand_month
from keizoku.billing.rules.documents.issuer import Issuer
from keizoku.db.session import make_engine
from keizoku.db.tables.simulated import simulated_charge
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.reports.finance import finance_report
from keizoku.scheduler.reports.finance_files import write_finance
from keizoku.scheduler.simulator import Simulator
from keizoku.terms.calendar import Month, parse_instant
from keizoku.terms.refusal import Refused
from tests.worlds.world import open_world, rows, services_on

KILLS = int(os.environ.get("KEIZOKU_SOAK_KILLS", "4"))
MAY, JUNE_1 = Month(2026, 5), date(2026, 6, 1)
NOW = parse_instant("2026-06-02 09:00")
ACCOUNTS = (("card", "monthly", "card"), ("owes", "monthly", "other"), ("year", "yearly", "card"))
_Forked = multiprocessing.get_context("fork")
Job = Callable[[Services, Path], object]


@pytest.fixture(scope="module")
def engine(
    database_url: sa.URL | str, run_alone: Callable[[str], object], database_with_tables: str
) -> Iterator[sa.Engine]:
    """A May in which one pays by card, one owes since April, one has paid a year."""
    name = f"monthend{uuid.uuid4().hex}"
    run_alone(f"CREATE DATABASE {name} TEMPLATE {database_with_tables} STRATEGY file_copy")
    made = make_engine(sa.make_url(database_url).set(database=name), "public")
    with services_on(made) as services:
        open_world(services)
        for account, plan, method in (
            ("card", "monthly", "card"),
            ("owes", "monthly", "other"),
            ("year", "yearly", "card"),
        ):
            services.billing.approve(account, plan, method, now=parse_instant("2026-04-01 10:00"))
        for on in (date(2026, 4, 2), date(2026, 5, 1), date(2026, 5, 31), JUNE_1):
            run_night(services, on, parse_instant(f"{on} 02:30"))
    yield made
    made.dispose()
    run_alone(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def services(engine: sa.Engine) -> Iterator[Services]:
    with services_on(engine) as opened:
        yield opened


def report(services: Services, folder: Path) -> object:
    reconciled = reconcile_month(services.session, services.gateway, MAY, NOW)
    return write_finance(finance_report(services.session, services.rules, MAY, NOW, reconciled), folder, "en")


def exports(services: Services, folder: Path) -> object:
    return [
        export_month(services.session, MAY, mapping_for(form), folder / f"may.{form}")
        for form in ("yayoi", "freee", "beancount")
    ]


def documents(services: Services, folder: Path) -> object:
    return write_documents(services.session, services.rules, MAY.next(), folder, Printing(Issuer("継続株式会社"), "ja"))


def close(services: Services, _: Path) -> object:
    return close_month(services.session, services.gateway, MAY, "kato", NOW)


def demands(services: Services, _: Path) -> object:
    return demand_month(services.session, services.rules, date(2026, 7, 1), parse_instant("2026-07-01 02:30"))


def in_a_child(engine: sa.Engine, job: Job, folder: Path, die_at: int = 0) -> tuple[int, int]:
    """Run a job in a process of its own that is gone at its event `die_at`; its exit code, the events it came to."""
    counted: Any = _Forked.Value("q", 0)

    def live() -> None:
        def happens(*_: object) -> None:
            counted.value += 1
            if counted.value == die_at:
                os.kill(os.getpid(), signal.SIGKILL)

        def audit(event: str, facts: tuple[object, ...]) -> None:
            if event in ("os.rename", "os.remove", "os.mkdir") or (event == "open" and str(folder) in str(facts[0])):
                happens()

        own = make_engine(engine.url, "public")
        sa.event.listen(own, "before_cursor_execute", happens)
        with services_on(own) as services:
            sys.addaudithook(audit)
            job(services, folder)
        os._exit(0)

    child = _Forked.Process(target=live)
    child.start()
    child.join()
    assert child.exitcode is not None
    return child.exitcode, counted.value


def contents(folder: Path) -> dict[str, str]:
    """Every file of a folder, and the digest of what is in it."""
    return {str(each.relative_to(folder)): digest(each) for each in folder.rglob("*") if each.is_file()}


@pytest.mark.parametrize("job", [report, exports, documents])
def test_files_killed_anywhere_and_written_again_are_those_of_an_undisturbed_run(
    engine: sa.Engine, services: Services, job: Job, tmp_path: Path
) -> None:
    (tmp_path / "whole").mkdir()
    code, events = in_a_child(engine, job, tmp_path / "whole")
    assert (code, events > 20) == (0, True)
    whole = contents(tmp_path / "whole")
    dice = random.Random(f"{job.__name__}{KILLS}")  # noqa: S311  a test's dice
    killed = tmp_path / "killed"
    killed.mkdir()
    # late kills as often as early ones, in one folder: each run finds what the one before left
    for die_at in sorted({events - 1, *dice.sample(range(2, events), KILLS)}):
        code, _ = in_a_child(engine, job, killed, die_at)
        assert code in (-signal.SIGKILL, 0)  # a batch that goes on has fewer steps left
        assert SUMS not in contents(killed) or contents(killed).items() >= whole.items()
    job(services, killed)
    assert contents(killed) == whole


def test_a_batch_of_documents_goes_on_where_it_was_broken_off(
    engine: sa.Engine, services: Services, tmp_path: Path
) -> None:
    _, events = in_a_child(engine, documents, tmp_path / "whole")
    folder = tmp_path / "killed"
    assert in_a_child(engine, documents, folder, events - 4)[0] == -signal.SIGKILL
    done = documents(services, folder)
    assert done.documents == len(contents(folder)) - 2  # type: ignore[attr-defined]
    assert done.new < done.documents  # type: ignore[attr-defined]
    assert documents(services, folder).new == 0  # type: ignore[attr-defined]
    names = {name.partition("-")[0] for name in contents(folder)} - {SUMS, MANIFEST}
    assert names == {"statement", "demand"}
    # what was changed there is written again; what is no longer of the month goes
    before = contents(folder)
    victim = next(iter(folder.glob("statement-*.pdf")))
    victim.write_bytes(b"%PDF-1.4 changed")
    with (folder / MANIFEST).open("a", encoding="utf-8") as manifest:
        manifest.write('{"file": "statement-999.pdf", "facts": "", "sha256": ""}\n{"file": "../x", "facts"')
    (folder / "statement-999.pdf").write_bytes(b"")
    assert documents(services, folder).new == 1  # type: ignore[attr-defined]
    assert contents(folder) == before


def test_a_close_killed_anywhere_is_closed_once_by_the_next(
    engine: sa.Engine, services: Services, tmp_path: Path
) -> None:
    session = services.session
    code, events = in_a_child(engine, close, tmp_path)
    first = acts(session)
    assert (code, [each["kind"] for each in first]) == (0, ["closed"])
    dice = random.Random(KILLS)  # noqa: S311  a test's dice
    for die_at in sorted({events, *dice.sample(range(1, events), KILLS)}):
        reopen_month(session, MAY, "kato", "once more", NOW)
        before = len(acts(session))
        session.rollback()
        assert in_a_child(engine, close, tmp_path, die_at)[0] == -signal.SIGKILL
        done = close_month(session, services.gateway, MAY, "kato", NOW)
        assert (done.ok, done.entries) == (True, first[0]["entries"])
        assert [each["kind"] for each in acts(session)[before:]] == ["closed"]
        assert acts(session)[-1]["content"] == first[0]["content"]
        session.rollback()
    assert verify(session) == []
    reopen_month(session, MAY, "kato", "for the other tests", NOW)


def test_demands_killed_anywhere_are_made_once(engine: sa.Engine, services: Services, tmp_path: Path) -> None:
    count = sa.text("SELECT count(*), coalesce(sum(interest_yen), 0) FROM demand WHERE occasion = 'month:2026-07'")
    events = 8  # fewer than the job has
    for die_at in range(1, events):
        assert in_a_child(engine, demands, tmp_path, die_at)[0] in (-signal.SIGKILL, 0)
    demands(services, tmp_path)
    made = services.session.execute(count).one()
    assert made[0] == 1
    assert demands(services, tmp_path) == 0
    in_a_child(engine, demands, tmp_path)
    assert services.session.execute(count).one() == made


def at_once(engine: sa.Engine, job: Job, folder: Path) -> list[str]:
    """Start a job in two processes at the same instant; what each says, in order."""
    start: Any = _Forked.Barrier(2)
    said: Any = _Forked.SimpleQueue()

    def live() -> None:
        with services_on(make_engine(engine.url, "public")) as services:
            start.wait(30)
            try:
                done = job(services, folder)
                said.put("new" if getattr(done, "new", True) else "known")
            except Refused as refused:
                said.put(str(refused))
        os._exit(0)

    children = [_Forked.Process(target=live) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0
    return sorted(said.get() for _ in children)


def test_two_closes_at_once_close_once(engine: sa.Engine, services: Services, tmp_path: Path) -> None:
    before = len(acts(services.session))
    services.session.rollback()
    said = at_once(engine, close, tmp_path)
    assert "new" in said
    assert set(said) - {"new", "known"} <= {
        "2026-05 or another month was closed or reopened meanwhile: look at `keizoku close list`"
    }
    assert [each["kind"] for each in acts(services.session)[before:]] == ["closed"]
    reopen_month(services.session, MAY, "kato", "for the other tests", NOW)


def test_two_writers_of_one_place_are_one_and_a_refusal(engine: sa.Engine, services: Services, tmp_path: Path) -> None:
    for job in (report, exports, documents):
        folder = tmp_path / job.__name__
        folder.mkdir()
        said = at_once(engine, job, folder)
        refused = [each for each in said if each not in ("new", "known")]
        assert len(refused) <= 1
        assert all(each.endswith("is being written by another run: wait until that has ended") for each in refused)
        once = contents(folder)
        job(services, folder)
        assert contents(folder) == once


def test_two_reconciliations_at_once_take_the_gateways_news_once(
    engine: sa.Engine, services: Services, tmp_path: Path
) -> None:
    session = services.session
    charge = {"key": "by hand", "account": "card", "yen": 800, "answer": "succeeded"}
    session.execute(sa.insert(simulated_charge).values(charge | {"created_at": parse_instant("2026-06-01 12:00")}))
    session.commit()
    before = {name: len(found) for name, found in rows(session).items()}

    def reconcile(services: Services, _: Path) -> object:
        Simulator(services).cards.fee_per_mille = 36
        return reconcile_month(services.session, services.gateway, MAY, NOW)

    assert at_once(engine, reconcile, tmp_path) == ["new", "new"]
    grown = {name: len(found) - before[name] for name, found in rows(session).items() if len(found) != before[name]}
    # one movement; floor(800 x 0.036) = 28 yen of fee, one entry of two lines
    assert grown == {"balance_transaction": 1, "entry": 1, "line": 2}


def test_a_place_that_is_being_written_is_refused_until_it_is_whole(tmp_path: Path) -> None:
    file, folder = tmp_path / "may.csv", tmp_path / "may"
    with whole_file(file) as partial:
        partial.write_text("whole", encoding="utf-8")
        with pytest.raises(Refused, match=r"may\.csv is being written by another run"), whole_file(file):
            pass
        assert not file.exists()
    with pytest.raises(FileNotFoundError), whole_file(file):
        pass  # nothing was written
    assert [each.name for each in tmp_path.iterdir()] == ["may.csv"]
    assert file.read_text(encoding="utf-8") == "whole"
    (folder / "kept").mkdir(parents=True)
    with whole_folder(folder) as partial:
        (partial / "a.csv").write_text("a", encoding="utf-8")
        (partial / "b.csv").write_text("b", encoding="utf-8")
        with pytest.raises(Refused, match="may is being written"), whole_folder(folder):
            pass
        assert not (folder / SUMS).exists()
    with whole_folder(folder) as partial:
        (partial / "a.csv").write_text("c", encoding="utf-8")
    assert sorted(each.name for each in folder.iterdir()) == [SUMS, "a.csv", "kept"]
    assert (folder / SUMS).read_text(encoding="utf-8") == f"{digest(folder / 'a.csv')}  a.csv\n"


def test_what_killed_reconciliations_left_is_taken_away_but_not_what_one_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left, held, fresh = (tmp_path / f"k-{name}" for name in ("left", "held", "fresh"))
    for each in (left, held, fresh):
        each.mkdir()
        (each / "ours.csv").write_text("1", encoding="utf-8")
    (tmp_path / "k-link").symlink_to(fresh, target_is_directory=True)
    long_ago = time.time() - LEFT_AFTER_S - 1
    with alone(held / ".lock", held):
        for each in (left, held):
            os.utime(each, (long_ago, long_ago))
        with scratch("k-") as made:
            assert {each.name for each in tmp_path.iterdir()} == {"k-held", "k-fresh", "k-link", made.name}
    assert {each.name for each in tmp_path.iterdir()} == {"k-held", "k-fresh", "k-link"}
