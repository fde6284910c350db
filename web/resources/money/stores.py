"""App stores: their reports, whose orders are, what they gave back."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from keizoku.billing.contracts.store_files import Payout
from keizoku.billing.receivables.store_reports import reports
from keizoku.web.calls.answers import listed
from keizoku.web.calls.call import Call, Listing, number_in
from keizoku.web.calls.imports import import_answer
from keizoku.web.calls.operation import Resource
from keizoku.web.calls.problems import ProblemError
from keizoku.web.calls.uploads import Uploaded
from keizoku.web.calls.values import Day, Ground, Id, Yen

__all__ = ["stores"]

stores = Resource("stores", "What app stores report about the terms that they collected for us.")

Orders = listed("StoreOrders", account=str, new=int)
Refunded = listed("StoreRefunded", account=str, term=str, yen=int, entries=int)


@stores.act("/store-imports", command="store import", answer=dict[str, Any], upload="file")
def import_file(
    call: Call,
    file: Uploaded,
    *,
    name: Id,
    preset: Id | None = None,
    paid_out_on: Day | None = None,
    payout_id: Id | None = None,
) -> Any:
    """Take a store's report: Google Play's earnings, Apple's financial or sales report, or our own columns."""
    if bool(paid_out_on) != bool(payout_id):
        raise ProblemError(422, "form", "The call has another form.", "a payout has its day and its id", "give both")
    payout = Payout(payout_id, paid_out_on) if payout_id and paid_out_on else None
    with file.as_file(name) as path:
        done = call.billing.import_store_reports(
            path, author=call.author, now=call.now, preset=preset or "", payout=payout
        )
    return import_answer(done, name)


@stores.list("/store-reports", command="store list", row=dict[str, Any])
def list_reports(call: Call, *, account: Id | None = None) -> Listing:
    """Every term begun through a store: what was reported and paid out, and what is still missing."""

    def read(limit: int, after: str) -> Any:
        return reports(call.session, account, limit=limit, after=number_in(after))

    return Listing(read)


@stores.act("/accounts/{account}/store-orders", command="store order", answer=Orders)
def note_orders(call: Call, account: Id, *, orders: Annotated[list[Id], Field(min_length=1, max_length=1_000)]) -> Any:
    """Whose orders at a store these are, so that its reports find their account."""
    fresh = call.billing.store_orders(dict.fromkeys(orders, account), by=call.author, now=call.now)
    return {"account": account, "new": fresh}


@stores.act("/accounts/{account}/store-refunds", command="store refund", answer=Refunded)
def refund(
    call: Call, account: Id, *, term: Day, yen: Annotated[Yen, Field(ge=1)], ground: Ground, fee: Yen = 0
) -> Any:
    """A store gave its customer the fee of a term back, or a part: revenue and 1133 follow."""
    made = call.billing.store_refund(account, term, yen=yen, fee=fee, by=call.author, ground=ground, now=call.now)
    return {"account": account, "term": term, "yen": yen, "entries": made}
