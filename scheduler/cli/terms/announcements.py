"""`keizoku terms announce` and `announced`: when and where a change of the terms was made known (Civil Code 548-4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from keizoku.scheduler.cli.shared.context import open_services, services_now
from keizoku.scheduler.cli.shared.inputs import AsJson, Recorder, day, recorder
from keizoku.scheduler.cli.shared.language import both
from keizoku.scheduler.cli.shared.output import emit, report_findings
from keizoku.terms.decision import Finding
from keizoku.terms.policy import Version

__all__ = ["announce", "announced", "lacking"]


def announce(
    version: Annotated[
        str, typer.Argument(metavar="VERSION", help=both("The new version: 2030-04-01.", "新しい版: 2030-04-01。"))
    ],
    published: Annotated[
        str, typer.Option("--published", metavar="DATE", help=both("When it was made known.", "周知した日。"))
    ],
    effective: Annotated[
        str, typer.Option("--effective", metavar="DATE", help=both("From which day it holds.", "効力を生じる日。"))
    ],
    where: Annotated[
        str,
        typer.Option("--where", help=both("Where: a page, the app, letters.", "周知した場所(ページ、書面など)。")),
    ],
    beneficial: Annotated[
        bool,
        typer.Option(
            "--beneficial",
            help=both("The change is wholly to the users' benefit.", "変更は利用者の一般の利益に適合する。"),
        ),
    ] = False,
    ground: Annotated[
        str | None,
        typer.Option(
            help=both(
                "Why it is recorded only now, or why it is beneficial.",
                "過去の周知を記録する理由、利益に適合する理由。",
            )
        ),
    ] = None,
    proof: Annotated[
        str | None, typer.Option(help=both("What shows an earlier announcement.", "過去の周知を示すもの。"))
    ] = None,
    author: Recorder = "",
) -> None:
    """Record that new terms were announced: when, where, and from which day they hold (Civil Code 548-4)."""
    published_on, effective_on = day(published), day(effective)
    with services_now() as (services, now):
        services.billing.announce_terms(
            version,
            published_on=published_on,
            effective_on=effective_on,
            place=where,
            beneficial=beneficial,
            ground=ground,
            proof=proof,
            by=recorder(author),
            now=now,
        )
    emit(f"terms {version}: announced on {published_on} for {effective_on}")


def lacking(source: str, versions: Sequence[Version]) -> list[Finding]:
    """Of each version that changes something: that the database has no announcement of it before its day."""
    from keizoku.billing.services.operator_acts import terms_announcements
    from keizoku.terms.law.announcements import unannounced

    with open_services() as services:
        return unannounced(source, versions, terms_announcements(services.session))


def announced(as_json: AsJson = False) -> None:
    """The announcements, and every version in use that lacks one before its day. Exit code 1 if there is any."""
    from keizoku.billing.services.operator_acts import terms_announcements
    from keizoku.terms.law.announcements import unannounced

    with open_services() as services:
        rows = terms_announcements(services.session)
        findings = unannounced("terms", services.rules.terms.versions, rows)
    if as_json:
        emit({"announced": rows, "findings": findings}, as_json=True)
    else:
        emit(rows or "no announcement is recorded")
        report_findings(findings)
    raise typer.Exit(1 if findings else 0)
