"""A real Spark for the tests: a standalone master with two worker processes, or this process alone."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.request import urlopen

START_SECONDS = 60
_MASTER = re.compile(r"Starting Spark master at (spark://\S+)")


@contextmanager
def spark_master(folder: Path) -> Iterator[str]:
    """The address of a master with two workers of one core; `local[2]` where they do not start."""
    with ExitStack() as running:
        try:
            master = _started(running, folder)
        except (OSError, TimeoutError):
            running.close()
            master = "local[2]"
        yield master


def _started(running: ExitStack, folder: Path) -> str:
    said = _run(running, folder, "master", "Master", "--host", "127.0.0.1", "--port", "0", "--webui-port", "0")
    address = _wait_for(said, _MASTER)
    options = ("--host", "127.0.0.1", "--cores", "1", "--memory", "1100m", "--webui-port", "0")
    heard = [
        _run(running, folder, name, "Worker", *options, "--work-dir", str(folder / name), address)
        for name in ("one", "two")
    ]
    for each in heard:
        _wait_for(each, re.compile(r"(Successfully registered with master)"))
    return address


def _run(running: ExitStack, folder: Path, name: str, role: str, *options: str) -> Path:
    import pyspark

    home = Path(pyspark.__file__).parent
    said = folder / f"{name}.log"
    environment = {**os.environ, "SPARK_HOME": str(home), "SPARK_DAEMON_MEMORY": "256m", "SPARK_LOCAL_IP": "127.0.0.1"}
    with said.open("wb") as out:
        process = subprocess.Popen(
            [str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{role.lower()}.{role}", *options],
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    running.callback(process.wait)
    running.callback(process.terminate)
    return said


def _wait_for(said: Path, wanted: re.Pattern[str]) -> str:
    """What a process says when it is ready."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        found = wanted.search(said.read_text(errors="replace"))
        if found:
            return found.group(1)
        time.sleep(0.05)
    raise TimeoutError(said.name)


def task_sizes(page: str, application: str) -> dict[int, list[int]]:
    """For each stage that was worked on: how many rows each of its tasks took over from others."""
    import json

    def ask(path: str) -> list[dict[str, object]]:
        with urlopen(f"{page}/api/v1/applications/{application}/{path}") as answer:  # noqa: S310  our own, on loopback
            found: list[dict[str, object]] = json.load(answer)
            return found

    sizes: dict[int, list[int]] = {}
    for stage in ask("stages?status=complete"):
        number = int(str(stage["stageId"]))
        tasks = ask(f"stages/{number}/{stage['attemptId']}/taskList?length=10000")
        sizes[number] = [task["taskMetrics"]["shuffleReadMetrics"]["recordsRead"] for task in tasks]  # type: ignore[index]
    return sizes
