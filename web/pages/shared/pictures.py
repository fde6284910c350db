"""Pictures on pages: inline SVG whose own stylesheet is in ours, as no page may carry one."""

from __future__ import annotations

import re
from typing import Final

from markupsafe import Markup

from keizoku.web.pages.shared.blocks import Picture

__all__ = ["drawn"]

_OWN_STYLE: Final = re.compile(r"<style>[^<]*</style>")


def drawn(title: str, svg: str, note: str = "") -> Picture:
    """A picture of ours (text in it is escaped where it is drawn)."""
    return Picture(title, Markup(_OWN_STYLE.sub("", svg)), note)  # noqa: S704 - made by sla.pictures
