"""What a month would be under another reading, or by what was known at an instant: beside what it is. Saves nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from keizoku.terms import words
from keizoku.terms.calendar import Month
from keizoku.terms.readings import Choice, Reading
from keizoku.web.calls.values import MonthText
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Act, Block, Cell, Figure, Figures, Filters, Input, Page, Table
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.staff.navigation import staff
from keizoku.web.pages.staff.sla.months import tabs_of

__all__ = ["replay"]


@staff.screen("/sla/{month}/replay", command="sla replay", resource="claims")
def replay(view: View, month: MonthText) -> Page:
    """The month as it stands, and as it would be; below, every other reading that it depends on."""
    say = view.say
    known, readings = view.query.get("known_at", ""), view.query.get("readings", "")
    more = {"known_at": f"{known}:00+09:00" if len(known) == 16 else known} if known else {}
    offered = list(_alternatives(view, month))
    choices = [(f"{reading.name}={choice.name}", getattr(choice, view.lang)) for reading, choice in offered]
    if readings and readings not in [value for value, _ in choices]:
        choices.append((readings, readings))
    filters = Filters(
        (
            Input("readings", say("Another reading"), "select", readings, choices=choices),
            Input("known_at", say("As known at (Japan time)"), "datetime-local", known),
        ),
        say("Show"),
    )
    blocks: list[Block] = [filters]
    if known or readings:
        found = view.ask("claims.replay", month=month, **more, **({"readings": readings} if readings else {}))
        blocks += _beside(view, found)
    blocks.append(_each(view, month, offered))
    if offered and "each" not in view.query:
        every = to("sla", month, "replay", readings=readings, known_at=known, each="yes")
        blocks.append(view.acts("", [Act(say("Work every one of them out"), every)]))
    return Page(
        words.month(month, view.ja), blocks, say("Nothing is saved: what stands, stands."),
        tabs=tabs_of(view, month, "replay"), above=[(say("Months under Article 9"), to("sla"))],
    )  # fmt: skip


def _alternatives(view: View, month: str) -> Iterator[tuple[Reading, Choice]]:
    """The choices that do not hold, of the readings that a month under Article 9 depends on."""
    rules = view.call.rules.terms
    policy = rules.of_month(Month.parse(month))
    version = next(each for each in rules.versions if each.version == policy.version)
    for reading in version.readings.values():
        if reading.clause.startswith("premium/9."):
            chosen = policy.readings[reading.name]
            yield from ((reading, each) for each in reading.choices if each.name != chosen)


def _beside(view: View, found: Mapping[str, Any]) -> list[Block]:
    say, yen, claims = view.say, found["yen"], found["claims"]
    unusable = found["seconds"]["unusable"]
    changed = claims["changed"]
    return [
        Figures(
            [
                Figure(say("Unusable"), view.seconds(unusable["replayed"]), _instead(view, unusable, view.seconds)),
                Figure(say("Granted"), view.yen(yen["replayed"]), _instead(view, yen, view.yen)),
                Figure(say("Claims that would come out otherwise"), view.number(len(changed))),
                Figure(say("Claims that it leaves as they are"), view.number(claims["held"])),
            ]
        ),
        view.table(
            say("Every second"),
            [say("Bucket"), say("Stands"), say("Would be"), say("Difference")],
            [
                [
                    view.text(say("all outages")) if bucket == "gross" else view.word("bucket", bucket, tone=""),
                    view.seconds(each["stands"]),
                    view.seconds(each["replayed"]),
                    _signed(view, each["difference"]),
                ]
                for bucket, each in found["seconds"].items()
            ],
            empty=say("There is nothing here."),
            name="seconds",
        ),
        view.table(
            say("Claims that would come out otherwise"),
            [say("Claim"), say("Account"), say("Stands"), say("Would be")],
            [
                [
                    view.claim(each["id"]),
                    view.account(each["account"]),
                    _state(view, each["stands"]),
                    _state(view, each["replayed"]),
                ]
                for each in changed[:200]
            ],
            empty=say("None."),
            name="changed",
        ),
        view.table(
            say("Accounts that would get more or less"),
            [say("Account"), say("Stands"), say("Would be"), say("Difference")],
            [
                [
                    view.account(each["account"]),
                    view.yen(each["stands"]),
                    view.yen(each["replayed"]),
                    view.yen(each["difference"]),
                ]
                for each in yen["accounts"][:200]
            ],
            empty=say("None."),
            name="yen",
        ),
    ]


def _each(view: View, month: str, offered: list[tuple[Reading, Choice]]) -> Table:
    """Every other reading, and, where it was asked, what each would make of the month."""
    say, tried = view.say, "each" in view.query
    rows = []
    for reading, choice in offered:
        chosen = f"{reading.name}={choice.name}"
        row = [
            view.clause(reading.clause),
            view.text(getattr(reading, f"question_{view.lang}"), to("terms", "readings", "premium", reading.name)),
            view.text(getattr(choice, view.lang), to("sla", month, "replay", readings=chosen)),
        ]
        if tried:
            found = view.ask("claims.replay", month=month, readings=chosen)
            row += [
                view.seconds(found["seconds"]["unusable"]["replayed"]),
                _signed(view, found["seconds"]["unusable"]["difference"]),
                view.yen(found["yen"]["difference"] or None),
            ]
        rows.append(row)
    columns = [say("Clause"), say("What it leaves open"), say("Another reading")]
    columns += [say("Unusable"), say("Difference"), say("Yen")] if tried else []
    note = "" if tried else say("Choose one to see what it would make of the month.")
    return view.table(say("What another reading would change"), columns, rows, empty=say("There is no reading."),
                      name="readings", note=note)  # fmt: skip


def _instead(view: View, found: Mapping[str, int], shown: Any) -> str:
    if not found["difference"]:
        return view.say("as it stands")
    return str(view.say("instead of {now}", now=shown(found["stands"])))


def _signed(view: View, seconds: int) -> Cell:
    if not seconds:
        return Cell("—", 0, kind="number")
    sign = "+" if seconds > 0 else "−"
    return Cell(f"{sign}{words.duration(abs(seconds), view.ja)}", seconds, kind="number")


def _state(view: View, state: Mapping[str, Any] | None) -> Cell:
    """A claim's outcome, its ground where it is rejected, its rate where it is granted."""
    if state is None:
        return view.text(view.say("not known yet"))
    outcome = view.word("outcome", state["outcome"] or "undecided")
    more = view.word("claim_reason", state["reason"]).text if state.get("reason") else ""
    rate = view.share(state["rate"]).text if state.get("rate") else ""
    told = " · ".join(part for part in (outcome.text, more, rate) if part)
    return Cell(told, told, kind="state", tone=outcome.tone)
