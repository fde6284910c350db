"""Facts of one life, recorded in every order: receipts, matches, a set-off of a credit, beside a card's charge.

Each order is an account of its own, whose life is the same but for the order. A month is closed before anything is
recorded. At the end all accounts owe, hold and have booked the same, and the closed month is as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import islice, permutations
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

import sqlalchemy as sa

from keizoku.billing.accounts.account_views import owed_view
from keizoku.billing.closing.month_close import _digest
from keizoku.billing.receivables.bank.bank_list import lines
from keizoku.billing.receivables.receipts import Payment, receive
from keizoku.db.tables.books import entry, line
from keizoku.db.tables.closing import month_act
from keizoku.db.tables.money import credit
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.simulator import Simulator
from keizoku.terms.calendar import Month, parse_instant
from keizoku.terms.discretion import Discretion
from keizoku.terms.policy import Terms
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules
from tests.worlds.world import open_world

RULES: Final = Rules(Terms.load("premium"), Discretion(suspend_after_days=80, terminate_after_days=90))
FIRST: Final = date(2026, 5, 2)
CHARGED_ON: Final = date(2026, 6, 20)
RECORDED: Final = parse_instant("2026-06-28 10:00")
END: Final = parse_instant("2026-08-01 10:00")


class Fact(NamedTuple):
    """One fact: a receipt, a line that is matched, or a set-off; the day of its money."""

    kind: str
    on: date = FIRST
    yen: int = 0


@dataclass
class Arrived:
    """The orders of one seed, and what differed between them."""

    seed: int
    facts: tuple[Fact, ...] = ()
    orders: int = 0
    differences: list[str] = field(default_factory=list)


def drawn(seed: int) -> tuple[str, tuple[Fact, ...]]:
    """A method and two to four facts."""
    rng = Random(seed)  # noqa: S311 - a test's dice
    method = "card" if seed % 3 == 0 else "other"
    facts = [
        Fact(rng.choice(("receipt", "match")), FIRST + timedelta(days=rng.randrange(57)), rng.choice(
            (rng.randrange(50, 3_000), rng.randrange(3_000, 40_000), 36_500)))
        for _ in range(rng.choice((2, 3, 3)))
    ]  # fmt: skip
    if seed % 2:
        facts.append(Fact("set_off"))
    return method, tuple(facts)


def arrivals(services: Services, seed: int, folder: Path, most: int = 24) -> Arrived:
    """Live a seed's life in its orders, at most so many; commits."""
    method, facts = drawn(seed)
    done = Arrived(seed, facts)
    orders = {f"{method[0]}{n:02}": order for n, order in enumerate(islice(permutations(facts), most))}
    done.orders = len(orders)
    _until_recorded(services, method, tuple(orders))
    matched = _waiting_lines(services, orders, folder)
    services.session.execute(
        sa.insert(month_act).values(
            month="2026-05", kind="closed", from_on=None, to_on=date(2026, 6, 1), open_from=date(2026, 6, 1),
            entries=0, content="", previous="", hash="x", author="keiri", ground="", recorded_at=RECORDED,
        )
    )  # fmt: skip
    services.session.commit()
    closed = _digest(services.session, None, date(2026, 6, 1))
    for account, order in orders.items():
        for minute, fact in enumerate(order):
            _record(services, account, fact, matched, minute)
    if _digest(services.session, None, date(2026, 6, 1)) != closed:
        done.differences.append(f"seed {seed}: the closed month is another")
    ends = {"when all is recorded": {account: _end(services, account, RECORDED) for account in orders}}
    for on in (date(2026, 6, 29), date(2026, 7, 15), date(2026, 8, 1)):
        night = run_night(services, on, parse_instant(f"{on} 02:30"))
        if night.certificate != "ok":
            done.differences.append(f"seed {seed}: the night of {on} is {night.certificate}: {night.differences}")
    ends["after the nights"] = {account: _end(services, account, END) for account in orders}
    for when, found in ends.items():
        groups: dict[tuple[object, ...], list[str]] = {}
        for account, end in found.items():
            groups.setdefault(end, []).append(account)
        if len(groups) > 1:
            told = "; ".join(f"{[_short(orders[each[0]])]} -> {end}" for end, each in groups.items())
            done.differences.append(f"seed {seed}, {method}, {when}: {told}")
    return done


def _short(order: tuple[Fact, ...]) -> str:
    return ", ".join(f"{each.kind} {each.on:%m-%d} {each.yen}" for each in order)


def _until_recorded(services: Services, method: str, accounts: tuple[str, ...]) -> None:
    """Two fees of 36,500, the first due in May; a credit of 20 % granted in June; a card that pays on 20 June."""
    open_world(services)
    at, first = parse_instant("2025-01-01 00:00"), date(2025, 1, 1)
    billing = services.billing
    billing.add_plan("dear", "month", now=at)
    billing.price("dear", 36_500, announced=first, for_new_from=first, for_renewals_from=first, initial=True, now=at)
    for account in accounts:
        if method == "card":
            Simulator(services).cards.set_card(account, "lost_card")
        billing.approve(account, "dear", method, now=parse_instant("2026-05-01 10:00"))
    stopped = parse_instant("2026-05-10 09:00")
    services.sla.record_outage(
        from_at=stopped, to_at=stopped + timedelta(hours=6), affected=60_000, now=parse_instant("2026-05-10 16:00")
    )
    run_night(services, date(2026, 6, 1), parse_instant("2026-06-01 02:30"))
    for account in accounts:
        services.sla.claim(
            id=f"k-{account}", account=account, month=Month(2026, 5), now=parse_instant("2026-06-02 09:00")
        )
    run_night(services, date(2026, 6, 3), parse_instant("2026-06-03 02:30"))
    if method == "card":
        for account in accounts:
            Simulator(services).cards.set_card(account, "ok")
            billing.new_card(account, now=parse_instant(f"{CHARGED_ON} 10:00"))


def _waiting_lines(
    services: Services, orders: dict[str, tuple[Fact, ...]], folder: Path
) -> dict[tuple[str, Fact], list[int]]:
    """Lines of the bank that name nobody, of each account's matches; their ids."""
    rows = [
        f"{fact.on},{fact.yen},{account} ｶ,"
        for account, order in orders.items() for fact in sorted(order) if fact.kind == "match"
    ]  # fmt: skip
    if not rows:
        return {}
    file = folder / "waits.csv"
    file.write_text("date,amount,payer,reference\n" + "\n".join(rows) + "\n", encoding="utf-8")
    services.billing.import_bank(file, author="keiri", now=RECORDED - timedelta(hours=1))
    found: dict[tuple[str, Fact], list[int]] = {}
    for each in lines(services.session):
        account = each.payer.split()[0].lower()
        found.setdefault((account, Fact("match", each.paid_on, each.yen)), []).append(each.id)
    services.session.rollback()
    return found


def _record(
    services: Services, account: str, fact: Fact, matched: dict[tuple[str, Fact], list[int]], minute: int
) -> None:
    now = RECORDED + timedelta(minutes=minute)
    if fact.kind == "match":
        payment = matched[account, fact].pop()
        services.billing.match_payment(payment, account, by="keiri", ground="told", now=now)
    elif fact.kind == "set_off":
        try:
            services.billing.set_off(account, by="keiri", ground="agreed", now=now)
        except Refused as refused:
            if refused.code not in ("set_off.nothing_due", "set_off.no_credit"):
                raise
    else:
        receive(services.session, services.rules, Payment(account, fact.yen, received_on=fact.on), now)


def _end(services: Services, account: str, at: object) -> tuple[object, ...]:
    """What an account owes and has: principal, interest, deposit, open credits; its accounts of the ledger."""
    view = owed_view(services.session, services.rules, account, at)  # type: ignore[arg-type]
    sums = services.session.execute(
        sa.select(line.c.code, sa.func.sum(line.c.yen)).join(entry, entry.c.id == line.c.entry_id)
        .where(entry.c.account == account).group_by(line.c.code).order_by(line.c.code)
    ).all()  # fmt: skip
    credits = services.session.scalar(
        sa.select(sa.func.coalesce(sa.func.sum(credit.c.available_yen), 0)).where(credit.c.account == account)
    )
    services.session.rollback()
    left = tuple((row.code, int(row[1])) for row in sums if row[1])
    return (view["principal"], view["interest"], view["deposit"], int(credits or 0), *left)
