"""When a backup is due, whether the pause has grown too long, and which old copies may be removed. Pure.

Decides premium/10.1 (copies, one of them far away) and premium/10.3 (daily, a pause of at most seven days).
Instants are aware; ages are whole seconds; a backup is named by the instant at which it was begun.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from keizoku.terms.calendar import jst_day
from keizoku.terms.decision import decides


@dataclass(frozen=True, slots=True)
class Copy:
    """A whole copy of a backup in one store."""

    backup: str
    store: str
    taken_at: datetime
    bytes: int
    sha256: str
    release: str | None = None
    """The release that made it."""
    proof_sha256: str | None = None
    """The digest of its proof as it was written."""


@dataclass(frozen=True, slots=True)
class BackupState:
    """The state of backups: the newest one present in every store, and whether that is too long ago."""

    last_whole_at: datetime | None
    wanted: bool
    too_old: bool


@decides("premium/10.1")
def stores_wanting(stores: Sequence[str], remote: Collection[str], copies: int) -> str | None:
    """What is wrong with the stores, or None: `copies` different places, at least one of them far away."""
    if len(set(stores)) < copies:
        return f"{len(set(stores))} places are named for backups, {copies} are promised"
    if not any(store in remote for store in stores):
        return "none of the places for backups is far away from this machine (s3://…, for example)"
    return None


@decides("premium/10.3")
def backup_state(
    copies: Iterable[Copy], stores: Collection[str], now: datetime, every_days: int, longest_pause_days: int
) -> BackupState:
    """Daily by the JST calendar; without a complete one for `longest_pause_days` the promise is broken."""
    last = max((taken for taken, places in _whole(copies).items() if places >= set(stores)), default=None)
    if last is None:
        return BackupState(None, wanted=True, too_old=True)
    return BackupState(
        last,
        wanted=(jst_day(now) - jst_day(last)).days >= every_days,
        too_old=now - last > timedelta(days=longest_pause_days),
    )


def may_go(copies: Iterable[Copy], now: datetime, keep_days: int, keep_months: int) -> list[Copy]:
    """Copies past their time, store by store: all of the last `keep_days` are kept, then the first of each month.

    The newest copy of a store is always kept.
    """
    by_store: dict[str, list[Copy]] = {}
    for each in copies:
        by_store.setdefault(each.store, []).append(each)
    gone: list[Copy] = []
    for own in by_store.values():
        own.sort(key=lambda each: each.taken_at)
        first_of_month: dict[tuple[int, int], Copy] = {}
        for each in own:
            day = jst_day(each.taken_at)
            first_of_month.setdefault((day.year, day.month), each)
        months = sorted(first_of_month)[-keep_months:] if keep_months else []
        kept = {first_of_month[month].backup for month in months} | {own[-1].backup}
        gone += [each for each in own if each.backup not in kept and now - each.taken_at > timedelta(days=keep_days)]
    return gone


def _whole(copies: Iterable[Copy]) -> Mapping[datetime, set[str]]:
    places: dict[datetime, set[str]] = {}
    for each in copies:
        places.setdefault(each.taken_at, set()).add(each.store)
    return places
