"""Commands given in the process of a test."""

from typing import Any

import pytest
import typer

from keizoku.scheduler import cli

__all__ = ["run", "run_of"]


def run(*arguments: str) -> int:
    """The exit code of one command of `keizoku`."""
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def run_of(group: typer.Typer, *arguments: str) -> int:
    """The exit code of one command of a group, called as what stands above it calls it."""
    code: Any = group(list(arguments), standalone_mode=False)
    return code or 0
