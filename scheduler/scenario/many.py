"""Many scenario files at once: each in a schema of its own, in processes side by side, outcomes in the files' order.

Whoever is done takes the next file; an outcome that comes before an earlier one waits for it.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

from sqlalchemy.engine import URL

from scheduler.scenario.outcome import Outcome
from scheduler.scenario.run import OnMoment, run_file

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
    the error that stopped them, which need not survive the way. Raises ProcessLostError; what the database
    refuses is raised as by run_file, once the files under way are done.
    """
    jobs = min(jobs, len(files))
    if jobs <= 1:
        for path in files:
            yield run_file(path, url, keep_schema, on_moment)
        return
    # spawned: a process that is forked would share our session's connection
    processes = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _end_with_the_caller)
    try:
        begun = [processes.submit(_run, path, url, keep_schema) for path in files]
        for future in begun:
            yield future.result()
    except BrokenProcessPool as error:
        raise ProcessLostError from error
    finally:
        processes.shutdown(cancel_futures=True)


def _run(path: Path, url: str | URL, keep_schema: bool) -> Outcome:
    return replace(run_file(path, url, keep_schema), crash=None)


def _end_with_the_caller() -> None:
    """A process whose caller was killed ends too, instead of running on for nobody."""
    threading.Thread(target=_wait_and_end, daemon=True).start()


def _wait_and_end() -> None:
    caller = multiprocessing.parent_process()
    if caller is not None:
        caller.join()
        os._exit(1)
