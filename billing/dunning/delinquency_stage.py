"""Stage 7, delinquency: overdue, suspension, resumption, termination, acceleration, each with its notice.

Everything is derived from what is unpaid now and taken on the day on which it is done. A suspension that this
stage set is lifted when its reason is gone; one set by people only by people. Measures look at the contract's own
fees; default makes all that the user owes due, whichever contract it is of.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial

import sqlalchemy as sa

from keizoku.billing.contracts.contract_facts import states_of
from keizoku.billing.documents.notices import save_notice, transfer_of
from keizoku.billing.dunning.termination import accelerate, terminate
from keizoku.billing.dunning.write_off import Act, give_up
from keizoku.billing.receivables import account_holds
from keizoku.billing.receivables.open_items import (
    OpenItem,
    by_account,
    by_contract,
    invoice_due_on,
    load_open_items,
    lock_accounts,
)
from keizoku.billing.rules.delinquency import (
    DefaultState,
    Prospect,
    UnpaidFee,
    accelerated,
    default_state,
    outlook,
    overdue_days,
    prospect,
)
from keizoku.billing.rules.documents import notice_text
from keizoku.db.fence import Fence, fenced
from keizoku.db.probes import TODAY
from keizoku.db.review_tasks import open_task
from keizoku.db.session import Session, numbers
from keizoku.db.tables.contracts import contract, suspension
from keizoku.db.tables.money import invoice, user_notice
from keizoku.terms.calendar import jst_day
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules

CHUNK = 500


@dataclass(frozen=True, slots=True)
class Case:
    """A contract with an overdue fee, or with a suspension that was set for one."""

    contract_id: int
    account: str
    running: bool
    suspended: bool
    unpaid: tuple[OpenItem, ...]
    elsewhere: tuple[OpenItem, ...]  # unpaid fees of the account's other contracts
    notified: frozenset[str]  # occasions of the overdue notices that were sent
    renews_on: date | None  # the end of its last term, while it runs
    held: bool = False  # people hold back what would be done to it

    def waits_for_charge(self, today: date) -> bool:
        """Whether a card is to be asked for one of the fees by today, and was not."""
        return any(each.wanted_on is not None and each.wanted_on <= today for each in self.unpaid)


@dataclass(frozen=True, slots=True)
class DelinquencyRuling:
    """What follows from a case on a day."""

    case: Case
    state: DefaultState
    days: int
    accelerate: tuple[int, ...] = ()
    tell: tuple[OpenItem, ...] = ()  # fees that are overdue and that nothing was said about yet
    rests: tuple[OpenItem, ...] = ()  # less than a card can be charged, and past their day: for people

    @property
    def suspends(self) -> bool:
        """Whether access is to be switched off now."""
        return self._may_act and self.state is DefaultState.SUSPEND and not self.case.suspended

    @property
    def terminates(self) -> bool:
        """Whether the contract is to end now."""
        return self._may_act and self.state is DefaultState.TERMINATE

    @property
    def _may_act(self) -> bool:
        return self.case.running and not self.case.held

    @property
    def lifts(self) -> bool:
        """Whether the reason of a suspension is gone."""
        return self.case.running and self.case.suspended and self.state in (DefaultState.GOOD, DefaultState.OVERDUE)

    @property
    def acts(self) -> bool:
        """Whether anything is to be written."""
        return bool(self.tell or self.accelerate or self.suspends or self.terminates or self.lifts or self.rests)

    @property
    def open_yen(self) -> int:
        """All unpaid fees of the contract."""
        return sum(each.open_yen for each in self.case.unpaid)


_OVERDUE = sa.and_(invoice.c.state == "open", invoice_due_on < TODAY)
_SUSPENDED = sa.and_(suspension.c.set_by == "delinquency", suspension.c.lifted_at.is_(None))


def anything_due() -> sa.ColumnElement[bool]:
    """Whether `due` would find a contract."""
    return sa.or_(sa.exists().where(_OVERDUE), sa.exists().where(_SUSPENDED))


def due(session: Session, rules: Rules, today: date, *, contract_ids: Collection[int] | None = None) -> list[Case]:
    """Contracts (some, or all) with a fee overdue on `today`, and those suspended for one."""
    overdue_ids, suspended_ids = _found(session, today, contract_ids)
    ids = overdue_ids | suspended_ids
    if not ids:
        return []
    rows = session.execute(
        sa.select(contract.c.id, contract.c.account, contract.c.ended_on, contract.c.renews_on)
        .where(contract.c.account.in_(sa.select(contract.c.account).where(contract.c.id == _any(ids))))
        .order_by(contract.c.id)
    ).all()
    unpaid = load_open_items(session, rules, today, contract_ids=[row.id for row in rows])
    of_contract, of_account = by_contract(unpaid), by_account(unpaid)
    held = account_holds.in_force(session, today)
    notified: dict[int, set[str]] = defaultdict(set)
    for row in session.execute(
        sa.select(user_notice.c.contract_id, user_notice.c.occasion).where(
            user_notice.c.kind == "overdue",
            user_notice.c.contract_id == _any(ids),
        )
    ):
        notified[row.contract_id].add(row.occasion)
    return [
        Case(
            contract_id=row.id,
            account=row.account,
            running=row.ended_on is None,
            suspended=row.id in suspended_ids,
            unpaid=tuple(of_contract.get(row.id, ())),
            elsewhere=tuple(each for each in of_account.get(row.account, ()) if each.contract_id != row.id),
            notified=frozenset(notified[row.id]),
            renews_on=row.renews_on,
            held=row.account in held,
        )
        for row in rows
        if row.id in ids
    ]


def due_ids(session: Session, today: date) -> list[int]:
    """The contracts of `due`, by id, without reading what bears on them."""
    return sorted(set().union(*_found(session, today, None)))


def _found(session: Session, today: date, contract_ids: Collection[int] | None) -> tuple[set[int], set[int]]:
    """Contracts with a fee overdue, and those suspended for one."""
    overdue = sa.select(invoice.c.contract_id).where(_OVERDUE)
    suspended = sa.select(suspension.c.contract_id).where(_SUSPENDED)
    if contract_ids is not None:
        among = _any(contract_ids)
        overdue = overdue.where(invoice.c.contract_id == among)
        suspended = suspended.where(suspension.c.contract_id == among)
    suspended_ids = set(session.scalars(suspended))
    return set(session.scalars(overdue, {TODAY.key: today})), suspended_ids


def _any(ids: Collection[int]) -> sa.CollectionAggregate[bool]:
    return sa.any_(numbers(ids))


def decide(rules: Rules, cases: Sequence[Case], today: date) -> list[DelinquencyRuling]:
    """The standing of each case, and what becomes due at once."""
    settings = rules.discretion
    rulings = []
    for case in cases:
        fees = [each.fee for each in case.unpaid]
        state, days = default_state(fees, today, settings.suspend_after_days, settings.terminate_after_days)
        if case.held:  # a suspension whose reason is gone is lifted all the same
            rulings.append(DelinquencyRuling(case, state, days))
            continue
        tell = tuple(
            each
            for each in case.unpaid
            if overdue_days(each.fee, today) > 0 and f"invoice:{each.invoice_id}" not in case.notified
        )
        everything = [*fees, *(each.fee for each in case.elsewhere)]
        rests = tuple(each for each in case.unpaid if each.waits and each.due_on < today)
        rulings.append(DelinquencyRuling(case, state, days, accelerated(everything, today), tell, rests))
    return rulings


def save(
    session: Session,
    rules: Rules,
    rulings: Sequence[DelinquencyRuling],
    now: datetime,
    fence: Fence | None = None,
) -> int:
    """Write what changed, and commit in chunks; returns the rows written.

    Between the look and the deed somebody may have paid, or left: what is to be done is decided again under locks, so
    that nobody is suspended or terminated for a debt that is no more. With a fence, a contract that this fails for is
    set aside; without one, that is raised.
    """
    acting = {ruling.case.contract_id: ruling.case for ruling in rulings if ruling.acts}

    def carry_out(session: Session, ids: Sequence[int]) -> int:
        _lock(session, [acting[each] for each in ids])
        present = decide(rules, due(session, rules, today, contract_ids=ids), today)
        told = [each.case.contract_id for each in present if each.case.running and (each.tell or each.suspends)]
        states = states_of(session, rules, told, now) if told else {}
        ending = frozenset(each for each, state in states.items() if state.ends_on is not None)
        written = sum(_carry_out(session, rules, ruling, now, ending) for ruling in present)
        session.commit()
        return written

    today = jst_day(now)
    ids = list(acting)
    changes = 0
    for start in range(0, len(ids), CHUNK):
        chunk = ids[start : start + CHUNK]
        changes += fenced(fence, "contract", chunk, partial(carry_out, ids=chunk), carry_out)(session)
    return changes


def reconsider(session: Session, rules: Rules, contract_id: int, now: datetime) -> int:
    """Lift a suspension at once when a payment took its reason away; everything else waits for the night."""
    today = jst_day(now)
    changes = 0
    for ruling in decide(rules, due(session, rules, today, contract_ids=[contract_id]), today):
        if ruling.lifts:
            changes += _lift(session, ruling.case, now)
    session.commit()
    return changes


def _lock(session: Session, cases: Sequence[Case]) -> None:
    """Keep others from paying, leaving and ending until the transaction ends."""
    lock_accounts(session, {case.account for case in cases})
    ids = [case.contract_id for case in cases]
    session.execute(
        sa.select(contract.c.id).where(contract.c.id == _any(ids)).order_by(contract.c.id).with_for_update()
    )


def _carry_out(
    session: Session, rules: Rules, ruling: DelinquencyRuling, now: datetime, ending: Collection[int]
) -> int:
    """Write what follows for one contract; returns the rows written. Does not commit.

    `ending`: contracts that end with their term as things stand, of those whose letters say what comes.
    """
    case, today = ruling.case, jst_day(now)
    changes = 0
    for each in ruling.tell:
        notice = _overdue(session, rules, each, today, case, ending)
        changes += save_notice(session, case.account, case.contract_id, notice, f"invoice:{each.invoice_id}", now)
    changes += sum(_small_rest(session, rules, each, now) for each in ruling.rests)
    if ruling.accelerate:
        occasion = f"invoice:{min(ruling.accelerate)}"
        changes += accelerate(
            session, rules, case.account, case.contract_id, occasion, now, invoice_ids=ruling.accelerate
        )
    if ruling.terminates:
        why = notice_text.Termination(ruling.days, ruling.open_yen)
        changes += terminate(session, rules, case.contract_id, case.account, why, now)
    elif ruling.suspends:
        comes = _comes(rules, case, [each.fee for each in case.unpaid], ending)
        ends_on = comes.ends_on or comes.terminates_on if comes is not None else None
        notice = notice_text.suspension(today, ruling.days, ruling.open_yen, ends_on)
        notice = notice_text.with_transfer(notice, *transfer_of(session, rules, case.account))
        suspension_id = session.execute(
            sa.insert(suspension)
            .values(
                contract_id=case.contract_id,
                account=case.account,
                from_at=now,
                set_by="delinquency",
                ground=f"fees unpaid for {ruling.days} days",
                recorded_at=now,
            )
            .returning(suspension.c.id)
        ).scalar_one()
        occasion = f"suspension:{suspension_id}"
        changes += 1 + save_notice(session, case.account, case.contract_id, notice, occasion, now)
    elif ruling.lifts:
        changes += _lift(session, case, now)
    return changes


def _small_rest(session: Session, rules: Rules, rest: OpenItem, now: datetime) -> int:
    """Told to people once; under the operator's limit it is given up when its term is over. Rows written."""
    if rest.open_yen <= rules.discretion.small_rest_write_off_yen:
        act = Act("keizoku", "less than a card can be charged (small_rest_write_off_yen)")
        with suppress(Refused):  # its term still runs
            give_up(session, rules, rest.account, rest.term_starts_on, act, now)
            return 1
        return 0
    detail = {"account": rest.account, "yen": rest.open_yen, "term": rest.term_starts_on.isoformat()}
    return open_task(session, "small_rest", f"invoice {rest.invoice_id}", detail, now)


def _lift(session: Session, case: Case, now: datetime) -> int:
    """End this stage's suspension; access is back and the user is notified, unless people keep it off too."""
    lifted = session.scalars(
        sa.update(suspension)
        .where(
            suspension.c.contract_id == case.contract_id,
            suspension.c.set_by == "delinquency",
            suspension.c.lifted_at.is_(None),
        )
        .values(lifted_at=sa.func.greatest(now, suspension.c.from_at), lifted_by="delinquency", lift_recorded_at=now)
        .returning(suspension.c.id)
    ).all()
    changes = len(lifted)
    held = sa.select(suspension.c.id).where(
        suspension.c.contract_id == case.contract_id, suspension.c.lifted_at.is_(None)
    )
    if lifted and session.execute(held).first() is None:
        notice = notice_text.resumption(jst_day(now))
        changes += save_notice(session, case.account, case.contract_id, notice, f"suspension:{max(lifted)}", now)
    return changes


def _comes(rules: Rules, case: Case, fees: Sequence[UnpaidFee], ending: Collection[int]) -> Prospect | None:
    """What comes of a running contract if nothing more is paid; None: it is over, or nothing comes of these fees."""
    settings = rules.discretion
    ahead = outlook(fees, settings.suspend_after_days, settings.terminate_after_days)
    if ahead is None or not case.running:
        return None
    renews = case.contract_id not in ending
    return prospect(ahead, case.renews_on, renews=renews, suspended_term_renews=settings.suspended_term_renews)


def _overdue(
    session: Session, rules: Rules, fee: OpenItem, today: date, case: Case, ending: Collection[int]
) -> notice_text.Notice:
    settings = rules.discretion
    comes = _comes(rules, case, [fee.fee], ending)
    suspends_on = max(comes.suspends_on, today) if comes is not None and comes.suspends_on is not None else None
    chargeable = fee.method == "card" and fee.open_yen >= settings.minimum_card_charge_yen
    wanted_on = max(fee.wanted_on, today) if fee.wanted_on is not None else None
    method = "card" if chargeable else "other"
    named, reference = transfer_of(session, rules, fee.account)
    by_on = suspends_on - timedelta(days=1) if suspends_on is not None and suspends_on > today else None
    told = notice_text.OverdueFee(fee.due_on, fee.open_yen, method, wanted_on, suspends_on, named, reference, by_on)
    return notice_text.overdue(told)
