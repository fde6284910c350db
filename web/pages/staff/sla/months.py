"""A month under Article 9: the picture, each second's bucket and clause, what is missing, who can claim until when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from keizoku.scheduler.reports.sla_report import month_report
from keizoku.sla.months.history import history_of
from keizoku.sla.months.month_facts import NoPopulationError
from keizoku.sla.pictures.on_pages import month_on_page
from keizoku.sla.rules.claims import claim_deadline
from keizoku.terms import words
from keizoku.terms.calendar import Month
from keizoku.terms.policy import UncoveredDateError
from keizoku.web.calls.answering import jsonable
from keizoku.web.calls.values import MonthText
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Act, Block, Figure, Figures, Line, Page, Story
from keizoku.web.pages.shared.pictures import drawn
from keizoku.web.pages.shared.view import ROWS, View
from keizoku.web.pages.shared.words import named
from keizoku.web.pages.staff.navigation import staff
from keizoku.web.pages.staff.sla.claims import claim_table

__all__ = ["history", "month", "months", "tabs_of"]

CLAIMS = 10
"""Claims on the page of a month, which has a page of its own for all of them."""
SHOWN = 12
"""Months of the list."""


@staff.screen("/sla", command="sla budget", resource="claims")
def months(view: View) -> Page:
    """The last twelve months: how long each was unusable, and how far from a step."""
    say = view.say
    one, rows = Month.of(view.call.today), []
    for _ in range(SHOWN):
        try:
            found = view.ask("claims.budget", month=str(one))
        except (UncoveredDateError, NoPopulationError):
            break
        reached = [tier["rate"] for tier in found["tiers"] if tier["reached"]]
        left = next((tier["left_seconds"] for tier in found["tiers"] if not tier["reached"]), None)
        rows.append(
            [
                view.month(str(one), to("sla", one)),
                view.seconds(found["unusable_seconds"]),
                view.seconds(found["unknown_seconds"]),
                view.share(reached[-1] if reached else None),
                view.seconds(left),
            ]
        )
        one = one.previous()
    columns = [say("Month"), say("Unusable"), say("Unknown"), say("Step reached"), say("Left to the next step")]
    return Page(say("Months under Article 9"), [view.table("", columns, rows, empty=say("No month yet."))])


@staff.screen("/sla/{month}", command="sla report", resource="claims")
def month(view: View, month: MonthText) -> Page:
    """The month in one look."""
    say, about = view.say, Month.parse(month)
    view.call.rules.terms.of_month(about)
    report = month_report(view.call.session, view.call.rules, about, view.call.now, view.call.now)
    told = report.to_json()
    try:
        budget = view.ask("claims.budget", month=month)
    except NoPopulationError:
        budget = {"tiers": [], "unusable_seconds": told["unusable_seconds"], "unknown_seconds": told["unknown_seconds"]}
    claims = view.rows("claims.list_claims", month=month, table="claims", limit=CLAIMS)
    every = to("claims", month=month)
    deadline = claim_deadline(about, (), report.policy)
    blocks: list[Block] = [
        Figures(
            [
                Figure(say("Unusable"), view.seconds(budget["unusable_seconds"])),
                *(
                    Figure(
                        say("Left to {rate}", rate=view.share(tier["rate"])),
                        view.text(say("reached"), tone="bad")
                        if tier["reached"]
                        else view.seconds(tier["left_seconds"]),
                        say("beyond {limit}", limit=view.seconds(tier["over_seconds"])),
                    )
                    for tier in budget["tiers"]
                ),
                Figure(say("Unknown"), view.seconds(budget["unknown_seconds"], to("outages", "unknown", month=month))),
                Figure(say("Claims until"), view.at(deadline), say("later where our form was down")),
                Figure(say("Claims"), view.number(sum(e["claims"] for e in told["claims"]), every), _by(view, told)),
                Figure(say("Granted"), view.yen(told["awarded_yen"]), say("{n} accounts", n=told["accounts_awarded"])),
            ]
        ),
        drawn(say("The picture"), month_on_page(report.service, report.policy, view.lang, sums=True)),
        Story(say("Who can claim"), _who(view, deadline, view.call.now)),
        Story(
            say("What is missing"),
            [Line(each.text(view.lang)) for each in report.waits],
            say("Nothing: what is counted here is final."),
        ),
        view.table(
            say("Every second of the outages"),
            [say("From"), say("To"), say("Time"), say("Bucket"), say("Clause"), say("Cause"), say("Evidence")],
            [
                [
                    view.at(each["from"]),
                    view.at(each["to"]),
                    view.seconds(each["seconds"]),
                    view.word("bucket", each["bucket"], tone=""),
                    view.clause(each["clause"]),
                    view.word("choice", each["cause"], tone=""),
                    view.text(", ".join(map(str, each["evidence"]))),
                ]
                for each in told["windows"]
            ],
            empty=say("No outage is on record."),
            name="windows",
            total=[
                view.text(say("all outages")),
                view.text(None),
                view.seconds(told["gross_seconds"]),
                *[view.text(None)] * 4,
            ],
        ),
        claim_table(view, claims.data, claims.next, say("Claims")),
        *([view.acts("", [Act(say("All claims of the month"), every)])] if claims.next is not None else []),
        Story(say("How it was counted"), [Line(each) for each in report.method(view.lang)]),
        view.acts(
            say("What may be done"),
            [
                view.act("evidence.add_incident"),
                view.act("evidence.add_notice"),
                view.act("evidence.decide_unknown"),
                view.act("evidence.add_population"),
                view.act("claims.form_down"),
                view.act("claims.submit", month=month),
            ],
        ),
    ]
    return Page(words.month(about, view.ja), blocks, tabs=tabs_of(view, month, ""),
                above=[(say("Months under Article 9"), to("sla"))])  # fmt: skip


@staff.screen("/sla/{month}/history", command="sla history", resource="claims")
def history(view: View, month: MonthText) -> Page:
    """What was known of the month, and when."""
    say = view.say
    about = Month.parse(month)
    view.call.rules.terms.of_month(about)
    known = history_of(view.call.session, view.call.rules, about, view.call.now)
    start = view.whole_number("known.after") or 0
    end = start + ROWS if "file" not in view.query else len(known)
    rows = [
        [
            view.at(each["recorded_at"]),
            view.word("evidence", each["kind"], tone=""),
            view.text(each["subject"]),
            view.account(each["account"]),
            view.text(words.windows([w for w in each["windows"] if w[0] and w[1]], view.ja) if each["windows"] else ""),
            view.text(each["author"]),
            view.text(each["ground"]),
        ]
        for each in jsonable([row.to_json() for row in known[start:end]])
    ]
    columns = [say("Recorded"), say("Kind"), say("Subject"), say("Account"), say("Period"), say("By"), say("Ground")]
    table = view.table("", columns, rows, empty=say("Nothing is known of this month."), name="known",
                       next=str(end) if end < len(known) else None)  # fmt: skip
    return Page(words.month(month, view.ja), [table], tabs=tabs_of(view, month, "history"),
                above=[(say("Months under Article 9"), to("sla"))])  # fmt: skip


def _by(view: View, told: Mapping[str, Any]) -> str:
    """How many claims came out how."""
    found: dict[str, int] = {}
    for each in told["claims"]:
        outcome = each["outcome"] or "undecided"
        found[outcome] = found.get(outcome, 0) + each["claims"]
    return " · ".join(f"{view.word('outcome', outcome)} {count:,}" for outcome, count in found.items())


def _who(view: View, deadline: datetime, now: datetime) -> list[Line]:
    """Whoever may claim the month, and whether they still may."""
    say = view.say
    until = (
        say("Claims are taken until {at}.", at=view.at(deadline))
        if now < deadline
        else say("The time for claims was over at {at}.", at=view.at(deadline))
    )
    return [
        Line(say("Whoever had a premium contract in the month and pays by card."), clause="premium/9.2"),
        Line(f"{until} {say('Where our form was down, the time is longer by as much.')}", clause="premium/9.5"),
    ]


def tabs_of(view: View, month: str, here: str) -> list[tuple[str, str, bool]]:
    """The pages of a month."""
    titles = {"": named("Overview"), "history": named("What was known when"), "replay": named("What if")}
    return [
        (view.say(title), to("sla", month, *([name] if name else [])), name == here) for name, title in titles.items()
    ]
