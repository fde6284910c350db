"""What `keizoku sla measure` does: files of evidence read, the month worked out from them, printed or drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
from rich.console import Console
from rich.markup import escape

from keizoku.scheduler.cli.shared.output import emit, fail, note, report_findings, table
from keizoku.scheduler.cli.sla.counts import count_series
from keizoku.scheduler.cli.sla.stated import print_outcome
from keizoku.scheduler.files import write_whole
from keizoku.sla.counting.claimants import claimant_rows, recognised_counts, take_claimants
from keizoku.sla.counting.outage_threshold import (
    Population,
    UsersUnable,
    counted_windows,
    observed_windows,
    outage_rule_of,
    outages_from,
    users_unable,
)
from keizoku.sla.counting.stated_outages import policy_facts, stated_outages
from keizoku.sla.evidence.claim_files import read_claims
from keizoku.sla.evidence.count_files import CountSeries, CountsRead, read_counts, unknown_time
from keizoku.sla.evidence.incident_files import only_past, read_incidents
from keizoku.sla.evidence.maintenance_notices import Stated, read_notices
from keizoku.sla.evidence.observations import open_observations, read_observations
from keizoku.sla.evidence.sql_query import Relations
from keizoku.sla.pictures.timeline import LOOKS, month_svg
from keizoku.sla.policies.engine import evaluate
from keizoku.sla.policies.seconds import StatedOutage
from keizoku.sla.review_queue import policy_of
from keizoku.sla.rules.claim_steps import waterfall_steps
from keizoku.sla.rules.intervals import NOTHING, Spans, as_iso, length, normalise, subtract, union
from keizoku.sla.rules.unusable_time import (
    SERVICE_BUCKETS,
    Claimant,
    MonthFacts,
    ServiceMonth,
    claimant_month,
    service_month,
)
from keizoku.terms.calendar import Month, epoch, parse_instant
from keizoku.terms.decision import Finding
from keizoku.terms.policy import Policy, Terms, UncoveredDateError
from keizoku.terms.rendering import Lang, sentence
from keizoku.terms.rules import Rules
from keizoku.terms.stated.sla_policy import SlaPolicy
from keizoku.terms.words import duration, percent, windows

if TYPE_CHECKING:
    from keizoku.sla.counting.spark_engine import SparkEngine
    from keizoku.sla.evidence.outage_formats.formats import AskedOutages

OPEN_UNTIL = timedelta(days=1)
"""How far past the month an observation without an end is taken to last, unless --as-of says otherwise."""


@dataclass(frozen=True)
class Evidence:
    """What the command was given, before anything was read."""

    observations: tuple[Path, ...]
    columns: Mapping[str, str]
    symptom: str | None
    incidents: tuple[Path, ...]
    counts: tuple[Path, ...]
    series: CountSeries
    notices: tuple[Path, ...]
    claims: tuple[Path, ...] = ()
    outages: AskedOutages | None = None  # the incidents are a monitor's, in its own form
    published_at: datetime | None = None  # of the notices that do not say it themselves
    engine: str = "duckdb"


@dataclass(frozen=True, slots=True)
class Measuring:
    """What a month is measured by. `stated`: an SLA to compare with; `as_of`: until when what has no end lasts."""

    month: Month
    policy: Policy
    population: int
    resolution: int
    as_of: str
    stated: SlaPolicy | None = None


def measure_month(evidence: Evidence, measuring: Measuring, *, picture: Path | None, lang: Lang, as_json: bool) -> int:
    """Read, work out, draw and print; the exit code, 1 if there were findings."""
    month, policy, stated = measuring.month, measuring.policy, measuring.stated
    read = read_evidence(evidence, month, policy, measuring.population, _horizon(measuring.as_of, month), stated)
    result = service_month(read.facts, policy, measuring.resolution)
    findings = list(read.findings)
    tiers = outcome = None
    if evidence.claims:
        tiers, of_claims = claims_by_tier(evidence, result, policy)
        findings += of_claims
    if stated is not None:
        users = Population.always(measuring.population).steps
        outcome = evaluate(stated, policy_facts(stated, read.facts, read.outages, users, measuring.resolution))
    if picture is not None:
        _draw(picture, month_svg(result, policy, lang))
    code = report_findings(findings)
    shown = as_dict(result, policy)
    if tiers is not None:
        shown["claims"] = [tier.to_json() for tier in tiers]
    if outcome is not None:
        shown["policy"] = outcome.to_json()

    def human(console: Console) -> None:
        _print(console, result, policy, lang, tiers)
        if stated is not None and outcome is not None:
            print_outcome(console, stated, outcome, lang)

    emit(shown, as_json, human)
    return code


@dataclass(frozen=True, slots=True)
class EvidenceRead:
    """What the files hold: facts of the month, what was wrong, and, for a stated SLA, every outage with its size."""

    facts: MonthFacts
    findings: tuple[Finding, ...]
    outages: tuple[StatedOutage, ...] = ()


def read_evidence(
    evidence: Evidence, month: Month, policy: Policy, population: int, horizon: int, stated: SlaPolicy | None = None
) -> EvidenceRead:
    """Read all files. `stated`: an SLA beside the contract, which needs to know how many users were unable."""
    everyone = Population.always(population)
    known_at, asked = datetime.now(UTC), evidence.outages
    incidents = [
        only_past(read_incidents(path), str(path), epoch(known_at)) if asked is None else asked.read(path, known_at)
        for path in evidence.incidents
    ]
    counts = [read_counts(path, evidence.series, outage_rule_of(policy), known_at) for path in evidence.counts]
    notices = read_notices(evidence.notices, policy, Stated(evidence.published_at, now=known_at))
    unable: list[UsersUnable] = []
    if evidence.engine == "spark":
        with spark_engine() as spark:
            reads = [spark.read_observations(evidence.observations, evidence.columns, evidence.symptom, known_at)]
            seen = observed_windows(spark, everyone, policy, horizon)
            if stated is not None:
                unable = _users_unable(spark, everyone, stated, horizon)
    else:
        with open_observations(known_at) as observed:
            reads = [read_observations(observed, evidence.observations, evidence.columns, evidence.symptom)]
            observed.settle()
            seen = observed_windows(observed.table, everyone, policy, horizon)
            if stated is not None:
                unable = _users_unable(observed.table, everyone, stated, horizon)
    counted = counted_windows((row for read in counts for row in read.rows), policy)
    outages = outages_from(seen, (row for read in incidents for row in read.rows), everyone, policy, counted)
    facts = MonthFacts(month, outages, notices.rows, unknown=_unknown(counts, evidence.series))
    findings = tuple(
        finding for of_kind in (reads, incidents, counts, [notices]) for each in of_kind for finding in each.findings
    )
    if stated is None:
        return EvidenceRead(facts, findings)
    count_rows = [row for read in counts for row in read.rows]
    incident_rows = [row for read in incidents for row in read.rows]
    return EvidenceRead(facts, findings, stated_outages(unable, count_rows, incident_rows))


def _users_unable(observations: Relations, everyone: Population, stated: SlaPolicy, horizon: int) -> list[UsersUnable]:
    """How many users were unable; how many exactly is needed only where an SLA weighs by it."""
    return users_unable(observations, everyone, stated.predicate.needed, horizon, each_level=stated.weight != "binary")


@dataclass(frozen=True, slots=True)
class TierReached:
    """How many accounts that claim would reach a rate."""

    rate: Fraction
    accounts: int

    def to_json(self) -> dict[str, object]:
        """As it is printed in JSON."""
        return {"rate": percent(self.rate, ja=False), "accounts": self.accounts}


def claims_by_tier(evidence: Evidence, result: ServiceMonth, policy: Policy) -> tuple[list[TierReached], list[Finding]]:
    """How many accounts that claim the month would reach each tier, the windows of several claims united."""
    reads = [read_claims(path, Rules(Terms.load()), datetime.max.replace(tzinfo=UTC)) for path in evidence.claims]
    month, whole = str(result.month), (epoch(result.month.start_at), epoch(result.month.end_at))
    claimed: dict[str, list[Spans]] = {}
    for claim in (row for read in reads for row in read.rows if row.month == result.month):
        claimed.setdefault(claim.account, []).append((whole,) if claim.windows is None else claim.windows)
    rows = [
        row
        for account, windows in claimed.items()
        for row in claimant_rows(
            account, month, Claimant((whole,), NOTHING, (whole,), union(*windows), NOTHING, None), whole
        )
    ]
    unusable = [(month, *span) for span in result.unusable]
    if evidence.engine == "spark":
        with spark_engine() as spark:
            spark.take_claimants(unusable, rows)
            counts = recognised_counts(spark)
    else:
        with duckdb.connect() as table:
            take_claimants(table, unusable, rows)
            counts = recognised_counts(table)
    reached: dict[Fraction, int] = dict.fromkeys([Fraction(0), *sorted(tier.rate for tier in policy.sla.tiers)], 0)
    for _, seconds, claimants in counts:
        tier = policy.sla.tier(seconds)
        reached[tier.rate if tier is not None else Fraction(0)] += claimants
    tiers = [TierReached(rate, accounts) for rate, accounts in reached.items()]
    return tiers, [finding for read in reads for finding in read.findings]


@contextmanager
def spark_engine() -> Iterator[SparkEngine]:
    """Spark at the master of the settings; ends the command in one line where it cannot be had or gives up."""
    from keizoku.scheduler.settings import SettingsError, load_settings
    from keizoku.sla.counting.spark_engine import SparkUnavailableError, open_spark

    try:
        master = load_settings().spark_master
    except SettingsError as error:
        fail(str(error))
    try:
        with open_spark(master) as spark:
            yield spark
    except SparkUnavailableError as error:
        fail(str(error))


def as_dict(result: ServiceMonth, policy: Policy) -> dict[str, object]:
    """A measured month as it is printed in JSON."""
    return {
        "month": str(result.month),
        "terms": policy.version,
        "stop_windows": as_iso(result.gross),
        "stop_seconds": length(result.gross),
        "unusable_windows": as_iso(result.unusable),
        "unusable_seconds": length(result.unusable),
        "waterfall": result.waterfall(),
        "unknown_windows": as_iso(result.unknown),
        "unknown_seconds": length(result.unknown),
    }


def _print(
    console: Console, result: ServiceMonth, policy: Policy, lang: Lang, tiers: Sequence[TierReached] | None
) -> None:
    ja = lang == "ja"
    console.print(
        table(
            ("時間帯", "秒", "区分", "条項", "理由", "原因", "証拠")
            if ja
            else ("from – to", "seconds", "bucket", "clause", "why", "cause", "evidence"),
            (
                (
                    windows(as_iso(((part.start, part.end),)), ja),
                    part.end - part.start,
                    LOOKS[part.bucket].ja if ja else part.bucket,
                    part.clause,
                    "" if ja else part.reason,
                    part.cause,
                    list(part.sources),
                )
                for part in result.parts
            ),
            title=f"[bold]{result.month}[/] ({'規約' if ja else 'terms'} {policy.version})",
        )
    )
    console.print()
    console.print(
        table(
            ("区分", "条項", "秒", "") if ja else ("bucket", "clause", "seconds", ""),
            (
                *(
                    (LOOKS[bucket].ja if ja else bucket, SERVICE_BUCKETS[bucket][0], seconds, duration(seconds, ja))
                    for bucket, seconds in result.waterfall().items()
                ),
                (
                    "停止時間の合計" if ja else "all outages",
                    "",
                    length(result.gross),
                    duration(length(result.gross), ja),
                ),
            ),
        )
    )
    console.print()
    for text in _sentences(result, policy, lang):
        console.print(escape(text), soft_wrap=True)
    if tiers is not None:
        console.print()
        rows = ((percent(tier.rate, ja=ja), tier.accounts) for tier in tiers)
        heads = ("減額", "申請したアカウント") if ja else ("credit", "accounts that claim")
        console.print(table(heads, rows))


def _sentences(result: ServiceMonth, policy: Policy, lang: Lang) -> Iterator[str]:
    """What the outages are, what each clause takes out of them, and the tier that the rest reaches."""
    ja = lang == "ja"
    always = result.gross
    nobody_in_particular = Claimant(always, NOTHING, always, None, NOTHING, None)
    buckets = claimant_month(result, nobody_in_particular)
    *steps, _ = waterfall_steps(result.month, result.gross, buckets, policy)
    for step in steps:
        yield sentence(step.key, lang, step.facts)
    if result.unknown:
        when = ", ".join(windows(as_iso(result.unknown), ja).splitlines())
        long = duration(length(result.unknown), ja)
        unknown_ja = f"{long}は測定値がなく、停止とも稼働とも数えていません(人が決めます): {when}。"
        unknown_en = f"For {long} there is no sample; it counts as neither down nor up until people decide: {when}."
        yield unknown_ja if ja else unknown_en
    seconds = length(result.unusable)
    tier = policy.sla.tier(seconds)
    bound = duration((tier or policy.sla.tiers[0]).over_seconds, ja)
    text = f"使用不能時間は{duration(seconds, ja)}" if ja else f"Unusable time is {duration(seconds, ja)}"
    if tier is None:
        none = f"で、{bound}を超えていません" if ja else f", not more than {bound}: no tier is reached"
        yield text + none + ("(premium/9.2)。" if ja else " (premium/9.2).")
    else:
        rate = percent(tier.rate, ja)
        more = f"で、{bound}を超え、月額利用料金の{rate}" if ja else f", more than {bound}: {rate} of the monthly fee"
        yield text + more + (f"の段階です({tier.clause})。" if ja else f" ({tier.clause}).")


def asked_month(written: str) -> tuple[Month, Policy]:
    """The month and what measures it; ends the command for one that is none, or that no version covers."""
    try:
        month = Month.parse(written)
    except ValueError as error:
        fail(f"--month: {error}")
    try:
        return month, policy_of(Rules(Terms.load()), month)
    except UncoveredDateError as error:
        fail(f"--month {month}: {error}")


def _unknown(reads: Sequence[CountsRead], series: CountSeries) -> Spans:
    """When no file has a sample although one of them should."""
    missing = union(*(unknown_time(read.rows, read.blank, series, read.refused) for read in reads))
    return subtract(missing, normalise((row.start, row.end) for read in reads for row in read.rows))


def asked_series(written: str, step: int, columns: str = "") -> CountSeries:
    """The two series of counts, as --count-series names them; ends the command for what cannot be."""
    affected, comma, total = (part.strip() for part in written.partition(","))
    if not (affected and comma and total):
        fail(f"--count-series {written}: write AFFECTED,TOTAL")
    return count_series(affected, total, step, "", only_stops=False, columns=columns)


def _horizon(written: str, month: Month) -> int:
    if not written:  # a month that is not over has no outage in the future
        return min(epoch(month.end_at + OPEN_UNTIL), epoch(datetime.now(UTC)))
    try:
        return epoch(parse_instant(written))
    except ValueError as error:
        fail(f"--as-of: {error}")


def _draw(path: Path, svg: str) -> None:
    try:
        write_whole(path, svg)
    except OSError as error:
        fail(f"--picture {path}: {error.strerror}")
    note(f"picture: {path}")
