"""The demo: the example month is what its generator writes, and a tenth of its contracts comes out as by hand."""

import csv
import filecmp
import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from keizoku.billing.gateway.simulated import SimulatedGateway
from keizoku.scheduler.app import Services
from keizoku.scheduler.demo.files import BrokenExampleError, read_acts
from keizoku.scheduler.demo.page import demo_page
from keizoku.scheduler.demo.place import MARKER, NotADemoError, clear, examples_dir, pretended_partner
from keizoku.scheduler.demo.play import Played, play, played_until
from keizoku.scheduler.demo.summary import Summary, summarise
from keizoku.sla.claims.claim_views import claim_list
from keizoku.terms.calendar import Month, parse_instant
from keizoku.terms.discretion import Discretion
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules
from tests.conftest import OwnDatabase

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "2026-04"
RULES = Rules(Terms.load(), Discretion())
EVERY = 10
COMMAND = "keizoku explain claim ID"

UNUSABLE = (
    ("2026-04-10 21:10", "2026-04-11 01:00"),  # 3 h 50: the long stop until night begins
    ("2026-04-15 08:30", "2026-04-15 08:48"),  # 18 min: the update's overrun
    ("2026-04-30 23:40", "2026-05-01 00:00"),  # 20 min: of the stop across the end of the month
)
THRESHOLD_SECONDS = 12_960


@dataclass(frozen=True)
class Demo:
    """A tenth of the demo, played once for all tests here."""

    played: Played
    summary: Summary
    outcomes: dict[str, str]
    page: str


@pytest.fixture(scope="module")
def demo(own_database: OwnDatabase) -> Iterator[Demo]:
    with own_database() as engine, closing(SimulatedGateway(engine)) as gateway, engine.connect() as session:
        services = Services(session=session, rules=RULES, gateway=gateway, link_setup=pretended_partner(engine))
        played = play(services, read_acts(EXAMPLE, RULES, EVERY))
        summary = summarise(services, played, played_until())
        claims = claim_list(session, played_until(), Month(2026, 4))
        outcomes = {each.id: each.reason or each.outcome for each in claims}
        yield Demo(played, summary, outcomes, demo_page(services, summary, played_until(), COMMAND))


def test_the_example_month_is_what_its_generator_writes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, EXAMPLE / "generate.py", tmp_path], check=True)
    names = sorted(file.name for file in EXAMPLE.iterdir() if file.suffix in (".csv", ".ics"))
    assert filecmp.cmpfiles(EXAMPLE, tmp_path, names, shallow=False) == (names, [], [])
    committed, written = (str(folder / "observations.parquet") for folder in (EXAMPLE, tmp_path))
    rows = "SELECT user_id, symptom, epoch(started_at), epoch(ended_at) FROM read_parquet(?)"
    with duckdb.connect() as table:
        assert table.execute(rows, [committed]).fetchall() == table.execute(rows, [written]).fetchall()


def test_the_example_month_stays_small() -> None:
    files = [file for file in EXAMPLE.iterdir() if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 1_500_000
    assert len(_table("contracts.csv")) == 2_000


def test_9_4__every_second_of_the_stops_is_in_the_bucket_worked_out_by_hand(demo: Demo) -> None:
    assert {figure.key: figure.value for figure in demo.summary.stops} == {
        "short_stop": 9 * 60 + 20,  # 3 April 14:20:00 to 14:29:20
        "night": 2 * 3_600 + 40 * 60,  # 11 April 01:00 to 03:40
        "announced_update": 2 * 3_600,  # 15 April 06:30 to 08:30, as announced
        "interruption": 0,
        "environment": 0,
        "unusable": 13_800 + 1_080 + 1_200,
    }
    assert demo.summary.unusable_seconds == 16_080
    assert demo.summary.rate == "20%"


def test_9_2__every_claim_comes_out_as_by_hand(demo: Demo) -> None:
    assert demo.outcomes == _expected_outcomes()
    assert set(demo.outcomes.values()) == {"granted", "threshold", "method", "deadline", "not_member"}


def test_9_2__a_fifth_of_the_monthly_fee_for_each_member_whose_claim_is_granted(demo: Demo) -> None:
    plans = {row["account"]: row["plan"] for row in _contracts()}
    accounts = {row["account"] for row in _table("claims.csv") if demo.outcomes.get(row["id"]) == "granted"}
    yen = sum(100 if plans[account] == "premium-monthly" else 89 for account in accounts)  # 88 1/3 rounds up
    summary = demo.summary
    assert summary.value("accounts_credited") == len(accounts)
    assert summary.value("granted_yen") == yen
    assert yen == sum(summary.value(key) for key in ("applied_yen", "refunded_yen", "available_yen"))


def test_every_night_is_certified_and_the_books_balance(demo: Demo) -> None:
    summary = demo.summary
    assert [night.differences for night in demo.played.nights] == [()] * 98
    assert (summary.nights, summary.certificates_ok) == (98, 98)
    assert summary.debit_yen == summary.credit_yen > 0
    assert summary.value("contracts") == 200
    assert summary.value("invoiced") == sum(
        summary.value(key) for key in ("by_credit", "by_card", "by_transfer", "open")
    )


def test_what_came_in_oddly_is_told(demo: Demo) -> None:
    """The edit of the notice that came too late, and the claims of people without a contract."""
    strangers = sum(outcome == "not_member" for outcome in demo.outcomes.values())
    assert len(demo.summary.remarks) == 1 + strangers
    assert sum("premium/9.4.4" in remark for remark in demo.summary.remarks) == 1


def test_api_link__the_links_come_out_as_by_hand(demo: Demo) -> None:
    figures = {figure.key: figure.value for figure in demo.summary.links}
    assert figures.pop("tokens_renewed") > 200  # each night, all that live; and at each use
    assert figures == {
        "links": 4,
        "link_linked": 1,
        "link_refused": 1,
        "link_base_account_closed": 1,
        "link_revoked": 1,
        "secrets_held": 2,
        "fetches": 3,
        "fields_dropped": 2 * 2,  # a name and a valuation, twice
        "orders_sent": 3,
        "orders_unknown": 1,
        "orders_accepted": 3,
        "link_fees": 0,
        "link_letters": 1,
    }
    assert demo.summary.value("ended_delete_user") == 1
    assert "no\n    securities firm is behind it" in demo.page


def test_the_summary_is_json(demo: Demo) -> None:
    told = json.loads(json.dumps(demo.summary.to_json()))
    assert told["gateway"] == "simulated"
    assert told["unusable_seconds"] == 16_080
    assert told["explained_claim"] in demo.outcomes


def words_of(article: str) -> str:
    """An article without what has no language: style, codes, ids, what services remarked, and the product's name."""
    told = article.partition("<header>")[2].partition("<footer>")[0]
    told = re.sub(r"<(style|code|li lang|title|p lang).*?</\1[^>]*>|<li lang=.*?</li>", "", told, flags=re.DOTALL)
    return re.sub(r"SLA|api_link|JST|Keizoku 継続|[cu]\d+", "", told)


def test_the_page_stands_alone(demo: Demo) -> None:
    page = demo.page
    assert page.count('<svg xmlns="http://www.w3.org/2000/svg"') == 2 * 2 * 2  # in each language, for desk and phone
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "試算表" in page
    assert COMMAND in page
    japanese, english = page.split('<article lang="en">')
    assert re.findall(r">([^<]*[a-z]{3,}[^<]*)<", words_of(japanese)) == []
    assert re.findall(r"[\u3040-\u30ff\u4e00-\u9fff]+", words_of(english)) == []


def test_a_folder_that_is_not_a_demos_is_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "postgresql"
    precious.mkdir()
    with pytest.raises(NotADemoError, match=r"not a demo's .*nothing was touched"):
        clear(tmp_path)
    assert list(tmp_path.iterdir()) == [precious]


def test_a_demos_own_folder_is_made_anew_and_only_its_database(tmp_path: Path) -> None:
    clear(tmp_path / "demo")
    old, page = tmp_path / "demo" / "postgresql", tmp_path / "demo" / "demo.html"
    old.mkdir()
    page.touch()
    clear(tmp_path / "demo")
    assert sorted(file.name for file in (tmp_path / "demo").iterdir()) == [MARKER, "demo.html"]


def test_a_file_in_the_place_of_the_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "demo").touch()
    with pytest.raises(NotADemoError, match="is a file"):
        clear(tmp_path / "demo")


def test_a_broken_example_names_file_line_and_reason(tmp_path: Path) -> None:
    for file in EXAMPLE.iterdir():
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "bank.csv").unlink()
    with pytest.raises(BrokenExampleError, match=r"bank\.csv is not there"):
        read_acts(tmp_path, RULES)
    (tmp_path / "bank.csv").write_text("date,amount,payer,reference\n2026-04-01,five,P,u00001\n")
    with pytest.raises(BrokenExampleError, match=r"bank\.csv:2: .*five"):
        read_acts(tmp_path, RULES)


def test_the_examples_are_found_from_the_checkout() -> None:
    assert examples_dir() == EXAMPLE


def _expected_outcomes() -> dict[str, str]:
    """Outcome or reason of every claim of the reduced run, from the files and the hours above alone."""
    contracts = {row["account"]: row for row in _contracts()}
    left_out = {row["account"] for row in _table("contracts.csv")} - contracts.keys()
    claims = [row for row in _table("claims.csv") if row["account"] not in left_out]
    timely: dict[str, list[str]] = defaultdict(list)
    for row in claims:
        if row["received_at"] < "2026-06-01":
            timely[row["account"]].append(row["windows"])
    return {row["id"]: _expected(row, contracts.get(row["account"]), timely[row["account"]]) for row in claims}


def _expected(claim: dict[str, str], contract: dict[str, str] | None, claimed: list[str]) -> str:
    if claim["received_at"] >= "2026-06-01":
        return "deadline"
    if contract is None:
        return "not_member"
    approved_at = parse_instant(contract["approved_at"])
    if contract["method"] == "card":
        card_from = approved_at
    elif contract["fallback"] == "card" and contract["months"] == "1":
        card_from = parse_instant((approved_at + timedelta(days=31)).date())  # approved in March
    else:
        return "method"
    if contract["account"] in _suspended_in_time():
        return "threshold"
    seconds = sum(_claimed_seconds(start, end, card_from, claimed) for start, end in UNUSABLE)
    return "granted" if seconds > THRESHOLD_SECONDS else "threshold"


def _claimed_seconds(start: str, end: str, card_from: datetime, claimed: list[str]) -> int:
    """Seconds of one stop under a card and within what is claimed; the windows of the files never overlap."""
    windows = [window.split("/") for window in claimed[0].split(";")] if all(claimed) else [[start, end]]
    first, last = max(parse_instant(start), card_from), parse_instant(end)
    spans = ((max(first, parse_instant(a)), min(last, parse_instant(b))) for a, b in windows)
    return sum(max(int((b - a).total_seconds()), 0) for a, b in spans)


def _suspended_in_time() -> set[str]:
    """Accounts whose card failed in March and never worked again: suspended ten days later."""
    rows = _table("cards.csv")
    mended = {row["account"] for row in rows if row["outcome"] == "ok"}
    failed = {row["account"] for row in rows if row["from"] < "2026-04-01" and row["outcome"] != "ok"}
    return failed - mended


def _contracts() -> list[dict[str, str]]:
    return _table("contracts.csv")[::EVERY]


def _table(name: str) -> list[dict[str, str]]:
    with (EXAMPLE / name).open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))
