"""The documentation site, by `make docs`: the pages of this folder, and a reference made from docstrings.

Pages are Markdown as the forge shows it too; links to files of the repository outside this folder become downloads, and
a link to a file that is not there is a warning, which ends the build. The reference is written anew by every build
into `reference/calls/`: one page for each room that others call, one entry for each module.

Docstrings are plain text: paragraphs, lists, `code`, and drawings that are indented. `as_markup` makes them into what
Sphinx reads; nothing in a docstring can break the build.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import keizoku

project = "Keizoku"
author = "the authors of Keizoku"
version = release = keizoku.__version__
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_heading_anchors = 3
exclude_patterns = ["conf.py"]

html_theme = "furo"
html_title = f"Keizoku {version}"
html_show_copyright = False
html_show_sourcelink = False
html_copy_source = False

autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
maximum_signature_line_length = 100

HERE = Path(__file__).resolve().parent
CALLS = HERE / "reference" / "calls"
PAGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "http": ("HTTP: operations", ()),  # from the description
    "keizoku": ("The package", ("keizoku", "keizoku.extras")),
    "application": ("From your application", ("keizoku.scheduler.app", "keizoku.scheduler.settings")),
    "billing": ("Billing: services", ("keizoku.billing.services",)),
    "billing-rules": ("Billing: rules", ("keizoku.billing.rules",)),
    "sla": ("Availability: services", ("keizoku.sla.services",)),
    "sla-rules": ("Availability: rules", ("keizoku.sla.rules",)),
    "link": ("Linked service: services", ("keizoku.link.services",)),
    "link-rules": ("Linked service: rules", ("keizoku.link.rules",)),
    "terms": ("Terms", ("keizoku.terms",)),
}
"""The pages of the reference: title, and the modules or whole packages on it."""


def setup(app: Any) -> None:
    """What Sphinx calls first."""
    app.connect("config-inited", lambda *_: (write_reference(), write_operations()))
    app.connect("source-read", _files_outside)
    app.connect("autodoc-process-docstring", _plain_text, priority=900)
    app.connect("autodoc-process-signature", _no_signature_of_models)
    app.connect("autodoc-skip-member", lambda _app, _what, name, *_: True if name == "model_config" else None)


def write_reference() -> None:
    """The pages of the reference, from the modules that there are."""
    shutil.rmtree(CALLS, ignore_errors=True)
    CALLS.mkdir(parents=True)
    for name, (title, places) in PAGES.items():
        parts = [_heading(title, "=")]
        for module in (module for place in places for module in _modules(place)):
            parts += [_heading(f"``{module}``", "-"), f".. automodule:: {module}\n"]
        (CALLS / f"{name}.rst").write_text("\n".join(parts), encoding="utf-8")


def write_operations(description: Path = HERE / "reference" / "openapi.json") -> None:
    """The page of the HTTP operations, from the description that is kept beside it."""
    made = json.loads(description.read_text(encoding="utf-8"))
    parts = [_heading("HTTP: operations", "=")]
    parts.append("From :download:`openapi.json <../openapi.json>`; ``keizoku serve`` has it at ``/v1/openapi.json``.\n")
    for tag in made["tags"]:
        parts += [_heading(tag["name"], "-"), f"{_inline(tag['description'])}\n"]
        for path, methods in made["paths"].items():
            for method, operation in methods.items():
                if operation["tags"] == [tag["name"]]:
                    parts += _operation(f"{method.upper()} {path}", operation, made["components"]["schemas"])
    (CALLS / "http.rst").write_text("\n".join(parts), encoding="utf-8")


def _operation(title: str, operation: dict[str, Any], schemas: dict[str, Any]) -> Iterator[str]:
    yield _heading(f"``{title}``", "^")
    yield f"{_inline(operation.get('description', operation['summary']).split(chr(10) * 2)[0].replace(chr(10), ' '))}\n"
    for each in operation.get("parameters", []):
        if each["in"] != "header":
            yield f"- ``{each['name']}`` ({each['in']}): {_inline(each.get('description', 'see its name'))}"
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    form = schemas.get(body.get("$ref", "").rpartition("/")[2], {})
    for name in form.get("properties", {}):
        yield f"- ``{name}`` (body{', wanted' if name in form.get('required', []) else ''})"
    yield ""
    yield f"``{operation['x-command']}``; for {', '.join(operation['x-roles'])}.\n"


def _modules(place: str) -> Iterator[str]:
    """A module's name, and those of the modules in it where it is a package below `keizoku` itself."""
    yield place
    module = importlib.import_module(place)
    if place != "keizoku" and hasattr(module, "__path__"):
        for found in sorted(pkgutil.iter_modules(module.__path__), key=lambda each: each.name):
            if not found.name.startswith("_"):
                yield from _modules(f"{place}.{found.name}")


def _heading(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}\n"


def _is_model(thing: object) -> bool:
    return isinstance(thing, type) and issubclass(thing, BaseModel)


def _no_signature_of_models(_app: Any, _what: str, _name: str, thing: Any, *_: Any) -> tuple[str, None] | None:
    """A model is made from its fields by name; what else its constructor takes is pydantic's."""
    return ("", None) if _is_model(thing) else None


def _plain_text(_app: Any, _what: str, _name: str, thing: Any, _options: Any, lines: list[str]) -> None:
    said_by_python = len(lines) > 0 and lines[0].startswith("Alias for field number ")
    lines[:] = [] if said_by_python else as_markup(lines)
    if _is_model(thing):
        lines += [f"- ``{name}``{_meaning(field)}" for name, field in thing.model_fields.items()] + [""]


def _meaning(field: Any) -> str:
    return f": {_inline(field.description)}" if field.description else ""


def _files_outside(_app: Any, name: str, text: list[str]) -> None:
    """A link to a Markdown file outside this folder is to that file, not to a page."""
    folder = (HERE / name).parent

    def outside(found: re.Match[str]) -> str:
        path = (folder / found[1]).resolve()
        return found[0] if path.is_relative_to(HERE) else f"](path:{found[1]})"

    text[0] = re.sub(r"\]\(((?:\.\./)+[^)#\s]*\.md)(?:#[^)\s]*)?\)", outside, text[0])


def as_markup(lines: list[str]) -> list[str]:
    """A docstring of plain text as reStructuredText: what is indented or aligned stays as it is drawn."""
    made: list[str] = []
    for block in re.split(r"\n\s*\n", "\n".join(lines).strip("\n")):
        drawn = block.split("\n")
        if any(re.match(r"\s", line) and not _continues_an_item(drawn, number) for number, line in enumerate(drawn)):
            made += ["::", "", *(f"    {line}" for line in drawn), ""]
        else:
            made += [*map(_inline, drawn), ""]
    return made


def _continues_an_item(drawn: list[str], number: int) -> bool:
    return drawn[number].startswith("  ") and any(re.match(r"[-*] ", line) for line in drawn[:number])


def _inline(line: str) -> str:
    """`code` as it is meant, everything else without a meaning of its own."""
    mark = re.match(r"- ", line)
    start = mark.end() if mark else len(line) - len(line.lstrip())
    made = line[:start]
    for number, piece in enumerate(re.split(r"`([^`]+)`", line[start:])):
        if number % 2:
            made += ("\\ " if made[-1:].isalnum() else "") + f"``{piece}``"
        else:
            made += ("\\ " if number and piece[:1].isalnum() else "") + re.sub(r"([\\*`_|])", r"\\\1", piece)
    return made
