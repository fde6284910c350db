"""Nights: what the next one would do, whether its money waits, the certificate of each, and one that runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from keizoku.scheduler.night.forecast import next_night
from keizoku.scheduler.night.nightly_run import NightBusyError
from keizoku.scheduler.night.run_log import last_night
from keizoku.scheduler.night.waiting import held_by_hand
from keizoku.terms import words
from keizoku.web.calls.values import Day
from keizoku.web.jobs import JobProgress, job_progress, night_job
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Block, Figure, Figures, Page, Prose, Running, Table, Tone
from keizoku.web.pages.shared.plain import table_of
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.shared.words import word
from keizoku.web.pages.staff.navigation import staff

__all__ = ["forecast", "night", "nights"]


@staff.screen("/nights", command="db status", resource="nights")
def nights(view: View) -> Page:
    """The next night and its money first, then the certificates, the newest first."""
    say, today = view.say, view.call.today
    found = view.rows("nights.list_nights")
    last = last_night(view.call.session)
    coming = next_night(view.call.services, view.call.now)
    held = held_by_hand(view.call.session, coming)
    rows = [
        [
            view.day(each["business_date"], to("nights", each["business_date"])),
            view.word("night", each["state"]),
            view.at(each["issued_at"]),
            view.number(len(each["differences"])),
            view.number(len(each["set_aside"])),
            view.number(each["counts"].get("invoices")),
            view.number(each["counts"].get("payment_attempts")),
            view.number(each["counts"].get("entries")),
        ]
        for each in found.data
    ]
    columns = [
        say("Business date"), say("State"), say("When"), say("Differences"), say("Set aside"), say("Invoices so far"),
        say("Charges so far"), say("Entries so far"),
    ]  # fmt: skip
    forecast_at = to("nights", "forecast") if view.may("nights.run") else None
    figures = Figures(
        [
            Figure(say("Last night"), view.day(last, to("nights", last) if last else None), _late(view, last)),
            Figure(say("Next night"), view.day(coming, forecast_at), say("its forecast") if forecast_at else ""),
            Figure(
                say("Charges and refunds"),
                view.text(say("held"), tone="warn") if held else view.text(say("go out"), tone="good"),
                held or "",
            ),
        ]
    )
    acts = [
        view.act("nights.run", on=today),
        view.act("nights.release") if held else view.act("nights.hold"),
    ]
    table = view.table("", columns, rows, empty=say("No night has run. Run one, or start the worker."),
                       next=found.next)  # fmt: skip
    blocks: list[Block] = [figures, *_under_way(view, today), view.acts(say("What may be done"), acts), table]
    return Page(say("Nights"), blocks)


@staff.screen("/nights/forecast", command="night", resource="nights")
def forecast(view: View) -> Page:
    """What the next night would write, rehearsed; what of it is odd; whether its money waits."""
    say = view.say
    above = [(say("Nights"), to("nights"))]
    try:
        found = view.ask("nights.forecast")
    except NightBusyError:  # it is shown instead
        told = Prose(say("A night is running on this database, so none can be forecast now."), "warn")
        return Page(say("Forecast"), [told, *_under_way(view, view.call.today)], above=above)
    shown = {f"{each['name']} {each['of']}": each["value"] for each in found["above"]}
    waits = found["held"] or shown
    rows = [
        [
            view.text(word("stage", each["stage"], view.lang)),
            view.text(_what(view, each["what"])),
            view.number(each["number"]),
            view.yen(each["yen"] or None),
        ]
        for each in found["figures"]
    ]
    blocks: list[Block] = [
        Figures(
            [
                Figure(say("Business date"), view.day(found["business_date"])),
                Figure(say("Missed nights that it catches up"), view.number(len(found["caught_up"]))),
                Figure(say("Rows that it would write"), view.number(sum(found["stages"].values()))),
                Figure(say("Set aside"), view.number(len(found["set_aside"]), tone=_tone(found["set_aside"]))),
                Figure(
                    say("Its charges and refunds"),
                    view.text(say("wait for a person") if waits else say("go out"), tone=_tone(waits) or "good"),
                    found["held"] or "",
                ),
            ]
        ),
        view.table(
            say("What it would write"), [say("Stage"), say("What"), say("How many"), say("Yen")], rows,
            empty=say("Nothing: all is written already."), name="figures",
        ),
        _odd(view, say("Odd beside the nights before"), found["odd"], "odd", say("Nothing is odd.")),
        _odd(view, say("Above the limits that are set"), found["above"], "above", say("Nothing is above a limit.")),
        view.acts(
            say("What may be done"),
            [
                view.act("nights.approve", on=found["business_date"], shown=_lines(shown)) if waits else None,
                view.act("nights.run", on=found["business_date"])
                if found["business_date"] <= view.call.today.isoformat()
                else None,
                None if found["held"] else view.act("nights.hold"),
                view.act("nights.release") if found["held"] else None,
            ],
        ),
    ]  # fmt: skip
    lead = say("Rehearsed now and taken back. Every card is taken to pay; nobody outside is asked.")
    return Page(say("Forecast of the night of {day}", day=found["business_date"]), blocks, lead, above=above)


@staff.screen("/nights/{on}", command="db status", resource="nights")
def night(view: View, on: Day) -> Page:
    """One business date: its certificate, and how far a run has come."""
    say = view.say
    certificate = view.ask("nights.show", on=on)["certificate"]
    blocks: list[Block] = _under_way(view, on)
    if certificate:
        differences, aside = certificate["differences"], certificate["set_aside"]
        blocks += [
            Figures(
                [
                    Figure(say("State"), view.word("night", certificate["state"])),
                    Figure(say("Differences"), view.number(len(differences), tone="bad" if differences else "")),
                    Figure(say("Set aside"), view.number(len(aside), to("tasks", kind="set_aside"))),
                    Figure(say("When"), view.at(certificate["issued_at"])),
                    Figure(say("Hash"), view.code(str(certificate["hash"])[:12])),
                ]
            ),
            *([table_of(view, say("Differences"), differences, name="differences")] if differences else []),
            *([table_of(view, say("Set aside"), aside, name="aside")] if aside else []),
            view.table(
                say("Counts"),
                [say("What"), say("How many")],
                [
                    [view.text(word("count", key, view.lang)), view.number(value)]
                    for key, value in certificate["counts"].items()
                    if isinstance(value, int)
                ],
                empty=say("None."),
                name="counts",
            ),
            view.table(
                say("Sums"),
                [say("Ledger account"), say("Balance")],
                [
                    [view.code(key, to("ledger", "accounts", key)), view.yen(value)]
                    for key, value in certificate["sums"].items()
                ],
                empty=say("None."),
                name="sums",
            ),
        ]
    return Page(say("Night of {day}", day=on), blocks, above=[(say("Nights"), to("nights"))])


def _tone(found: object) -> Tone:
    """What people should look at, where there is anything."""
    return "warn" if found else ""


def _late(view: View, last: date | None) -> str:
    days = 0 if last is None else (view.call.today - last).days
    return view.say("{n} days ago", n=days) if days > 1 else ""


def _under_way(view: View, on: date) -> list[Block]:
    """The run of a night that this process has, as it comes on."""
    found = job_progress(view.call.session, night_job(on))
    if found is None:
        return []
    title = view.say("The night of {day}", day=on)
    return [Running(title, _said(view, found), found.done, found.whole, not found.ended, view.say("Look again"))]


def _said(view: View, found: JobProgress) -> str:
    say = view.say
    if found.state == "queued":
        return say("It waits for its turn.")
    took = words.duration(found.taken_seconds, view.ja)
    if found.state == "failed":
        return say("It ended without being done after {time}: {why}", time=took, why=found.said)
    if found.state == "lost":
        return say("Its process ended before it did. Run it again: it does what is left.")
    if found.state == "done":
        return say("It is done, after {time}: {rows} rows.", time=took, rows=f"{found.rows:,}")
    told = say(
        "Stage {stage} of {day}: {rows} rows so far, {time}.",
        stage=word("stage", found.stage, view.lang), day=found.business_date, rows=f"{found.rows:,}", time=took,
    )  # fmt: skip
    if found.left_seconds is None:
        return told
    return told + say(" About {time} left.", time=words.duration(found.left_seconds, view.ja))


def _what(view: View, what: str) -> str:
    """`notices.overdue`: the kind of rows, and of which of them."""
    kind, _, of = what.partition(".")
    told = word("night_rows", kind, view.lang)
    return f"{told}: {word('letter', of, view.lang)}" if of else told


def _odd(view: View, title: str, found: Sequence[dict[str, Any]], name: str, empty: str) -> Table:
    say = view.say
    rows = [
        [
            view.text(word("stage", each["name"].partition(".")[0], view.lang)),
            view.text(_what(view, each["name"].partition(".")[2])),
            view.yen(each["value"]) if each["of"] == "yen" else view.number(each["value"]),
            view.yen(each["most"]) if each["of"] == "yen" else view.number(each["most"]),
        ]
        for each in found
    ]
    columns = [say("Stage"), say("What"), say("This night"), say("At most")]
    return view.table(title, columns, rows, empty=empty, name=name)


def _lines(shown: dict[str, int]) -> str:
    """Figures as the form of an act takes them: one a line."""
    return "\n".join(f"{name} {value}" for name, value in shown.items())


staff.leads["nights.run"] = lambda answer: to("nights", answer["business_date"])
