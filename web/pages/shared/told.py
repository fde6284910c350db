"""What is said of a problem on a page, in the language of the page.

The staff read what a program is told. A member reads whole sentences of their own, with what they can do about it
(words/refusals.toml); a problem that has none there is told by its gist, and where to ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from keizoku.terms.refusal import code_of
from keizoku.web.pages.shared.words import every_word, say, word

if TYPE_CHECKING:
    from keizoku.terms.rendering import Lang

__all__ = ["told_by", "told_to_member"]

_MEMBER: Final = "member_refusal"


def told_by(problem: Mapping[str, Any], lang: Lang) -> Mapping[str, Any]:
    """A problem in the language of a page. What only English says (which account, which day) is left to English."""
    kind = str(problem["type"]).rpartition("/")[2]
    findings = [
        {"source": word("field", each["source"].rpartition(".")[2], lang), **_rest(each, lang)}
        for each in problem["findings"]
    ]
    if lang == "en":
        return {**problem, "findings": findings, "kind": kind}
    return {**problem, "title": _gist(kind, "ja"), "detail": "", "remedy": "", "findings": findings, "kind": kind}


def told_to_member(problem: Mapping[str, Any], lang: Lang) -> Mapping[str, Any]:
    """The same for a member: no account, no command, no code; what happened, and what they can do."""
    kind = str(problem["type"]).rpartition("/")[2]
    known = every_word().get(_MEMBER, {}).get(kind)
    place = 1 if lang == "ja" else 0
    title, remedy = known[place].split("|") if known is not None else (_gist(kind, lang), say("Ask us, please.", lang))
    findings = [
        {"source": word("field", each["source"].rpartition(".")[2], lang), **_rest(each, lang)}
        for each in problem["findings"]
    ]
    return {
        "title": title.strip(),
        "detail": "",
        "remedy": remedy.strip(),
        "findings": findings,
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


def _rest(finding: Mapping[str, Any], lang: Lang) -> dict[str, Any]:
    rules = every_word().get("rule", {})
    rule = str(finding["rule"])
    known = rules.get(rule)
    said = rule if lang == "en" else known[1] if known else rules["other"][1]
    return {"value": finding["value"], "rule": said, "remedy": finding.get("remedy", "") if lang == "en" else ""}
