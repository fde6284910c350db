"""Terms: which version holds on a day, what its clauses say, what changed, which readings were chosen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Final

from pydantic import Field, TypeAdapter

from keizoku.scheduler.reports.sla_report import METHOD
from keizoku.terms.calendar import Month
from keizoku.terms.decision import homes
from keizoku.terms.policy import Terms, UncoveredDateError
from keizoku.terms.readings import Reading
from keizoku.web.calls.problems import ProblemError
from keizoku.web.calls.values import Id
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Act, Block, Cell, Facts, Figure, Figures, Filters, Input, Page, Table
from keizoku.web.pages.shared.plain import shown, table_of
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.shared.words import word
from keizoku.web.pages.staff.navigation import staff

__all__ = ["clause", "one_reading", "readings", "terms", "version"]

CONTRACTS: Final = ("premium", "api_link")
Contract = Annotated[str, Field(pattern="^(premium|api_link)$")]
ClauseId = Annotated[str, Field(pattern=r"^[a-z_]+/[0-9A-Za-z._]+$", max_length=80)]


@staff.screen("/terms", command="terms announced", resource="terms")
def terms(view: View) -> Page:
    """Which version of each contract holds on a day, what was announced, how we read what it leaves open."""
    say, today = view.say, view.call.today
    asked = view.query.get("on", "")
    on = TypeAdapter(date).validate_python(asked) if asked else today
    blocks: list[Block] = [
        Filters((Input("on", say("On the day"), "date", on.isoformat()),), say("Show")),
        Figures([_in_force(view, contract, on) for contract in CONTRACTS]),
    ]
    for contract in CONTRACTS:
        found = view.rows("terms.versions", contract=contract, table=contract)
        rows = [
            [
                view.code(each["version"], to("terms", contract, each["version"])),
                view.day(each["from"]),
                view.day(each["until"]),
                view.text(each["title"]),
            ]
            for each in found.data
        ]
        columns = [say("Version"), say("From"), say("Until"), say("Title")]
        title = say("Versions of {contract}", contract=word("contract", contract, view.lang))
        blocks.append(view.table(title, columns, rows, empty=say("There is nothing here."), name=contract))
    announced = view.ask("terms.announced")
    if announced["findings"]:
        blocks.append(table_of(view, say("Versions without an announcement"), announced["findings"], name="findings"))
    blocks.append(
        table_of(
            view, say("Announcements"), announced["announced"], name="announced", empty=say("Nothing was announced.")
        )
    )
    kept = view.rows("terms.list_acts", table="acts")
    blocks.append(
        table_of(view, say("Changes and disclosures"), kept.data, name="acts", next=kept.next,
                 empty=say("Nothing was recorded."))
    )  # fmt: skip
    acts = [view.act(name) for name in ("terms.announce", "terms.service_change", "terms.disclosure")]
    return Page(say("Terms"), [*blocks, view.acts(say("What may be done"), acts)], tabs=_tabs(view, ""))


@staff.screen("/terms/readings", command="terms announced", resource="terms")
def readings(view: View) -> Page:
    """What each contract leaves open, and how it is read on a day."""
    say = view.say
    asked = view.query.get("on", "")
    on = TypeAdapter(date).validate_python(asked) if asked else view.call.today
    filters = Filters((Input("on", say("On the day"), "date", on.isoformat()),), say("Show"))
    tables = [_readings(view, contract, on) for contract in CONTRACTS]
    lead = say("Where the text is clear, it is followed; real doubt is resolved in the user's favour.")
    return Page(say("Terms"), [filters, *tables], lead, tabs=_tabs(view, "readings"))


@staff.screen("/terms/readings/{contract}/{reading}", command="terms announced", resource="terms")
def one_reading(view: View, contract: Contract, reading: Id) -> Page:
    """What the contract leaves open, how it is read, what else could be, and what that is worth."""
    say, lang = view.say, view.lang
    held = [(each, each.readings[reading]) for each in Terms.load(contract).versions if reading in each.readings]
    if not held:
        raise ProblemError(404, "terms.unknown", "There is no such version.", reading[:80])
    version, found = held[-1]
    chosen = _chosen(view, contract, view.call.today).get(reading, found.default)
    rows = [
        [
            view.text(getattr(each, lang)),
            view.code(each.name),
            view.text(say("in force"), tone="good") if each.name == chosen else view.text(None),
            view.text(say("the default")) if each.name == found.default else view.text(None),
        ]
        for each in found.choices
    ]
    facts = [
        (say("Clause"), view.clause(found.clause)),
        (say("Why"), view.text(getattr(found, f"reason_{lang}"))),
        (say("What it is worth"), view.text(getattr(found, f"example_{lang}"))),
        (say("Version"), view.code(version.version, to("terms", contract, version.version))),
    ]
    blocks: list[Block] = [
        Facts("", facts),
        view.table(
            say("Choices"), [say("Choice"), say("Its name"), say("State"), say("Default")], rows, empty="",
            name="choices",
            note=say("Another choice is set by KEIZOKU_READINGS.") if found.alternatives
            else say("There is no alternative: it is built in one way."),
        ),
    ]  # fmt: skip
    if reading in METHOD and found.alternatives:
        month = to("sla", Month.of(view.call.today).previous(), "replay")
        blocks.append(view.acts(say("What may be done"), [Act(say("What another reading would change"), month)]))
    return Page(getattr(found, f"question_{lang}"), blocks, above=[(say("Terms"), to("terms", "readings"))])


@staff.screen("/terms/clauses/{contract}/{name}", command="terms announced", resource="terms")
def clause(view: View, contract: Contract, name: Id) -> Page:
    """A clause in every version."""
    say, wanted = view.say, f"{contract}/{name}"
    rows = []
    for each in Terms.load(contract).versions:
        found = each.clauses.get(wanted)
        if found is not None:
            gist = found.gist_ja if view.ja else found.gist_en
            rows.append([view.code(each.version, to("terms", contract, each.version)), view.text(gist)])
    if not rows:
        raise ProblemError(404, "terms.unknown", "There is no such version.", wanted[:80])
    table = view.table("", [say("Version"), say("What it says")], rows, empty="", name="versions")
    newest = next(each for each in reversed(Terms.load(contract).versions) if wanted in each.clauses)
    facts = Facts(
        "",
        [
            (say("Who decides"), view.word("clause_status", newest.clauses[wanted].status, tone="")),
            (say("Decided in"), view.code(", ".join(map(_home, homes().get(wanted, ()))))),
        ],
    )
    open_questions = [each for each in newest.readings.values() if each.clause == wanted]
    read = [_reading_row(view, contract, each, _chosen(view, contract, view.call.today)) for each in open_questions]
    blocks: list[Block] = [table, facts]
    if read:
        blocks.append(_readings_table(view, say("How it is read"), read, "readings"))
    return Page(wanted, blocks, above=[(say("Terms"), to("terms"))])


@staff.screen("/terms/{contract}/{version}", command="terms announced", resource="terms")
def version(view: View, contract: Contract, version: Id) -> Page:
    """A version: its clauses, and what changed since the one before."""
    say = view.say
    found = view.ask("terms.show", contract=contract, version=version)
    decided = homes()
    rows = [
        [
            view.clause(each["id"]),
            view.text(each[f"gist_{view.lang}"]),
            view.word("clause_status", each["status"], tone=""),
            view.code(", ".join(map(_home, decided.get(each["id"], ())))),
        ]
        for each in found["clauses"]
    ]
    facts = Facts("", [(say("Contract"), view.code(contract)), (say("Version"), view.code(version))])
    table = view.table(say("Clauses"), [say("Clause"), say("What it says"), say("Who decides"),
                       say("Decided in")], rows, empty=say("There is nothing here."), name="clauses")  # fmt: skip
    before = [each.version for each in Terms.load(contract).versions if each.version < version]
    blocks: list[Block] = [facts, table]
    if before:
        changed = view.ask("terms.changed_since", contract=contract, version=version, since=max(before))
        blocks += shown(view, say("What changed"), changed)
    return Page(f"{contract} {version}", blocks, above=[(say("Terms"), to("terms"))])


def _tabs(view: View, here: str) -> list[tuple[str, str, bool]]:
    titles = {"": view.say("Versions"), "readings": view.say("Readings")}
    return [(title, to("terms", *([name] if name else [])), name == here) for name, title in titles.items()]


def _in_force(view: View, contract: str, on: date) -> Figure:
    """The version of a contract that holds on a day."""
    label = word("contract", contract, view.lang)
    version = next((each for each in Terms.load(contract).versions if each.covers(on)), None)
    if version is None:
        return Figure(label, view.text(view.say("none holds"), tone="bad"), view.say("on {day}", day=on))
    note = view.say("since {day}", day=version.in_force_from)
    return Figure(label, view.code(version.version, to("terms", contract, version.version)), note)


def _chosen(view: View, contract: str, on: date) -> Mapping[str, str]:
    """reading -> the choice that holds on a day; empty where the contract's are not ours to choose."""
    if contract != "premium":
        return {}
    try:
        return view.call.rules.terms.at(on).readings
    except UncoveredDateError:
        return {}


def _readings(view: View, contract: str, on: date) -> Table:
    version = next((each for each in Terms.load(contract).versions if each.covers(on)), None)
    chosen = _chosen(view, contract, on)
    rows = [_reading_row(view, contract, each, chosen) for each in (version.readings.values() if version else ())]
    title = view.say("How we read {contract}", contract=word("contract", contract, view.lang))
    return _readings_table(view, title, rows, f"readings-{contract}")


def _reading_row(view: View, contract: str, each: Reading, chosen: Mapping[str, str]) -> list[Cell]:
    name = chosen.get(each.name, each.default)
    choice = next(one for one in each.choices if one.name == name)
    return [
        view.clause(each.clause),
        view.text(getattr(each, f"question_{view.lang}"), to("terms", "readings", contract, each.name)),
        view.text(getattr(choice, view.lang)),
        view.text(None if name == each.default else view.say("not the default"), tone="warn"),
        view.number(len(each.alternatives)),
    ]


def _readings_table(view: View, title: str, rows: list[list[Cell]], name: str) -> Table:
    say = view.say
    columns = [say("Clause"), say("What it leaves open"), say("How it is read"), say("Chosen by us"), say("Others")]
    return view.table(title, columns, rows, empty=say("There is no reading."), name=name)


def _home(name: str) -> str:
    return name.removeprefix("keizoku.")
