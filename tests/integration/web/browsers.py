"""A browser at the house, for the tests of sessions: it keeps cookies and comes from our own pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.testclient import TestClient

from keizoku.web.identity.browser import Site
from keizoku.web.identity.principal import MEMBER
from tests.integration.web.conftest import House

HOST = "billing.example"
PAGE = {"Sec-Fetch-Site": "same-origin"}


@dataclass
class MemberBrowser:
    """The browser of one member."""

    house: House
    client: TestClient
    account: str

    @classmethod
    def of(cls, house: House, account: str) -> MemberBrowser:
        """A member who opened the host's link."""
        house.door.site = Site(f"https://{HOST}")
        status, made = house.act("/v1/member-sessions", {"account": account}, role="support")
        assert status == 200, made
        client = TestClient(house.client.app, base_url=f"https://{HOST}", raise_server_exceptions=False)
        path = made["url"].removeprefix(f"https://{HOST}")
        assert client.post(path, headers=PAGE, follow_redirects=False).status_code == 303
        return cls(house, client, account)

    def session(self) -> Any:
        """The session as the door knows it."""
        from keizoku.web.identity import sessions

        with self.house.door.connect("worker") as session:
            found = sessions.holder(session, self.client.cookies["__Host-keizoku"], self.house.now)
        assert found is not None
        assert found.principal.roles == (MEMBER,)
        return found

    def get(self, path: str, **query: object) -> tuple[int, Any]:
        """GET; (status, body)."""
        answer = self.client.get(path, params=query)  # type: ignore[arg-type]
        return answer.status_code, answer.json()

    def act(self, path: str, body: Any = None, key: str = "k") -> tuple[int, Any]:
        """POST with a form of ours; (status, body)."""
        headers = {"Idempotency-Key": key, "X-Form-Token": self.session().form_token, **PAGE}
        answer = self.client.post(path, json=body or {}, headers=headers)
        return answer.status_code, answer.json()
