"""Whether tonight's money waits for a person: a hold by hand, or a forecast above the limits that are set.

    hold ── money of every night from then on waits ── release
    limits (KEIZOKU_NIGHT_LIMITS) ── the night is rehearsed first; what lies above one waits ── approve, for one date

What waits is money alone: charges and what goes back to members. Terms, invoices, decisions, credits, notices and
books go on, and nobody is suspended for a charge that we did not make. The hold is a task, like all that is set aside;
the next night, or `keizoku night` after the approval, does what is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.operations import night_word
from keizoku.scheduler.night.figures import Figure, OddFigure
from keizoku.scheduler.night_settings import Limit
from keizoku.terms.read_model import Shown
from keizoku.terms.refusal import Refused, want_signed

if TYPE_CHECKING:
    from keizoku.scheduler.app import Services
    from keizoku.scheduler.night.forecast import NightForecast
    from keizoku.scheduler.night.run_log import RunLogState

__all__ = [
    "Above", "above_limits", "approve", "approve_shown", "held_by_hand", "hold", "reason_to_wait",
    "release",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Above(Shown):
    """A figure above its limit, or an odd one where those are to wait (`most`: the most of the nights before)."""

    name: str
    of: str  # number, yen
    value: int
    most: int


def above_limits(limits: Sequence[Limit], figures: Iterable[Figure], odd: Iterable[OddFigure]) -> list[Above]:
    """What of a night lies above the limits; odd figures that are smaller than usual hold up no money."""
    values = {(each.name, of): getattr(each, of) for each in figures for of in ("number", "yen")}
    found = [
        Above(each.name, each.of, value, each.most)
        for each in limits
        if each.name and (value := values.get((each.name, each.of), 0)) > each.most
    ]
    if any(not each.name for each in limits):
        found += [
            Above(each.name, each.of, each.value, each.most)
            for each in odd
            if each.value > each.most and not any((each.name, each.of) == (known.name, known.of) for known in found)
        ]
    return found


def reason_to_wait(services: Services, before: RunLogState, now: datetime) -> Refused | None:
    """Why no money moves tonight; None: it does. Where limits are set, the night is rehearsed for it."""
    session, on = services.session, before.business_date
    ground = held_by_hand(session, on) if before.any_word else None
    if ground is not None:
        return _waits(on, f"held: {ground}")
    if not services.night_limits:
        return None
    from keizoku.scheduler.night.forecast import rehearse

    approved = _approved(session, on) if before.any_word else {}
    found = rehearse(services, before, now).above
    above = [each for each in found if each.value > approved.get((each.name, each.of), -1)]
    if not above:
        return None
    told = ", ".join(
        f"{each.name} {each.value:,}{' yen' if each.of == 'yen' else ''} > {each.most:,}" for each in above
    )
    return _waits(on, told)


def _waits(on: date, why: str) -> Refused:
    return Refused(
        "night.waits",
        f"charges and refunds of {on} wait for a person ({why})",
        f"look at it: `keizoku night --forecast`; then `keizoku night approve --on {on}` and `keizoku night --on {on}`",
    )


def hold(session: Session, *, by: str, ground: str, now: datetime) -> None:
    """From now on no night moves money until it is released; commits. Refused where a hold is in force."""
    want_signed(by, ground)
    if _hold(session) is not None:
        session.rollback()
        raise Refused("night.held", "nights are held already", "release them: `keizoku night release`")
    _say(session, "hold", None, by, ground, [], now)


def release(session: Session, *, by: str, ground: str, now: datetime) -> None:
    """Nights move money again; commits. Refused where no hold is in force."""
    want_signed(by, ground)
    if _hold(session) is None:
        session.rollback()
        raise Refused("night.not_held", "nobody holds nights", "what lies above a limit is approved instead")
    _say(session, "release", None, by, ground, [], now)


def approve(services: Services, forecast: NightForecast, *, by: str, ground: str, now: datetime) -> None:
    """A person has looked at a forecast: its night moves money, up to what the forecast shows above limits; commits."""
    shown = {f"{each.name} {each.of}": each.value for each in forecast.above}
    approve_shown(services.session, forecast.business_date, shown, by=by, ground=ground, now=now)


def approve_shown(session: Session, on: date, shown: Mapping[str, int], *, by: str, ground: str, now: datetime) -> None:
    """The same, of figures as a person read them: `payments.charges yen` -> 1_200_000."""
    want_signed(by, ground)
    rows = [[*name.split(" ", 1), value] for name, value in shown.items()]
    _say(session, "approve", on, by, ground, rows, now)


def held_by_hand(session: Session, on: date) -> str | None:
    """The ground of the hold that is in force; None: there is none, or this date was approved after it."""
    row = _hold(session)
    if row is None:
        return None
    later = sa.select(night_word.c.id).where(
        night_word.c.kind == "approve", night_word.c.business_date == on, night_word.c.id > row.id
    )
    return None if session.execute(later).first() is not None else str(row.ground)


def _hold(session: Session) -> sa.Row[Any, Any, Any] | None:
    newest = (
        sa.select(night_word.c.id, night_word.c.kind, night_word.c.ground)
        .where(night_word.c.kind != "approve")
        .order_by(night_word.c.id.desc())
        .limit(1)
    )
    row = session.execute(newest).one_or_none()
    return row if row is not None and row.kind == "hold" else None


def _approved(session: Session, on: date) -> dict[tuple[str, str], int]:
    """What the newest approval of a date has seen above its limits; nothing where it was not approved."""
    newest = (
        sa.select(night_word.c.shown)
        .where(night_word.c.kind == "approve", night_word.c.business_date == on)
        .order_by(night_word.c.id.desc())
        .limit(1)
    )
    shown = session.execute(newest).scalar_one_or_none() or ()
    return {(each[0], each[1]): each[2] for each in shown if len(each) == 3}


def _say(
    session: Session, kind: str, on: date | None, by: str, ground: str, shown: list[list[object]], now: datetime
) -> None:
    session.execute(
        sa.insert(night_word).values(
            kind=kind, business_date=on, author=by, ground=ground, shown=shown, recorded_at=now
        )
    )
    session.commit()
