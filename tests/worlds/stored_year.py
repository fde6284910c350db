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
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

from keizoku.billing.accounts.account_views import contract_view, owed_view, trial_balance
from keizoku.billing.closing.integrity_audit import audit
from keizoku.billing.closing.month_close import close_month
from keizoku.billing.contracts.code_batches import BatchOrder
from keizoku.billing.documents.outbox import waiting
from keizoku.billing.gateway.simulated import CARD_OUTCOMES
from keizoku.billing.rules.codes import Code
from keizoku.db.programs import client_program
from keizoku.db.session import libpq_address
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.scheduler.simulator import Simulator
from keizoku.terms.calendar import Month, jst_day
from keizoku.terms.read_model import to_json
from keizoku.terms.refusal import Refused
from tests.worlds.world import FIRST_NIGHT, acts, open_world, services_on

DUMP, SAID = "year.sql.xz", "said.json"
LAST_NIGHT = FIRST_NIGHT + timedelta(days=371)
NEXT_NIGHT = LAST_NIGHT + timedelta(days=1)
ONE_DAY = timedelta(days=1)
BANK_FILES_FROM = night_at(date(2027, 1, 10))
ACCOUNTS = [f"u{number:02d}" for number in range(30)]
METHODS = ("card", "card", "card", "other", "other", "app_store")


def stored_year(engine: sa.Engine, folder: Path) -> None:
    """Live the year on a database with all tables, and store it with what it says a night later."""
    folder.mkdir(parents=True, exist_ok=True)
    with services_on(engine) as services:
        live_a_year(services)
    command = [client_program("pg_dump"), "--no-owner", "--no-privileges", f"--dbname={libpq_address(engine.url)}"]
    dumped = subprocess.run(command, capture_output=True, check=True).stdout
    (folder / DUMP).write_bytes(lzma.compress(dumped, preset=9 | lzma.PRESET_EXTREME))
    with services_on(engine) as services:
        said = said_after_a_night(services)
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


def said_after_a_night(services: Services) -> dict[str, Any]:
    """What a database says after its next night, as JSON gives it back."""
    result = run_night(services, NEXT_NIGHT, night_at(NEXT_NIGHT), whole_audit=True)
    now = night_at(NEXT_NIGHT)
    found = audit(services.session, NEXT_NIGHT, recognised_to=NEXT_NIGHT)
    accounts = services.session.scalars(sa.text("SELECT id FROM account ORDER BY 1")).all()
    said = {
        "certificate": result.certificate,
        "night": {stage.stage: stage.changes for stage in result.stages},
        "audit": {"counts": dict(found.counts), "sums": dict(found.sums), "differences": list(found.differences)},
        "trial_balance": trial_balance(services.session, NEXT_NIGHT),
        "owed": {each: owed_view(services.session, services.rules, each, now) for each in accounts},
        "contracts": {each: contract_view(services.session, services.rules, each, now) for each in accounts},
    }
    services.session.rollback()
    plain: dict[str, Any] = json.loads(json.dumps(to_json(said), default=str))
    return plain


def live_a_year(services: Services) -> None:
    """The small world's spring, then a year in which everybody does something now and then; the same every time."""
    open_world(services)
    chance = random.Random(5)  # noqa: S311  the same lives every time
    waiting = sorted([*acts(), *_year(chance)], key=lambda each: each[0])
    day = FIRST_NIGHT
    while day <= LAST_NIGHT:
        while waiting and waiting[0][0] <= night_at(day):
            when, do = waiting.pop(0)
            with suppress(Refused):
                do(services, when)
            services.session.rollback()
        run_night(services, day, night_at(day))
        if day.day == 10:  # to the first month in which the bank's lines are nobody's
            with suppress(Refused):
                close_month(services.session, services.gateway, Month.of(day).shift(-1), "finance", night_at(day))
        day += ONE_DAY


Do = Callable[[Services, datetime], object]


def _year(chance: random.Random) -> Iterator[tuple[datetime, Do]]:
    """Some acts each week, from June on; what is refused is left."""
    codes: list[Code] = []
    day = date(2026, 6, 1)
    while day < LAST_NIGHT:
        for kinds in (_of_users,) * 3 + (_of_money,) * 2 + (_of_people,) + (_of_the_service,) * 2:
            at = night_at(day) + timedelta(days=chance.randint(0, 6), minutes=chance.randint(60, 1_200))
            yield at, chance.choice(kinds(chance, codes))
        day += 7 * ONE_DAY


def _of_users(chance: random.Random, codes: list[Code]) -> list[Do]:
    account, method = chance.choice(ACCOUNTS), chance.choice(METHODS)
    plan, outcome = chance.choice(("monthly", "yearly")), chance.choice(("ok", *CARD_OUTCOMES))

    def new_card(services: Services, now: datetime) -> None:
        Simulator(services).cards.set_card(account, "ok")
        services.billing.new_card(account, now=now)

    def redeem(services: Services, now: datetime) -> None:
        if codes:
            services.billing.redeem(account, str(codes.pop()), now=now)
            services.billing.approve(account, now=now)

    return [
        *[lambda services, now: services.billing.approve(account, plan, method, now=now)] * 4,
        lambda services, now: Simulator(services).cards.set_card(account, outcome),
        new_card,
        redeem,
        lambda services, now: services.billing.end_of_use(account, now=now),
        lambda services, now: services.billing.withdraw_end_of_use(account, now=now),
        lambda services, now: services.billing.change_method(account, method, store_stop_recorded=True, now=now),
        lambda services, now: services.billing.leave_service(account, now=now),
    ]


def _of_money(chance: random.Random, _: list[Code]) -> list[Do]:
    account, yen = chance.choice(ACCOUNTS), chance.randint(1, 900)
    outcome, fee = chance.choice(("won", "lost")), chance.randint(10, 80)

    def pays(services: Services, now: datetime) -> None:
        owed = int(str(owed_view(services.session, services.rules, account, now)["total"]))
        services.billing.pay(account, (owed if yen % 3 else owed // 2) or yen, via="bank", now=now)

    def disputes(services: Services, now: datetime) -> None:
        term = _last_term(services, account, "card")
        if term is not None:
            Simulator(services).dispute(account, term, outcome, decided_on=jst_day(now) + 20 * ONE_DAY, now=now)

    def store_reports(services: Services, now: datetime) -> None:
        term = _last_term(services, account, "app_store")
        if term is not None:
            services.billing.store_report(account, term, 500, fee, now=now)

    def bank_file(services: Services, now: datetime) -> None:
        if now < BANK_FILES_FROM:
            pays(services, now)
            return
        with TemporaryDirectory() as folder:
            file = Path(folder) / "bank.csv"
            file.write_text(f"date,amount,payer,reference\n{jst_day(now)},{yen},PAYER,{account}\n", encoding="utf-8")
            services.billing.import_bank(file, author="finance", now=now)

    return [
        *[pays] * 4,
        disputes,
        store_reports,
        store_reports,
        bank_file,
        lambda services, now: services.billing.refund_deposit(account, yen, by="finance", ground="asked for", now=now),
        lambda services, now: services.billing.apply_deposit(account, by="finance", ground="asked for", now=now),
        lambda services, now: services.billing.settle_unknown(now=now),
        lambda services, now: services.billing.set_off(account, by="finance", now=now),
    ]


def _of_people(chance: random.Random, codes: list[Code]) -> list[Do]:
    account, number = chance.choice(ACCOUNTS), chance.randrange(10**6)
    plan = chance.choice(("monthly", "yearly"))

    def price(services: Services, now: datetime) -> None:
        today = jst_day(now)
        new, renewals = today + 5 * ONE_DAY, today + 40 * ONE_DAY
        yen = (500 if plan == "monthly" else 5_300) + number % 100
        services.billing.price(plan, yen, announced=today, for_new_from=new, for_renewals_from=renewals, now=now)

    def issue(services: Services, now: datetime) -> None:
        kind = ("product_key", "coupon")[number % 2]
        sold = 3 if kind == "product_key" else 0
        order = BatchOrder(f"batch {number}", kind, "monthly", 2, 3, jst_day(now) + 90 * ONE_DAY, sold=sold)
        services.billing.issue_codes(order, codes.extend, by="sales", now=now)

    def hand_over(services: Services, now: datetime) -> None:
        for each in waiting(services.session)[:3]:
            services.billing.hand_over(each.id, by="mailer", now=now)

    changed = {"by": "product", "ground": "decided"}
    return [
        price,
        issue,
        issue,
        *[hand_over] * 3,
        lambda services, now: services.billing.suspend(account, "ground", now=now),
        lambda services, now: services.billing.resume(account, "ground", now=now),
        lambda services, now: services.billing.service_change("a page more", occurred_at=now, **changed, now=now),
    ]


def _of_the_service(chance: random.Random, _: list[Code]) -> list[Do]:
    account, hours, claim = chance.choice(ACCOUNTS), chance.randint(4, 16), f"y{chance.randrange(10**6)}"
    ago = chance.randint(0, 1)

    def stop(services: Services, now: datetime) -> None:
        services.sla.record_outage(from_at=now - timedelta(hours=hours), to_at=now, affected=60_000, now=now)

    def notice(services: Services, now: datetime) -> None:
        services.sla.notice(claim, now, now + 2 * ONE_DAY, now + 2 * ONE_DAY + timedelta(hours=hours), now=now)

    def claims(services: Services, now: datetime) -> None:
        services.sla.claim(id=claim, account=account, month=Month.of(now).shift(-ago), now=now)

    return [
        *[stop] * 3,
        *[claims] * 3,
        notice,
        lambda services, now: services.sla.interruption(now - timedelta(hours=hours), now, "network", "ops", now=now),
    ]


def _last_term(services: Services, account: str, method: str) -> date | None:
    """The first day of the account's last term that was paid so."""
    query = sa.text("SELECT max(starts_on) FROM term WHERE account = :account AND method = :method")
    found: date | None = services.session.execute(query, {"account": account, "method": method}).scalar_one()
    return found
