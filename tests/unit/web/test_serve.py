"""`keizoku serve` where its start fails half way."""

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from keizoku.scheduler.settings import Settings
from keizoku.web import application
from keizoku.web import serve as serving


def test_a_start_that_fails_says_why_and_lets_the_door_go(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[bool] = []
    door = SimpleNamespace(sandbox=None, close=lambda: closed.append(True))

    def fails(_: Any) -> None:
        raise RuntimeError("no application")

    monkeypatch.setattr(serving, "open_database", lambda _: nullcontext())
    monkeypatch.setattr(serving, "_door", lambda *_: door)
    monkeypatch.setattr(application, "make_application", fails)
    with pytest.raises(RuntimeError, match="no application"):
        serving.serve(Settings(), serving.Place())
    assert closed == [True]
