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
    from jinja2 import Template

    from keizoku.billing.rules.documents.invoice_document import PrintedDocument
    from keizoku.billing.rules.documents.letters import Page

_TEMPLATES = Path(__file__).parent
IPAEX = Path("/usr/share/fonts/opentype/ipaexfont-gothic/ipaexg.ttf")
"""Where Debian's fonts-ipaexfont-gothic puts it."""
_INK, _SOFT, _LINE = "#1c2733", "#5a6b7b", "#d6dee6"  # those of the page


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
    from reportlab.lib import colors
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.lib.units import mm
    from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Spacer, Table

    story: list[Any] = []
    for letter in page.letters:
        cjk = "CJK" if letter.lang == "ja" else None
        body = ParagraphStyle(
            "body", fontName=document_font(font), fontSize=10.5, leading=18, textColor=_INK, wordWrap=cjk, spaceAfter=6
        )
        right = ParagraphStyle("right", body, alignment=2, spaceAfter=0)
        title = ParagraphStyle("title", body, fontSize=14, leading=22, alignment=1, spaceBefore=22, spaceAfter=16)
        if story:
            story.append(PageBreak())
        story += [Paragraph(escape(words), right) for words in (letter.date, letter.number)]
        story += [Spacer(1, 6 * mm), Paragraph(escape(letter.addressee), body)]
        story += [Paragraph(escape(words), right) for words in letter.sender]
        story.append(Paragraph(escape(letter.subject), title))
        story += [Paragraph(escape(words), body) for words in letter.paragraphs]
        if letter.amounts:
            rows = [
                [Paragraph(escape(name), body), Paragraph(f"{yen:,}{letter.unit}", right)]
                for name, yen in letter.amounts
            ]
            line = ("LINEBELOW", (0, 0), (-1, -1), 0.5, colors.HexColor(_LINE))
            story += [Spacer(1, 3 * mm), Table(rows, colWidths=[124 * mm, 46 * mm], style=[line])]
        story += [Spacer(1, 6 * mm), Paragraph(escape(letter.closing), right)]
    out = BytesIO()
    margins: dict[str, Any] = dict.fromkeys(("leftMargin", "rightMargin", "topMargin", "bottomMargin"), 20 * mm)
    named = page.letters[0]
    SimpleDocTemplate(out, pagesize=A4, title=named.subject, lang=named.lang, invariant=1, **margins).build(story)
    return out.getvalue()


def document_pdf(document: PrintedDocument, font: Path | None = None) -> bytes:
    """A document as a PDF on A4; the same document gives the same bytes. Raises FontError."""
    from reportlab.lib import colors
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.lib.units import mm
    from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table

    named = document_font(font)
    cjk = "CJK" if document.lang == "ja" else None
    body = ParagraphStyle("body", fontName=named, fontSize=10, leading=16, textColor=_INK, wordWrap=cjk)
    soft = ParagraphStyle("soft", body, textColor=_SOFT, fontSize=9, leading=14)
    title = ParagraphStyle("title", body, fontSize=17, leading=26)
    right = ParagraphStyle("right", body, alignment=2, wordWrap=None)
    line = ("LINEBELOW", (0, 0), (-1, -1), 0.5, colors.HexColor(_LINE))
    top = ("VALIGN", (0, 0), (-1, -1), "TOP")

    def text(words: str, style: ParagraphStyle = body) -> Paragraph:
        return Paragraph(escape(words), style)

    def amounts(rows: tuple[tuple[str, int], ...]) -> Table:
        unit = "円" if document.lang == "ja" else " yen"
        drawn = [[text(words), text(f"{yen:,}{unit}", right)] for words, yen in rows]
        return Table(drawn, colWidths=[124 * mm, 46 * mm], style=[line, top])

    fields = [[text(name, soft), text(words)] for name, words in document.fields]
    story = [
        text(document.title, title),
        Spacer(1, 4 * mm),
        Table(fields, colWidths=[46 * mm, 124 * mm], style=[top]),
        Spacer(1, 6 * mm),
        amounts(document.rows),
        Spacer(1, 5 * mm),
        amounts(document.totals),
        Spacer(1, 6 * mm),
        *(text(note, soft) for note in document.notes),
    ]
    out = BytesIO()
    margins: dict[str, Any] = dict.fromkeys(("leftMargin", "rightMargin", "topMargin", "bottomMargin"), 20 * mm)
    SimpleDocTemplate(out, pagesize=A4, title=document.title, lang=document.lang, invariant=1, **margins).build(story)
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
