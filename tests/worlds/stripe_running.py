"""localstripe in a process of its own, and the proxy that stands before it in a thread of ours."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import ClientSession, ClientTimeout, TCPConnector, web

from tests.worlds.stripe_proxy import Proxy


@contextmanager
def running_proxy() -> Iterator[Proxy]:
    """localstripe in a process of its own, and the proxy in front of it in a thread."""
    port = _free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "localstripe", "--port", str(port), "--from-scratch"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    proxy = Proxy(upstream=f"http://127.0.0.1:{port}")
    ready = threading.Event()
    thread = threading.Thread(target=_serve, args=(proxy, ready), daemon=True)
    try:
        _wait_for(port, server)
        thread.start()
        assert ready.wait(10)
        yield proxy
    finally:
        if proxy.loop is not None:
            proxy.loop.call_soon_threadsafe(proxy.loop.stop)
            thread.join(10)
        server.kill()
        server.wait()


def _serve(proxy: Proxy, ready: threading.Event) -> None:
    loop = asyncio.new_event_loop()
    proxy.loop = loop

    async def start() -> web.AppRunner:
        proxy.client = ClientSession(connector=TCPConnector(limit=64), timeout=ClientTimeout(total=600))
        application = web.Application()
        application.router.add_route("*", "/{tail:.*}", proxy.handle)
        runner = web.AppRunner(application, handle_signals=False)
        await runner.setup()
        port = _free_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        proxy.url = f"http://127.0.0.1:{port}"
        return runner

    runner = loop.run_until_complete(start())
    ready.set()
    loop.run_forever()
    assert proxy.client is not None
    loop.run_until_complete(proxy.client.close())
    loop.run_until_complete(runner.cleanup())
    loop.close()


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert server.poll() is None, "localstripe ended"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("localstripe did not start")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
