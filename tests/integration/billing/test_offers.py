"""Offers are kept with the applications that accept them; a store's stop, and its charges after the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date

import pytest
import sqlalchemy as sa

from keizoku.billing.rules.price_catalog import ShownOffer
from keizoku.db.tables.money import review_task
from keizoku.scheduler import cli
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.terms.calendar import parse_instant
from keizoku.terms.discretion import Discretion
from keizoku.terms.policy import Terms
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules
from tests.worlds.pages import database_of_the_settings
from tests.worlds.world import open_world, rows_found, services_on

MAY = parse_instant("2026-05-24 09:00")
RULES = Rules(Terms.load("premium"), Discretion(offer_valid_days=14))


@pytest.fixture
def services(engine: sa.Engine) -> Iterator[Services]:
    with services_on(engine, RULES) as opened:
        open_world(opened)
        opened.billing.price(
            "monthly",
            600,
            announced=date(2026, 5, 1),
            for_new_from=date(2026, 5, 25),
            for_renewals_from=date(2026, 6, 1),
            now=parse_instant("2026-05-01 09:00"),
        )
        yield opened


def test_3_2__what_was_shown_is_kept_once_and_every_application_points_at_it(services: Services) -> None:
    billing = services.billing
    offer = billing.offer("monthly", now=MAY)
    for account in ("a", "b"):
        billing.register(account, "monthly", "card", now=MAY)
    later = parse_instant("2026-05-25 09:00")
    billing.register("c", "monthly", "card", offer=offer.digest, shown_at=MAY, now=later)
    billing.register("d", "monthly", "card", now=later)
    kept = rows_found(services, "SELECT account, digest = '" + offer.digest + "', price_yen FROM offer_shown "
                "JOIN offer USING (digest) ORDER BY account")  # fmt: skip
    assert kept == [("a", True, 500), ("b", True, 500), ("c", True, 500), ("d", False, 600)]
    assert rows_found(services, f"SELECT content FROM offer WHERE digest = '{offer.digest}'") == [(offer.content(),)]
    for account in ("a", "b", "c", "d"):
        billing.approve(account, now=parse_instant("2026-05-26 09:00"))
    assert rows_found(
        services, "SELECT account, price_yen FROM term WHERE account IN ('a', 'b', 'c', 'd') ORDER BY 1"
    ) == [
        ("a", 500),
        ("b", 500),
        ("c", 500),
        ("d", 600),
    ]


def test_3_2__an_application_names_what_was_on_offer_or_is_refused(services: Services) -> None:
    billing = services.billing
    stale = billing.offer("monthly", now=MAY).digest
    june = parse_instant("2026-06-08 09:00")
    with pytest.raises(Refused, match=f"'{stale}' is not what was on offer on 2026-06-08"):
        billing.register("a", "monthly", "card", offer=stale, now=june)
    with pytest.raises(Refused, match="could be accepted until 2026-06-07, not on 2026-06-08"):
        billing.register("a", "monthly", "card", offer=stale, shown_at=MAY, now=june)
    with pytest.raises(Refused, match="the offer was shown after it was accepted"):
        billing.register("a", "monthly", "card", shown_at=june, now=MAY)
    assert rows_found(services, "SELECT count(*) FROM contract WHERE account = 'a'") == [(0,)]


def test_3_3__an_outlived_offer_is_shown_anew_and_its_price_then_holds(services: Services) -> None:
    billing = services.billing
    billing.register("a", "monthly", "card", now=MAY)
    june = parse_instant("2026-06-08 09:00")
    with pytest.raises(
        Refused, match=r"what it was shown on 2026-05-24 \(500 yen\) could be accepted until"
    ) as refused:
        billing.approve("a", now=june)
    assert refused.value.code == "offer.outlived"
    offer = billing.offer("monthly", now=june)
    assert billing.show_again("a", now=june) == ShownOffer(600, date(2026, 6, 8), offer.digest)
    billing.approve("a", now=june)
    assert rows_found(services, "SELECT price_yen FROM term WHERE account = 'a'") == [(600,)]
    with pytest.raises(Refused, match="no application is waiting"):
        billing.show_again("a", now=june)


def test_3_2__what_was_kept_cannot_be_rewritten(services: Services) -> None:
    services.billing.register("a", "monthly", "card", now=MAY)
    for change in ("UPDATE offer SET price_yen = 1", "DELETE FROM offer_shown", "UPDATE offer_shown SET account = 'b'"):
        with pytest.raises(sa.exc.DBAPIError):
            services.session.execute(sa.text(change))
        services.session.rollback()
    bad = "INSERT INTO offer (digest, price_yen, content, recorded_at) VALUES (repeat('a', 64), 5, '{}', now())"
    with pytest.raises(sa.exc.IntegrityError, match="price_of_content"):
        services.session.execute(sa.text(bad))
    services.session.rollback()


def test_6_1__a_store_that_charges_an_ended_contract_is_a_task_with_its_figures(services: Services) -> None:
    billing = services.billing
    billing.approve("s", "monthly", "app_store", now=parse_instant("2026-03-05 10:00"))
    assert billing.store_stop("s", now=parse_instant("2026-03-20 10:00")) == date(2026, 4, 5)
    run_night(services, date(2026, 4, 5), now=parse_instant("2026-04-05 02:30"))
    billing.store_report("s", date(2026, 4, 5), 500, 75, now=parse_instant("2026-05-10 10:00"))
    tasks = services.session.execute(
        sa.select(review_task.c.subject, review_task.c.detail).where(review_task.c.kind == "store_charged_after_end")
    ).all()
    assert [tuple(each) for each in tasks] == [
        (
            "account s term 2026-04-05",
            {
                "account": "s",
                "ended_on": "2026-04-05",
                "store": None,
                "term": "2026-04-05",
                "yen": 500,
                "fee_yen": 75,
                "payout_id": None,
                "why": "the store charged 500 yen for 2026-04-05; the contract ended on 2026-04-05",
            },
        )
    ]
    assert rows_found(services, "SELECT count(*) FROM store_report") == [(0,)]


def test_3_2__the_offer_is_printed_in_both_languages_with_its_digest(
    engine_for_schema: Callable[[], sa.Engine], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    database_of_the_settings(engine_for_schema, monkeypatch)

    def run(*words: str) -> str:
        with pytest.raises(SystemExit) as ended:
            cli.main(words)
        assert ended.value.code == 0, capsys.readouterr().err
        return capsys.readouterr().out

    run("plan", "add", "monthly", "month")
    dates = ("--announced", "2024-12-02", "--new-from", "2024-12-02", "--renewals-from", "2024-12-02")
    run("price", "add", "monthly", "500", *dates)
    printed = json.loads(run("offer", "monthly", "--json"))
    assert set(printed) == {"digest", "offer", "text"}
    assert printed["offer"]["price_yen"] == 500
    assert len(printed["text"]) == 7
    assert "500円(税込み" in run("offer", "monthly", "--lang", "ja")
    assert printed["digest"] in run("offer", "monthly", "--lang", "en").replace("\n", "")
    run("contract", "apply", "a", "--plan", "monthly", "--method", "card", "--offer", printed["digest"])
    again = json.loads(run("contract", "show-again", "a", "--offer", printed["digest"], "--json"))
    assert (again["account"], again["price_yen"], again["digest"]) == ("a", 500, printed["digest"])
