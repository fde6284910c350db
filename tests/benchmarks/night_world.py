"""Worlds for the benchmarks of the night: members with their running contract, paid and booked, up to one evening.

Written by INSERT … SELECT straight into the real tables, from the member's number and one seed, so that the same sizes
make the same rows; then the real night before is run over it, which has to certify every row and sum. What is made so
is kept as a template database, and each run has a copy of its own.

    1 … due             their term ends on DUE_ON; the first `credits` of them have an award that no credit was made for
    the others          end on the days after it, one in ten with a yearly plan
    the last `overdue`  their card refused, one to twelve days before
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from keizoku.billing.closing import revenue_stage
from keizoku.billing.gateway.books import Dispute, KeyedAct, RefundState
from keizoku.billing.gateway.port import BANK_NAMES, Answer, ChargeRequest, ChargeResult, RefundRequest, RefundResult
from keizoku.db.embedded import EmbeddedServer
from keizoku.db.migrate import create_all
from keizoku.db.session import Session, copy_rows, open_session
from keizoku.db.tables.contracts import plan, price
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.sla.claims import claim_stage
from keizoku.sla.services.sla_service import SlaService
from keizoku.terms.calendar import jst_day, parse_instant
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules

DUE_ON = date(2026, 4, 10)
"""The business date that is measured; the term of one month that ends on it began on 10 March."""
EVE = DUE_ON - timedelta(days=1)
SEED = 20_260_410
PLANS = {"monthly": ("month", 500), "yearly": ("year", 5_300)}
COUNTED: Mapping[str, str] = {
    "terms": "SELECT count(*), sum(price_yen) FROM term",
    "invoices": "SELECT count(*), sum(total_yen - credit_yen) FROM invoice",
    "open": "SELECT count(*), coalesce(sum(open_yen), 0) FROM invoice WHERE state = 'open'",
    "attempts": "SELECT count(*), sum(yen) FROM payment_attempt WHERE outcome = 'succeeded'",
    "settlements": "SELECT count(*), sum(yen) FROM settlement",
    "credits": "SELECT count(*), coalesce(sum(available_yen), 0) FROM credit",
    "entries": "SELECT count(*), count(DISTINCT event) FROM entry",
    "lines": "SELECT count(*), sum(abs(yen)) FROM line",
    "revenue": "SELECT count(*), sum(yen) FROM revenue_posting",
}
"""What a night leaves, as an answer that contenders can be compared by."""


class GatewayAtOnce:
    """A card gateway that costs nothing: it answers at once, from memory. `refused`: accounts whose card is refused."""

    name = "at once"
    bank_names: tuple[str, ...] = BANK_NAMES
    books = None

    def __init__(self, refused: frozenset[str] = frozenset()) -> None:
        self.refused = refused

    def check_account(self) -> None:
        """It is everybody's."""

    def charge_many(self, requests: Sequence[ChargeRequest], at: datetime) -> Iterator[ChargeResult]:
        """Every charge succeeds but those of the accounts that are refused."""
        for each in requests:
            if each.account in self.refused:
                yield ChargeResult(each.key, Answer.DECLINED, code="insufficient_funds", happened_at=at)
            else:
                yield ChargeResult(each.key, Answer.SUCCEEDED, gateway_id=f"ch_{each.attempt_id}", happened_at=at)

    def find_charges(self, requests: Sequence[ChargeRequest], at: datetime) -> Mapping[str, ChargeResult]:
        """Nothing is ever without an answer here."""
        return {}

    def disputes(self, ids: Sequence[str], at: datetime) -> Iterator[Dispute]:
        """Nobody disputes anything."""
        return iter(())

    def refunds(self, ids: Sequence[str], at: datetime) -> Iterator[RefundState]:
        """No refund comes back."""
        return iter(())

    def refund(self, request: RefundRequest, at: datetime) -> RefundResult:
        """Every refund succeeds."""
        return RefundResult(request.key, Answer.SUCCEEDED, gateway_id=f"re_{request.key}")

    def find_refund(self, request: RefundRequest, at: datetime) -> RefundResult | None:
        """Nothing is ever without an answer here."""
        return None

    def acts_since(self, since: datetime) -> Iterator[KeyedAct]:
        """Nothing was lost."""
        return iter(())


def account_of(number: int) -> str:
    """The account of a member."""
    return f"member-{number:08d}"


def services_of(session: Session, size: Mapping[str, int]) -> Services:
    """The house on a world of this size, with its gateway."""
    last = size["contracts"]
    refused = frozenset(account_of(number) for number in range(last - size["overdue"] + 1, last + 1))
    return Services(session, Rules(Terms.load("premium")), GatewayAtOnce(refused))


def make_world(folder: Path, size: Mapping[str, int], name: str = "world") -> None:
    """A database with everything up to the night of EVE, kept for `copy_of`; one that is there already is left."""
    with EmbeddedServer(folder) as server:
        if not _create(server, name):
            return
        with open_session(server.url.set(database=name)) as session:
            create_all(session)
            _fill(session, size)
            made = run_night(services_of(session, size), EVE, night_at(EVE))
            assert made.certificate == "ok", made.differences
            if size["credits"]:
                _award(session, size["credits"])
            session.commit()
            session.execution_options(isolation_level="AUTOCOMMIT").execute(sa.text("VACUUM ANALYZE"))


@contextmanager
def copy_of(folder: Path, name: str = "world") -> Iterator[Session]:
    """A session on a copy of that world; on disk, with none of it in the server's own memory yet."""
    with EmbeddedServer(folder) as server:
        with _statements(server) as run:
            run("DROP DATABASE IF EXISTS copy WITH (FORCE)")
            run(f"CREATE DATABASE copy TEMPLATE {name} STRATEGY FILE_COPY")
            run("CHECKPOINT")
        with open_session(server.url.set(database="copy")) as session:
            yield session


def counted(session: Session) -> dict[str, list[int]]:
    """What stands in the tables now."""
    found = {name: [int(value) for value in session.execute(sa.text(query)).one()] for name, query in COUNTED.items()}
    session.commit()
    return found


@contextmanager
def _statements(server: EmbeddedServer) -> Iterator[Any]:
    with open_session(server.url) as session:
        session.execution_options(isolation_level="AUTOCOMMIT")
        yield lambda statement: session.execute(sa.text(statement))


def _create(server: EmbeddedServer, name: str) -> bool:
    with _statements(server) as run:
        if run(f"SELECT 1 FROM pg_database WHERE datname = '{name}'").first():
            return False
        run(f"CREATE DATABASE {name}")
    return True


_MEMBERS = """
    CREATE TEMPORARY TABLE member AS
    SELECT n AS id, 'member-' || lpad(CAST(n AS text), 8, '0') AS account, plan, interval, yen, starts_on,
           CAST(starts_on + CASE interval WHEN 'year' THEN interval '1 year' ELSE interval '1 month' END AS date)
             AS ends_on,
           CAST(starts_on AS timestamp) AT TIME ZONE 'Asia/Tokyo' AS starts_at, paid
    FROM (
        SELECT n, plan.code AS plan, plan.interval, price.yen, n <= :contracts - :overdue AS paid,
               CASE WHEN n > :contracts - :overdue THEN CAST(:eve AS date) - CAST(n % 12 AS integer)
                    WHEN n <= :due THEN CAST(CAST(:due_on AS date) - CASE plan.interval
                         WHEN 'year' THEN interval '1 year' ELSE interval '1 month' END AS date)
                    WHEN plan.interval = 'year' THEN CAST(CAST(:due_on AS date) - interval '1 year' AS date)
                         + 1 + CAST(spread % 364 AS integer)
                    ELSE CAST(CAST(:due_on AS date) - interval '1 month' AS date) + 1 + CAST(spread % 30 AS integer)
               END AS starts_on
        FROM (SELECT n, abs(hashint8extended(n, :seed) % 1000000007) AS spread
              FROM generate_series(1, CAST(:contracts AS bigint)) AS n) AS number
        JOIN plan ON plan.code = CASE WHEN spread % 10 = 7 AND n <= :contracts - :overdue
                                      THEN 'yearly' ELSE 'monthly' END
        JOIN price ON price.plan = plan.code
    ) AS dated ORDER BY n"""

_ROWS: Sequence[str] = (
    "INSERT INTO account (id, number, created_at) SELECT account, id, starts_at FROM member",
    """INSERT INTO contract (id, account, plan, method, applied_at, approved_at, anchor_on, renews_on, recorded_at)
       SELECT id, account, plan, 'card', starts_at, starts_at, starts_on, ends_on, starts_at FROM member""",
    """INSERT INTO term (id, contract_id, account, seq, starts_on, ends_on, starts_at, method, plan, interval,
                         price_yen, terms_version, recorded_at)
       SELECT id, id, account, 0, starts_on, ends_on, starts_at, 'card', plan, interval, yen, '2024-12-02', starts_at
       FROM member""",
    """INSERT INTO invoice (id, term_id, contract_id, account, method, total_yen, credit_yen, tax_yen, issued_on,
                            due_on, issued_at, state, open_yen, paid_on)
       SELECT id, id, id, account, 'card', yen, 0, yen / 11, starts_on, starts_on, starts_at,
              CASE WHEN paid THEN 'paid' ELSE 'open' END, CASE WHEN paid THEN 0 ELSE yen END,
              CASE WHEN paid THEN starts_on END
       FROM member""",
    """INSERT INTO payment_attempt (id, invoice_id, account, key, yen, wanted_on, started_on, started_at, outcome, code,
                            gateway_id, settled_on, settled_at, answer_recorded_at)
       SELECT id, id, account, concat('keizoku-', id, '-1'), yen, starts_on, starts_on, starts_at,
              CASE WHEN paid THEN 'succeeded' ELSE 'declined_soft' END,
              CASE WHEN NOT paid THEN 'insufficient_funds' END,
              CASE WHEN paid THEN concat('ch_', id) END, starts_on, starts_at, starts_at
       FROM member""",
    """INSERT INTO settlement (id, invoice_id, account, kind, yen, settled_on, source_id, recorded_at)
       SELECT id, id, account, 'card', yen, starts_on, id, starts_at FROM member WHERE paid""",
    """INSERT INTO entry (id, posted_on, event, event_key, clause, account, recorded_at)
       SELECT id, starts_on, 'term_invoiced', concat('term:', id), 'premium/4.1', account, starts_at FROM member""",
    """INSERT INTO entry (id, posted_on, event, event_key, clause, account, recorded_at)
       SELECT :contracts + id, starts_on, 'card_charge_succeeded', concat('attempt:', id), 'premium/5.1.1.a', account,
              starts_at
       FROM member WHERE paid""",
    """INSERT INTO line (entry_id, seq, code, yen) SELECT id, seq, code, side * yen
       FROM member, (VALUES (1, '1140', 1), (2, '2120', -1)) AS leg (seq, code, side) ORDER BY id""",
    """INSERT INTO line (entry_id, seq, code, yen) SELECT :contracts + id, seq, code, side * yen
       FROM member, (VALUES (1, '1131', 1), (2, '1140', -1)) AS leg (seq, code, side) WHERE paid ORDER BY id""",
    *(
        f"SELECT setval('{table}_id_seq', greatest((SELECT max(id) FROM {table}), 1))"
        for table in ("contract", "term", "invoice", "payment_attempt", "settlement", "entry")
    ),
    "SELECT setval('account_number_seq', :contracts)",
    """INSERT INTO stage_run (business_date, stage, started_at, finished_at, changes, runs)
       VALUES (CAST(:eve AS date) - 1, 'audit', CAST(:eve AS date) - 1, CAST(:eve AS date) - 1, 0, 1)""",
    """INSERT INTO certificate
           (business_date, issued_at, state, counts, sums, differences, floors, carried, audited_whole_on, hash)
       VALUES (CAST(:eve AS date) - 1, CAST(:eve AS date) - 1, 'ok', '{}', '{}', '[]',
               jsonb_build_object('term', CAST(:contracts AS bigint)), '{}', CAST(:eve AS date) - 1,
               'of a world that was made')""",
)

_EARNED = """
    SELECT day, plan, 1, CAST(sum(members * (after_yen - before_yen)) AS bigint),
           CAST(sum(members * (after_yen / 11 - before_yen / 11)) AS bigint)
    FROM (
        SELECT CAST(day AS date) AS day, plan, members,
               yen * (CAST(day AS date) - starts_on) / (ends_on - starts_on) AS before_yen,
               yen * (CAST(day AS date) + 1 - starts_on) / (ends_on - starts_on) AS after_yen
        FROM (SELECT plan, yen, starts_on, ends_on, count(*) AS members FROM member GROUP BY 1, 2, 3, 4) AS alike,
             generate_series(starts_on, CAST(:eve AS date) - 2, interval '1 day') AS day
    ) AS earned GROUP BY day, plan ORDER BY day, plan"""


def _fill(session: Session, size: Mapping[str, int]) -> None:
    since = parse_instant("2024-12-02 00:00")
    copy_rows(
        session,
        plan,
        ("code", "interval", "recorded_at"),
        [(code, interval, since) for code, (interval, _) in PLANS.items()],
    )
    copy_rows(
        session,
        price,
        ("plan", "yen", "announced_on", "for_new_from", "for_renewals_from", "recorded_at"),
        [(code, yen, *[jst_day(since)] * 3, since) for code, (_, yen) in PLANS.items()],
    )
    asked = {"contracts": size["contracts"], "due": size["due"], "overdue": size["overdue"]}
    asked |= {"seed": SEED, "eve": EVE, "due_on": DUE_ON}  # type: ignore[dict-item]
    session.execute(sa.text(_MEMBERS), asked)
    session.execute(sa.text("ANALYZE member"))
    # the rows fit one another by their making, and the night's audit proves it: a million are not looked up again
    session.execute(sa.text("SET LOCAL session_replication_role = replica"))
    for statement in _ROWS:
        session.execute(sa.text(statement), asked)
    session.execute(sa.text("SET LOCAL session_replication_role = origin"))
    earned = session.execute(sa.text(_EARNED), {"eve": EVE}).all()
    revenue_stage.save(session, [revenue_stage.DayDue(*row) for row in earned], night_at(EVE) - timedelta(days=1))
    session.execute(sa.text("DROP TABLE member"))
    session.commit()
    session.execute(sa.text("ANALYZE"))
    session.commit()


def _award(session: Session, awards: int) -> None:
    """The first members claim for a stop in March, and are granted it; nothing made a credit of it yet."""
    rules = Rules(Terms.load("premium"))
    service = SlaService(session, rules)
    known_at, claimed_at = parse_instant("2026-03-17 09:00"), parse_instant("2026-03-20 09:00")
    service.population(parse_instant("2025-01-01 00:00"), 20 * awards + 20, now=known_at)
    from_at, to_at = parse_instant("2026-03-16 12:00"), parse_instant("2026-03-16 20:00")
    service.record_outage(from_at=from_at, to_at=to_at, affected=2 * awards + 2, now=known_at)
    for number in range(1, awards + 1):
        service.claim(f"c{number}", account_of(number), "2026-03", now=claimed_at)
    for chunk in claim_stage.due(session, rules, EVE, night_at(EVE)):
        claim_stage.save(session, claim_stage.decide(chunk), night_at(EVE))
