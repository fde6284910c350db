"""The work list: all that waits for people, whatever it comes from, in one list.

    tasks of the night, unmatched money, charges and refunds without an answer, disputes, applications, documents,
    exceptions, unknown time, nights  ──>  one statement, a SELECT for each source  ──>  WorkItem, the oldest first

The list, the count at a night's end and the number that monitoring watches are this one statement, so they agree.
`done` closes what a word can close, and says which command ends the rest; `snooze` puts an item off until a day.
Always holds: nothing leaves the list but by what people or the night did about it, or until the day it was put off to.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from keizoku.db.review_tasks import close_tasks
from keizoku.db.session import Session
from keizoku.db.tables.money import review_task
from keizoku.db.tables.people import task_snooze
from keizoku.scheduler.reports.work_seen import NOTHING_SEEN, WorkSeen
from keizoku.scheduler.reports.work_sources import DONE, KINDS, SOURCES, Kind
from keizoku.sla.evidence.unknown_store import unknown_list
from keizoku.terms.calendar import iso_jst, jst_day
from keizoku.terms.refusal import Refused, want_signed
from keizoku.terms.rendering import Lang, sentence

MISSED_NIGHTS: Final = 7
"""So many nights may be missing before the list says so, where no setting (`most_missed_nights`) is passed."""
MAILER_HAS: Final = timedelta(days=1)
"""So long a document may wait for the mailer before it waits for people."""
LONGEST: Final = 400
"""Letters of a ground or an author that a row keeps at most."""


@dataclass(frozen=True, slots=True)
class WorkItem:
    """One thing that waits for people.

    `id` as it is printed and accepted; `since` when it began to wait, `age_days` whole days since; `amount_yen` None
    where no sum is at stake; `clause` None where none says so; `remedy` the command that ends it.
    """

    id: str
    kind: str
    account: str | None
    since: datetime
    age_days: int
    amount_yen: int | None
    clause: str | None
    what_ja: str
    what_en: str
    remedy: str
    detail: Mapping[str, object]
    snoozed_until: date | None = None

    def to_json(self) -> dict[str, object]:
        """As it is printed in JSON; the instant in Japan's time."""
        return {
            "id": self.id,
            "kind": self.kind,
            "account": self.account,
            "since": iso_jst(self.since),
            "age_days": self.age_days,
            "amount_yen": self.amount_yen,
            "clause": self.clause,
            "what_ja": self.what_ja,
            "what_en": self.what_en,
            "remedy": self.remedy,
            "detail": dict(self.detail),
            "snoozed_until": None if self.snoozed_until is None else self.snoozed_until.isoformat(),
        }


def waiting_for_people(
    session: Session,
    now: datetime,
    *,
    kinds: Collection[str] = (),
    account: str | None = None,
    min_age_days: int = 0,
    snoozed: bool = False,
    limit: int | None = None,
    after: str = "",
    most_missed: int = MISSED_NIGHTS,
    seen: WorkSeen = NOTHING_SEEN,
) -> list[WorkItem]:
    """What waits for people at `now`, the oldest first; with `snoozed` what was put off, instead.

    At most `limit` (None: all), behind the item `after`. Raises Refused where that one does not wait.
    """
    wanted = _TaskFilter(now, tuple(kinds), account, min_age_days, snoozed=snoozed, most_missed=most_missed, seen=seen)
    query, values = wanted.statement(session)
    if after:
        last = work_item(session, after, now, most_missed, seen)
        query += ' AND (since, id COLLATE "C") > (:after_at, :after_id)'
        values |= {"after_at": last.since, "after_id": last.id}
    rows = session.execute(sa.text(f'{query} ORDER BY since, id COLLATE "C" LIMIT :limit'), values | {"limit": limit})
    return [_item(row, now) for row in rows]


def waiting_counts(
    session: Session,
    now: datetime,
    *,
    kinds: Collection[str] = (),
    account: str | None = None,
    min_age_days: int = 0,
    snoozed: bool = False,
    most_missed: int = MISSED_NIGHTS,
    seen: WorkSeen = NOTHING_SEEN,
) -> dict[str, int]:
    """How many items of each kind `waiting_for_people` has in all; kinds of which none waits are left out.

    `seen`: documents and bank lines that need not be looked at again (`work_seen`).
    """
    wanted = _TaskFilter(now, tuple(kinds), account, min_age_days, snoozed=snoozed, most_missed=most_missed, seen=seen)
    query, values = wanted.statement(session)
    counted = f"SELECT kind, count(*) FROM ({query}) AS found GROUP BY kind ORDER BY kind"  # noqa: S608 - our own text
    return {row[0]: row[1] for row in session.execute(sa.text(counted), values)}


def waiting_count(session: Session, now: datetime, most_missed: int = MISSED_NIGHTS) -> int:
    """How many things wait for people."""
    return sum(waiting_counts(session, now, most_missed=most_missed).values())


def work_item(
    session: Session,
    item_id: str,
    now: datetime,
    most_missed: int = MISSED_NIGHTS,
    seen: WorkSeen = NOTHING_SEEN,
) -> WorkItem:
    """One item, whether it was put off or not. Raises Refused for an id under which nothing waits."""
    word = "" if item_id[:1] == "T" and item_id[1:].isdecimal() else item_id.partition(" ")[0]
    row = None
    if _printed(item_id) and word in {each.word for each in SOURCES}:
        wanted = _TaskFilter(now, snoozed=None, most_missed=most_missed, seen=seen, word=word)
        query, values = wanted.statement(session)
        row = session.execute(sa.text(f"{query} AND id = :id LIMIT 1"), values | {"id": item_id}).first()
    if row is None:
        raise Refused("task.unknown", f"{item_id[:80]!r}: nothing with this id is waiting", "see `keizoku tasks list`")
    return _item(row, now)


def done(session: Session, item_id: str, by: str, ground: str, now: datetime) -> None:
    """People have dealt with a task: it leaves the list, and stays on record with who and why; commits.

    Raises Refused for what a word does not close, with the command that ends it, and where nothing waits.
    """
    by, ground = _signed(by, ground)
    item = work_item(session, item_id, now)
    if item.id[:1] != "T" or (item.kind in KINDS and not KINDS[item.kind].by_word):
        session.rollback()
        raise Refused("task.not_by_word", f"{item.id}: a note alone does not close it", f"this does: {item.remedy}")
    number = int(item.id.removeprefix("T"))
    closed = close_tasks(session, by, ground, now, review_task.c.id == number)
    session.commit()
    if not closed:
        raise Refused("task.unknown", f"{item.id}: somebody else closed it at this moment")


def snooze(session: Session, item_id: str, until_on: date, by: str, ground: str, now: datetime) -> None:
    """Put an item off until a day in Japan; the newest snooze holds; commits.

    Raises Refused where nothing waits under the id, and for a day that is not after today.
    """
    by, ground = _signed(by, ground)
    if until_on <= jst_day(now):
        raise Refused(
            "task.snooze_past", f"{until_on} is not after today ({jst_day(now)})", "put it off until a later day"
        )
    item = work_item(session, item_id, now)
    session.execute(
        sa.insert(task_snooze).values(task=item.id, until_on=until_on, author=by, ground=ground, recorded_at=now)
    )
    session.commit()


def _printed(item_id: str) -> bool:
    """Whether a list could have printed it; the database takes no other letters anyway."""
    return 0 < len(item_id) <= 4 * LONGEST and item_id.isprintable()


def _signed(by: str, ground: str) -> tuple[str, str]:
    by, ground = by.strip(), ground.strip()
    want_signed(by, ground)
    for what, text in (("author", by), ("ground", ground)):
        if len(text) > LONGEST or not text.isprintable():
            rule = f"at most {LONGEST} printable letters on one line"
            raise Refused("task.text", f"the {what} cannot be recorded: it has {len(text):,} letters", rule)
    return by, ground


@dataclass(frozen=True, slots=True)
class _TaskFilter:
    """Which items are wanted; `snoozed` None: also those that were put off."""

    now: datetime
    kinds: tuple[str, ...] = ()
    account: str | None = None
    min_age_days: int = 0
    snoozed: bool | None = False
    most_missed: int = MISSED_NIGHTS
    seen: WorkSeen = NOTHING_SEEN
    word: str | None = None

    def statement(self, session: Session) -> tuple[str, dict[str, Any]]:
        """The statement up to its conditions, to which more may be added, and its values."""
        wanted = [
            each
            for each in SOURCES
            if (not self.kinds or each.kinds is None or each.kinds & {*self.kinds}) and self.word in (None, each.word)
        ]
        union = " UNION ALL ".join(each.query for each in wanted)
        query = f"""
            WITH put_off AS (SELECT DISTINCT ON (task) task, until_on FROM task_snooze ORDER BY task, id DESC)
            SELECT waiting.*, CASE WHEN until_on > :today THEN until_on END AS snoozed_until
            FROM ({union}) AS waiting (id, kind, account, since, amount_yen, about, detail)
            LEFT JOIN put_off ON task = waiting.id
            WHERE (CAST(:account AS text) IS NULL OR account = :account) AND since <= :begun_by
            AND (cardinality(CAST(:kinds AS text[])) = 0 OR kind = ANY(:kinds))
            AND (CAST(:snoozed AS boolean) IS NULL OR coalesce(until_on > :today, false) = :snoozed)
        """  # noqa: S608 - our own text
        asked = self.word in (None, "unknown") and (not self.kinds or "unknown_time" in self.kinds)
        unknown = unknown_list(session, None, self.now) if asked else []
        return query, {
            "account": self.account,
            "today": jst_day(self.now),
            "late": jst_day(self.now) - timedelta(days=self.most_missed),
            "documents_before": self.now - MAILER_HAS,
            **self.seen.values(),
            "begun_by": self.now - timedelta(days=self.min_age_days) if self.min_age_days else _ALL,
            "kinds": list(self.kinds),
            "snoozed": self.snoozed,
            "unknown": json.dumps([each.to_json() for each in unknown]),
        }


_ALL: Final = datetime(9999, 12, 31, tzinfo=UTC)


def _item(row: sa.Row[Any], now: datetime) -> WorkItem:
    detail = row.detail if isinstance(row.detail, dict) else {}
    known = KINDS.get(row.kind, Kind(None, DONE))
    clause = detail.get("clause", known.clause)
    remedy = detail.get("remedy") or known.remedy.format(
        shlex.quote(row.id.partition(" ")[2] or row.id),
        shlex.quote(row.account or "ACCOUNT"),
        shlex.join(row.about.split(" ", 1)),
    )
    return WorkItem(
        id=row.id,
        kind=row.kind,
        account=row.account,
        since=row.since,
        age_days=max((now - row.since).days, 0),
        amount_yen=None if row.amount_yen is None else int(row.amount_yen),
        clause=clause if isinstance(clause, str) else None,
        what_ja=f"{_word(row.kind, 'ja')}: {row.about}",
        what_en=f"{_word(row.kind, 'en')}: {row.about}",
        remedy=str(remedy),
        detail=detail,
        snoozed_until=row.snoozed_until,
    )


def _word(kind: str, lang: Lang) -> str:
    try:
        return sentence(f"word.task.{kind}", lang, {})
    except LookupError:
        return kind.replace("_", " ")
