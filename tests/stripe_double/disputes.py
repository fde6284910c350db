"""Disputes: inquiries that move no money, disputes that do, and what their bank decides, also on appeal."""

from __future__ import annotations

from tests.stripe_double.refused import invalid
from tests.stripe_double.world import Books, Thing

INQUIRY = ("warning_needs_response", "warning_under_review", "warning_closed")
CLOSED = ("won", "lost", "prevented", "warning_closed")
DAYS_TO_ANSWER = 7
EVIDENCE_DECIDES = {
    "winning_evidence": "won", "losing_evidence": "lost", "escalate_inquiry_evidence": "needs_response",
}  # fmt: skip
"""What a text of evidence decides in test mode, as Stripe documents."""
EVIDENCE = (
    "access_activity_log", "billing_address", "cancellation_policy", "cancellation_policy_disclosure",
    "cancellation_rebuttal", "customer_communication", "customer_email_address", "customer_name",
    "customer_purchase_ip", "customer_signature", "duplicate_charge_documentation", "duplicate_charge_explanation",
    "duplicate_charge_id", "product_description", "receipt", "refund_policy", "refund_policy_disclosure",
    "refund_refusal_explanation", "service_date", "service_documentation", "shipping_address", "shipping_carrier",
    "shipping_date", "shipping_documentation", "shipping_tracking_number", "uncategorized_file", "uncategorized_text",
)  # fmt: skip


def open_dispute(
    books: Books,
    charge: Thing,
    *,
    amount: int | None = None,
    fee: int | None = None,
    reason: str = "fraudulent",
    inquiry: bool = False,
) -> Thing:
    """A cardholder asks (an inquiry) or disputes: then amount and fee leave the balance at once."""
    now = books.now()
    brand = charge["payment_method_details"]["card"]["brand"]
    made: Thing = {
        "id": books.new_id("dispute"),
        "object": "dispute",
        "amount": charge["amount"] if amount is None else amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": now + DAYS_TO_ANSWER * 86_400, "enhanced_eligibility": {}, "has_evidence": False,
            "past_due": False, "submission_count": 0, "submission_method": "not_submitted",
        },
        "is_charge_refundable": inquiry,
        "livemode": books.live,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {"brand": brand, "case_type": "inquiry" if inquiry else "chargeback", "network": brand,
                     "network_reason_code": "10.4"},
            "type": "card",
        },
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }  # fmt: skip
    books.add("dispute", made)
    charge["disputed"] = True
    books.tell("charge.dispute.created", made)
    if not inquiry:
        withdraw(books, made, books.settings.dispute_fee if fee is None else fee)
    return made


def withdraw(books: Books, dispute: Thing, fee: int) -> None:
    """The money leaves, and the fee with it."""
    _moved(books, dispute, -dispute["amount"], fee, "dispute")
    books.tell("charge.dispute.funds_withdrawn", dispute)


def _moved(books: Books, dispute: Thing, amount: int, fee: int, category: str) -> None:
    moved = books.move(
        "adjustment", amount, dispute["id"], fee=fee, currency=dispute["currency"], category=category,
        description=f"Chargeback {'withdrawal' if amount < 0 else 'reversal'} for {dispute['charge']}",
    )  # fmt: skip
    dispute["balance_transactions"].append(moved)


def move_dispute(books: Books, dispute: str, status: str, moves: list[Thing] | None = None, fee: int = 0) -> Thing:
    """The next state; without `moves` the money that Stripe says goes with it.

    `moves` is what else may happen: `lost` with a part back (what had been refunded before; "partially won" in the
    dashboard), money that leaves once more, a fee alone.

    `won` gives the amount back (also what was lost before, on appeal) and a `fee` below zero with it; an inquiry that
    becomes a dispute takes it away; `lost`, `prevented` and the states of an inquiry move nothing.
    """
    found = books.get("dispute", dispute)
    before = {"status": found["status"]}
    found["status"] = status
    found["is_charge_refundable"] = status in INQUIRY
    if status == "needs_response" and before["status"] in INQUIRY:
        found["payment_method_details"]["card"]["case_type"] = "chargeback"
    for each in moves or ():
        out = each["amount"] < 0
        _moved(books, found, each["amount"], each.get("fee", 0), "dispute" if out else "dispute_reversal")
        books.tell(f"charge.dispute.funds_{'withdrawn' if out else 'reinstated'}", found)
    taken = -sum(each["amount"] for each in found["balance_transactions"])
    if moves is None and status == "won" and taken > 0:
        _moved(books, found, taken, fee, "dispute_reversal")
        books.tell("charge.dispute.funds_reinstated", found)
    elif moves is None and status == "needs_response" and before["status"] in INQUIRY:
        withdraw(books, found, fee or books.settings.dispute_fee)
    books.tell("charge.dispute.closed" if status in CLOSED else "charge.dispute.updated", found, before)
    return found


def retrieve_dispute(books: Books, asked: Thing, dispute: str) -> Thing:
    """GET /v1/disputes/{dispute}."""
    return books.get("dispute", dispute, "dispute", in_path=True)


def update_dispute(books: Books, asked: Thing, dispute: str) -> Thing:
    """POST /v1/disputes/{dispute}: evidence, which Stripe submits with `submit`."""
    found = books.get("dispute", dispute, "dispute", in_path=True)
    if found["status"] in CLOSED:
        raise invalid("This dispute is already closed.")
    found["evidence"] |= {name: each for name, each in (asked.get("evidence") or {}).items() if isinstance(each, str)}
    found["evidence_details"]["has_evidence"] = any(found["evidence"][name] for name in EVIDENCE)
    if asked.get("submit", True):
        found["evidence_details"]["submission_count"] += 1
        decided = EVIDENCE_DECIDES.get(found["evidence"]["uncategorized_text"] or "")
        if decided is not None and not books.live:
            inquiry = found["status"] in INQUIRY
            return move_dispute(books, dispute, "warning_closed" if inquiry and decided == "won" else decided)
        review = "warning_under_review" if found["status"] in INQUIRY else "under_review"
        return move_dispute(books, dispute, review, moves=[])
    return found


def close_dispute(books: Books, asked: Thing, dispute: str) -> Thing:
    """POST /v1/disputes/{dispute}/close: it is accepted, and lost."""
    found = books.get("dispute", dispute, "dispute", in_path=True)
    if found["status"] in CLOSED:
        raise invalid("This dispute is already closed.")
    return move_dispute(books, dispute, "warning_closed" if found["status"] in INQUIRY else "lost", moves=[])
