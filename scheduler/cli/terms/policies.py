"""`keizoku terms lint`, `policies`, `policy`: SLAs stated as TOML, ours and the public ones beside it.

Reads TOML only; the words of a dimension are made here, the findings in terms/sla_lint.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from keizoku.scheduler.cli.shared.inputs import AsJson
from keizoku.scheduler.cli.shared.language import both
from keizoku.scheduler.cli.shared.output import emit, fail, report_findings, table
from keizoku.terms.files import BadTermsError
from keizoku.terms.money import fraction_text
from keizoku.terms.stated.sla_lint import lint
from keizoku.terms.stated.sla_policy import (
    Announced,
    ByCause,
    CreditRule,
    Days,
    Exclusion,
    MultipleOfProRata,
    Recurring,
    SlaPolicy,
    Step,
    UnknownPolicyError,
    public_policies,
    public_policy,
    read_policy,
)

__all__ = ["lint_policy", "list_policies", "show_policy"]


def lint_policy(
    file: Annotated[Path, typer.Argument(help=both("The TOML of one SLA.", "一つのSLAのTOML。"))],
    as_json: AsJson = False,
) -> None:
    """Gaps, overlaps and dead ends in an SLA stated as TOML. Exit code 1 if there are any."""
    try:
        policy = read_policy(file)
    except BadTermsError as error:
        fail(str(error))
    findings = lint(policy, str(file))
    if not findings and not as_json:
        emit(f"{file}: nothing found")
    raise typer.Exit(report_findings(findings, as_json))


def list_policies(as_json: AsJson = False) -> None:
    """The SLAs that come with Keizoku as examples, with their main numbers."""
    try:
        policies = public_policies()
    except BadTermsError as error:
        fail(str(error))

    def human(console: Console) -> None:
        columns = ["name", "measured", "promise (u)", "owed", "claim", "last checked"]
        rows = [
            [
                policy.name,
                f"{policy.period.kind.replace('_', ' ')}, {policy.period.zone}",
                policy.metric.promised.text(),
                "\n".join(f"{tier.text()}: {credit_text(tier.credit)}" for tier in policy.tiers),
                claim_text(policy),
                str(policy.source.last_checked_on),
            ]
            for policy in policies
        ]
        console.print(table(columns, rows, title="Examples: the providers' own pages are authoritative"))

    emit([policy.model_dump(mode="json") for policy in policies], as_json, human)


def show_policy(
    name: Annotated[
        str,
        typer.Argument(
            help=both("Its name, as `keizoku terms policies` lists it.", "`keizoku terms policies` にある名前。")
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """One of the examples, dimension by dimension."""
    try:
        policy = public_policy(name)
    except (BadTermsError, UnknownPolicyError) as error:
        fail(str(error))

    def human(console: Console) -> None:
        console.print(f"[bold]{escape(policy.name)}[/bold]  {escape(policy.title)}")
        console.print(table(("", ""), dimensions(policy), header=False))

    emit(policy.model_dump(mode="json"), as_json, human)


def dimensions(policy: SlaPolicy) -> list[tuple[str, str]]:
    """Each dimension of a policy in words."""
    predicate, duration, metric = policy.predicate, policy.duration, policy.metric
    share = fraction_text(predicate.threshold * 100)
    whole = "the period as it is" if policy.denominator.hours is None else f"{policy.denominator.hours} hours"
    at_least = f"at least {duration.minimum_seconds} s, judged on the {duration.judged.replace('_', ' ')}"
    steps = f"; in whole steps of {duration.step_seconds} s" if duration.step_seconds > 1 else ""
    per = {"seconds": "seconds in the period", "percent": "percent", "per_incident": "seconds of each incident"}
    since = " since the provider knew of it" if metric.clock == "known" else ""
    return [
        ("subject", ", ".join([policy.subject.of, policy.subject.signal, *policy.subject.slices])),
        ("predicate", f"{predicate.comparator} {share} % of {predicate.population}"),
        ("weight", policy.weight.replace("_", " ")),
        ("duration", at_least + steps),
        *(("exclusion", exclusion_text(exclusion)) for exclusion in policy.exclusions),
        ("unknown", f"time without evidence is {policy.unknown}"),
        ("period", f"{policy.period.kind.replace('_', ' ')}, {policy.period.zone}"),
        ("denominator", whole),
        ("metric", f"{per[metric.kind]}{since}; promised {metric.promised.text()}"),
        *(("tier", f"{tier.text()}: {credit_text(tier.credit)}") for tier in policy.tiers),
        ("cap", cap_text(policy)),
        ("claim", claim_text(policy)),
        ("eligibility", ", ".join([*policy.eligibility.methods, *policy.eligibility.plans]) or "everybody"),
        ("settlement", f"{policy.settlement.kind.replace('_', ' ')}; {policy.settlement.fee}"),
        ("source", " ".join(filter(None, (policy.source.name, policy.source.address)))),
        ("last checked", str(policy.source.last_checked_on)),
        *(("note", note) for note in policy.source.notes),
    ]


def credit_text(credit: CreditRule) -> str:
    """What a tier owes."""
    if isinstance(credit, Step):
        return f"{fraction_text(credit.rate * 100)} %"
    if isinstance(credit, Days):
        return f"{credit.days} days"
    if isinstance(credit, MultipleOfProRata):
        return f"{fraction_text(credit.times)} × pro rata"
    return f"{fraction_text(credit.rate * 100)} % per {credit.count} {fraction_text(credit.unit)}"


def exclusion_text(exclusion: Exclusion) -> str:
    """What an exclusion takes."""
    if isinstance(exclusion, Recurring):
        days = "" if len(exclusion.weekdays) == 7 else f", weekdays {', '.join(map(str, exclusion.weekdays))}"
        window = f"{_clock(exclusion.from_second)}–{_clock(exclusion.to_second)} {exclusion.zone}"
        return f"{exclusion.name}: {window}{days}"
    if isinstance(exclusion, ByCause):
        return f"{exclusion.name}: outages caused by {', '.join(exclusion.causes)}"
    if isinstance(exclusion, Announced):
        clear = exclusion.clear_days is not None
        notice = f"{exclusion.clear_days} clear days" if clear else f"{exclusion.notice_seconds} s"
        of = f", only {', '.join(exclusion.causes)}" if exclusion.causes else ""
        budget = "" if exclusion.yearly_seconds is None else f", up to {exclusion.yearly_seconds} s a year"
        return f"{exclusion.name}: announced {notice} ahead{of}{budget}"
    return f"{exclusion.name}: interrupted under the contract, with ground and approver"


def cap_text(policy: SlaPolicy) -> str:
    """The most that a period brings."""
    parts = [
        "" if policy.cap.rate is None else f"{fraction_text(policy.cap.rate * 100)} %",
        "" if policy.cap.days is None else f"{policy.cap.days} days",
        f"{policy.cap.stacking} of several" if policy.metric.kind == "per_incident" else "",
    ]
    return "; ".join(filter(None, parts)) or "none stated"


def claim_text(policy: SlaPolicy) -> str:
    """Until when a credit has to be asked for."""
    rule = policy.claim
    since = "the incident" if rule.since == "incident" else "the period"
    nth = f"{rule.after}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(rule.after, 'th') }"
    return {
        "end_of_month": f"by the end of the {nth} month after {since}",
        "day_of_month": f"by day {rule.day} of the {nth} month after {since}",
        "days": f"within {rule.after} days after {since}",
        "end_of_cycle": f"by the end of the {nth} billing cycle after {since}",
        "automatic": "none needed",
        "unstated": "no time stated",
    }[rule.kind]


def _clock(second: int) -> str:
    return f"{second // 3600:02}:{second % 3600 // 60:02}"
