"""The figures of the long run: their table, and that the page shows those that are kept."""

import json
from pathlib import Path

from tests.soak import BEGIN, END, FIGURES, PAGE, as_text

REPOSITORY = Path(__file__).parents[2]


def test_figures_are_a_table() -> None:
    figures = {"seed": 1_234, "nights": 1_000, "faults": {"lost": 1_200, "late": 3}, "differences": []}
    assert as_text(figures).splitlines() == [
        "| figure | found |",
        "|---|---|",
        "| seed | 1234 |",
        "| nights | 1,000 |",
        "| faults | lost 1,200, late 3 |",
        "| differences | 0 |",
    ]
    assert as_text({"differences": ["cut at 3: term", "cut at 9: line"]}).endswith("| cut at 3: term; cut at 9: line |")


def test_the_page_shows_the_figures_that_are_kept_and_they_are_without_a_difference() -> None:
    figures = json.loads((REPOSITORY / FIGURES).read_text(encoding="utf-8"))
    shown = (REPOSITORY / PAGE).read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert shown.strip() == as_text(figures)
    assert figures["differences"] == []
