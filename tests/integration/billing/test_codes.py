"""Coupons and product keys: issued, redeemed once, expired, revoked, and what the books say (premium/5.1.1.b)."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from keizoku.billing.accounts.account_views import contract_view, journal_view
from keizoku.billing.contracts.code_batches import BatchOrder, batches
from keizoku.billing.contracts.prepaid_report import unused_balances
from keizoku.billing.rules.codes import Code
from keizoku.scheduler.app import Services
from keizoku.scheduler.cli.contracts.codes import _write
from keizoku.scheduler.cli.shared.output import UserError
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.terms.calendar import parse_instant
from keizoku.terms.refusal import Refused
from tests.worlds.world import open_world, services_on

NOW = parse_instant("2026-03-26 10:00")


def issue(services: Services, codes: int = 3, *, now: datetime = NOW, **more: object) -> list[Code]:
    """A batch of two-month keys, 400 yen a month, to be redeemed by the end of April."""
    printed: list[Code] = []
    facts: dict[str, object] = {"name": "spring", "kind": "product_key", "plan": "monthly", "months": 2, "yen": 800}
    facts["sold"] = codes if more.get("kind", "product_key") == "product_key" else 0
    order = BatchOrder(**{**facts, "expires_on": date(2026, 4, 30), **more}, codes=codes)  # type: ignore[arg-type]
    services.billing.issue_codes(order, printed.extend, by="keiri", now=now)
    return printed


def balances(services: Services) -> object:
    return journal_view(services.session)["balances"]


def counts(services: Services, kind: str = "product_key") -> list[tuple[int, ...]]:
    names = ("codes", "used", "held", "expired", "revoked", "open", "liability_yen")
    return [tuple(each[name] for name in names) for each in batches(services.session, kind)]


def test_5_1_1_b__a_key_is_sold_redeemed_and_used_at_the_price_at_which_it_was_sold(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        open_world(services)
        first, second, third = issue(services)
        assert balances(services) == {"1131": 2_400, "2125": -2_400}
        services.billing.redeem("taro", str(first).lower(), now=NOW)
        assert counts(services) == [(3, 0, 1, 0, 0, 2, 2_400)]
        with pytest.raises(Refused, match=r"code 0001…\w{3}: it was redeemed on 2026-03-26"):
            services.billing.redeem("jiro", str(first), now=NOW)
        services.billing.reject("taro", "duplicate", now=NOW)
        services.billing.redeem("jiro", str(first), now=NOW)  # it was free again
        services.billing.approve("jiro", now=NOW)
        assert counts(services) == [(3, 1, 0, 0, 0, 2, 1_600)]
        # one term of 400 has begun, one of 400 is still a key's
        assert balances(services) == {"1131": 2_400, "2120": -400, "2125": -2_000}
        services.billing.redeem("hanako", str(second), now=parse_instant("2026-04-30 23:59"))
        with pytest.raises(Refused, match="it could be redeemed until 2026-04-30"):
            services.billing.check_code(str(third), now=parse_instant("2026-05-01 00:00"))
        results = [
            run_night(services, on, parse_instant(f"{on} 02:30")) for on in (date(2026, 5, 1), date(2026, 5, 26))
        ]
        assert [result.certificate for result in results] == ["ok", "ok"]
        # the third expired on 1 May; jiro's second term began on 26 April and is over
        assert counts(services) == [(3, 1, 1, 1, 0, 0, 800)]
        assert balances(services) == {
            "1131": 2_400, "2120": 0, "2125": -800, "2170": -72, "4110": -728, "7120": -800,
        }  # fmt: skip
        assert contract_view(services.session, services.rules, "jiro", parse_instant("2026-05-26 12:00"))[
            "ended_on"
        ] == date(2026, 5, 26)
        services.billing.reject("hanako", "duplicate", now=parse_instant("2026-05-26 09:00"))
        assert run_night(services, date(2026, 5, 27), parse_instant("2026-05-27 02:30")).certificate == "ok"
        assert counts(services) == [(3, 1, 0, 2, 0, 0, 0)]


def test_5_1_1_b__of_two_who_redeem_one_code_at_once_one_does(engine: sa.Engine) -> None:
    start = threading.Barrier(4)
    outcomes: list[str] = []

    def redeem(account: str, code: str) -> None:
        with services_on(engine) as services:
            start.wait(60)
            try:
                services.billing.redeem(account, code, now=NOW)
                outcomes.append("redeemed")
            except Refused as refused:
                outcomes.append(str(refused).partition(": ")[2])

    with services_on(engine) as services:
        open_world(services)
        (code,) = issue(services, 1)
        services.session.rollback()
        threads = [threading.Thread(target=redeem, args=(f"u{number}", str(code))) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(outcomes) == ["it was redeemed on 2026-03-26"] * 3 + ["redeemed"]
        assert counts(services) == [(1, 0, 1, 0, 0, 0, 800)]
        waiting = services.session.execute(sa.text("SELECT count(*) FROM contract")).scalar_one()
        assert waiting == 1


def test_5_1_1_b__a_revoked_batch_pays_its_buyer_back_and_leaves_what_was_redeemed(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        open_world(services)
        first, second, _ = issue(services)
        services.billing.redeem("taro", str(first), now=NOW)
        services.billing.approve("taro", now=NOW)
        assert services.billing.revoke_batch("spring", "product_key", by="keiri", ground="printed twice", now=NOW) == 2
        assert balances(services) == {"1131": 800, "2120": -400, "2125": -400}
        with pytest.raises(Refused, match="its batch was revoked on 2026-03-26"):
            services.billing.redeem("jiro", str(second), now=NOW)
        for name, kind, message in (
            ("spring", "product_key", "no code of it is left to revoke"),
            ("spring", "coupon", "is not known; there are: none yet"),
        ):
            with pytest.raises(Refused, match=message):
                services.billing.revoke_batch(name, kind, by="keiri", ground="again", now=NOW)
        assert run_night(services, date(2026, 3, 27), parse_instant("2026-03-27 02:30")).certificate == "ok"


def test_5_1_1_b__a_coupon_is_free_and_posts_nothing(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        open_world(services)
        first, _ = issue(services, 2, name="welcome", kind="coupon", yen=None)
        services.billing.redeem("taro", str(first), fallback="card", now=NOW)
        services.billing.approve("taro", now=NOW)
        assert run_night(services, date(2026, 5, 1), parse_instant("2026-05-01 02:30")).certificate == "ok"
        assert (balances(services), counts(services, "coupon")) == ({}, [(2, 1, 0, 1, 0, 0, 0)])
        assert run_night(services, date(2026, 5, 26), parse_instant("2026-05-26 02:30")).certificate == "ok"
        assert balances(services) == {"1131": 500, "1140": 0, "2120": -500}


def test_5_1_1_b__a_batch_that_cannot_be_is_refused(engine: sa.Engine) -> None:
    wrong: list[tuple[dict[str, object], str]] = [
        ({"codes": 0}, "1 to 1,000,000 codes, not 0"),
        ({"expires_on": date(2026, 3, 25)}, "its last day, 2026-03-25, is over already"),
        ({"plan": "weekly"}, "plan 'weekly' is not known"),
        ({"plan": "yearly"}, "2 months do not pay for whole terms of one year"),
        ({"yen": 801}, "a key of 801 yen does not pay 2 terms of whole yen each"),
        ({"yen": 0}, "what is given away is a coupon"),
        ({"kind": "coupon"}, "a coupon is free"),
        ({"name": " "}, "a batch has a name"),
    ]
    with services_on(engine) as services:
        open_world(services)
        for more, message in wrong:
            with pytest.raises(Refused, match=message):
                issue(services, **more)  # type: ignore[arg-type]
        assert batches(services.session, "product_key") == []
        issue(services)
        with pytest.raises(Refused, match="a batch of this name was issued before"):
            issue(services)


def test_5_1_1_b__codes_are_handed_out_once_or_not_issued(engine: sa.Engine, tmp_path: Path) -> None:
    out = tmp_path / "keys.txt"
    with services_on(engine) as services:
        open_world(services)

        def write(codes: Sequence[Code]) -> None:
            _write(out, codes)

        order = BatchOrder("spring", "product_key", "monthly", 12, 5, date(2027, 3, 31))
        services.billing.issue_codes(order, write, by="keiri", now=NOW)
        printed = out.read_text(encoding="ascii").split()
        assert len(set(printed)) == 5
        assert out.stat().st_mode & 0o777 == 0o600
        assert services.billing.check_code(printed[4], now=NOW).months == 12
        assert batches(services.session, "product_key")[0]["yen"] == 6_000  # the plan's price
        kept = services.session.execute(sa.text("SELECT digest FROM code")).scalars().all()
        assert not any(code.replace("-", "").encode() in digest for code in printed for digest in kept)
        with pytest.raises(UserError, match="is there already"):
            services.billing.issue_codes(replace(order, name="summer"), write, by="keiri", now=NOW)
        assert [each["batch"] for each in batches(services.session, "product_key")] == ["spring"]


def test_5_1_1_b__keys_are_booked_when_they_are_sold_and_what_was_not_sold_is_no_income(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        open_world(services)
        first, *_ = issue(services, 10, sold=0, expires_on=date(2026, 10, 30))
        assert balances(services) == {}
        for codes, message in ((0, "not 0"), (11, "between 1 and 10 keys can be sold, not 11")):
            with pytest.raises(Refused, match=message):
                services.billing.sell_keys("spring", codes, by="keiri", now=NOW)
        assert services.billing.sell_keys("spring", 3, buyer="a shop", by="keiri", now=NOW) == 2_400
        assert (balances(services), counts(services)) == (
            {"1131": 2_400, "2125": -2_400},
            [(10, 0, 0, 0, 0, 10, 2_400)],
        )
        services.billing.redeem("taro", str(first), now=NOW)
        services.billing.approve("taro", now=NOW)
        found = unused_balances(services.session, date(2026, 3, 31))
        assert (found.unused_yen, found.terms_yen, found.ledger_yen, found.above_threshold) == (
            1_600,
            400,
            2_000,
            False,
        )
        [spring] = found.batches
        assert (spring.sold, spring.sold_in_period, spring.used, spring.unused, spring.exempt) == (3, 3, 1, 2, False)
        with pytest.raises(Refused, match="2026-03-30 is no base date"):
            unused_balances(services.session, date(2026, 3, 30))
        assert services.billing.revoke_batch("spring", "product_key", by="keiri", ground="we stop it", now=NOW) == 9
        assert balances(services) == {"1131": 800, "2120": -400, "2125": -400}
        assert run_night(services, date(2026, 3, 27), parse_instant("2026-03-27 02:30")).certificate == "ok"


def test_5_1_1_b__a_key_that_is_used_and_was_never_sold_is_sold_that_day(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        open_world(services)
        first, *_ = issue(services, 3, sold=0)
        services.billing.redeem("taro", str(first), now=NOW)
        services.billing.approve("taro", now=NOW)
        assert balances(services) == {"1131": 800, "2120": -400, "2125": -400}
        assert run_night(services, date(2026, 5, 1), parse_instant("2026-05-01 02:30")).certificate == "ok"
        assert counts(services) == [(3, 1, 0, 2, 0, 0, 0)]
        assert "7120" not in balances(services)  # type: ignore[operator]
