"""The linked service: may it be used, which access is given, until when; renewing it, ending it, orders.

    POST /member/link/begin ──> the partner's address, as a link ──> the member, there ──> GET /member/link-back
    ──> POST acts/links.finish (state, code), or what the partner refused

Nothing here touches money or the premium contract. An order is never sent, changed or cancelled from these pages: what
became of one without an answer is asked of the partner (api_link/6.5).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from keizoku.terms import words
from keizoku.terms.api_link.link_policy import link_policy
from keizoku.web.pages.members.acting import FormOf, did, drawn_page
from keizoku.web.pages.members.family import MemberView, at_home, member
from keizoku.web.pages.shared.blocks import Act, Acts, Block, Facts, Page, Prose, Story
from keizoku.web.pages.shared.blocks import Line as StoryLine
from keizoku.web.pages.shared.rendering import PAGE_HEADERS, language_of
from keizoku.web.pages.shared.words import say, word

__all__ = ["ROUTER", "link", "link_back"]

ROUTER: Final = APIRouter(include_in_schema=False)
BEGIN: Final = at_home("link", "begin")
SOON: Final = timedelta(days=30)
"""So long before an access lapses the page says so first."""
_LIVING: Final = ("active", "renewing", "stopped")
_PART: Final = re.compile(r"[!-~]{1,500}")


@member.screen("/link", command="link show", resource="links")
def link(view: MemberView) -> Page:
    """The link as it is."""
    say, own, partner = view.say, view.own, _partner(view)
    found = view.ask("links.show", account=own)
    scope = "orders" if "orders" in found["scopes"] else "data"
    allowed = view.ask("links.eligibility", account=own, scope=scope)
    living = found["state"] in _LIVING
    rows = [(say("State"), view.word("link_state", found["state"]))]
    if found["granted_at"]:
        rows.append((say("Access since"), view.at(found["granted_at"])))
    if living:
        rows.append((say("Access for"), view.text(_scopes(view, found["scopes"]))))
        rows.append((say("Access until"), view.at(found["lapses_at"]) if found["lapses_at"] else view.text(
            say("you end it: it is renewed by itself"))))  # fmt: skip
    if found["ended_at"]:
        rows.append((say("Ended"), view.at(found["ended_at"])))
    blocks: list[Block] = [*_lapsing(view, found, partner, living=living), Facts(partner, rows)]
    if not living or found["state"] == "stopped":
        blocks.append(Story(say("Why it is so"), [StoryLine(each) for each in allowed["sentences"]]))
    blocks += _ways(view, found, partner, living=living)
    orders = view.rows("link-orders.list_orders", account=own, table="orders")
    blocks += _orders(view, orders.data, orders.next, partner)
    return Page(say("Linked service"), blocks, say("What is shown of your account at {partner}.", partner=partner))


@member.screen("/link-back", command="link show", resource="links")
def link_back(view: MemberView) -> Page:
    """The member is back from the partner, with its answer."""
    say, above = view.say, [(view.say("Linked service"), at_home("link"))]
    state, code = view.query.get("state", ""), view.query.get("code", "")
    if not _PART.fullmatch(state) or not _PART.fullmatch(code):
        told = say("You did not agree at {partner}, so nothing was linked and nothing changed.", partner=_partner(view))
        return Page(say("Not linked"), [Prose(told, "warn"), _begin(view, say("Begin anew"))], above=above)
    hidden = {"step": "do", "state": state, "code": code, "return_to": at_home("link")}
    told = say("You agreed at {partner}. One more step, and the link stands.", partner=_partner(view))
    return Page(
        say("Finish the link"),
        [view.send(say("Finish the link"), at_home("acts", "links.finish"), told, hidden)],
        above=above,
    )


@ROUTER.post(BEGIN)
def begin(request: Request, form: Annotated[dict[str, str], FormOf("links.begin")]) -> Response:
    """Begin an authorisation, and show the way to the partner: a form of ours may lead to no other host, a link may."""
    wanted = "orders" if form.get("scope") == "orders" else "data"
    back = request.app.state.door.origin + at_home("link-back")
    answer = did(request, form, "links.begin", {"scope": wanted, "back": back})
    lang = language_of(request)
    if not answer.get("url"):  # the form was sent twice: the address is told once
        return RedirectResponse(at_home("link"), 303, dict(PAGE_HEADERS))
    until = words.instant(answer["expires_at"], lang == "ja")
    page = Page(
        say("To the partner", lang),
        [
            Prose(say("Sign in at the partner and agree there. Then you come back here by yourself; until {until}.",
                       lang, until=until)),
            Acts("", [Act(say("Go to the partner", lang), answer["url"], strong=True)]),
        ],
        above=[(say("Linked service", lang), at_home("link"))],
    )  # fmt: skip
    return drawn_page(request, page)


@ROUTER.get(BEGIN)
def begun(request: Request) -> Response:
    """Opened again, it begins nothing."""
    del request
    return RedirectResponse(at_home("link"), 303, dict(PAGE_HEADERS))


def _lapsing(view: MemberView, found: Mapping[str, Any], partner: str, *, living: bool) -> list[Block]:
    """Said before anything else: the access lapses soon."""
    if not living or not found["lapses_at"]:
        return []
    lapses = datetime.fromisoformat(found["lapses_at"])
    if lapses - view.call.now > SOON:
        return []
    return [Prose(
        view.say("Your access to {partner} lapses at {at}. Renew it before: afterwards earlier data can no "
                 "longer be shown.",
                 partner=partner, at=words.instant(lapses, view.ja)), "warn",
    )]  # fmt: skip


def _ways(view: MemberView, found: Mapping[str, Any], partner: str, *, living: bool) -> list[Block]:
    """What the member can do: renew or begin, and end."""
    say = view.say
    if not living:
        return [_begin(view, say("Link my account at {partner}", partner=partner))]
    blocks: list[Block] = []
    if found["lapses_at"]:
        scope = "orders" if "orders" in found["scopes"] else "data"
        blocks.append(_begin(view, say("Renew the access"), scope))
    end = view.act("links.revoke", say("End the link"), account=view.own)
    return [*blocks, view.acts("", [end])]


def _begin(view: MemberView, title: str, scope: str = "data") -> Block:
    told = view.say("You are sent to the partner, sign in there and agree; we never see what you type there.")
    return view.send(title, BEGIN, told, {"scope": scope})


def _orders(view: MemberView, orders: Sequence[Mapping[str, Any]], after: str | None, partner: str) -> list[Block]:
    """Orders that were passed on; where one has no answer, whom to ask."""
    say = view.say
    if not orders:
        return []
    unknown = any(each["state"] in ("unknown", "sent") for each in orders)
    told = say("For an order without an answer it is not known whether {partner} has it. Do not order again: "
               "look it up in "
               "your account at {partner}, or ask there. It cannot be changed or cancelled from "
               "here.", partner=partner)  # fmt: skip
    rows = [
        [
            view.at(each["drafted_at"]),
            view.text(each["product"]),
            view.word("choice", each["side"], tone=""),
            view.number(each["quantity"]),
            view.word("order_state", each["state"]),
            view.code(each["partner_id"]),
        ]
        for each in reversed(orders)
    ]
    columns = [say("Ordered"), say("Product"), say("Buy or sell"), say("Quantity"), say("State"),
               say("Number at the partner")]  # fmt: skip
    return [
        *([Prose(told, "bad")] if unknown else []),
        view.table(say("Orders passed on"), columns, rows, empty="", name="orders", next=after),
    ]


def _scopes(view: MemberView, scopes: Sequence[str]) -> str:
    return ("、" if view.ja else ", ").join(word("link_scope", each, view.lang) for each in scopes)


def _partner(view: MemberView) -> str:
    return link_policy(view.call.today).partner_name
