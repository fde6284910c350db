"""What if: a month and all its claims as known at an instant, or read otherwise, against what holds now.

    evidence, claims, rulings recorded by `as_known_at` ─┐
    readings chosen for this once ───────────────────────┴─> month, claims, yen ──> less what holds

In one read-only transaction: the database itself refuses to save. Seconds and yen are whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from keizoku.billing.rules.sla_credit import credit_yen
from keizoku.db.session import Session, one_snapshot
from keizoku.scheduler.reports.claim_states import UNDECIDED, ClaimState, claim_states, newest_award_yen
from keizoku.sla.claims.replay import replayed_claims
from keizoku.sla.months.month_facts import load_month_facts, load_service_month
from keizoku.sla.review_queue import policy_of
from keizoku.sla.rules.intervals import length
from keizoku.sla.rules.unusable_time import ServiceMonth, if_unknown_was_down, service_month
from keizoku.terms.calendar import Month, iso_jst
from keizoku.terms.policy import UnknownReadingError
from keizoku.terms.rules import Rules

ALL_THAT_IS_KNOWN = datetime(9999, 12, 31, tzinfo=UTC)
"""As known at the end of time: nothing that was recorded is left out."""


@dataclass(frozen=True, slots=True)
class ClaimChange:
    """A claim whose state would be another one; `replayed` None: it was not known yet."""

    claim_id: str
    account: str
    current: ClaimState
    replayed: ClaimState | None


@dataclass(frozen=True, slots=True)
class YenChange:
    """An account whose award for the month would be worth more or less."""

    account: str
    current_yen: int
    replayed_yen: int


@dataclass(frozen=True, slots=True)
class Replay:
    """The month as it is now and as it was replayed; of the claims and accounts only those that differ."""

    month: Month
    as_known_at: datetime | None
    readings: Mapping[str, str]
    current: ServiceMonth
    replayed: ServiceMonth
    claims: int
    claims_replayed: int
    claims_held: int  # their result depends on unknown time, so they stay as they are
    changed_claims: tuple[ClaimChange, ...]
    current_yen: int
    replayed_yen: int
    changed_yen: tuple[YenChange, ...] = field(default=())

    def buckets(self) -> dict[str, tuple[int, int]]:
        """bucket -> seconds as they are now and as replayed; `gross` is their sum."""
        current, replayed = self.current.waterfall(), self.replayed.waterfall()
        both = {bucket: (current[bucket], replayed[bucket]) for bucket in current}
        return {"gross": (length(self.current.gross), length(self.replayed.gross)), **both}

    def changed_results(self) -> tuple[ClaimChange, ...]:
        """The claims whose outcome, reason or rate would change."""
        return tuple(
            each
            for each in self.changed_claims
            if each.replayed is not None and each.replayed.result != each.current.result
        )

    @property
    def not_yet_received(self) -> int:
        """How many claims were not known by then."""
        return self.claims - self.claims_replayed

    def to_json(self) -> dict[str, Any]:
        """As it is printed in JSON."""
        return {
            "month": str(self.month),
            "as_known_at": iso_jst(self.as_known_at) if self.as_known_at else None,
            "readings": dict(self.readings),
            "seconds": {
                bucket: {"stands": current, "replayed": replayed, "difference": replayed - current}
                for bucket, (current, replayed) in self.buckets().items()
            },
            "claims": {
                "stands": self.claims,
                "replayed": self.claims_replayed,
                "held": self.claims_held,
                "changed": [
                    {"id": each.claim_id, "account": each.account, "stands": each.current, "replayed": each.replayed}
                    for each in self.changed_claims
                ],
            },
            "yen": {
                "stands": self.current_yen,
                "replayed": self.replayed_yen,
                "difference": self.replayed_yen - self.current_yen,
                "accounts": [
                    {
                        "account": each.account,
                        "stands": each.current_yen,
                        "replayed": each.replayed_yen,
                        "difference": each.replayed_yen - each.current_yen,
                    }
                    for each in self.changed_yen
                ],
            },
        }


def replay(
    session: Session,
    rules: Rules,
    month: Month,
    *,
    as_known_at: datetime | None = None,
    readings: Mapping[str, str] | None = None,
) -> Replay:
    """Work the month out again and compare it with what holds now. Nothing is saved.

    `current` is the month by all that is known now, the newest decisions, the newest awards. Raises UncoveredDateError,
    UnknownReadingError (also for a reading that Article 9 does not ask), NoPopulationError.
    """
    chosen = dict(readings or {})
    otherwise = Rules(rules.terms.with_readings(chosen), rules.discretion)
    policy, other_policy = policy_of(rules, month), policy_of(otherwise, month)
    _asked_by_article_9(rules, chosen)
    at = as_known_at or ALL_THAT_IS_KNOWN
    with one_snapshot(session):
        current = load_service_month(session, rules, month, ALL_THAT_IS_KNOWN)
        facts = load_month_facts(session, other_policy, month, at)
        resolution = otherwise.discretion.resolution_seconds
        replayed = service_month(facts, other_policy, resolution)
        if_down = service_month(if_unknown_was_down(facts), other_policy, resolution) if facts.unknown else None
        claims = claim_states(session, month, ALL_THAT_IS_KNOWN)
        yen = newest_award_yen(session, month, ALL_THAT_IS_KNOWN, policy.readings["credit_rounding"])
        rounding = other_policy.readings["credit_rounding"]
        replayed_yen: dict[str, int] = {}
        states: dict[str, ClaimState] = {}
        held: set[str] = set()
        for account, decided in replayed_claims(session, otherwise, replayed, at, if_down):
            if decided is None:
                held.add(account)
                replayed_yen[account] = yen.get(account, 0)
                continue
            states |= {each.claim_id: ClaimState.of_decision(each) for each in decided.claims}
            if decided.award is not None:
                replayed_yen[account] = credit_yen(decided.award.rests_on.worth, rounding)
    as_they_stand = {claim_id: state for claim_id, (account, state) in claims.items() if account in held}
    states |= as_they_stand
    changed = (
        ClaimChange(claim_id, account, state, states.get(claim_id))
        for claim_id, (account, state) in claims.items()
        if states.get(claim_id) != state
    )
    pairs = ((each, yen.get(each, 0), replayed_yen.get(each, 0)) for each in sorted(yen | replayed_yen))
    return Replay(
        month=month,
        as_known_at=as_known_at,
        readings=chosen,
        current=current,
        replayed=replayed,
        claims=len(claims),
        claims_replayed=len(states),
        claims_held=len(as_they_stand),
        changed_claims=tuple(each for each in changed if each.current not in UNDECIDED or each.replayed is not None),
        current_yen=sum(yen.values()),
        replayed_yen=sum(replayed_yen.values()),
        changed_yen=tuple(YenChange(*pair) for pair in pairs if pair[1] != pair[2]),
    )


def _asked_by_article_9(rules: Rules, chosen: Mapping[str, str]) -> None:
    for version in rules.terms.versions:
        for name in chosen:
            reading = version.readings.get(name)
            if reading is not None and not reading.clause.startswith("premium/9."):
                why = f"it belongs to {reading.clause}, and no month under Article 9 depends on it"
                raise UnknownReadingError(f"the reading {name!r} changes nothing here: {why}")
