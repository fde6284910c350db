"""The payment stage against a gateway that takes 50 ms for an answer and allows 25, 80, 100 calls a second, over HTTP.

Stripe's own client, its real calls; the server is the double of Stripe, a process of its own (card_server.py). What an
answer costs us has to fit between the calls: attempts are committed before they are sent, answers booked while the next
ones are asked for.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from keizoku.billing.cards.charge_stage import charge_due
from keizoku.billing.gateway.stripe_calls import StripeCalls
from keizoku.billing.gateway.stripe_gateway import StripeGateway
from keizoku.db.embedded import EmbeddedServer
from keizoku.db.migrate import create_all
from keizoku.db.session import Session, make_engine, open_session
from keizoku.scheduler.night.schedule import night_at
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules
from tests.benchmarks.card_server import KEY, capacity, running_cards, seen
from tests.benchmarks.harness import Case, Contender
from tests.stripe_double.running import Controls

DUE_ON = date(2026, 4, 10)
LATENCY_MS = 50
SHARES = {25: 1, 80: 3, 100: 4}
"""Calls a second that the gateway allows, over all and on the endpoint, and the eighths of the charges made so."""

_OPEN_FEES = (
    "INSERT INTO plan (code, interval, recorded_at) VALUES ('monthly', 'month', '2026-01-01')",
    "CREATE TEMPORARY TABLE member AS SELECT n AS id, concat('member-', n) AS account FROM generate_series(1, :n) AS n",
    "INSERT INTO account (id, number, created_at) SELECT account, id, '2026-04-10' FROM member",
    """INSERT INTO contract (id, account, plan, method, applied_at, approved_at, anchor_on, renews_on, recorded_at)
       SELECT id, account, 'monthly', 'card', CAST(:on AS date), CAST(:on AS date), :on, CAST(:on AS date) + 30,
              CAST(:on AS date)
       FROM member""",
    """INSERT INTO term (id, contract_id, account, seq, starts_on, ends_on, starts_at, method, plan, interval,
                         price_yen, terms_version, recorded_at)
       SELECT id, id, account, 0, :on, CAST(:on AS date) + 30, CAST(:on AS date), 'card', 'monthly', 'month', 500,
              '2024-12-02', CAST(:on AS date)
       FROM member""",
    """INSERT INTO invoice (id, term_id, contract_id, account, method, total_yen, credit_yen, tax_yen, issued_on,
                            due_on, issued_at, state, open_yen)
       SELECT id, id, id, account, 'card', 500, 0, 45, :on, :on, CAST(:on AS date), 'open', 500 FROM member""",
    """INSERT INTO saved_card (account, customer_id, payment_method_id, setup_id, recorded_at)
       SELECT account, concat('cus_', id), concat('pm_', id), concat('seti_', id), '2026-01-01' FROM member""",
)


def open_fees(session: Session, count: int) -> None:
    """So many members, each with a saved card and an open fee that is due on DUE_ON; commits."""
    for statement in _OPEN_FEES:
        session.execute(sa.text(statement), {"n": count, "on": DUE_ON})
    session.commit()
    session.execute(sa.text("ANALYZE"))
    session.commit()


def fresh_database(folder: Path, size: Mapping[str, int]) -> None:
    """The open fees in an empty database."""
    with EmbeddedServer(folder) as server, open_session(server.url) as session:
        session.execute(sa.text("DROP SCHEMA public CASCADE"))
        session.execute(sa.text("CREATE SCHEMA public"))
        create_all(session)
        open_fees(session, size["charges"])


def charged(engine: sa.Engine, url: str, per_second: float, contracts: range | None = None) -> dict[str, Any]:
    """Charge what is due (of these contracts) at a server: what stands in the rows then, and the seconds of it."""
    gateway = StripeGateway(engine, StripeCalls.to(KEY, api_base=url, per_second=per_second))
    try:
        with engine.connect() as session:
            begun = time.perf_counter()
            charge_due(session, Rules(Terms.load("premium")), gateway, night_at(DUE_ON), contract_ids=contracts)
            seconds = time.perf_counter() - begun
            return {
                "attempts": _rows(session, "SELECT outcome, count(*), sum(yen) FROM payment_attempt GROUP BY 1"),
                "invoices": _rows(session, "SELECT state, count(*), sum(open_yen) FROM invoice GROUP BY 1"),
                "settled": _rows(session, "SELECT kind, count(*), sum(yen) FROM settlement GROUP BY 1"),
                "journal": _rows(session, "SELECT code, count(*), sum(yen) FROM line GROUP BY 1 ORDER BY 1"),
                "seconds": seconds,
            }
    finally:
        gateway.close()


def _rows(session: Session, query: str) -> list[list[Any]]:
    return [[name, int(rows), int(yen)] for name, rows, yen in session.execute(sa.text(query))]


def keizoku(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """Charges them all, a part at each rate; the rate is that of the whole stage."""
    with EmbeddedServer(folder) as server, running_cards(LATENCY_MS, size["charges"]) as url:
        engine = make_engine(server.url)
        double = Controls(url)
        figures: dict[str, float] = {}
        begun, answer = 0, {}
        for allowed, eighths in SHARES.items():
            contracts = range(begun + 1, begun + size["charges"] * eighths // 8 + 1)
            begun = contracts.stop - 1
            double("limits", overall=allowed, endpoint=allowed)
            answer = charged(engine, url, allowed, contracts)
            rate = len(contracts) / answer.pop("seconds")
            figures[f"charges_per_second_where_{allowed}_are_allowed"] = rate
            figures[f"percent_of_{allowed}"] = 100 * rate / allowed
        double("limits", overall=None, endpoint=None)
        engine.dispose()
        asked = seen(url)
        assert (asked["charges"], asked["most_for_one_invoice"]) == (size["charges"], 1), asked
        figures["most_calls_in_any_second_seen_by_the_server"] = asked["most_in_a_second"]
        figures["charges_per_second_that_the_server_itself_can_answer"] = capacity(url, 20 * size["charges"] // 10)
        return {**answer, "figures": figures}


CASE = Case(
    name="payments",
    title="Charges against a gateway's limit",
    about=(
        f"Open fees are charged over HTTP at a server that takes {LATENCY_MS} ms (40 to 60) for an answer and "
        "allows 25, 80 and 100 calls a second: every attempt committed before its call, every answer booked, with the "
        "embedded PostgreSQL. The rate is that of the whole stage, from the first question to the last commit."
    ),
    size={"charges": 8_000},
    tiny={"charges": 40},
    prepare=fresh_database,
    before_run=fresh_database,
    contenders=[Contender("Keizoku", keizoku, note="memory of the engine, without PostgreSQL and the server.")],
)
