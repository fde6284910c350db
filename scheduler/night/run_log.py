"""The run log: which stage of which business date was run, when, and what it changed; and the certificates.

One row per stage and business date; a rerun counts up and leaves what the first run changed.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from keizoku.billing.closing.integrity_audit import FULL_AUDIT, Audit, AuditBaseline
from keizoku.db.session import PreparedQuery, Session, plain_array, text_array
from keizoku.db.tables.books import stage_run
from keizoku.scheduler.night.figures import MARKS, Figure, as_rows

LAST_STAGE = "audit"


@dataclass(frozen=True, slots=True)
class StageRun:
    """A stage that was completed: when it began and ended, and the rows it wrote."""

    business_date: date
    stage: str
    started_at: datetime
    finished_at: datetime
    changes: int


def note(session: Session, stages: Sequence[StageRun]) -> None:
    """Write stages into the run log; a rerun increments `runs` and adds its changes. Commits."""
    if stages:
        _NOTE.rows_and_commit(session, _noted(stages))


def _noted(stages: Sequence[StageRun]) -> dict[str, object]:
    return {
        "dates": plain_array(each.business_date for each in stages),
        "stages": text_array([each.stage for each in stages]),
        "began": text_array([each.started_at.isoformat() for each in stages]),
        "ended": text_array([each.finished_at.isoformat() for each in stages]),
        "changes": plain_array(each.changes for each in stages),
    }


_INTO_RUN_LOG = """
    INSERT INTO stage_run (business_date, stage, started_at, finished_at, changes, runs)
    SELECT noted.*, 1 FROM unnest(
        CAST(:dates AS date[]), CAST(:stages AS text[]), CAST(:began AS timestamptz[]),
        CAST(:ended AS timestamptz[]), CAST(:changes AS integer[])
    ) AS noted
    ON CONFLICT (business_date, stage) DO UPDATE SET
        runs = stage_run.runs + 1, changes = stage_run.changes + excluded.changes,
        started_at = excluded.started_at, finished_at = excluded.finished_at"""
_NOTE = PreparedQuery(sa.text(_INTO_RUN_LOG))


def last_night(session: Session) -> date | None:
    """The latest business date whose night was completed with its certificate."""
    latest: date | None = session.execute(
        sa.select(sa.func.max(stage_run.c.business_date)).where(
            stage_run.c.stage == LAST_STAGE, stage_run.c.finished_at.is_not(None)
        )
    ).scalar_one()
    return latest


def is_done(session: Session, business_date: date) -> bool:
    """Whether the night of this date was completed before."""
    return run_log_state(session, business_date).ran_before


@dataclass(frozen=True, slots=True)
class RunLogState:
    """The run log before the night of `business_date`."""

    business_date: date
    last_night: date | None  # the latest business date whose night was completed with its certificate
    ran_before: bool  # the night of this date did
    base: AuditBaseline  # of the last certificate; FULL_AUDIT where there is none, or it found differences
    audited_whole_on: date | None = None  # the business date of the last audit that checked everything
    left_open: bool = False  # a night that shared its work was stopped, and a range of it may still be worked on
    any_set_aside: bool = False  # something that a night before set aside waits
    any_word: bool = False  # people said something of the money of nights
    marks: Mapping[str, int] = field(default_factory=dict)  # the newest ids of what a night's figures count

    @property
    def floor(self) -> int:
        """The highest term id that the last certificate covers; 0: none does, or it found differences."""
        return self.base.floors.get("term", 0)

    @property
    def missed(self) -> tuple[date, ...]:
        """Business dates between the last completed night and this one."""
        if self.last_night is None:
            return ()
        days = (self.business_date - self.last_night).days
        return tuple(self.last_night + timedelta(days=day) for day in range(1, days))


def run_log_state(session: Session, business_date: date) -> RunLogState:
    """Load the state of the run log before a night."""
    [row] = _STATE.rows(session, {"business_date": business_date, "last_stage": LAST_STAGE})
    base, whole_on = FULL_AUDIT, None
    # a term without its invoice lies below the floor of the certificate that set it aside: nothing builds on that
    if row["state"] == "ok" and not any(each.startswith(_BELOW_THE_FLOOR) for each in row["set_aside"]):
        base = AuditBaseline(row["floors"], row["carried"], row["sums"], row["issued_at"])
        whole_on = row["audited_whole_on"]
    return RunLogState(
        business_date,
        row["last_night"],
        row["ran_before"],
        base,
        whole_on,
        row["left_open"],
        row["any_set_aside"],
        row["any_word"],
        row["marks"],
    )


_BELOW_THE_FLOOR = ("invoices: ", "revenue: ")


_STATE = PreparedQuery(
    sa.text(
        f"""
    SELECT (SELECT max(business_date) FROM stage_run
            WHERE stage = :last_stage AND finished_at IS NOT NULL) AS last_night,
           EXISTS (SELECT 1 FROM stage_run WHERE business_date = :business_date AND stage = :last_stage
                   AND finished_at IS NOT NULL) AS ran_before,
           EXISTS (SELECT 1 FROM night_range WHERE state = 'open') AS left_open,
           EXISTS (SELECT 1 FROM review_task
                   WHERE kind IN ('no_price', 'set_aside', 'terms_unannounced') AND closed_at IS NULL) AS any_set_aside,
           EXISTS (SELECT FROM night_word) AS any_word, {MARKS} AS marks,
           newest.set_aside,
           newest.state, newest.floors, newest.carried, newest.audited_whole_on, newest.sums, newest.issued_at
    FROM (SELECT) AS one
    LEFT JOIN (SELECT set_aside, state, floors, carried, audited_whole_on, sums, issued_at FROM certificate
               ORDER BY id DESC LIMIT 1) AS newest ON true
    """  # noqa: S608 - all of it is of this package
    ).bindparams(sa.bindparam("business_date", type_=sa.Date()), sa.bindparam("last_stage", type_=sa.Text()))
)


def certify(
    session: Session,
    business_date: date,
    found: Audit,
    also: Sequence[str],
    at: datetime,
    unnoted: Sequence[StageRun] = (),
    held: Sequence[str] = (),
    *,
    whole_on: date | None = None,
    without: Sequence[date] = (),
    wrote: Sequence[Figure] = (),
) -> str:
    """Write the certificate unless the last one of this date has the same content; returns its state. Commits.

    The same statement logs the stages in `unnoted` and the audit, also for the dates in `without`, which have no night
    of their own and are covered by this one. `held`: what was set aside. `whole_on`: the date of the last audit of
    everything, if not this one. `wrote`: the figures of this run, beside the content.
    """
    differences = [*found.differences, *also]
    state = "differences" if differences else "ok"
    audited_whole_on = whole_on or business_date
    content = {
        "business_date": business_date.isoformat(),
        "counts": found.counts,
        "sums": found.sums,
        "differences": differences,
        "floors": found.floors,
        "carried": found.carried,
        "audited_whole_on": audited_whole_on.isoformat(),
        **({"set_aside": sorted(held)} if held else {}),
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
    audits = [StageRun(each, LAST_STAGE, at, at, 0) for each in (*without, business_date)]
    _CERTIFY.rows_and_commit(
        session,
        {
            "business_date": business_date,
            "issued_at": at,
            "state": state,
            "counts": json.dumps(found.counts),
            "sums": json.dumps(found.sums),
            "named": json.dumps(differences, ensure_ascii=False),
            "floors": json.dumps(found.floors),
            "carried": json.dumps(found.carried),
            "audited_whole_on": audited_whole_on,
            "set_aside": json.dumps(sorted(held), ensure_ascii=False),
            "wrote": json.dumps(as_rows(wrote)),
            "hash": digest,
            **_noted([*unnoted, *audits]),
        },
    )
    return state


_CERTIFY = PreparedQuery(
    sa.text(
        f"""
    WITH noted AS ({_INTO_RUN_LOG})
    INSERT INTO certificate
        (business_date, issued_at, state, counts, sums, differences, floors, carried, audited_whole_on, set_aside,
         wrote, hash)
    SELECT fresh.* FROM (VALUES (
        CAST(:business_date AS date), CAST(:issued_at AS timestamptz), CAST(:state AS text), CAST(:counts AS jsonb),
        CAST(:sums AS jsonb), CAST(:named AS jsonb), CAST(:floors AS jsonb), CAST(:carried AS jsonb),
        CAST(:audited_whole_on AS date), CAST(:set_aside AS jsonb), CAST(:wrote AS jsonb), CAST(:hash AS text)
    )) AS fresh
        (business_date, issued_at, state, counts, sums, differences, floors, carried, audited_whole_on, set_aside,
         wrote, hash)
    WHERE fresh.hash IS DISTINCT FROM (
        SELECT last.hash FROM certificate AS last WHERE last.business_date = fresh.business_date
        ORDER BY last.id DESC LIMIT 1
    )
    """  # noqa: S608 - both statements are of this file
    )
)
