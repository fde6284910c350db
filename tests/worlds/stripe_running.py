"""The double of Stripe in a process of its own, and the proxy that stands before it in a thread of ours."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import ClientSession, ClientTimeout, TCPConnector, web

from tests.stripe_double.running import running_double
from tests.worlds.stripe_proxy import Proxy


@contextmanager
def running_proxy(*, watched: bool = True) -> Iterator[Proxy]:
    """The double, and the proxy in front of it; at the end no request may have violated Stripe's types."""
    with running_double(watched=watched) as double:
        proxy = Proxy(double)
        ready = threading.Event()
        thread = threading.Thread(target=_serve, args=(proxy, ready), daemon=True)
        thread.start()
        try:
            assert ready.wait(10)
            yield proxy
        finally:
            if proxy.loop is not None:
                proxy.loop.call_soon_threadsafe(proxy.loop.stop)
                thread.join(10)
        violations = double("violations") if watched else []
        assert violations == [], violations


def _serve(proxy: Proxy, ready: threading.Event) -> None:
    loop = asyncio.new_event_loop()
    proxy.loop = loop

    async def start() -> web.AppRunner:
        proxy.client = ClientSession(connector=TCPConnector(limit=64), timeout=ClientTimeout(total=600))
        application = web.Application()
        application.router.add_route("*", "/{tail:.*}", proxy.handle)
        runner = web.AppRunner(application, handle_signals=False, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        proxy.url = f"http://{host}:{port}"
        return runner

    runner = loop.run_until_complete(start())
    ready.set()
    loop.run_forever()
    assert proxy.client is not None
    loop.run_until_complete(proxy.client.close())
    loop.run_until_complete(runner.cleanup())
    loop.close()
