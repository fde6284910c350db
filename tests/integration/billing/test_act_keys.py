"""Acts whose commit got no answer: told as such, and with their key done once, whoever repeats them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta

import pytest
import sqlalchemy as sa

from keizoku.db.failures import LOOK, failure_of
from keizoku.db.migrate import upgrade
from keizoku.db.schemas import schema_of
from keizoku.db.session import make_engine
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.terms.calendar import parse_instant
from keizoku.terms.refusal import Refused
from tests.worlds.cut_off import Wire, wire_to
from tests.worlds.world import open_world, services_on

NOW = parse_instant("2026-11-20 10:00")
TERM = date(2026, 8, 1)
Do = Callable[[Services, datetime, str | None], object]


def _change(services: Services, now: datetime, key: str | None) -> object:
    return services.billing.service_change("more", occurred_at=now, by="a", ground="b", key=key, now=now)


def _disclosure(services: Services, now: datetime, key: str | None) -> object:
    told = {"recipient": "card company", "by": "a", "ground": "b"}
    return services.billing.disclosure("user0", "name", occurred_at=NOW, key=key, now=now, **told)


def _price(services: Services, now: datetime, key: str | None) -> object:
    services.billing.price(
        "monthly",
        600,
        announced=date(2026, 11, 20),
        for_new_from=date(2027, 6, 1),
        for_renewals_from=date(2027, 6, 1),
        by="a",
        key=key,
        now=now,
    )
    return None


def _entry(services: Services, now: datetime, key: str | None) -> object:
    lines, on = {"6110": 18, "1131": -18}, date(2026, 11, 20)
    return services.billing.post_by_hand(lines, on, by="a", ground="b", key=key, now=now)


ACTS: dict[str, tuple[Do, str]] = {
    "deposit refund": (
        lambda s, now, key: s.billing.refund_deposit("user0", 100, by="a", ground="b", key=key, now=now),
        "SELECT count(*) FROM deposit_use WHERE kind = 'refunded'",
    ),
    "payment": (
        lambda s, now, key: s.billing.pay("user0", 100, key=key, now=now),
        "SELECT count(*) FROM receipt WHERE yen = 100",
    ),
    "write-off": (
        lambda s, now, key: s.billing.write_off("user1", TERM, by="a", ground="b", key=key, now=now),
        "SELECT count(*) FROM contract_fact WHERE kind = 'write_off'",
    ),
    "manual entry": (_entry, "SELECT count(*) FROM manual_entry"),
    "price": (_price, "SELECT count(*) FROM price WHERE yen = 600"),
    "service change": (_change, "SELECT count(*) FROM operator_act"),
    "disclosure": (_disclosure, "SELECT count(*) FROM operator_act"),
    "claim": (
        lambda s, now, key: s.sla.submit_claim("user0", "2026-10", by="a", key=key, now=now)[0],
        "SELECT count(*) FROM claim",
    ),
}


@pytest.fixture
def engine(engine: sa.Engine) -> sa.Engine:
    """A database with a payer who sent too much, and one who owes the fee of a term that is over."""
    _furnish(engine)
    return engine


def _furnish(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        open_world(services)
        for account in ("user0", "user1"):
            services.billing.approve(account, "monthly", "other", now=parse_instant("2026-08-01 09:00"))
        services.billing.end_of_use("user1", now=parse_instant("2026-08-01 10:00"))
        services.billing.pay("user0", 5_000, now=parse_instant("2026-08-02 10:00"))
        on = date(2026, 11, 20)
        assert run_night(services, on, night_at(on)).certificate == "ok"


def _cut_off(wire: Wire, do: Do) -> None:
    """The act on a wire that is cut at its commit."""
    with services_on(make_engine(wire.url)) as services:
        wire.cut = True
        do(services, NOW, "k-1")


def _count(engine: sa.Engine, query: str) -> int:
    with engine.connect() as session:
        return int(session.execute(sa.text(query)).scalar_one())


@pytest.mark.parametrize("act", ACTS)
def test_an_act_cut_off_at_its_commit_is_done_once_when_it_is_said_again_with_its_key(
    engine: sa.Engine, act: str
) -> None:
    do, query = ACTS[act]
    before = _count(engine, query)
    with wire_to(engine.url) as wire:
        with pytest.raises(sa.exc.OperationalError) as cut:
            _cut_off(wire, do)
        failure = failure_of(cut.value)
        assert failure is not None
        assert (failure.unsure, failure.remedy) == (True, LOOK)
    assert _count(engine, query) == before + 1
    with services_on(engine) as services:
        again = do(services, NOW + timedelta(minutes=3), "k-1")
        assert do(services, NOW + timedelta(hours=3), "k-1") == again
        assert _count(engine, query) == before + 1
        assert _count(engine, "SELECT count(*) FROM act_key") == 1
        with pytest.raises(Refused) as other:
            services.billing.pay("user0", 777, key="k-1", now=NOW)
        assert other.value.code == "key.other_content"
        with pytest.raises(Refused) as unfit:
            services.billing.pay("user0", 777, key="k 1", now=NOW)
        assert unfit.value.code == "key.unfit"
        assert _count(engine, "SELECT count(*) FROM receipt WHERE yen = 777") == 0
        on = date(2026, 11, 21)
        assert run_night(services, on, night_at(on)).certificate == "ok"


def test_without_a_key_the_same_said_twice_is_two_acts(engine: sa.Engine) -> None:
    do, query = ACTS["deposit refund"]
    with services_on(engine) as services:
        assert do(services, NOW, None) == do(services, NOW, None)
        assert _count(engine, query) == 2


def test_a_refused_act_leaves_its_key_free(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        with pytest.raises(Refused, match="can go back"):
            services.billing.refund_deposit("user0", 900_000, by="a", ground="b", key="k-1", now=NOW)
        sent = services.billing.refund_deposit("user0", 100, by="a", ground="b", key="k-1", now=NOW)
        assert sent.yen == 100


def test_the_same_key_at_once_is_one_act(engine: sa.Engine) -> None:
    def say(_: int) -> object:
        with services_on(engine) as services:
            return ACTS["deposit refund"][0](services, NOW, "k-1")

    with ThreadPoolExecutor(6) as pool:
        said = list(pool.map(say, range(6)))
    assert len(set(map(str, said))) == 1
    assert _count(engine, "SELECT count(*) FROM deposit_use WHERE kind = 'refunded'") == 1


def test_the_command_line_names_the_key_to_repeat_with(engine_for_schema: Callable[[], sa.Engine]) -> None:
    engine = engine_for_schema()
    with engine.connect() as session:
        upgrade(session)
        schema = schema_of(session)
    _furnish(engine)
    asked = ["deposit", "refund", "user0", "--yen", "100", "--author", "a", "--ground", "b c"]
    with wire_to(engine.url) as wire:
        wire.cut = True
        cut = _keizoku(wire.url, schema, asked)
        assert cut.returncode == 3, cut.stderr
        line = cut.stderr.splitlines()[-1]
        begun = "it may have been done: repeat it with its key, and it is done once: keizoku deposit refund user0"
        assert begun in line
        assert "'b c' --key k-" in line
        again = _keizoku(wire.url, schema, [*asked, "--key", line.rpartition(" ")[2]])
    assert (again.returncode, again.stdout) == (0, "user0: refunded 100 yen by bank\n")
    assert _count(engine, "SELECT count(*) FROM deposit_use WHERE kind = 'refunded'") == 1


def _keizoku(url: sa.URL, schema: str, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    env = {**os.environ, "KEIZOKU_DATABASE_URL": address, "KEIZOKU_DATABASE_SCHEMA": schema, "COLUMNS": "500"}
    command = [sys.executable, "-m", "keizoku", *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
