"""`keizoku explain`: why something was decided as it was, to the second and the yen."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from keizoku.scheduler.cli.money import explain_money
from keizoku.scheduler.cli.shared.context import ALL_THAT_IS_KNOWN, open_services
from keizoku.scheduler.cli.shared.ids import ClaimId
from keizoku.scheduler.cli.shared.language import both, japanese, language
from keizoku.scheduler.cli.shared.output import FOUND, emit, fail, note, table
from keizoku.scheduler.files import write_whole
from keizoku.terms.calendar import Month
from keizoku.terms.words import duration

if TYPE_CHECKING:
    from keizoku.scheduler.reports.claim_page import ClaimExplained
    from keizoku.terms.rendering import Lang

app = typer.Typer(
    help=both("Why something was decided as it was.", "なぜその判定・金額になったのかを説明します。"),
    no_args_is_help=True,
)
explain_money.add_to(app)


class Languages(StrEnum):
    """The language of an explanation, or both on one page."""

    JA = "ja"
    EN = "en"
    BOTH = "both"


SPOKEN = Languages(language())
LANGS: dict[Languages, tuple[Lang, ...]] = {
    Languages.JA: ("ja",),
    Languages.EN: ("en",),
    Languages.BOTH: ("ja", "en"),
}


@app.callback(
    help=both(
        "Why something was decided as it was, to the second and the yen.",
        "なぜその判定・金額になったのかを、秒と円まで説明します。",
    )
)
def explain() -> None:
    """Why something was decided as it was, to the second and the yen."""


@app.command(help=japanese("一つの申請: 期限、停止の一秒ごとの条項、決め手、率、金額。"))
def claim(
    claim_id: ClaimId,
    lang: Annotated[
        Languages,
        typer.Option(help=both("The language of the sentences; both: on one page.", "文の言語。both なら一枚に両方。")),
    ] = SPOKEN,
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="OUT.html",
            help=both("Write a page that opens offline.", "オフラインで開けるページを書き出します。"),
        ),
    ] = None,
    svg: Annotated[
        Path | None, typer.Option(metavar="OUT.svg", help=both("Write the pictures alone.", "図だけを書き出します。"))
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help=both("As JSON.", "JSONで出力します。"))] = False,
) -> None:
    """A claim: the deadline, every second of the outages and its clause, what decided, the rate, the yen."""
    from keizoku.scheduler.reports.claim_page import claim_page, claim_picture, explain_claim
    from keizoku.sla.months.month_facts import NoPopulationError

    with open_services() as services:
        try:
            explained = explain_claim(services.session, services.rules, claim_id, ALL_THAT_IS_KNOWN)
        except NoPopulationError as error:
            fail(str(error), FOUND)
        langs = LANGS[lang]
        if html is not None:
            _write(html, claim_page(explained, langs), "page")
        if svg is not None:
            _write(svg, claim_picture(explained, langs[0]), "picture")
        if as_json:
            emit(explained.to_json(langs[0]), as_json=True)
        else:
            emit(None, human=lambda console: _print(console, explained, langs))


def _write(path: Path, text: str, what: str) -> None:
    try:
        write_whole(path, text)
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    note(f"{what}: {path}")


def _print(console: Console, explained: ClaimExplained, langs: tuple[Lang, ...]) -> None:
    from keizoku.sla.claims.explanation import claim_sentences
    from keizoku.terms.rendering import sentence

    claim, status = explained.explanation.claim, explained.explanation.status
    title = f"{claim.id}  {claim.account}  {Month.parse(claim.month)}  {status.outcome}"
    console.print(f"[bold]{escape(title)}[/bold]")
    for lang in langs:
        for clause, words in claim_sentences(explained.explanation, lang):
            console.print(f"{escape(words)} [dim]{escape(clause)}[/dim]", soft_wrap=True)
        for words in explained.decisive_sentences(lang):
            console.print(escape(words), soft_wrap=True)
    decision = explained.decision
    if decision is None or status.waterfall is None:
        return
    lang, ja = langs[0], langs[0] == "ja"
    rows: list[tuple[str, int, str]] = [
        (sentence(f"claim.bucket.{bucket}", lang, {}), seconds, duration(seconds, ja))
        for bucket, seconds in status.waterfall.items()
    ]
    total = sum(status.waterfall.values())
    rows.append((sentence("claim.bucket.total", lang, {}), total, duration(total, ja)))
    console.print()
    console.print(table(("", "s", ""), rows, header=False))
    readings = ", ".join(f"{name}={choice}" for name, choice in decision.readings.items())
    versions = f"規約 {decision.terms}、読み方: {readings}" if ja else f"terms {decision.terms}; readings: {readings}"
    console.print(f"[dim]{escape(versions)}[/dim]", soft_wrap=True)
