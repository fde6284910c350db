"""Default: measures that people take against a contract, and documents that they hand to the mailer.

One method per act, with its author, its ground and `now`. Each act is committed; what cannot be done is Refused in one
line. What follows from unpaid fees is the night's (keizoku.billing.dunning.delinquency_stage), not people's.
"""

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from keizoku.billing.contracts.contract_events import record_fact
from keizoku.billing.documents import issued_letters
from keizoku.billing.documents.issued_documents import Issuing
from keizoku.billing.documents.notices import save_notice
from keizoku.billing.documents.outbox import NOBODY
from keizoku.billing.dunning.termination import accelerate, terminate
from keizoku.billing.receivables import account_holds
from keizoku.billing.receivables.open_items import lock_accounts
from keizoku.billing.rules.documents import notice_text
from keizoku.billing.rules.documents.issuer import Issuer
from keizoku.billing.services.base import Service
from keizoku.db.tables.contracts import contract, suspension
from keizoku.terms.calendar import iso_jst, jst_day
from keizoku.terms.refusal import Refused


@dataclass(frozen=True, slots=True)
class DefaultService(Service):
    """Acts of people on a contract in default, and on its documents."""

    def suspend(
        self, account: str, ground: str, *, by: str = "people", accelerates: bool = False, now: datetime
    ) -> None:
        """Switch access off, for a ground that people state (premium/7.1).

        `accelerates`: people find that the ground holds (premium/7.1.1), so what is invoiced and not yet due becomes
        due at once (premium/7.2); a suspension while they still look into it does not.
        """
        _stated(account, by, ground)
        row = self._held(account, now)
        open_one = sa.select(suspension.c.id).where(
            suspension.c.contract_id == row.id,
            suspension.c.set_by == "people",
            suspension.c.lifted_at.is_(None),
        )
        if self.session.execute(open_one).first() is not None:
            self.session.rollback()
            raise Refused(
                "contract.suspended", f"account {account}: people have suspended it already", "resume it first"
            )
        detail: dict[str, object] | None = {"accelerates": True} if accelerates else None
        record_fact(self.session, row.id, account, "suspend", now, author=by, ground=ground, detail=detail)
        suspension_id = self.session.execute(
            sa.insert(suspension)
            .values(contract_id=row.id, account=account, from_at=now, set_by="people", ground=ground, recorded_at=now)
            .returning(suspension.c.id)
        ).scalar_one()
        occasion = f"suspension:{suspension_id}"
        ends_on = None if self.rules.discretion.suspended_term_renews else row.renews_on
        notice = notice_text.suspension_by_people(jst_day(now), ground, ends_on)
        save_notice(self.session, account, row.id, notice, occasion, now)
        if accelerates:
            accelerate(self.session, self.rules, account, row.id, occasion, now, ground=ground)
        self.session.commit()

    def resume(self, account: str, ground: str, *, by: str = "people", now: datetime) -> None:
        """Lift every suspension; one for fees that are still unpaid comes back by night."""
        _stated(account, by, ground)
        row = self._held(account, now)
        begun_at = self.session.execute(
            sa.select(sa.func.max(suspension.c.from_at)).where(
                suspension.c.contract_id == row.id, suspension.c.lifted_at.is_(None)
            )
        ).scalar_one()
        if begun_at is not None and now < begun_at:
            self.session.rollback()
            why = f"it is suspended since {iso_jst(begun_at)}, after {iso_jst(now)}"
            raise Refused("clock.behind", f"account {account}: {why}", "set the clock")
        lifted = self.session.scalars(
            sa.update(suspension)
            .where(suspension.c.contract_id == row.id, suspension.c.lifted_at.is_(None))
            .values(lifted_at=now, lifted_by=by, lift_recorded_at=now)
            .returning(suspension.c.id)
        ).all()
        if not lifted:
            self.session.rollback()
            raise Refused("contract.not_suspended", f"account {account}: it is not suspended")
        record_fact(self.session, row.id, account, "resume", now, author=by, ground=ground)
        notice = notice_text.resumption(jst_day(now))
        save_notice(self.session, account, row.id, notice, f"suspension:{max(lifted)}", now)
        self.session.commit()

    def terminate(self, account: str, ground: str, *, by: str = "people", now: datetime) -> None:
        """End the contract for a ground that people state (premium/7.1); what is unpaid stays owed."""
        _stated(account, by, ground)
        row = self._held(account, now)
        record_fact(self.session, row.id, account, "terminate", now, author=by, ground=ground)
        terminate(self.session, self.rules, row.id, account, notice_text.Termination(ground=ground), now)
        self.session.commit()

    def _held(self, account: str, now: datetime) -> sa.Row[tuple[object, ...]]:
        """The running contract, locked until the act is committed: the night and others wait, and see it done."""
        row = self._running(account, now)
        lock_accounts(self.session, [account])
        ended_on = self.session.execute(
            sa.select(contract.c.ended_on).where(contract.c.id == row.id).with_for_update()
        ).scalar_one()
        if ended_on is not None:
            self.session.rollback()
            raise Refused("contract.not_running", f"account {account}: its contract ended on {ended_on}")
        return row

    def hold_account(
        self, account: str, until_on: date, ground: str, *, by: str, key: str | None = None, now: datetime
    ) -> None:
        """Hold back charges, demands, suspension and termination for unpaid fees, up to a day, that day included."""

        def do() -> None:
            lock_accounts(self.session, [account])
            account_holds.hold(self.session, account, until_on, by=by, ground=ground, now=now)
            self.session.commit()

        content = {"account": account, "until_on": until_on, "by": by, "ground": ground}
        self._once(key, "account_hold", content, do, now)

    def release_account(self, account: str, ground: str, *, by: str, now: datetime) -> None:
        """End the hold on an account before its day: the next night does what waited."""
        lock_accounts(self.session, [account])
        account_holds.release(self.session, account, by=by, ground=ground, now=now)
        self.session.commit()

    def hand_over(
        self, document: str, *, by: str, handed_at: datetime | None = None, issuer: Issuer = NOBODY, now: datetime
    ) -> bool:
        """A document was given to the mailer at `handed_at` (default: now); False where that was known already.

        It is stored as it went out, from this issuer, unless it is.
        """
        return issued_letters.hand_over(self.session, document, Issuing(issuer, by, now), handed_at or now)


def _stated(account: str, by: str, ground: str) -> None:
    """A measure that a person takes has an author and a ground, which the user is given."""
    if not by.strip() or not ground.strip():
        raise Refused("act.unsigned", f"account {account}: say who decides so and on what ground (premium/7.1)")
