"""What is said of a problem on a page, in the language of the page.

The staff read what a program is told: in English its sentence; in Japanese the registered sentence of its kind, the
facts that the English one names (whose, which, when, how much), and what to do. A member reads whole sentences of their
own, with what they can do about it (words/refusals.toml); a problem that has none there is told by its gist, and where
to ask.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from keizoku.terms import words
from keizoku.terms.refusal import code_of
from keizoku.web.pages.shared.words import every_word, say, word

if TYPE_CHECKING:
    from keizoku.terms.rendering import Lang
    from keizoku.web.calls.operation import Operation

__all__ = ["told_by", "told_to_member"]

_MEMBER: Final = "member_refusal"
_KINDS: Final = (
    "account|invoice|claim|payment|attempt|refund|transfer|proposal|batch|code|outage|order|task|endpoint|plan"
)
_FACT: Final = re.compile(
    rf"\b(?P<kind>{_KINDS}) (?P<which>[^\s:;,]*\d[^\s:;,]*|[^\s:;,]+(?=:))"
    r"|(?P<yen>\d[\d,]*) yen\b|(?P<day>\b\d{4}-\d{2}(?:-\d{2}(?:[T ]\d{2}:\d{2})?)?\b)",
    re.IGNORECASE,
)
_COMMAND: Final = re.compile(r"`keizoku ([^`]+)`")


def told_by(
    problem: Mapping[str, Any], lang: Lang, operations: Mapping[str, Operation] | None = None
) -> Mapping[str, Any]:
    """A problem for the staff in the language of a page. `operations`: whose acts a remedy's commands are."""
    kind = str(problem["type"]).rpartition("/")[2]
    if lang == "en":
        return {**problem, "findings": _findings_of(problem, lang), "kind": kind}
    facts = _facts_of(str(problem["detail"] or ""))
    return {
        **problem,
        "title": _gist(kind, "ja"),
        "detail": say("About: {facts}", "ja", facts="、".join(facts)) if facts else "",
        "remedy": _remedy_of(str(problem["remedy"] or ""), operations or {}),
        "findings": _findings_of(problem, lang),
        "kind": kind,
    }


def _facts_of(detail: str) -> list[str]:
    """The facts that an English sentence names, in Japanese: accounts, numbers, days and months, sums."""
    found: list[str] = []
    for each in _FACT.finditer(detail):
        if each["kind"]:
            told = f"{word('told', each['kind'].lower(), 'ja')} {each['which']}"
        elif each["yen"]:
            told = words.yen(int(each["yen"].replace(",", "")), ja=True)
        else:
            told = each["day"].replace("T", " ")
        if told not in found:
            found.append(told)
    return found


def _remedy_of(remedy: str, operations: Mapping[str, Operation]) -> str:
    """What to do, in Japanese: by its words, else the act of the command that it names, else the command itself."""
    known = every_word()["remedy"].get(remedy)
    if known is not None:
        return str(known)
    told = []
    for command in _COMMAND.findall(remedy):
        spoken = command.split()
        acts = [
            word("act", each.name, "ja")
            for each in operations.values()
            if each.kind == "act" and spoken[: len(each.command.split())] == each.command.split()
        ]
        told.append(f"「{acts[0]}」" if acts else f"`keizoku {command}`")
    return "、".join(dict.fromkeys(told))


def told_to_member(problem: Mapping[str, Any], lang: Lang) -> Mapping[str, Any]:
    """The same for a member: no account, no command, no code; what happened, and what they can do."""
    kind = str(problem["type"]).rpartition("/")[2]
    known = every_word().get(_MEMBER, {}).get(kind)
    place = 1 if lang == "ja" else 0
    title, remedy = known[place].split("|") if known is not None else (_gist(kind, lang), say("Ask us, please.", lang))
    return {
        "title": title.strip(),
        "detail": "",
        "remedy": remedy.strip(),
        "findings": _findings_of(problem, lang),
        "kind": "",
        "clause": "",
    }


def _gist(kind: str, lang: Lang) -> str:
    """What a kind of problem is called, where nothing more is known of it."""
    try:
        found = code_of(kind)
    except LookupError:
        return word("problem", kind, lang)
    return found.ja if lang == "ja" else found.en


def _findings_of(problem: Mapping[str, Any], lang: Lang) -> list[dict[str, Any]]:
    """What was wrong with which field, in words."""
    return [
        {"source": word("field", each["source"].rpartition(".")[2], lang), **_rest(each, lang)}
        for each in problem["findings"]
    ]


def _rest(finding: Mapping[str, Any], lang: Lang) -> dict[str, Any]:
    rules = every_word().get("rule", {})
    rule = str(finding["rule"])
    known = rules.get(rule)
    said = rule if lang == "en" else known[1] if known else rules["other"][1]
    return {"value": finding["value"], "rule": said, "remedy": finding.get("remedy", "") if lang == "en" else ""}
