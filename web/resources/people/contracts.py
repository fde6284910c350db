"""Contracts: offers, applications and their screening, what users ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Annotated, Any, cast

from pydantic import Field

from keizoku.billing.accounts.contract_lists import ContractRow, WaitingApplication, application_queue, contract_list
from keizoku.billing.rules.contract_state import State
from keizoku.billing.rules.documents.offer import offer_text
from keizoku.billing.rules.screening import load_rule
from keizoku.terms.refusal import Refused
from keizoku.web.calls.answers import listed
from keizoku.web.calls.call import Call, Listing, number_in, whole
from keizoku.web.calls.imports import import_answer
from keizoku.web.calls.operation import Resource
from keizoku.web.calls.uploads import Uploaded
from keizoku.web.calls.values import Ground, Id, Instant, Lang
from keizoku.web.calls.versions import CONTRACT
from keizoku.web.resources.people.accounts import StateName

__all__ = ["contracts"]

contracts = Resource("contracts", "Offers, applications, and the life of a contract.")

Plan = Annotated[Id, Field(description="the code of a plan")]
Method = Annotated[Id, Field(description="card, other, app_store, product_key or coupon")]
Months = Annotated[int, Field(strict=True, ge=1, le=1200)]
Ends = listed("EndOfUse", account=str, ends_on=date | None)
Applied = listed("Applied", account=str, contract=int, outcome=str, ground=str | None)
Formed = listed("Formed", account=str, contract=int)
ScreenedAll = listed("Screened", screened=list[dict[str, Any]])
ContractAct = listed("ContractAct", account=str, done=bool)


@contracts.question("/offers/{plan}", command="offer", answer=dict[str, Any], member=True)
def offer(
    call: Call,
    plan: Plan,
    *,
    method: Method = "card",
    account: Id | None = None,
    months: Months | None = None,
    fallback: Method | None = None,
    lang: Lang = "ja",
) -> Any:
    """What an applicant is shown before registering (3.2): the six items of the law, and a digest."""
    found = call.billing.offer(plan, method, account=account or "", months=months, fallback=fallback, now=call.now)
    return {"digest": found.digest, "offer": found.content(), "text": dict(offer_text(found, lang))}


@contracts.list("/contracts", command="contract list", row=ContractRow)
def list_contracts(
    call: Call, *, state: StateName | None = None, plan: Plan | None = None, account: Id | None = None
) -> Listing:
    """Contracts as they are now, the newest first."""

    def read(limit: int, after: str) -> list[ContractRow]:
        return contract_list(
            call.session,
            call.rules,
            call.now,
            state=cast("State | None", state),
            plan_code=plan,
            account=account,
            limit=limit,
            after=number_in(after),
        )

    return Listing(read)


@contracts.list("/applications", command="contract queue", row=WaitingApplication)
def list_applications(call: Call) -> Listing:
    """Applications that wait to be screened, the oldest first."""
    return whole(application_queue(call.session, call.now), "account")


def _charge_if_approved(call: Call, answer: Mapping[str, Any], *, account: str, **_: object) -> None:
    if answer.get("outcome", "approved") == "approved":
        call.billing.charge_open(account, now=call.now)


def _charge_approved(call: Call, answer: Mapping[str, Any], **_: object) -> None:
    for each in answer["screened"]:
        _charge_if_approved(call, each, account=each["account"])


@contracts.act("/applications", command="contract apply", answer=Applied, then=_charge_if_approved)
def apply(
    call: Call,
    *,
    account: Id,
    plan: Plan,
    method: Method,
    months: Months | None = None,
    fallback: Method | None = None,
    consents: Annotated[list[Id], Field(max_length=20)] | None = None,
    offer: Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="the digest of the offer")] | None = None,
    shown_at: Instant | None = None,
    order: Annotated[Id | None, Field(description="the app store's number of the purchase")] = None,
) -> Any:
    """Take an application (3.2). With a rule (setting `screening`) it is screened at once, else people decide."""
    rule = load_rule(call.settings.screening)
    made = call.billing.register(
        account,
        plan,
        method,
        months=months,
        fallback=fallback,
        consents=consents or (),
        offer=offer,
        shown_at=shown_at,
        order=order,
        now=call.now,
    )
    screened = call.billing.screen(rule, accounts=[account], charge=False, now=call.now) if rule is not None else []
    outcome, ground = (screened[0].outcome, screened[0].ground) if screened else ("applied", None)
    return {"account": account, "contract": made, "outcome": outcome, "ground": ground}


@contracts.act(
    "/applications/{account}/approve",
    command="contract approve",
    answer=Formed,
    then=_charge_if_approved,
    version=CONTRACT,
)
def approve(call: Call, account: Id, *, ground: Ground | None = None) -> Any:
    """Approve: the contract is formed at this instant, its first term invoiced, and charged just after (3.3)."""
    made = call.billing.approve(account, by=call.author, ground=ground, charge=False, now=call.now)
    return {"account": account, "contract": made}


@contracts.act("/applications/screen", command="contract screen", answer=ScreenedAll, then=_charge_approved)
def screen(call: Call) -> Any:
    """Let the rule of the setting `screening` decide on every waiting application; what it refers stays with people."""
    rule = load_rule(call.settings.screening)
    if rule is None:
        raise Refused("screening.by_people", "people screen applications here", "set a rule: KEIZOKU_SCREENING")
    done = call.billing.screen(rule, charge=False, now=call.now)
    return {"screened": [asdict(each) for each in done]}


@contracts.act("/application-imports", command="contract import", answer=dict[str, Any], upload="file")
def import_file(call: Call, file: Uploaded, *, name: Id) -> Any:
    """Take applications of a CSV: account, plan, method, applied_at, months, fallback, consents, order."""
    with file.as_file(name) as path:
        return import_answer(call.billing.import_applications(path, now=call.now), name)


@contracts.act("/applications/{account}/reject", command="contract reject", answer=ContractAct, version=CONTRACT)
def reject(call: Call, account: Id, *, ground: Ground) -> Any:
    """Turn an application down, with a ground of the operator's list (3.5)."""
    call.billing.reject(account, ground, by=call.author, now=call.now)
    return {"account": account, "done": True}


@contracts.act(
    "/applications/{account}/show-again", command="contract show-again", answer=dict[str, Any], version=CONTRACT
)
def show_again(
    call: Call,
    account: Id,
    *,
    offer: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None,
    shown_at: Instant | None = None,
) -> Any:
    """A waiting application was shown the offer anew and accepts it (3.2, 3.3)."""
    found = call.billing.show_again(account, offer=offer, shown_at=shown_at, now=call.now)
    return {"account": account, **found._asdict()}


@contracts.act(
    "/contracts/{account}/end-of-use", command="contract end-of-use", answer=Ends, member=True, version=CONTRACT
)
def end_of_use(call: Call, account: Id) -> Any:
    """The user asks not to renew (6.1): on which day the contract is over."""
    return {"account": account, "ends_on": call.billing.end_of_use(account, now=call.now)}


@contracts.act(
    "/contracts/{account}/withdraw-end-of-use",
    command="contract withdraw-end-of-use",
    answer=ContractAct,
    member=True,
    version=CONTRACT,
)
def withdraw_end_of_use(call: Call, account: Id) -> Any:
    """The user takes back a request to end use, before the term ends."""
    call.billing.withdraw_end_of_use(account, now=call.now)
    return {"account": account, "done": True}


@contracts.act("/contracts/{account}/store-stop", command="contract store-stop", answer=Ends, version=CONTRACT)
def store_stop(call: Call, account: Id) -> Any:
    """The app store has stopped the renewal (6.1): on which day the contract is over; null: it goes on otherwise."""
    return {"account": account, "ends_on": call.billing.store_stop(account, now=call.now)}


@contracts.act(
    "/contracts/{account}/change-method",
    command="contract change-method",
    answer=ContractAct,
    member=True,
    not_by_member=("store_stop_recorded",),
    version=CONTRACT,
)
def change_method(call: Call, account: Id, *, method: Method, store_stop_recorded: bool = False) -> Any:
    """The user asks for another method of payment, from the next renewal on (5.1)."""
    call.billing.change_method(account, method, store_stop_recorded=store_stop_recorded, now=call.now)
    return {"account": account, "done": True}


@contracts.act("/contracts/{account}/void-fact", command="contract void-fact", answer=dict[str, Any], version=CONTRACT)
def void_fact(call: Call, account: Id, *, kind: Id, ground: Ground) -> Any:
    """Take back the last fact of a kind that was recorded by mistake: no later renewal looks at it."""
    fact = call.billing.void_fact(account, kind, by=call.author, ground=ground, now=call.now)
    return {"account": account, "fact": fact}


@contracts.act("/contracts/{account}/leave", command="contract leave", answer=ContractAct, version=CONTRACT)
def leave(call: Call, account: Id) -> Any:
    """The user left the base service (6.2): access ends at once, nothing is given back."""
    call.billing.leave_service(account, now=call.now)
    return {"account": account, "done": True}


@contracts.act("/contracts/{account}/delete-user", command="contract delete-user", answer=ContractAct, version=CONTRACT)
def delete_user(call: Call, account: Id) -> Any:
    """The user id was deleted (13): access ends at once, nothing is given back."""
    call.billing.delete_user(account, now=call.now)
    return {"account": account, "done": True}
