"""The month's report of the service as a PDF on A4: what the page says, without its pictures, with how it was counted.

Same report, same bytes. One language after the other where both are wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any

from keizoku.billing.documents.rendering import document_font
from keizoku.scheduler.reports.claim_states import ClaimState
from keizoku.scheduler.reports.sentences import state_text
from keizoku.scheduler.reports.templates import colour_of
from keizoku.sla.pictures.timeline import CLAUSES, LOOKS
from keizoku.sla.rules.intervals import as_iso, length
from keizoku.terms import words
from keizoku.terms.rendering import Lang, sentence

if TYPE_CHECKING:
    from keizoku.scheduler.reports.sla_report import MonthReport

_INK, _SOFT, _LINE = (colour_of(name) for name in ("ink", "soft", "line"))  # those of the page
_WIDTH = 170  # millimetres between the margins


def report_pdf(report: MonthReport, langs: Sequence[Lang]) -> bytes:
    """The report as a PDF, in these languages. Raises MissingExtraError without reportlab."""
    from keizoku.extras import naming_the_extra

    with naming_the_extra():
        from reportlab.lib.pagesizes import A4
        from reportlab.lib.units import mm
        from reportlab.platypus import PageBreak, SimpleDocTemplate

    story: list[Any] = []
    for lang in langs:
        story += [PageBreak()] if story else []
        story += _story(report, lang)
    out = BytesIO()
    margins: dict[str, Any] = dict.fromkeys(("leftMargin", "rightMargin", "topMargin", "bottomMargin"), 20 * mm)
    title = f"{report.month} {sentence('report.title', langs[0], {})}"
    SimpleDocTemplate(out, pagesize=A4, title=title, lang=langs[0], invariant=1, **margins).build(story)
    return out.getvalue()


def _story(report: MonthReport, lang: Lang) -> list[Any]:
    """The report in one language, from its heading to how it was counted."""
    from reportlab.lib import colors
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.lib.units import mm
    from reportlab.platypus import CondPageBreak, Paragraph, Table

    ja = lang == "ja"
    body = ParagraphStyle(
        "body", fontName=document_font(None), fontSize=9, leading=14, textColor=_INK, wordWrap="CJK" if ja else None,
        allowWidows=0, allowOrphans=0,
    )  # fmt: skip
    soft = ParagraphStyle("soft", body, textColor=_SOFT)
    head = ParagraphStyle("head", body, fontSize=12, leading=18, spaceBefore=12, spaceAfter=4)
    right = ParagraphStyle("right", body, alignment=2, wordWrap=None)
    title = ParagraphStyle("title", body, fontSize=16, leading=24)
    rule = [
        ("LINEBELOW", (0, 0), (-1, -1), 0.5, colors.HexColor(_LINE)),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ]

    def say(key: str, **facts: object) -> str:
        return sentence(f"report.{key}", lang, facts)

    def rows(widths: Sequence[int], drawn: Sequence[Sequence[str]], numbers: frozenset[int]) -> Table:
        cells = [
            [Paragraph(escape(words), right if place in numbers else body) for place, words in enumerate(row)]
            for row in drawn
        ]
        together = [("NOSPLIT", (0, 0), (0, min(3, len(cells) - 1))), ("NOSPLIT", (0, -min(5, len(cells))), (0, -1))]
        return Table(cells, colWidths=[width * mm for width in widths], style=[*rule, *together], repeatRows=1)

    def heading(key: str) -> list[Any]:  # never at the foot of a page
        return [CondPageBreak(35 * mm), Paragraph(escape(say(key)), head)]

    def name(bucket: str) -> str:
        return LOOKS[bucket].ja if ja else LOOKS[bucket].en

    service, unusable = report.service, length(report.service.unusable)
    tier = report.policy.sla.tier(unusable)
    made = say("made", made_at=report.made_at, terms=report.policy.version)
    state = say("final") if report.final else "; ".join([say("not_final"), *(each.text(lang) for each in report.waits)])
    sums = [(name(bucket), CLAUSES[bucket], seconds) for bucket, seconds in service.waterfall().items()]
    sums.append((say("all_stops"), "", length(service.gross)))
    parts = [
        (
            words.windows(as_iso(((part.start, part.end),)), ja),
            f"{part.end - part.start:,}",
            f"{name(part.bucket)} ({part.clause.removeprefix('premium/')})",
            f"{sentence(f'cause.{part.cause}', lang, {})}: {', '.join(part.sources)}",
        )
        for part in service.parts
    ]
    claims = [
        (state_text(ClaimState(result.outcome, result.reason, None, result.rate), lang), f"{count:,}")
        for result, count in report.claims.items()
    ]
    awarded = say("awarded", awarded_yen=report.awarded_yen, accounts=report.accounts)
    story: list[Any] = [
        Paragraph(escape(f"{words.month(report.month, ja=ja)} {say('title')}"), title),
        Paragraph(escape(made), soft),
        Paragraph(escape(state), body),
        Paragraph(escape(say("whole_month", claimed_rate=tier.rate if tier else 0)), body),
        *heading("sums"),
        rows(
            (100, 30, 40),
            [(say("bucket"), say("clause"), say("seconds")), *((what, at, f"{n:,}") for what, at, n in sums)],
            frozenset({2}),
        ),
        *heading("windows"),
        rows(
            (55, 18, 42, 55),
            [(say("when"), say("seconds"), say("bucket"), say("evidence")), *parts],
            frozenset({1}),
        ),
    ]
    if service.unknown:
        unknown = say("unknown", missing_windows=as_iso(service.unknown), missing_seconds=length(service.unknown))
        story.append(Paragraph(escape(unknown), body))
    story.extend(heading("claims"))
    story += [rows((_WIDTH - 30, 30), claims, frozenset({1}))] if claims else []
    story.append(Paragraph(escape(awarded), body))
    story.extend(heading("method"))
    story += [Paragraph(escape(f"{place}. {line}"), body) for place, line in enumerate(report.counted(lang), 1)]
    story += [
        *heading("readings"),
        rows((75, 75, 20), [(say("question"), say("reading"), say("clause")), *report.readings(lang)], frozenset()),
    ]
    return story
