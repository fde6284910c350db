"""Article 9 on a real Spark: the same windows and the same seconds as DuckDB, and no step in one place."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

import duckdb
import pytest
from typer.testing import CliRunner

from keizoku.scheduler.cli import app
from keizoku.sla.counting.claimants import claimant_seconds, recognised_counts, take_claimants
from keizoku.sla.counting.outage_threshold import Population, observed_windows, outages_from
from keizoku.sla.counting.spark_engine import SparkEngine, open_spark
from keizoku.sla.evidence.incident_files import NOT_OVER
from keizoku.sla.evidence.observations import open_observations, read_observations
from keizoku.sla.rules.intervals import Spans, intersect, length
from keizoku.sla.rules.unusable_time import MonthFacts, service_month
from keizoku.terms.calendar import Month, epoch, from_epoch, parse_instant
from tests.benchmarks.case_quorum import HORIZON, prepare
from tests.integration.sla.test_article_9_in_sql import POLICY, some_timelines
from tests.spark.cluster import spark_master, task_sizes
from tests.unit.sla.rules.test_unusable_time import ORACLE
from tests.unit.sla.test_claimants import months_with_claimants

pytestmark = pytest.mark.spark

APRIL = Month(2026, 4)
PARTITIONS = 6
FOR_TESTS = {
    "spark.executor.memory": "600m",
    "spark.driver.memory": "700m",
    "spark.sql.shuffle.partitions": str(PARTITIONS),
    "spark.sql.codegen.wholeStage": "false",  # few rows: compiling would take longer than they do
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
    "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1",
    "spark.sql.adaptive.coalescePartitions.enabled": "false",  # as many partitions as with rows enough for all
    "spark.ui.enabled": "true",
    "spark.ui.port": "0",
}


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with spark_master(tmp_path_factory.mktemp("spark")) as address:
        yield address


@pytest.fixture(scope="module")
def engine(master: str) -> Iterator[SparkEngine]:
    with open_spark(master, FOR_TESTS) as spark:
        yield spark


def write(path: Path, rows: str) -> Path:
    """Observations out of a query with user_id, symptom, s and e in seconds."""
    with duckdb.connect() as table:
        table.execute(
            f"COPY (SELECT user_id, symptom, make_timestamptz(s::BIGINT * 1000000) AS started_at, "
            f"make_timestamptz(e::BIGINT * 1000000) AS ended_at FROM ({rows})) TO '{path}'"
        )
    return path


def both(engine: SparkEngine, path: Path, population: Population, horizon: int) -> Spans:
    """The windows that both engines find in a file."""
    with open_observations() as observed:
        read = read_observations(observed, path)
        observed.settle()
        windows = observed_windows(observed.table, population, POLICY, horizon)
    found = engine.read_observations([path])
    assert (found.taken, found.refused) == (read.taken, read.refused)
    assert observed_windows(engine, population, POLICY, horizon) == windows
    return windows


def test_9_3__the_command_says_the_same_on_either_engine(
    master: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noon = epoch(parse_instant("2026-04-10 12:00"))
    seen = write(
        tmp_path / "seen.parquet",
        f"SELECT 'u' || i AS user_id, 'login' AS symptom, {noon} AS s, {noon} + 15000 AS e FROM range(51) AS n(i) "
        f"UNION ALL SELECT '', 'login', {noon}, {noon} + 9",
    )
    claims = tmp_path / "claims.csv"
    claims.write_text(
        "id,account,month,received_at,windows\n1,a,2026-04,2026-05-01 10:00,\n"
        "2,b,2026-04,2026-05-01 10:00,2026-04-10 12:00/2026-04-10 13:00\n"
        "3,b,2026-04,2026-05-02 10:00,2026-04-10 12:30/2026-04-10 14:00\n"
    )
    monkeypatch.setenv("KEIZOKU_SPARK_MASTER", master)
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))  # Spark's own settings are the operator's: ours hold few rows
    (tmp_path / "spark-defaults.conf").write_text("".join(f"{name} {value}\n" for name, value in FOR_TESTS.items()))
    said = []
    for name in ("duckdb", "spark"):
        command = ["sla", "measure", "--month", "2026-04", "--population", "1000", "--observations", str(seen)]
        result = CliRunner().invoke(app, [*command, "--claims", str(claims), "--engine", name, "--json"])
        assert result.exit_code == 1, result.output  # the row without a user
        said.append(json.loads(result.stdout))
    assert said[0] == said[1]
    assert (said[0]["unusable_seconds"], said[0]["claims"]) == (
        15_000,
        [{"rate": "0%", "accounts": 1}, {"rate": "20%", "accounts": 1}, {"rate": "40%", "accounts": 0}],
    )


def test_9_2__the_oracles_vectors_on_spark(engine: SparkEngine, tmp_path: Path) -> None:
    """Each vector on a day of its own: the engine counts its users, the month says what is unusable."""
    rows, days = [], {}
    for day, (name, (affected, start, end, *_)) in enumerate(ORACLE.items(), start=1):
        first, last = (epoch(parse_instant(f"2026-04-{day:02} {time}")) for time in (start, end))
        rows.append(
            f"SELECT 'u' || i AS user_id, 'site' AS symptom, {first} AS s, {last} AS e FROM range({affected}) n(i)"
        )
        midnight = epoch(parse_instant(f"2026-04-{day:02}"))
        days[name] = (midnight, midnight + 86_400)
    file = write(tmp_path / "seen.parquet", " UNION ALL ".join(rows))
    windows = both(engine, file, Population.always(1_000), HORIZON)
    stops = outages_from(windows, (), Population.always(1_000), POLICY)
    unusable = service_month(MonthFacts(APRIL, stops), POLICY, 0).unusable
    found = {name: length(intersect(unusable, (day,))) for name, day in days.items()}
    assert found == {name: seconds for name, (_, _, _, seconds, _) in ORACLE.items()}


def test_9_3__random_timelines_on_spark(engine: SparkEngine, tmp_path: Path) -> None:
    seen, steps = some_timelines(Random(94), 400)  # noqa: S311
    values = ", ".join(f"('{user}', {start}, {end})" for user, start, end in [*seen, *seen[::7]])
    rows = f"SELECT u AS user_id, 'view' AS symptom, s, e FROM (VALUES {values}) AS seen(u, s, e)"
    assert len(both(engine, write(tmp_path / "seen.parquet", rows), Population(tuple(steps)), 400 * 10_000)) > 200


def test_9_3__rows_that_are_refused_open_or_settled_are_the_same_on_spark(engine: SparkEngine, tmp_path: Path) -> None:
    rows = """SELECT * FROM (VALUES
        ('a', 'site', 1000, 2000), (' a ', 'login', 1500, 2500), ('b', 'site', 1800, NULL), ('b', 'site', 1800, 2100),
        ('c', 'view', 2400, NULL), ('', 'site', 1, 2), (NULL, 'site', 1, 2), ('d', 'mail', 1, 2), ('d', NULL, 1, 2),
        ('e', 'site', -5, 2), ('f', 'site', 9, 9), ('g', 'site', NULL, 9)
    ) AS seen(user_id, symptom, s, e)"""
    file = write(tmp_path / "seen.parquet", rows)
    assert both(engine, file, Population.always(39), 5_000) == ((1_800, 2_100), (2_400, 2_500))
    told = [(each.value.partition(",")[2], each.rule) for each in engine.read_observations([file]).findings]
    assert told == [
        (" 2 rows", "every observation names its user"),
        (" 2 rows", "a symptom is site, login, view"),
        (" 2 rows", "not a time"),
        (" 1 rows", "an observation ends after it starts"),
    ]
    other = tmp_path / "seen.csv"
    other.write_text("user_id,symptom,started_at,ended_at\n")
    refused = engine.read_observations([other])
    assert [(each.value, each.rule) for each in refused.findings] == [("seen.csv", "Spark reads Parquet")]


def test_9_3__what_is_not_over_is_refused_on_spark_as_well(engine: SparkEngine, tmp_path: Path) -> None:
    """Clocks of monitors may be some minutes ahead of ours; what ends or begins later than that is not over."""
    rows = """SELECT * FROM (VALUES
        ('a', 'site', 1000, 2300), ('b', 'site', 1000, 2301), ('c', 'site', 2300, NULL), ('d', 'site', 2301, NULL)
    ) AS seen(user_id, symptom, s, e)"""
    file = write(tmp_path / "seen.parquet", rows)
    found = engine.read_observations([file], now=from_epoch(2_000))
    assert (found.taken, found.refused, [each.rule for each in found.findings]) == (2, 2, [NOT_OVER])
    assert observed_windows(engine, Population.always(19), POLICY, 5_000) == ((1_000, 5_000),)


def test_9_2__claimants_of_random_months_on_spark(engine: SparkEngine) -> None:
    unusable, claimants, expected = months_with_claimants(150)
    engine.take_claimants(unusable, claimants)
    assert claimant_seconds(engine) == expected
    with duckdb.connect() as table:
        take_claimants(table, unusable, claimants)
        assert recognised_counts(engine) == recognised_counts(table)


def test_9_3__no_step_brings_the_month_to_one_place(engine: SparkEngine, tmp_path: Path) -> None:
    """How many rows each task took over: those of users are shared out, and what meets in one is a row a day."""
    observations, users = 60_000, 9_000
    prepare(tmp_path, {"observations": observations, "users": users})
    assert engine.read_observations([tmp_path / "seen"]).taken == observations
    page, application = engine.spark.sparkContext.uiWebUrl, engine.spark.sparkContext.applicationId
    before = set(task_sizes(page, application))
    windows = observed_windows(engine, Population.always(users), POLICY, HORIZON)
    assert len(windows) == 3
    sizes = {stage: tasks for stage, tasks in task_sizes(page, application).items() if stage not in before}
    alone = [sum(tasks) for tasks in sizes.values() if len(tasks) == 1]
    shared = [tasks for tasks in sizes.values() if len(tasks) > 1 and sum(tasks) > 5_000]
    assert max(alone, default=0) <= 40 * PARTITIONS  # a row a day, from each partition
    assert shared
    for tasks in shared:
        assert len(tasks) >= PARTITIONS  # one more where the steps of the population join the rows
        assert max(tasks) < sum(tasks) * 2 / 3  # what is shared out by day, where outages of some days may meet
    evenly = [tasks for tasks in shared if max(tasks) < 1.5 * sum(tasks) / PARTITIONS]
    assert evenly  # what is shared out by user


def test_the_tests_ran_on_two_workers_where_they_start(engine: SparkEngine, master: str) -> None:
    """What is shown is told: a master with two workers, or two threads of this process."""
    workers = engine.spark.sparkContext._jsc.sc().getExecutorMemoryStatus().size() - 1
    assert (master, workers) in ((master if master.startswith("spark://") else "", 2), ("local[2]", 0))
