"""What a row of observations has to be: seven rules, stated once for every engine that reads them.

A row that breaks one is refused with a finding; the others go on. Instants are microseconds since 1970.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

from keizoku.limits import LAST_SECOND
from keizoku.sla.evidence.incident_files import CLOCKS_APART, NOT_OVER, TIME_REMEDY
from keizoku.sla.evidence.observation_files import Bulk, RawRow, literal
from keizoku.terms.calendar import epoch_up, time_flaw
from keizoku.terms.decision import Finding

SYMPTOMS = ("site", "login", "view")
_LAST_US = LAST_SECOND * 1_000_000


def rules(bulk: Bulk) -> dict[int, str]:
    """Each rule by its number as SQL, the same in DuckDB and Spark: true for a row that breaks it."""
    symptom = bulk.texts[1]
    kinds = ", ".join(literal(kind) for kind in SYMPTOMS)
    start_us, end_us = bulk.instants
    return {
        1: bulk.no_user,
        2: f"({symptom} IS NULL OR ({symptom} NOT IN ({kinds}) AND trim({symptom}) NOT IN ({kinds})))",
        3: f"({start_us} IS NULL OR {start_us} NOT BETWEEN 0 AND {_LAST_US})",
        4: f"CASE WHEN {end_us} IS NULL THEN {bulk.end_is_written} ELSE {end_us} NOT BETWEEN 0 AND {_LAST_US} END",
        5: f"{end_us} <= {start_us}",
        6: bulk.decimal_user,
        **({} if bulk.now_us is None else {7: f"coalesce({end_us}, {start_us}) > {bulk.now_us}"}),
    }


def present_us(now: datetime) -> int:
    """The last instant at which something observed may have ended: monitors' clocks may be a little ahead of ours."""
    return (epoch_up(now) + CLOCKS_APART) * 1_000_000


def wrong_rule(bulk: Bulk, broken: Collection[int] | None = None) -> str:
    """SQL: the number of the first rule that a row breaks, or NULL; `broken`: those that any row breaks, if known."""
    cases = [
        f"WHEN {breaks} THEN {number}" for number, breaks in rules(bulk).items() if broken is None or number in broken
    ]
    return f"CASE {' '.join(cases)} END" if cases else "NULL"


def findings_of_rules(source: str, counts: Mapping[int, int]) -> tuple[Finding, ...]:
    """Findings for rows refused whose lines nobody knows: how many broke each rule."""
    findings = []
    for wrong, count in sorted(counts.items()):
        broken = broken_rule(source, (0, "", "…", "…", "…"), wrong)
        findings.append(replace(broken, line=None, value=f"{broken.value}, {count:,} rows"))
    return tuple(findings)


def broken_rule(source: str, row: RawRow, wrong: int) -> Finding:
    """The finding for a row that breaks the rule of this number."""
    line, user, symptom, start, end = row
    value, rule, remedy = {
        1: ("no user_id", "every observation names its user", "fill it in"),
        2: (f"symptom {symptom!r}", f"a symptom is {', '.join(SYMPTOMS)}", "correct it"),
        3: (f"started_at {start!r}", time_flaw(start or ""), TIME_REMEDY),
        4: (f"ended_at {end!r}", time_flaw(end or ""), f"{TIME_REMEDY}, or leave it empty while still open"),
        5: (f"{start} to {end}", "an observation ends after it starts", "correct one of the times"),
        7: (f"{start} to {end}", NOT_OVER, "import it when it is over, or leave the end empty"),
        6: (f"user_id {user!r}", "an id is no decimal number", "write ids as whole numbers or texts"),
    }[wrong]
    return Finding(source, line, value, rule, remedy)
