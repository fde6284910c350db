"""The linked service and its partner over real HTTP, for tests of what happens between the two."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import sqlalchemy as sa

from keizoku.link.partner.http_partner import HttpPartner, ResourcePlace
from keizoku.link.partner.oauth import OAuthPlace
from keizoku.link.services.link_service import LinkService
from keizoku.pacing import Pace
from tests.worlds.link_double import BACK, Memory, partner_running
from tests.worlds.link_world import NOW, designate, rows, service_on
from tests.worlds.oauth_server import CLIENT, SECRET


@dataclass
class House:
    """A service, its partner over HTTP, and what the partner remembers."""

    engine: sa.Engine
    link: LinkService
    memory: Memory
    address: str
    partner: HttpPartner

    def grant(self, account: str, wanted: Any = "orders", now: datetime = NOW) -> None:
        """The customer authorises us."""
        self.link.finish(*self.back(account, wanted, now), now=now)

    def back(self, account: str, wanted: Any = "orders", now: datetime = NOW) -> tuple[str, str]:
        """The customer goes to the partner's page and comes back: with this state and this code."""
        begun = self.link.begin(account, wanted, BACK, now=now)
        answer = requests.get(begun.url, headers={"X-Customer": account}, allow_redirects=False, timeout=10)
        assert answer.headers["X-Double"] == "keizoku tests; no house's"
        words = parse_qs(urlsplit(answer.headers["Location"]).query)
        return words["state"][0], words["code"][0]

    def of(self, account: str, table: sa.Table) -> list[sa.Row[Any]]:
        """The account's rows."""
        return rows(self.link, table, account)


@contextmanager
def house_over_http(engine: sa.Engine) -> Iterator[House]:
    """A house and a partner of its own on a database."""
    with pytest.MonkeyPatch.context() as patched, engine.connect() as session:
        patched.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
        memory = Memory()
        with partner_running(memory) as address:
            partner = http_partner(address)
            link = service_on(session, partner)
            designate(link)
            yield House(engine, link, memory, address, partner)
            partner.close()


def http_partner(address: str, secret: str = SECRET) -> HttpPartner:
    """Our client of a partner at this address."""
    tokens = OAuthPlace(
        f"{address}/authorize", f"{address}/token", f"{address}/revoke", CLIENT, secret, timeout_seconds=5
    )
    place = ResourcePlace(f"{address}/api", timeout_seconds=5)
    return HttpPartner(place, tokens, pace=lambda _: Pace(1_000))
