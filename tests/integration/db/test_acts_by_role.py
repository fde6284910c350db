"""Every act of the library, called by a login of every role: done for those it is for, else one line of who may."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from keizoku.db.failures import failure_of
from keizoku.db.session import DatabaseError, make_engine
from keizoku.db.tables import metadata
from keizoku.scheduler.app import Services
from keizoku.terms.refusal import Refused
from tests.worlds.hostile_calls import acts
from tests.worlds.role_calls import CALLS, NOW, Given, allowed
from tests.worlds.role_walk import leave_unanswered
from tests.worlds.world import services_on

ROLES = ("finance", "support", "worker")
"""In this order: whoever may not do a thing tries before somebody does it."""


def test_each_act_is_for_its_roles_and_refused_to_the_others(
    served: sa.Engine, logins: Mapping[str, str], tmp_path: Path
) -> None:
    with served.connect() as session:
        leave_unanswered(session)
    wrong = []
    with _services(served, logins, ROLES) as by_role:
        assert sorted({name for name, _, _ in CALLS}) == sorted(acts(by_role["worker"]))  # some are called twice
        codes: list[str] = []
        for act, arguments, refusal in CALLS:
            may = allowed(act)
            for role in ROLES:
                number = ROLES.index(role if role in may else may[-1]) + 1
                given = arguments(Given(number, tmp_path, served, codes))
                before = _digest(served)
                ended = _call(by_role[role], act, given)
                refused = _names_the_roles(ended, may) and _digest(served) == before
                if not (ended == refusal if role in may else refused):
                    wrong.append(f"{act} as {role}: {ended or 'done'}")
    assert not wrong, "\n".join(wrong)


def test_the_owner_calls_every_act(served: sa.Engine, logins: Mapping[str, str], tmp_path: Path) -> None:
    """Whoever owns the schema needs no role: a host that has one login only is this case."""
    with served.connect() as session:
        leave_unanswered(session)
    codes: list[str] = []
    with _services(served, logins, ("owner",)) as by_role:
        ended = [
            (act, refusal, _call(by_role["owner"], act, arguments(Given(3, tmp_path, served, codes))))
            for act, arguments, refusal in CALLS
        ]
    wrong = [f"{act}: {came or 'done'}" for act, refusal, came in ended if came != refusal]
    assert not wrong, "\n".join(wrong)


@contextmanager
def _services(served: sa.Engine, logins: Mapping[str, str], roles: tuple[str, ...]) -> Iterator[Mapping[str, Services]]:
    """role -> the services on a login that has it."""
    with served.connect() as session:
        schema = str(session.exec_driver_sql("SELECT current_schema()").scalar_one())
    with ExitStack() as opened:
        yield {role: opened.enter_context(services_on(make_engine(logins[role], schema))) for role in roles}


def _call(services: Services, act: str, given: Mapping[str, Any]) -> str:
    """How it ended: nothing where it was done, the code of the rule that refused it, or what else was raised."""
    called: Callable[..., object] = acts(services)[act]
    timed = {} if act in WITHOUT_TIME else {"now": NOW}
    try:
        called(**given, **timed)
        services.session.commit()  # what takes parts of a file leaves the end to its caller
    except Refused as refused:
        return refused.code
    except DatabaseError as error:
        return str(error)
    except Exception as error:  # the walk goes on, and tells all at its end
        failure = failure_of(error)
        return str(failure) if failure is not None else repr(error)
    finally:
        services.session.rollback()
    return ""


WITHOUT_TIME = frozenset(
    {"billing.preview_interest", "billing.transfer_file_again", "sla.is_known_outage", "sla.refused_spans"}
)


def _names_the_roles(ended: str, may: tuple[str, ...]) -> bool:
    """One line that names the roles which may, or some of them."""
    named = re.fullmatch(r"the login may not do this in the database: .*; it needs the role ([a-z ]+): .*", ended)
    return named is not None and set(named[1].split(" or ")) <= set(may)


def _digest(engine: sa.Engine) -> list[tuple[object, ...]]:
    """A sum over all rows of each table."""
    each = " UNION ALL ".join(
        f"SELECT '{name}', count(*), sum(hashtext(t::text)::bigint) FROM {name} t" for name in sorted(metadata.tables)
    )
    with engine.connect() as session:
        return [tuple(row) for row in session.exec_driver_sql(each)]
