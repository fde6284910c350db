"""What is answered to a file: its counts, and a finding for each row that could not be used."""

from __future__ import annotations

import dataclasses
from typing import Any

from keizoku.limits import MOST_LISTED
from keizoku.terms.calendar import iso_jst

__all__ = ["import_answer"]


def import_answer(done: Any, name: str) -> dict[str, Any]:
    """An import's record as JSON values; findings name the file as it was called, the first thousand of them."""
    shown = done.to_json() if hasattr(done, "to_json") else dataclasses.asdict(done)
    if "recorded_at" in shown and not isinstance(shown["recorded_at"], str):
        shown["recorded_at"] = iso_jst(shown["recorded_at"])
    findings = [
        {"source": name, "line": each.line, "value": each.value, "rule": each.rule, "remedy": each.remedy}
        for each in done.findings[:MOST_LISTED]
    ]
    return {**shown, "source": name, "findings": findings, "findings_in_all": len(done.findings)}
