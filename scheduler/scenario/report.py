"""Outcomes for people: ✓ or ✗ per file, and expected beside actual for what failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from keizoku.scheduler.scenario.outcome import Outcome


def report(outcome: Outcome) -> RenderableType:
    """One file: its title, and a table if anything failed."""
    sign = Text("✓", "bold green") if outcome.passed else Text("✗", "bold red")
    head = Text.assemble(sign, " ", outcome.title, ("  " + outcome.file, "dim"))
    if outcome.schema:
        head.append(f"  schema {outcome.schema}", "dim")
    refused = [Text(f"  refused: {refusal}", "dim") for refusal in outcome.refusals]
    return Group(head, *refused) if outcome.passed else Group(head, *refused, failure_table(outcome))


def failure_table(outcome: Outcome) -> Table:
    """Every failure; of a mapping only the keys that differ, of a list every item."""
    table = Table(show_lines=True, pad_edge=False)
    table.add_column("at", overflow="fold")
    table.add_column("check", overflow="fold")
    expected_head, actual_head = ("expected", "actual") if outcome.valid else ("rule", "found")
    table.add_column(expected_head, overflow="fold", style="green")
    table.add_column(actual_head, overflow="fold", style="red")
    for failure in outcome.failures:
        expected, actual = _sides(failure.expected, failure.actual)
        table.add_row(Text(failure.at), Text(_named(failure.check, failure.expected)), Text(expected), Text(actual))
    return table


def total(outcomes: Sequence[Outcome]) -> Text:
    """The last line."""
    failed = sum(not outcome.passed for outcome in outcomes)
    files = f"{len(outcomes)} scenario" + ("" if len(outcomes) == 1 else "s")
    return Text(f"{files}: {len(outcomes) - failed} passed, {failed} failed", "bold red" if failed else "bold green")


def as_text(outcome: Outcome, width: int = 120) -> str:
    """The report without colours, for a test's message."""
    console = Console(width=width, no_color=True, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(report(outcome))
    return capture.get()


def _named(check: str, expected: Any) -> str:
    """The check with what it looks at: `contract jiro`."""
    if not isinstance(expected, Mapping) or check in expected:
        return check
    subject = next((str(expected[key]) for key in ("account", "id", "month", "date") if key in expected), "")
    return f"{check} {subject}".strip()


def _sides(expected: Any, actual: Any) -> tuple[str, str]:
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        differing = [key for key in expected if expected[key] != actual.get(key)]
        return _lines(expected, differing), _lines(actual, differing)
    return _words(expected), _words(actual)


def _lines(values: Mapping[str, Any], keys: Sequence[str]) -> str:
    lines = []
    for key in keys:
        value = values.get(key)
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            lines += [f"- {_words(item)}" for item in value]
        else:
            lines.append(f"{key}: {_words(value)}")
    return "\n".join(lines)


def _words(value: Any) -> str:
    """A value as a scenario file would write it."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_words(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_words(inner) for inner in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)
