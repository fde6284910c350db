"""`keizoku explain`: why something was decided as it was, to the second and the yen."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from scheduler.cli import explain_money
from scheduler.cli.context import ALL_THAT_IS_KNOWN, open_house
from scheduler.cli.inputs import Language as Language
from scheduler.cli.output import emit, fail, table
from sla.views import UnknownClaim, claim_story
from terms.calendar import Month, iso_jst
from terms.decision import Decision
from terms.rendering import sentence
from terms.words import duration

app = typer.Typer(help="Why something was decided as it was.", no_args_is_help=True)
explain_money.add_to(app)


@app.callback()
def explain() -> None:
    """Why something was decided as it was, to the second and the yen."""


@app.command()
def claim(
    claim_id: Annotated[str, typer.Argument(metavar="ID")],
    lang: Annotated[Language, typer.Option(help="The language of the sentences.")] = Language.JA,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """A claim: the deadline, every second of the stops and its clause, the rate, the yen."""
    with open_house() as house:
        try:
            story = claim_story(house.session, house.rules, claim_id, ALL_THAT_IS_KNOWN)
        except UnknownClaim as unknown:
            fail(str(unknown))
    if as_json:
        emit(_as_json(story, lang), as_json=True)
    else:
        emit(None, human=lambda console: _print(console, story, lang))


def told(story: Mapping[str, Any], lang: Language) -> list[tuple[str, str]]:
    """(clause, sentence) from the first step to the yen; the decision that holds."""
    if not story["decisions"]:
        return [("premium/9.2", sentence("claim.pending", lang.value, {"month": story["claim"]["month"]}))]
    decision: Decision = story["decisions"][-1][2]
    steps = zip(decision.steps, decision.render(lang.value), strict=True)
    sentences = [(step.clause, words) for step, words in steps]
    if story["awards"] and decision.facts["reason"] in (None, "threshold"):
        award = story["awards"][-1]
        if decision.facts["seconds"] < award["seconds"]:
            sentences.append(("premium/9.2", sentence("claim.awarded.kept", lang.value, {})))
        sentences += [("premium/9.2", words) for words in _arithmetic(award, lang)]
    return sentences


def _arithmetic(award: Mapping[str, Any], lang: Language) -> list[str]:
    """How the newest award becomes yen."""
    usable = sentence("claim.awarded.usable", lang.value, {"usable_on": award["usable_from"]})
    if award["total_yen"] is None:
        return [sentence("claim.awarded.waiting", lang.value, {}), usable]
    months = {"month": 1, "year": 12}
    dearest = max(award["term_prices"], key=lambda term: Fraction(term["price_yen"], months[term["interval"]]))
    facts = {
        "price_yen": dearest["price_yen"],
        "rate": award["rate"],
        "exact": _mixed(Fraction(award["fee_basis"]) * Fraction(award["rate"])),
        "total_yen": award["total_yen"],
        "granted_yen": award["granted_yen"],
    }
    sentences = [sentence(f"claim.awarded.{dearest['interval']}", lang.value, facts)]
    if award["granted_yen"] != award["total_yen"]:
        sentences.append(sentence("claim.awarded.delta", lang.value, facts))
    return [*sentences, usable]


def _mixed(yen: Fraction) -> str:
    """88 1/3: an exact amount as people write it."""
    whole, rest = divmod(yen.numerator, yen.denominator)
    return f"{whole:,} {rest}/{yen.denominator}" if rest else f"{whole:,}"


def _as_json(story: Mapping[str, Any], lang: Language) -> dict[str, object]:
    asked = story["claim"]
    return {
        "claim": {**asked, "received_at": iso_jst(asked["received_at"])},
        "state": story["state"],
        "sentences": [{"clause": clause, "text": words} for clause, words in told(story, lang)],
        "decisions": [
            {"revision": revision, "decided_at": iso_jst(decided_at), **decision.to_json()}
            for revision, decided_at, decision in story["decisions"]
        ],
        "awards": [{**award, "decided_at": iso_jst(award["decided_at"])} for award in story["awards"]],
    }


def _print(console: Console, story: Mapping[str, Any], lang: Language) -> None:
    asked, state = story["claim"], story["state"]
    title = f"{asked['id']}  {asked['account']}  {Month.parse(asked['month'])}  {state['outcome']}"
    console.print(f"[bold]{escape(title)}[/bold]")
    for clause, words in told(story, lang):
        console.print(f"{escape(words)} [dim]{escape(clause)}[/dim]", soft_wrap=True)
    if state["waterfall"] is None:
        return
    ja = lang is Language.JA
    rows: list[tuple[str, int, str]] = [
        (sentence(f"claim.bucket.{bucket}", lang.value, {}), seconds, duration(seconds, ja))
        for bucket, seconds in state["waterfall"].items()
    ]
    total = sum(state["waterfall"].values())
    rows.append((sentence("claim.bucket.total", lang.value, {}), total, duration(total, ja)))
    console.print()
    console.print(table(("", "s", ""), rows, header=False))
    decision: Decision = story["decisions"][-1][2]
    readings = ", ".join(f"{name}={choice}" for name, choice in decision.readings.items())
    console.print(f"[dim]terms {escape(decision.terms)}; readings: {escape(readings)}[/dim]", soft_wrap=True)
