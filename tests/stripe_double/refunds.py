"""Refunds: to the card that was charged, never beyond the charge; they wait, fail days later, or are cancelled."""

from __future__ import annotations

from tests.stripe_double.cards import Card
from tests.stripe_double.methods import metadata
from tests.stripe_double.refused import invalid
from tests.stripe_double.world import Books, Thing

DAY = 86_400


def create_refund(books: Books, asked: Thing) -> Thing:
    """POST /v1/refunds."""
    charge = _charge_of(books, asked)
    number = charge["id"]
    left = charge["amount_captured"] - charge["amount_refunded"]
    if not charge["paid"] or not charge["captured"]:
        raise invalid(f"Charge {number} has not been captured; there is nothing to refund.", param="charge")
    if charge["disputed"] and _lost_money(books, number):
        raise invalid(f"Charge {number} has been charged back; cannot issue a refund.", "charge_disputed")
    if left == 0:
        raise invalid(f"Charge {number} has already been refunded.", "charge_already_refunded")
    amount = asked.get("amount", left)
    if amount < 1:
        raise invalid("Invalid positive integer", "parameter_invalid_integer", "amount")
    if amount > left:
        raise invalid(
            f"Refund amount (¥{amount:,}) is greater than unrefunded amount on charge (¥{left:,})", param="amount"
        )
    outcome = _next_outcome(books, charge)
    card: Card | None = books.cards.get(charge["payment_method"])
    status = outcome.get("status") or ("pending" if card is not None and card.refunds == "pending" else "succeeded")
    made: Thing = {
        "id": books.new_id("refund"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": number,
        "created": books.now(),
        "currency": charge["currency"],
        "customer": charge["customer"],
        "customer_account": None,
        "destination_details": {"card": {"type": "refund", "reference": None, "reference_status": "pending",
                                         "reference_type": "acquirer_reference_number"}, "type": "card"},
        "metadata": metadata(asked),
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": asked.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": status,
        "transfer_reversal": None,
    }  # fmt: skip
    if status in ("pending", "requires_action"):
        made["pending_reason"] = "processing"
    books.add("refund", made)
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
    if status == "succeeded":
        _moved(books, made)
    books.tell("refund.created", made)
    books.tell("charge.refunded", charge)
    if card is not None and card.refunds == "failed":
        books.world.later(DAY, lambda: fail_refund(books, made["id"]))
    if card is not None and card.refunds == "pending":
        books.world.later(DAY, lambda: settle_refund(books, made["id"]))
    return made


def _next_outcome(books: Books, charge: Thing) -> Thing:
    for name in (f"refund:{charge['id']}", f"refund:{charge['customer']}", "refund:*"):
        queue = books.next_outcomes.get(name)
        if queue:
            return queue.popleft()
    return {}


def _charge_of(books: Books, asked: Thing) -> Thing:
    if "payment_intent" in asked:
        intent = books.get("payment_intent", asked["payment_intent"], "payment_intent")
        if intent["latest_charge"] is None:
            raise invalid("This PaymentIntent does not have a successful charge to refund.", param="payment_intent")
        return books.get("charge", intent["latest_charge"])
    if "charge" not in asked:
        raise invalid("One of the following params should be provided for this request: payment_intent or charge.")
    return books.get("charge", asked["charge"], "charge")


def _lost_money(books: Books, charge: str) -> bool:
    return any(
        each["charge"] == charge and each["balance_transactions"] and each["status"] not in ("won", "prevented")
        for each in books.all("dispute")
    )


def _moved(books: Books, refund: Thing) -> None:
    moved = books.move("refund", -refund["amount"], refund["id"], currency=refund["currency"])
    refund["balance_transaction"] = moved["id"]


def settle_refund(books: Books, refund: str) -> Thing:
    """What was pending arrives."""
    found = books.get("refund", refund)
    found["status"] = "succeeded"
    found.pop("pending_reason", None)
    _moved(books, found)
    books.tell("refund.updated", found)
    books.tell("charge.refund.updated", found)
    return found


def fail_refund(
    books: Books, refund: str, reason: str = "expired_or_canceled_card", tell: tuple[str, ...] | None = None
) -> Thing:
    """The card's bank sends it back: the money is in the balance again, on the day on which that happens."""
    found = books.get("refund", refund)
    if found["balance_transaction"] is not None:
        back = books.move("refund_failure", found["amount"], refund, currency=found["currency"])
        found["failure_balance_transaction"] = back["id"]
    found |= {"status": "failed", "failure_reason": reason}
    found.pop("pending_reason", None)
    _give_room(books, found)
    for kind in ("refund.updated", "refund.failed", "charge.refund.updated") if tell is None else tell:
        books.tell(kind, found)
    return found


def cancel_refund(books: Books, asked: Thing, refund: str) -> Thing:
    """POST /v1/refunds/{refund}/cancel: only while it waits for the customer."""
    found = books.get("refund", refund, "refund", in_path=True)
    if found["status"] != "requires_action":
        raise invalid(f"This refund cannot be canceled because it has a status of {found['status']}.")
    found["status"] = "canceled"
    found.pop("pending_reason", None)
    _give_room(books, found)
    books.tell("refund.updated", found)
    return found


def _give_room(books: Books, refund: Thing) -> None:
    charge = books.get("charge", refund["charge"])
    charge["amount_refunded"] -= refund["amount"]
    charge["refunded"] = False


def retrieve_refund(books: Books, asked: Thing, refund: str) -> Thing:
    """GET /v1/refunds/{refund}."""
    return books.get("refund", refund, "refund", in_path=True)


def update_refund(books: Books, asked: Thing, refund: str) -> Thing:
    """POST /v1/refunds/{refund}: its metadata."""
    found = books.get("refund", refund, "refund", in_path=True)
    found["metadata"] = metadata(asked, found["metadata"])
    return found
