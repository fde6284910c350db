"""One definition for both engines, and what a person is told where Spark cannot be had. Wants no Spark."""

import socket
import sys
from pathlib import Path
from types import ModuleType

import pytest

from keizoku import sla
from keizoku.sla.counting.claimants import CLAIMANT_SECONDS, RECOGNISED_COUNTS
from keizoku.sla.counting.outage_threshold import bound_query, levels_query, threshold_query
from keizoku.sla.counting.spark_engine import SparkUnavailableError, open_spark
from keizoku.sla.evidence.sql_query import Query, Step

ONLY_DUCKDB = ("::", "//", "unnest", "epoch_us", "FILTER", "QUALIFY", "MATERIALIZED")


def told(master: str) -> str:
    with pytest.raises(SparkUnavailableError) as error, open_spark(master):
        pass
    assert "\n" not in str(error.value)
    return str(error.value)


def test_9_3__there_is_one_definition_of_what_is_observed_and_one_of_what_is_a_claimants_own() -> None:
    """A running sum of users stands in one file, and no step of a query has words of one engine alone."""
    rooms = Path(sla.__file__).parent
    homes = {path.name for path in rooms.rglob("*.py") if "OVER (" in path.read_text(encoding="utf-8")}
    assert homes == {"outage_threshold.py"}
    homes = {path.name for path in rooms.rglob("*.py") if "WINDOW own" in path.read_text(encoding="utf-8")}
    assert homes == {"claimants.py"}
    observed = [bound_query(51, [(10, -3)], 100), threshold_query(51, [(10, -3)], 100, ((0, 60), (120, 180)))]
    for query in (*observed, levels_query(100, ((0, 60),)), CLAIMANT_SECONDS, RECOGNISED_COUNTS):
        for text in (*(step.sql for step in query.steps), query.answer):
            assert [word for word in ONLY_DUCKDB if word in text] == []


def test_a_query_is_one_statement_for_duckdb() -> None:
    steps = [Step("a", "SELECT 1 AS x"), Step("b", "FROM a", keep=True), Step("c", "FROM b", keep=False)]
    statement = "WITH a AS (SELECT 1 AS x), b AS MATERIALIZED (FROM a), c AS NOT MATERIALIZED (FROM b) FROM c"
    assert Query(steps, "FROM c").as_statement() == statement
    assert Query((), "SELECT 1").as_statement() == "SELECT 1"


def test_without_pyspark_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)
    assert told("local[1]") == ("the Spark engine wants pyspark, which is not installed: pip install 'keizoku[spark]'")


def test_without_java_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", ModuleType("pyspark"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert told("local[1]") == (
        "Spark wants Java 17 or newer, and there is none: install a runtime (Debian: apt-get install "
        "default-jre-headless) or set JAVA_HOME"
    )


def test_a_master_that_does_not_answer_is_told_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "java").write_text("")
    (tmp_path / "java").chmod(0o755)
    monkeypatch.setitem(sys.modules, "pyspark", ModuleType("pyspark"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        master = f"spark://127.0.0.1:{free.getsockname()[1]},127.0.0.1:no"
        assert told(master) == (
            f"no Spark master answers at {master}: start it, or correct KEIZOKU_SPARK_MASTER (local[*]: this machine "
            "alone)"
        )
