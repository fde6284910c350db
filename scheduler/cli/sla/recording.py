"""What the commands that record evidence share: what became of files and acts, and lists of what is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import typer

from keizoku.scheduler.cli.shared.context import open_services, services_now
from keizoku.scheduler.cli.shared.listing import SHOWN, Page, emit_rows
from keizoku.scheduler.cli.shared.output import console, emit, report_findings

if TYPE_CHECKING:
    from keizoku.scheduler.app import Services
    from keizoku.sla.evidence.import_log import Imported
    from keizoku.sla.services.imports import ImportService
    from keizoku.terms.decision import Finding


def print_imports(done: list[Imported], as_json: bool) -> int:
    """Print what became of files; the exit code, 1 if there was a finding."""
    if as_json:
        emit([each.to_json() for each in done], as_json=True)
    else:
        for each in done:
            report_findings(each.findings)
            console.print(each.summary(), markup=False, soft_wrap=True)
    return 1 if any(each.findings for each in done) else 0


def take_files(paths: list[Path], as_json: bool, take: Callable[[ImportService, Path, datetime], Imported]) -> None:
    """Import each file, print what became of it, and end the command."""
    from keizoku.sla.services.imports import ImportService

    with open_services() as services:
        service = ImportService(services.sla)
        done = [take(service, path, datetime.now(UTC)) for path in paths]
    raise typer.Exit(print_imports(done, as_json))


def record_act(work: Callable[[Services, datetime], Iterable[Finding]], as_json: bool) -> None:
    """Do it, print what speaks against it, and end the command."""
    with services_now() as (services, now):
        findings = list(work(services, now))
    code = report_findings(findings, as_json)
    if not code and not as_json:
        emit("recorded")
    raise typer.Exit(code)


class Listed(Protocol):
    """A row of a list."""

    def to_json(self) -> dict[str, object]:
        """The row as JSON: its columns on a terminal, too."""
        ...


def print_list(rows: Sequence[Listed], page: Page, as_json: bool, nothing: str, key: str = "id") -> None:
    """Rows as a table, or one line where there are none; as JSON all of them, unless a part was asked for."""
    whole = as_json and page == Page(SHOWN)
    emit_rows([row.to_json() for row in rows], Page(0) if whole else page, nothing, as_json, key)
