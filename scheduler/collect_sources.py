"""The monitors that the worker asks by itself: a TOML file, `KEIZOKU_COLLECT_FILE`, and the job that goes through it.

    [[source]]
    name = "web"
    url = "http://127.0.0.1:9090"
    affected = "sum(users_unable) or vector(0)"
    total = "1000"                    # a query, or the number itself
    keep = "/var/lib/keizoku/answers"

A source is asked every so many minutes for what is new since its last answer, after a silence of days too. What one
source fails at keeps no other from its turn; one that has been behind for long is a task, closed by its next answer.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from keizoku.db.review_tasks import close_task, open_task
from keizoku.db.session import Session
from keizoku.limits import LARGEST_PAGE
from keizoku.scheduler.app import Services
from keizoku.scheduler.collecting import Collection, Fetch, Login, collect, collected_to
from keizoku.scheduler.fetching import fetched
from keizoku.sla.services.imports import ImportService
from keizoku.terms.calendar import parse_instant
from keizoku.terms.inputs.input_files import read_whole
from keizoku.terms.refusal import Refused

__all__ = ["CollectSource", "Collecting", "SourcesError", "read_sources"]

BY: Final = "worker"
SILENT: Final = "collect_silent"


class SourcesError(ValueError):
    """The file of sources cannot be used; the message is one line that names file, source, key and rule."""


class CollectSource(BaseModel):
    """A source as the file states it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    url: str
    affected: str
    total: str
    keep: Path
    step_seconds: int = 60
    every_minutes: int = Field(default=5, ge=1, le=1_440)
    silent_minutes: int = Field(default=60, ge=1, le=10_080)
    delay_seconds: int = Field(default=60, ge=0, le=3_600)
    since: str = ""
    bearer_file: Path | None = None
    basic_file: Path | None = None

    @field_validator("since")
    @classmethod
    def _a_time(cls, written: str) -> str:
        if written:
            parse_instant(written)
        return written

    def collection(self) -> Collection:
        """What is asked of whom. Raises Refused."""
        login = Login(self.bearer_file, self.basic_file)
        return Collection(self.name, self.url, self.affected, self.total, self.step_seconds, self.keep, login).checked()


def read_sources(path: Path) -> tuple[CollectSource, ...]:
    """The sources of a file, in its order. Raises SourcesError."""
    try:
        stated = tomllib.loads(read_whole(path, LARGEST_PAGE).decode("utf-8"))
    except OSError as error:
        raise SourcesError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise SourcesError(f"{path}: is no TOML in UTF-8: {error}") from None
    rows = stated.get("source")
    if set(stated) - {"source"} or not isinstance(rows, list) or not rows:
        raise SourcesError(f"{path}: holds tables [[source]], one for each monitor, and nothing else")
    found: dict[str, CollectSource] = {}
    for place, row in enumerate(rows, start=1):
        named = row.get("name") if isinstance(row, dict) else None
        about = f"{path}: source {named!r:.80}" if isinstance(named, str) else f"{path}: source {place}"
        try:
            source = CollectSource.model_validate(row)
            source.collection()
        except ValidationError as error:
            wrong = error.errors()[0]
            key = ".".join(map(str, wrong["loc"])) or "source"
            raise SourcesError(f"{about}: {key}: {wrong['msg']}") from None
        except Refused as refused:
            raise SourcesError(f"{about}: {refused}") from None
        if found.setdefault(source.name, source) is not source:
            raise SourcesError(f"{about}: a source of this name stands above; give each its own")
    return tuple(found.values())


@dataclass(slots=True)
class Collecting:
    """Asks each source when its minutes are over. What it keeps in memory is only when it asked last."""

    sources: tuple[CollectSource, ...]
    fetch: Fetch = fetched
    _asked_at: dict[str, datetime] = field(default_factory=dict)
    _waits_since: dict[str, datetime] = field(default_factory=dict)  # of one that has never answered

    def __call__(self, services: Services, now: datetime, going: Callable[[], bool]) -> Mapping[str, object]:
        """Ask those whose turn it is; rows that are new, and why a source failed. Stops between two answers."""
        rows, failed, asked = 0, dict[str, str](), 0
        for source in self.sources:
            last = self._asked_at.get(source.name)
            if last is not None and timedelta() <= now - last < timedelta(minutes=source.every_minutes):
                continue
            if not going():
                break
            self._asked_at[source.name], asked = now, asked + 1
            try:
                rows += self._ask(services, source, now, going)
            except Refused as refused:  # what came before it is recorded
                services.session.rollback()
                failed[source.name] = str(refused)
            self._tell(services.session, source, now, failed.get(source.name))
        return {"asked": asked, "rows": rows, "failed": failed}

    def _ask(self, services: Services, source: CollectSource, now: datetime, going: Callable[[], bool]) -> int:
        imports = ImportService(services.sla)
        until = now - timedelta(seconds=source.delay_seconds)  # a monitor has its newest samples a little later
        since = parse_instant(source.since) if source.since else None
        parts = collect(
            imports,
            services.session,
            source.collection(),
            since=since,
            until=until,
            now=now,
            by=BY,
            fetch=self.fetch,
        )
        rows = 0
        for imported in parts:
            rows += imported.rows_new
            if not going():
                break
        return rows

    def _tell(self, session: Session, source: CollectSource, now: datetime, why: str | None) -> None:
        """A source that has failed for long becomes a task; one that answers ends it."""
        subject = f"collect {source.name}"
        if why is None:
            close_task(session, SILENT, subject, BY, "it answers again", now)
            self._waits_since.pop(source.name, None)
        else:
            reached = collected_to(session, source.name) or self._waits_since.setdefault(source.name, now)
            if now - reached >= timedelta(minutes=source.silent_minutes):
                open_task(session, SILENT, subject, {"why": why, "source": source.name}, now)
        session.commit()
