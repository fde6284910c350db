"""Payouts, the balance, and the account: what Stripe sends to the bank, and what comes back from it."""

from __future__ import annotations

from collections import defaultdict

from tests.stripe_double.methods import metadata
from tests.stripe_double.refused import invalid
from tests.stripe_double.world import EVENTS_KEPT_SECONDS, Books, Thing

BANK_DAYS = 4 * 86_400
FAILURES = {
    "account_closed": "The bank account has been closed.",
    "could_not_process": "The bank could not process this transfer.",
    "insufficient_funds": "Your Stripe account has insufficient funds to cover the payout.",
    "no_account": "The bank account details on file are probably incorrect. No bank account exists with those details.",
}


def pay_out(books: Books, status: str = "pending", *, currency: str = "jpy") -> Thing:
    """An automatic payout of all that no earlier one took."""
    taken = [
        each
        for each in books.all("balance_transaction")
        if each["id"] not in books.paid_by and each["type"] not in ("payout", "payout_failure", "payout_cancel")
        and each["currency"] == currency
    ]  # fmt: skip
    made = _payout(books, sum(each["net"] for each in taken), automatic=True, currency=currency, asked={})
    books.paid_by |= {each["id"]: made["id"] for each in taken}
    if status != "pending":
        move_payout(books, made["id"], status)
    return made


def _payout(books: Books, amount: int, *, automatic: bool, currency: str, asked: Thing) -> Thing:
    number = books.new_id("payout")
    made: Thing = {
        "id": number,
        "object": "payout",
        "amount": amount,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": books.now() + BANK_DAYS,
        "automatic": automatic,
        "balance_transaction": None,
        "created": books.now(),
        "currency": currency,
        "description": "STRIPE PAYOUT" if automatic else asked.get("description"),
        "destination": "ba_1KeizokuOfADouble0000000",
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": books.live,
        "metadata": metadata(asked),
        "method": asked.get("method", "standard"),
        "original_payout": None,
        "payout_method": None,
        "reconciliation_status": "in_progress" if automatic else "not_applicable",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": asked.get("statement_descriptor"),
        "status": "pending",
        "trace_id": None,
        "type": "bank_account",
    }
    books.add("payout", made)
    moved = books.move("payout", -amount, number, currency=currency, description=made["description"])
    made["balance_transaction"] = moved["id"]
    books.paid_by[moved["id"]] = number
    books.tell("payout.created", made)
    return made


def move_payout(
    books: Books,
    payout: str,
    status: str | None = None,
    *,
    code: str = "account_closed",
    reconciled: bool | None = None,
) -> Thing:
    """The next state: in_transit, paid, failed (also after paid), canceled; and whether its members can be listed.

    Without `reconciled` they can from the moment on which it is paid.
    """
    found = books.get("payout", payout)
    before = {"status": found["status"]}
    if status is not None:
        found["status"] = status
    if status in ("failed", "canceled"):
        kind = "payout_failure" if status == "failed" else "payout_cancel"
        back = books.move(kind, found["amount"], payout, currency=found["currency"])
        found["failure_balance_transaction"] = back["id"]
        books.paid_by[back["id"]] = payout
        if status == "failed":
            found["failure_code"], found["failure_message"] = code, FAILURES.get(code, code)
    done = status == "paid" if reconciled is None else reconciled
    if found["automatic"] and done and found["reconciliation_status"] != "completed":
        found["reconciliation_status"] = "completed"
        books.tell("payout.reconciliation_completed", found)
    if status is not None:
        books.tell(f"payout.{'updated' if status == 'in_transit' else status}", found, before)
    return found


def create_payout(books: Books, asked: Thing) -> Thing:
    """POST /v1/payouts: one by hand, of what is available; it is paid some days later unless something happens."""
    currency = asked["currency"]
    available = sum(each["net"] for each in books.all("balance_transaction")
                    if each["currency"] == currency and each["available_on"] <= books.now())  # fmt: skip
    if asked["amount"] > available:
        raise invalid("You have insufficient funds in your Stripe account for this transfer.", "balance_insufficient")
    made = _payout(books, asked["amount"], automatic=False, currency=currency, asked=asked)
    number = made["id"]
    books.world.later(86_400, lambda: _goes_on(books, number, "in_transit"))
    books.world.later(BANK_DAYS, lambda: _goes_on(books, number, "paid"))
    return made


def _goes_on(books: Books, payout: str, status: str) -> None:
    if books.get("payout", payout)["status"] in ("pending", "in_transit"):
        move_payout(books, payout, status)


def retrieve_payout(books: Books, asked: Thing, payout: str) -> Thing:
    """GET /v1/payouts/{payout}."""
    return books.get("payout", payout, "payout", in_path=True)


def cancel_payout(books: Books, asked: Thing, payout: str) -> Thing:
    """POST /v1/payouts/{payout}/cancel: while it is pending."""
    found = books.get("payout", payout, "payout", in_path=True)
    if found["status"] != "pending":
        raise invalid("Payouts can only be canceled while they are pending.", "payouts_not_allowed")
    return move_payout(books, payout, "canceled")


def retrieve_transaction(books: Books, asked: Thing, transaction: str) -> Thing:
    """GET /v1/balance_transactions/{id}."""
    found = books.get("balance_transaction", transaction, "id", in_path=True)
    _ripen(books, found)
    return found


def _ripen(books: Books, transaction: Thing) -> None:
    if transaction["available_on"] <= books.now():
        transaction["status"] = "available"


def ripen_all(books: Books) -> None:
    """What has become available since."""
    for each in books.all("balance_transaction"):
        _ripen(books, each)


def balance(books: Books, asked: Thing) -> Thing:
    """GET /v1/balance: what can be paid out, and what cannot yet, by currency."""
    sums: dict[str, dict[str, int]] = {"available": defaultdict(int), "pending": defaultdict(int)}
    for each in books.all("balance_transaction"):
        state = "available" if each["available_on"] <= books.now() else "pending"
        sums[state][each["currency"]] += each["net"]
    currencies = sorted({"jpy", *sums["available"], *sums["pending"]})
    return {
        "object": "balance",
        **{
            state: [
                {"amount": found[each], "currency": each, "source_types": {"card": found[each]}} for each in currencies
            ]
            for state, found in sums.items()
        },
        "livemode": books.live,
    }


def account(books: Books, asked: Thing, number: str | None = None) -> Thing:
    """GET /v1/account: whose the key is."""
    if number is not None and number != books.account:
        raise invalid(
            f"The provided key does not have access to account '{number}' (or that account does not exist). "
            "Application access may have been revoked.", "account_invalid", status=403,
        )  # fmt: skip
    return {
        "id": books.account,
        "object": "account",
        "business_profile": None,
        "business_type": None,
        "charges_enabled": True,
        "country": "JP",
        "created": 1_700_000_000,
        "default_currency": "jpy",
        "details_submitted": True,
        "email": None,
        "payouts_enabled": True,
        "type": "standard",
    }


def retrieve_event(books: Books, asked: Thing, event: str) -> Thing:
    """GET /v1/events/{id}: for 30 days."""
    found = books.get("event", event, "id", in_path=True)
    if found["created"] < books.now() - EVENTS_KEPT_SECONDS:
        raise invalid(f"No such event: '{event}'", "resource_missing", "id", 404)
    return found
