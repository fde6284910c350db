"""Every command in README and docs works: each `$ keizoku …` line of a console block is run, in order, per page.

A page's first command finds nothing, as a reader's does; the server that it made is kept up for the others. What it
writes lands beside links to what the checkout has, and goes with them.
`make` lines are held to the Makefile's targets (CI runs them). A line's comment may name its exit code: `# exit 1`.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from keizoku.db.embedded import EmbeddedServer

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
KEIZOKU = f"{sys.executable} -c 'import sys; from keizoku.scheduler.cli import main; main(sys.argv[1:])'"


def commands(page: Path) -> list[str]:
    return [
        line.removeprefix("$ ").strip()
        for block in BLOCK.findall(page.read_text(encoding="utf-8"))
        for line in block.splitlines()
        if line.startswith("$ ")
    ]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if commands(page)], ids=lambda page: str(page.relative_to(ROOT))
)
def test_every_command_of_the_page_does_what_the_page_says(page: Path, database_folder: Path) -> None:
    environment = {**os.environ, "KEIZOKU_DATA_DIR": str(database_folder)}
    environment.pop("KEIZOKU_DATABASE_URL", None)
    wrong = []
    demo_was_here = (ROOT / ".demo").exists()
    server = EmbeddedServer(database_folder, {"fsync": "off"})
    checkout = database_folder / "checkout"
    checkout.mkdir(parents=True)
    for each in ROOT.iterdir():
        if each.name != ".demo":
            (checkout / each.name).symlink_to(each)
    for line in commands(page):
        command, _, comment = line.partition("#")
        expected = int(found[1]) if (found := re.search(r"exit (\d)", comment)) else 0
        if command.startswith("make "):
            command = f"make --dry-run {command.removeprefix('make ')}"
        command = re.sub(r"^keizoku\b", lambda _: KEIZOKU, command)
        done = subprocess.run(
            ["bash", "-c", command], cwd=checkout, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode != expected:
            wrong.append((line, done.returncode, done.stderr[-500:]))
        if server.state() == "stopped":
            server.start()
    server.release()
    assert wrong == []
    # the folder of `make demo` is its own: what else lies there would keep it from running
    assert (ROOT / ".demo").exists() == demo_was_here


def test_no_page_shows_a_shell_command_that_nobody_runs() -> None:
    """Blocks marked `sh` are for other machines; they may only set variables and call commands run elsewhere."""
    run = {" ".join(command.split()[:3]) for page in PAGES for command in commands(page)}
    shown = [
        line
        for page in PAGES
        for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
        if line and not line.startswith("export ")
    ]
    assert [line for line in shown if not any(each.startswith(" ".join(line.split()[:3])) for each in run)] == []
