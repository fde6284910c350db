"""An application that listens: under uvicorn, in a thread of the tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def listening(app: Any, **settings: Any) -> Iterator[int]:
    """The port of this machine at which it answers, until the end; `settings` are uvicorn's."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, port=0, **{"log_config": None, "access_log": False, **settings}))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield int(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(10)
