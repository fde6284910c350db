"""The demo on one page: HTML that opens without a network, runs no script, and prints on A4; Japanese and English."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup

from keizoku.scheduler.app import Services
from keizoku.scheduler.demo.summary import Figure, Summary
from keizoku.scheduler.reports.templates import file_page
from keizoku.sla.claims.claim_views import claim_explanation, decided_buckets
from keizoku.sla.claims.explanation import claim_sentences
from keizoku.sla.pictures.on_pages import month_on_page
from keizoku.sla.review_queue import policy_of
from keizoku.terms import words
from keizoku.terms.policy import Policy
from keizoku.terms.rendering import Lang

Bar = tuple[str, str, int, str]
"""A name, its number as text, thousandths of the greatest, how it is drawn."""


def demo_page(services: Services, summary: Summary, at: datetime, command: str) -> str:
    """The whole page; `command` explains the claim that the page shows, in English."""
    policy = policy_of(services.rules, summary.month)
    title = f"Keizoku 継続 – {words.month(summary.month, ja=True)} {words.month(summary.month, ja=False)}"

    def facts(lang: Lang, ids: str) -> dict[str, Any]:
        ja = lang == "ja"
        return {
            "summary": summary,
            "month": words.month(summary.month, ja),
            "as_of": words.day(summary.as_of, ja),
            # our own drawing, its text escaped where it is made
            "picture": Markup(month_on_page(summary.service, policy, lang, ids=f"kz{ids}")),  # noqa: S704
            "claim": _claim(services, summary, at, policy, lang, ids) if summary.explained else None,
            "command": command.replace("--lang en", f"--lang {lang}"),
            "amount": lambda figure: _amount(figure, ja),
            "yen": lambda yen: _yen(yen, ja),
            "claims": _bars(
                (each.ja if ja else each.en, each.value, f"{each.value:,}", each.key == "granted")
                 for each in summary.claims[1:]
            ),
            "revenue": _bars((month, yen, _yen(yen, ja), True) for month, yen in summary.revenue),
            "half": -(-len(summary.links) // 2),
        }  # fmt: skip

    return file_page("page.html.j2", ("ja", "en"), facts, title, Path(__file__).parent)


def amount(figure: Figure) -> str:
    """A figure with its unit, as both languages read it."""
    if figure.unit == "yen":
        return f"¥{figure.value:,}"
    if figure.unit == "seconds":
        return words.duration(figure.value, ja=False)
    return f"{figure.value:,}"


def _amount(figure: Figure, ja: bool) -> str:
    if figure.unit == "seconds":
        return words.duration(figure.value, ja)
    return _yen(figure.value, ja) if figure.unit == "yen" else amount(figure)


def _yen(yen: int, ja: bool) -> str:
    return f"{yen:,}円" if ja else f"¥{yen:,}"


def _bars(rows: Iterable[tuple[str, int, str, bool]]) -> list[Bar]:
    drawn = list(rows)
    most = max((value for _, value, _, _ in drawn), default=0) or 1
    return [(name, text, max(value, 0) * 1000 // most, "" if strong else "soft") for name, value, text, strong in drawn]


def _claim(
    services: Services, summary: Summary, at: datetime, policy: Policy, lang: Lang, ids: str
) -> dict[str, object]:
    found = claim_explanation(services.session, summary.explained, at)
    own = decided_buckets(found.decisions[-1].decision)
    return {
        "id": found.claim.id,
        "account": found.claim.account,
        "credit_yen": found.status.credit_yen,
        "picture": Markup(month_on_page(summary.service, policy, lang, own, ids=f"kz-claim{ids}")),  # noqa: S704
        "sentences": claim_sentences(found, lang),
    }
