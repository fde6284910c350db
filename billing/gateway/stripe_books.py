"""The books of an account at Stripe: events, balance transactions, payouts and disputes, page by page."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import stripe

from keizoku.billing.gateway.books import Dispute, DisputeMove, GatewayEvent, KeyedAct, Movement, Payout
from keizoku.billing.gateway.port import UnansweredError
from keizoku.billing.gateway.stripe_calls import ACCOUNT, INVOICE, KEY, PAGE, StripeCalls, is_nowhere, plain

UNDER_WAY = ("processing", "requires_capture")
"""States of an intent that may still end in a charge without us."""
_OVER = ("won", "lost", "warning_closed")
"""States of a dispute that is over."""


class StripeBooks:
    """Reads an account's books; a call without an answer raises UnansweredError, and the next poll asks again."""

    def __init__(self, calls: StripeCalls) -> None:
        self._calls = calls

    def server_now(self) -> datetime | None:
        """Stripe's clock by its last answer."""
        return self._calls.server_now()

    def events(self, since: datetime) -> Iterator[GatewayEvent]:
        """Events from an instant on, newest first; Stripe keeps them for 30 days."""
        for each in self._all(lambda client, params: client.v1.events.list(params), _from(since)):
            about = each.get("data", {}).get("object", {})
            yield GatewayEvent(each["id"], each["type"], str(about.get("id", "")), _instant(each["created"]))

    def movements(self, since: datetime) -> Iterator[Movement]:
        """Balance transactions from an instant on, newest first."""
        wanted = {**_from(since), "expand": ["data.source"]}
        for each in self._all(lambda client, params: client.v1.balance_transactions.list(params), wanted):
            yield _movement(each)

    def payouts(self, since: datetime) -> Iterator[Payout]:
        """Payouts from an instant on, newest first."""
        for each in self._all(lambda client, params: client.v1.payouts.list(params), _from(since)):
            yield _payout(each)

    def payout(self, payout: str) -> Payout | None:
        """A payout as it stands now; None where Stripe knows none."""
        try:
            return _payout(plain(self._calls.call(lambda client: client.v1.payouts.retrieve(payout))))
        except stripe.InvalidRequestError as error:
            if is_nowhere(error):
                return None
            raise UnansweredError(str(error.code)) from error

    def disputes(self, since: datetime) -> Iterator[Dispute]:
        """Disputes and inquiries from an instant on, newest first."""
        for each in self._all(lambda client, params: client.v1.disputes.list(params), _from(since)):
            yield dispute_now(each)

    def movements_of(self, payout: str) -> Sequence[str]:
        """The ids of the movements that an automatic payout is made of; the payout's own movement is not one."""
        found = self._all(lambda client, params: client.v1.balance_transactions.list(params), {"payout": payout})
        return [each["id"] for each in found if each["source"] != payout]

    def acts(self, since: datetime, accounts: Mapping[str, str]) -> Iterator[KeyedAct]:
        """Charges that succeeded and refunds that were not refused, with a key of ours, from an instant on.

        A customer registered since a restored backup is in none of its rows: the account is then what the charge says.
        """
        wanted = _from(since)
        for each in self._all(lambda client, params: client.v1.payment_intents.list(params), wanted):
            said = each.get("metadata") or {}
            if KEY not in said:
                continue
            if each["status"] in UNDER_WAY:
                raise UnansweredError("a charge under a key of ours is under way")
            if each["status"] == "succeeded":
                number = str(said.get(INVOICE, ""))
                yield KeyedAct(
                    each["id"],
                    said[KEY],
                    accounts.get(str(each.get("customer"))) or said.get(ACCOUNT),
                    int(number) if number.isdecimal() else None,
                    None,
                    each["amount"],
                    _instant(each["created"]),
                )
        for each in self._all(lambda client, params: client.v1.refunds.list(params), wanted):
            key = (each.get("metadata") or {}).get(KEY)
            if key is not None and each["status"] not in ("failed", "canceled"):
                charge = str(each.get("payment_intent") or each["charge"])
                yield KeyedAct(each["id"], key, None, None, charge, each["amount"], _instant(each["created"]))

    def dispute(self, dispute: str) -> Dispute:
        """A dispute as it stands now."""
        return dispute_now(plain(self._calls.call(lambda client: client.v1.disputes.retrieve(dispute))))

    def _all(self, ask: Callable[[stripe.StripeClient, Any], Any], wanted: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Every object that fits, as plain dictionaries, page by page."""
        params: dict[str, Any] = {**wanted, "limit": PAGE}
        while True:
            asked = dict(params)
            page = self._calls.call(lambda client, asked=asked: ask(client, asked))  # type: ignore[misc]
            yield from (plain(each) for each in page.data)
            if not page.has_more or not page.data:
                return
            params["starting_after"] = page.data[-1].id


def dispute_now(found: dict[str, Any]) -> Dispute:
    """A dispute by what moved the balance, its status only where nothing did: an inquiry moves nothing.

    A dispute that is "won" is open until money is back, also where it was taken once more. One that is lost may have
    got a part back (what had been refunded before; the dashboard calls it partially won), and may still be won, on
    appeal.
    """
    moves = tuple(
        DisputeMove(each["id"], each["amount"], each.get("fee", 0), _instant(each["created"]))
        for each in sorted(map(plain, found.get("balance_transactions") or []), key=lambda each: each["created"])
    )
    taken = -sum(each.amount for each in moves if each.amount < 0)
    back = [each for each in moves if each.amount > 0]
    came_last = next((each.amount > 0 for each in reversed(moves) if each.amount), False)
    status, closed_at = found["status"], None
    if not taken:
        state = {"prevented": "prevented"}.get(status, "closed" if status in _OVER else "inquiry")
    elif back and ((status == "won" and came_last) or sum(each.amount for each in back) >= taken):
        state, closed_at = "won", back[-1].happened_at
    else:
        state = "lost" if status in ("lost", "prevented") else "open"
    currencies = [plain(each)["currency"] for each in found.get("balance_transactions") or []]
    return Dispute(
        id=found["id"],
        payment=str(found.get("payment_intent") or found["charge"]),
        amount=taken or found["amount"],
        state=state,
        happened_at=_instant(found["created"]),
        moves=moves,
        closed_at=closed_at,
        currency=next((each for each in currencies if each != "jpy"), "jpy"),
    )


def _payout(found: dict[str, Any]) -> Payout:
    return Payout(
        id=found["id"],
        amount=found["amount"],
        currency=found["currency"],
        state=found["status"],
        automatic=bool(found.get("automatic")),
        happened_at=_instant(found["created"]),
        arrives_at=_instant(found["arrival_date"]),
        reconciled=found.get("reconciliation_status", "completed") == "completed",
    )


def _movement(found: dict[str, Any]) -> Movement:
    source = found.get("source")
    behind = source if isinstance(source, dict) else {}
    details = found.get("fee_details") or []
    return Movement(
        id=found["id"],
        kind=found["type"],
        amount=found["amount"],
        fee=found["fee"],
        fee_tax=sum(each["amount"] for each in details if each.get("type") == "tax"),
        net=found["net"],
        currency=found["currency"],
        source=behind.get("id") if behind else source,
        payment=behind.get("payment_intent"),
        our_key=(behind.get("metadata") or {}).get(KEY),
        happened_at=_instant(found["created"]),
        available_at=_instant(found["available_on"]),
    )


def _from(since: datetime) -> dict[str, Any]:
    return {"created": {"gte": int(since.timestamp())}}


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
