"""The alert rules of the how-to speak of numbers that a worker has, and of every number that must not go unseen."""

import re
from pathlib import Path

import yaml

from keizoku.scheduler.worker.telemetry import Numbers

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "operate.md"
WATCHED = {
    "keizoku_worker_leads",
    "keizoku_database_reachable",
    "keizoku_state_read",
    "keizoku_clock_ahead_seconds",
    "keizoku_job_running_seconds",
    "keizoku_night_wants_a_word",
    "keizoku_nights_behind",
    "keizoku_certificate_ok",
    "keizoku_attempts_unknown_oldest_seconds",
    "keizoku_refunds_unknown",
    "keizoku_people_tasks_open",
    "keizoku_gateway_news_age_seconds",
    "keizoku_backup_age_seconds",
    "keizoku_collect_behind_seconds",
    "keizoku_restore_waits",
    "keizoku_job_runs_total",
    "keizoku_sla_budget_used_ratio",
}


def test_every_rule_asks_for_a_number_that_exists() -> None:
    (block,) = re.findall(r"^```yaml\n(groups:.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    rules = [rule for group in yaml.safe_load(block)["groups"] for rule in group["rules"]]
    asked = {name for rule in rules for name in re.findall(r"keizoku_[a-z_]+", rule["expr"])}
    told = {sample.name for family in Numbers().registry.collect() for sample in family.samples}
    labelled = {f"{family.name}{end}" for family in Numbers().registry.collect() for end in ("", "_total")}
    assert asked - told - labelled == set()
    assert asked == WATCHED
    assert len({rule["alert"] for rule in rules}) == len(rules)
