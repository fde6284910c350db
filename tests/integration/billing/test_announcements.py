"""Announcements are facts: of prices and of terms, with proof where recorded late; renewals told of too late."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from keizoku.billing.services.operator_acts import terms_announcements
from keizoku.db.tables.money import review_task
from keizoku.scheduler import cli
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.terms.calendar import parse_instant
from keizoku.terms.law.announcements import TermsAnnouncement
from keizoku.terms.own_versions import with_own_versions
from keizoku.terms.policy import Terms
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules
from tests.worlds.pages import database_of_the_settings
from tests.worlds.world import open_world, rows_found, services_on

NOW = parse_instant("2026-05-01 09:00")
DAYS: dict[str, Any] = {
    "announced": date(2026, 4, 1),
    "for_new_from": date(2026, 5, 2),
    "for_renewals_from": date(2026, 5, 2),
}


@pytest.fixture
def services(engine: sa.Engine) -> Iterator[Services]:
    with services_on(engine) as opened:
        open_world(opened)
        yield opened


def test_4_3__a_price_announced_before_it_is_recorded_keeps_its_ground_and_proof(services: Services) -> None:
    with pytest.raises(Refused, match="a day before it is recorded, and nothing shows it") as refused:
        services.billing.price("monthly", 600, **DAYS, ground="the page stood since April", now=NOW)
    assert refused.value.code == "price.announced_unproved"
    services.billing.price("monthly", 600, **DAYS, ground="the page stood", proof="printout of 1 April", now=NOW)
    kept = services.session.execute(sa.text("SELECT yen, initial, ground, proof FROM price ORDER BY id DESC LIMIT 1"))
    assert [tuple(row) for row in kept] == [(600, False, "the page stood", "printout of 1 April")]
    services.session.rollback()
    bad = (
        "INSERT INTO price (plan, yen, announced_on, for_new_from, for_renewals_from, recorded_at) VALUES "
        "('monthly', 700, '2026-04-01', '2026-05-02', '2026-05-02', '2026-05-01 00:00Z')"
    )
    with pytest.raises(sa.exc.IntegrityError, match="announced_or_proved"):
        services.session.execute(sa.text(bad))
    services.session.rollback()


def test_4_3__a_plan_s_first_price_changes_nothing_and_needs_no_proof(services: Services) -> None:
    services.billing.add_plan("new", "month", now=NOW)
    services.billing.price("new", 700, **DAYS, now=NOW)
    with pytest.raises(Refused, match="nothing shows it"):
        services.billing.price("new", 650, **DAYS, now=NOW)


def test_4_3__a_renewal_at_a_higher_price_without_earlier_notice_is_a_task_by_name_and_sum(services: Services) -> None:
    billing = services.billing
    billing.approve("a", "monthly", "card", now=parse_instant("2026-03-05 09:00"))
    billing.approve("told", "monthly", "card", now=parse_instant("2026-03-20 09:00"))
    run_night(services, date(2026, 3, 21), now=parse_instant("2026-03-21 02:30"))
    days: dict[str, Any] = {
        "announced": date(2026, 3, 21),
        "for_new_from": date(2026, 5, 1),
        "for_renewals_from": date(2026, 5, 1),
    }
    billing.price("monthly", 600, **days, now=parse_instant("2026-03-21 09:00"))
    for on in ("2026-04-30", "2026-05-04", "2026-05-05", "2026-05-20"):
        run_night(services, date.fromisoformat(on), now=parse_instant(f"{on} 02:30"))
    tasks = sa.select(sa.func.count()).where(review_task.c.kind == "renewed_unnotified")
    assert services.session.scalar(tasks) == 0  # both were told on 30 April
    billing.price(
        "monthly", 650, announced=date(2026, 5, 21), for_new_from=date(2026, 6, 1), for_renewals_from=date(2026, 6, 21),
        now=parse_instant("2026-05-21 09:00"),
    )  # fmt: skip
    run_night(services, date(2026, 7, 6), now=parse_instant("2026-07-06 02:30"))
    found = services.session.execute(
        sa.select(review_task.c.detail).where(review_task.c.kind == "renewed_unnotified").order_by(review_task.c.id)
    ).scalars()
    mine = [each for each in found if each["account"] == "a"]
    assert mine == [
        {
            "account": "a",
            "term": "2026-07-05",
            "before_yen": 600,
            "after_yen": 650,
            "yen": 50,
            "why": "renewed at 650 yen on 2026-07-05, 600 before, without earlier notice",
        }
    ]
    written = services.session.execute(
        sa.text(
            "SELECT written_on, body_en FROM user_notice WHERE account = 'a' AND kind = 'price' "
            "ORDER BY id DESC LIMIT 1"
        )
    ).one()
    services.session.rollback()
    assert written.written_on == date(2026, 7, 6)
    assert "please ask to end use by 4 August 2026" in written.body_en  # that renewal can be declined no more


def test_4_3__new_terms_are_announced_with_proof_where_it_is_recorded_late(services: Services) -> None:
    billing = services.billing
    days: dict[str, Any] = {"published_on": date(2026, 4, 1), "effective_on": date(2026, 6, 1)}
    with pytest.raises(Refused, match="a day before it is recorded, and nothing shows it"):
        billing.announce_terms("2026-06-01", **days, place="a page", by="sato", now=NOW)
    billing.announce_terms("2026-06-01", **days, place="a page", ground="g", proof="printout", by="sato", now=NOW)
    assert terms_announcements(services.session) == [
        TermsAnnouncement("2026-06-01", date(2026, 4, 1), date(2026, 6, 1), "a page", False)
    ]
    with pytest.raises(Refused, match="wholly beneficial needs a ground"):
        billing.announce_terms(
            "2026-06-01", published_on=date(2026, 5, 1), effective_on=date(2026, 6, 1), place="a page",
            beneficial=True, by="sato", now=NOW,
        )  # fmt: skip
    with pytest.raises(Refused, match="names its version"):
        billing.announce_terms("", **days, place="a page", by="sato", now=NOW)


def test_4_3__a_version_in_use_without_an_announcement_ends_the_lint_with_1(
    engine_for_schema: Callable[[], sa.Engine],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    database_of_the_settings(engine_for_schema, monkeypatch)
    write_version(tmp_path, "2030-04-01")
    monkeypatch.setenv("KEIZOKU_TERMS_DIR", str(tmp_path))

    def run(*words: str) -> int:
        with pytest.raises(SystemExit) as ended:
            cli.main(words)
        return int(ended.value.code or 0)

    assert run("terms", "check", str(tmp_path)) == 0
    assert run("terms", "check", str(tmp_path), "--announced") == 1
    assert run("terms", "announced") == 1
    said = capsys.readouterr()
    assert "2030-04-01, from 2030-04-01: no announcement is recorded" in said.out + said.err
    words = ("--published", "2030-01-15", "--effective", "2030-04-01", "--where", "a page", "--author", "sato")
    assert run("terms", "announce", "2030-04-01", *words) == 0
    assert run("terms", "announced") == run("terms", "check", str(tmp_path), "--announced") == 0


def write_version(folder: Path, version: str) -> None:
    """The terms as they are, but for one number, from a day on."""
    released = Path(__file__).parents[3] / "terms" / "premium"
    for part in ("", ".clauses", ".readings"):
        text = (released / f"2024-12-02{part}.toml").read_text(encoding="utf-8")
        text = text.replace('version = "2024-12-02"', f'version = "{version}"')
        text = text.replace("in_force_from = 2024-12-02", f"in_force_from = {version}")
        text = text.replace("value = 600,", "value = 900,")
        (folder / f"{version}{part}.toml").write_text(text, encoding="utf-8")


def test_2_3__a_renewal_under_terms_that_were_not_announced_waits_and_new_contracts_do_not(
    engine: sa.Engine, tmp_path: Path
) -> None:
    write_version(tmp_path, "2026-06-01")
    terms, findings = with_own_versions(Terms.load("premium"), tmp_path)
    assert findings == []
    with services_on(engine, Rules(terms)) as services:
        open_world(services)
        billing = services.billing
        billing.approve("old", "monthly", "card", now=parse_instant("2026-04-05 09:00"))
        billing.approve("new", "monthly", "card", now=parse_instant("2026-06-02 09:00"))  # agrees to what is in force

        def night(on: str) -> tuple[str, tuple[str, ...]]:
            done = run_night(services, date.fromisoformat(on), parse_instant(f"{on} 02:30"), whole_audit=True)
            return done.certificate, done.set_aside

        def terms_of(account: str) -> list[tuple[object, ...]]:
            query = f"SELECT starts_on, terms_version FROM term WHERE account = '{account}' ORDER BY 1"
            return rows_found(services, query)

        # the nights of May were missed: what began before the new version is made all the same
        assert night("2026-06-06") == ("ok", ("terms_unannounced: version 2026-06-01",))
        assert [str(row[0]) for row in terms_of("old")] == ["2026-04-05", "2026-05-05"]
        assert night("2026-07-03") == ("ok", ("terms_unannounced: version 2026-06-01",))
        assert [row[1] for row in terms_of("new")] == ["2026-06-01"] * 2
        why = "terms 2026-06-01: no announcement is recorded, so they do not bind those who agreed to others"
        why += " (Civil Code 548-4)"
        open_ones = sa.select(review_task.c.kind, review_task.c.subject, review_task.c.detail["why"].astext).where(
            review_task.c.closed_at.is_(None)
        )
        assert [tuple(row) for row in services.session.execute(open_ones)] == [
            (
                "terms_unannounced",
                "version 2026-06-01",
                why,
            )
        ]
        billing.announce_terms(
            "2026-06-01", published_on=date(2026, 5, 1), effective_on=date(2026, 6, 1), place="the site",
            ground="recorded late", proof="printout of 1 May", by="sato", now=parse_instant("2026-07-03 09:00"),
        )  # fmt: skip
        assert night("2026-07-04") == ("ok", ())
        assert terms_of("old")[2:] == [(date(2026, 6, 5), "2026-06-01")]
        assert services.session.execute(open_ones).all() == []
        told = services.session.execute(
            sa.text("SELECT account, occasion, written_on, facts FROM letter WHERE kind = 'terms' ORDER BY account")
        ).all()
        facts = {
            "version": "2026-06-01", "published_on": "2026-05-01", "effective_on": "2026-06-01", "place": "the site",
        }  # fmt: skip
        assert [tuple(row) for row in told] == [("old", "2026-06-01/1", date(2026, 7, 4), facts)]
