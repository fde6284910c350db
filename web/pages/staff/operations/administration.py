"""Keys, roles and deliveries, and the settings: who may call us, what goes out, what the operator chose."""

from __future__ import annotations

from keizoku.scheduler.cli.shared.rights import allowed_to
from keizoku.web.calls.answering import jsonable
from keizoku.web.calls.values import Number
from keizoku.web.identity.keys import key_list
from keizoku.web.identity.principal import ROLES
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Block, Page
from keizoku.web.pages.shared.plain import shown, table_of
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.staff.navigation import staff

__all__ = ["endpoint", "keys", "settings"]

_ACTS = ("change", "switch", "rotate", "test", "replay")


@staff.screen("/keys", command="api keys", resource="keys")
def keys(view: View) -> Page:
    """The keys of machines, the roles, the endpoints of webhooks. No secret is kept, so none is shown."""
    say = view.say
    held = jsonable(key_list(view.call.session))
    endpoints = view.rows("endpoints.list_endpoints", table="endpoints")
    roles = [[view.word("role", role, tone=""), view.number(len(allowed_to(role)))] for role in ROLES]
    blocks: list[Block] = [
        table_of(view, say("Keys"), held, name="keys",
                 empty=say("No key was made. Make one with `keizoku api new-key`.")),
        view.table(say("Roles"), [say("Role"), say("Commands that it may give")], roles, empty="", name="roles"),
        table_of(view, say("Deliveries"), endpoints.data, name="endpoints", next=endpoints.next,
                 empty=say("No endpoint was named."), hrefs={"id": lambda row: to("endpoints", row["id"])}),
        view.acts(say("What may be done"), [view.act("endpoints.add")]),
    ]  # fmt: skip
    return Page(say("Keys, roles, deliveries"), blocks)


@staff.screen("/endpoints/{number}", command="webhook list", resource="endpoints")
def endpoint(view: View, number: Number) -> Page:
    """One endpoint, and what became of each delivery."""
    say = view.say
    found = view.ask("endpoints.show", number=number)
    sent = view.rows("endpoints.deliveries", number=number, failed="failed" in view.query, table="sent")
    table = table_of(
        view, say("Deliveries"), sent.data, name="sent", next=sent.next, empty=say("Nothing was sent yet.")
    )
    acts = view.acts(say("What may be done"), [view.act(f"endpoints.{name}", number=number) for name in _ACTS])
    return Page(str(found["name"]), [*shown(view, "", found), table, acts],
                above=[(say("Keys, roles, deliveries"), to("keys"))])  # fmt: skip


@staff.screen("/settings", command="tasks list", resource="settings")
def settings(view: View) -> Page:
    """Every setting, what it is and what it would be; secrets are masked."""
    say = view.say
    rows = [
        [
            view.code(each.name),
            view.text(str(each.value)),
            view.text(str(each.default)),
            view.word("source", each.source, tone=""),
            view.clause(each.clause),
        ]
        for each in view.call.settings.lines()
    ]
    columns = [say("Setting"), say("Value"), say("Default"), say("From where"), say("Clause")]
    table = view.table("", columns, rows, empty=say("There is nothing here."), name="settings")
    lead = say("Settings are read from the environment and the settings file; they are not changed here.")
    return Page(say("Settings"), [table], lead)
