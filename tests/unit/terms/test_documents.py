"""Generated documents are those of this commit, and no computed clause is without its home and its test."""

from pathlib import Path

from keizoku.scheduler.cli.terms.contract_terms import load_homes
from keizoku.terms.clause_map import clause_map, proofs_under, unhoused
from keizoku.terms.clauses import clauses
from keizoku.terms.policy import Terms
from keizoku.terms.readings import readings_page
from keizoku.terms.refusal import reference

ROOT = Path(__file__).parents[3]


def test_every_computed_clause_has_one_home_and_a_test() -> None:
    known, homes = clauses(), load_homes()
    assert unhoused(known, homes, proofs_under(ROOT / "tests", known)) == []
    assert {clause: found for clause, found in homes.items() if len(found) > 1} == {}
    assert sorted(set(homes) - set(known)) == []


def test_the_clause_map_is_up_to_date() -> None:
    known = clauses()
    text = clause_map(known, load_homes(), proofs_under(ROOT / "tests", known))
    assert (ROOT / "docs/clause-map.md").read_text(encoding="utf-8") == text


def test_the_page_of_readings_is_up_to_date() -> None:
    text = readings_page(Terms.load("premium").versions[-1].readings)
    assert (ROOT / "docs/why/readings.md").read_text(encoding="utf-8") == text


def test_the_page_of_refusals_is_up_to_date() -> None:
    assert (ROOT / "docs/reference/refusals.md").read_text(encoding="utf-8") == reference()
