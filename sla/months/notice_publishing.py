"""Our own calendar of maintenance: written, put where users read it, and fetched back from there as a proof.

    write     maintenance.ics and maintenance.html, of all that is announced; its digest is recorded
    seen      the file fetched back from its public address has that digest: it stood there then

The first time at which a file with a window was seen is our proof of when that window was announced (premium/9.4.4).
What is written depends only on what is recorded: nothing new, the same bytes, the same digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from html import escape
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from keizoku.db.session import Session
from keizoku.db.tables.evidence import notice_publication, notice_sighting
from keizoku.sla.evidence.notice_store import recorded_notices
from keizoku.sla.rules.outages import UpdateNotice
from keizoku.terms.calendar import JST, from_epoch
from keizoku.terms.refusal import Refused

__all__ = [
    "CALENDAR",
    "PAGE",
    "Proof",
    "Published",
    "proofs_of",
    "publication",
    "record_publication",
    "record_sighting",
]

CALENDAR: Final = "maintenance.ics"
PAGE: Final = "maintenance.html"
KEPT: Final = timedelta(days=62)
"""How long a window that is over stays in the calendar: until its month can no longer be claimed."""
_UTC: Final = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Published:
    """The two files, the calendar's digest, and the windows in it by the names of their notices."""

    calendar: bytes
    page: str
    sha256: str
    windows: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """Where and when a file with a window was first seen, and that file's digest."""

    seen_at: datetime
    url: str
    sha256: str


def publication(session: Session, now: datetime) -> Published:
    """The calendar and the page of all that is announced and not long over."""
    newest: dict[tuple[str, str, str], UpdateNotice] = {}
    told: dict[tuple[str, str, str], int] = {}
    recorded = recorded_notices(session, (now - KEPT, now + timedelta(days=3_660)))
    for each in sorted(recorded, key=lambda one: (one.notice.published_at, one.recorded_at)):
        notice = each.notice
        key = (notice.calendar, notice.event, notice.uid)
        newest[key] = notice
        told[key] = told.get(key, -1) + 1
    rows = sorted(((notice, told[key]) for key, notice in newest.items()), key=lambda row: (row[0].start, row[0].uid))
    calendar = _calendar(rows).encode()
    windows = tuple((notice.uid, notice.start, notice.end) for notice, _ in rows if not notice.cancelled)
    digest = sha256(calendar).hexdigest()
    return Published(calendar, _page([notice for notice, _ in rows], digest), digest, windows)


def record_publication(session: Session, published: Published, *, now: datetime, by: str) -> bool:
    """Record that a file was written; whether one with this digest is new. The caller commits."""
    values = {
        "sha256": published.sha256,
        "windows": [list(each) for each in published.windows],
        "author": by,
        "recorded_at": now,
    }
    adding = insert(notice_publication).values(**values).on_conflict_do_nothing().returning(notice_publication.c.id)
    return session.execute(adding).one_or_none() is not None


def record_sighting(session: Session, url: str, body: bytes, *, now: datetime, by: str) -> str:
    """Record that a file of ours stood at an address; its digest. Raises Refused for one that we never wrote."""
    digest = sha256(body).hexdigest()
    known = session.execute(sa.select(sa.exists().where(notice_publication.c.sha256 == digest))).scalar_one()
    if not known:
        rule = "what stands there is no calendar that was written here"
        remedy = f"put {CALENDAR} there as `keizoku sla notice publish` writes it"
        raise Refused.fact("notice.not_ours", "notice", f"{url}: {digest[:12]}", rule, remedy)
    values = {"sha256": digest, "url": url, "seen_at": now, "author": by}
    session.execute(sa.insert(notice_sighting).values(**values))
    return digest


def proofs_of(session: Session, notices: Iterable[UpdateNotice]) -> dict[tuple[str, int, int], Proof]:
    """By name and window, the first sighting of a file that had it."""
    wanted = {(notice.uid, notice.start, notice.end) for notice in notices}
    written, seen = notice_publication.c, notice_sighting.c
    first = (
        sa.select(seen.sha256, seen.url, seen.seen_at, written.windows)
        .join(notice_publication, written.sha256 == seen.sha256)
        .order_by(seen.seen_at.desc(), seen.id.desc())
    )
    found: dict[tuple[str, int, int], Proof] = {}
    for row in session.execute(first):
        for name, start, end in row.windows:
            if (name, start, end) in wanted:
                found[name, start, end] = Proof(row.seen_at, row.url, row.sha256)
    return found


def _calendar(rows: Sequence[tuple[UpdateNotice, int]]) -> str:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Keizoku//maintenance//EN", "METHOD:PUBLISH"]
    for notice, sequence in rows:
        at = f"{from_epoch(notice.published_at):{_UTC}}"
        lines += [
            "BEGIN:VEVENT",
            f"UID:{notice.uid}",
            f"SEQUENCE:{sequence}",
            f"DTSTAMP:{at}",
            f"LAST-MODIFIED:{at}",
            f"X-KEIZOKU-PUBLISHED:{at}",
            f"DTSTART:{from_epoch(notice.start):{_UTC}}",
            f"DTEND:{from_epoch(notice.end):{_UTC}}",
            f"STATUS:{'CANCELLED' if notice.cancelled else 'CONFIRMED'}",
            "SUMMARY:メンテナンス / Maintenance",
            "END:VEVENT",
        ]
    return "".join(f"{folded}\r\n" for line in [*lines, "END:VCALENDAR"] for folded in _folded(line))


def _folded(line: str) -> list[str]:
    """Lines of at most 75 octets, never cut inside a character (RFC 5545 3.1)."""
    parts, part = [], ""
    for letter in line:
        if len((part + letter).encode()) > 74:
            parts.append(part)
            part = " "
        part += letter
    return [*parts, part]


def _page(notices: Sequence[UpdateNotice], digest: str) -> str:
    rows = "".join(
        f"<tr><td>{escape(notice.uid)}</td><td>{_day(notice.start)}</td><td>{_day(notice.end)}</td>"
        f"<td>{_day(notice.published_at)}</td><td>{'取消し / cancelled' if notice.cancelled else ''}</td></tr>"
        for notice in notices
    )
    heads = "".join(f"<th>{head}</th>" for head in ("", "開始 / from", "終了 / to", "公表 / published", ""))
    return (
        '<!doctype html>\n<html lang="ja"><head><meta charset="utf-8">'
        "<title>メンテナンス / Maintenance</title></head>\n"
        f"<body><h1>メンテナンス / Maintenance</h1>\n<table><tr>{heads}</tr>{rows}</table>\n"
        f'<p><a href="{CALENDAR}">{CALENDAR}</a> SHA-256 {digest}</p></body></html>\n'
    )


def _day(at: int) -> str:
    return f"{from_epoch(at).astimezone(JST):%Y-%m-%d %H:%M}"
