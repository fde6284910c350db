"""Terms: which version holds on a day, what its clauses say, what changed, which readings were chosen."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Final

from pydantic import Field

from keizoku.terms.policy import Terms
from keizoku.web.calls.problems import ProblemError
from keizoku.web.calls.values import Id
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Block, Facts, Page
from keizoku.web.pages.shared.plain import shown, table_of
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.staff.navigation import staff

__all__ = ["clause", "terms", "version"]

CONTRACTS: Final = ("premium", "api_link")
Contract = Annotated[str, Field(pattern="^(premium|api_link)$")]
ClauseId = Annotated[str, Field(pattern=r"^[a-z_]+/[0-9A-Za-z._]+$", max_length=80)]


@staff.screen("/terms", command="terms announced", resource="terms")
def terms(view: View) -> Page:
    """The versions of both contracts, what was announced, the readings."""
    say = view.say
    blocks: list[Block] = []
    for contract in CONTRACTS:
        found = view.rows("terms.versions", contract=contract, table=contract)
        hrefs = {"version": partial(_version_at, contract)}
        title = say("Versions of {contract}", contract=contract)
        blocks.append(table_of(view, title, found.data, name=contract, hrefs=hrefs))
    announced = view.ask("terms.announced")
    blocks.append(
        table_of(
            view, say("Announcements"), announced["announced"], name="announced", empty=say("Nothing was announced.")
        )
    )
    policy = view.call.rules.terms.at(view.call.today)
    readings = policy.readings
    rows = [[view.code(name), view.code(choice)] for name, choice in sorted(readings.items())]
    blocks.append(view.table(say("Readings in force"), [say("Reading"), say("Choice")], rows,
                             empty=say("There is no reading."), name="readings"))  # fmt: skip
    kept = view.rows("terms.list_acts", table="acts")
    blocks.append(
        table_of(view, say("Changes and disclosures"), kept.data, name="acts", next=kept.next,
                 empty=say("Nothing was recorded."))
    )  # fmt: skip
    acts = [view.act(name) for name in ("terms.announce", "terms.service_change", "terms.disclosure")]
    return Page(say("Terms"), [*blocks, view.acts(say("What may be done"), acts)])


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
    return Page(wanted, [table], above=[(say("Terms"), to("terms"))])


@staff.screen("/terms/{contract}/{version}", command="terms announced", resource="terms")
def version(view: View, contract: Contract, version: Id) -> Page:
    """A version: its clauses, and what changed since the one before."""
    say = view.say
    found = view.ask("terms.show", contract=contract, version=version)
    rows = [
        [
            view.clause(each["id"]),
            view.text(each[f"gist_{view.lang}"]),
            view.word("clause_status", each["status"], tone=""),
        ]
        for each in found["clauses"]
    ]
    facts = Facts("", [(say("Contract"), view.code(contract)), (say("Version"), view.code(version))])
    table = view.table(say("Clauses"), [say("Clause"), say("What it says"), say("State")], rows,
                       empty=say("There is nothing here."), name="clauses")  # fmt: skip
    before = [each.version for each in Terms.load(contract).versions if each.version < version]
    blocks: list[Block] = [facts, table]
    if before:
        changed = view.ask("terms.changed_since", contract=contract, version=version, since=max(before))
        blocks += shown(view, say("What changed"), changed)
    return Page(f"{contract} {version}", blocks, above=[(say("Terms"), to("terms"))])


def _version_at(contract: str, row: Mapping[str, Any]) -> str:
    return to("terms", contract, row["version"])
