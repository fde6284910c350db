"""Reader of applications as another system hands them over, and their taking: good rows, and findings for the others.

Columns: account, plan, method; may be there: applied_at (default: now), months, fallback, consents (terms/version
joined by `;`), order (of an app store). CSV with a header, UTF-8; times with an offset, or JST.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from keizoku.billing.contracts import registration
from keizoku.billing.contracts.application import Application, check_account
from keizoku.db.session import Session
from keizoku.limits import MOST_NAMED
from keizoku.terms.calendar import iso_jst, parse_instant
from keizoku.terms.decision import Finding
from keizoku.terms.inputs.input_files import BrokenRecord, csv_records, header_names, read_text
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules

NEEDED = ("account", "plan", "method")
OPTIONAL = ("applied_at", "months", "fallback", "consents", "order")
CHUNK = 5_000


@dataclass(frozen=True, slots=True)
class TakenFile:
    """What became of a file: rows read, applications taken, what is wrong with the others."""

    rows: int
    taken: int
    findings: tuple[Finding, ...]


def import_applications(
    session: Session, rules: Rules, path: Path, now: datetime, bring_up_to_date: Callable[[str, datetime], None]
) -> TakenFile:
    """Take the applications of a file in chunks, each committed; a file that is given twice takes nothing twice.

    `bring_up_to_date` ends what is over by now although its night has not run: an account may apply again after it.
    """
    findings: list[Finding] = []
    rows: list[tuple[int, Application]] = []
    count = taken = 0
    for line, record in _records(path, findings):
        count += 1
        try:
            application = _application(record, now)
            bring_up_to_date(application.account, now)
            rows.append((line, application))
        except (ValueError, Refused) as error:
            findings.append(Finding(str(path), line, record["account"][:80], str(error), "correct the row"))
        if len(rows) == CHUNK:
            taken += _take(session, rules, path, rows, findings, now)
            rows = []
    taken += _take(session, rules, path, rows, findings, now)
    return TakenFile(count, taken, tuple(sorted(findings, key=lambda each: each.line or 0)))


def _take(
    session: Session,
    rules: Rules,
    path: Path,
    rows: list[tuple[int, Application]],
    findings: list[Finding],
    now: datetime,
) -> int:
    _, refused = registration.sift(session, rules, [each for _, each in rows])
    findings += [_finding(path, *rows[place], str(why)) for place, why in refused.items()]
    good = [row for place, row in enumerate(rows) if place not in refused]
    if not good:
        session.rollback()
        return 0
    try:
        return len(registration.register(session, rules, [each for _, each in good], now))
    except Refused:
        session.rollback()  # somebody applied at this moment: one by one, then
    taken = 0
    for line, each in good:
        try:
            taken += len(registration.register(session, rules, [each], now))
        except Refused as why:
            session.rollback()
            findings.append(_finding(path, line, each, str(why)))
    return taken


def _finding(path: Path, line: int, application: Application, why: str) -> Finding:
    return Finding(str(path), line, application.account, why, "correct the row or leave it out")


def _application(record: Mapping[str, str], now: datetime) -> Application:
    check_account(record["account"])
    written = record.get("applied_at", "")
    at = parse_instant(written) if written else now
    if at > now:
        raise ValueError(f"applied at {iso_jst(at)}, which lies ahead")
    months = record.get("months", "")
    if months and not (months.isascii() and months.isdigit() and len(months) <= 4):
        raise ValueError(f"months are a whole number, not {months!r}")
    return Application(
        account=record["account"],
        plan=record["plan"],
        method=record["method"],
        at=at,
        months=int(months) if months else None,
        fallback=record.get("fallback") or None,
        consents=tuple(each.strip() for each in record.get("consents", "").split(";") if each.strip()),
        order=record.get("order") or None,
    )


def _records(path: Path, findings: list[Finding]) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, values by column, stripped); what is wrong with the file goes to the findings."""
    text = read_text(path, findings)
    if text is None:
        return
    if "\0" in text:  # UTF-16, or no text at all
        findings.append(Finding(str(path), None, "not UTF-8", "files are UTF-8", "save the file as UTF-8"))
        return
    records = csv_records(text)
    header = header_names(str(path), records, findings)
    if header is None:
        return
    times = Counter(header)
    wrong = [name for name in NEEDED if name not in times]
    wrong += [name[:80] for name in header if name not in (*NEEDED, *OPTIONAL) or times[name] > 1][:MOST_NAMED]
    if wrong:
        rule = f"columns {', '.join(NEEDED)}, each once; may be there: {', '.join(OPTIONAL)}"
        findings.append(Finding(str(path), 1, ",".join(wrong), rule, "correct the header"))
        return
    for line, values in records:
        if isinstance(values, BrokenRecord):
            findings.append(
                Finding(str(path), line, values.value, "rows are CSV", "close the quotes, one row per line")
            )
        elif not any(value.strip() for value in values):
            continue
        elif len(values) != len(header):
            rule = f"the header has {len(header)} columns, this row {len(values)}"
            value = ",".join(values)[:80]
            findings.append(Finding(str(path), line, value, rule, "quote values that hold a comma"))
        else:
            yield line, dict(zip(header, (value.strip() for value in values), strict=True))
