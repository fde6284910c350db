"""The published format of scenario files: every diary of ours fits it, and what it refuses the reader refuses too."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from keizoku.scheduler.scenario.document import read_scenario
from keizoku.scheduler.scenario.json_schema import scenario_schema, schema_text

ROOT = Path(__file__).parents[3]
SCENARIOS = sorted((ROOT / "tests/scenarios").glob("*.yaml"))


class AsWritten(yaml.SafeLoader):
    """As editors read YAML (1.2): a time is a text."""


AsWritten.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":bool"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
AsWritten.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$"), list("tf"))


def says(text: str) -> list[str]:
    """The schema's errors about a file."""
    document: Any = yaml.load(text, AsWritten)  # noqa: S506
    return [error.message for error in Draft202012Validator(scenario_schema()).iter_errors(document)]


def test_the_schema_is_one_and_its_file_is_up_to_date() -> None:
    Draft202012Validator.check_schema(scenario_schema())
    assert (ROOT / "docs/reference/scenario.schema.json").read_text(encoding="utf-8") == schema_text()


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_every_diary_fits_it(path: Path) -> None:
    assert says(path.read_text(encoding="utf-8")) == []


GOOD = SCENARIOS[0].read_text(encoding="utf-8")
APPROVE = "  - {at: 2025-01-10 09:00, approve: {account: a, plan: m, method: card}}"
DIARY = f"""title: t
plans: {{m: {{interval: month, prices: [{{yen: 500, from: 2024-12-02}}]}}}}
timeline:
{APPROVE}
expect:
  - {{at: 2025-01-11, charges: {{account: a, count: 1, yen: 500}}}}
"""


@pytest.mark.parametrize(
    ("instead", "of"),
    [
        ("aprove:", "approve:"),
        ("method: cash", "method: card"),
        ("count: -1", "count: 1"),
        ('yen: "500", from', "yen: 500, from"),
        ("interval: week", "interval: month"),
        ("charges: {count: 1}", "charges: {account: a, count: 1, yen: 500}"),
        ("at: tomorrow, charges", "at: 2025-01-11, charges"),
        ("titel: t", "title: t"),
        ("reject: {account: a, ground: g}, approve:", "approve:"),
        ("refused: 7, approve:", "approve:"),
    ],
)
def test_what_it_refuses_the_reader_refuses_too(instead: str, of: str, tmp_path: Path) -> None:
    assert says(DIARY) == []
    assert of in DIARY
    spoiled = DIARY.replace(of, instead, 1)
    assert says(spoiled)
    file = tmp_path / "diary.yaml"
    file.write_text(spoiled, encoding="utf-8")
    assert read_scenario(file)[0] is None
