"""One small question of many callers: each has its own answer, and a connection that is lost is replaced."""

from __future__ import annotations

import asyncio
from typing import Any

import sqlalchemy as sa

from keizoku.db.session import backend_of, make_engine
from keizoku.web.calls.asked_together import AskedTogether

DOUBLE = (
    "SELECT asked.name, found.twice, pg_backend_pid() AS pid FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY "
    "AS asked (name, number, place) LEFT JOIN LATERAL (SELECT 10 / asked.number AS tenth, 2 * asked.number AS twice "
    "WHERE asked.number < 900) found ON true ORDER BY asked.place"
)


def test_each_has_its_own_answer_also_where_hundreds_ask_at_once(database_url: sa.URL) -> None:
    opened: list[int] = []

    def connect() -> sa.Connection:
        session = make_engine(database_url).connect()
        opened.append(backend_of(session))
        return session

    async def go() -> None:
        question = AskedTogether(connect, DOUBLE)
        names = [f'n{number} "quoted", {{}} \\\\ 日本' for number in range(1, 1_000)]
        rows = await asyncio.gather(*(question.ask(name, number) for number, name in enumerate(names, start=1)))
        assert [row.name for row in rows] == names
        assert [row.twice for row in rows] == [2 * number if number < 900 else None for number in range(1, 1_000)]
        before = list(opened)
        assert len(before) <= 2
        with make_engine(database_url).connect() as session:  # the server ends them, as in a restart
            for pid in before:
                session.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
            session.commit()
        answers: list[Any] = []
        while not answers or answers[-1] is None:  # what was under way has no answer: its caller asks in another way
            answers.append(await asyncio.wait_for(question.ask("a", 4), 10))
        assert (answers[-1].twice, answers[-1].pid in before) == (8, False)
        question.close()

    asyncio.run(go())


def test_a_statement_that_fails_has_no_answer_and_the_next_has(database_url: sa.URL) -> None:
    async def go() -> None:
        question = AskedTogether(
            lambda: make_engine(database_url).connect(), DOUBLE.replace("twice, pg", "twice, found.tenth, pg")
        )
        assert await question.ask("a", 0) is None
        assert (await question.ask("a", 5)).tenth == 2
        assert await question.ask("half \ud800", 5) is None
        assert (await question.ask("a", 5)).tenth == 2
        question.close()
        unfit = AskedTogether(lambda: make_engine(database_url).connect(), "SELECT nothing")
        assert await asyncio.wait_for(unfit.ask("a", 5), 10) is None

    asyncio.run(go())
