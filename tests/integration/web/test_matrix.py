"""The matrix: every act by every role that may not, with the door's own check taken out: PostgreSQL refuses it.

With the check in place, each is 403 (`test_every_operation.py`); members are in `test_members.py`, own account and
another's. Here the acts are those of `act_walk.py`, whose values are good: what refuses them is not the rules.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from keizoku.web.application import operations
from keizoku.web.door import Door
from keizoku.web.identity.principal import ROLES
from keizoku.web.jobs import Jobs
from tests.integration.web.act_walk import ACTS, make_ready
from tests.integration.web.conftest import House
from tests.integration.web.test_killed_acts import BY_ANOTHER, fingerprint, found, say

PROPOSED = {each.name for each in operations() if each.four_eyes}
"""They are only proposed; support may add proposals, and the act is held against the roles at its approval."""
BY_RULES = {"proposals.approve", "proposals.withdraw", "months.close"}
"""The rules refuse these before the database is asked: another role's act, another's proposal, a month that waits."""
QUEUED = {"nights.run"}
"""What is queued is done by the worker's own connections; what uses a token (`with_tokens`), by the login's own."""


def test_what_the_door_would_let_through_postgresql_refuses(
    house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make_ready(house, tmp_path, monkeypatch)
    monkeypatch.setattr(Jobs, "start", lambda *_: None)
    named = {each.name: each for each in operations()}
    checked = Door.role_of
    wrong: list[str] = []
    refused = 0
    with house.engine.connect() as looks:
        before = fingerprint(looks)
        for name, written, sent in ACTS:
            path, body = found(house, written, sent)
            for role in ROLES:
                checked_here = name in QUEUED or named[name].with_tokens or (name in PROPOSED and role == "support")
                if role in named[name].roles or checked_here:
                    continue
                monkeypatch.setattr(Door, "role_of", lambda _s, principal, _o: principal.roles[0])
                status, told, _ = say(house, path, body, uuid.uuid4().hex, role)
                monkeypatch.setattr(Door, "role_of", checked)
                by_rules = name in BY_RULES and status in (403, 409)
                if (status, told.get("type")) != (403, "/v1/problems/database.refuses") and not by_rules:
                    wrong.append(f"{name} as {role}: {status} {told}")
                if (after := fingerprint(looks)) != before:
                    wrong.append(f"{name} as {role}: {[table for table in after if after[table] != before[table]]}")
                refused += 1
            who = "second" if name in BY_ANOTHER else "worker"
            status, told, _ = say(house, path, body, uuid.uuid4().hex, who)
            if status >= 300:
                wrong.append(f"{name}: {status} {told}")
            before = fingerprint(looks)
    assert not wrong, "\n".join(wrong)
    assert refused > 100


def test_a_question_that_is_not_for_every_role_is_refused_by_postgresql_too(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow = [
        each for each in operations() if each.kind != "act" and set(each.roles) != set(ROLES) and not each.with_tokens
    ]
    monkeypatch.setattr(Door, "role_of", lambda _s, principal, _o: principal.roles[0])
    told: list[Any] = []
    for operation in narrow:
        path = "/v1" + operation.path.replace("{account}", "a0")
        others = [role for role in ROLES if role not in operation.roles]
        told += [(operation.name, role, house.ask("GET", path, role)[0]) for role in others]
    assert [each for each in told if each[2] < 400] == []
