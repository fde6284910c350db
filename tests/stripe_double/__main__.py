"""`python -m tests.stripe_double`: serve, and print the port."""

from __future__ import annotations

import argparse
import asyncio
import sys

from aiohttp import web

from tests.stripe_double.control import Control
from tests.stripe_double.sdk.routes import routes
from tests.stripe_double.server import Double


async def serve(port: int, latency_ms: int) -> None:
    """Until the process is ended."""
    double = Double(latency_ms=latency_ms)
    routes()
    application = web.Application(client_max_size=2**20)
    application.router.add_route("*", "/_test/{tail:.*}", Control(double).handle)
    application.router.add_route("*", "/{tail:.*}", double.handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="stripe_double")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency-ms", type=int, default=0)
    asked = parser.parse_args()
    asyncio.run(serve(asked.port, asked.latency_ms))
