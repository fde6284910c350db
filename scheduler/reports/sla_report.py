"""The month's report of the service: HTML that opens offline, CSV, JSON and PDF, all of one `MonthReport`.

    report = month_report(session, rules, month, at, now)
    write_report(report, folder, ("ja",))    sla-2026-04.html  sla-2026-04.csv  sla-2026-04.json  sla-2026-04.pdf

Every window with its bucket, clause, cause and evidence, the sums, what was known when, and whether the month is
final or waits, and for what. Read only; seconds and yen are whole. A cell of the CSV is never a formula.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from markupsafe import Markup

from keizoku.db.session import Session, one_snapshot
from keizoku.db.tables.evidence import month_review, month_to_review
from keizoku.scheduler.files import write_whole
from keizoku.scheduler.reports.claim_states import ClaimResult, ClaimState, claim_states, newest_award_yen
from keizoku.scheduler.reports.sentences import known_readings, readings_told, row_text, state_text, windows_text
from keizoku.scheduler.reports.sla_report_pdf import report_pdf
from keizoku.scheduler.reports.templates import Langs, file_page
from keizoku.sla.claims.award_falls import open_falls
from keizoku.sla.evidence.form_outages import form_outages
from keizoku.sla.months.history import history_of
from keizoku.sla.months.history_rows import HistoryRow
from keizoku.sla.months.month_facts import NoPopulationError, load_month_facts
from keizoku.sla.pictures.on_pages import month_on_page, waterfall_on_page
from keizoku.sla.pictures.timeline import CLAUSES, LOOKS
from keizoku.sla.review_queue import policy_of
from keizoku.sla.rules.claims import claim_deadline
from keizoku.sla.rules.intervals import as_iso, length
from keizoku.sla.rules.unusable_time import MonthFacts, ServiceMonth, if_unknown_was_down, service_month
from keizoku.terms import words
from keizoku.terms.calendar import Month, iso_jst
from keizoku.terms.cells import cell
from keizoku.terms.policy import Policy
from keizoku.terms.readings import Reading
from keizoku.terms.rendering import Lang, sentence
from keizoku.terms.rules import Rules

METHOD = frozenset(
    (
        *("quorum_base", "quorum_of_overlapping_incidents", "unknown_time", "symptoms", "sub_second", "partner_data"),
        *("night_hours", "short_stop", "flapping", "update_window", "announcement_days", "announcement_edits"),
        *("user_environment", "interruption", "month_length"),
    )
)
"""Readings of the contract that the seconds of a month depend on; those on claims and money are not said here."""


@dataclass(frozen=True, slots=True)
class Waits:
    """One thing that keeps a month from being final."""

    key: str
    facts: Mapping[str, Any]

    def text(self, lang: Lang) -> str:
        """In words."""
        return sentence(f"waits.{self.key}", lang, self.facts)


@dataclass(frozen=True, slots=True)
class MonthReport:
    """All that is reported of a month as known at an instant."""

    month: Month
    made_at: datetime
    policy: Policy
    service: ServiceMonth
    waits: tuple[Waits, ...]
    evidence: tuple[HistoryRow, ...]  # claims aside
    claims: Mapping[ClaimResult, int]  # result -> how many
    awarded_yen: int
    accounts: int
    resolution_seconds: int
    known_readings: Mapping[str, Reading]

    @property
    def final(self) -> bool:
        """Whether nothing is waited for."""
        return not self.waits

    def readings(self, lang: Lang) -> list[tuple[str, str, str]]:
        """(question, how it was read, clause) of what the seconds of the month depend on."""
        chosen = {name: choice for name, choice in sorted(self.policy.readings.items()) if name in METHOD}
        return readings_told(self.known_readings, chosen, lang)

    def method(self, lang: Lang) -> list[str]:
        """How the month was counted and how the terms were read for it, in sentences."""
        names = ("question", "answer", "clause")
        readings = (dict(zip(names, each, strict=True)) for each in self.readings(lang))
        return [*self.counted(lang), *(sentence("method.reading", lang, each) for each in readings)]

    def counted(self, lang: Lang) -> list[str]:
        """How the month was counted: the numbers are those of the terms it was counted by."""
        sla, ja = self.policy.sla, lang == "ja"
        names = [LOOKS[bucket].ja if ja else LOOKS[bucket].en for bucket in self.service.buckets]
        gap = "method.gap" if self.resolution_seconds else "method.apart"
        return [
            sentence("method.stop", lang, {"quorum_share": sla.quorum_share}),
            sentence("method.seconds", lang, {}),
            sentence("method.short", lang, {"minimum_seconds": sla.minimum_outage_seconds}),
            sentence(gap, lang, {"resolution_seconds": self.resolution_seconds}),
            sentence("method.order", lang, {"buckets": ("、" if ja else ", ").join(names)}),
            sentence("method.unknown", lang, {}),
            *(
                sentence("method.tiers", lang, {"over_seconds": tier.over_seconds, "tier_rate": tier.rate})
                for tier in sla.tiers
            ),
        ]

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "month": str(self.month),
            "made_at": iso_jst(self.made_at),
            "terms": self.policy.version,
            "readings": dict(self.policy.readings),
            "method": [{"ja": ja, "en": en} for ja, en in zip(self.method("ja"), self.method("en"), strict=True)],
            "final": self.final,
            "waits_for": [{"what": each.key, **each.facts, "en": each.text("en")} for each in self.waits],
            "gross_seconds": length(self.service.gross),
            "unusable_seconds": length(self.service.unusable),
            "unknown_seconds": length(self.service.unknown),
            "unknown_windows": as_iso(self.service.unknown),
            "buckets": {
                bucket: {"clause": CLAUSES[bucket], "seconds": seconds}
                for bucket, seconds in self.service.waterfall().items()
            },
            "windows": [
                {
                    "from": start,
                    "to": end,
                    "seconds": part.end - part.start,
                    "bucket": part.bucket,
                    "clause": part.clause,
                    "cause": part.cause,
                    "evidence": list(part.sources),
                }
                for part in self.service.parts
                for start, end in as_iso(((part.start, part.end),))
            ],
            "evidence": [part.to_json() for part in self.evidence],
            "claims": [
                {"outcome": outcome, "reason": reason, "rate": rate, "claims": count}
                for (outcome, reason, rate), count in self.claims.items()
            ],
            "awarded_yen": self.awarded_yen,
            "accounts_awarded": self.accounts,
        }


def month_report(session: Session, rules: Rules, month: Month, at: datetime, now: datetime) -> MonthReport:
    """The month as known at `at`; what it waits for as of `now`. Raises UncoveredDateError."""
    policy = policy_of(rules, month)
    with one_snapshot(session):
        lacking = []
        try:
            facts = load_month_facts(session, policy, month, at)
        except NoPopulationError:
            facts = MonthFacts(month, ())
            lacking.append(Waits("users", {}))
        service = service_month(facts, policy, rules.discretion.resolution_seconds)
        undecided = _undecided(facts, service, policy, rules)
        waits = [*_waits(session, policy, month, at, now, undecided), *lacking]
        results: dict[ClaimResult, int] = {}
        for _, state in claim_states(session, month, at).values():
            results[state.result] = results.get(state.result, 0) + 1
        yen = newest_award_yen(session, month, at, policy.readings["credit_rounding"])
        evidence = tuple(each for each in history_of(session, rules, month, at) if each.kind != "claim")
    return MonthReport(
        month=month,
        made_at=now,
        policy=policy,
        service=service,
        waits=tuple(waits),
        evidence=evidence,
        claims=dict(sorted(results.items(), key=lambda each: tuple(str(word) for word in each[0]))),
        awarded_yen=sum(yen.values()),
        accounts=len(yen),
        resolution_seconds=rules.discretion.resolution_seconds,
        known_readings=known_readings(rules),
    )


def write_report(report: MonthReport, folder: Path, langs: Langs) -> list[Path]:
    """Write the four files into a folder, which is made; their paths. OSError where that cannot be."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "html": report_page(report, langs).encode(),
        "csv": report_csv(report, _lang(langs[-1])).encode("utf-8-sig"),  # Excel needs the mark to read Japanese
        "json": (json.dumps(report.to_json(), ensure_ascii=False, indent=2) + "\n").encode(),
        "pdf": report_pdf(report, [_lang(each) for each in langs]),
    }
    paths = []
    for ending, content in contents.items():
        path = folder / f"sla-{report.month}.{ending}"
        write_whole(path, content)
        paths.append(path)
    return paths


def report_csv(report: MonthReport, lang: Lang) -> str:
    """Windows, then the sum of each bucket, then what is waited for; `kind` says which a row is."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("kind", "month", "from", "to", "seconds", "bucket", "clause", "cause", "evidence", "remark"))
    rows: list[tuple[object, ...]] = []
    for part in report.service.parts:
        ((start, end),) = as_iso(((part.start, part.end),))
        seconds, name = part.end - part.start, LOOKS[part.bucket]
        remark = name.ja if lang == "ja" else name.en
        evidence = "; ".join(part.sources)
        rows.append(("window", start, end, seconds, part.bucket, part.clause, part.cause, evidence, remark))
    for bucket, seconds in report.service.waterfall().items():
        name = LOOKS[bucket]
        remark = name.ja if lang == "ja" else name.en
        rows.append(("bucket", "", "", seconds, bucket, f"premium/{CLAUSES[bucket]}", "", "", remark))
    for span in report.service.unknown:
        ((start, end),) = as_iso((span,))
        rows.append(("unknown", start, end, span[1] - span[0], "", "premium/9.3", "", "", ""))
    rows.append(("gross", "", "", length(report.service.gross), "", "premium/9.3", "", "", ""))
    rows += [("waits", "", "", "", "", "", "", "", each.text(lang)) for each in report.waits]
    if report.final:
        rows.append(("final", *[""] * 8))
    writer.writerows([cell(value) for value in (row[0], str(report.month), *row[1:])] for row in rows)
    return out.getvalue()


def report_page(report: MonthReport, langs: Langs) -> str:
    """The page, whole in each language; it runs no script and asks for nothing else."""
    return file_page("report.html.j2", langs, lambda lang, ids: _page_facts(report, lang, ids), str(report.month))


def _page_facts(report: MonthReport, lang: Lang, ids: str) -> dict[str, Any]:
    ja = lang == "ja"
    service, policy = report.service, report.policy
    unusable_seconds = length(service.unusable)
    tier = policy.sla.tier(unusable_seconds)
    return {
        "report": report,
        "month": words.month(report.month, ja),
        "made_at": words.instant(report.made_at, ja),
        "waits": [each.text(lang) for each in report.waits],
        "unknown": [(words.windows(as_iso((each,)), ja), each[1] - each[0]) for each in service.unknown],
        "gross": length(service.gross),
        "unusable": unusable_seconds,
        "rate": words.percent(tier.rate, ja) if tier else "0%",
        "pictures": [Markup(each) for each in (  # noqa: S704 - our own drawings, escaped where they are made
            waterfall_on_page(service.buckets, policy, lang, f"kw{ids}"),
            month_on_page(service, policy, lang, ids=f"kz{ids}"))],
        "buckets": list(service.waterfall().items()),
        "windows": [
            (words.windows(as_iso(((part.start, part.end),)), ja), part.end - part.start, part,
             sentence(f"cause.{part.cause}", lang, {}))
            for part in service.parts
        ],
        "evidence": [
            (words.instant(each.recorded_at, ja), each, row_text(each, lang), windows_text(each, lang))
            for each in report.evidence
        ],
        "claims": [(_result_text(result, lang), count) for result, count in report.claims.items()],
        "awarded": words.yen(report.awarded_yen, ja),
        "method": report.counted(lang),
        "readings": report.readings(lang),
    }  # fmt: skip


def _result_text(result: ClaimResult, lang: Lang) -> str:
    return state_text(ClaimState(result.outcome, result.reason, None, result.rate), lang)


def _undecided(facts: MonthFacts, service: ServiceMonth, policy: Policy, rules: Rules) -> int:
    """Seconds that people have to decide on: those of the month, or beside it where a whole outage depends on them."""
    if service.unknown or not facts.unknown:
        return length(service.unknown)
    if_down = service_month(if_unknown_was_down(facts), policy, rules.discretion.resolution_seconds)
    return length(facts.unknown) if if_down.unusable != service.unusable else 0


def _waits(
    session: Session, policy: Policy, month: Month, at: datetime, now: datetime, undecided: int
) -> Iterable[Waits]:
    """What a month is not final for: time, the next night, people."""
    if now < month.end_at:
        yield Waits("month", {})
    seen = sa.select(sa.func.coalesce(sa.func.max(month_review.c.up_to_id), 0)).where(
        month_review.c.month == str(month)
    )
    unseen = session.execute(
        sa.select(sa.func.count()).where(
            month_to_review.c.month == str(month), month_to_review.c.id > seen.scalar_subquery()
        )
    ).scalar_one()
    if unseen:
        yield Waits("night", {"reviews": unseen})
    pending = sum(state.outcome == "pending" for _, state in claim_states(session, month, at).values())
    if undecided:
        yield Waits("unknown", {"unknown_seconds": undecided})
    if pending:
        yield Waits("held" if undecided and not unseen else "claims", {"claims": pending})
    deadline_at = claim_deadline(month, form_outages(session, month, policy), policy)
    if now < deadline_at:
        yield Waits("deadline", {"deadline_at": iso_jst(deadline_at)})
    tasks = open_falls(session, month)
    if tasks:
        yield Waits("finance", {"tasks": tasks})


def _lang(lang: str) -> Lang:
    return "ja" if lang == "ja" else "en"
