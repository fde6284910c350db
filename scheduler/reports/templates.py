"""Pages that are files: escaped, strict, one style sheet inside, whole in Japanese, in English, or in each of them.

    file_page("claim.html.j2", ("ja", "en"), lambda lang, ids: {...}, title="c-1")

A page in two languages has each of them whole, pictures too, and shows one: the reader chooses without a script. The
console and the members' pages (`web/pages/shared`) are made of the same `parts.html.j2` and `style.css`.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from keizoku.sla.pictures.timeline import CLAUSES, LOOKS
from keizoku.terms import words
from keizoku.terms.rendering import Lang

HERE = Path(__file__).parent
STYLE_SHEET = HERE / "style.css"
"""What every page of ours looks like: those that are files, and those of the console."""
Langs = tuple[str, ...]  # of "ja" and "en", in the order in which they stand


def colour_of(name: str) -> str:
    """A colour of the style sheet on paper, as "#1b1f27"."""
    return re.search(rf"--{name}: (#[0-9a-f]{{3,6}});", STYLE_SHEET.read_text(encoding="utf-8"))[1]  # type: ignore[index]


def templates_in(folder: Path = HERE) -> Environment:
    """The templates of a folder, which may use those of this one."""
    templates = Environment(
        loader=FileSystemLoader([folder, HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals |= {"clauses": CLAUSES, "looks": LOOKS}
    return templates


def file_page(
    template: str,
    langs: Langs,
    facts: Callable[[Lang, str], Mapping[str, Any]],
    title: str,
    folder: Path = HERE,
) -> str:
    """A page of a template that is drawn for each language; `facts(lang, ids)` is what it is filled with.

    `ids` ends the ids of a language, so that no two on the page are the same; it is empty for the first. Templates
    have `say(ja, en)`, `lasts(seconds)` and `name_of(bucket)` in their language.
    """
    templates = templates_in(folder)
    bodies = []
    for place, each in enumerate(langs):
        lang: Lang = "ja" if each == "ja" else "en"
        ids = f"-{lang}" if place else ""
        spoken = {"lang": lang, "ids": ids, "say": partial(_say, lang), "name_of": partial(_name_of, lang)}
        lasts = partial(words.duration, ja=lang == "ja")
        body = templates.get_template(template).render(**spoken, lasts=lasts, **facts(lang, ids))
        bodies.append((lang, Markup(body)))  # noqa: S704 - escaped as it was rendered
    return templates.get_template("file.html.j2").render(bodies=bodies, title=title)


def _say(lang: Lang, ja: object, en: object) -> object:
    return ja if lang == "ja" else en


def _name_of(lang: Lang, bucket: str) -> str:
    return LOOKS[bucket].ja if lang == "ja" else LOOKS[bucket].en
