"""`keizoku terms`: what the contract says in our words, which doubts are settled how, and the clause map.

Reads the TOML in terms/ only; `map` also imports every module of billing and sla, to learn which function
decides which clause, and reads the tests of the checkout.
"""

from __future__ import annotations

import importlib
import pkgutil
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape

from keizoku.scheduler.cli.shared.inputs import AsJson
from keizoku.scheduler.cli.shared.language import both, japanese, language
from keizoku.scheduler.cli.shared.output import emit, fail, report_findings, table
from keizoku.scheduler.cli.terms import announcements, policies
from keizoku.scheduler.cli.terms.terms_diff import print_diff
from keizoku.terms import decision
from keizoku.terms.clause_map import Homes, clause_map, proofs_under, unhoused
from keizoku.terms.clauses import Clause, UnknownClauseError, clause_named
from keizoku.terms.diff import compare
from keizoku.terms.files import BadTermsError, read_toml, read_version
from keizoku.terms.own_versions import with_own_versions
from keizoku.terms.policy import Terms, Version, make_version
from keizoku.terms.readings import Reading, readings_page

__all__ = ["app", "load_homes"]

app = typer.Typer(
    help=both("The contract: clauses, numbers, readings.", "規約: 条項、数値、読み方。"), no_args_is_help=True
)
app.command("lint", help=japanese("TOMLで書かれたSLAの抜け、重なり、行き止まり。あれば終了コード 1。"))(
    policies.lint_policy
)
app.command(
    "announce", help=japanese("規約の変更をいつ、どこで周知し、いつから効力を生じるかを記録します(民法548条の4)。")
)(announcements.announce)
app.command("announced", help=japanese("周知の記録と、効力発生日の前の周知がない版。あれば終了コード 1。"))(
    announcements.announced
)
app.command("policies", help=japanese("例として付属するSLAと、その主な数値。"))(policies.list_policies)
app.command("policy", help=japanese("例の一つを、項目ごとに。"))(policies.show_policy)


class Language(StrEnum):
    """The language of gists and readings."""

    JA = "ja"
    EN = "en"
    BOTH = "both"


SPOKEN = Language(language())


Contract = Annotated[str, typer.Option(help=both("The contract, a folder of terms/.", "規約(terms/ のフォルダー)。"))]
Lang = Annotated[
    Language, typer.Option(help=both("The language; both: side by side.", "言語。both なら両方を並べます。"))
]


@app.command("list", help=japanese("すべての条項の要旨と、どこで何によって決まるか。"))
def list_clauses(contract: Contract = "premium", lang: Lang = SPOKEN, as_json: AsJson = False) -> None:
    """Every clause with its gist and who decides by it."""
    version = _newest(contract)

    def human(console: Console) -> None:
        languages = _languages(lang)
        columns = ["clause", *(f"gist ({one})" for one in languages), "status"]
        rows = [
            [clause.id, *(clause.gist(_gist(one)) for one in languages), clause.status.replace("_", " ")]
            for clause in version.clauses.values()
        ]
        console.print(table(columns, rows, title=f"{version.title} ({version.version})"))

    emit([clause.model_dump() for clause in version.clauses.values()], as_json, human)


@app.command(help=japanese("一つの条項: 要旨、どこで決まるかとその理由、数値、読み方。"))
def show(
    clause: Annotated[
        str,
        typer.Argument(
            help=both("A clause id such as premium/9.4.2, or just 9.4.2.", "条項。premium/9.4.2、または 9.4.2。")
        ),
    ],
    contract: Contract = "premium",
    lang: Lang = SPOKEN,
    as_json: AsJson = False,
) -> None:
    """One clause: its gist, who decides by it and why, its numbers and readings."""
    version = _newest(clause.partition("/")[0] if "/" in clause else contract)
    found = _clause(version, clause)
    sources = version.policy.sources() if version.policy else []
    numbers = {path: value or None for path, value, source in sources if source == found.id}
    readings = [reading for reading in version.readings.values() if reading.clause == found.id]

    def human(console: Console) -> None:
        console.print(f"[bold]{escape(found.id)}[/bold]  {escape(version.title)} ({version.version})")
        for one in _languages(lang):
            console.print(escape(found.gist(_gist(one))))
        console.print(escape(f"{found.status.replace('_', ' ')}: {found.why}"))
        for path, value in numbers.items():
            console.print(escape(f"  {path} = {value or 'left blank'}"))
        for reading in readings:
            console.print(escape(f"  reading {reading.name}: {reading.default}"))

    emit(
        {**found.model_dump(), "numbers": numbers, "readings": [_reading(one) for one in readings]},
        as_json,
        human,
    )


@app.command("readings", help=japanese("規約の文言が答えを示さない問い、当社の読み方(*)、他に選べるもの。"))
def list_readings(
    contract: Contract = "premium",
    lang: Lang = SPOKEN,
    write: Annotated[
        bool, typer.Option("--write", help=both("Write the page of the documents.", "文書のページを書き出します。"))
    ] = False,
    output: Annotated[
        Path | None, typer.Option(help=both("The generated page. Default: those of the documents.", "生成するページ。"))
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Every question that the text leaves open, how we read it (*), and what else could be chosen."""
    readings = _newest(contract).readings.values()
    if write:
        for each, page in [(contract, output)] if output is not None else READINGS.items():
            Path(page).write_text(readings_page(_newest(each).readings, each), encoding="utf-8")
        return

    def human(console: Console) -> None:
        for reading in readings:
            console.print(f"[bold]{escape(reading.name)}[/bold]  {escape(reading.clause)}")
            for one in _languages(lang):
                for line in _reading_lines(reading, ja=one is Language.JA):
                    console.print(escape(line))

    emit([_reading(reading) for reading in readings], as_json, human)


@app.command("diff", help=japanese("規約の二つの版: 追加、削除、変更された条項。数値と読み方を並べて示します。"))
def diff_versions(
    old: Annotated[
        str,
        typer.Argument(
            metavar="OLD",
            help=both(
                "CONTRACT/VERSION, or the file of an own version.", "CONTRACT/VERSION、または独自の版のファイル。"
            ),
        ),
    ],
    new: Annotated[
        str,
        typer.Argument(
            metavar="NEW",
            help=both(
                "CONTRACT/VERSION, or the file of an own version.", "CONTRACT/VERSION、または独自の版のファイル。"
            ),
        ),
    ],
    lang: Lang = SPOKEN,
    as_json: AsJson = False,
) -> None:
    """Two versions of a contract: clauses added, removed, changed; numbers and readings side by side."""
    try:
        found = compare(_version_named(old), _version_named(new))
    except ValueError as error:
        fail(str(error))
    emit(found.to_json(), as_json, lambda console: print_diff(console, found, [_gist(one) for one in _languages(lang)]))


@app.command(
    "check", help=japanese("独自の版の有料規約が使えるか: 日付、条項、数値、読み方(使えなければ終了コード 1)。")
)
def check_versions(
    path: Annotated[
        Path,
        typer.Argument(
            exists=True,
            help=both("A folder of own versions, or the TOML of one.", "独自の版のフォルダー、または一つの版のTOML。"),
        ),
    ],
    announced: Annotated[
        bool,
        typer.Option(
            "--announced",
            help=both(
                "Also whether the database has the announcement that each change needs before its day.",
                "各変更に必要な効力発生日前の周知がデータベースに記録されているかも確かめます。",
            ),
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Whether own versions of the premium terms can be used: days, clauses, numbers, readings (exit 1 if not)."""
    merged, findings = with_own_versions(Terms.load(), path)
    if announced:
        findings = [*findings, *announcements.lacking(str(path), merged.versions)]
    code = report_findings(findings, as_json)
    if not code and not as_json:
        emit([f"{each.version}: {each.in_force_from} to {each.in_force_until or 'open'}" for each in merged.versions])
    raise typer.Exit(code)


@app.command(
    "map",
    help=japanese(
        "条項の地図: 条項ごとに、決める関数と証明するテスト。\n\n"
        "--write か --check のとき、計算する条項に関数かテストがないか、ファイルが古"
        "ければ終了コード 1。"
    ),
)
def map_clauses(
    write: Annotated[bool, typer.Option("--write", help=both("Write the file.", "ファイルに書き出します。"))] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help=both("Only check that the file is up to date.", "ファイルが最新かどうかだけを確かめます。")
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            help=both(
                "The generated file. Default: each contract's own page in docs/reference.",
                "生成するファイル。省略すると docs/reference の契約ごとのページ。",
            )
        ),
    ] = None,
    tests: Annotated[Path, typer.Option(help=both("The folder of tests.", "テストのフォルダー。"))] = Path("tests"),
    contract: Contract = "premium",
) -> None:
    """The clause map: each clause with the function that decides it and the tests that prove it.

    With --write or --check: exit code 1 if a computed clause lacks its home or its test, or the file is old.
    """
    if not tests.is_dir():
        fail(f"no folder {tests}: the clause map is made in a checkout of the project")
    if not (write or check):
        typer.echo(_map_of(contract, tests)[0], nl=False)
        return
    complaints = []
    for each, page in [(contract, output)] if output is not None else CLAUSE_MAPS.items():
        text, missing = _map_of(each, tests)
        complaints += missing
        if write:
            page.write_text(text, encoding="utf-8")
        elif not page.exists() or page.read_text(encoding="utf-8") != text:
            complaints.append(f"{page}: not up to date; write it with `keizoku terms map --write`")
    raise typer.Exit(report_findings(complaints))


READINGS = {"premium": Path("docs/reference/readings.md"), "api_link": Path("docs/reference/readings-api-link.md")}
"""The page of the documents with each contract's readings."""
CLAUSE_MAPS = {
    "premium": Path("docs/reference/clause-map.md"),
    "api_link": Path("docs/reference/clause-map-api-link.md"),
}
"""The page of each contract whose clauses are mapped."""


def _map_of(contract: str, tests: Path) -> tuple[str, list[str]]:
    """A contract's map, and what breaks the rule of a home and a test."""
    known = _newest(contract).clauses
    homes = {clause: places for clause, places in load_homes().items() if clause.startswith(f"{contract}/")}
    proofs = proofs_under(tests, known)
    text = clause_map(known, homes, proofs, readings_by_clause(contract), READINGS[contract].name)
    return text, unhoused(known, homes, proofs)


@app.command("refusals", help=japanese("断りの種類のすべて: コード、条項、どんなときに断るか。両言語で。"))
def list_refusals(
    write: Annotated[bool, typer.Option("--write", help=both("Write the file.", "ファイルに書き出します。"))] = False,
    output: Annotated[Path, typer.Option(help=both("The generated file.", "生成するファイル。"))] = Path(
        "docs/reference/refusals.md"
    ),
) -> None:
    """Every kind of refusal: its code, its clause, and when it is raised, in both languages."""
    from keizoku.terms.refusal import reference

    if write:
        output.write_text(reference(), encoding="utf-8")
    else:
        typer.echo(reference(), nl=False)


def readings_by_clause(contract: str = "premium") -> dict[str, tuple[str, ...]]:
    """The names of a contract's readings, newest version, by the clause that they read."""
    found: dict[str, tuple[str, ...]] = {}
    for reading in _newest(contract).readings.values():
        found[reading.clause] = (*found.get(reading.clause, ()), reading.name)
    return found


def load_homes() -> Homes:
    """clause -> the functions that decide it, after importing every module of the packages that decide.

    A module outside them that used `@decides` would be missing from the map; a test looks for one.
    """
    from keizoku import billing, link, sla
    from keizoku.scheduler import backup

    for package in (billing, link, sla, backup):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    return decision.homes()


def _version_named(wanted: str) -> Version:
    """CONTRACT/VERSION of this release, or the main file of a version elsewhere."""
    try:
        if wanted.endswith(".toml"):
            file = Path(wanted)
            contract = read_toml(file).get("contract", {}).get("name", "")
            return make_version(read_version(str(contract), file))
        contract, _, version = wanted.partition("/")
        versions = {each.version: each for each in Terms.load(contract).versions}
    except BadTermsError as error:
        fail(str(error))
    if version not in versions:
        fail(f"{contract} has no version {version!r}; it has {', '.join(versions)}")
    return versions[version]


def _newest(contract: str) -> Version:
    try:
        return Terms.load(contract).versions[-1]
    except BadTermsError as error:
        fail(str(error))


def _clause(version: Version, wanted: str) -> Clause:
    try:
        return clause_named(version.clauses, wanted)
    except UnknownClauseError as unknown:
        fail(str(unknown))


def _languages(lang: Language) -> tuple[Language, ...]:
    return (Language.JA, Language.EN) if lang is Language.BOTH else (lang,)


def _gist(one: Language) -> Literal["ja", "en"]:
    return "ja" if one is Language.JA else "en"


def _reading(reading: Reading) -> dict[str, Any]:
    return {**reading.model_dump(), "alternatives": [choice.name for choice in reading.alternatives]}


def _reading_lines(reading: Reading, *, ja: bool) -> list[str]:
    lines = [f"    {reading.question_ja if ja else reading.question_en}"]
    for choice in reading.choices:
        mark = "*" if choice.name == reading.default else " "
        lines.append(f"  {mark} {choice.name}: {choice.ja if ja else choice.en}")
    lines.append(f"    {'理由' if ja else 'because'}: {reading.reason_ja if ja else reading.reason_en}")
    return lines
