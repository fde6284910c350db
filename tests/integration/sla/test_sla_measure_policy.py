"""`keizoku sla measure --policy`: the same evidence, measured by another SLA too."""

import json
from pathlib import Path
from typing import Any

import pytest

from keizoku.scheduler.cli import main
from keizoku.terms.stated.sla_policy import PUBLIC, public_policies

EXAMPLES = Path(__file__).parents[3] / "examples" / "2026-04"
INCIDENTS = (
    "id,from,to,affected,cause,ground,author\n"
    "small,2026-04-10 09:00,2026-04-10 10:00,30,fault,,suzuki\n"
    "update,2026-04-20 10:00,2026-04-20 11:00,900,system_update,release,suzuki\n"
)
COUNTS = "from,to,affected,total\n2026-04-12 12:00,2026-04-12 13:00,5,50\n"
OWN = """
name = "own"
title = "Our own"
weight = "affected_ratio"
unknown = "up"
[source]
name = "made up"
last_checked_on = 2026-04-01
[subject]
of = "all users"
signal = "users unable"
[predicate]
comparator = ">="
threshold = "0.03"
population = "users"
[[exclusions]]
kind = "cause"
name = "update"
causes = ["system_update"]
[period]
kind = "month"
zone = "Asia/Tokyo"
[metric]
kind = "seconds"
promised = { at_most = 600 }
[[tiers]]
above = 600
credit = { kind = "step", rate = "0.15" }
[claim]
kind = "days"
after = 30
[settlement]
kind = "later_invoice"
fee = "monthly fee"
"""


@pytest.fixture(autouse=True)
def _nobodys_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEIZOKU_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")


def ended(*arguments: object) -> int:
    with pytest.raises(SystemExit) as end:
        main(["sla", "measure", *map(str, arguments)])
    return int(end.value.code or 0)


def measured(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    ended(*arguments, "--json")
    return json.loads(capsys.readouterr().out)


def written(name: str, text: str) -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


@pytest.mark.parametrize("users", [1_000, 40_000])
@pytest.mark.parametrize("policy", ["article-9", str(PUBLIC / "article-9.toml")])
def test_article_9__the_statement_counts_the_seconds_of_the_contract_on_the_example_month(
    capsys: pytest.CaptureFixture[str], users: int, policy: str
) -> None:
    evidence: list[object] = ["--month", "2026-04", "--population", users]
    evidence += ["--observations", EXAMPLES / "observations.parquet"]
    evidence += ["--incidents", EXAMPLES / "incidents.csv", "--notices", EXAMPLES / "notices.ics"]
    by_contract = measured(capsys, *evidence)
    both = measured(capsys, *evidence, "--policy", policy)
    stated = both.pop("policy")
    assert both == by_contract
    assert (stated["name"], stated["from"], stated["to"]) == (
        "article-9",
        "2026-04-01T00:00:00+09:00",
        "2026-05-01T00:00:00+09:00",
    )
    assert stated["stop_windows"] == both["stop_windows"]
    assert stated["counted_windows"] == both["unusable_windows"]
    ours = {"short_stop": "too_short", "unusable": "counted"}
    assert stated["waterfall"] == {"partial_step": 0} | {
        ours.get(bucket, bucket): seconds for bucket, seconds in both["waterfall"].items()
    }
    assert (stated["tier"], stated["credit"], stated["refused"]) == (1, {"rate": "0.2", "days": 0}, None)


def test_another_share_of_the_users_and_a_weight_by_them(capsys: pytest.CaptureFixture[str]) -> None:
    seen = "user_id,symptom,started_at,ended_at\n"
    seen += "".join(f"u{n},site,2026-04-15 12:00,2026-04-15 12:10\n" for n in range(40))
    seen += "".join(f"u{n},login,2026-04-15 12:05,2026-04-15 12:20\n" for n in range(35))
    evidence: list[object] = ["--month", "2026-04", "--population", 1_000]
    evidence += ["--incidents", written("incidents.csv", INCIDENTS)]
    evidence += ["--observations", written("seen.csv", seen), "--counts", written("counts.csv", COUNTS)]
    both = measured(capsys, *evidence, "--policy", written("own.toml", OWN))
    assert both["unusable_windows"] == [
        ["2026-04-12T12:00:00+09:00", "2026-04-12T13:00:00+09:00"],
        ["2026-04-20T10:00:00+09:00", "2026-04-20T11:00:00+09:00"],
    ]
    stated = both["policy"]
    assert stated["waterfall"] == {"too_short": 0, "update": 3_600, "partial_step": 0, "counted": 8_400}
    # 30 of 1,000 for an hour, 5 of 50 for an hour, 40 of 1,000 for ten minutes, then 35 for ten more
    assert (stated["down"], stated["figure"]) == ("513", "513")
    assert (stated["kept"], stated["tier"], stated["credit"]) == (True, None, {"rate": "0", "days": 0})
    assert stated["claim_before"] == "2026-05-31T00:00:00+09:00"


@pytest.mark.parametrize("name", [policy.name for policy in public_policies()])
def test_every_example_is_measured_and_drawn(capsys: pytest.CaptureFixture[str], name: str) -> None:
    incidents = written("incidents.csv", INCIDENTS)
    assert ended("--month", "2026-04", "--population", 1_000, "--incidents", incidents, "--policy", name) == 0
    shown = capsys.readouterr().out
    assert f"\n{name} " in shown
    for row in ("period", "figure", "promise", "tier", "credit", "claim before"):
        assert f"\n{row} " in shown


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("nifclod", "--policy: no policy 'nifclod'; nearest: nifcloud (`keizoku terms policies` lists them)"),
        ("none.toml", "--policy: none.toml: No such file or directory"),
        ("own.toml", "--policy: own.toml: predicate.comparator: Input should be '>' or '>='"),
    ],
)
def test_what_is_no_policy_is_one_line_with_file_key_and_rule(
    capsys: pytest.CaptureFixture[str], policy: str, said: str
) -> None:
    written("own.toml", OWN.replace('">="', '"<"'))
    assert ended("--month", "2026-04", "--population", 1_000, "--policy", policy) == 2
    assert capsys.readouterr().err.replace("\n", "") == f"error: {said}"
