"""A year of lives, the dump of it that a release leaves behind, and what its database said.

    tests/released/0.2.0/year.sql.xz   the whole database, as plain SQL with COPY
    tests/released/0.2.0/said.json     after one more night: audit, certificate, what every account owes

`python -m tests.release_schema` makes them; tests/integration/db/test_released.py upgrades the dump and asks it.
"""

from __future__ import annotations

import json
import lzma
import random
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from keizoku.billing.accounts.account_views import contract_view, owed_view, trial_balance
from keizoku.billing.closing.integrity_audit import audit
from keizoku.billing.closing.month_close import close_month
from keizoku.billing.gateway.simulated import CARD_OUTCOMES
from keizoku.billing.refusal import Refused
from keizoku.db.programs import client_program
from keizoku.db.session import libpq_address
from keizoku.scheduler.app import House
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.terms.calendar import Month, jst_day
from tests.worlds.world import FIRST_NIGHT, acts, house_on, open_world

DUMP, SAID = "year.sql.xz", "said.json"
LAST_NIGHT = FIRST_NIGHT + timedelta(days=371)
NEXT_NIGHT = LAST_NIGHT + timedelta(days=1)
ONE_DAY = timedelta(days=1)
ACCOUNTS = [f"u{number:02d}" for number in range(16)]
METHODS = ("card", "card", "card", "other", "other", "app_store")


def stored_year(engine: sa.Engine, folder: Path) -> None:
    """Live the year on a database with all tables, and store it with what it says a night later."""
    folder.mkdir(parents=True, exist_ok=True)
    with house_on(engine) as house:
        live_a_year(house)
    command = [client_program("pg_dump"), "--no-owner", "--no-privileges", f"--dbname={libpq_address(engine.url)}"]
    dumped = subprocess.run(command, capture_output=True, check=True).stdout
    (folder / DUMP).write_bytes(lzma.compress(dumped, preset=9 | lzma.PRESET_EXTREME))
    with house_on(engine) as house:
        said = said_after_a_night(house)
    (folder / SAID).write_text(json.dumps(said, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    engine.dispose()


def restored(folder: Path, url: sa.URL) -> None:
    """Read a stored dump into an empty database, on a server of any version that is supported."""
    lines = lzma.decompress((folder / DUMP).read_bytes()).decode().splitlines(keepends=True)
    script = "".join(line for line in lines if not line.startswith("SET transaction_timeout"))  # since PostgreSQL 17
    command = [client_program("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction"]
    subprocess.run(
        [*command, f"--dbname={libpq_address(url)}"], input=script.encode(), stdout=subprocess.DEVNULL, check=True
    )


def said_after_a_night(house: House) -> dict[str, Any]:
    """What a database says after its next night, as JSON gives it back."""
    result = run_night(house, NEXT_NIGHT, night_at(NEXT_NIGHT), whole_audit=True)
    now = night_at(NEXT_NIGHT)
    found = audit(house.session, NEXT_NIGHT, recognised_to=NEXT_NIGHT)
    accounts = house.session.scalars(sa.text("SELECT id FROM account ORDER BY 1")).all()
    said = {
        "certificate": result.certificate,
        "night": {stage.stage: stage.changes for stage in result.stages},
        "audit": {"counts": dict(found.counts), "sums": dict(found.sums), "differences": list(found.differences)},
        "trial_balance": trial_balance(house.session, NEXT_NIGHT),
        "owed": {each: owed_view(house.session, house.rules, each, now) for each in accounts},
        "contracts": {each: contract_view(house.session, house.rules, each, now) for each in accounts},
    }
    house.session.rollback()
    plain: dict[str, Any] = json.loads(json.dumps(said, default=str))
    return plain


def live_a_year(house: House) -> None:
    """The small world's spring, then a year in which everybody does something now and then; the same every time."""
    open_world(house)
    chance = random.Random(5)  # noqa: S311  the same lives every time
    waiting = sorted([*acts(), *_year(chance)], key=lambda each: each[0])
    day = FIRST_NIGHT
    while day <= LAST_NIGHT:
        while waiting and waiting[0][0] <= night_at(day):
            when, do = waiting.pop(0)
            with suppress(Refused):
                do(house, when)
            house.session.rollback()
        run_night(house, day, night_at(day))
        if day.day == 10:
            close_month(house.session, house.gateway, Month.of(day).shift(-1), "finance", night_at(day))
        day += ONE_DAY


Do = Callable[[House, datetime], object]


def _year(chance: random.Random) -> Iterator[tuple[datetime, Do]]:
    """Some acts each week, from June on; what is refused is left."""
    day = date(2026, 6, 1)
    while day < LAST_NIGHT:
        for _ in range(4):
            at = night_at(day) + timedelta(days=chance.randint(0, 6), minutes=chance.randint(60, 1_200))
            yield at, _act(chance)
        day += 7 * ONE_DAY


def _act(chance: random.Random) -> Do:
    account, method = chance.choice(ACCOUNTS), chance.choice(METHODS)
    plan, outcome = chance.choice(("monthly", "yearly")), chance.choice(("ok", *CARD_OUTCOMES))
    yen, hours, claim = chance.randint(1, 900), chance.randint(4, 16), f"y{chance.randrange(10**6)}"
    people = {"by": "finance", "ground": "asked for"}

    def pays(house: House, now: datetime) -> object:
        owed = int(str(owed_view(house.session, house.rules, account, now)["total"]))
        return house.billing.pay(account, chance_of(owed) or yen, via="bank", now=now)

    def chance_of(owed: int) -> int:
        return owed if yen % 3 else owed // 2

    def price(house: House, now: datetime) -> object:
        today = jst_day(now)
        new, renewals = today + 5 * ONE_DAY, today + 40 * ONE_DAY
        return house.billing.price(
            "monthly", 500 + yen % 100, announced=today, for_new_from=new, for_renewals_from=renewals, now=now
        )

    listed: list[Do] = [
        lambda house, now: house.billing.approve(account, plan, method, now=now),
        lambda house, now: house.billing.approve(account, plan, method, now=now),
        lambda house, now: house.billing.register(account, plan, method, now=now),
        lambda house, now: house.cards.set_card(account, outcome),
        lambda house, now: (house.cards.set_card(account, "ok"), house.billing.new_card(account, now=now)),
        pays,
        pays,
        pays,
        price,
        lambda house, now: house.billing.end_of_use(account, now=now),
        lambda house, now: house.billing.withdraw_end_of_use(account, now=now),
        lambda house, now: house.billing.change_method(account, method, store_stop_recorded=True, now=now),
        lambda house, now: house.billing.leave_service(account, now=now),
        lambda house, now: house.billing.suspend(account, "ground", now=now),
        lambda house, now: house.billing.resume(account, "ground", now=now),
        lambda house, now: house.billing.set_off(account, by="finance", now=now),
        lambda house, now: house.billing.refund_deposit(account, yen, **people, now=now),
        lambda house, now: house.billing.apply_deposit(account, **people, now=now),
        lambda house, now: house.billing.settle_unknown(now=now),
        lambda house, now: house.sla.stop(from_at=now - timedelta(hours=hours), to_at=now, affected=60_000, now=now),
        lambda house, now: house.sla.claim(id=claim, account=account, month=Month.of(now).shift(-1), now=now),
        lambda house, now: house.sla.claim(id=claim, account=account, month=Month.of(now), now=now),
    ]
    return chance.choice(listed)
