"""What to do instead of reversing an entry that a document or an act of its own stands behind.

A reversal turns an entry over and leaves the document as it was: an invoice stays paid, a receipt matched. For most
events there is an act that takes back both; a reversal is for entries of people, and for what no act reaches.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Final

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.books import entry

_UNMATCH: Final = "take the match back: `keizoku bank unmatch PAYMENT`"
_CARD: Final = "refund the charge at the gateway: its refund is booked when it tells of it"
_GIVE_UP: Final = "give the fee up: `keizoku account write-off ACCOUNT --term …`"
_PAYOUT: Final = "the gateway's own movement is behind it: what was wrong there comes back as a movement of its own"
_LINE: Final = (
    "take the bank's file back (`keizoku bank take-back`), or say what the line is (`keizoku bank statement`)"
)
_STORE: Final = "record what the store reports: `keizoku store import`, `keizoku store refund`"
_KEYS: Final = "revoke what is unused of the batch: `keizoku key revoke BATCH`"

INSTEAD: Final[Mapping[str, str]] = MappingProxyType(
    {
        "term_invoiced": _GIVE_UP,
        "card_charge_succeeded": _CARD,
        "card_overcharged": "send it back: `keizoku deposit refund ACCOUNT`",
        "bank_receipt": _UNMATCH,
        "receipt_identified": _UNMATCH,
        "overpaid": "send it back: `keizoku deposit refund ACCOUNT`",
        "deposit_applied": "say who paid what: `keizoku bank unmatch PAYMENT`, then match anew",
        "unidentified_receipt": _LINE,
        "unidentified_payment": _LINE,
        "unidentified_returned": _LINE,
        "bank_fee": _LINE,
        "payout_at_bank": "take the join back: `keizoku bank unmatch PAYMENT`",
        "payout_fee": "take the join back: `keizoku bank unmatch PAYMENT`",
        "booked_at_bank": "take the join back: `keizoku bank unmatch PAYMENT`",
        "interest_demanded": "give the interest up: `keizoku account write-off ACCOUNT --term …`",
        "credit_granted": "an award is never lowered: let finance book the difference by hand",
        "payout": _PAYOUT,
        "processor_fee": _PAYOUT,
        "store_term_started": _STORE,
        "store_reported": _STORE,
        "store_paid_out": _STORE,
        "key_sold": _KEYS,
        "key_redeemed": "end the contract: `keizoku contract leave ACCOUNT`",
        "write_off": "what was given up does not come back; book a payment that comes all the same when it comes",
    }
)
"""Event -> the act that takes back the document with its entry."""


@dataclass(frozen=True, slots=True)
class Landed:
    """Where an entry stands: its day, and the closed month that it belongs to, if it could not stand there."""

    posted_on: date
    belongs_to: str | None


def warning(session: Session, entry_id: int) -> str | None:
    """Why reversing this entry may be the wrong act, and which is the right one; None for an entry of people."""
    row = session.execute(sa.select(entry.c.event, entry.c.event_key).where(entry.c.id == entry_id)).one_or_none()
    if row is None or row.event in ("by_people", "reversal"):
        return None
    instead = INSTEAD.get(row.event, "look for the act that takes back what it was posted from")
    return (
        f"entry {entry_id} was posted for {row.event_key} ({row.event}), which stays as it is when the entry is "
        f"reversed; {instead}"
    )


def landed(session: Session, entry_id: int) -> Landed:
    """Where an entry stands."""
    row = session.execute(sa.select(entry.c.posted_on, entry.c.belongs_to).where(entry.c.id == entry_id)).one()
    return Landed(row.posted_on, row.belongs_to)
