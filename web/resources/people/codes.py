"""Product keys and coupons by the batch (5.1(1)). Codes are shown once, in the answer that makes them."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

from pydantic import Field

from keizoku.billing.contracts.code_batches import BatchOrder, batches
from keizoku.billing.contracts.prepaid_report import unused_balances
from keizoku.web.calls.answers import listed
from keizoku.web.calls.call import Call, Listing, whole
from keizoku.web.calls.operation import Resource
from keizoku.web.calls.values import Day, Ground, Id, Yen

__all__ = ["codes"]

codes = Resource("codes", "Product keys and coupons.")

Kind = Annotated[str, Field(pattern="^(product_key|coupon)$")]
Case = Annotated[str, Field(pattern="^(small|abolished|hardship)$")]
Count = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
Months = Annotated[int, Field(strict=True, ge=1, le=1_200)]
Typed = Annotated[str, Field(min_length=1, max_length=100)]
Promised = listed("Promise", batch=str, method=str, plan=str, months=int, until=str)
Sold = listed("KeysSold", batch=str, sold=int, yen=int)
Revoked = listed("BatchRevoked", batch=str, revoked=int)
Redeemed = listed("Redeemed", account=str, contract=int)


@codes.list("/code-batches", command="key list", row=dict[str, Any])
def list_batches(call: Call, *, kind: Kind = "product_key") -> Listing:
    """Every batch of a kind, and what became of its codes."""
    return whole([_row(each) for each in batches(call.session, kind)], "batch")


@codes.question("/code-batches/{batch}", command="key show", answer=dict[str, Any])
def show(call: Call, batch: Id, *, kind: Kind = "product_key") -> Any:
    """One batch: used, held by applications, expired, revoked, open, and what is owed for it."""
    (found,) = batches(call.session, kind, batch)
    return _row(found)


@codes.act("/code-batches", command="key issue", answer=dict[str, Any])
def issue(
    call: Call,
    *,
    kind: Kind,
    batch: Id,
    plan: Id,
    months: Months,
    count: Annotated[int, Field(strict=True, ge=1, le=10_000)],
    expires: Day,
    yen: Yen | None = None,
    sold: bool = False,
) -> Any:
    """Make a batch. Its codes are in this answer and nowhere else; a repeat says that they were made."""
    made: list[str] = []
    order = BatchOrder(batch, kind, plan, months, count, expires, yen)
    if kind == "product_key":
        order = dataclasses.replace(order, sold=count if sold else 0)

    def keep(fresh: Any) -> None:
        made.extend(str(each) for each in fresh)

    call.billing.issue_codes(order, keep, by=call.author, now=call.now)
    call.reveal["codes"] = made
    return {"batch": batch, "count": count}


@codes.act("/code-batches/{batch}/sell", command="key sell", answer=Sold)
def sell(call: Call, batch: Id, *, count: Count, buyer: Id | None = None) -> Any:
    """Keys of a batch are sold today: they are owed for from now on."""
    yen = call.billing.sell_keys(batch, count, buyer=buyer or "", by=call.author, now=call.now)
    return {"batch": batch, "sold": count, "yen": yen}


@codes.act("/code-batches/{batch}/revoke", command="key revoke", answer=Revoked)
def revoke(call: Call, batch: Id, *, kind: Kind, ground: Ground, case: Case = "small") -> Any:
    """Take back every code of a batch that nobody has redeemed; `case`: why the law lets sold keys be paid back."""
    revoked = call.billing.revoke_batch(batch, kind, by=call.author, ground=ground, now=call.now, case=case)
    return {"batch": batch, "revoked": revoked}


@codes.act("/codes/check", command="key check", answer=dict[str, Any])
def check(call: Call, *, code: Typed) -> Any:
    """What a code would pay for; refused, with the reason, if it is mistyped, unknown, redeemed, expired or revoked."""
    promise = call.billing.check_code(code, now=call.now)
    return {
        "batch": promise.batch,
        "method": promise.kind,
        "plan": promise.plan,
        "months": promise.months,
        "until": promise.expires_on,
    }


@codes.act("/codes/redeem", command="key redeem", answer=Redeemed)
def redeem(call: Call, *, account: Id, code: Typed, fallback: Id | None = None) -> Any:
    """Apply for a contract with a code; the application then waits for its approval."""
    return {"account": account, "contract": call.billing.redeem(account, code, fallback=fallback, now=call.now)}


@codes.question("/unused-keys", command="key unused", answer=dict[str, Any])
def unused(call: Call, *, on: Day) -> Any:
    """What is unused on a base date of the Payment Services Act (31 March, 30 September); it ties to 2125."""
    return dataclasses.asdict(unused_balances(call.session, on))


def _row(found: Any) -> Any:
    return found.to_json() if hasattr(found, "to_json") else dataclasses.asdict(found)
