"""The same questions on Spark, for evidence that is too much for one machine (docs/how-to/scale.md).

    Parquet files ──read where they lie by the executors──> observation ──threshold_query──> outage windows
    claimants     ──────────────────────────────────────> claimant ────claimants───────────────> seconds of each

The queries are those that DuckDB is asked, each step a view here (`sql_query`). Rows are shared out by user, then
by day: no step brings the observations of a month to one executor. Java and pyspark are
wanted only here, and are imported only when a session is opened.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final

from keizoku.sla.counting.claimants import ClaimantRow, UnusableRow
from keizoku.sla.evidence.observation_checks import findings_of_rules, present_us, wrong_rule
from keizoku.sla.evidence.observation_files import (
    COLUMNS,
    Bulk,
    grouped_files,
    is_blank,
    is_decimal,
    is_written,
    literal,
)
from keizoku.sla.evidence.observations import ObservationsRead
from keizoku.sla.evidence.sql_query import Query
from keizoku.terms.decision import Finding
from keizoku.terms.inputs.input_files import header_findings

DEFAULT_PORT: Final = 7077
ANSWER_SECONDS: Final = 5.0
WORKER_SECONDS: Final = 60.0
LOCAL_PARTITIONS: Final = 8
"""Spark's own 200 suit a cluster: on one machine the tasks would cost more than the rows."""
_INSTANTS: Final = ("timestamp", "timestamp_ntz", "date")
_WHOLE_NUMBERS: Final = ("byte", "short", "integer", "long")


class SparkUnavailableError(Exception):
    """Spark cannot be used: what is missing and how to get it, in one line."""


@dataclass(slots=True)
class SparkEngine:
    """A Spark session that holds relations by name, as a connection of DuckDB does (`Engine`)."""

    spark: Any

    def answer(self, query: Query) -> list[tuple[Any, ...]]:
        """Every row of the answer: they alone come to this process."""
        kept = []
        for step in query.steps:
            relation = self.spark.sql(step.sql)
            if step.keep:
                kept.append(relation.persist())
            relation.createOrReplaceTempView(step.name)
        try:
            return [tuple(row) for row in self.spark.sql(query.answer).collect()]
        finally:
            for relation in kept:
                relation.unpersist()

    def read_observations(
        self,
        paths: Sequence[Path],
        columns: Mapping[str, str] | None = None,
        symptom: str | None = None,
        now: datetime | None = None,
    ) -> ObservationsRead:
        """Make files and folders of Parquet the relation `observation`, with the rules of `sla.evidence.observations`.

        Every executor has to see them under the same path. Rows refused are counted by rule, without their lines; a
        row that is still open is left out where one with the end of the same outage is there. What ends after `now` is
        refused.
        """
        names = {name: (columns or {}).get(name, name) for name in COLUMNS if not (symptom and name == "symptom")}
        others = [each for group in grouped_files(paths) for each in group if each.suffix.lower() != ".parquet"]
        self.take("observation", "user_id string, started bigint, ended bigint", [])
        if others or not paths:
            remedy = "convert them, or measure with --engine duckdb"
            findings = [Finding(str(each), None, each.name, "Spark reads Parquet", remedy) for each in others]
            return ObservationsRead(0, 0, tuple(findings))
        files = self.spark.read.option("mergeSchema", "true").parquet(*map(str, paths))
        files.createOrReplaceTempView("observation_file")
        types = {field.name: field.dataType.typeName() for field in files.schema.fields}
        source = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
        bulk = _bulk(types, names, symptom, source)
        if not isinstance(bulk, Bulk):
            return ObservationsRead(0, 0, tuple(bulk))
        bulk = replace(bulk, now_us=None if now is None else present_us(now))
        by_rule = self.answer(Query((), f"SELECT wrong, count(*) FROM ({_checked(bulk)}) GROUP BY wrong"))  # noqa: S608
        counts = {wrong: int(count) for wrong, count in by_rule}
        taken = counts.pop(None, 0)
        self.spark.sql(_checked(bulk)).createOrReplaceTempView("checked")
        self.spark.sql(_SETTLED).createOrReplaceTempView("observation")
        return ObservationsRead(taken, sum(counts.values()), findings_of_rules(source, counts))

    def take(self, name: str, columns: str, rows: Iterable[Sequence[object]]) -> None:
        """Make rows of this process a relation; `columns` as in SQL: "account string, started bigint"."""
        self.spark.createDataFrame([tuple(row) for row in rows], columns).createOrReplaceTempView(name)

    def take_claimants(self, unusable: Iterable[UnusableRow], claimants: Iterable[ClaimantRow]) -> None:
        """Make these the relations that `keizoku.sla.counting.claimants` asks."""
        self.take("unusable", "month string, started bigint, ended bigint", unusable)
        self.take("claimant", "account string, month string, kind string, started bigint, ended bigint", claimants)


@contextmanager
def open_spark(master: str, settings: Mapping[str, str] | None = None) -> Iterator[SparkEngine]:
    """A session on this master (`local[*]`, `spark://host:7077`, `yarn`), ended at the end.

    `settings` are Spark's own and win over ours. Raises SparkUnavailableError, in one line with the remedy, where
    pyspark or Java is missing, the master does not answer, or it has no worker free.
    """
    _wanted_is_there(master)
    with tempfile.TemporaryFile("w+b") as said:
        session = _start(master, settings or {}, said)
        try:
            if not master.startswith("local"):
                _wait_for_a_worker(session, master)
            with _told_in_one_line(master):
                yield SparkEngine(session)
        finally:
            session.stop()


@contextmanager
def _told_in_one_line(master: str) -> Iterator[None]:
    """A question that Spark gives up on: a file that an executor does not see, a column that is none, memory."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError) as error:
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise SparkUnavailableError(f"Spark gave up on {master}: {first[:300]}") from error


def _start(master: str, settings: Mapping[str, str], said: IO[bytes]) -> Any:
    """Start the driver. What Java says on the way is heard only if it fails."""
    own = {
        "spark.app.name": "keizoku",
        "spark.sql.session.timeZone": "Asia/Tokyo",
        "spark.sql.adaptive.enabled": "true",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    if master.startswith("local"):
        own["spark.sql.shuffle.partitions"] = str(LOCAL_PARTITIONS)
    if master.startswith("local") or "//127." in master or "//localhost" in master:
        own |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    try:
        with warnings.catch_warnings(), _heard(said):
            warnings.simplefilter("ignore")  # on the versions of packages that we do not use with it
            from pyspark.sql import SparkSession

            builder = SparkSession.builder.master(master)
            for name, value in {**own, **settings}.items():
                builder = builder.config(name, value)
            session = builder.getOrCreate()
            session.sparkContext.setLogLevel("OFF")
            return session
    except Exception as error:  # Java's own and py4j's are many: the person needs one line of them
        raise SparkUnavailableError(f"Spark did not start on {master}: {_why(said, error)}") from None


@contextmanager
def _heard(said: IO[bytes]) -> Iterator[None]:
    """What this process and its children write to stderr goes to a file for a while; Java keeps writing there."""
    kept = os.dup(2)
    try:
        os.dup2(said.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _why(said: IO[bytes], error: Exception) -> str:
    said.seek(0)
    lines = [line.strip() for line in said.read().decode(errors="replace").splitlines()]
    telling = [line for line in lines if "Exception" in line or "Error" in line or "ERROR" in line]
    return (telling or [str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__])[0][:300]


def _wanted_is_there(master: str) -> None:
    try:
        import pyspark  # noqa: F401
    except ImportError:
        raise SparkUnavailableError(
            "the Spark engine wants pyspark, which is not installed: pip install 'keizoku[spark]'"
        ) from None
    home = os.environ.get("JAVA_HOME")
    if not (home and (Path(home) / "bin" / "java").exists()) and shutil.which("java") is None:
        raise SparkUnavailableError(
            "Spark wants Java 17 or newer, and there is none: install a runtime (Debian: apt-get install "
            "default-jre-headless) or set JAVA_HOME"
        )
    if not master.startswith("spark://"):
        return
    for address in master.removeprefix("spark://").split(","):
        host, _, port = address.partition(":")
        with suppress(OSError, ValueError):
            socket.create_connection((host, int(port or DEFAULT_PORT)), ANSWER_SECONDS).close()
            return
    raise SparkUnavailableError(
        f"no Spark master answers at {master}: start it, or correct KEIZOKU_SPARK_MASTER (local[*]: this machine alone)"
    )


def _wait_for_a_worker(session: Any, master: str) -> None:
    """Without an executor every question would wait for ever."""
    until = time.monotonic() + WORKER_SECONDS
    while session.sparkContext._jsc.sc().getExecutorMemoryStatus().size() < 2:  # the driver is one
        if time.monotonic() > until:
            raise SparkUnavailableError(
                f"{master} gave no executor within {WORKER_SECONDS:.0f} s: start workers, or free some of their memory"
            )
        time.sleep(0.1)


def _bulk(types: Mapping[str, str], names: Mapping[str, str], symptom: str | None, source: str) -> Bulk | list[Finding]:
    """How to read the columns of these types, as SQL; findings for what is lacking or of another type."""
    if lacking := header_findings(source, names.values(), list(types)):
        return lacking
    wrong = [name for name in ("started_at", "ended_at") if types[names[name]] not in (*_INSTANTS, "void")]
    if wrong:
        rule = "Spark reads instants as timestamps"
        remedy = "convert them, or measure with --engine duckdb"
        return [Finding(source, None, f"{names[each]}: {types[names[each]]}", rule, remedy) for each in wrong]
    texts = [f"CAST({_quoted(names[n])} AS STRING)" if n in names else literal(symptom) for n in COLUMNS]
    user, start, end = (_quoted(names[name]) for name in ("user_id", "started_at", "ended_at"))
    whole_numbers = types[names["user_id"]] in _WHOLE_NUMBERS
    return Bulk(
        relation="observation_file",
        texts=texts,
        user=user if whole_numbers else f"trim({texts[0]})",
        no_user=f"{user} IS NULL" if whole_numbers else is_blank(texts[0]),
        instants=(f"unix_micros(CAST({start} AS TIMESTAMP))", f"unix_micros(CAST({end} AS TIMESTAMP))"),
        end_is_written=is_written(texts[3]),
        in_place=True,
        decimal_user="false" if whole_numbers else is_decimal(texts[0]),
    )


def _checked(bulk: Bulk) -> str:
    start_us, end_us = bulk.instants
    return f"""
        SELECT {bulk.user} AS user_id, {start_us} div 1000000 AS started, ({end_us} + 999999) div 1000000 AS ended,
            trim({bulk.texts[1]}) AS symptom, {wrong_rule(bulk)} AS wrong
        FROM {bulk.relation}"""  # noqa: S608


_SETTLED: Final = """
    SELECT user_id, started, ended FROM checked WHERE wrong IS NULL AND ended IS NOT NULL
    UNION ALL
    SELECT user_id, started, ended FROM checked AS still_open WHERE wrong IS NULL AND ended IS NULL
        AND NOT EXISTS (
            SELECT 1 FROM checked AS closed
            WHERE closed.wrong IS NULL AND closed.ended IS NOT NULL AND closed.user_id = still_open.user_id
                AND closed.symptom = still_open.symptom AND closed.started = still_open.started)"""


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
