"""The member's pages as a whole: every screen, the acts, the language."""

from __future__ import annotations

from typing import Final

from keizoku.web.pages.members import (
    card,
    claims,  # noqa: F401 - declares its pages, as those below do
    contract,  # noqa: F401
    data,
    link,
    notices,  # noqa: F401
    papers,  # noqa: F401
    payments,  # noqa: F401
    session,
)
from keizoku.web.pages.members.family import member
from keizoku.web.pages.shared.acts import acts_router
from keizoku.web.pages.shared.language import language_router

__all__ = ["PAGES", "SCREENS"]

PAGES: Final = (
    language_router(member.home), acts_router(member), card.ROUTER, data.ROUTER, link.ROUTER, session.ROUTER,
    member.router,
)  # fmt: skip
SCREENS: Final = member.screens
