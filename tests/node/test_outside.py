"""What others' tools say of the HTTP door: Spectral with OWASP's rules, and the clients of examples/http in a sandbox.

`make door` installs the tools of package.json; the server is a real one, on loopback.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

pytestmark = pytest.mark.node
ROOT = Path(__file__).parents[2]
TOOLS = Path(os.environ.get("KEIZOKU_TEST_NODE") or Path(sys.prefix) / "node")
SAID = """credit: 200 yen
refused: 404 contract.none
events of u2001: contract.applied, contract.approved, access.changed, invoice.issued, invoice.paid"""


def _tool(name: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program = TOOLS / "node_modules" / ".bin" / name
    return subprocess.run([program, *arguments], cwd=folder, text=True, capture_output=True, check=False)


def test_spectral_finds_nothing_in_the_kept_description() -> None:
    for file in ("tests/node/spectral.yaml", "docs/reference/openapi.json"):
        shutil.copy(ROOT / file, TOOLS)
    told = _tool("spectral", "lint", "openapi.json", "-r", "spectral.yaml", "--fail-severity=warn", folder=TOOLS)
    assert told.returncode == 0, told.stdout[-3000:] + told.stderr[-1000:]


@pytest.fixture
def sandbox(database_folder: Path) -> Iterator[tuple[str, str]]:
    """The address of a new sandbox, and its worker's key."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        base = f"127.0.0.1:{free.getsockname()[1]}"
    said = database_folder / "serve.txt"
    with said.open("w") as out:
        serve = subprocess.Popen(
            [sys.executable, "-m", "keizoku", "serve", "--sandbox", "--listen", base], stdout=out, stderr=out,
            env={**os.environ, "KEIZOKU_DATA_DIR": str(database_folder)},
        )  # fmt: skip
    try:
        for _ in range(600):
            try:
                urlopen(f"http://{base}/healthz", timeout=5).close()
                break
            except URLError:
                assert serve.poll() is None, said.read_text()
                time.sleep(0.2)
        [key] = [line.rpartition(" ")[2] for line in said.read_text().splitlines() if line.startswith("worker key: ")]
        yield f"http://{base}", key
    finally:
        serve.terminate()
        serve.wait(30)


def test_the_client_in_python_makes_its_ten_calls(sandbox: tuple[str, str]) -> None:
    told = subprocess.run(
        [sys.executable, ROOT / "examples" / "http" / "client.py", *sandbox],
        text=True,
        capture_output=True,
        check=False,
    )
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith(SAID)


def test_the_client_in_typescript_is_typed_and_makes_the_same(sandbox: tuple[str, str], tmp_path: Path) -> None:
    program = (ROOT / "examples" / "http" / "client.mts").read_text(encoding="utf-8")
    (TOOLS / "client.mts").write_text(program, encoding="utf-8")  # beside node_modules, where its types are
    strict = ("--strict", "--noUncheckedIndexedAccess", "--target", "es2023", "--module", "nodenext", "--types", "node")
    made = _tool("tsc", *strict, "--outDir", str(tmp_path), "client.mts", folder=TOOLS)
    assert made.returncode == 0, made.stdout
    told = subprocess.run(["node", tmp_path / "client.mjs", *sandbox], text=True, capture_output=True, check=False)
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith(SAID)
