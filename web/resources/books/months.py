"""A month's books: reconciled with the gateway and the bank, closed, verified, reopened by two persons, exported."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from pydantic import Field

from keizoku.billing.closing import reconciliation_run
from keizoku.billing.closing.export_files import export_month
from keizoku.billing.closing.exports.mapping import mapping_for
from keizoku.billing.closing.month_close import MonthAct, acts, close_month, close_view, reopen_month, standing, verify
from keizoku.billing.closing.month_standing import MonthStanding, standing_of
from keizoku.billing.closing.reconciliation_run import keep_for_people, reconcile_month
from keizoku.db.roles import want_to_add
from keizoku.db.tables.closing import exception_resolution, month_act, reconciliation_result
from keizoku.terms.calendar import Month
from keizoku.web.calls.answers import listed
from keizoku.web.calls.call import Call, Listing, whole
from keizoku.web.calls.operation import Resource
from keizoku.web.calls.values import Ground, Id, MonthText
from keizoku.web.calls.versions import MONTH
from keizoku.web.resources.books.ledger import Legs
from keizoku.web.resources.books.month_jobs import check_job, close_job, want_closed

__all__ = ["months"]

months = Resource("months", "Reconciling, closing, exporting a month.")

MonthJob = listed("MonthJob", month=str, state=str, job=str)
Form = Annotated[str, Field(pattern="^[a-z_]{1,30}$", description="csv, yayoi, freee, moneyforward, beancount, …")]
Summary = Annotated[str, Field(pattern="^(day|month|document)$")]
KeptHash = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="a hash that was kept elsewhere")]


@months.list("/months", command="close list", row=MonthAct)
def list_acts(call: Call) -> Listing:
    """Every close and reopening, with its hash."""
    return whole(acts(call.session))


@months.question("/months/{month}", command="close list", answer=dict[str, Any], gateway=True, version=MONTH)
def show(call: Call, month: MonthText) -> Any:
    """How a month stands: closed or open, the checks that a close would make, what they find."""
    return close_view(call.session, call.services.gateway, Month.parse(month), call.now)


@months.question("/months/{month}/standing", command="close list", answer=MonthStanding)
def show_standing(call: Call, month: MonthText) -> Any:
    """How a month stood when its close was checked last: sides, exceptions, checks, balances; nothing is asked anew."""
    return standing_of(call.session, Month.parse(month))


def _queue_check(call: Call, _: object, *, month: str) -> None:
    call.jobs.start(*check_job(call, Month.parse(month)))


def _queue_close(call: Call, _: object, *, month: str) -> None:
    call.jobs.start(*close_job(call, Month.parse(month)))


@months.act("/months/{month}/check", command="reconcile resolve", answer=MonthJob, then=_queue_check)
def check(call: Call, month: MonthText) -> Any:
    """Check a month as its close would, as a job, and keep what is found: watch it under /jobs/{id}/events."""
    want_to_add(call.session, reconciliation_result)
    return {"month": month, "state": "queued", "job": f"check-{month}"}


@months.act("/months/{month}/close-job", command="close month", answer=MonthJob, then=_queue_close, version=MONTH)
def begin_close(call: Call, month: MonthText) -> Any:
    """Close a month's books as a job: watch it under /jobs/{id}/events. Where a check fails the month stays open."""
    want_to_add(call.session, month_act)
    return {"month": month, "state": "queued", "job": f"close-{month}"}


@months.act("/months/{month}/reconcile", command="reconcile resolve", answer=dict[str, Any], repeat="again")
def reconcile(call: Call, month: MonthText) -> Any:
    """Hold a month's books against the gateway's and the bank's; what differs becomes tasks."""
    want_to_add(call.session, reconciliation_result)  # before the gateway is asked
    found = reconcile_month(call.session, call.services.gateway, Month.parse(month), call.now)
    keep_for_people(call.session, found, call.now)
    return found.shown()


@months.act("/months/{month}/exceptions/resolve", command="reconcile resolve", answer=dict[str, Any], version=MONTH)
def resolve(call: Call, month: MonthText, *, exception: Id, ground: Ground, lines: Legs | None = None) -> Any:
    """People explain a difference, with the entry that it needs."""
    want_to_add(call.session, exception_resolution)  # before the gateway is asked
    found = reconcile_month(call.session, call.services.gateway, Month.parse(month), call.now)
    posted = reconciliation_run.resolve(
        call.session, found, exception, call.author, ground, call.now, lines=lines or None
    )
    return {"exception": exception, "entry": posted}


@months.act("/months/{month}/close", command="close month", answer=dict[str, Any], repeat="again", version=MONTH)
def close(call: Call, month: MonthText) -> Any:
    """Close a month's books; what a check finds is in the answer, and the month then stays open."""
    done = close_month(
        call.session, call.services.gateway, Month.parse(month), call.author, call.now,
        bank_accounts=call.settings.bank_accounts,
    )  # fmt: skip
    want_closed(done)
    return asdict(done)


@months.act("/months/{month}/reopen", command="close reopen", answer=dict[str, Any], four_eyes=True, version=MONTH)
def reopen(call: Call, month: MonthText, *, ground: Ground) -> Any:
    """Open a closed month again. Another person approves it."""
    return {"month": month, "hash": reopen_month(call.session, Month.parse(month), call.author, ground, call.now)}


@months.question("/month-verification", command="close verify", answer=dict[str, Any])
def verify_closed(call: Call, *, kept: KeptHash | None = None) -> Any:
    """Whether what is closed is unchanged since it was closed."""
    wrong = verify(call.session, None, kept or "")
    return {"closed": len(standing(call.session)), "wrong": wrong}


@months.question("/months/{month}/export", command="export", answer=dict[str, Any])
def export(call: Call, month: MonthText, *, form: Form = "csv", summary: Summary | None = None) -> Any:
    """A month's journal as an accounting package imports it; the file is in the answer, in base64."""
    mapped = mapping_for(form, None)
    with TemporaryDirectory(prefix="keizoku-") as folder:
        file = Path(folder) / "export"
        written = export_month(
            call.session,
            Month.parse(month),
            mapped,
            file,
            lambda _done, _whole: None,
            summary=summary or call.settings.export_summary,
        )
        content = b"".join(each.read_bytes() for each in sorted(Path(folder).iterdir()) if each.is_file())
    return {
        **{name: value for name, value in asdict(written).items() if not isinstance(value, Path)},
        "sha256": hashlib.sha256(content).hexdigest(),
        "content": base64.b64encode(content).decode(),
    }
