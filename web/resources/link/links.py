"""Links: who may use the service, the way to the partner and back, what is shown, how a link ends (api_link/4 to 6).

What uses a token runs as the login of the server, which has the role for tokens beside the worker's.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import Field

from keizoku.db.tables.link.grants import FACTS, RULED
from keizoku.link.services import views
from keizoku.link.services.views import DesignationView, LinkView, UseView
from keizoku.web.calls.answers import listed
from keizoku.web.calls.call import Call, Listing, number_in, shown_rows
from keizoku.web.calls.operation import Resource
from keizoku.web.calls.values import Day, Ground, Id, Instant, Lang, Text

if TYPE_CHECKING:
    from keizoku.link.rules.facts import Scope

__all__ = ["links"]

links = Resource("links", "The linked service: who is linked, what is shown, what was asked of the partner.")

ScopeName = Annotated[str, Field(pattern="^(data|orders)$")]
FactName = Annotated[str, Field(pattern=f"^({'|'.join(FACTS)})$")]
RuledClause = Annotated[str, Field(pattern=f"^(api_link/)?({'|'.join(RULED).replace('.', '[.]')})$")]
Kinds = Annotated[
    list[Annotated[str, Field(pattern="^(positions|balance|orders)$")]], Field(min_length=1, max_length=3)
]
DesignationKind = Annotated[str, Field(pattern="^(field|product)$")]
Url = Annotated[str, Field(min_length=8, max_length=500)]
Word = Annotated[str, Field(min_length=1, max_length=500)]
Done = listed("LinkAct", account=str, done=bool)
Begun = listed("LinkBegun", account=str, expires_at=datetime, url=str | None)
Granted = listed("LinkGranted", grant=int)
Renewed = listed("LinkRenewed", account=str, outcome=str, code=str | None)
Revoked = listed("LinkRevoked", account=str, ended=bool, confirmed=bool)
Eligibility = listed(
    "LinkEligibility",
    account=str,
    scope=str,
    outcome=str,
    clauses=list[str],
    sentences=list[str],
    decision=dict[str, Any],
)
Designated = listed("LinkDesignated", item=str, designated=bool)
Adopted = listed("LinksAdopted", restores=int)


@links.list("/links", command="link list", row=LinkView)
def list_links(call: Call) -> Listing:
    """Every account that was ever linked: its state, what it is for, when it lapses or ended."""
    return Listing(
        lambda limit, after: views.link_list(call.session, call.now, after, limit), lambda row: str(row["account"])
    )


@links.question("/links/{account}", command="link show", answer=LinkView, member=True)
def show(call: Call, account: Id) -> Any:
    """One customer's link as it is now."""
    return views.link_view(call.session, account, call.now)


@links.question("/links/{account}/eligibility", command="link show", answer=Eligibility, member=True)
def eligibility(call: Call, account: Id, *, scope: ScopeName = "data", lang: Lang = "en") -> Any:
    """Whether the service is open to a customer, condition by condition, each with its day and clause (2, 4)."""
    decision = call.services.link.may_use(account, cast("Scope", scope), now=call.now)
    return {
        "account": account,
        "scope": scope,
        "outcome": decision.outcome,
        "clauses": list(decision.clauses),
        "sentences": decision.render(lang),
        "decision": decision.to_json(),
    }


@links.act("/links/{account}/facts", command="link record", answer=Done)
def record(
    call: Call,
    account: Id,
    *,
    fact: FactName,
    occurred_at: Instant | None = None,
    rules: Id | None = None,
    ground: Ground | None = None,
) -> Any:
    """What happened to a customer at the partner or the bank (4, 12.2); what ends the link ends it at its instant."""
    call.services.link.record_fact(
        account, fact, occurred_at=occurred_at, rules_version=rules, by=call.author, ground=ground, revoke=False,
        now=call.now,
    )  # fmt: skip
    return {"account": account, "done": True}


@links.act("/links/{account}/rulings", command="link rule", answer=Done)
def rule(
    call: Call, account: Id, *, clause: RuledClause, met: bool, ground: Ground, occurred_at: Instant | None = None
) -> Any:
    """People rule on a condition whose text is not at hand; the newest ruling holds."""
    call.services.link.rule(
        account, clause, met=met, occurred_at=occurred_at, by=call.author, ground=ground, now=call.now
    )
    return {"account": account, "done": True}


@links.act("/links/{account}/begin", command="link begin", answer=Begun, repeat="again", member=True)
def begin(call: Call, account: Id, *, scope: ScopeName, back: Url) -> Any:
    """Where the customer is sent to authorise us. The address is in this answer and kept nowhere."""
    begun = call.services.link.begin(account, cast("Scope", scope), back, by=call.author, now=call.now)
    call.reveal["url"] = begun.url
    return {"account": account, "expires_at": begun.expires_at, "url": None}


@links.act("/links/finish", command="link finish", answer=Granted, repeat="again", member=True)
def finish(call: Call, *, state: Word, code: Word) -> Any:
    """The customer came back from the partner with these; each state is taken once, within 15 minutes."""
    made = call.services.link.finish(
        state, code, by=call.author, now=call.now, keep=lambda grant: call.keep({"grant": grant})
    )
    return {"grant": made}


@links.act("/links/{account}/renew", command="link renew", answer=Renewed, repeat="again")
def renew(call: Call, account: Id) -> Any:
    """Renew the customer's token now."""
    done = call.services.link.renew(account, by=call.author, now=call.now)
    return {"account": account, "outcome": done.outcome, "code": done.code}


@links.act("/links/{account}/revoke", command="link revoke", answer=Revoked, member=True)
def revoke(call: Call, account: Id, *, ground: Ground) -> Any:
    """The customer ends the access. It ends now; the partner is told by the worker, within minutes."""
    confirmed = call.services.link.revoke(account, by=call.author, ground=ground, now=call.now)
    return {"account": account, "ended": True, "confirmed": confirmed}


@links.question("/links/{account}/data", command="link fetch", answer=list[dict[str, Any]])
def data(call: Call, account: Id, *, kinds: Kinds) -> Any:
    """The customer's designated data, fetched from the partner now (6.2). They are shown; nothing of them is kept."""
    found = call.services.link.show(account, kinds, by=call.author, now=call.now)
    return [
        {"kind": each.kind, "content": each.content, "fetched_at": each.fetched_at, "dropped": each.dropped}
        for each in found
    ]


@links.list("/link-uses", command="link uses", row=UseView)
def list_uses(call: Call, *, account: Id | None = None) -> Listing:
    """Every use of a token: what for, when, and what came of it; never what was fetched."""
    return Listing(lambda limit, after: views.use_list(call.session, account, number_in(after) or 0, limit))


@links.list("/link-designations", command="link designations", row=DesignationView)
def list_designations(call: Call) -> Listing:
    """Every designation of a field or a product, and whether its name is designated today (6.2, 6.3)."""
    return shown_rows(views.designation_list(call.session, call.today))


@links.act("/link-designations", command="link designate", answer=Designated)
def designate(
    call: Call,
    *,
    kind: DesignationKind,
    name: Id,
    ground: Ground,
    designated: bool = True,
    from_day: Day | None = None,
) -> Any:
    """Designate a field (positions.Symbol) or a product from a day on, or no longer."""
    call.services.link.designate(
        kind, name, is_designated=designated, holds_from=from_day, by=call.author, ground=ground, now=call.now
    )
    return {"item": name, "designated": designated}


@links.act("/link-adoption", command="link adopt", answer=Adopted)
def adopt(call: Call, *, ground: Text) -> Any:
    """After a restore: no other database works with these links, so tokens are used again."""
    return {"restores": call.services.link.adopt(by=call.author, ground=ground, now=call.now)}
