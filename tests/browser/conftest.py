"""What the tests with programs from outside share: a browser, and a spring that was lived once."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from keizoku.scheduler.app import Services
from tests.conftest import OwnDatabase
from tests.worlds.finance_world import lived_services

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = os.environ.get("KEIZOKU_CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Chromium, for tests that skip where the extra `browser` is not installed."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def spring(own_database: OwnDatabase) -> Iterator[Services]:
    """The world of tests/worlds/finance_world.py; nobody writes into it."""
    with own_database() as engine, lived_services(engine) as services:
        yield services
