"""`keizoku serve --local --demo`: a demo that was played is served as it is, one that was not is played first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from keizoku.scheduler.cli.operations import demo_run
from keizoku.scheduler.demo import place
from keizoku.scheduler.settings import Settings
from keizoku.web.demo import demo_settings
from keizoku.web.serve_cli import serving


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders in which a demo was played."""
    folders: list[Path] = []
    monkeypatch.setattr(demo_run, "make_demo", folders.append)
    return folders


def test_a_demo_that_was_played_is_served_without_anything_outside(tmp_path: Path, made: list[Path]) -> None:
    (tmp_path / place.MARKER).write_text(f"made by us\n{place.PLAYED}2026-06-30T09:00:00+09:00\n")
    live: dict[str, Any] = {
        "database_url": "postgresql://db.example/live", "data_dir": tmp_path, "gateway": "stripe",
        "mail_host": "mail.example",
    }  # fmt: skip
    served = demo_settings(Settings().model_copy(update=live))
    assert made == []
    assert (served.database_url, served.data_dir, served.gateway, served.mail_host, served.link_partner) == (
        None, tmp_path, "simulated", "", "simulated",
    )  # fmt: skip


def test_a_demo_that_was_broken_off_is_played_first(tmp_path: Path, made: list[Path]) -> None:
    (tmp_path / place.MARKER).write_text("made by us\n")
    demo_settings(Settings().model_copy(update={"data_dir": tmp_path}))
    assert made == [tmp_path]


def test_a_live_folder_is_never_taken_for_a_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: list[Path]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(place, "server_account", lambda: None)
    served = demo_settings(Settings().model_copy(update={"data_dir": tmp_path / "live"}))
    assert served.data_dir == tmp_path / ".demo"
    assert made == [tmp_path / ".demo"]


@pytest.mark.parametrize("others", [[], ["--local", "--sandbox"]])
def test_the_demo_is_for_one_person_at_this_machine(others: list[str]) -> None:
    answer = CliRunner().invoke(serving, ["--demo", *others])
    assert answer.exit_code != 0
    assert "keizoku serve --local --demo" in str(answer.exception)
