"""What is shipped, every package by name, and how large a file may be."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("billing", "db", "scheduler", "sla", "terms")
MOST_LINES = 400


def test_constraints_hold_pins_and_no_addresses() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert [pin for pin in pins if pin.count("==") != 1 or "/" in pin or "@" in pin] == []
    assert len(pins) > 20


def test_a_file_is_one_room_of_at_most_400_lines() -> None:
    files = [file for folder in (*ROOMS, "tests", "examples") for file in (ROOT / folder).rglob("*.py")]
    lines = {str(file.relative_to(ROOT)): file.read_bytes().count(b"\n") for file in files}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}
    assert len(lines) > 400  # they were looked at
