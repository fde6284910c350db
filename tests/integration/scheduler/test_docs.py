"""Every command in README and docs works as typed: each `$ …` line of a console block is run, in order, per page.

A page is one shell in a folder of links to what the checkout has. `keizoku` is in `.venv/bin`, as after `make demo`,
and not on the path: the tutorial has to activate it, as it tells its readers to; the other pages begin where that is
done. A page's first command finds an empty database, as a reader's does; the server is kept running for the others.
`make` lines are compared with the Makefile's targets (CI runs them). Pages on the demo are run after a demo, and the
text that they show has to be what is printed. A line's comment may name its exit code: `# exit 1`.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from keizoku.db.embedded import EmbeddedServer
from tests.worlds.forked_commands import forked_commands
from tests.worlds.quick_folder import quick_folder

ROOT = Path(__file__).parents[3]
TUTORIAL = ROOT / "docs" / "tutorial"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
ON_THE_DEMO = [ROOT / "README.md", TUTORIAL / "claim.md"]
TEN_CALLS = TUTORIAL / "ten-calls.md"
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHOWN = re.compile(r"^```text\n(.*?)^```", re.MULTILINE | re.DOTALL)
ACTIVATE = "source .venv/bin/activate"


def commands(page: Path) -> list[str]:
    return [
        line.removeprefix("$ ").strip()
        for block in BLOCK.findall(page.read_text(encoding="utf-8"))
        for line in block.splitlines()
        if line.startswith("$ ")
    ]


def shown(page: Path) -> list[str]:
    """The lines that a page says are printed."""
    return [line for block in SHOWN.findall(page.read_text(encoding="utf-8")) for line in block.splitlines()]


class Shell:
    """A reader's shell in a checkout of links: what a line sets or activates holds for the lines after it."""

    def __init__(self, folder: Path, keizoku: Path | None = None, **variables: str) -> None:
        self._checkout = folder / "checkout"
        self._checkout.mkdir(parents=True)
        for each in ROOT.iterdir():
            if each.name not in (".demo", ".venv"):
                (self._checkout / each.name).symlink_to(each)
        programs = self._checkout / ".venv" / "bin"
        programs.mkdir(parents=True)
        (programs / "activate").write_text(f'PATH="{programs}:$PATH"\n')
        if keizoku is None:
            (programs / "keizoku").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m keizoku "$@"\n')
            (programs / "keizoku").chmod(0o755)
        else:
            (programs / "keizoku").symlink_to(keizoku)
        places = [place for place in os.environ["PATH"].split(":") if not (Path(place) / "keizoku").exists()]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("KEIZOKU_DATA")}
        self._bash = subprocess.Popen(
            ["bash"], cwd=self._checkout, env={**environment, "PATH": ":".join(places), **variables}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def run(self, command: str) -> tuple[int, str, str]:
        """The exit code of a line, and what it wrote to stdout and stderr."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        out, err = self._checkout / "stdout", self._checkout / "stderr"
        if " serve " in command and not command.endswith("&") and "--help" not in command:
            real = command.replace(".venv/bin/keizoku", f"{sys.executable} -m keizoku")
            command = STOPPED.format(line=real, said=err)
        print(f"{{ {command}\n}} >'{out}' 2>'{err}' </dev/null; echo $?", file=self._bash.stdin, flush=True)
        return int(self._bash.stdout.readline()), out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8")

    def end(self) -> None:
        self._bash.communicate()


STOPPED = """
{line} & served=$!
for _ in $(seq 600); do grep -q '^open http' '{said}' && break; kill -0 $served 2>/dev/null || break; sleep 0.1; done
kill -TERM $served; wait $served; grep '^open http' '{said}'"""
"""A door in front, as a reader has it: it is stopped once it has said how to come in."""


def wrong_line(shell: Shell, line: str, printed: list[str]) -> list[tuple[str, int, str]]:
    """Run a line of a page; what differs from what the page says of it."""
    found = re.search(r"# *exit (\d)", line)
    code, out, err = shell.run(re.sub(r"^make ", "make --dry-run ", line))
    printed += out.splitlines()
    return [] if code == (int(found[1]) if found else 0) else [(line, code, err[-500:])]


@pytest.fixture(scope="module")
def begins_at_once() -> Iterator[Path]:
    """The program without its imports: the tutorial's first page is done with the real one, the others with this."""
    folder = quick_folder("keizoku-calls-")
    with forked_commands(folder) as program:
        yield program
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if commands(page) and page not in ON_THE_DEMO],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_every_command_of_the_page_does_what_the_page_says(
    page: Path, database_folder: Path, begins_at_once: Path
) -> None:
    served = any(line.startswith("keizoku serve") for line in commands(page))
    keizoku = None if page.parent == TUTORIAL or served else begins_at_once
    shell = Shell(database_folder, keizoku, KEIZOKU_DATA_DIR=str(database_folder))
    wrong = []
    printed: list[str] = []
    demo_was_here = (ROOT / ".demo").exists()
    server = EmbeddedServer(database_folder, {"fsync": "off"})
    if page.parent != TUTORIAL:
        shell.run(ACTIVATE)
    for line in commands(page):
        wrong += wrong_line(shell, line, printed)
        if server.state() == "stopped":
            server.start()
    shell.end()
    server.release()
    assert wrong == []
    if page == TEN_CALLS:
        assert [line for line in shown(page) if line not in printed] == []
    # the folder of `make demo` is its own: what else lies there would keep it from running
    assert (ROOT / ".demo").exists() == demo_was_here


@pytest.fixture
def demo(database_folder: Path, begins_at_once: Path) -> Iterator[Shell]:
    """A shell in a checkout in which the demo was played."""
    shell = Shell(database_folder, begins_at_once)
    code, _, err = shell.run(".venv/bin/keizoku demo --data-dir .demo")
    assert code == 0, err
    yield shell
    shell.run("KEIZOKU_DATA_DIR=.demo .venv/bin/keizoku db stop --force")
    shell.end()


def test_the_pages_on_the_demo_show_what_it_says(demo: Shell) -> None:
    for page in ON_THE_DEMO:
        printed: list[str] = []
        assert [fault for line in commands(page) for fault in wrong_line(demo, line, printed)] == []
        said = {" ".join(line.split()) for line in printed}
        assert [line for line in shown(page) if " ".join(line.split()) not in said] == []


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
