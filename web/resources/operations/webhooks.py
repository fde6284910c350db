"""Stripe's own calls: signed by Stripe, so they need no key of ours (docs/how-to/webhooks.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool

from keizoku.extras import naming_the_extra
from keizoku.web.calls.call import door_of
from keizoku.web.calls.problems import ProblemError

if TYPE_CHECKING:
    from keizoku.web.door import Door

__all__ = ["router"]

router = APIRouter()


@router.post("/v1/webhooks/stripe", include_in_schema=False)
async def stripe(request: Request) -> Response:
    """Take an event: 200 ends Stripe's tries, 400 says that it is not Stripe's, or no event."""
    door = door_of(request)
    secret = door.settings.stripe_webhook_secret()
    if secret is None or door.settings.gateway != "stripe":
        raise ProblemError(
            404, "webhook.unset", "No endpoint of Stripe's is set.", "see KEIZOKU_STRIPE_WEBHOOK_SECRET_FILE"
        )
    payload, signature = await request.body(), request.headers.get("stripe-signature", "")
    return await run_in_threadpool(_take, door, payload, signature, secret)


def _take(door: Door, payload: bytes, signature: str, secret: str) -> Response:
    with naming_the_extra():
        from keizoku.billing.cards.webhook import handle, refusal

    now = door.clock()
    answer = refusal(payload, signature, secret, now)  # before any connection is opened
    if answer is None:
        with door.services("worker", acts=True) as services:
            answer = handle(services.session, services.rules, services.gateway, payload, signature, secret, now)
    return Response(answer.answer.value, answer.status, media_type="text/plain")
