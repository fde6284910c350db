"""ETag and If-Match: of two people at once who saw the same, one acts and the other is told that it was changed."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import sqlalchemy as sa

from keizoku.db.tables.money import review_task
from tests.integration.web.conftest import House

G = {"ground": "a test"}


def tag(house: House, path: str) -> str:
    got = house.client.get(path, headers={"Authorization": f"Bearer {house.keys['worker']}"})
    assert got.status_code == 200, got.text
    return str(got.headers["etag"])


def act(house: House, path: str, body: Any, seen: str, key: str) -> tuple[int, Any]:
    headers = {"If-Match": seen, "Idempotency-Key": key}
    return house.ask("POST", path, json=body, headers=headers)


CASES: tuple[tuple[str, str, Any, str, Any], ...] = (
    (
        "/v1/accounts/a0/contract",
        "/v1/contracts/a0/end-of-use",
        {},
        "/v1/contracts/a0/change-method",
        {"method": "other"},
    ),
    ("/v1/accounts/a3/contract", "/v1/accounts/a3/suspend", G, "/v1/accounts/a3/terminate", G),
    ("/v1/claims/c0063", "/v1/claims/c0063/environment", G, "/v1/claims/c0063/withdraw", G),
    ("/v1/tasks/{task}", "/v1/tasks/{task}/done", G, "/v1/tasks/{task}/snooze", {"until": "2026-06-01", **G}),
    ("/v1/months/2026-03", "/v1/months/2026-03/close", {}, "/v1/months/2026-03/close", {}),
)


@pytest.mark.parametrize(("seen", "one", "its", "other", "others"), CASES)
def test_of_two_at_once_who_saw_the_same_one_acts(
    house: House, seen: str, one: str, its: Any, other: str, others: Any
) -> None:
    if "c0063" in seen:
        claim = house.act("/v1/claims", {"account": "u02", "month": "2026-04", "claim": "v1"})
        assert claim[0] == 200
        seen, one, other = (each.replace("c0063", "v1") for each in (seen, one, other))
    if "{task}" in seen:
        with house.engine.begin() as session:
            made = {"kind": "small_rest", "subject": "a6", "detail": {}, "opened_at": house.now}
            number = session.execute(sa.insert(review_task).values(**made).returning(review_task.c.id)).scalar_one()
        waits = f"T{number}"
        seen, one, other = (each.replace("{task}", str(waits)) for each in (seen, one, other))
    was = tag(house, seen)
    assert tag(house, seen) == was
    got: list[tuple[int, Any]] = []
    ready = threading.Barrier(2)

    def person(path: str, body: Any, key: str) -> None:
        ready.wait()
        got.append(act(house, path, body, was, f"{seen} {key}"))

    people = [
        threading.Thread(target=person, args=(path, body, key))
        for path, body, key in ((one, its, "one"), (other, others, "two"))
    ]
    for each in people:
        each.start()
    for each in people:
        each.join()
    assert sorted(status for status, _ in got) == [200, 412], got
    [told] = [told for status, told in got if status == 412]
    assert told["type"] == "/v1/problems/changed"
    assert (told["detail"].startswith(f"If-Match {was}"), told["remedy"]) == (
        True,
        "look again, and act on what there is now",
    )


def test_a_version_is_another_one_also_where_the_answer_is_the_same_again(house: House) -> None:
    seen = "/v1/accounts/a5/contract"
    was, answer = tag(house, seen), house.get(seen)
    assert act(house, "/v1/contracts/a5/end-of-use", {}, was, "v-1")[0] == 200
    assert act(house, "/v1/contracts/a5/end-of-use", {}, was, "v-1")[0] == 200  # the repeat is found, not judged anew
    between = tag(house, seen)
    assert act(house, "/v1/contracts/a5/withdraw-end-of-use", {}, f'"other", {between}', "v-2")[0] == 200
    assert house.get(seen) == answer
    assert len({was, between, tag(house, seen)}) == 3
    assert act(house, "/v1/contracts/a5/leave", {}, was, "v-3")[0] == 412
    assert act(house, "/v1/contracts/a5/leave", {}, "*", "v-4")[0] == 200
