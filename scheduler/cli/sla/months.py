"""`keizoku sla history | replay | differences | report`: a month as it was known, as it would be, as a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from keizoku.scheduler.cli.shared.context import ALL_THAT_IS_KNOWN, open_services
from keizoku.scheduler.cli.shared.inputs import SPOKEN, AsJson, Language, instant, month_of
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.output import emit, fail, table
from keizoku.terms.calendar import Month
from keizoku.terms.words import duration, yen
from keizoku.terms.words import instant as instant_text

if TYPE_CHECKING:
    from keizoku.scheduler.reports.reading_differences import Difference
    from keizoku.scheduler.reports.replay import Replay
    from keizoku.scheduler.reports.review_log import Review
    from keizoku.sla.months.history_rows import HistoryRow
    from keizoku.terms.rules import Rules

MonthText = Annotated[
    str, typer.Argument(metavar="MONTH", help=both("The month of the outages: 2026-04.", "停止のあった月: 2026-04。"))
]
FEW_CLAIMS = 3
"""A terminal shows more claims in a row than these as one line."""
SHOWN = 20
"""Claims and accounts that a terminal shows; --json has them all."""


class PageLanguage(StrEnum):
    """The language of a page, or both on it."""

    JA = "ja"
    EN = "en"
    BOTH = "both"


Lang = Annotated[Language, typer.Option(help=both("The language.", "言語。"))]


def add_to(app: typer.Typer) -> None:
    """Put these commands under `keizoku sla`."""
    app.command("history", help=japanese("月について何をいつ知り、毎夜の見直しがどう判断したか。"))(history)
    app.command("replay", help=japanese("月とその申請を計算し直し、現在との差を示します。何も保存しません。"))(replay)
    app.command(
        "differences", help=japanese("いま知っていることでは低くなる認容額。認容額はそのままで、差を経理に示します。")
    )(differences)
    app.command(
        "report",
        help=japanese("月次報告を書き出します: HTML、CSV、JSON、PDF。すべての時間帯の証拠と条項、待っているもの。"),
    )(report)


def history(month: MonthText, lang: Lang = SPOKEN, as_json: AsJson = False) -> None:
    """What was known of a month and when, and what each night's review made of it."""
    from keizoku.scheduler.reports.review_log import reviews_of
    from keizoku.sla.months.history import history_of

    about = month_of(month)
    with open_services() as services:
        _covered(services.rules, about)
        rows = history_of(services.session, services.rules, about, ALL_THAT_IS_KNOWN)
        reviews = reviews_of(services.session, services.rules, about, ALL_THAT_IS_KNOWN)
    if as_json:
        shown = {
            "month": str(about),
            "known": [row.to_json() for row in rows],
            "reviews": [review.to_json() for review in reviews],
        }
        emit(shown, as_json=True)
    elif not rows and not reviews:
        emit("この月について分かっていることはありません" if lang is Language.JA else "nothing is known of this month")
    else:
        emit(None, human=lambda console: _print_history(console, about, rows, reviews, lang))


def replay(
    month: MonthText,
    as_known_at: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help=both(
                "As recorded by then; JST unless it has an offset.",
                "その時点までの記録によります。時差の指定がなければ日本時間。",
            ),
        ),
    ] = "",
    reading: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help=both(
                "Take another reading of the contract (`keizoku terms readings`); repeatable.",
                "規約の別の読み方(`keizoku terms readings`)。繰り返し可。",
            ),
        ),
    ] = None,
    lang: Lang = SPOKEN,
    as_json: AsJson = False,
) -> None:
    """Work a month and its claims out again, saving nothing, and show the difference to what stands now."""
    from keizoku.scheduler.reports import replay as what_if
    from keizoku.sla.months.month_facts import NoPopulationError
    from keizoku.terms.policy import UnknownReadingError

    about, at = month_of(month), instant(as_known_at) if as_known_at else None
    chosen = _readings(reading or [])
    with open_services() as services:
        _covered(services.rules, about)
        try:
            found = what_if.replay(services.session, services.rules, about, as_known_at=at, readings=chosen)
        except UnknownReadingError as error:
            fail(f"--reading: {error}")
        except NoPopulationError as error:
            fail(f"{error} (nobody had by {as_known_at})" if as_known_at else str(error))
    emit(found.to_json(), as_json, lambda console: _print_replay(console, found, lang))


def differences(
    month: Annotated[
        str, typer.Argument(metavar="[MONTH]", help=both("Only this month: 2026-04.", "この月のものだけ: 2026-04。"))
    ] = "",
    lang: Lang = SPOKEN,
    as_json: AsJson = False,
) -> None:
    """Awards that would be lower by what is known now: they stay as awarded, finance is shown the difference."""
    from keizoku.scheduler.reports.reading_differences import award_differences

    about = month_of(month) if month else None
    with open_services() as services:
        if about:
            _covered(services.rules, about)
        found = award_differences(services.session, services.rules, about, ALL_THAT_IS_KNOWN)
    if as_json:
        emit([each.to_json() for each in found], as_json=True)
    elif not found:
        emit(
            "いまの判定より高い認容額はありません"
            if lang is Language.JA
            else "no award is higher than what would be found now"
        )
    else:
        emit(None, human=lambda console: _print_differences(console, found, lang))


def report(
    month: MonthText,
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help=both(
                "The folder for the four files; it is created if need be.",
                "四つのファイルを置くフォルダー。なければ作ります。",
            ),
        ),
    ],
    lang: Annotated[
        PageLanguage,
        typer.Option(
            help=both("The language of page, PDF, CSV; both: in one.", "ページ、PDF、CSVの言語。both なら一つに両方。")
        ),
    ] = PageLanguage.BOTH,
    as_json: AsJson = False,
) -> None:
    """Write the month's report: HTML, CSV, JSON, PDF; each window with evidence and clause, and what it waits for."""
    from keizoku.scheduler.reports.sla_report import month_report, write_report

    about = month_of(month)
    with open_services() as services:
        _covered(services.rules, about)
        made = month_report(services.session, services.rules, about, ALL_THAT_IS_KNOWN, datetime.now(UTC))
    try:
        paths = write_report(made, out, ("ja", "en") if lang is PageLanguage.BOTH else (lang.value,))
    except OSError as error:
        fail(f"--out {out}: {error.strerror}")
    if as_json:
        emit(made.to_json(), as_json=True)
        return
    state = "final" if made.final else "not final: " + "; ".join(each.text("en") for each in made.waits)
    emit([*map(str, paths), f"{about}: {state}"])


def _covered(rules: Rules, month: Month) -> None:
    from keizoku.terms.policy import UncoveredDateError

    try:
        rules.terms.of_month(month)
    except UncoveredDateError as error:
        fail(f"{month}: {error}")


def _readings(written: list[str]) -> dict[str, str]:
    chosen: dict[str, str] = {}
    for pair in written:
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not (equals and name and value):
            fail(f"--reading {pair}: write NAME=VALUE, such as short_stop=what_is_left")
        if chosen.get(name, value) != value:
            fail(f"--reading {name}: given twice, {chosen[name]} and {value}")
        chosen[name] = value
    return chosen


def _print_history(
    console: Console, month: Month, rows: list[HistoryRow], reviews: list[Review], lang: Language
) -> None:
    known: list[HistoryRow | Review] = [*rows, *reviews]
    known.sort(key=lambda each: each.known_at)
    columns = ("いつ知ったか", "何を", "時間帯", "誰が", "理由", "ファイル")
    if lang is Language.EN:
        columns = ("known at", "what", "when it holds", "by", "ground", "file")
    console.print(table(columns, _history_rows(known, lang), title=f"[bold]{month}[/]"))


def _history_rows(known: list[HistoryRow | Review], lang: Language) -> Iterator[tuple[str, ...]]:
    from keizoku.scheduler.reports.review_log import Review
    from keizoku.scheduler.reports.sentences import claims_text, row_text, windows_text

    ja = lang is Language.JA
    for is_claim, run in groupby(known, key=lambda each: getattr(each, "kind", "") == "claim"):
        together = list(run)
        if is_claim and len(together) > FEW_CLAIMS:
            text = claims_text([each for each in together if not isinstance(each, Review)], lang.value)
            yield (instant_text(together[-1].known_at, ja), text, "", "", "", "")
            continue
        for each in together:
            known_at = instant_text(each.known_at, ja)
            if isinstance(each, Review):
                yield (known_at, "\n".join(_review_lines(each, lang)), "", "", "", "")
            else:
                what = f"{each.subject}: " if each.subject else ""
                what += row_text(each, lang.value)
                yield (known_at, what, windows_text(each, lang.value), each.author, each.ground, each.source)


def _review_lines(review: Review, lang: Language) -> Iterator[str]:
    from keizoku.scheduler.reports.sentences import not_lowered_text, review_text, state_text

    yield review_text(review, lang.value)
    for each in review.changed[:SHOWN]:
        yield f"  {each.claim_id}: {state_text(each.before, lang.value)} → {state_text(each.after, lang.value)}"
    if len(review.changed) > SHOWN:
        yield f"  … {len(review.changed) - SHOWN:,}"
    for fall in review.not_lowered[:SHOWN]:
        yield f"  {not_lowered_text(fall, lang.value)}"


def _print_replay(console: Console, found: Replay, lang: Language) -> None:
    from keizoku.scheduler.reports.sentences import state_text
    from keizoku.sla.pictures.timeline import CLAUSES, LOOKS

    ja = lang is Language.JA
    console.print(f"[bold]{found.month}[/] {escape(_asked(found, ja))}")
    names = {"gross": "停止時間の合計" if ja else "all outages"}
    names |= {bucket: look.ja if ja else look.en for bucket, look in LOOKS.items()}
    heads: tuple[str, ...] = (
        ("", "条項", "いま", "再計算", "差(秒)", "") if ja else ("", "clause", "stands", "replayed", "s", "")
    )
    console.print(
        table(
            heads,
            (
                (
                    names[bucket],
                    CLAUSES.get(bucket, ""),
                    current,
                    replayed,
                    _signed(replayed - current),
                    duration(replayed - current, ja) if replayed != current else "",
                )
                for bucket, (current, replayed) in found.buckets().items()
            ),
        )
    )
    results = found.changed_results()
    only_seconds = len(found.changed_claims) - len(results) - sum(x.replayed is None for x in found.changed_claims)
    if ja:
        text = f"申請 {found.claims:,}件: 結果が変わるもの {len(results):,}件、時間だけ変わるもの {only_seconds:,}件"
        text += f"、まだ届いていないもの {found.not_yet_received:,}件" if found.not_yet_received else ""
    else:
        text = f"{found.claims:,} claims: {len(results):,} with another outcome, {only_seconds:,} only other seconds"
        text += f", {found.not_yet_received:,} not received by then" if found.not_yet_received else ""
    if found.claims_held:
        held_ja = f"、測定値のない時間に結果がかかり、そのままとしたもの {found.claims_held:,}件"
        text += held_ja if ja else f", {found.claims_held:,} hang on time without a sample and are left as they stand"
    console.print(f"\n{text}")
    if results:
        heads = ("申請", "アカウント", "いま", "再計算") if ja else ("claim", "account", "stands", "replayed")
        rows = (
            (each.claim_id, each.account, state_text(each.current, lang.value), state_text(each.replayed, lang.value))
            for each in results[:SHOWN]
        )
        console.print(table(heads, rows))
        if len(results) > SHOWN:
            console.print(f"… {len(results) - SHOWN:,} (--json)")
    difference = found.replayed_yen - found.current_yen
    label = "減額" if ja else "awards"
    console.print(
        f"\n{label}: {yen(found.current_yen, ja)} → {yen(found.replayed_yen, ja)} "
        f"({_signed(difference)}; {len(found.changed_yen):,} {'アカウント' if ja else 'accounts'})"
    )
    console.print(f"[dim]{'何も保存していません。' if ja else 'Nothing was saved.'}[/]")


def _asked(found: Replay, ja: bool) -> str:
    asked = []
    if found.as_known_at is not None:
        known_at = instant_text(found.as_known_at, ja)
        asked.append(f"{known_at}までに知ったことで" if ja else f"as known at {known_at}")
    asked += [f"{name}={choice}" for name, choice in found.readings.items()]
    return ("、" if ja else ", ").join(asked) or ("いま知っていることで" if ja else "as known now")


def _signed(difference: int) -> str:
    return f"{difference:+,}" if difference else "0"


def _print_differences(console: Console, found: list[Difference], lang: Language) -> None:
    ja = lang is Language.JA
    heads: tuple[str, ...] = ("account", "month", "awarded", "would be", "above", "why", "settled by")
    if ja:
        heads = ("アカウント", "月", "認めた額", "いまの判定", "差", "理由", "処理済み")
    rows = (
        (
            each.account,
            str(each.month),
            yen(each.awarded_yen, ja),
            yen(each.would_be_yen, ja),
            yen(each.above_yen, ja),
            "\n".join(_why(each, ja)),
            each.settled_by,
        )
        for each in found
    )
    console.print(table(heads, rows))
    total = sum(each.above_yen for each in found)
    console.print(f"{'差の合計' if ja else 'above in all'}: {yen(total, ja)}")


def _why(each: Difference, ja: bool) -> Iterator[str]:
    yield from _seconds_texts(each.seconds, ja)
    if each.since:
        yield ("その後の記録: " if ja else "recorded since: ") + ", ".join(each.since)


def _seconds_texts(seconds: Mapping[str, tuple[int, int]], ja: bool) -> Iterator[str]:
    from keizoku.sla.pictures.timeline import CLAUSES, LOOKS

    for bucket, (then, now) in seconds.items():
        name = LOOKS[bucket].ja if ja else LOOKS[bucket].en
        yield f"{name} ({CLAUSES[bucket]}): {duration(then, ja)} → {duration(now, ja)}"
