"""The double in a process of its own, and a test's hand on its controls."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.stripe_double.server import VIOLATIONS

ROOT = Path(__file__).parents[2]


class Controls:
    """What a test asks of a running double."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __call__(self, act: str, /, *, key: str | None = None, now: float | None = None, **asked: Any) -> Any:
        """Do `/_test/act`; raises AssertionError with what was wrong."""
        address = f"{self.url}/_test/{act}" + (f"?key={key}" if key else "")
        headers = {"Content-Type": "application/json"} | ({"Keizoku-Test-Now": str(now)} if now is not None else {})
        request = Request(address, json.dumps(asked).encode(), headers, method="POST")  # noqa: S310  our own process
        try:
            with urlopen(request, timeout=600) as answer:  # noqa: S310
                return json.load(answer)
        except HTTPError as error:
            raise AssertionError(f"{act}: {error.read().decode()[:500]}") from error


@contextmanager
def running_double(*, watched: bool = True, latency_ms: int = 0) -> Iterator[Controls]:
    """The double; unless it is `watched`, what violates the types there does not fail the run of tests."""
    environment = dict(os.environ)
    if not watched:
        environment.pop(VIOLATIONS, None)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.stripe_double", "--latency-ms", str(latency_ms)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=ROOT,  # wherever the test stands
    )
    try:
        assert process.stdout is not None
        yield Controls(f"http://127.0.0.1:{int(process.stdout.readline())}")
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
