"""Documents for users, drawn: a page that opens offline, a PDF that prints on A4. Content comes from elsewhere.

Japanese in the PDF: the font of a file is put into it where one is given or Debian's IPAex Gothic is installed; else it
names a Japanese font that PDF readers bring (HeiseiKakuGo-W5), and the text can be searched and copied all the same.
"""

from __future__ import annotations

from functools import cache
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Template

    from keizoku.billing.rules.documents.invoice_document import PrintedDocument
    from keizoku.billing.rules.documents.letters import Page

_TEMPLATES = Path(__file__).parent
IPAEX = Path("/usr/share/fonts/opentype/ipaexfont-gothic/ipaexg.ttf")
"""Where Debian's fonts-ipaexfont-gothic puts it."""
_INK, _SOFT, _LINE = "#1b1f27", "#4d5562", "#d8dce3"  # those of the page


class FontError(Exception):
    """A font cannot be used for documents."""


def document_html(document: PrintedDocument) -> str:
    """A document as a page."""
    return _template("document.html.j2").render(document=document)


def letter_html(page: Page) -> str:
    """A letter as a page."""
    return _template("letter.html.j2").render(page=page)


def letter_pdf(page: Page, font: Path | None = None) -> bytes:
    """A letter as a PDF on A4, one language after the other; the same letter gives the same bytes. Raises FontError."""
    from reportlab.lib.units import mm
    from reportlab.platypus import PageBreak, Paragraph, Spacer

    story: list[Any] = []
    for letter in page.letters:
        style = _Style(letter.lang, font)
        if story:
            story.append(PageBreak())
        to = [*letter.address, letter.addressee, *([letter.customer] if letter.customer else [])]
        story += [Paragraph(escape(words), style.right) for words in (letter.number, letter.date)]
        story += [Spacer(1, 4 * mm), *_parties(to, letter.sender, style)]
        story.append(Paragraph(escape(letter.subject), style.subject))
        story += [Paragraph(escape(words), style.body) for words in letter.paragraphs]
        if letter.note:
            story.append(Paragraph(escape(letter.note), style.note))
        if letter.details:
            story.append(style.details(letter.details))
        if letter.amounts:
            story += [Spacer(1, 2 * mm), style.amounts(letter.amounts, letter.unit)]
        story += [Spacer(1, 6 * mm), Paragraph(escape(letter.closing), style.right)]
    named = page.letters[0]
    return _built(story, named.subject, named.lang)


def document_pdf(document: PrintedDocument, font: Path | None = None) -> bytes:
    """A document as a PDF on A4; the same document gives the same bytes. Raises FontError."""
    from reportlab.lib.units import mm
    from reportlab.platypus import Paragraph, Spacer

    style = _Style(document.lang, font)
    unit = "円" if document.lang == "ja" else " yen"
    story: list[Any] = [Paragraph(escape(document.title), style.title)]
    story += [Paragraph(escape(words), style.line) for words in document.addressee]
    story += [
        Spacer(1, 4 * mm),
        style.details(document.fields),
        Spacer(1, 6 * mm),
        style.amounts(document.rows, unit),
        Spacer(1, 5 * mm),
        style.amounts(document.totals, unit),
        Spacer(1, 6 * mm),
        *(Paragraph(escape(note), style.soft) for note in document.notes),
    ]
    return _built(story, document.title, document.lang)


def sections_pdf(
    parts: Sequence[tuple[str, str, Sequence[tuple[str, Sequence[Sequence[str]]]]]], font: Path | None = None
) -> bytes:
    """Parts as a PDF on A4, each from a new page: language, title, and sections of rows. Raises FontError.

    A row of one text is a line; rows of several are a table, which goes over pages.
    """
    from reportlab.lib import colors
    from reportlab.lib.units import mm
    from reportlab.platypus import LongTable, PageBreak, Paragraph, Spacer

    story: list[Any] = []
    for lang, title, sections in parts:
        style = _Style(lang, font)
        story += [*([PageBreak()] if story else []), Paragraph(escape(title), style.title)]
        for heading, rows in sections:
            story += [Spacer(1, 4 * mm), Paragraph(escape(heading), style.heading)]
            wide = max((len(row) for row in rows), default=1)
            if wide == 1:
                story += [Paragraph(escape(words), style.line) for row in rows for words in row]
                continue
            drawn = [[Paragraph(escape(words), style.cell) for words in row] for row in rows]
            line = ("LINEBELOW", (0, 0), (-1, -1), 0.25, colors.HexColor(_LINE))
            widths = [44 * mm] * (wide - 1)
            story.append(LongTable(drawn, colWidths=[*widths, 170 * mm - sum(widths)], style=[line, _TOP]))
    _, named, _ = parts[0]
    return _built(story, named, parts[0][0])


class _Style:
    """How text is set on A4 in a language: 170 mm wide."""

    def __init__(self, lang: str, font: Path | None) -> None:
        from reportlab.lib.styles import ParagraphStyle

        ja = lang == "ja"
        cjk = "CJK" if ja else None
        self.line = ParagraphStyle(
            "line", fontName=document_font(font), fontSize=10.5, leading=16, textColor=_INK, wordWrap=cjk
        )
        self.body = ParagraphStyle("body", self.line, leading=18, spaceAfter=6, firstLineIndent=10.5 if ja else 0)
        self.right = ParagraphStyle("right", self.line, alignment=2, wordWrap=None)
        self.soft = ParagraphStyle("soft", self.line, textColor=_SOFT, fontSize=9, leading=14)
        self.cell = ParagraphStyle("cell", self.line, fontSize=9, leading=13)
        self.heading = ParagraphStyle("heading", self.line, fontSize=12, leading=18, spaceAfter=4)
        self.note = ParagraphStyle("note", self.line, alignment=1, spaceBefore=10, spaceAfter=8)
        self.title = ParagraphStyle("title", self.line, fontSize=17, leading=26, spaceAfter=11)
        self.subject = ParagraphStyle(
            "subject", self.line, fontSize=14, leading=22, alignment=1, spaceBefore=22, spaceAfter=16
        )

    def details(self, rows: Sequence[tuple[str, str]]) -> Any:
        """Names and words, side by side."""
        from reportlab.lib.units import mm
        from reportlab.platypus import Paragraph, Table

        drawn = [[Paragraph(escape(name), self.soft), Paragraph(escape(words), self.line)] for name, words in rows]
        return Table(drawn, colWidths=[46 * mm, 124 * mm], style=[_TOP])

    def amounts(self, rows: Sequence[tuple[str, int]], unit: str) -> Any:
        """Names and yen, ruled, the yen to the right."""
        from reportlab.lib import colors
        from reportlab.lib.units import mm
        from reportlab.platypus import Paragraph, Table

        drawn = [[Paragraph(escape(words), self.line), Paragraph(f"{yen:,}{unit}", self.right)] for words, yen in rows]
        line = ("LINEBELOW", (0, 0), (-1, -1), 0.5, colors.HexColor(_LINE))
        return Table(drawn, colWidths=[136 * mm, 34 * mm], style=[line, _TOP])


_TOP = ("VALIGN", (0, 0), (-1, -1), "TOP")


def _parties(to: Sequence[str], sender: Sequence[str], style: _Style) -> list[Any]:
    """To whom, on the left as in the window of an envelope, and below it, on the right, from whom."""
    from reportlab.lib.units import mm
    from reportlab.platypus import Paragraph, Spacer, Table

    half = [Paragraph(escape(words), style.line) for words in to]
    block = [Paragraph(escape(words), style.line) for words in sender]
    drawn: list[Any] = [Table([[half, ""]], colWidths=[90 * mm, 80 * mm], style=[_TOP])]
    if block:
        drawn += [Spacer(1, 2 * mm), Table([["", block]], colWidths=[90 * mm, 80 * mm], style=[_TOP])]
    return drawn


def _built(story: list[Any], title: str, lang: str) -> bytes:
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.units import mm
    from reportlab.platypus import SimpleDocTemplate

    out = BytesIO()
    margins: dict[str, Any] = dict.fromkeys(("leftMargin", "rightMargin", "topMargin", "bottomMargin"), 20 * mm)
    SimpleDocTemplate(out, pagesize=A4, title=title, lang=lang, invariant=1, **margins).build(story)
    return out.getvalue()


@cache
def document_font(file: Path | None) -> str:
    """The name of the font to draw with, registered once."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.pdfbase.ttfonts import TTFError, TTFont

    chosen = file or (IPAEX if IPAEX.is_file() else None)
    if chosen is None:
        pdfmetrics.registerFont(UnicodeCIDFont("HeiseiKakuGo-W5"))
        return "HeiseiKakuGo-W5"
    try:
        found = TTFont(f"document-{chosen.stem}", str(chosen))
    except (OSError, TTFError) as error:
        raise FontError(f"{chosen}: cannot be put into a PDF; a TrueType font is needed ({error})") from error
    pdfmetrics.registerFont(found)
    return str(found.fontName)


@cache
def _template(name: str) -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["yen"] = lambda amount: f"{amount:,}"
    return environment.get_template(name)
