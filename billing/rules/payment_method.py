"""How a term is paid for: which method holds, which methods we invoice, and when a card is asked again.

Decides premium/5.1 (method, change at renewal), its items (what each method brings about), premium/5.3 and
premium/5.4 (a new card is asked at once). Facts in, answers out; days are JST dates.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from keizoku.terms.calendar import MONTHS_OF
from keizoku.terms.decision import decides

CARD = "card"
APP_STORE = "app_store"
PREPAID = ("coupon", "product_key")


class Opening(StrEnum):
    """What the beginning of a term brings about, by its method of payment."""

    INVOICE = "term_invoiced"  # we invoice: a card is charged on the first day, others pay by the due date
    STORE = "store_term_started"  # the store bills its customer and reports to us; the journal alone knows it
    KEY = "key_redeemed"  # the key was paid for when it was sold
    FREE = "coupon_term_started"  # nothing is owed and nothing is posted


@decides("premium/5.1.1.a", "premium/5.1.1.c", "premium/5.1.2", "premium/5.3")
def opening(method: str) -> Opening:
    """How a term paid by this method is opened. A store's customer pays the store, by the store's own dates."""
    return _OPENINGS[method]


_OPENINGS = {
    "card": Opening.INVOICE,
    "other": Opening.INVOICE,
    "app_store": Opening.STORE,
    "product_key": Opening.KEY,
    "coupon": Opening.FREE,
}
INVOICED = tuple(method for method, kind in _OPENINGS.items() if kind is Opening.INVOICE)
POSTED_ONLY = tuple(method for method, kind in _OPENINGS.items() if kind in (Opening.STORE, Opening.KEY))


@decides("premium/5.1", "premium/5.1.1.b")
def method_of_term(
    *,
    seq: int,
    current: str,
    prepaid_terms: int,
    prepaid_method: str | None,
    fallback: str | None,
    changes: Sequence[tuple[datetime, str]],
    starts_at: datetime,
) -> str | None:
    """The method of the term number `seq`, or None where nothing pays for it.

    What was paid for in advance is used up first; then the last change asked for before the term starts holds,
    else the fallback after a coupon or key, else the method of the term before.
    """
    if prepaid_method is not None and seq < prepaid_terms:
        return prepaid_method
    asked = [method for at, method in sorted(changes) if at < starts_at] if changes else ()
    if asked:
        return asked[-1]
    return fallback if current in PREPAID else current


def prepaid_terms(months: int | None, interval: str) -> int:
    """How many whole terms the months of a coupon or key pay for; raises where they don't fill whole terms."""
    if months is None:
        return 0
    whole, rest = divmod(months, MONTHS_OF[interval])
    if rest or whole < 1:
        raise ValueError(f"{months} months do not pay for whole terms of one {interval}")
    return whole


def refuse_change(current: str, wanted: str, *, store_stop_recorded: bool) -> str | None:
    """Why a change of method cannot be taken, or None. Who leaves a store stops there first, else both are paid."""
    if current == APP_STORE and wanted != APP_STORE and not store_stop_recorded:
        return "the store's own stop is not recorded (premium/5.1): stop the subscription in the store first"
    if wanted in PREPAID:
        return f"a {wanted} is redeemed with an application: end this contract, then apply with the code"
    return None


@dataclass(frozen=True, slots=True)
class PastAttempt:
    """An attempt at a charge: when it was due and made, and its definite outcome (None: still unknown)."""

    wanted_on: date
    started_at: datetime
    started_on: date
    outcome: str | None
    settled_on: date | None


@decides("premium/5.4")
def next_attempt_wanted_on(
    due_on: date,
    attempts: Sequence[PastAttempt],
    retry_after_days: Sequence[int],
    new_card_at: datetime | None,
    new_card_on: date | None,
) -> date | None:
    """The day from which another attempt is due, or None: nothing more to try until a new card comes.

    The first attempt is due on the due date of the fee. A soft decline follows the retry schedule (days after the due
    date); a hard one, or one that needs the user, waits for a new card, which is asked at once. Retries that were
    missed collapse into one: the earliest day not yet tried is returned. An attempt that people found to have never
    reached the card is due again as it was.
    """
    if not attempts:
        return due_on
    last = max(attempts, key=lambda attempt: attempt.started_at)
    if last.outcome is None:
        return None
    if new_card_at is not None and new_card_on is not None and new_card_at > last.started_at:
        return max(due_on, new_card_on)
    if last.outcome == "abandoned":
        return last.wanted_on
    if last.outcome != "declined_soft":
        return None
    later = [due_on + timedelta(days=days) for days in sorted(retry_after_days)]
    return next((on for on in later if on > last.started_on), None)


def decline_kind(
    code: str | None,
    hard_codes: Collection[str],
    advice: str | None = None,
    *,
    card_holder_codes: Collection[str] = (),
    hard_advice: Collection[str] = (),
    card_holder_advice: Collection[str] = (),
) -> str:
    """What a refused charge waits for: a new card, the card holder, or the retry schedule.

    `declined_hard`, `needs_user`, `declined_soft`. The advice that comes with a code stands above it: who is told not
    to try again does not, whatever the code. Which words mean what is data (setting, billing/gateway/refusal_words).
    """
    if advice in hard_advice:
        return "declined_hard"
    if advice in card_holder_advice or code in card_holder_codes:
        return "needs_user"
    return "declined_hard" if code in hard_codes else "declined_soft"


def days_not_accruing(
    due_on: date,
    delayed_until: date | None,
    attempts: Sequence[PastAttempt],
    wanted_on: date | None,
    today: date,
) -> tuple[tuple[date, date], ...]:
    """Days [from, to) on which our or the gateway's fault kept a fee from being charged (premium/5.2 reading).

    The first attempt was due on one day and definitely answered only on a later one: the days between bear no
    interest, whatever the answer was. A retry that came late took nothing from a user whose card refuses again, so
    its days are left out only if it succeeded or its answer is still unknown. An attempt that never reached the card
    (abandoned) leaves the fee uncharged until the next one begins, and the first that does reach it is the first
    attempt. `delayed_until` is the day on which an invoice for payment by other means was really made, where that was
    later than its date.
    """
    one = timedelta(days=1)
    ranges = []
    reached = False
    for place, attempt in enumerate(attempts):
        ended_on = attempt.settled_on or today
        if attempt.outcome == "abandoned":
            ended_on = max(ended_on, attempts[place + 1].started_on if place + 1 < len(attempts) else today)
        if not reached or attempt.outcome in (None, "succeeded", "abandoned"):
            ranges.append((attempt.wanted_on + one, ended_on + one))
        reached = reached or attempt.outcome not in (None, "abandoned")
    if not attempts and wanted_on is not None and wanted_on < today:
        ranges.append((wanted_on + one, today + one))
    if delayed_until is not None:
        ranges.append((due_on + one, delayed_until + one))
    merged: list[tuple[date, date]] = []
    for start, end in sorted(r for r in ranges if r[0] < r[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)
