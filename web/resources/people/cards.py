"""Saved cards: begun here, confirmed by the card holder at Stripe's own form, kept, removed."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from keizoku.billing.accounts.account_views import attempts_view, owed_view
from keizoku.web.calls.answers import listed
from keizoku.web.calls.call import Call, Listing, whole
from keizoku.web.calls.operation import Resource
from keizoku.web.calls.values import Id

__all__ = ["cards"]

cards = Resource("cards", "Saved cards. Card numbers never reach us: the gateway keeps them.")

SavedCard = listed("SavedCard", card=str, saved_at=datetime, ended_at=datetime | None, charged=bool)
Setup = listed("CardSetup", account=str, setup=str, client_secret=str | None)
Kept = listed("CardKept", account=str, kept=bool)
Detached = listed("CardDetached", account=str, card=str, ended=bool)
Recorded = listed("NewCard", account=str, done=bool)


@cards.list("/accounts/{account}/cards", command="card list", row=SavedCard, member=True)
def list_cards(call: Call, account: Id) -> Listing:
    """Every card that was saved for an account, the newest first, and which one is charged."""
    return whole([asdict(each) for each in call.billing.cards(account)], "card")


@cards.act("/accounts/{account}/cards/begin", command="card begin", answer=Setup, repeat="again", member=True)
def begin(call: Call, account: Id) -> Any:
    """Begin to save a card: the client secret for Stripe's form. It is in this answer and kept nowhere."""
    setup = call.billing.begin_card(account, now=call.now)
    call.reveal["client_secret"] = setup.client_secret
    return {"account": account, "setup": setup.setup_id, "client_secret": None}


@cards.act("/accounts/{account}/cards/finish", command="card finish", answer=Kept, repeat="again", member=True)
def finish(call: Call, account: Id, *, setup: Id) -> Any:
    """Save a card that its holder has confirmed; what is unpaid is charged to it."""
    return {"account": account, "kept": call.billing.finish_card(account, setup, now=call.now)}


@cards.act("/accounts/{account}/cards/detach", command="card detach", answer=Detached, repeat="again")
def detach(call: Call, account: Id, *, card: Id) -> Any:
    """Charge a card no longer, here and at Stripe; a fee that falls due without one waits for a new card."""
    return {"account": account, "card": card, "ended": call.billing.detach_card(account, card, now=call.now)}


def _charge(call: Call, _: object, account: str) -> None:
    call.billing.charge_open(account, now=call.now)


@cards.act("/accounts/{account}/cards/new", command="card new", answer=Recorded, then=_charge)
def new(call: Call, account: Id) -> Any:
    """A new card is registered at the gateway (5.4); what is open is charged to it just after."""
    call.billing.new_card(account, charge=False, now=call.now)
    return {"account": account, "done": True}


@cards.question("/accounts/{account}/charges", command="account show", answer=dict[str, Any], member=True)
def charges(call: Call, account: Id) -> Any:
    """Every attempt at a charge, and what is still owed."""
    return {
        "account": account,
        "charges": attempts_view(call.session, account),
        "owed": owed_view(call.session, call.rules, account, call.now),
    }
