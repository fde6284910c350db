"""The forecast of a night: the night itself, rehearsed. What it writes is counted, and then undone.

    the lock on nights ──> rehearsal (`keizoku.db.act_keys`) ──> every stage but the audit ──> figures ──> rolled back

It is the same code on the same rows, so a forecast cannot drift from the night that follows. Nothing outside is asked:
every card is taken to pay, charges without an answer stay without one, and the steps that speak with the partner, or
read the gateway after a restore, are left out. What it touches stays locked for as long as it takes, and readers of
events wait for its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from keizoku.billing.gateway.port import (
    Answer,
    ChargeRequest,
    ChargeResult,
    RefundRequest,
    RefundResult,
    UnansweredError,
)
from keizoku.db.act_keys import rehearsal
from keizoku.db.locks import leader_lock
from keizoku.scheduler.night import run_log
from keizoku.scheduler.night.figures import Figure, OddFigure, figures_of, last_figures, odd_among
from keizoku.scheduler.night.limits import check_not_too_early
from keizoku.scheduler.night.schedule import night_at
from keizoku.scheduler.night.waiting import Above, above_limits, held_by_hand
from keizoku.terms.calendar import jst_day
from keizoku.terms.read_model import Shown

if TYPE_CHECKING:
    from keizoku.billing.gateway.books import Dispute, GatewayBooks, KeyedAct, RefundState
    from keizoku.scheduler.app import Services

__all__ = ["NOT_REHEARSED", "NightForecast", "forecast_night", "next_night"]

NOT_REHEARSED: Final = ("after_restore", "link_tokens", "link_orders")
"""Steps that ask somebody outside and can do nothing without an answer."""


@dataclass(frozen=True, slots=True)
class NightForecast(Shown):
    """What a night would write, rehearsed at its own hour, or now where that is over."""

    business_date: date
    at: datetime
    caught_up: tuple[date, ...]
    stages: Mapping[str, int]  # rows, as the night counts them
    figures: tuple[Figure, ...]
    set_aside: tuple[str, ...]
    odd: tuple[OddFigure, ...]
    above: tuple[Above, ...]
    held: str | None  # the ground of a person's hold
    not_rehearsed: tuple[str, ...] = NOT_REHEARSED


def next_night(services: Services, now: datetime) -> date:
    """The business date of the next night: today's in Japan, or tomorrow's where that one has run."""
    today = jst_day(now)
    last = run_log.last_night(services.session)
    return today if last is None or last < today else max(today, last) + timedelta(days=1)


def forecast_night(services: Services, on: date | None, now: datetime) -> NightForecast:
    """Rehearse the night of a business date; None: the next one. Nothing is left behind but drawn numbers.

    Raises NightBusyError while a night, or another forecast, runs, Refused for a day that is too early.
    """
    from keizoku.scheduler.night.nightly_run import NightBusyError

    session = services.session
    business_date = on or next_night(services, now)
    check_not_too_early(session, services.rules, business_date)
    session.rollback()
    with leader_lock(session, "night") as alone:
        if not alone:
            raise NightBusyError("another night is running on this database; nothing was forecast")
        return rehearse(services, run_log.run_log_state(session, business_date), max(now, night_at(business_date)))


def rehearse(services: Services, before: run_log.RunLogState, at: datetime) -> NightForecast:
    """The same, under the caller's lock."""
    from keizoku.scheduler.night.nightly_run import write_all

    session, on = services.session, before.business_date
    held = held_by_hand(session, on)
    nights = last_figures(session, on)
    told = replace(services, gateway=EveryCardPays(), clock=None, link_setup=None)
    with rehearsal(session):
        results, aside = write_all(told, before, at, lambda _: None, leaves=NOT_REHEARSED)
        figures = figures_of(session, before.marks, at)
    odd = odd_among(figures, nights)
    stages: dict[str, int] = {}
    for each in results:
        stages[each.stage] = stages.get(each.stage, 0) + each.changes
    return NightForecast(
        business_date=on,
        at=at,
        caught_up=before.missed,
        stages=stages,
        figures=tuple(figures),
        set_aside=aside,
        odd=tuple(odd),
        above=tuple(above_limits(services.night_limits, figures, odd)),
        held=held,
    )


class EveryCardPays:
    """A gateway that asks nobody: each charge and each refund is made; of what was asked before it knows nothing."""

    name = "rehearsed"
    bank_names: tuple[str, ...] = ()

    @property
    def books(self) -> GatewayBooks | None:
        """None: no events are fetched."""
        return None

    def check_account(self) -> None:
        """Nothing is sent to any."""

    def charge_many(self, requests: Sequence[ChargeRequest], at: datetime) -> Iterator[ChargeResult]:
        """Each is paid; one that was sent before stays without an answer."""
        for each in requests:
            if each.first_sent_at is not None and each.first_sent_at < at:
                yield ChargeResult(each.key, Answer.UNKNOWN, code="rehearsed")
            else:
                yield ChargeResult(
                    each.key, Answer.SUCCEEDED, gateway_id=f"rehearsed_{each.attempt_id}", happened_at=at
                )

    def find_charges(self, requests: Sequence[ChargeRequest], at: datetime) -> Mapping[str, ChargeResult]:
        """Nothing was answered yet."""
        return {each.key: ChargeResult(each.key, Answer.UNKNOWN, code="rehearsed") for each in requests}

    def disputes(self, ids: Sequence[str], at: datetime) -> Iterator[Dispute]:
        """No answer."""
        return iter(())

    def refunds(self, ids: Sequence[str], at: datetime) -> Iterator[RefundState]:
        """No answer."""
        return iter(())

    def refund(self, request: RefundRequest, at: datetime) -> RefundResult:
        """It is made."""
        return RefundResult(request.key, Answer.SUCCEEDED, gateway_id=f"rehearsed_{request.key}")

    def find_refund(self, request: RefundRequest, at: datetime) -> RefundResult | None:
        """Nothing was found."""
        return None

    def acts_since(self, since: datetime) -> Iterator[KeyedAct]:
        """Raises UnansweredError: nothing was read."""
        raise UnansweredError("a rehearsal asks nothing of the gateway")
