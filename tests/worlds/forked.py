"""A worker in a process of its own that a test may kill or stop: a fork, so that it begins at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress

import psutil

PATIENCE_SECONDS = 600.0
_Forked = multiprocessing.get_context("fork")


class Told:
    """Numbers of a child that its parent reads, also when it is gone."""

    def __init__(self) -> None:
        self._shared = _Forked.RawValue("q", 0)

    @property
    def moments(self) -> int:
        return int(self._shared.value)

    @moments.setter
    def moments(self, value: int) -> None:
        self._shared.value = value


class Child:
    """A worker in a process of its own; what it said at the end goes through a pipe."""

    def __init__(self, work: Callable[[Told], str]) -> None:
        self.told = Told()
        self._go, self._said = _Forked.Event(), _Forked.Pipe(duplex=False)
        self._process = _Forked.Process(target=self._run, args=(work,), daemon=True)
        self._process.start()
        self._said[1].close()

    def _run(self, work: Callable[[Told], str]) -> None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123  its log is nobody's
        self._go.wait(PATIENCE_SECONDS)
        said = "raised"
        try:
            said = work(self.told)
        except BaseException as error:
            said = f"raised {error!r}"
        finally:
            self._said[1].send(said)
            os._exit(0)

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def moments(self) -> int:
        return self.told.moments

    @moments.setter
    def moments(self, value: int) -> None:
        self.told.moments = value

    def begin(self) -> None:
        """Let it work."""
        self._go.set()

    def wait_until_stopped(self) -> None:
        """Until the system says that it stands still; or is over: on a busy machine the lead may be lost before."""
        until(lambda: psutil.Process(self.pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE))

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def end(self) -> str:
        """What it said, or by which signal it ended."""
        said = ""
        with suppress(EOFError):
            assert self._said[0].poll(PATIENCE_SECONDS), "the worker neither ends nor says anything"
            said = self._said[0].recv()
        self._process.join(PATIENCE_SECONDS)
        code = self._process.exitcode
        return said if code == 0 else signal.Signals(-(code or 0)).name


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)
