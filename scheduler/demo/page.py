"""The demo on one page: HTML that opens without a network, runs no script, and prints on A4."""

from datetime import datetime
from pathlib import Path

from markupsafe import Markup

from keizoku.scheduler.app import Services
from keizoku.scheduler.demo.summary import Figure, Summary
from keizoku.scheduler.reports.templates import templates_in
from keizoku.sla.claims.claim_views import claim_explanation, decided_buckets
from keizoku.sla.claims.explanation import claim_sentences
from keizoku.sla.pictures.timeline import CLAUSES, month_svg
from keizoku.sla.review_queue import policy_of
from keizoku.terms import words
from keizoku.terms.calendar import iso_jst
from keizoku.terms.policy import Policy


def demo_page(services: Services, summary: Summary, at: datetime, command: str) -> str:
    """The whole page; `command` explains the claim that the page shows."""
    policy = policy_of(services.rules, summary.month)
    templates = templates_in(Path(__file__).parent)
    templates.filters["amount"] = amount
    return templates.get_template("page.html.j2").render(
        summary=summary,
        month_ja=words.month(summary.month, ja=True),
        month_en=words.month(summary.month, ja=False),
        # our own drawing, its text escaped where it is made
        picture=Markup(month_svg(summary.service, policy, "en")),  # noqa: S704
        clauses=CLAUSES,
        claim=_claim(services, summary, at, policy) if summary.explained else None,
        command=command,
    )


def amount(figure: Figure) -> str:
    """A figure with its unit, as both languages read it."""
    if figure.unit == "yen":
        return f"¥{figure.value:,}"
    if figure.unit == "seconds":
        return words.duration(figure.value, ja=False)
    return f"{figure.value:,}"


def _claim(services: Services, summary: Summary, at: datetime, policy: Policy) -> dict[str, object]:
    found = claim_explanation(services.session, summary.explained, at)
    decision = found.decisions[-1].decision
    sentences = zip(claim_sentences(found, "ja"), claim_sentences(found, "en"), strict=True)
    return {
        "id": found.claim.id,
        "account": found.claim.account,
        "received_at": iso_jst(found.claim.received_at),
        "credit_yen": found.status.credit_yen,
        "picture": Markup(  # noqa: S704
            month_svg(summary.service, policy, "en", decided_buckets(decision), ids="kz-claim")
        ),
        "sentences": [(clause, ja, en) for (clause, ja), (_, en) in sentences],
    }
