"""`keizoku sla measure --policy`: which stated SLA is meant, and what it comes to, on a terminal."""

from __future__ import annotations

from fractions import Fraction

from rich.console import Console
from rich.markup import escape

from keizoku.scheduler.cli.shared.output import fail, table
from keizoku.sla.policies.engine import Credit, PolicyOutcome
from keizoku.terms.files import BadTermsError
from keizoku.terms.money import fraction_text
from keizoku.terms.rendering import Lang
from keizoku.terms.stated.sla_policy import SlaPolicy, UnknownPolicyError, stated_policy
from keizoku.terms.words import duration, instant

_UNITS = {"seconds": "s in the period", "percent": "% available", "per_incident": "s, the longest incident"}


def asked_policy(file_or_name: str) -> SlaPolicy:
    """The SLA in a TOML file, or the example of this name; ends the command for anything else."""
    try:
        return stated_policy(file_or_name)
    except (BadTermsError, UnknownPolicyError) as error:
        fail(f"--policy: {error}")


def print_outcome(console: Console, policy: SlaPolicy, outcome: PolicyOutcome, lang: Lang) -> None:
    """What the SLA counts and pays, and until when it has to be asked for."""
    ja = lang == "ja"
    buckets = [(bucket, seconds, duration(seconds, ja)) for bucket, seconds in outcome.waterfall().items()]
    total = sum(seconds for _, seconds, _ in buckets)
    console.print()
    console.print(f"[bold]{escape(policy.name)}[/] {escape(policy.title)}", soft_wrap=True)
    console.print(table(("bucket", "seconds", ""), [*buckets, ("all outages", total, duration(total, ja))]))
    console.print()
    period = f"{instant(outcome.period.start_at, ja)} – {instant(outcome.period.end_at, ja)}"
    figure = f"{_short(outcome.figure)} {_UNITS[policy.metric.kind]}"
    tier = "none" if outcome.tier is None else f"{outcome.tier}: {policy.tiers[outcome.tier - 1].text()}"
    before = "none" if outcome.claim_before_at is None else instant(outcome.claim_before_at, ja)
    rows = [
        ("period", period),
        ("figure", figure),
        ("promise", f"{policy.metric.promised.text()}: {'kept' if outcome.kept else 'broken'}"),
        ("tier", tier),
        ("credit", credit_text(outcome.credit)),
        ("claim before", before),
    ]
    console.print(table(("", ""), rows, header=False))


def credit_text(credit: Credit) -> str:
    """A share of the fee, days, or nothing."""
    if credit.rate:
        return f"{_short(credit.rate * 100)} % of the fee"
    return f"{credit.days} days" if credit.days else "none"


def _short(number: Fraction) -> str:
    """As it is where that is short, else to six places; --json has it exactly."""
    exact = fraction_text(number)
    return exact if "/" not in exact and len(exact) <= 12 else f"{float(number):.6f}"
