"""Money out by bank (総合振込): proposed by one person, approved by another, written into a file that the bank takes.

    proposed ── approved by somebody else ──> approved ── file ──> sent ── the bank's line ──> done
        └── rejected                                             └── the bank sends it back ──> failed (1110 / 2140)

    approved before a restore ── rejected by people (a file that the backup does not know may have sent it)

Always holds (by the database): whoever approves is not whoever proposed; a transfer is sent once. What is proposed is
kept back from the deposit that it is of. A file is made of rows that stay, so it can be written again, byte for byte.
2140 / 1110 is booked with the file, on the day on which the bank is to pay: until then the money lies at the bank, and
we owe it. What comes back before that day is booked back on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256

import sqlalchemy as sa

from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables.customer_deposits import (
    BANK,
    CARD,
    SENT,
    DepositUse,
    deposit_of,
    end_tasks_when_all_went_back,
    kept_back,
    use_deposit,
)
from keizoku.billing.receivables.open_items import lock_accounts
from keizoku.billing.statements.transfer_file import (
    KINDS,
    MOST_YEN,
    BankAccount,
    Payer,
    Transfer,
    bank_and_branch,
    in_kana,
    payer_of,
    write_transfers,
)
from keizoku.billing.statements.values import BadValueError
from keizoku.db.review_tasks import close_task, open_task
from keizoku.db.roles import want_to_add
from keizoku.db.session import Session
from keizoku.db.tables.bank import bank_act, transfer_act, transfer_file, transfer_order
from keizoku.db.tables.restoration import restoration
from keizoku.terms.calendar import jst_day
from keizoku.terms.read_model import ReadModel
from keizoku.terms.refusal import Refused

__all__ = ["TransferOut", "WrittenFile", "decide", "file_again", "propose", "send", "sent_back", "transfers"]

APPROVED, REJECTED, SENT_OFF, FAILED = "approved", "rejected", "sent", "failed"


@dataclass(frozen=True, slots=True, eq=False)
class TransferOut(ReadModel):
    """A transfer out: whose, to whom, how far it is; the number of the account is shown by its last three digits."""

    id: int
    account: str
    yen: int
    to: str
    state: str
    proposed_by: str
    approved_by: str | None
    file: int | None
    deposit_use: int | None


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file of transfers: its number, the day on which the bank is to pay, what it holds."""

    number: int
    on: date
    transfers: int
    yen: int
    sha256: str
    content: bytes


def propose(session: Session, account: str, yen: int, to: BankAccount, by: str, ground: str, now: datetime) -> int:
    """Propose to send a deposit, or a part, to its payer's bank account; commits; the transfer's id. Raises Refused."""
    want_to_add(session, transfer_order)
    try:
        bank_and_branch(to.bank, to.branch)
        holder = in_kana(to.holder, 30)
        if to.kind not in KINDS or not (to.number.isascii() and to.number.isdigit() and len(to.number) <= 7):
            raise BadValueError(
                f"{to.kind}-{to.number}", "a kind is 1, 2, 4 or 9, a number up to 7 digits", "correct it"
            )
        if not 0 < yen <= MOST_YEN:
            raise BadValueError(str(yen), f"a transfer is of 1 to {MOST_YEN:,} yen", "divide it")
    except BadValueError as bad:
        raise Refused("transfer_out.unfit", f"{bad.args[0]}: {bad.args[1]}", bad.args[2]) from None
    lock_accounts(session, [account])
    held = deposit_of(session, account)
    kept = kept_back(session, account)
    origin = SENT if yen <= held.sent_yen - kept[SENT] else CARD
    free = held.card_free_yen - kept[CARD] if origin == CARD else held.sent_yen - kept[SENT]
    if yen > free:
        session.rollback()
        parts = f"{held.sent_yen - kept[SENT]} sent, {held.card_free_yen - kept[CARD]} charged too much"
        raise Refused(
            "transfer_out.amount", f"account {account}: {yen} yen are more than can go in one transfer ({parts})"
        )
    order_id = session.execute(
        sa.insert(transfer_order)
        .values(
            account=account, yen=yen, origin=origin, bank=to.bank, branch=to.branch, kind=to.kind,
            number=to.number.rjust(7, "0"), holder=holder, proposed_by=by.strip(), ground=ground, recorded_at=now,
        )
        .returning(transfer_order.c.id)
    ).scalar_one()  # fmt: skip
    session.commit()
    return int(order_id)


def decide(session: Session, order_id: int, approve: bool, by: str, ground: str, now: datetime) -> None:
    """Another person approves a transfer, or anybody rejects it before it is in a file; commits. Raises Refused.

    One that was approved before a restore is rejected in the end, whether it was sent meanwhile or not.
    """
    want_to_add(session, transfer_act)
    row = _order(session, order_id)
    if (state := _state(session, order_id)) != "proposed" and (approve or state != APPROVED):
        session.rollback()
        raise Refused("transfer_out.state", f"transfer {order_id} is {state} already")
    if approve and by.strip().casefold() == row.proposed_by.casefold():
        session.rollback()
        raise Refused("transfer_out.same_person", f"transfer {order_id} was proposed by {row.proposed_by}")
    _note(session, row, APPROVED if approve else REJECTED, by, ground, now)
    close_task(session, "restored_act", f"transfer {order_id}", by, ground, now)
    session.commit()


def send(session: Session, payer: Payer, on: date, by: str, now: datetime) -> WrittenFile:
    """Everything approved, as a file for the bank to pay on a day; booked on it (2140 / 1110). The caller commits.

    So that the file is there when the rows are: what is written first appears when the commit is done.
    """
    want_to_add(session, transfer_act)
    if on < jst_day(now):
        raise Refused("transfer_out.day", f"{on} is over: a bank pays today or later")
    doubted = {row.id for row in in_doubt(session)}
    rows = [row for row in _orders(session) if row.id not in doubted and _state(session, row.id) == APPROVED]
    if doubted and not rows:
        session.rollback()
        raise Refused(
            "transfer_out.before_restore",
            f"transfer {', '.join(map(str, sorted(doubted)))}: approved before this database was restored, and perhaps "
            "sent since the backup",
            "reject it (`keizoku transfer reject`), and propose it anew if the bank did not pay it",
        )
    if not rows:
        session.rollback()
        raise Refused("transfer_out.none", "no approved transfer waits to be sent")
    lock_accounts(session, sorted({row.account for row in rows}))
    _want_held(session, rows)
    content = _content(payer, on, rows)
    digest = sha256(content).hexdigest()
    values = {
        "paid_on": on, "payer": f"{payer.code}/{_key(payer.account)}/{payer.account.holder}", "author": by,
        "sha256": digest, "recorded_at": now,
    }  # fmt: skip
    number = session.execute(sa.insert(transfer_file).values(values).returning(transfer_file.c.id)).scalar_one()
    for row in rows:
        use = DepositUse(row.account, "refunded", row.origin, row.yen, by, f"transfer {row.id}: {row.ground}", BANK)
        use_id = use_deposit(session, use, now, used_on=on)
        posting = Posting("deposit_refunded", f"deposit:{use_id}", on, {"yen": row.yen}, row.account)
        post(session, [posting], now)
        if row.origin == CARD:
            end_tasks_when_all_went_back(session, row.account, by, row.ground, now)
        _note(session, row, SENT_OFF, by, f"file {number}", now, file_id=number, use_id=use_id)
    return WrittenFile(number, on, len(rows), sum(row.yen for row in rows), digest, content)


def _want_held(session: Session, rows: Sequence[sa.Row[tuple[object, ...]]]) -> None:
    """Refuses to send more than is held by now: a deposit pays what falls due while a transfer waits."""
    wanted: dict[tuple[str, str], list[sa.Row[tuple[object, ...]]]] = {}
    for row in rows:
        wanted.setdefault((row.account, row.origin), []).append(row)
    for (account, origin), several in wanted.items():
        held = deposit_of(session, account)
        held_yen = held.sent_yen if origin == SENT else held.card_free_yen
        if sum(row.yen for row in several) > held_yen:
            session.rollback()
            raise Refused(
                "transfer_out.not_held",
                f"transfer {', '.join(str(row.id) for row in several)}: account {account} holds {held_yen} yen by now",
                "reject it (`keizoku transfer reject`), and propose what is left",
            )


def in_doubt(session: Session) -> list[sa.Row[tuple[object, ...]]]:
    """Transfers that wait as approved since before a restore: a file of after the backup may have sent them."""
    before = sa.select(transfer_act.c.order_id).where(
        transfer_act.c.kind == APPROVED,
        transfer_act.c.recorded_at <= sa.select(sa.func.max(restoration.c.restored_at)).scalar_subquery(),
    )
    over = sa.select(transfer_act.c.order_id).where(transfer_act.c.kind != APPROVED)
    orders = sa.select(transfer_order).where(transfer_order.c.id.in_(before), transfer_order.c.id.not_in(over))
    return list(session.execute(orders.order_by(transfer_order.c.id)).all())


def leave_to_people_after_restore(session: Session, now: datetime) -> int:
    """A task for each transfer in doubt; returns the rows written. The caller commits."""
    return sum(
        open_task(
            session,
            "restored_act",
            f"transfer {row.id}",
            {
                "account": row.account,
                "what": "transfer",
                "yen": row.yen,
                "why": "approved before the restore, perhaps sent since the backup",
                "remedy": f"keizoku transfer reject {row.id} --author NAME --ground WHY",
            },
            now,
        )
        for row in in_doubt(session)
    )


def file_again(session: Session, number: int) -> WrittenFile:
    """A file that was made before, byte for byte. Refused where there is none."""
    want_to_add(session, transfer_file)  # the file names people and their accounts
    file = session.execute(sa.select(transfer_file).where(transfer_file.c.id == number)).one_or_none()
    if file is None:
        session.rollback()
        raise Refused("transfer_out.file_unknown", f"there is no file {number} of transfers")
    rows = session.execute(
        sa.select(transfer_order)
        .join(transfer_act, transfer_act.c.order_id == transfer_order.c.id)
        .where(transfer_act.c.file_id == number, transfer_act.c.kind == SENT_OFF)
        .order_by(transfer_order.c.id)
    ).all()
    content = _content(payer_of(file.payer), file.paid_on, rows)
    total = sum(row.yen for row in rows)
    return WrittenFile(number, file.paid_on, len(rows), total, sha256(content).hexdigest(), content)


def sent_back(session: Session, order_id: int, by: str, ground: str, now: datetime) -> None:
    """The bank could not pay a transfer and gave the money back: it is the payer's again (1110 / 2140). Commits."""
    want_to_add(session, transfer_act)
    row = _order(session, order_id)
    if (state := _state(session, order_id)) != SENT_OFF:
        session.rollback()
        raise Refused("transfer_out.state", f"transfer {order_id} is {state}: only what was sent comes back")
    lock_accounts(session, [row.account])
    paid_on = sa.select(transfer_file.c.paid_on).join(transfer_act, transfer_act.c.file_id == transfer_file.c.id)
    sent_on = session.scalars(paid_on.where(transfer_act.c.order_id == order_id, transfer_act.c.kind == SENT_OFF)).one()
    on = max(jst_day(now), sent_on)  # refused before its day: as if it had not been
    use = DepositUse(row.account, "refunded", row.origin, -row.yen, by, ground, BANK)
    use_id = use_deposit(session, use, now, used_on=on)
    amounts = {"yen": row.yen}
    post(session, [Posting("deposit_refund_failed", f"deposit:{use_id}", on, amounts, row.account)], now)
    _note(session, row, FAILED, by, ground, now, use_id=use_id)
    session.commit()


def transfers(session: Session, *, open_only: bool = False) -> list[TransferOut]:
    """Every transfer out, oldest first; what the bank's line shows as paid is done."""
    found = []
    for row in _orders(session):
        acts = session.execute(
            sa.select(transfer_act).where(transfer_act.c.order_id == row.id).order_by(transfer_act.c.id)
        ).all()
        state = acts[-1].kind if acts else "proposed"
        sent = next((act for act in acts if act.kind == SENT_OFF), None)
        if state == SENT_OFF and sent is not None and _shown(session, sent.deposit_use_id, sent.file_id):
            state = "done"
        if open_only and state in ("done", REJECTED, FAILED):
            continue
        found.append(
            TransferOut(
                id=row.id,
                account=row.account,
                yen=row.yen,
                to=f"{row.bank}-{row.branch}-{row.kind}-****{row.number[-3:]}",
                state=state,
                proposed_by=row.proposed_by,
                approved_by=next((act.author for act in acts if act.kind == APPROVED), None),
                file=sent.file_id if sent is not None else None,
                deposit_use=sent.deposit_use_id if sent is not None else None,
            )
        )
    return found


def _shown(session: Session, use_id: int, file_id: int) -> bool:
    """Whether a line of the bank is joined to what was booked, or to the whole file."""
    names = (f"deposit:{use_id}", f"file:{file_id}")
    newest = sa.select(bank_act.c.line_id).where(bank_act.c.about.in_(names)).limit(1)
    return session.execute(newest).first() is not None


def _content(payer: Payer, on: date, rows: Sequence[sa.Row[tuple[object, ...]]]) -> bytes:
    listed = [
        Transfer(BankAccount(row.bank, row.branch, row.kind, row.number, row.holder), row.yen, str(row.id))
        for row in rows
    ]
    try:
        return write_transfers(payer, on, listed)
    except BadValueError as bad:
        raise Refused("transfer_out.unfit", f"{bad.args[0]}: {bad.args[1]}", bad.args[2]) from None


def _key(account: BankAccount) -> str:
    return f"{account.bank}-{account.branch}-{account.kind}-{account.number}"


def _orders(session: Session) -> list[sa.Row[tuple[object, ...]]]:
    return list(session.execute(sa.select(transfer_order).order_by(transfer_order.c.id)).all())


def _order(session: Session, order_id: int) -> sa.Row[tuple[object, ...]]:
    row = session.execute(
        sa.select(transfer_order).where(transfer_order.c.id == order_id).with_for_update()
    ).one_or_none()
    if row is None:
        session.rollback()
        raise Refused("transfer_out.unknown", f"there is no transfer {order_id}", "(see `keizoku transfer list`)")
    return row


def _state(session: Session, order_id: int) -> str:
    newest = sa.select(transfer_act.c.kind).where(transfer_act.c.order_id == order_id)
    return session.scalar(newest.order_by(transfer_act.c.id.desc()).limit(1)) or "proposed"


def _note(
    session: Session,
    row: sa.Row[tuple[object, ...]],
    kind: str,
    by: str,
    ground: str,
    now: datetime,
    *,
    file_id: int | None = None,
    use_id: int | None = None,
) -> None:
    session.execute(
        sa.insert(transfer_act).values(
            order_id=row.id,
            proposed_by=row.proposed_by,
            kind=kind,
            author=by.strip(),
            ground=ground,
            file_id=file_id,
            deposit_use_id=use_id,
            recorded_at=now,
        )
    )
