"""Events that Stripe sends to a host with a web server: verified, recorded once, and fetched anew.

    POST body + Stripe-Signature ──> verified (300 s) ──> event recorded ──> what it speaks of is fetched from Stripe

Nothing in the body is believed but the event's id, kind, time and the id of its object. A host answers Stripe with
`WebhookAnswer.status`: 200 ends Stripe's tries, 400 says that the sender is not Stripe, or that what it signed is no
event (`reason` says why). `refusal` needs no database: whoever is not Stripe costs a host one hash. Polling does the
same without an inbound port; both may run, in any order, and a thing is still recorded and booked once.
"""

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Protocol

import stripe
from sqlalchemy.dialects.postgresql import insert

from keizoku.billing.cards import charge_stage, disputes, failed_refunds
from keizoku.billing.gateway import events
from keizoku.billing.gateway.port import Gateway, GatewayRefusesUsError, UnansweredError
from keizoku.billing.gateway.stripe_charges import ATTEMPT
from keizoku.db.session import Session
from keizoku.db.tables.gateway import gateway_event
from keizoku.terms.rules import Rules

TOLERANCE_SECONDS = 300
"""How old a signature may be: an older one may be a replay."""
ABOUT_CHARGES = ("payment_intent.succeeded", "payment_intent.payment_failed", "payment_intent.canceled")
ABOUT_DISPUTES = "charge.dispute."
ABOUT_MONEY = ("payout.", "balance.", "charge.refund", "refund.")
THIN = "it is a thin event (v2): give the endpoint snapshot events of the types that docs/how-to/webhooks.md names"
LARGEST_BYTES = 1_000_000
LONGEST_SIGNATURE = 4_000
_ID = re.compile(r"[A-Za-z0-9_]{1,255}")
"""Stripe's ids, as its API documents them: at most 255 characters."""
_KIND = re.compile(r"[a-z0-9_.]{1,255}")


class Body(Protocol):
    """What a web server lets read: `wsgi.input`, or a file."""

    def read(self, size: int = -1, /) -> bytes:
        """At most so many bytes."""
        ...


class Answer(StrEnum):
    """What became of an event that was received."""

    TAKEN = "taken"  # recorded; what it speaks of was fetched
    DUPLICATE = "duplicate"  # received before: nothing is done twice
    UNKNOWN_TYPE = "unknown_type"  # recorded; nothing of ours speaks of it
    LATER = "later"  # recorded; Stripe did not answer, or refused us, when asked anew: the next poll or night asks
    BAD_SIGNATURE = "bad_signature"  # not from Stripe, or changed on the way
    REPLAYED = "replayed"  # signed too long ago, or in the future
    BAD_PAYLOAD = "bad_payload"  # signed, and yet no event


_STATUS = {
    Answer.TAKEN: HTTPStatus.OK,
    Answer.DUPLICATE: HTTPStatus.OK,
    Answer.UNKNOWN_TYPE: HTTPStatus.OK,
    Answer.LATER: HTTPStatus.OK,
    Answer.BAD_SIGNATURE: HTTPStatus.BAD_REQUEST,
    Answer.REPLAYED: HTTPStatus.BAD_REQUEST,
    Answer.BAD_PAYLOAD: HTTPStatus.BAD_REQUEST,
}


@dataclass(frozen=True, slots=True)
class WebhookAnswer:
    """The answer to a call, and how many rows it led to."""

    answer: Answer
    event_id: str | None = None
    changes: int = 0
    reason: str = field(default="", compare=False)  # why a call was refused, for the host's log; nothing of the body

    @property
    def status(self) -> int:
        """The HTTP status for Stripe."""
        return int(_STATUS[self.answer])


@dataclass(frozen=True, slots=True)
class SignedEvent:
    """An event that Stripe signed. `attempt_id`: which of our attempts it may be about; it is looked up."""

    id: str
    kind: str
    about: str  # the id of its object
    happened_at: datetime
    attempt_id: int | None


def handle(
    session: Session, rules: Rules, gateway: Gateway, payload: bytes, signature: str, secret: str, now: datetime
) -> WebhookAnswer:
    """Take one call of Stripe's: the raw body, the header Stripe-Signature, the endpoint's signing secret; commits.

    Raises ValueError for an empty secret: whoever signs with nothing could be anybody.
    """
    event = _verified(payload, signature, secret, now)
    if isinstance(event, WebhookAnswer):
        return event
    new = session.execute(
        insert(gateway_event)
        .values(id=event.id, kind=event.kind, about=event.about, happened_at=event.happened_at, recorded_at=now)
        .on_conflict_do_nothing(index_elements=["id"])
        .returning(gateway_event.c.id)
    ).first()
    session.commit()
    if new is None:
        return WebhookAnswer(Answer.DUPLICATE, event.id)
    if not _speaks_of_ours(event.kind):
        return WebhookAnswer(Answer.UNKNOWN_TYPE, event.id, 1)
    try:
        changes = _fetch_anew(session, rules, gateway, event, now)
    except (UnansweredError, GatewayRefusesUsError) as error:
        session.rollback()
        return WebhookAnswer(Answer.LATER, event.id, 1, reason=str(error))
    return WebhookAnswer(Answer.TAKEN, event.id, 1 + changes)


def refusal(payload: bytes, signature: str, secret: str, now: datetime) -> WebhookAnswer | None:
    """Why a call is not taken, or None: asked before a database is opened. Raises ValueError as `handle` does."""
    found = _verified(payload, signature, secret, now)
    return found if isinstance(found, WebhookAnswer) else None


def read_body(stream: Body, content_length: str | None) -> bytes | None:
    """The raw body of a call, at most a byte more than is taken; None where its stated length is no number."""
    stated = (content_length or "0").strip()
    if not (stated.isascii() and stated.isdigit()) or len(stated) > 15:
        return None
    return stream.read(min(int(stated), LARGEST_BYTES + 1))


def _verified(payload: bytes, signature: str, secret: str, now: datetime) -> SignedEvent | WebhookAnswer:
    """The event that Stripe signed, or the refusal. The age of the signature is measured by `now`."""
    if not secret:
        raise ValueError("the signing secret of the endpoint is empty")
    if len(payload) > LARGEST_BYTES:
        return WebhookAnswer(Answer.BAD_PAYLOAD, reason=f"the body is larger than {LARGEST_BYTES} bytes")
    if len(signature) > LONGEST_SIGNATURE or not signature.isascii():
        return WebhookAnswer(Answer.BAD_SIGNATURE, reason="Stripe-Signature is not one of Stripe's")
    try:
        stripe.WebhookSignature.verify_header(payload.decode(), signature, secret)
        signed_at = datetime.fromtimestamp(_signed_seconds(signature), UTC)
    except (ValueError, OverflowError, OSError, stripe.SignatureVerificationError):
        return WebhookAnswer(Answer.BAD_SIGNATURE, reason="the signature does not fit the body")
    if abs((now - signed_at).total_seconds()) > TOLERANCE_SECONDS:
        return WebhookAnswer(Answer.REPLAYED, reason=f"it was signed more than {TOLERANCE_SECONDS} seconds from now")
    event = _event(payload)
    return WebhookAnswer(Answer.BAD_PAYLOAD, reason=event) if isinstance(event, str) else event


def _signed_seconds(signature: str) -> int:
    """When it was signed, by the one time in the header: of two, one would be checked and the other believed."""
    (said,) = (part[2:] for part in signature.split(",") if part.startswith("t="))
    return int(said)


def _event(payload: bytes) -> SignedEvent | str:
    """Id, kind, object and time of an event, and the attempt it may be about; a sentence where the body is none."""
    try:
        body = json.loads(payload)
        if body.get("object") == "v2.core.event":
            return THIN
        about = body["data"]["object"]
        found = SignedEvent(
            id=body["id"],
            kind=body["type"],
            about=about.get("id", ""),
            happened_at=datetime.fromtimestamp(body["created"], UTC),
            attempt_id=_attempt_hint(about.get("metadata")),
        )
    except RecursionError:
        return "the body is nested too deep"
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError):
        return "the body is not an event: an object with id, type, created and data.object"
    texts: tuple[tuple[str, object, re.Pattern[str]], ...] = (
        ("id", found.id, _ID),
        ("kind", found.kind, _KIND),
        ("about", found.about, _ID),
    )
    for name, value, form in texts:
        if not isinstance(value, str) or not (form.fullmatch(value) or (name == "about" and not value)):
            return f"the event's {name} is not written as Stripe writes it"
    return found


def _speaks_of_ours(kind: str) -> bool:
    return kind in ABOUT_CHARGES or kind.startswith((ABOUT_DISPUTES, *ABOUT_MONEY))


def _attempt_hint(metadata: object) -> int | None:
    """Which of our attempts the event may be about: it is looked up, whatever the event says of it."""
    named = metadata.get(ATTEMPT) if isinstance(metadata, dict) else None
    return int(named) if isinstance(named, str) and named.isascii() and named.isdigit() and len(named) < 19 else None


def _fetch_anew(session: Session, rules: Rules, gateway: Gateway, event: SignedEvent, now: datetime) -> int:
    """Ask Stripe itself for what the event speaks of; what is booked is what it answers now."""
    if event.kind.startswith(ABOUT_DISPUTES):
        return disputes.sync_one(session, rules, gateway, event.about, now) if event.about else 0
    if event.kind in ABOUT_CHARGES:
        hint = event.attempt_id
        return 0 if hint is None else charge_stage.look_up(session, rules, gateway, hint, now)
    changes = 0 if gateway.books is None else events.poll(session, gateway.books, now)
    return changes + failed_refunds.sync_events(session, gateway, now)
