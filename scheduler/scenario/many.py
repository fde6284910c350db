"""Many scenario files at once: in parallel processes, each on a schema of its own, outcomes in the files' order.

A process that is done takes the next file; an outcome waits for those of earlier files.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import partial
from pathlib import Path

from sqlalchemy.engine import URL

from keizoku.scheduler.scenario.outcome import Outcome
from keizoku.scheduler.scenario.run import OnMoment, run_on
from keizoku.scheduler.scenario.scratch_schema import ScratchSchema

__all__ = ["ProcessLostError", "run_files"]


class ProcessLostError(Exception):
    """A process that ran scenarios was ended from outside (out of memory?): run fewer at once."""

    def __init__(self) -> None:
        super().__init__(" ".join((self.__doc__ or "").split()))


def run_files(
    files: Sequence[Path], url: str | URL, jobs: int, keep_schema: bool = False, on_moment: OnMoment | None = None
) -> Iterator[Outcome]:
    """Run every file on the server at `url`, up to `jobs` (1 or more) at once; each outcome, in the order of `files`.

    One at a time runs in this process and calls `on_moment` within a file. Outcomes of other processes come without
    the error that stopped them, which may not be picklable. Raises ProcessLostError; what the database
    refuses is raised as by run_on, once the files under way are done.
    """
    jobs = min(jobs, len(files))
    if jobs <= 1:
        with ScratchSchema(url, keep=keep_schema) as scratch:
            for path in files:
                yield run_on(scratch, path, on_moment)
        return
    # spawned: a process that is forked would share our session's connection
    begin = partial(_begin, url, keep_schema)
    processes = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), begin)
    try:
        begun = [processes.submit(_run, path) for path in files]
        for future in begun:
            yield future.result()
    except BrokenProcessPool as error:
        raise ProcessLostError from error
    finally:
        processes.shutdown(cancel_futures=True)


_scratches: list[ScratchSchema] = []
"""The schema of this process, if it runs scenarios for another process."""


def _begin(url: str | URL, keep_schema: bool) -> None:
    """Prepare a process. Its schema ends with it; if its caller is killed, it ends too."""
    scratch = ScratchSchema(url, keep=keep_schema)
    atexit.register(scratch.close)
    _scratches.append(scratch)
    threading.Thread(target=_wait_and_end, daemon=True).start()


def _run(path: Path) -> Outcome:
    return replace(run_on(_scratches[0], path), crash=None)


def _wait_and_end() -> None:
    caller = multiprocessing.parent_process()
    if caller is not None:
        caller.join()
        os._exit(1)
