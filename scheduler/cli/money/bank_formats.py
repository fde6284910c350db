"""`keizoku bank formats`: which files of banks are read without a mapping."""

from __future__ import annotations

from keizoku.scheduler.cli.shared.inputs import AsJson
from keizoku.scheduler.cli.shared.language import language
from keizoku.scheduler.cli.shared.output import console, emit, table


def formats(as_json: AsJson = False) -> None:
    """List the formats of bank files that are recognised by themselves, by the name that --preset takes."""
    from keizoku.billing.statements.presets import formats as known

    listed = known()
    if as_json:
        emit([each.to_json() for each in listed], as_json=True)
        return
    what = "ja" if language() == "ja" else "en"
    console.print(table(("preset", "shape", "what"), ((each.name, each.shape, getattr(each, what)) for each in listed)))
