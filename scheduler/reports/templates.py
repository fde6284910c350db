"""Templates of pages: escaped, strict, in Japanese, English or both; one stylesheet for all of them."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from keizoku.sla.pictures.timeline import CLAUSES, LOOKS
from keizoku.terms import words

HERE = Path(__file__).parent
STYLE_SHEET = HERE / "style.css"
"""What every page of ours looks like: those that are files, and those of the console."""
Langs = tuple[str, ...]  # of "ja" and "en", in the order in which they stand


def templates_in(folder: Path = HERE) -> Environment:
    """The templates of a folder, which may include those of this one."""
    templates = Environment(
        loader=FileSystemLoader([folder, HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"duration_ja": _duration_ja, "duration_en": _duration_en}
    templates.globals |= {"clauses": CLAUSES, "looks": LOOKS}
    return templates


def both(ja: object, en: object, langs: Langs) -> Markup:
    """A text in the languages of a page, each marked as what it is; what is in it is escaped."""
    texts = {"ja": ja, "en": en}
    second = ' class="en"' if len(langs) > 1 else ""
    spans = (Markup('<span lang="{}"{}>{}</span>').format(lang, Markup(second if lang == "en" else ""), texts[lang])  # noqa: S704
             for lang in langs)  # fmt: skip
    return Markup(" ").join(spans)


def _duration_ja(seconds: int) -> str:
    return words.duration(seconds, ja=True)


def _duration_en(seconds: int) -> str:
    return words.duration(seconds, ja=False)
