"""When a backup is wanted, where it has to lie, and which old ones may go (Article 10)."""

from datetime import UTC, datetime, timedelta

from keizoku.scheduler.backup.plan import BackupState, Copy, backup_state, may_go, stores_wanting

STORES = ("/a", "/b", "s3://c")
NOON = datetime(2026, 4, 10, 3, 0, tzinfo=UTC)


def copies(*taken: datetime, stores: tuple[str, ...] = STORES) -> list[Copy]:
    return [Copy(f"keizoku-{at:%Y%m%dT%H%M}", store, at, 10, "0" * 64) for at in taken for store in stores]


def test_10_1__three_different_places_one_of_them_far_away() -> None:
    assert stores_wanting(STORES, {"s3://c"}, 3) is None
    assert stores_wanting(("/a", "/a", "s3://c"), {"s3://c"}, 3) == "2 places are named for backups, 3 are promised"
    assert "far away" in str(stores_wanting(("/a", "/b", "/c"), set(), 3))


def test_10_3__one_is_wanted_each_day_of_japan_and_seven_days_without_is_too_long() -> None:
    late = datetime(2026, 4, 9, 14, 59, 59, tzinfo=UTC)  # 23:59:59 of 9 April in Japan
    assert backup_state(copies(late), STORES, late + timedelta(seconds=1), 1, 7) == BackupState(late, True, False)
    assert backup_state(copies(NOON), STORES, NOON + timedelta(hours=11), 1, 7) == BackupState(NOON, False, False)
    assert not backup_state(copies(NOON), STORES, NOON + timedelta(days=7), 1, 7).too_old
    assert backup_state(copies(NOON), STORES, NOON + timedelta(days=7, seconds=1), 1, 7) == BackupState(
        NOON, True, True
    )
    assert backup_state([], STORES, NOON, 1, 7) == BackupState(None, True, True)


def test_10_3__a_copy_that_misses_one_place_does_not_count() -> None:
    whole, partial = NOON - timedelta(days=8), NOON - timedelta(days=1)
    found = backup_state([*copies(whole), *copies(partial, stores=STORES[:2])], STORES, NOON, 1, 7)
    assert found == BackupState(whole, True, True)


def test_old_copies_go_but_the_first_of_each_month_and_the_newest_stay() -> None:
    taken = [datetime(2026, month, day, 3, 0, tzinfo=UTC) for month in (1, 2, 3) for day in (1, 15)]
    gone = may_go(copies(*taken, stores=("/a",)), NOON, keep_days=10, keep_months=2)
    assert [each.taken_at.strftime("%m-%d") for each in gone] == ["01-01", "01-15", "02-15"]
    assert may_go(copies(taken[0], stores=("/a",)), NOON, keep_days=10, keep_months=0) == []
    assert may_go(copies(*taken), NOON, keep_days=365, keep_months=0) == []
