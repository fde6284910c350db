"""`keizoku plan` and `keizoku price`: plans, their dated prices, and what a change would do before it is made (4.3)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from keizoku.scheduler.cli.shared.act_key import Key, key_of
from keizoku.scheduler.cli.shared.context import services_now
from keizoku.scheduler.cli.shared.inputs import AsJson, Recorder, day, recorder
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import SHOWN, After, All, Limit, Page, emit_rows
from keizoku.scheduler.cli.shared.output import emit, fail, note, report_findings
from keizoku.terms.calendar import jst_day

if TYPE_CHECKING:
    from keizoku.billing.rules.price_simulation import Simulation

plans = typer.Typer(
    help=both("Plans of monthly or yearly terms: add, list.", "月払い・年払いのプラン: 追加、一覧。"),
    no_args_is_help=True,
)
app = typer.Typer(
    help=both("Dated prices of plans: add, list, simulate.", "プランの日付つき料金: 追加、一覧、試算。"),
    no_args_is_help=True,
)

Plan = Annotated[
    str,
    typer.Argument(metavar="PLAN", help=both("A plan of `keizoku plan list`.", "`keizoku plan list` にあるプラン。")),
]
Yen = Annotated[
    int, typer.Argument(metavar="YEN", help=both("Whole yen of a term, tax included.", "契約期間の料金。円、税込み。"))
]
Announced = Annotated[
    str,
    typer.Option(
        "--announced",
        metavar="DATE",
        help=both("When users were or will be notified.", "利用者に知らせた日、または知らせる日。"),
    ),
]
NewFrom = Annotated[
    str,
    typer.Option(
        "--new-from", metavar="DATE", help=both("First day for new contracts.", "新規契約に適用する最初の日。")
    ),
]
RenewalsFrom = Annotated[
    str,
    typer.Option("--renewals-from", metavar="DATE", help=both("First day for renewals.", "更新に適用する最初の日。")),
]
Cohort = Annotated[
    list[str] | None,
    typer.Option(
        "--account",
        metavar="ACCOUNT",
        help=both("Only for this account; may be repeated.", "このアカウントだけが対象。繰り返し可。"),
    ),
]
CohortFile = Annotated[
    Path | None,
    typer.Option(
        "--accounts",
        exists=True,
        dir_okay=False,
        help=both("Only for these: a file, one a line.", "このファイルのアカウントだけが対象。1行に一つ。"),
    ),
]


@plans.command("add", help=japanese("プランを登録します。料金が付けば販売できます。"))
def add_plan(
    code: Annotated[str, typer.Argument(metavar="CODE", help=both("The name of the plan.", "プランの名前。"))],
    interval: Annotated[str, typer.Argument(metavar="INTERVAL", help=both("month or year.", "month か year。"))],
) -> None:
    """Declare a plan. It can be sold once it has a price."""
    with services_now() as (services, now):
        services.billing.add_plan(code, interval, now=now)
    emit(f"plan {code}: terms of one {interval}")


@plans.command("list", help=japanese("プランと、今日の新規・更新の料金、動いている契約の数。"))
def list_plans(
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Plans with today's prices for new contracts and for renewals, and how many contracts run."""
    from keizoku.billing.accounts.contract_lists import plan_list

    with services_now() as (services, now):
        rows = plan_list(services.session, jst_day(now))
    emit_rows(rows, Page.wanted(limit, after, everything), "no plans yet: `keizoku plan add`", as_json, "plan")


@app.command(
    "add", help=japanese("料金を三つの日付とともに記録します。予告が短すぎれば、可能な最も早い日を示して断ります。")
)
def add_price(
    plan: Plan,
    yen: Yen,
    announced: Announced,
    new_from: NewFrom,
    renewals_from: RenewalsFrom,
    account: Cohort = None,
    accounts: CohortFile = None,
    ground: Annotated[
        str | None,
        typer.Option(help=both("Why it is recorded only now, if announced before.", "過去の告知を今記録する理由。")),
    ] = None,
    proof: Annotated[
        str | None,
        typer.Option(
            help=both(
                "What shows that announcement: a page, a file and its SHA-256.",
                "その告知を示すもの(ページ、ファイルとSHA-256など)。",
            )
        ),
    ] = None,
    author: Recorder = "",
    key: Key = "",
) -> None:
    """Record a price with its three dates. Too short a notice is refused, with the earliest days that would do."""
    days = [day(each) for each in (announced, new_from, renewals_from)]
    used = key_of(key)
    with services_now() as (services, now):
        services.billing.price(
            plan,
            yen,
            announced=days[0],
            for_new_from=days[1],
            for_renewals_from=days[2],
            cohort=_cohort(account, accounts),
            ground=ground,
            proof=proof,
            by=recorder(author),
            key=used,
            now=now,
        )
    emit(f"plan {plan}: {yen:,} yen for new contracts from {days[1]}, for renewals from {days[2]}")


@app.command("list", help=japanese("これまでに記録したすべての料金と日付。`cohort` は対象のアカウントの数。"))
def list_prices(
    plan: Annotated[
        str | None, typer.Argument(metavar="PLAN", help=both("Only this plan.", "このプランのものだけ。"))
    ] = None,
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Every price ever recorded, with its dates; `cohort` is the number of accounts that it is for."""
    from keizoku.billing.accounts.contract_lists import price_list

    with services_now() as (services, _):
        rows = price_list(services.session, plan)
    emit_rows(rows, Page.wanted(limit, after, everything), "no prices", as_json)


@app.command(
    "simulate",
    help=japanese("改定が、誰に、いつ、いくらからいくらへ及ぶか。何も保存しません。断られる内容なら終了コード 1。"),
)
def simulate_price(
    plan: Plan,
    yen: Yen,
    announced: Announced,
    new_from: NewFrom,
    renewals_from: RenewalsFrom,
    account: Cohort = None,
    accounts: CohortFile = None,
    as_json: AsJson = False,
) -> None:
    """Whom a change would affect, when, and at which price. Saves nothing; exit 1 if it would be refused."""
    days = [day(each) for each in (announced, new_from, renewals_from)]
    with services_now() as (services, now):
        simulation, findings = services.billing.simulate_price(
            plan,
            yen,
            announced=days[0],
            for_new_from=days[1],
            for_renewals_from=days[2],
            cohort=_cohort(account, accounts),
            now=now,
        )
    if as_json:
        emit({**_plain(simulation), "refused": findings, "accounts": simulation.touched}, as_json=True)
    else:
        for line in _sentences(simulation):
            note(line)
        emit(simulation.by_date() or "no running contract is affected")
        report_findings(findings)
    raise typer.Exit(1 if findings else 0)


def _plain(simulation: Simulation) -> dict[str, Any]:
    change = simulation.change
    return {
        "plan": change.plan,
        "yen": change.yen,
        "new_contracts": {
            "from": change.for_new_from,
            "before_yen": simulation.new_before_yen,
            "after_yen": simulation.new_after_yen,
        },
        "touched": len(simulation.touched),
        "ending_before": simulation.ending,
        "untouched": simulation.untouched,
        "by_date": simulation.by_date(),
    }


def _sentences(simulation: Simulation) -> Iterator[str]:
    change = simulation.change
    before = "no price" if simulation.new_before_yen is None else f"{simulation.new_before_yen:,} yen"
    yield f"new contracts from {change.for_new_from}: {before} -> {simulation.new_after_yen:,} yen"
    yield (
        f"running contracts touched: {len(simulation.touched):,}; ending before it: {simulation.ending:,}; "
        f"not touched: {simulation.untouched:,}"
    )


def _cohort(named: list[str] | None, file: Path | None) -> list[str] | None:
    """The accounts that a price is for; None: all."""
    from keizoku.terms.inputs.input_files import read_whole

    if not named and file is None:
        return None
    try:
        listed = read_whole(file).decode("utf-8-sig").splitlines() if file is not None else []
    except UnicodeDecodeError:
        fail(f"{file}: not UTF-8; save the file as UTF-8")
    return [*(named or ()), *(line.strip() for line in listed if line.strip())]
