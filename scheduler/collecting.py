"""Counts asked of a Prometheus-compatible API: what is new since the last time, kept as it came, then imported.

    last range that was imported ──> query_range, in parts of MOST_POINTS ──> a file with its digest ──> counts import

Prometheus, Thanos, VictoriaMetrics and Mimir answer in one form. The range that was asked for is imported with its
answer, so what has no sample is unknown. An answer that is not whole, or none, is not taken: the next run asks for it
again, after days too. A login stands in a file and goes to the address that was named alone.
Source: prometheus.io/docs/prometheus/latest/querying/api (at most 11,000 points for a series).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.evidence import evidence_import
from keizoku.limits import id_flaw
from keizoku.scheduler.addresses import masked
from keizoku.scheduler.fetching import fetched
from keizoku.scheduler.files import write_whole
from keizoku.sla.evidence.count_files import CountSeries
from keizoku.sla.evidence.import_log import Imported
from keizoku.sla.services.imports import ImportService
from keizoku.terms.calendar import epoch, from_epoch, iso_jst, parse_instant
from keizoku.terms.refusal import Refused

__all__ = ["Collection", "Login", "collect", "collected_to"]

MOST_POINTS: Final = 10_000
Fetch = Callable[[str, dict[str, str]], bytes]


@dataclass(frozen=True, slots=True)
class Login:
    """A token, or user:password, each in a file that holds nothing else."""

    bearer_file: Path | None = None
    basic_file: Path | None = None

    def headers(self) -> dict[str, str]:
        """What is sent. Raises Refused for a file that cannot be read or is empty."""
        for file, form in ((self.bearer_file, "Bearer {}"), (self.basic_file, "Basic {}")):
            if file is None:
                continue
            try:
                secret = file.read_text(encoding="utf-8").strip()
            except (OSError, ValueError) as error:
                raise Refused.fact(
                    "collect.login", "login", str(file), f"cannot be read: {error}", "name another"
                ) from None
            if not secret or "\n" in secret:
                raise Refused.fact("collect.login", "login", str(file), "holds one line, the login", "write it so")
            if "Basic" in form:
                secret = base64.b64encode(secret.encode()).decode()
            return {"Authorization": form.format(secret)}
        return {}


@dataclass(frozen=True, slots=True)
class Collection:
    """What is asked of whom: two queries (all users may be a number), the step in seconds, where answers are kept."""

    name: str
    url: str
    affected: str
    total: str
    step: int
    keep: Path
    login: Login = Login()

    def checked(self) -> Collection:
        """Itself. Raises Refused for what cannot be asked."""
        if id_flaw(self.name) or not re.fullmatch(r"[A-Za-z0-9_.-]{1,60}", self.name):
            raise Refused.fact(
                "collect.name", "collect", self.name[:80], "a name is a word", "letters, digits, - and _"
            )
        if not self.affected.strip() or not self.total.strip():
            raise Refused.fact(
                "collect.query", "collect", "no query", "both numbers are asked for", "state --affected and --total"
            )
        if not 1 <= self.step <= 86_400:
            raise Refused.fact("collect.step", "collect", f"{self.step} s", "a step is 1 s to a day", "state --step")
        return self


def collected_to(session: Session, name: str) -> datetime | None:
    """Up to when answers of this name were imported."""
    own = evidence_import.c
    ours = own.source.regexp_match(f"^collected-{re.escape(name)}-[0-9]{{8}}T[0-9]{{6}}Z[.]json$")
    newest = sa.select(own.read_as).where(own.kind == "counts", ours).order_by(own.id.desc()).limit(1)
    asked = re.search(r"range=[^/,]+/([^,]+)", session.execute(newest).scalar_one_or_none() or "")
    return parse_instant(asked[1]) if asked else None


def collect(
    imports: ImportService,
    session: Session,
    what: Collection,
    *,
    since: datetime | None,
    now: datetime,
    by: str,
    fetch: Fetch = fetched,
    until: datetime | None = None,
) -> Iterator[Imported]:
    """Ask for what is new and import it, part by part; each is committed. Raises Refused where no answer is to be had.

    `since`: where it begins the first time; else an hour ago. `until`: how far a monitor is taken to have its samples
    (default: now). The step that is under way is left for the next run.
    """
    what = what.checked()
    headers = what.login.headers()
    start = epoch(collected_to(session, what.name) or since or now - timedelta(hours=1))
    start = -(-start // what.step) * what.step
    last = epoch(min(until or now, now)) // what.step * what.step
    while start + what.step <= last:
        end = min(last, start + MOST_POINTS * what.step)
        path = _kept(what, (start, end), headers, fetch)
        total = what.total if what.total.isdecimal() else "total"
        series = CountSeries(total=total, step_seconds=what.step, asked=(start, end))
        yield imports.counts(path, author=by, now=now, series=series)
        start = end


def _kept(what: Collection, span: tuple[int, int], headers: dict[str, str], fetch: Fetch) -> Path:
    """The file with the answers of a range."""
    results: list[Any] = []
    for name, query in (("affected", what.affected), ("total", what.total)):
        if query.isdecimal():
            continue
        answer = _asked(what, query, span, headers, fetch)
        found = answer["data"]["result"]
        for each in found:
            metric = each.get("metric") if isinstance(each, dict) else None
            if isinstance(metric, dict) and len(found) == 1:
                each["metric"] = {**metric, "__name__": name}
        results += found
    asked = {
        "name": what.name,
        "url": masked(what.url),
        "affected": what.affected,
        "total": what.total,
        "step": what.step,
    }
    kept = {
        "status": "success",
        "asked": {**asked, "start": span[0], "end": span[1]},
        "data": {"resultType": "matrix", "result": results},
    }
    path = what.keep / f"collected-{what.name}-{from_epoch(span[0]):%Y%m%dT%H%M%SZ}.json"
    try:
        what.keep.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(kept, ensure_ascii=False, indent=1) + "\n")
    except OSError as error:
        rule = str(error.strerror)
        raise Refused.fact("collect.keep", "collect", str(what.keep), rule, "name another folder") from None
    return path


def _asked(
    what: Collection, query: str, span: tuple[int, int], headers: dict[str, str], fetch: Fetch
) -> dict[str, Any]:
    """The answer to a query over a range; its last sample is that of the step before the end. Raises Refused.

    A monitor that was down itself would repeat what it saw last (Prometheus: for five minutes): two steps at most.
    """
    holds = f"{2 * what.step}s"
    asked: dict[str, object] = {"query": query, "start": span[0], "end": span[1] - what.step, "step": what.step}
    asked |= {"lookback_delta": holds, "max_lookback": holds}  # Prometheus and Thanos; VictoriaMetrics
    about = f"{what.name}: {iso_jst(from_epoch(span[0]))}"
    try:
        answer = json.loads(fetch(f"{what.url.rstrip('/')}/api/v1/query_range?{urlencode(asked)}", headers))
        results = answer["data"]["result"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        rule = f"it is no answer of such an API: {type(error).__name__}"
        raise Refused.fact("collect.answer", "collect", about, rule, "name its address without /api/v1") from None
    if answer.get("status") != "success":
        why = f"{answer.get('errorType')}: {answer.get('error')}"
        raise Refused.fact("collect.answer", "collect", about, f"the query failed: {why:.200}", "mend the query")
    if answer.get("isPartial") is True or answer.get("warnings"):
        rule = f"the answer is not whole: {answer.get('warnings') or 'isPartial'!s:.200}"
        raise Refused.fact("collect.partial", "collect", about, rule, "it is asked for again by the next run")
    if not isinstance(results, list):
        raise Refused.fact("collect.answer", "collect", about, "it has no list of series", "ask for a range")
    found: dict[str, Any] = answer
    return found
