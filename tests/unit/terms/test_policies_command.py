"""`keizoku terms`: lint, policies, policy."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path

import pytest

from keizoku.scheduler.cli.shared.output import UserError
from keizoku.scheduler.cli.terms import contract_terms as command
from keizoku.terms.stated.sla_policy import PUBLIC
from tests.worlds.command_line import run_of

run = partial(run_of, command.app)


def test_lint_names_each_finding_and_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(PUBLIC / "github.toml")
    assert run("lint", path) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert [line.removeprefix(f"{path}: ") for line in told.err.splitlines()] == [
        "u = exactly 99: gap: the promise is broken and no tier takes it; widen a tier",
        (
            "u = exactly 99.9: overlap: the promise is kept and tier 1 owes a credit; "
            "let the promise end where the tier begins"
        ),
    ]


def test_lint_speaks_json(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(PUBLIC / "github.toml")
    assert run("lint", path, "--json") == 1
    assert json.loads(capsys.readouterr().out)[0] == {
        "source": path,
        "line": None,
        "value": "u = exactly 99",
        "rule": "gap: the promise is broken and no tier takes it",
        "remedy": "widen a tier",
    }
    assert run("lint", str(PUBLIC / "supabase.toml"), "--json") == 0
    assert json.loads(capsys.readouterr().out) == []


def test_lint_says_so_when_nothing_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(PUBLIC / "article-9.toml")
    assert run("lint", path) == 0
    assert capsys.readouterr().out == f"{path}: nothing found\n"


@pytest.mark.parametrize("text", ["not = [toml", 'name = "x"'])
def test_lint_of_what_is_no_sla_is_one_line_and_exit_code_2(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    for unreadable in (path, tmp_path, tmp_path / "none.toml"):
        with pytest.raises(UserError) as mistake:
            run("lint", str(unreadable))
        assert mistake.value.code == 2
        assert "\n" not in str(mistake.value)


def test_policies_lists_the_examples_with_their_main_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("policies", "--json") == 0
    listed = {policy["name"]: policy for policy in json.loads(capsys.readouterr().out)}
    assert len(listed) == 23
    assert listed["google-workspace"]["tiers"][2]["credit"] == {"kind": "days", "days": 15}
    assert run("policies") == 0
    told = capsys.readouterr().out
    assert "99 <= u < 99.9: 3 days" in told
    assert "by day 15 of the 1st month after the incident" in told
    assert "by the end of the 2nd billing cycle after the incident" in told


@pytest.mark.parametrize("path", sorted(PUBLIC.glob("*.toml")), ids=lambda path: path.stem)
def test_policy_shows_every_dimension(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("policy", path.stem) == 0
    told = capsys.readouterr().out
    for dimension in ("subject", "predicate", "weight", "duration", "unknown", "period", "metric", "claim", "cap"):
        assert f"\n{dimension} " in told
    assert run("policy", path.stem, "--json") == 0
    assert json.loads(capsys.readouterr().out)["name"] == path.stem


def test_policy_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("policy", "article-9") == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    for line in (
        "predicate > 5 % of all registered users",
        "duration at least 600 s, judged on the whole stop",
        "exclusion night: 01:00–06:00 Asia/Tokyo",
        "exclusion announced_update: announced 5 clear days ahead, only system_update",
        "metric seconds in the period; promised u <= 12960",
        "tier 12960 < u <= 25920: 20 %",
        "claim by the end of the 1st month after the period",
        "eligibility card",
    ):
        assert line in lines


def test_an_unknown_policy_names_the_nearest() -> None:
    with pytest.raises(UserError, match="no policy 'nifclod'; nearest: nifcloud") as mistake:
        run("policy", "nifclod")
    assert mistake.value.code == 2


def test_the_evaluation_on_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = Path(__file__).parents[3] / "docs" / "how-to" / "policies.md"
    (code,) = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    exec(code, {})  # noqa: S102  # our own page
    figure = "3595/36"  # 100 % less 1 hour of 720
    assert capsys.readouterr().out == f"{figure} Credit(rate=Fraction(1, 10), days=0) 2027-07-15 15:00:00+00:00\n"
