"""What is shipped: every package by name, and every data file that the code reads."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("billing", "db", "scheduler", "sla", "terms")


def test_every_package_is_listed() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    found = sorted(
        ".".join(folder.parent.relative_to(ROOT).parts)
        for room in ROOMS
        for folder in (ROOT / room).rglob("__init__.py")
    )
    assert listed == found


def test_constraints_hold_pins_and_no_addresses() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert [pin for pin in pins if pin.count("==") != 1 or "/" in pin or "@" in pin] == []
    assert len(pins) > 20
