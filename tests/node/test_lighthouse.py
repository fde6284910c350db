"""Lighthouse on pages of the console and of members: accessibility and best practices, on a desk and on a phone.

A few pages here; all screens of the console where KEIZOKU_TEST_SOAK is set, some minutes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping

import pytest
import sqlalchemy as sa

from keizoku.web.identity.browser import Site
from keizoku.web.pages.members.pages import SCREENS as OF_MEMBERS
from keizoku.web.pages.staff.console import SCREENS
from tests.browser.conftest import CHROMIUM
from tests.integration.web.browsers import MemberBrowser
from tests.integration.web.conftest import House, lived_schema, open_house
from tests.node.test_outside import ROOT, TOOLS
from tests.worlds.console_world import Sitting, addresses_of, fill, staff_of
from tests.worlds.listening import listening

pytestmark = pytest.mark.node
__all__ = ["lived_schema"]  # a fixture of this file too
LEAST = 95
FEW = ("/console", "/console/acts/accounts.suspend?account=a0")


@pytest.fixture(scope="module")
def served(lived_schema: tuple[sa.Engine, str]) -> Iterator[tuple[House, str]]:
    """A house with hostile names, and its address on loopback."""
    with open_house(*lived_schema) as house:
        fill(house)
        with listening(house.client.app, lifespan="off") as port:
            yield house, f"http://127.0.0.1:{port}"


def below(form: str, headers: Mapping[str, str], *addresses: str) -> list[object]:
    """What Lighthouse says of pages that are below the least, or that it could not look at."""
    shutil.copy(ROOT / "tests" / "node" / "lighthouse.mjs", TOOLS)
    order = ["node", "lighthouse.mjs", CHROMIUM, form, json.dumps(headers), *addresses]
    told = subprocess.run(order, cwd=TOOLS, text=True, capture_output=True, check=False)
    assert told.returncode == 0, told.stderr[-3000:]
    found = [json.loads(line) for line in told.stdout.splitlines()]
    assert [each["address"] for each in found] == list(addresses)
    return [each for each in found if each["error"] or min(each["accessibility"], each["practices"]) < LEAST]


def test_the_console_on_a_desk(served: tuple[House, str]) -> None:
    house, base = served
    house.door.signed_in = Sitting(staff_of("worker"))
    paths = addresses_of(SCREENS) if os.environ.get("KEIZOKU_TEST_SOAK") else FEW
    assert below("desktop", {"Accept-Language": "ja"}, *(base + path for path in paths)) == []


def test_members_pages_on_a_phone(served: tuple[House, str]) -> None:
    house, base = served
    cookies = "; ".join(f"{name}={value}" for name, value in MemberBrowser.of(house, "u02").client.cookies.items())
    house.door.site = Site(base)
    paths = [each.path for each in OF_MEMBERS if "{" not in each.path]
    few = paths if os.environ.get("KEIZOKU_TEST_SOAK") else paths[:1]
    assert below("mobile", {"Cookie": cookies}, *(base + path for path in few)) == []
