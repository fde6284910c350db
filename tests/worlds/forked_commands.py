"""`keizoku` as a program that begins at once: a server that has imported all of it forks for every call.

    client (a script, as `keizoku`) ──its arguments, folder, environment and streams──> server ──fork──> the command
           └──────────────────────────────the exit code──────────────────────────────────────────────────┘

A call has a process of its own, as always; what is saved is a second of imports. The language is that of the server.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import NoReturn

_STREAMS = 3
_LONGEST = 1 << 20
_CLIENT = """\
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
server.connect({place!r})
call = {{"arguments": sys.argv[1:], "folder": os.getcwd(), "environment": dict(os.environ)}}
socket.send_fds(server, [json.dumps(call).encode()], [0, 1, 2])
code = server.recv(8)
sys.exit(int(code) if code else 70)  # nothing: the command was killed
"""


@contextmanager
def forked_commands(folder: Path) -> Iterator[Path]:
    """The program to call, for as long as the context; the folder is for its socket and is short."""
    place, program = folder / "calls", folder / "keizoku"
    client = folder / "client.py"
    client.write_text(_CLIENT.format(place=str(place)), encoding="utf-8")
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{client}" "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    with subprocess.Popen(
        [sys.executable, "-m", __name__, str(place)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        try:
            yield program
        finally:
            server.terminate()


def _serve(place: str) -> NoReturn:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listening.bind(place)
    listening.listen()
    cli = import_module("keizoku.scheduler.cli")
    for target in cli.COMMANDS.values():
        import_module(target.place.split(":")[0])
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a call but its client
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        client, _ = listening.accept()
        written, streams, _, _ = socket.recv_fds(client, _LONGEST, _STREAMS)
        if os.fork() == 0:
            listening.close()
            _command(client, json.loads(written), streams)
        client.close()
        for stream in streams:
            os.close(stream)


def _command(client: socket.socket, call: dict[str, object], streams: list[int]) -> NoReturn:
    """In the fork: what the interpreter does between its start and the command's, the command, and its end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(str(call["folder"]))
    os.environ.clear()
    os.environ.update({str(name): str(value) for name, value in dict(call["environment"]).items()})  # type: ignore[call-overload]
    time.tzset()
    sys.argv = ["keizoku", *call["arguments"]]  # type: ignore[misc]
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
        for number, mode in ((0, "r"), (1, "w"), (2, "w"))
    )
    code: object = 1
    try:
        import_module("keizoku.scheduler.cli").main()
    except SystemExit as ended:
        code = 0 if ended.code is None else ended.code
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        client.send(str(code).encode())
        os._exit(0)


if __name__ == "__main__":
    _serve(sys.argv[1])
