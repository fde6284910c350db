"""How `keizoku terms diff` looks on a terminal: one table per kind of difference."""

from collections.abc import Sequence
from typing import Literal

from rich.console import Console

from keizoku.scheduler.cli.shared.output import table
from keizoku.terms.clauses import Clause
from keizoku.terms.diff import VersionDiff


def print_diff(console: Console, found: VersionDiff, languages: Sequence[Literal["ja", "en"]]) -> None:
    """The differences, gists in these languages."""
    sides = (found.old, found.new)
    console.print(table(("", *sides), [(name, *pair) for name, pair in found.about.items()], title=found.contract))
    for title, clauses in (("added", found.added), ("removed", found.removed)):
        if clauses:
            console.print(table(("clause", *languages), [_row(one, languages) for one in clauses], title=f"\n{title}"))
    fields = [f"gist_{language}" for language in languages] + ["status", "why"]
    rows = [
        (clause, name, *changed[name])
        for clause, changed in found.changed.items()
        for name in fields
        if name in changed
    ]
    for title, listed in (
        (f"changed: {len(found.changed)} clauses", rows),
        ("numbers", [(path, "", *pair) for path, pair in found.numbers.items()]),
        ("readings", [(name, "", *pair) for name, pair in found.readings.items()]),
    ):
        if listed:
            console.print(table(("", "", *sides), listed, title=f"\n{title}"))
    if not (found.added or found.removed or rows or found.numbers or found.readings):
        console.print("\nno clause, number or reading differs")


def _row(clause: Clause, languages: Sequence[Literal["ja", "en"]]) -> list[str]:
    return [clause.id, *(clause.gist(language) for language in languages)]
