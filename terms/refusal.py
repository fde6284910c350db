"""One way to refuse: what was asked cannot be done, said in one line, with a code that programs can hold on to.

    Refused("application.none_waiting", "account u7: no application is waiting", "register it first")
      str      account u7: no application is waiting; register it first (premium/3.3)
      to_json  {"code": "application.none_waiting", "clause": "premium/3.3", "sentence": …, "remedy": …, "findings": []}

Every room raises this. A code is one kind of refusal, and stays what it is; `refusal_codes.toml` has them all, each
with its gist in Japanese and English and the clause that it rests on. Where several facts are wrong at once, each is
a finding.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from keizoku.terms.decision import Finding

REGISTRY: Final = Path(__file__).with_name("refusal_codes.toml")
_CITED: Final = re.compile(r"\(([a-z_]+/\d+(?:\.\d+)*)\)|(?:^| )([a-z_]+/\d+(?:\.\d+)+): ")
_OWN_JOINT: Final = (":", "(")


class UnknownCodeError(LookupError):
    """A code that the registry does not have."""


class Refused(Exception):  # noqa: N818 - nobody's error: all others end in Error
    """What was asked cannot be done.

    `code` is stable, `sentence` says what was asked and why it cannot be done, `remedy` what to do instead (it may be
    empty), `clause` which clause says so (None: no clause), `findings` each fact that is wrong.

    The line that people read is the sentence and, after a semicolon, the remedy; a remedy that begins with a colon or
    a bracket brings its own joint. The clause stands at the end, unless the text cites one. Raises UnknownCodeError.
    """

    def __init__(self, code: str, sentence: str, remedy: str = "", findings: Sequence[Finding] = ()) -> None:
        super().__init__(code, sentence, remedy, tuple(findings))
        line = sentence if not remedy else f"{sentence}{_joint(remedy)}{remedy}"
        cited = _CITED.search(line)
        self.code = code
        self.clause = cited[1] or cited[2] if cited else code_of(code).clause
        self.sentence = sentence
        self.remedy = _without_joint(remedy)
        self.findings = tuple(findings)
        self._line = line if cited or self.clause is None else f"{line} ({self.clause})"

    @classmethod
    def fact(cls, code: str, source: str, value: str, rule: str, remedy: str) -> Refused:
        """One fact that cannot be taken: of what kind, what was found, what was expected, what to do about it."""
        return cls.of(code, (Finding(source, None, value, rule, remedy),))

    @classmethod
    def of(cls, code: str, findings: Sequence[Finding]) -> Refused:
        """What is wrong with one fact or several, each as a finding; at least one."""
        first = findings[0]
        if len(findings) == 1:
            line = str(first)
            remedy = " ".join(first.remedy.split())
            return cls(code, line.removesuffix(f"; {remedy}"), remedy, findings)
        return cls(code, "; ".join(map(str, findings)), "", findings)

    def __str__(self) -> str:
        return self._line

    def to_json(self) -> dict[str, Any]:
        """The refusal as JSON values."""
        return {
            "code": self.code,
            "clause": self.clause,
            "sentence": self.sentence,
            "remedy": self.remedy,
            "findings": [
                {
                    "source": each.source,
                    "line": each.line,
                    "value": each.value,
                    "rule": each.rule,
                    "remedy": each.remedy,
                }
                for each in self.findings
            ],
        }


def want_signed(by: str, ground: str) -> None:
    """Raises Refused (act.unsigned) where an act of people lacks its author or its ground."""
    if not by.strip() or not ground.strip():
        raise Refused("act.unsigned", "an act of people has an author and a ground", ": say both")


@dataclass(frozen=True, slots=True)
class Code:
    """A kind of refusal: its code, its gist in both languages, and the clause that it rests on, if one does."""

    code: str
    en: str
    ja: str
    clause: str | None = None


@cache
def codes() -> Mapping[str, Code]:
    """Every code of the registry, in its order."""
    with REGISTRY.open("rb") as file:
        return {each.code: each for each in _read(tomllib.load(file))}


def code_of(code: str) -> Code:
    """A code's entry. Raises UnknownCodeError."""
    try:
        return codes()[code]
    except KeyError:
        raise UnknownCodeError(f"{code!r} is no code of {REGISTRY.name}: register it there") from None


def reference() -> str:
    """The page of all codes, docs/reference/refusals.md."""
    rows = [f"| `{each.code}` | {each.clause or ''} | {each.en} | {each.ja} |" for each in codes().values()]
    return "\n".join([*_HEAD, *rows]) + "\n"


_HEAD: Final = (
    "# Refusals",
    "",
    "<!-- generated: keizoku terms refusals --write -->",
    "",
    "What cannot be done raises `keizoku.terms.refusal.Refused`, in every room. Its code is one of these and does not",
    "change; its line says in English which account, which day, and what to do instead. Where a text cites another",
    "clause than the one below, the text's holds. On the command line `--json` prints a refusal as",
    '`{"refused": {"code", "clause", "sentence", "remedy", "findings"}}`.',
    "",
    "| code | clause | when | 場合 |",
    "|---|---|---|---|",
)


def _read(table: Mapping[str, Any]) -> Iterator[Code]:
    for area, kinds in table.items():
        for kind, entry in kinds.items():
            yield Code(f"{area}.{kind}", **entry)


def _joint(remedy: str) -> str:
    if not remedy.startswith(_OWN_JOINT):
        return "; "
    return " " if remedy.startswith("(") else ""


def _without_joint(remedy: str) -> str:
    if remedy.startswith("("):
        return remedy.removeprefix("(").removesuffix(")")
    return remedy.removeprefix(":").strip()
