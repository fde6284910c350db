"""Writes the files of this folder: an invented April 2026, the same on every run.

    python examples/2026-04/generate.py [FOLDER]

40,000 users, 2,000 premium contracts, what the monitors saw, who claimed. Nobody here exists. The stops are placed
to the second, so that what has to come out can be worked out by hand (README.md). Times are JST; standard library
and DuckDB only.
"""

import csv
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
from linked import links

SEED = 20260401
JST = timezone(timedelta(hours=9))
USERS = 40_000
QUORUM = 2_001  # the fewest of 40,000 users that are more than 5 %
CONTRACTS = 2_000
MONTH = "2026-04"
LAST_NIGHT = date(2026, 6, 30)
MONTHLY, YEARLY = "premium-monthly", "premium-yearly"
FEE = {MONTHLY: 500, YEARLY: 5_300}
MONTHLY_FROM, APPROVED_TO = date(2026, 2, 26), date(2026, 4, 20)
YEARLY_DAYS = (
    *("2025-04-01", "2025-04-16", "2025-05-08", "2025-06-02", "2025-06-20", "2025-07-01", "2025-09-01"),
    *("2025-10-15", "2025-12-01", "2026-01-15", "2026-02-27", "2026-03-16", "2026-04-01", "2026-04-20"),
)
LATEST = 18  # days after the date named in a card's story by which its renewal has come
SYMPTOMS = ("site", "login", "view")
LONG = ("2026-04-10 21:10:00", "2026-04-11 03:40:00")
UPDATE = ("2026-04-15 06:30:00", "2026-04-15 08:48:00")
ANNOUNCED_TO = "2026-04-15 08:30:00"
EVENING = ("2026-04-10 21:10:00", "2026-04-11 00:00:00")  # what claimants of a part name: less than 3.6 hours
NO_CARD_CLAIMS = (("app_store", 24), ("coupon", 10), ("product_key", 6), ("other", 4))


@dataclass(frozen=True)
class Outage:
    """A time in which `users` were hit: from the instant at which the quorum is reached to that of its end."""

    started: str
    ended: str
    users: int
    ramp_seconds: int


OUTAGES = (
    Outage("2026-04-03 14:20:00", "2026-04-03 14:29:20", 2_380, 40),  # short: 9 min 20 s
    Outage(*LONG, 2_900, 480),  # long, over midnight and across 01:00
    Outage(*UPDATE, 2_600, 60),  # the update, with its overrun
    Outage("2026-04-20 11:00:00", "2026-04-20 13:00:00", 1_500, 120),  # never more than 5 %
    Outage("2026-04-30 23:40:00", "2026-05-01 00:35:00", 2_300, 120),  # across the end of the month
)


@dataclass(frozen=True)
class Contract:
    """One line of contracts.csv."""

    account: str
    plan: str
    method: str
    approved_at: datetime
    months: int | None = None
    fallback: str | None = None

    @property
    def approved_on(self) -> date:
        """The day that its terms are anchored to."""
        return self.approved_at.date()

    def starts(self) -> Iterator[date]:
        """First days of its terms, as long as nobody ends it."""
        step = 1 if self.plan == MONTHLY else 12
        for number in range(200):
            yield months_after(self.approved_on, number * step)

    def renewal_from(self, day: date) -> date:
        """The first day of its next term on or after a day, not its first term."""
        return next(start for start in self.starts() if start >= day and start != self.approved_on)


def main(folder: Path) -> None:
    """Write every file."""
    draw = random.Random(SEED)  # noqa: S311
    users = [f"u{number:05}" for number in range(1, USERS + 1)]
    contracts = sorted(_contracts(draw, users), key=lambda each: (each.approved_at, each.account))
    cards, troubled, suspended = _cards(draw, contracts)
    requests, leaving = _requests(draw, contracts, troubled)
    bank = _bank(draw, contracts)
    claims = _claims(draw, contracts, troubled, suspended, leaving, users)
    busy = {*troubled, *(each.account for each in leaving), *(row[1] for row in claims)}
    folder.mkdir(parents=True, exist_ok=True)
    _write(
        folder / "contracts.csv",
        ("account", "plan", "method", "approved_at", "months", "fallback"),
        (
            (each.account, each.plan, each.method, _written(each.approved_at), each.months or "", each.fallback or "")
            for each in contracts
        ),
    )
    plans = [(MONTHLY, "month", FEE[MONTHLY], "2025-04-01"), (YEARLY, "year", FEE[YEARLY], "2025-04-01")]
    _write(folder / "plans.csv", ("plan", "interval", "yen", "from"), plans)
    _write(folder / "population.csv", ("from", "users"), [("2025-04-01 00:00:00", USERS)])
    _write(folder / "cards.csv", ("account", "from", "outcome", "new_card"), cards)
    _write(folder / "requests.csv", ("account", "at", "request"), requests)
    _write(folder / "bank.csv", ("date", "amount", "payer", "reference"), bank)
    _write(folder / "claims.csv", ("id", "account", "month", "received_at", "windows"), claims)
    _write(
        folder / "incidents.csv",
        ("id", "from", "to", "affected", "cause", "ground", "author"),
        [("update-2026-04-15", *UPDATE, 2_600, "system_update", "release 26.4, migration ran long", "operations")],
    )
    _write(folder / "links.csv", ("account", "at", "act", "detail"), links(contracts, busy))
    (folder / "notices.ics").write_bytes(_notices().encode())
    _write_observations(folder / "observations.parquet", _observations(draw, users))


# contracts ------------------------------------------------------------------------------------------------------


def _contracts(draw: random.Random, users: Sequence[str]) -> Iterator[Contract]:
    """70 % by card; three quarters monthly. No monthly one is a term old before the first night, 2026-03-25."""
    kinds: list[tuple[str, str, int | None, str | None]] = [
        *[(MONTHLY, "card", None, None)] * 1_060,
        *[(YEARLY, "card", None, None)] * 340,
        *[(MONTHLY, "app_store", None, None)] * 150,
        *[(YEARLY, "app_store", None, None)] * 30,
        *[(MONTHLY, "other", None, None)] * 40,
        *[(YEARLY, "other", None, None)] * 20,
        *[(MONTHLY, "coupon", 1, "card")] * 50,
        *[(MONTHLY, "coupon", 3, "card")] * 50,
        *[(MONTHLY, "coupon", 3, None)] * 100,
        *[(MONTHLY, "product_key", 6, None)] * 90,
        *[(YEARLY, "product_key", 12, None)] * 70,
    ]
    for account, (plan, method, months, fallback) in zip(draw.sample(users, CONTRACTS), kinds, strict=True):
        if plan == YEARLY:
            on = date.fromisoformat(draw.choice(YEARLY_DAYS))
        else:
            on = MONTHLY_FROM + timedelta(days=draw.randrange((APPROVED_TO - MONTHLY_FROM).days + 1))
        at = _at(on, draw.randrange(7 * 3600, 23 * 3600))
        if on == date(2026, 4, 10):  # nobody joins by chance while the long stop lasts
            at = _at(on, draw.randrange(7 * 3600, 21 * 3600))
        yield Contract(account, plan, method, at, months, fallback)


@dataclass(frozen=True)
class CardStory:
    """So many cards of a plan that fail from a renewal on, and work again so many days later, or never."""

    code: str
    people: int
    mended_after: int | None
    new_card: bool = False
    plan: str = MONTHLY
    renewal_after: tuple[str, ...] = ("2026-03-25", "2026-04-01", "2026-05-01")


CARD_STORIES = (
    CardStory("insufficient_funds", 2, None, renewal_after=("2026-03-25",)),  # suspended during the long stop
    CardStory("insufficient_funds", 12, 4),  # money arrives: the retry on the fifth day succeeds
    CardStory("insufficient_funds", 8, 16, new_card=True),  # suspended, then another card
    CardStory("insufficient_funds", 5, None),  # suspended, not renewed
    CardStory("insufficient_funds", 3, None, renewal_after=("2026-06-01",)),  # suspended on the last night
    CardStory("insufficient_funds", 2, None, plan=YEARLY, renewal_after=("2026-04-01",)),  # terminated
    CardStory("expired_card", 7, 6, new_card=True),
    CardStory("expired_card", 4, None),
    CardStory("lost_card", 2, 13, new_card=True),
    CardStory("authentication_required", 4, 2, new_card=True),
    CardStory("timeout_after_success", 6, 1),  # charged, but the answer is lost
    CardStory("timeout_before", 2, 1),  # nobody knows: people look into it
)


def _cards(
    draw: random.Random, contracts: Sequence[Contract]
) -> tuple[list[tuple[str, ...]], set[str], list[Contract]]:
    """Rows of cards.csv, the accounts in them, and the two that are suspended from early April."""
    cards = [each for each in contracts if each.method == "card" and each.approved_on < date(2026, 3, 25)]
    draw.shuffle(cards)
    rows: list[tuple[str, ...]] = []
    chosen: list[Contract] = []
    for story in CARD_STORIES:
        for _ in range(story.people):
            after = date.fromisoformat(draw.choice(story.renewal_after))
            each = next(
                each
                for each in cards
                if each not in chosen and each.plan == story.plan and (each.renewal_from(after) - after).days <= LATEST
                and (len(chosen) >= 2 or each.approved_on < date(2026, 3, 1))
            )  # fmt: skip
            chosen.append(each)
            fails_on = each.renewal_from(after)
            rows.append((each.account, _written(_at(fails_on, 0)), story.code, ""))
            if story.mended_after is not None:
                mended = _at(fails_on + timedelta(days=story.mended_after), draw.randrange(9 * 3600, 22 * 3600))
                rows.append((each.account, _written(mended), "ok", "yes" if story.new_card else ""))
    return sorted(rows, key=lambda row: (row[1], row[0])), {each.account for each in chosen}, chosen[:2]


def _requests(
    draw: random.Random, contracts: Sequence[Contract], troubled: set[str]
) -> tuple[list[tuple[str, ...]], list[Contract]]:
    """Users who do not want a further term, and three who leave at once; with their contracts."""
    candidates = [
        each
        for each in contracts
        if each.method == "card" and each.plan == MONTHLY
        and each.approved_on < date(2026, 4, 9) and each.account not in troubled
    ]  # fmt: skip
    leaving = draw.sample(candidates, 43)
    rows = []
    for number, each in enumerate(leaving):
        some_day = date(2026, 4, 12) + timedelta(days=draw.randrange(28))
        on = date(2026, 5, 11 + 3 * number) if number < 3 else some_day
        request = "leave_service" if number < 3 else "end_of_use"
        rows.append((each.account, _written(_at(on, draw.randrange(8 * 3600, 23 * 3600))), request))
    return sorted(rows, key=lambda row: (row[1], row[0])), leaving


def _bank(draw: random.Random, contracts: Sequence[Contract]) -> list[tuple[object, ...]]:
    """Transfers of those who pay otherwise: most within the 14 days, some late with interest, two never."""
    rows: list[tuple[object, ...]] = []
    monthly = [each for each in contracts if each.method == "other" and each.plan == MONTHLY]
    never, late, generous = set(monthly[3:5]), set(monthly[10:14]), monthly[20]
    for each in contracts:
        if each.method != "other" or each in never:
            continue
        for start in each.starts():
            paid_on = start + timedelta(days=20 if each in late else draw.randrange(4, 13))
            if paid_on >= LAST_NIGHT:
                break
            days_late = max((paid_on - start).days - 14, 0)
            interest, tip = FEE[each.plan] * 146 * days_late // 365_000, 10 if each == generous else 0
            amount = FEE[each.plan] + interest + tip
            rows.append((paid_on.isoformat(), amount, f"PAYER {each.account[1:]}", each.account))
    return sorted(rows, key=lambda row: (str(row[0]), str(row[3])))


# claims ---------------------------------------------------------------------------------------------------------


def _claims(
    draw: random.Random,
    contracts: Sequence[Contract],
    troubled: set[str],
    suspended: Sequence[Contract],
    leaving: Sequence[Contract],
    users: Sequence[str],
) -> list[tuple[str, ...]]:
    """(id, account, month, received_at, windows), by kind, so that the outcomes can be counted by hand (README.md)."""
    quiet = [each for each in contracts if each.account not in troubled and each not in leaving]
    cards = [each for each in quiet if each.method == "card"]
    members = [each for each in cards if each.approved_on < date(2026, 4, 10)]
    draw.shuffle(members)
    whole = [members.pop() for _ in range(252)] + list(leaving[:28])
    joined = [each for each in cards if each.approved_on >= date(2026, 4, 12)]
    coupon_then_card = [
        each
        for each in contracts
        if each.fallback == "card" and each.months == 1 and date(2026, 3, 12) <= each.approved_on < date(2026, 4, 1)
    ]
    no_card = [each for each in contracts if each.fallback is None]

    def by(method: str, people: int) -> list[Contract]:
        return draw.sample([each for each in no_card if each.method == method], people)

    strangers = draw.sample(sorted(set(users) - {each.account for each in contracts}), 8)
    evening, long_one, update = (f"{start}/{end}" for start, end in (EVENING, LONG, UPDATE))
    claimed: list[tuple[str, datetime, str]] = [
        *((each.account, _in_time(draw), "") for each in whole),
        # ten of them claimed a part before; both claims are then decided together
        *((each.account, _at(date(2026, 4, 12), draw.randrange(86_400)), evening) for each in whole[:10]),
        *((members.pop().account, _in_time(draw), long_one) for _ in range(12)),
        *((members.pop().account, _in_time(draw), evening) for _ in range(26)),
        *((members.pop().account, _in_time(draw), f"{evening};{update}") for _ in range(10)),
        *((each.account, _in_time(draw), "") for each in draw.sample(joined, 14)),
        *((each.account, _in_time(draw), "") for each in draw.sample(coupon_then_card, 4)),
        *((each.account, _in_time(draw), "") for method, people in NO_CARD_CLAIMS for each in by(method, people)),
        *((members.pop().account, _at(date(2026, 6, 1), late), "") for late in (0, 1, 59, 600)),
        *((members.pop().account, _at(date(2026, 6, 1), draw.randrange(12 * 86_400)), "") for _ in range(18)),
        *((members.pop().account, _at(date(2026, 5, 31), 86_399), "") for _ in range(2)),
        *((name, _in_time(draw), "") for name in strangers),
        *((each.account, _in_time(draw), "") for each in suspended),
    ]
    claimed.sort(key=lambda each: (each[1], each[0]))
    return [
        (f"c{number:04}", account, MONTH, _written(at), windows)
        for number, (account, at, windows) in enumerate(claimed, start=1)
    ]


def _in_time(draw: random.Random) -> datetime:
    """A third within April, after the long stop; the rest in May."""
    if draw.random() < 0.3:
        return _at(date(2026, 4, 13), draw.randrange(17 * 86_400))
    return _at(date(2026, 5, 1), draw.randrange(9 * 3600, 30 * 86_400))


# evidence -------------------------------------------------------------------------------------------------------


def _notices() -> str:
    """The update, announced a week before; and the edit of the day before, which came too late to widen it."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Keizoku//example//EN"]
    for sequence, published, ends in (
        (0, "2026-04-08 15:00:00", ANNOUNCED_TO),
        (1, "2026-04-14 18:00:00", "2026-04-15 09:00:00"),
    ):
        lines += ["BEGIN:VEVENT", "UID:update-2026-04-15", f"SEQUENCE:{sequence}", "DTSTAMP:20260408T060000Z"]
        lines += [f"X-KEIZOKU-PUBLISHED:{_utc(published)}", f"DTSTART:{_utc(UPDATE[0])}", f"DTEND:{_utc(ends)}"]
        lines += ["SUMMARY:システムアップデート / system update 26.4", "END:VEVENT"]
    return "\r\n".join([*lines, "END:VCALENDAR", ""])


def _observations(draw: random.Random, users: Sequence[str]) -> Iterator[tuple[str, str, int, int]]:
    """(user, symptom, from, to) in epoch seconds: each outage, and single users with troubles of their own."""
    for outage in OUTAGES:
        yield from _outage(draw, outage, users)
    away = [(_epoch(each.started) - 7_200, _epoch(each.ended) + 7_200) for each in OUTAGES]
    first = _epoch("2026-04-01 00:00:00")
    for _ in range(1_500):
        start = first + draw.randrange(30 * 86_400)
        end = start + draw.randrange(30, 2_400)
        if all(end < start_away or start > end_away for start_away, end_away in away):
            yield draw.choice(users), draw.choice(SYMPTOMS), start, end


def _outage(draw: random.Random, outage: Outage, users: Sequence[str]) -> Iterator[tuple[str, str, int, int]]:
    """The quorum's users cover the whole outage, the last of them to the second; the others lie inside it."""
    start, end = _epoch(outage.started), _epoch(outage.ended)
    for number, user in enumerate(draw.sample(users, outage.users), start=1):
        symptom = draw.choice(SYMPTOMS)
        if number < QUORUM:
            seen = (start - draw.randrange(outage.ramp_seconds), end + draw.randrange(outage.ramp_seconds))
        elif number == QUORUM:
            seen = (start, end)
        else:
            seen = (start + draw.randrange(1, 300), end - draw.randrange(1, 200))
        yield user, symptom, *seen
        if draw.random() < 0.05:  # the same user, seen twice
            yield user, draw.choice(SYMPTOMS), seen[0] + 30, seen[1] - 30


def _write_observations(file: Path, rows: Iterable[tuple[str, str, int, int]]) -> None:
    with TemporaryDirectory() as folder:
        written = Path(folder) / "observations.csv"
        _write(
            written, ("user_id", "symptom", "started", "ended"), sorted(rows, key=lambda row: (row[2], row[0], row[1]))
        )
        with duckdb.connect() as connection:
            connection.execute("SET threads = 1")
            columns = "user_id, symptom, to_timestamp(started) AS started_at, to_timestamp(ended) AS ended_at"
            connection.read_csv(str(written)).project(columns).write_parquet(str(file), compression="zstd")


# times and files ------------------------------------------------------------------------------------------------


def months_after(anchor: date, months: int) -> date:
    """The day of the month of the anchor so many months later; the last day where there is none."""
    year, month = divmod(anchor.year * 12 + anchor.month - 1 + months, 12)
    following = date(year + (month == 11), (month + 1) % 12 + 1, 1)
    return date(year, month + 1, min(anchor.day, (following - timedelta(days=1)).day))


def _at(day: date, second: int) -> datetime:
    return datetime.combine(day, time(), JST) + timedelta(seconds=second)


def _written(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S")


def _epoch(written: str) -> int:
    return int(datetime.fromisoformat(written).replace(tzinfo=JST).timestamp())


def _utc(written: str) -> str:
    return datetime.fromtimestamp(_epoch(written), UTC).strftime("%Y%m%dT%H%M%SZ")


def _write(file: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
