"""`make audit`: known vulnerabilities of the pinned versions, where their list can be reached.

    python -m tests.known_vulnerabilities constraints.txt

A mirror of packages may answer without the list, and then everything looks safe. So a version that is known to be
vulnerable is asked about first: only a list that knows it is believed. Exit code 1 for findings, 0 otherwise; where
nothing was checked, that is said.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

KNOWN_TO_BE_VULNERABLE = "jinja2==2.4.1"
NOT_REACHED = "the list of known vulnerabilities could not be reached from here: nothing was checked"


def vulnerable(answer: str) -> dict[str, list[str]] | None:
    """Name and version -> ids of vulnerabilities, as pip-audit tells; None where its answer is none."""
    try:
        told: list[dict[str, Any]] = json.loads(answer)["dependencies"]
        return {
            f"{each['name']}=={each['version']}": [vulnerability["id"] for vulnerability in each["vulns"]]
            for each in told
            if "vulns" in each
        }
    except (ValueError, KeyError, TypeError):
        return None


def verdict(of_the_known: str, of_ours: str, pins: int) -> tuple[int, list[str]]:
    """Exit code and words, from what was answered about the known version and about ours."""
    if not any((vulnerable(of_the_known) or {}).values()):
        return 0, [NOT_REACHED]
    found = vulnerable(of_ours)
    if found is None:
        return 1, ["the list was reached and then gave no answer about the pinned versions: try again"]
    said = [f"{pin}: {', '.join(ids)}" for pin, ids in sorted(found.items()) if ids]
    unknown = pins - len(found)
    if unknown:
        said.append(f"{unknown} of {pins} pinned versions are not on the list and were not checked")
    bad = any(found.values())
    return (1 if bad else 0), said if bad else [*said, f"no known vulnerability in {len(found)} pinned versions"]


def ask(file: Path) -> str:
    """What pip-audit says of the pins of a file."""
    command = [sys.executable, "-m", "pip_audit", "--progress-spinner", "off", "--no-deps", "--disable-pip"]
    wanted = [*command, "--format", "json", "--requirement", str(file)]
    return subprocess.run(wanted, capture_output=True, text=True, check=False).stdout


def main(constraints: str) -> int:
    """Ask about the known version, then about ours; say what came of it."""
    file = Path(constraints)
    pins = sum("==" in line and not line.startswith("#") for line in file.read_text(encoding="utf-8").splitlines())
    with tempfile.TemporaryDirectory() as folder:
        known = Path(folder) / "known.txt"
        known.write_text(f"{KNOWN_TO_BE_VULNERABLE}\n", encoding="utf-8")
        of_the_known = ask(known)
    reached = verdict(of_the_known, "", pins) != (0, [NOT_REACHED])
    code, words = verdict(of_the_known, ask(file) if reached else "", pins)
    say(words)
    return code


def say(words: Sequence[str]) -> None:
    """One line each."""
    sys.stdout.write("".join(f"{each}\n" for each in words))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
