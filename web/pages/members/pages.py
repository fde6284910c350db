"""The member's pages as a whole: every screen, the acts, the language."""

from __future__ import annotations

from typing import Final

from keizoku.web.pages.members import claims, contract, data, notices, papers, payments  # noqa: F401 - declares them
from keizoku.web.pages.members.family import member
from keizoku.web.pages.shared.acts import acts_router
from keizoku.web.pages.shared.language import language_router

__all__ = ["PAGES", "SCREENS"]

PAGES: Final = (language_router(member.home), acts_router(member), member.router)
SCREENS: Final = member.screens
