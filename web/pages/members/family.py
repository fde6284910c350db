"""The member's pages as a family: where they begin, what stands above each, how a value leads on.

A member comes by a link that the host makes (`POST /v1/member-sessions`); they see their own account alone, as the
role `member` of the database, and name no account anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from fastapi import Request

from keizoku.web.pages.members.receipt import receipt_of
from keizoku.web.pages.shared.addresses import MEMBER_PAGES, to_in
from keizoku.web.pages.shared.blocks import NOTHING, Cell
from keizoku.web.pages.shared.screens import Screens
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.shared.words import named

__all__ = ["PLACES", "MemberView", "at_home", "frame", "member"]


@dataclass(frozen=True)
class MemberView(View):
    """A look of a member."""

    home: ClassVar[str] = MEMBER_PAGES

    @property
    def own(self) -> str:
        """The account that they see."""
        account = self.call.principal.account
        assert account is not None  # noqa: S101 - these pages are admitted to members alone
        return account

    def may(self, name: str) -> bool:
        """Whether a member may do an act."""
        return self.operations[name].member

    def account(self, value: str | None) -> Cell:
        """Their account; there is no page of it but these."""
        return self.text(value)

    def invoice(self, value: int | None) -> Cell:
        """An invoice, with its page."""
        return self.code(value, None if value is None else self.to("payments", value))

    def clause(self, value: str | None) -> Cell:
        """A clause by its number: 9.4.2 of premium/9.4.2."""
        return Cell(NOTHING) if not value else Cell(value.rpartition("/")[2], value, None, "code")


def at_home(*parts: object, **query: object) -> str:
    """A page of the member's."""
    return to_in(MEMBER_PAGES, *parts, **query)


PLACES: Final = (
    (named("Contract"), at_home()),
    (named("Payments"), at_home("payments")),
    (named("Reductions"), at_home("claims")),
    (named("Papers"), at_home("papers")),
    (named("Notices"), at_home("notices")),
    (named("My data"), at_home("data")),
)


def frame(request: Request) -> Mapping[str, Any]:
    """What stands above each page."""
    path = request.url.path
    here = max((href for _, href in PLACES if path == href or path.startswith(f"{href}/")), key=len, default="")
    return {"groups": (), "places": PLACES, "here_now": here}


member: Final = Screens("member", frame, MEMBER_PAGES, MemberView, members=True, receipt=receipt_of)
