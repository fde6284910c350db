"""The worker's job: every endpoint is served, each by a thread and a session of its own, for a while at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final

from keizoku.terms.refusal import Refused
from keizoku.web.webhooks.delivering import Rules, serve_endpoint
from keizoku.web.webhooks.endpoints import endpoint_list
from keizoku.web.webhooks.signing import key_ring

if TYPE_CHECKING:
    import sqlalchemy as sa

    from keizoku.link.sealing.seals import KeyRing
    from keizoku.scheduler.app import Services
    from keizoku.scheduler.settings import Settings

__all__ = ["rules_of", "sending", "serve_all"]

FOR_S: Final = 50.0
"""A run of the job looks again and again for so long; the worker begins the next one."""
LOOKS_EVERY_S: Final = 1.0
ENDPOINTS_AT_ONCE: Final = 8
EACH_FOR_S: Final = 10.0
"""So long one is served before all are looked at again."""


def rules_of(settings: Settings) -> Rules:
    """What the settings say of sending."""
    return Rules(settings.webhook_allowed_hosts, settings.webhook_timeout_seconds)


def sending(settings: Settings) -> Callable[[Services, Callable[[], bool]], Mapping[str, object]]:
    """The job of the worker. Refused for a key file that cannot be used."""
    ring = key_ring(settings.webhook_key_file)

    def send(services: Services, going: Callable[[], bool]) -> Mapping[str, object]:
        until = monotonic() + FOR_S
        told = {"delivered": 0, "failed": 0, "refused": 0}
        while going() and monotonic() < until:
            services.session.rollback()
            done = serve_all(services.session.engine, ring, rules_of(settings), going)
            for name, count in done.items():
                told[name] += count
            if not any(done.values()):
                sleep(LOOKS_EVERY_S)
        return told

    return send


def serve_all(
    engine: sa.Engine,
    ring: KeyRing,
    rules: Rules,
    going: Callable[[], bool] = lambda: True,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> dict[str, int]:
    """Serve every endpoint that is on; counts of events that were delivered and failed, and of endpoints refused."""
    with engine.connect() as session:
        numbers = [each.id for each in endpoint_list(session) if each.enabled]
    told = {"delivered": 0, "failed": 0, "refused": 0}

    def one(number: int) -> Mapping[str, int]:
        with engine.connect() as session:
            try:
                return serve_endpoint(session, ring, number, rules, clock, goes)
            except Refused:  # its secret does not open: the others go on
                return {"refused": 1}

    until = monotonic() + EACH_FOR_S

    def goes() -> bool:
        return going() and monotonic() < until

    if numbers:
        with ThreadPoolExecutor(min(len(numbers), ENDPOINTS_AT_ONCE), "endpoints") as threads:
            for done in threads.map(one, numbers):
                for name, count in done.items():
                    told[name] += count
    return told
