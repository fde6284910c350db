"""The figures of the long run: their tables."""

import json
from pathlib import Path

from tests.soak import BEGIN, END, FIGURES, PAGE, as_text, keep

REPOSITORY = Path(__file__).parents[2]


def test_the_figures_of_a_part_take_the_place_of_those_kept_before(tmp_path: Path) -> None:
    figures, page = tmp_path / "soak.json", tmp_path / "page.md"
    page.write_text(f"before {BEGIN} old {END} after")
    keep({"kills": {"seed": 1_234, "differences": ["cut at 3: term", "cut at 9: line"]}}, figures, page)
    keep({"nights": {"nights": 1_000, "faults": {"lost": 1_200, "late": 3}}}, figures, page)
    keep({"kills": {"seed": 5_678, "differences": []}}, figures, page)
    assert page.read_text() == (
        f"before {BEGIN}\n\n| kills | |\n|---|---|\n| seed | 5678 |\n| differences | 0 |\n\n"
        f"| nights | |\n|---|---|\n| nights | 1,000 |\n| faults | lost: 1,200; late: 3 |\n\n{END} after"
    )
    assert as_text({"kills": {"differences": ["cut at 3: term", "x"]}}).endswith("| differences | cut at 3: term; x |")


def test_the_page_shows_the_figures_that_are_kept_and_they_are_without_a_difference() -> None:
    figures = json.loads((REPOSITORY / FIGURES).read_text(encoding="utf-8"))
    shown = (REPOSITORY / PAGE).read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert shown.strip() == as_text(figures)
    assert figures["kills"]["differences"] == []
    assert [name for name, part in figures.items() if part.get("differences")] == []
