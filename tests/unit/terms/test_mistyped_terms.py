"""Own terms of wrong types, anywhere in any of their files, are findings: never a trace (every node is tried)."""

import tomllib
from collections.abc import Iterator
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from keizoku.terms.files import BadTermsError, VersionFiles, read_version
from keizoku.terms.own_versions import with_own_versions
from keizoku.terms.policy import Terms, make_version, policy_flaws

PREMIUM = Path(__file__).parents[3] / "terms" / "premium"
STRANGE: tuple[Any, ...] = (
    1,
    -1,
    10**30,
    True,
    "",
    "x",
    "1/0",
    "nan",
    "1e9999999999",
    "٣",
    "0." + "1" * 5_000,
    [],
    ["x"],
    [[1]],
    [{}],
    {},
    {"x": 1},
    {"value": "1/0", "clause": "x"},
    {"value": [1], "clause": "x"},
    {"value": 1, "clause": ["x"]},
    date(2027, 1, 1),
)


def _places(table: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    nodes = table.items() if isinstance(table, dict) else enumerate(table) if isinstance(table, list) else ()
    for name, value in nodes:
        yield (*path, name)
        yield from _places(value, (*path, name))


def _with(table: dict[str, Any], place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed = deepcopy(table)
    node: Any = changed
    for name in place[:-1]:
        node = node[name]
    node[place[-1]] = value
    return changed


def _parts() -> dict[str, dict[str, Any]]:
    names = {"main": "2024-12-02.toml", "clauses": "2024-12-02.clauses.toml", "readings": "2024-12-02.readings.toml"}
    return {part: tomllib.loads((PREMIUM / name).read_text(encoding="utf-8")) for part, name in names.items()}


def _is_refused(files: VersionFiles) -> bool:
    try:
        make_version(files)
    except BadTermsError as error:
        return "\n" not in str(error) or pytest.fail(str(error))
    return False


def _version(main: dict[str, Any], clauses: dict[str, Any], readings: dict[str, Any]) -> VersionFiles:
    numbers = {name: table for name, table in main.items() if name != "contract"}
    day = date(2027, 4, 1)
    return VersionFiles("premium", "2027-04-01", day, None, main["contract"], numbers, clauses, readings)


@pytest.mark.parametrize("part", ["main", "clauses", "readings"])
def test_a_value_of_any_type_anywhere_is_refused_in_one_line_or_taken(part: str) -> None:
    parts = _parts()
    places = [each for each in _places(parts[part]) if part == "main" or len(each) < 3]
    if part != "main":
        places = places[:15]
    refused = 0
    for number, place in enumerate(places):
        for strange in STRANGE[number % 4 :: 4]:  # every kind of place meets every strange value
            changed = {**parts, part: _with(parts[part], place, strange)}
            if not isinstance(changed["main"].get("contract"), dict):
                continue  # read_version looks at it first: below
            files = _version(**changed)
            policy_flaws(files)
            refused += _is_refused(files)
    assert refused > len(places)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('contract = "x"\n', "[contract] is a table"),
        ("contract = 1\n", "[contract] is a table"),
        ("[[contract]]\nname = 'premium'\n", "[contract] is a table"),
        ("[contract]\nname = ['premium']\n", "[contract] says"),
        ("[contract]\nname = 'premium'\nversion = '2027-04-01'\nin_force_from = 1\n", "needs in_force_from"),
        ("x = " + "[" * 3_000 + "]" * 3_000 + "\n", "nested"),
        ("\x00", "2027-04-01.toml"),
        ("[contract]\n\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), "2027-04-01.toml"),
    ],
)
def test_a_main_file_that_is_none_is_refused_in_one_line(tmp_path: Path, written: str, said: str) -> None:
    path = tmp_path / "2027-04-01.toml"
    path.write_bytes(written.encode("latin-1"))
    with pytest.raises(BadTermsError) as refused:
        read_version("premium", path)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "line",
    ["sla = 1", 'sla = "x"', "[[sla]]\nx = 1", 'tax = "10"', "late_interest = []", '[late_interest]\nrate = "1/0"'],
)
def test_an_own_version_with_a_section_of_another_type_is_a_finding(tmp_path: Path, line: str) -> None:
    about = '[contract]\nname = "premium"\nversion = "2027-04-01"\ntitle = "t"\n'
    about += "in_force_from = 2027-04-01\nlast_checked_on = 2027-01-01\n"
    text = f"{line}\n{about}" if not line.startswith("[") else f"{about}\n{line}\n"
    (tmp_path / "2027-04-01.toml").write_text(text, encoding="utf-8")
    for part in ("clauses", "readings"):
        source = (PREMIUM / f"2024-12-02.{part}.toml").read_text(encoding="utf-8")
        (tmp_path / f"2027-04-01.{part}.toml").write_text(source, encoding="utf-8")
    _, findings = with_own_versions(Terms.load("premium"), tmp_path)
    assert findings
    assert all("\n" not in f"{each.value}{each.rule}{each.remedy}" for each in findings)
