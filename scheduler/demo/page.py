"""The demo on one page: HTML that opens without a network, runs no script, and prints on A4."""

from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from scheduler.app import House
from scheduler.demo.summary import Figure, Summary
from sla.intervals import Spans
from sla.month_store import read_spans
from sla.review import policy_of
from sla.timeline import CLAUSES, month_svg
from sla.told import told
from sla.unusable import CLAIMANT_BUCKETS
from sla.views import claim_story
from terms import words
from terms.calendar import iso_jst
from terms.decision import Decision
from terms.policy import Policy


def demo_page(house: House, summary: Summary, at: datetime, command: str) -> str:
    """The whole page; `command` explains the claim that the page shows."""
    policy = policy_of(house.rules, summary.month)
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"amount": amount, "duration_ja": _duration_ja, "duration_en": _duration_en}
    return templates.get_template("page.html.j2").render(
        summary=summary,
        month_ja=words.month(summary.month, ja=True),
        month_en=words.month(summary.month, ja=False),
        # our own drawing, its text escaped where it is made
        picture=Markup(month_svg(summary.service, policy, "en")),  # noqa: S704
        clauses=CLAUSES,
        claim=_claim(house, summary, at, policy) if summary.explained else None,
        command=command,
    )


def amount(figure: Figure) -> str:
    """A figure with its unit, as both languages read it."""
    if figure.unit == "yen":
        return f"¥{figure.value:,}"
    if figure.unit == "seconds":
        return words.duration(figure.value, ja=False)
    return f"{figure.value:,}"


def _claim(house: House, summary: Summary, at: datetime, policy: Policy) -> dict[str, object]:
    story = claim_story(house.session, house.rules, summary.explained, at)
    decision: Decision = story["decisions"][-1][2]
    picture = month_svg(summary.service, policy, "en", _buckets(decision))
    sentences = zip(told(story, "ja"), told(story, "en"), strict=True)
    return {
        "id": story["claim"]["id"],
        "account": story["claim"]["account"],
        "received_at": iso_jst(story["claim"]["received_at"]),
        "credit_yen": story["state"]["credit"],
        # a pattern's name is of the whole page: the second picture has names of its own
        "picture": Markup(picture.replace("kz-", "kz-claim-")),  # noqa: S704
        "sentences": [(clause, ja, en) for (clause, ja), (_, en) in sentences],
    }


def _buckets(decision: Decision) -> dict[str, Spans]:
    """The claimant's month as it was decided: from the steps of the decision that was stored."""
    found: dict[str, Spans] = dict.fromkeys(CLAIMANT_BUCKETS, ())
    for step in decision.steps:
        if "excluded_windows" in step.facts:
            found[step.key.removeprefix("claim.excluded.")] = read_spans(step.facts["excluded_windows"])
        elif "recognised_windows" in step.facts:
            found["recognised"] = read_spans(step.facts["recognised_windows"])
    return found


def _duration_ja(seconds: int) -> str:
    return words.duration(seconds, ja=True)


def _duration_en(seconds: int) -> str:
    return words.duration(seconds, ja=False)
