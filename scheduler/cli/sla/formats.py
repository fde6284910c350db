"""`keizoku sla formats`: the forms in which outages of monitors and status pages are read."""

from __future__ import annotations

from keizoku.scheduler.cli.shared.inputs import AsJson
from keizoku.scheduler.cli.shared.listing import Page, emit_rows


def list_formats(as_json: AsJson = False) -> None:
    """The forms in which outages of monitors and status pages are read: name, what is read, what says so."""
    from keizoku.sla.evidence.outage_formats.formats import FORMATS

    rows: list[dict[str, object]] = [
        {"name": each.name, "tool": each.tool, "reads": each.reads, "source": each.source} for each in FORMATS
    ]
    emit_rows(rows, Page(0), "there is none", as_json, "name")
