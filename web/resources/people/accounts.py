"""Accounts: may they come in, what is owed, their story; what people decide about them."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, cast

from pydantic import Field

from keizoku.billing.accounts.account_list import AccountRow, account_list
from keizoku.billing.accounts.account_views import contract_view, invoices_view, owed_view
from keizoku.billing.accounts.read_models import ContractView, InvoiceView, Owed
from keizoku.billing.contracts.contract_facts import present_query, present_row, state_of_row
from keizoku.billing.receivables.of_account import want_account
from keizoku.billing.rules.contract_state import STATES, State
from keizoku.scheduler.reports.account_story import account_story, link_of
from keizoku.terms.rules import Rules
from keizoku.web.calls.answers import listed
from keizoku.web.calls.call import Call, Listing
from keizoku.web.calls.lean import LeanQuestion
from keizoku.web.calls.operation import Resource
from keizoku.web.calls.problems import ProblemError
from keizoku.web.calls.values import Day, Ground, Id, Instant, Lang, Text
from keizoku.web.calls.versions import CONTRACT

__all__ = ["StateName", "accounts"]

accounts = Resource("accounts", "Where an account stands, and what people decide about it.")

Access = listed("Access", account=str, access=bool, state=State | None)
MemberFileMade = listed("MemberFileMade", account=str, rows=dict[str, int], files=dict[str, str])
Done = listed("AccountAct", account=str, done=bool)
StateName = Annotated[str, Field(pattern=f"^({'|'.join(STATES)})$")]


@accounts.list("/accounts", command="account list", row=AccountRow)
def list_accounts(call: Call, *, state: StateName | None = None, overdue: bool = False) -> Listing:
    """Accounts in the order of their ids: state, days overdue, unpaid fees, what comes if nothing more is paid."""
    wanted = cast("State | None", state)

    def read(limit: int, after: str) -> list[AccountRow]:
        return account_list(call.session, call.rules, call.now, state=wanted, overdue=overdue, limit=limit, after=after)

    return Listing(read, lambda row: str(row["account"]))


def _access(rules: Rules, now: datetime, account: str, row: Any) -> dict[str, Any]:
    """The answer by the row of `present_query`; None: an account that is not known."""
    if row is None:
        return {"account": account, "access": False, "state": None}
    found = state_of_row(row, rules, now)
    return {"account": account, "access": found.access, "state": found.state}


@accounts.question(
    "/accounts/{account}/access", command="account show", answer=Access, member=True,
    lean=LeanQuestion(present_query("asked.account"), _access),
)  # fmt: skip
def access(call: Call, account: Id) -> Any:
    """Whether this user may come in now; an account that is not known may not."""
    return _access(call.rules, call.now, account, present_row(call.session, account))


@accounts.question(
    "/accounts/{account}/contract", command="account show", answer=ContractView, member=True, version=CONTRACT
)
def contract(call: Call, account: Id) -> Any:
    """The newest contract: access, term, whether it renews, method, when and why it ended."""
    want_account(call.session, account)
    return contract_view(call.session, call.rules, account, call.now)


@accounts.question("/accounts/{account}/owed", command="account show", answer=Owed, member=True)
def owed(call: Call, account: Id) -> Any:
    """What the account owes now, and what we hold of it as a deposit."""
    want_account(call.session, account)
    return owed_view(call.session, call.rules, account, call.now)


@accounts.question("/accounts/{account}/invoices", command="account show", answer=list[dict[str, Any]], member=True)
def invoices(call: Call, account: Id) -> list[InvoiceView]:
    """Every invoice of the account, the oldest first."""
    want_account(call.session, account)
    return invoices_view(call.session, account)


@accounts.question("/accounts/{account}", command="account show", answer=dict[str, Any])
def show(
    call: Call,
    account: Id,
    *,
    as_of: Instant | None = None,
    known_at: Instant | None = None,
    lang: Lang = "en",
) -> Any:
    """The state, and all that happened: as of an instant, by what was known at another; both are now by default."""
    until = as_of or call.now
    if until > call.now + timedelta(days=1):
        raise ProblemError(
            422, "to_come", "It is still to come.", f"as_of {until.isoformat()}", "ask for what has happened"
        )
    story = account_story(call.session, call.rules, account, until=until, known_at=known_at or call.now)
    return {**story.to_json(lang), "link": link_of(call.session, account, until - timedelta(microseconds=1))}


@accounts.act("/accounts/{account}/hold", command="account hold", answer=Done)
def hold(call: Call, account: Id, *, until_on: Day, ground: Ground) -> Any:
    """Hold back charges, demands, suspension and termination for unpaid fees, up to a day, that day included."""
    call.billing.hold_account(account, until_on, ground, by=call.author, now=call.now)
    return {"account": account, "done": True}


@accounts.act("/accounts/{account}/release", command="account release", answer=Done)
def release(call: Call, account: Id, *, ground: Ground) -> Any:
    """End the hold on an account before its day: the next night does what waited."""
    call.billing.release_account(account, ground, by=call.author, now=call.now)
    return {"account": account, "done": True}


@accounts.act("/accounts/{account}/file", command="account file", answer=MemberFileMade, member=True,
              not_by_member=("recipient",))  # fmt: skip
def member_file(call: Call, account: Id, *, recipient: Text | None = None, ground: Ground) -> Any:
    """A member's file: all that is held about the account, recorded as a disclosure (個人情報保護法33条).

    `recipient`: who receives it, the member themselves unless another is named.

    The files (JSON, CSV, PDF; base64 by name) are in the first answer alone and kept nowhere: ask anew with a new key.
    """
    from keizoku.scheduler.backup.member_file import Request, write_member_file

    asked = Request(account, recipient or "本人", ground, call.author, call.now)
    with TemporaryDirectory(prefix="keizoku-") as folder:
        made = write_member_file(
            call.session, call.rules, asked, Path(folder), keys=call.settings.sealing_keys(),
            font=call.settings.document_font,
        )  # fmt: skip
        files = {
            str(each.relative_to(folder)): b64encode(each.read_bytes()).decode()
            for each in sorted(Path(folder).rglob("*"))
            if each.is_file()
        }
    call.reveal["files"] = files
    return {"account": account, "rows": dict(made.rows), "files": {}}


@accounts.act("/accounts/{account}/suspend", command="account suspend", answer=Done, version=CONTRACT)
def suspend(call: Call, account: Id, *, ground: Ground, accelerates: bool = False) -> Any:
    """Switch access off for a ground other than unpaid fees (7.1). The fee of the running term stays due (4.2)."""
    call.billing.suspend(account, ground, by=call.author, accelerates=accelerates, now=call.now)
    return {"account": account, "done": True}


@accounts.act("/accounts/{account}/resume", command="account resume", answer=Done, version=CONTRACT)
def resume(call: Call, account: Id, *, ground: Ground) -> Any:
    """Lift every suspension; one for fees that stay unpaid comes back by night."""
    call.billing.resume(account, ground, by=call.author, now=call.now)
    return {"account": account, "done": True}


@accounts.act("/accounts/{account}/base-closed", command="account base-closed", answer=Done, repeat="again")
def base_closed(call: Call, account: Id, *, ground: Ground) -> Any:
    """The bank account is closed: premium (6.2, 13) and link (api_link/12.2(1)) end at one instant."""
    call.services.close_base_account(account, by=call.author, ground=ground, now=call.now)
    return {"account": account, "done": True}


@accounts.act("/accounts/{account}/terminate", command="account terminate", answer=Done, version=CONTRACT)
def terminate(call: Call, account: Id, *, ground: Ground) -> Any:
    """End the contract at once (7.1). What is unpaid stays owed, and all of it becomes due (7.2)."""
    call.billing.terminate(account, ground, by=call.author, now=call.now)
    return {"account": account, "done": True}


@accounts.act("/accounts/{account}/write-off", command="account write-off", answer=dict[str, Any], four_eyes=True)
def write_off(call: Call, account: Id, *, term: Day, ground: Ground) -> Any:
    """Give up the unpaid fee of a term that is over, and the interest on it. Another person approves it."""
    call.billing.write_off(account, term, by=call.author, ground=ground, now=call.now)
    return {"account": account, "done": True}


@accounts.act("/accounts/{account}/set-off", command="account set-off", answer=Done)
def set_off(call: Call, account: Id, *, ground: Ground) -> Any:
    """Set open credits off against what is due: interest, then the fee due first; the user is notified."""
    call.billing.set_off(account, by=call.author, ground=ground, now=call.now)
    return {"account": account, "done": True}
