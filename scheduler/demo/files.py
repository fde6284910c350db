"""The example folder, read: everything that people and other systems do, as acts in order of time.

    plans.csv  population.csv  contracts.csv  cards.csv  requests.csv  bank.csv  claims.csv  links.csv
    observations.parquet  incidents.csv  notices.ics

An act is done at its own instant, between the nights. Contracts of one day are enrolled together at the last
approval of that day; the monitors' report of the month and people's statements about it come half an hour after its
end. Errors: BrokenExampleError, one line with file, line and reason.
"""

import csv
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from keizoku.billing.contracts.application import Application
from keizoku.scheduler.app import Services
from keizoku.scheduler.demo.links import link_work, with_links
from keizoku.scheduler.simulator import Simulator
from keizoku.sla.evidence.incident_files import Incident, read_incidents
from keizoku.sla.evidence.maintenance_notices import read_notices
from keizoku.sla.review_queue import policy_of
from keizoku.sla.rules.outages import UpdateNotice
from keizoku.terms.calendar import Month, from_epoch, jst_day, parse_instant
from keizoku.terms.decision import Finding
from keizoku.terms.rules import Rules

MONTH = Month(2026, 4)
EVIDENCE_AT = MONTH.end_at + timedelta(minutes=60)
"""When the report of the month comes in: before the night that decides its claims."""

BANK_AT = timedelta(hours=10)
"""When the bank's lines of a day arrive, after 00:00 JST."""

REQUESTS = ("end_of_use", "withdraw_end_of_use", "leave_service")

Work = Callable[[Services], Iterable[Finding] | None]
Row = Mapping[str, str]
Value = TypeVar("Value")


class BrokenExampleError(Exception):
    """The example folder cannot be read."""


@dataclass(frozen=True, slots=True)
class Act:
    """What is done at an instant; `account`: empty where there is no single one. `weight`: for the progress bar."""

    at: datetime
    account: str
    work: Work
    weight: int = 1


def read_acts(folder: Path, rules: Rules, every: int = 1) -> list[Act]:
    """All acts of the folder in order of time.

    `every` 10: of the contracts only each tenth with all that belongs to it, for a quick run.
    """
    applications = list(_rows(folder / "contracts.csv", _application))
    left_out = {each.account for each in applications} - {each.account for each in applications[::every]}
    acts = [
        *_rows(folder / "plans.csv", _plan),
        *_rows(folder / "population.csv", _population),
        *_enrolments(each for each in applications if each.account not in left_out),
        *_rows(folder / "cards.csv", _card),
        *_rows(folder / "requests.csv", _request),
        *_rows(folder / "bank.csv", _payment),
        *_rows(folder / "claims.csv", _claim),
        *(_rows(folder / "links.csv", _link) if with_links() else ()),
        *_notices(_there(folder / "notices.ics"), rules),
        *_incidents(_there(folder / "incidents.csv")),
        _observations(_there(folder / "observations.parquet")),
    ]
    return sorted((act for act in acts if act.account not in left_out), key=lambda act: act.at)


def _plan(row: Row) -> Act:
    on = date.fromisoformat(row["from"])
    at, code, interval, yen = parse_instant(on), row["plan"], row["interval"], int(row["yen"])

    def work(services: Services) -> None:
        services.billing.add_plan(code, interval, now=at)
        services.billing.price(code, yen, announced=on, for_new_from=on, for_renewals_from=on, initial=True, now=at)

    return Act(at, "", work)


def _population(row: Row) -> Act:
    at, users = parse_instant(row["from"]), int(row["users"])
    return Act(at, "", lambda services: services.sla.population(at, users, now=at))


def _application(row: Row) -> Application:
    return Application(
        account=row["account"],
        plan=row["plan"],
        method=row["method"],
        at=parse_instant(row["approved_at"]),
        months=int(row["months"]) if row["months"] else None,
        fallback=row["fallback"] or None,
    )


def _enrolments(applications: Iterable[Application]) -> Iterator[Act]:
    by_day: dict[date, list[Application]] = defaultdict(list)
    for each in applications:
        by_day[jst_day(each.at)].append(each)
    for together in by_day.values():
        at = max(each.at for each in together)
        yield Act(at, "", partial(_enrol, applications=together, at=at), len(together))


def _enrol(services: Services, applications: list[Application], at: datetime) -> None:
    services.billing.enrol(applications, now=at)


def _card(row: Row) -> Act:
    at, account, outcome, is_new = parse_instant(row["from"]), row["account"], row["outcome"], row["new_card"] == "yes"

    def work(services: Services) -> None:
        Simulator(services).cards.set_card(account, outcome)
        if is_new:
            services.billing.new_card(account, now=at)

    return Act(at, account, work)


def _request(row: Row) -> Act:
    at, account, request = parse_instant(row["at"]), row["account"], row["request"]
    if request not in REQUESTS:
        raise ValueError(f"request {request!r} is none of {', '.join(REQUESTS)}")

    def work(services: Services) -> None:
        getattr(services.billing, request)(account, now=at)

    return Act(at, account, work)


def _payment(row: Row) -> Act:
    at = parse_instant(date.fromisoformat(row["date"])) + BANK_AT
    account, yen = row["reference"], int(row["amount"])
    return Act(at, account, lambda services: services.billing.pay(account, yen, via="bank", now=at))


def _claim(row: Row) -> Act:
    at, account = parse_instant(row["received_at"]), row["account"]
    claim_id, month = row["id"], Month.parse(row["month"])
    windows = [_window(text) for text in row["windows"].split(";") if text] or None
    return Act(at, account, lambda services: services.sla.claim(claim_id, account, month, windows=windows, now=at))


def _link(row: Row) -> Act:
    at, account = parse_instant(row["at"]), row["account"]
    return Act(at, account, link_work(account, row["act"], row["detail"], at))


def _window(text: str) -> tuple[datetime, datetime]:
    start, slash, end = text.partition("/")
    if not slash:
        raise ValueError(f"window {text!r} is not FROM/TO")
    return parse_instant(start), parse_instant(end)


def _notices(file: Path, rules: Rules) -> Iterator[Act]:
    for notice in read_notices(file, policy_of(rules, MONTH)).rows:
        yield Act(from_epoch(notice.published_at), "", partial(_publish, notice=notice))


def _publish(services: Services, notice: UpdateNotice) -> Iterable[Finding]:
    at, start_at, end_at = map(from_epoch, (notice.published_at, notice.start, notice.end))
    return services.sla.notice(notice.uid, at, start_at, end_at, now=at)


def _incidents(file: Path) -> Iterator[Act]:
    read = read_incidents(file)
    if read.findings:
        raise BrokenExampleError(str(read.findings[0]))
    for incident in read.rows:
        yield Act(EVIDENCE_AT, "", partial(_stop, incident=incident))


def _stop(services: Services, incident: Incident) -> Iterable[Finding]:
    return services.sla.record_outage(
        from_epoch(incident.start),
        from_epoch(incident.end),
        incident.affected,
        cause=incident.cause,
        id=incident.id,
        ground=incident.ground,
        by=incident.author,
        exact=incident.exact,
        now=EVIDENCE_AT,
    )


def _observations(file: Path) -> Act:
    return Act(EVIDENCE_AT, "", lambda services: services.sla.observations(file=file, now=EVIDENCE_AT), 100)


def _rows(file: Path, to_value: Callable[[Row], Value]) -> Iterator[Value]:
    with _there(file).open(encoding="utf-8", newline="") as opened:
        reader = csv.DictReader(opened)
        for row in reader:
            try:
                yield to_value(row)
            except KeyError as error:
                raise BrokenExampleError(f"{file}: no column {error}") from None
            except ValueError as error:
                raise BrokenExampleError(f"{file}:{reader.line_num}: {error}") from None


def _there(file: Path) -> Path:
    if not file.is_file():
        raise BrokenExampleError(f"{file} is not there; `examples/2026-04/generate.py` writes it")
    return file
