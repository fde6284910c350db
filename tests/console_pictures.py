"""README's two screens: the demo in Chromium, as PNG in docs/images.

    KEIZOKU_DATA_DIR, else .demo ──> keizoku serve --local --demo ──> docs/images/console-*.png

`python -m tests.console_pictures` makes them anew, after a change of what they show (extra `browser`, Chromium, and
pillow, which the extra `test` brings); tests/unit/test_docs_site.py holds their number of bytes and their size.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).parents[1] / "docs" / "images"
CHROMIUM = os.environ.get("KEIZOKU_CHROMIUM", "/usr/bin/chromium")
LISTEN = "127.0.0.1:8447"
WIDTH, HEIGHT, COLOURS = 1180, 760, 256
SCREENS = {"console-today": "/console", "console-month": "/console/sla/2026-04"}


def main() -> None:
    """Serve the demo, look at each screen, and end it."""
    command = [sys.executable, "-m", "keizoku", "serve", "--local", "--demo", "--listen", LISTEN]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as served:
        try:
            assert served.stderr is not None
            link = next(filter(None, (re.search(r"^open (\S+)", line) for line in served.stderr)))[1]
            with sync_playwright() as playwright:
                arguments = ["--headless", "--no-sandbox", "--disable-gpu"]
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
                page = browser.new_page(
                    viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light",
                    extra_http_headers={"Accept-Language": "en"},
                )  # fmt: skip
                page.goto(link)
                page.get_by_role("button").click()
                for name, path in SCREENS.items():
                    keep(page, f"http://{LISTEN}{path}", IMAGES / f"{name}.png")
                browser.close()
        finally:
            served.terminate()


def keep(page: Page, address: str, file: Path) -> None:
    """One screen, with as many colours as a page of ours has, so that the file stays small."""
    page.goto(address)
    page.evaluate("document.querySelector('figure')?.closest('section').scrollIntoView()")
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)


if __name__ == "__main__":
    main()
