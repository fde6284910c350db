"""A hundred thousand tokens near their end: renewed in one stage, stopped half-way and resumed.

The partner's pace is the limit: at 10 calls a second 100,000 tokens take 10,000 s, whoever asks. What is measured is
our own part, with a simulated partner that answers at once: it has to stay well under the 100 ms that the pace leaves.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from keizoku.db.embedded import EmbeddedServer
from keizoku.db.migrate import upgrade
from keizoku.db.session import Session, copy_rows, open_session
from keizoku.db.tables.contracts import account
from keizoku.db.tables.link.grants import link_authorization, link_grant, link_secret, link_token
from keizoku.link.partner.simulated import LIFE_SECONDS, SimulatedPartner
from tests.benchmarks.harness import Case, Contender
from tests.worlds.link_world import NOW, RING, later, service_on

PACE = 10
"""Calls a second, as such partners allow."""


def prepare(folder: Path, size: Mapping[str, int]) -> None:
    """Customers whose tokens are all due at the same time, in a database of their own."""
    shutil.rmtree(folder / "postgresql", ignore_errors=True)
    with EmbeddedServer(folder) as server, open_session(server.url) as session:
        upgrade(session)
        _fill(session, size["tokens"])
        session.commit()
        session.execute(sa.text("ANALYZE"))
        session.commit()


def _fill(session: Session, tokens: int) -> None:
    numbers, ends = range(1, tokens + 1), NOW + timedelta(seconds=LIFE_SECONDS)
    copy_rows(session, account, ("id", "created_at"), ((f"a{n}", NOW) for n in numbers))
    copy_rows(
        session, link_authorization,
        ("id", "account", "state_digest", "scopes", "redirect_uri", "begun_at", "expires_at", "recorded_at"),
        ((n, f"a{n}", f"{n:064x}", "data", "https://x", NOW, ends, NOW) for n in numbers),
    )  # fmt: skip
    copy_rows(
        session, link_grant, ("id", "account", "authorization_id", "scopes", "granted_at", "recorded_at"),
        ((n, f"a{n}", n, "data", NOW, NOW) for n in numbers),
    )  # fmt: skip
    copy_rows(
        session, link_token,
        ("id", "grant_id", "account", "generation", "asked_at", "expires_in", "expires_at", "fingerprint", "renewable",
         "recorded_at"),
        ((n, n, f"a{n}", 1, NOW, LIFE_SECONDS, ends, f"{n:064x}", True, NOW) for n in numbers),
    )  # fmt: skip
    sealed = ((n, kind, RING.seal(f"simulated:a{n}:{kind[0]}:x", f"{kind} {n}")) for n in numbers for kind in _KINDS)
    copy_rows(
        session, link_secret, ("id", "token_id", "kind", "key_id", "sealed", "recorded_at"),
        ((at, n, kind, seal.key_id, seal.content, NOW) for at, (n, kind, seal) in enumerate(sealed, 1)),
    )  # fmt: skip
    for table in ("link_authorization", "link_grant", "link_token", "link_secret"):
        session.execute(sa.text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {2 * tokens + 1})"))


_KINDS = ("access", "refresh")


def keizoku(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """Renew all that is due, stopped at a third of it and begun again; every token has its next generation, once."""
    with EmbeddedServer(folder) as server, open_session(server.url) as session:
        partner = SimulatedPartner(session.engine)
        link, done = service_on(session, partner), 0
        begun = time.perf_counter()
        with closing(iter(link.renewals(now=later(LIFE_SECONDS // 2)))) as steps:
            for answers in steps:
                done += answers
                if done >= size["tokens"] // 3:
                    break
        link.renew_due(now=later(LIFE_SECONDS // 2))
        seconds = time.perf_counter() - begun
        living = sa.select(link_token.c.generation, sa.func.count()).where(link_token.c.ended_at.is_(None))
        found = {int(row[0]): int(row[1]) for row in session.execute(living.group_by(link_token.c.generation))}
        assert found == {2: size["tokens"]}, found
        each = seconds / size["tokens"]
        figures = {
            "ms_a_token": 1_000 * each,
            "hours_at_the_partners_pace": size["tokens"] * max(each, 1 / PACE) / 3_600,
        }
        return {"tokens": size["tokens"], "seconds": seconds, "figures": figures}


CASE = Case(
    name="link",
    title="Tokens of the linked service, renewed",
    about=(
        "Customers whose tokens are all near their end, renewed in one stage with a simulated partner that answers at "
        "once; the stage is stopped at a third of its work and begun again. At a partner's pace of 10 calls a second "
        "100,000 tokens take 10,000 s; our own part has to stay under the 100 ms that this leaves for each."
    ),
    size={"tokens": 10_000},
    tiny={"tokens": 9},
    large=({"tokens": 100_000},),
    prepare=prepare,
    before_run=prepare,
    contenders=[Contender("Keizoku", keizoku, note="our own part: the partner answers at once.")],
)
