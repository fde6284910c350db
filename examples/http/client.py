"""Ten calls to a sandbox, from a sign-up to a credit, with nothing but Python's own library.

python client.py http://127.0.0.1:8431 kz_test_…
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen


class RefusedError(Exception):
    """What the door says of a call that it does not do: `application/problem+json`."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(f"{problem['title']} {problem['detail']}")
        self.status: int = problem["status"]
        self.code: str = problem["type"].rpartition("/")[2]
        self.problem = problem


@dataclass(frozen=True)
class Keizoku:
    """A door, and a key that opens it."""

    base: str
    key: str
    tries: int = 5

    def ask(self, path: str) -> Any:
        """A question; repeated where it got no answer."""
        return self._call("GET", path, None, {})

    def act(self, path: str, body: dict[str, Any] | None = None, *, key: str | None = None) -> Any:
        """An act, done once for its key: what got no answer is said again with the same key, which is harmless.

        Keep the key with the row of yours that the act belongs to, and it is harmless after a crash of yours, too.
        """
        return self._call("POST", path, body or {}, {"Idempotency-Key": key or uuid.uuid4().hex})

    def events(self, after: str) -> Iterator[dict[str, Any]]:
        """What happened after a cursor, in order, up to now. Keep the id of the last one that you have dealt with."""
        while True:
            page = self.ask(f"/v1/events?after={after}&limit=200")["data"]
            yield from page
            if not page:
                return
            after = page[-1]["id"]

    def _call(self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]) -> Any:
        data = None if body is None else json.dumps(body).encode()
        told = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json", **headers}
        for attempt in range(self.tries):
            try:
                with urlopen(Request(self.base + path, data, told, method=method), timeout=60) as answer:
                    return json.load(answer)
            except HTTPError as error:
                problem = json.load(error)
                again = error.code == 503 or problem["type"].endswith("/idempotency.running")
                if not again or attempt + 1 == self.tries:
                    raise RefusedError(problem) from None
                time.sleep(float(error.headers.get("Retry-After", "1")))
            except (URLError, TimeoutError, ConnectionError):
                if attempt + 1 == self.tries:
                    raise
                time.sleep(2**attempt)
        raise AssertionError


def ten_calls(keizoku: Keizoku, account: str) -> dict[str, Any]:
    """A sign-up, a payment, an outage, a claim, a credit; what the account is owed at the end."""
    part = quote(account, safe="")  # an id may have letters that paths keep for themselves
    keizoku.act("/v1/applications", {"account": account, "plan": "monthly", "method": "card"})
    keizoku.act(f"/v1/applications/{part}/approve")
    access = keizoku.ask(f"/v1/accounts/{part}/access")["access"]
    [invoice] = keizoku.ask(f"/v1/accounts/{part}/invoices")
    if not access or invoice["state"] != "paid":
        raise RuntimeError("the first month is not paid")
    keizoku.act("/v1/test/clock", {"to": "2026-04-16T09:00:00+09:00"})
    outage = {"from_at": "2026-04-15T10:00:00+09:00", "to_at": "2026-04-15T18:00:00+09:00", "affected": 500}
    keizoku.act("/v1/incidents", {**outage, "ground": "status page"})
    keizoku.act("/v1/test/clock", {"to": "2026-05-02T09:00:00+09:00"})
    keizoku.act("/v1/claims", {"account": account, "month": "2026-04"}, key=f"claim-{account}-2026-04")
    keizoku.act("/v1/test/clock", {"days": 1})
    state: dict[str, Any] = keizoku.ask(f"/v1/accounts/{part}")["state"]
    return state


if __name__ == "__main__":
    door = Keizoku(sys.argv[1], sys.argv[2])
    print(f"credit: {ten_calls(door, 'u2001')['credit_yen']} yen")
    try:
        door.act("/v1/contracts/nobody/end-of-use")
    except RefusedError as refused:
        print(f"refused: {refused.status} {refused.code}")
    print("events of u2001:", ", ".join(each["type"] for each in door.events("0-0") if each["account"] == "u2001"))
