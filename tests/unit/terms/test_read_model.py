"""A read model is a typed value, and a mapping of what is shown of it."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated

import pytest

from keizoku.scheduler.cli.shared import output
from keizoku.terms.read_model import IF_KNOWN, JapanInstant, Key, ReadModel


@dataclass(frozen=True, slots=True, eq=False)
class Part(ReadModel):
    yen: int
    on: date
    of: Annotated[str | None, IF_KNOWN] = None


@dataclass(frozen=True, slots=True, eq=False)
class Whole(ReadModel):
    purpose: Annotated[str, Key("for")]
    at: JapanInstant
    ended_at: JapanInstant | None
    parts: tuple[Part, ...]


WHOLE = Whole("rent", datetime(2026, 4, 10, tzinfo=UTC), None, (Part(5, date(2026, 4, 10)),))


def test_it_is_a_mapping_of_what_is_shown() -> None:
    assert WHOLE.at == datetime(2026, 4, 10, tzinfo=UTC)
    shown = {
        "for": "rent",
        "at": "2026-04-10T09:00:00+09:00",
        "ended_at": None,
        "parts": [{"yen": 5, "on": date(2026, 4, 10)}],
    }
    assert (list(WHOLE), len(WHOLE)) == (list(shown), 4)
    assert shown == WHOLE
    assert shown == WHOLE
    assert (len(WHOLE.parts[0]), dict(Part(5, date(2026, 4, 10), "fee"))["of"]) == (2, "fee")
    assert WHOLE.to_json()["parts"] == [{"yen": 5, "on": "2026-04-10"}]
    with pytest.raises(KeyError):
        WHOLE["purpose"]


def test_the_command_line_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    output.emit([WHOLE], as_json=True)
    assert json.loads(capsys.readouterr().out) == [
        {
            "for": "rent",
            "at": "2026-04-10T09:00:00+09:00",
            "ended_at": None,
            "parts": [{"yen": 5, "on": "2026-04-10"}],
        }
    ]
