"""The work of a month that takes longer than a call: its check, its close, its report, its export.

Each is a job of this process (keizoku.web.jobs), as the role of whoever asked; what it changes is in the database, and
asked for again it does what is left.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from keizoku.billing.closing.export_files import export_month
from keizoku.billing.closing.exports.mapping import mapping_for
from keizoku.billing.closing.month_close import Closed, close_month, standing, verify
from keizoku.billing.closing.month_standing import check_month, standing_of
from keizoku.billing.closing.reconciliation_run import reconcile_month
from keizoku.db.session import one_snapshot
from keizoku.terms.refusal import Refused
from keizoku.web.calls.versions import MONTH, held
from keizoku.web.jobs import Job

if TYPE_CHECKING:
    from keizoku.terms.calendar import Month
    from keizoku.terms.rendering import Lang
    from keizoku.web.calls.call import Call

__all__ = ["Queued", "check_job", "close_job", "export_job", "report_job", "verify_job", "want_closed"]

_ENDINGS = {"beancount": "beancount"}
Queued = tuple[str, Callable[[Job], str]]
"""A job's name, and what does it."""


def check_job(call: Call, month: Month) -> Queued:
    """Check a month as its close would."""
    return f"check-{month}", partial(_check, call, month)


def close_job(call: Call, month: Month) -> Queued:
    """Close a month; what a check finds ends the job, and the month stays open."""
    return f"close-{month}", partial(_close, call, month)


def report_job(call: Call, month: Month, lang: Lang) -> Queued:
    """Write a month's report: a page, a workbook, the tables behind them, as one archive."""
    return f"report-{month}", partial(_report, call, month, lang)


def export_job(call: Call, month: Month, form: str) -> Queued:
    """Write a month's journal as an accounting package takes it."""
    return f"{form}-{month}", partial(_export, call, month, form)


def verify_job(call: Call) -> Queued:
    """Work out the chain of hashes over all that is closed again."""
    return f"verify-{call.today}", partial(_verify, call)


def want_closed(done: Closed) -> None:
    """Raises Refused where a check kept a month from its close."""
    failed = [each for each in done.checks if not each.ok]
    if not done.ok:
        raise Refused(
            "close.check_failed",
            f"{done.month} is not closed: " + "; ".join(f"{each.name}: {each.found}" for each in failed),
            "mend what the checks name, then close it again",
        )


def _check(call: Call, month: Month, job: Job) -> str:
    ours = call.settings.bank_accounts
    with call.jobs.services(call.role) as services:
        now = call.jobs.now()
        good = check_month(services.session, services.gateway, month, now, job.step, bank_accounts=ours)
    return "every check holds" if good else "checks do not hold"


def _verify(call: Call, job: Job) -> str:
    with call.jobs.services(call.role) as services:
        wrong = verify(services.session, job.step)
        closed = len(standing(services.session))
    return f"broken: {'; '.join(wrong[:3])}" if wrong else f"unchanged: {closed} closed months"


def _close(call: Call, month: Month, job: Job) -> str:
    ours = call.settings.bank_accounts
    with call.jobs.services(call.role) as services, held(services.session, MONTH, str(month)):
        now = call.jobs.now()
        done = close_month(services.session, services.gateway, month, call.author, now, job.step, bank_accounts=ours)
        if not done.ok or standing_of(services.session, month).found is None:
            check_month(services.session, services.gateway, month, now, job.step, bank_accounts=ours)
    want_closed(done)
    return f"closed, {done.entries} entries, {done.hash}"


def _report(call: Call, month: Month, lang: Lang, job: Job) -> str:
    import zipfile

    from keizoku.scheduler.reports.finance import finance_report
    from keizoku.scheduler.reports.finance_files import write_finance

    with call.jobs.services(call.role) as services:
        now, folder = call.jobs.now(), job.room()
        reconciled = reconcile_month(services.session, services.gateway, month, now, job.step)
        with one_snapshot(services.session):
            made = finance_report(services.session, services.rules, month, now, reconciled)
            written = write_finance(made, folder / f"keizoku-{month}", lang, job.step)
    with zipfile.ZipFile(folder / f"keizoku-report-{month}.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for each in written:
            packed.write(each, f"keizoku-{month}/{each.name}")
    return f"{len(written)} files"


def _export(call: Call, month: Month, form: str, job: Job) -> str:
    file = job.room() / f"keizoku-{form}-{month}.{_ENDINGS.get(form, 'csv')}"
    with call.jobs.services(call.role) as services:
        done = export_month(
            services.session, month, mapping_for(form, None), file,
            lambda at, whole: job.step("entries", at, whole), summary=call.settings.export_summary,
        )  # fmt: skip
    return f"{done.entries} entries, {done.sha256}"
