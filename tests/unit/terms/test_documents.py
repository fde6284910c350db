"""Generated documents are those of this commit, and no computed clause is without its home and its test."""

import re
from pathlib import Path

import pytest

from keizoku.scheduler.cli.terms.contract_terms import CLAUSE_MAPS, READINGS, load_homes, readings_by_clause
from keizoku.terms.clause_map import clause_map, proofs_under, unhoused
from keizoku.terms.clauses import clauses
from keizoku.terms.policy import Terms
from keizoku.terms.readings import readings_page
from keizoku.terms.refusal import reference

ROOT = Path(__file__).parents[3]


def test_every_computed_clause_has_one_home_and_a_test() -> None:
    known, homes = {**clauses(), **clauses("api_link")}, load_homes()
    assert unhoused(known, homes, proofs_under(ROOT / "tests", known)) == []
    assert {clause: found for clause, found in homes.items() if len(found) > 1} == {}
    assert sorted(set(homes) - set(known)) == []


def test_no_module_that_decides_is_outside_the_packages_that_are_searched() -> None:
    rooms = ("billing", "db", "link", "scheduler", "sla", "terms", "web")
    sources = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
    deciding = [path for path in sources if re.search(r"^ *@decides\(", path.read_text(encoding="utf-8"), re.MULTILINE)]
    modules = [".".join(("keizoku", *path.relative_to(ROOT).with_suffix("").parts)) for path in deciding]
    found = [place for places in load_homes().values() for place in places]
    assert modules
    assert [each for each in modules if not any(place.startswith(f"{each}.") for place in found)] == []


@pytest.mark.parametrize("contract", CLAUSE_MAPS)
def test_the_clause_map_is_up_to_date(contract: str) -> None:
    known = clauses(contract)
    proofs = proofs_under(ROOT / "tests", known)
    text = clause_map(known, load_homes(), proofs, readings_by_clause(contract), READINGS[contract].name)
    assert (ROOT / CLAUSE_MAPS[contract]).read_text(encoding="utf-8") == text


@pytest.mark.parametrize("contract", READINGS)
def test_the_page_of_readings_is_up_to_date(contract: str) -> None:
    text = readings_page(Terms.load(contract).versions[-1].readings, contract)
    assert (ROOT / READINGS[contract]).read_text(encoding="utf-8") == text


def test_the_page_of_refusals_is_up_to_date() -> None:
    assert (ROOT / "docs/reference/refusals.md").read_text(encoding="utf-8") == reference()
