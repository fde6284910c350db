"""A card is saved (5.4) in Stripe's own form: its number goes from the browser to Stripe, and never reaches us.

    GET /member/card ── POST card/form ──> SetupIntent, Stripe's Payment Element ── confirmed, 3-D Secure where asked
    ──> GET /member/card-back ──> POST acts/cards.finish: the setup is fetched anew, the card kept, what is open charged

Stripe.js is taken from js.stripe.com and nowhere else, as Stripe demands; the one page that needs it says so in its own
policy. Without a publishable key the host has the form.
"""

from __future__ import annotations

import re
from typing import Annotated, Final

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from keizoku.web.pages.members.acting import FormOf, did, drawn_page
from keizoku.web.pages.members.family import MemberView, at_home, member
from keizoku.web.pages.shared.blocks import Act, Acts, Block, Page, Prose
from keizoku.web.pages.shared.rendering import PAGE_HEADERS, language_of
from keizoku.web.pages.shared.words import say

__all__ = ["POLICY", "ROUTER", "STRIPE_JS", "card", "card_back"]

ROUTER: Final = APIRouter(include_in_schema=False)
STRIPE_JS: Final = "https://js.stripe.com/v3/"
FORM: Final = at_home("card", "form")
POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; "
    "script-src 'self' https://js.stripe.com https://*.js.stripe.com; "
    "frame-src https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com; "
    "connect-src 'self' https://api.stripe.com; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""What docs.stripe.com/security/guide names for Stripe.js; its Google addresses are for the address element alone."""
_SETUP: Final = re.compile(r"seti_[A-Za-z0-9]{1,100}")


@member.screen("/card", command="card list", resource="cards")
def card(view: MemberView) -> Page:
    """The cards that are saved, and the way to another."""
    say, own = view.say, view.own
    found = view.ask("accounts.contract", account=own)
    cards = [each for each in view.rows("cards.list_cards", account=own, table="cards").data if not each["ended_at"]]
    charged = next((each for each in cards if each["charged"]), None)
    told = (
        say("A card is saved since {at}. A new one takes its place.", at=view.at(charged["saved_at"]))
        if charged
        else say("No card is saved here yet.")
    )
    blocks: list[Block] = [Prose(told)]
    above = [(say("Payments"), at_home("payments"))]
    if found["method"] == "app_store":
        blocks.append(Prose(say("You pay in an app store: change the card there."), "warn"))
        return Page(say("Your card"), blocks, above=above)
    if not view.call.settings.stripe_publishable_key or view.call.settings.gateway != "stripe":
        return Page(say("Your card"), [*blocks, *_by_the_host(view)], above=above)
    blocks += [
        view.send(say("Enter a card"), FORM,
             say("You type it into a form of Stripe, the company that charges it; its number never reaches us. "
                 "Your bank may "
                 "ask you to confirm it (3-D Secure). Nothing is charged by saving it; what is unpaid is "
                 "charged afterwards.")),
        Prose(say("The form needs JavaScript. Without it, pay by transfer, or open these pages in another "
                  "browser."), "soft"),
    ]  # fmt: skip
    return Page(say("Your card"), blocks, above=above)


@member.screen("/card-back", command="card list", resource="cards")
def card_back(view: MemberView) -> Page:
    """Back from the bank: confirmed, and one step from being saved, or not confirmed."""
    say, above = view.say, [(view.say("Your card"), at_home("card"))]
    setup = view.query.get("setup_intent", "")
    if view.query.get("redirect_status") == "failed" or not _SETUP.fullmatch(setup):
        told = say("Your bank did not confirm the card, so it was not saved. The card saved before stays as it is.")
        anew = Acts("", [Act(say("Enter a card again"), at_home("card"), strong=True)])
        return Page(say("The card was not saved"), [Prose(told, "bad"), anew], above=above)
    hidden = {"step": "do", "setup": setup, "return_to": at_home("payments")}
    told = say("The card is confirmed. It is being saved; press the button if this page stays.")
    return Page(
        say("Save the card"),
        [view.send(say("Save the card"), at_home("acts", "cards.finish"), told, hidden, name="finish-card")],
        above=above,
        script="card.js",
    )


@ROUTER.post(FORM)
def form(request: Request, form: Annotated[dict[str, str], FormOf("cards.begin")]) -> Response:
    """Begin to save a card, and show Stripe's form for it."""
    begun = did(request, form, "cards.begin")
    lang, door = language_of(request), request.app.state.door
    page = Page(say("Enter a card", lang), [], above=[(say("Your card", lang), at_home("card"))])
    return drawn_page(
        request, page, "card.html.j2", {"Content-Security-Policy": POLICY},
        stripe_js=STRIPE_JS, key_of_stripe=door.settings.stripe_publishable_key, secret=begun["client_secret"],
        back_at=door.origin + at_home("card-back"), without=at_home("payments"),
    )  # fmt: skip


@ROUTER.get(FORM)
def form_again(request: Request) -> Response:
    """Opened again, it begins nothing: a setup is begun by its button."""
    del request
    return RedirectResponse(at_home("card"), 303, dict(PAGE_HEADERS))


def _by_the_host(view: MemberView) -> list[Block]:
    """No form of Stripe's is set up here: the member saves a card where they came from."""
    say, host = view.say, view.host()
    told = say(
        "Cards are saved where you came from, not on these pages: open your account there, and its page for payments."
    )
    onward: list[Block] = [Acts("", [Act(host[0], host[1], strong=True)])] if host else []
    return [Prose(told, "warn"), *onward, *view.ask_us()]
