"""The files by which people work on Keizoku do what CONTRIBUTING.md says."""

import os
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]


def loaded(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_the_forge_runs_what_we_run() -> None:
    (job,) = loaded(".github/workflows/ci.yml")["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_ci_asks_for_every_check_by_a_target_that_is_there() -> None:
    lines = re.findall(
        r"^make ([a-z -]+?)(?: *#.*)?$", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE
    )
    asked = {word for line in lines for word in line.split()}
    beside = re.search(r"--output-sync=target (.*)$", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE)
    assert beside is not None
    asked |= set(beside[1].split())
    assert {"test", "types", "lint", "imports", "scenarios", "docs"} <= asked
    assert asked <= targets()


def test_the_hook_fetches_nothing_and_uses_what_is_installed() -> None:
    (repository,) = loaded(".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    programs = [shlex.split(hook["entry"])[0] for hook in repository["hooks"]]
    assert {hook["language"] for hook in repository["hooks"]} == {"system"}
    assert [Path(program).parent for program in programs] == [Path(".venv/bin")] * len(programs)
    assert all((Path(sys.executable).parent / Path(program).name).exists() for program in programs)


def test_contributing_names_targets_that_are_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`make ([a-z-]+)`|\$ make ([a-z-]+)", text))
    assert {first or second for first, second in named} - targets() == set()


def test_every_issue_template_can_be_filled_in() -> None:
    for file in sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")):
        form = loaded(str(file.relative_to(ROOT)))
        if file.name != "config.yml":
            assert {"name", "description", "labels", "body"} <= form.keys()
            assert all(part["type"] in ("markdown", "textarea", "input") for part in form["body"])
            assert any(part.get("validations", {}).get("required") for part in form["body"])


def test_the_changelog_is_kept_in_the_form_it_names() -> None:
    from keizoku import __version__

    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert re.match(re.escape(__version__) + r"\b", headings[1])
    parts = re.findall(r"^### (.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(parts) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
